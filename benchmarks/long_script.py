"""A pair of texts as long as the longest that users publish: classes by time and market cap, elif chains, temporaries, windows.

The texts follow from the panel alone: class borders and amounts are quantiles of its columns, in whole numbers.
"""

from __future__ import annotations

import itertools

import numpy as np

from stom_ray.store.panel import Panel

TIMES, CAPS = 4, 3
PER_CLASS = 11
WINDOWS = (30, 60, 120, 300)

TEMPORARIES = """호가간격 = 매도호가1 - 매수호가1
체결강도차 = 체결강도 - 체결강도평균(30)
매수비율 = 초당매수수량 / (초당매수수량 + 초당매도수량 + 1) * 100
잔량비율 = 매수총잔량 / (매도총잔량 + 매수총잔량 + 1) * 100
단기고점 = 최고현재가(60)
중기고점 = 최고현재가(300)
단기저점 = 최저현재가(60)
중기저점 = 최저현재가(300)
밴드폭 = (중기고점 - 중기저점) / 현재가 * 100
위치 = (현재가 - 중기저점) / (중기고점 - 중기저점) * 100 if 중기고점 > 중기저점 else 50
거래대금배수 = 초당거래대금 / 초당거래대금평균(60) if 초당거래대금평균(60) > 0 else 0
누적비율 = 누적초당매수수량(60) / (누적초당매수수량(60) + 누적초당매도수량(60) + 1) * 100
상승폭 = (현재가 / 현재가N(30) - 1) * 100 if 현재가N(30) > 0 else 0
직전상승폭 = (현재가N(1) / 현재가N(2) - 1) * 100 if 현재가N(2) > 0 else 0
시고등락율 = (고가 / 시가 - 1) * 100
이평간격 = (이동평균(60) / 이동평균(300) - 1) * 100 if 이동평균(300) > 0 else 0
과열 = 등락율 > 15 or 고저평균대비등락율 > 5
점수 = 0
if 체결강도 > 체결강도평균(120):
    점수 += 1
if 현재가 > 이동평균(60):
    점수 += 1
if 초당매수수량 > 초당매도수량:
    점수 += 1
if 매수총잔량 > 매도총잔량 * 0.9:
    점수 += 1
if 등락율각도(60) > 0:
    점수 += 1
"""

COMMON = (
    "매도호가1 > 0 and 매수호가1 > 0 and 호가간격 <= 호가단위 * 4",
    "{low} < 등락율 < {high}",
    "관심종목 == 1 and not 과열",
    "라운드피겨위5호가이내 == 0 or 등락율 < 20",
    "VI해제시간 < timedelta_sec(-5)",
    "초당거래대금 >= {amount}",
    "현재가 >= 저가 and 시고등락율 < 25",
    "당일거래대금 > 당일거래대금N(30) or 데이터길이 < 60",
    "점수 >= 4",
    "밴드폭 < 12 and 잔량비율 > 8",
)

# {w} a window length, {v} the next longer one, {x} a number of the class between 0 and 1.
POOL = (
    "체결강도 > {x} * 8 + 95",
    "체결강도 > 체결강도평균({w}) * (0.93 + {x} * 0.04)",
    "초당거래대금 > 초당거래대금평균({w}) * (0.5 + {x} * 0.3)",
    "현재가 >= 최고현재가({w}, 1) * (0.985 + {x} * 0.008)",
    "이동평균(60) > 이동평균(300) * (0.992 + {x} * 0.004)",
    "등락율각도({w}) > {x} * 4",
    "초당매수수량 > 초당매도수량 * (1.1 + {x} * 0.4)",
    "누적초당매수수량({w}) > 누적초당매도수량({w}) * (0.75 + {x} * 0.15)",
    "매수총잔량 > 매도총잔량 * (0.3 + {x} * 0.2)",
    "최저현재가({v}) >= 최저현재가({v}, 1) * (0.995 + {x} * 0.003)",
    "현재가 > 현재가N(1) * (0.998 + {x} * 0.001) and 현재가N(1) > 현재가N(2) * 0.997",
    "위치 > 50 + {x} * 15",
    "매수비율 > 55 + {x} * 10 or 거래대금배수 > 4",
    "누적비율 > 35 + {x} * 10",
    "상승폭 > {x} * 0.3 - 0.6 and 직전상승폭 < 3",
    "최고체결강도({w}) - 최저체결강도({w}) < 160 - {x} * 40",
    "당일거래대금각도({w}) > {x} * 3",
    "체결강도차 > {x} * 4 - 8",
    "최고초당매수수량({w}) > 최고초당매도수량({w}) * (0.3 + {x} * 0.2)",
    "단기고점 - 단기저점 >= 호가단위 and 이평간격 > {x} * 0.2 - 0.8",
    "이동평균(20) > 이동평균(20, 5) * (0.996 + {x} * 0.003)",
    "전일동시간비 > {x} * 10 and 회전율 < 400",
)

SELL = """매도 = False
저점이탈 = 최저현재가(120, 1)
평균강도 = 체결강도평균(60)
매도우위 = 누적초당매도수량(30) > 누적초당매수수량(30) * 2.2
강도급락 = 체결강도 < 체결강도N(10) - 12 if 데이터길이 > 10 else False
if 수익률 >= self.vars[1]:
    매도 = True
elif 수익률 <= self.vars[2]:
    매도 = True
elif 보유시간 > self.vars[3]:
    매도 = True
elif 최고수익률 > 0.8 and 최고수익률 - 수익률 >= self.vars[4]:
    매도 = True
elif 최고수익률 >= 2 and 수익률 <= 최고수익률 * 0.6:
    매도 = True
elif 등락율 > 27 or 등락율 < -27:
    매도 = True
elif 강도급락 and 체결강도 < 평균강도 * 0.8:
    매도 = True
elif 매도우위 and 초당매도수량 > 초당매수수량 * 4 and 초당거래대금 > {busy}:
    매도 = True
elif 현재가 < 저점이탈 and 등락율각도(60) < -25:
    매도 = True
elif 매도총잔량 > 매수총잔량 * 8 and 매수총잔량 > 0:
    매도 = True
elif 수익률 < -0.5 and 현재가 < 이동평균(300) * 0.99:
    매도 = True
elif 시분초 > {closing}:
    매도 = True
elif 당일거래대금각도(120) < 0 and 수익률 > 0:
    매도 = True
"""
SELL_CLASS = """elif {low} <= 시분초 < {high}:
    if 수익률 >= {gain}:
        매도 = True
    elif 수익률 <= {loss} and 체결강도 < 평균강도 * {x}:
        매도 = True
    elif 보유시간 > {held} and 수익률 < 0.1:
        매도 = True
    elif 현재가 <= 최저현재가(60, 1) and 초당매도수량 > 최고초당매수수량(30, 1) * {x}:
        매도 = True
"""


def buy_text(panel: Panel) -> str:
    """Class conditions are taken from the pool in turn, so that each class has its own."""
    low, high = whole(panel, "등락율", 0.1), whole(panel, "등락율", 0.98) + 1
    lines = ["# 시간대와 시가총액으로 나눈 매수 전략", "매수 = True", *TEMPORARIES.splitlines(), ""]
    for number, condition in enumerate(COMMON):
        filled = condition.format(low=low, high=high, amount=whole(panel, "초당거래대금", 0.85))
        lines += [f"{'elif' if number else 'if'} not ({filled}):", "    매수 = False"]
    pool = itertools.count()
    caps = [whole(panel, "시가총액", share) for share in np.arange(1, CAPS) / CAPS]
    for time_class, before in enumerate([*times(panel), None]):
        lines.append("else:" if before is None else f"elif 시분초 < {before}:  # {time_class + 1}구간")
        for number, cap in enumerate([*caps, None]):
            lines.append("    else:" if cap is None else f"    {'elif' if number else 'if'} 시가총액 < {cap}:")
            for position in range(PER_CLASS):
                lines += class_condition(next(pool), position)
    return "\n".join([*lines, "", "if 매수:", "    self.Buy()", ""])


def class_condition(number: int, position: int) -> list[str]:
    turn = number % len(POOL)
    window = (number // 3) % (len(WINDOWS) - 1)
    x = round(number * 0.618 % 1, 2)
    filled = POOL[turn].format(w=WINDOWS[window], v=WINDOWS[window + 1], x=x)
    return [f"        {'elif' if position else 'if'} not ({filled}):", "            매수 = False"]


def sell_text(panel: Panel) -> str:
    clocks = panel.clock % 1_000_000
    text = SELL.format(busy=whole(panel, "초당거래대금", 0.95), closing=int(clocks.max()) - 100)
    for number, (low, high) in enumerate(itertools.pairwise([0, *times(panel), 235_959])):
        x = round(0.8 + number * 0.05, 2)
        text += SELL_CLASS.format(low=low, high=high, gain=3 + number, loss=-2 - number / 2, x=x, held=300 + 100 * number)
    return text + "if 매도:\n    self.Sell()\n"


def times(panel: Panel) -> list[int]:
    """hhmmss borders of the time classes."""
    clocks = np.quantile(panel.clock % 1_000_000, np.arange(1, TIMES) / TIMES, method="nearest")
    return [int(clock) // 100 * 100 for clock in clocks]


def whole(panel: Panel, name: str, share: float) -> int:
    values = panel.column(name)
    return int(np.quantile(values[np.isfinite(values)], share))
