"""Measures against numbers worked out by hand, against scipy, and where they have no opinion."""

import math

import numpy as np
import pytest
from scipy import stats

from stom_ray.engine.types import Trades
from stom_ray.metrics import returns as r

DAILY = np.array([0.01, -0.02, 0.03, 0.0, -0.01])


def trades(*rows: tuple[int, int, int]) -> Trades:
    """rows: buy clock, sell clock, profit; a million KRW each."""
    buy, sell, profit = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    blank = {name: np.zeros(len(rows), dtype=np.int64) for name in Trades.__dataclass_fields__}
    amount = np.full(len(rows), 1_000_000)
    known = {"buy_clock": buy, "sell_clock": sell, "profit": profit, "buy_amount": amount, "sell_amount": amount + profit}
    return Trades(**blank | known)


def test_sharpe_is_mean_over_sample_deviation():
    assert r.sharpe(DAILY) == pytest.approx(0.002 / np.std(DAILY, ddof=1))
    assert r.sharpe(DAILY, periods_a_year=250) == pytest.approx(r.sharpe(DAILY) * math.sqrt(250))
    assert r.sharpe(DAILY, risk_free=0.002) == pytest.approx(0.0)


def test_sortino_counts_every_day_in_the_downside():
    assert r.sortino(DAILY) == pytest.approx(0.002 / math.sqrt((0.02**2 + 0.01**2) / 5))


def test_skew_and_kurtosis_are_those_of_population_moments():
    assert r.skew(DAILY) == pytest.approx(stats.skew(DAILY))
    assert r.kurtosis(DAILY) == pytest.approx(stats.kurtosis(DAILY, fisher=False))


@pytest.mark.parametrize("measure", [r.sharpe, r.sortino, r.skew, r.kurtosis])
def test_a_matrix_is_measured_row_by_row(measure):
    table = np.stack([DAILY, DAILY[::-1] * 2, np.full(5, 0.1)])
    assert np.array_equal(measure(table), [measure(row) for row in table], equal_nan=True)


@pytest.mark.parametrize("measure", [r.sharpe, r.skew, r.kurtosis])
def test_returns_all_alike_have_no_ratio(measure):
    assert np.isnan(measure(np.full(7, 0.1)))
    assert np.isnan(measure(np.zeros(7)))


def test_fewer_than_two_returns_have_no_sharpe():
    assert np.isnan(r.sharpe(np.array([0.1])))
    assert np.isnan(r.sharpe(np.array([])))


def test_drawdown_is_the_distance_below_the_running_peak():
    assert r.drawdown(np.array([10.0, 12.0, 9.0, 11.0, 13.0])).tolist() == [0.0, 0.0, -3.0, -1.0, 0.0]
    assert r.max_drawdown(np.array([10.0, 12.0, 9.0, 11.0, 13.0])) == 0.25


def test_drawdown_refuses_nan():
    with pytest.raises(ValueError, match="1 NaN of 2 days"):
        r.drawdown(np.array([1.0, np.nan]))


def test_an_equity_without_a_positive_peak_has_no_drawdown_fraction():
    assert math.isnan(r.max_drawdown(np.array([0.0, -1.0])))


def test_drawdown_length_counts_days_under_water_to_the_end():
    assert r.drawdown_length(np.array([10.0, 9.0, 10.0, 9.0, 8.0, 9.5])) == 3
    assert r.drawdown_length(np.array([1.0, 2.0, 3.0])) == 0


def test_calmar_is_the_mean_year_over_the_deepest_fall():
    fall = 0.02 / 1.01
    assert r.calmar(DAILY, periods_a_year=250) == pytest.approx(0.002 * 250 / fall)
    assert math.isnan(r.calmar(np.array([0.01, 0.02])))


def test_profit_factor_expectancy_and_hit_rate_of_trades():
    profits = np.array([300, -100, 0, -50])
    assert (r.profit_factor(profits), r.expectancy(profits), r.hit_rate(profits)) == (2.0, 37.5, 0.5)


def test_profit_factor_without_losses_is_infinite_and_without_anything_unknown():
    assert r.profit_factor(np.array([5])) == math.inf
    nothing = np.array([])
    assert all(math.isnan(measure(nothing)) for measure in (r.profit_factor, r.expectancy, r.hit_rate, r.break_even_hit_rate))


def test_a_hit_rate_above_break_even_is_a_profit():
    # Take-profit and stop of 1% with a round trip of 0.33%: gains of 0.67% and losses of 1.33% need 66.5% (design/science.md).
    assert r.break_even_hit_rate(np.array([0.67, -1.33])) == pytest.approx(0.665)
    rng = np.random.default_rng(0)
    for _ in range(50):
        profits = rng.normal(rng.normal(0, 20), 100, 40)
        assert (r.hit_rate(profits) > r.break_even_hit_rate(profits)) == (profits.sum() > 0)
    assert math.isnan(r.break_even_hit_rate(np.array([1, 2])))
    assert math.isnan(r.break_even_hit_rate(np.array([-1, -2])))


def test_exposure_is_the_union_of_holding_times():
    held = trades(
        (20240102090000, 20240102090009, 1),  # 10 s
        (20240102090005, 20240102090019, 1),  # 10 s more
        (20240102090002, 20240102090003, 1),  # inside
        (20240103090000, 20240103090000, 1),  # a second
    )
    assert r.exposure(held, session_s=60, n_days=2) == 21 / 120
    assert math.isnan(r.exposure(held, session_s=0, n_days=2))


def test_turnover_counts_both_sides():
    assert r.turnover(trades((20240102090000, 20240102090009, 100_000)), capital=1e6, n_days=2) == 1.05


def test_daily_returns_need_capital():
    assert r.daily_returns(np.array([1e4, -2e4]), 1e6).tolist() == [0.01, -0.02]
    with pytest.raises(ValueError, match="positive amount"):
        r.daily_returns(DAILY, 0.0)


def test_measures_are_the_functions_together():
    held = trades((20240102090000, 20240102090009, 10_000), (20240103090000, 20240103090029, -20_000))
    found = r.measures(held, np.array([1e4, -2e4]), capital=1e6, session_s=60)
    daily = np.array([0.01, -0.02])
    assert found.sharpe == r.sharpe(daily)
    assert found.sharpe_year == r.sharpe(daily, periods_a_year=250)
    assert found.sortino == r.sortino(daily)
    assert found.calmar == r.calmar(daily)
    assert found.max_drawdown == pytest.approx(0.02 / 1.01)
    assert (found.drawdown_days, found.profit_factor, found.expectancy_krw, found.hit_rate) == (1, 0.5, -5_000, 0.5)
    assert found.exposure == 40 / 120
    assert found.turnover == (4_000_000 - 10_000) / 2e6
    assert (found.skew, found.kurtosis) == (r.skew(daily), r.kurtosis(daily))


def test_session_seconds_leave_out_nights_and_lunch_but_not_the_grid_between_rows():
    clock = np.array([20240102_094003, 20240102_094006, 20240102_094009, 20240102_131003, 20240102_131006, 20240103_094003])
    assert r.session_seconds(clock, n_days=2) == (6 + 3 + 2) / 2
