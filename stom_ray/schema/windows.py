"""The window functions of the condition language: the base column behind each, and how one is computed on the spot."""

# No window needs another column.
WINDOW_SOURCE: dict[str, str] = {
    "이동평균": "현재가",
    "최고현재가": "현재가",
    "최저현재가": "현재가",
    "체결강도평균": "체결강도",
    "최고체결강도": "체결강도",
    "최저체결강도": "체결강도",
    "최고초당매수수량": "초당매수수량",
    "최고초당매도수량": "초당매도수량",
    "누적초당매수수량": "초당매수수량",
    "누적초당매도수량": "초당매도수량",
    "초당거래대금평균": "초당거래대금",
    "등락율각도": "등락율",
    "당일거래대금각도": "당일거래대금",
    "전일비각도": "전일비",
}

# What a window of a length without a precomputed column is: a function of `features.slices`, and of the CUDA runtime.
RAW_WINDOW: dict[str, str] = {
    "이동평균": "mean3",
    "최고현재가": "highest",
    "최저현재가": "lowest",
    "체결강도평균": "mean3",
    "최고체결강도": "highest",
    "최저체결강도": "lowest",
    "최고초당매수수량": "highest",
    "최고초당매도수량": "highest",
    "누적초당매수수량": "total",
    "누적초당매도수량": "total",
    "초당거래대금평균": "whole_mean",
    "등락율각도": "change_rate_angle",
    "당일거래대금각도": "turnover_angle",
    "전일비각도": "day_ratio_angle",
}

MOVING_AVERAGE_LENGTHS = (60, 300, 600, 1200)  # rows; 이동평균 of these is precomputed
