"""Windows over a panel: instruments apart, days together."""

import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.features import SOURCE, precomputed, raw, raw_value

SESSIONS = [("000001", 20230102, 5), ("000001", 20230103, 5), ("000002", 20230102, 5)]


@pytest.fixture
def panel(make_panel):
    prices = [10, 11, 12, 13, 14, 20, 21, 22, 23, 24, 5, 4, 3, 2, 1]
    return make_panel(SESSIONS, 현재가=prices, 체결강도=np.arange(15) / 7)


def test_a_precomputed_column_runs_across_days_but_not_instruments(panel):
    highest = precomputed(panel, "최고현재가", 3)
    assert highest[5] == 20.0
    assert precomputed(panel, "최저현재가", 3)[5] == 13.0
    assert np.isnan(highest[[0, 1, 10, 11]]).all()


def test_a_raw_column_does_the_same_over_the_selected_rows(panel):
    lowest = raw(panel, "최저현재가", 4)
    assert lowest[6] == 13.0
    assert np.isnan(lowest[10:13]).all()
    assert lowest[13] == 2.0


def test_averages_are_rounded_to_three_digits(panel):
    expected = np.round(np.mean(np.arange(3) / 7), 3)
    assert precomputed(panel, "체결강도평균", 3)[2] == expected
    assert raw(panel, "체결강도평균", 3)[2] == expected


def test_traded_value_is_rounded_precomputed_and_truncated_raw(make_panel):
    panel = make_panel([("000001", 20230102, 4)], 초당거래대금=[1, 2, 2, 2])
    assert precomputed(panel, "초당거래대금평균", 3)[2] == 2.0
    assert raw(panel, "초당거래대금평균", 3)[2] == 1.0


@pytest.mark.parametrize("function", list(SOURCE))
def test_a_raw_value_is_the_raw_columns(panel, function):
    column = raw(panel, function, 4)
    values = panel.column(SOURCE[function])[:10].copy()
    assert [raw_value(function, values, end, 4) for end in range(3, 10)] == column[3:10].tolist()


def test_only_four_moving_averages_are_precomputed(panel):
    with pytest.raises(ConfigError, match=r"이동평균\(30\) has no precomputed column"):
        precomputed(panel, "이동평균", 30)
    assert np.isnan(precomputed(panel, "이동평균", 60)).all()


def test_unknown_functions_and_empty_windows_are_refused(panel):
    with pytest.raises(ConfigError, match="최고체결강두 is no window function"):
        raw(panel, "최고체결강두", 3)
    with pytest.raises(ConfigError, match="at least 1 row"):
        raw(panel, "최고현재가", 0)
