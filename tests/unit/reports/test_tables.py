import numpy as np
import pandas as pd
import pytest

from stom_ray.reports import tables
from stom_ray.reports.data import TRADE_COLUMNS, ReportData, empty_daily, empty_trades


def trades(*rows: tuple[str, int, int, float, int, str]) -> pd.DataFrame:
    """Rows of code, buy_time, sell_time, profit_pct, profit_krw, label."""
    frame = pd.DataFrame(rows, columns=["code", "buy_time", "sell_time", "profit_pct", "profit_krw", "label"])
    return frame.assign(hold_s=10, buy_price=1, sell_price=1, buy_amount=1, sell_amount=1, market_cap=1.0)[list(TRADE_COLUMNS)]


TWO_DAYS = trades(
    ("A", 20230118090959, 20230118091002, 1.0, 100, "x"),
    ("A", 20230118091000, 20230118091500, -2.0, -200, "y"),
    ("B", 20230119151959, 20230119152000, 0.0, 0, "x"),
)


def test_a_day_is_the_day_of_the_sale_and_no_loss_is_a_win() -> None:
    table = tables.per_day(TWO_DAYS)
    assert table.index.tolist() == [20230118, 20230119]
    assert table["trades"].tolist() == [2, 1]
    assert table["profit"].tolist() == [-100.0, 0.0]
    assert table["win_rate"].tolist() == [50.0, 100.0]
    assert table["mean_pct"].tolist() == [-0.5, 0.0]


def test_ten_minutes_are_those_of_the_entry_and_close_before_the_next() -> None:
    assert tables.per_ten_minutes(TWO_DAYS).index.tolist() == [900, 910, 1510]


def test_reasons_come_by_frequency_and_instruments_by_size_of_result() -> None:
    assert tables.per_reason(TWO_DAYS).index.tolist() == ["x", "y"]
    assert tables.per_code(TWO_DAYS)["profit"].tolist() == [-100.0, 0.0]


def test_no_trade_gives_tables_without_rows() -> None:
    for split in (tables.per_day, tables.per_ten_minutes, tables.per_reason, tables.per_code):
        assert split(empty_trades()).empty


def test_side_by_side_keeps_the_order_of_the_first_and_leaves_gaps() -> None:
    joined = tables.side_by_side(tables.per_day(TWO_DAYS.tail(1)), tables.per_day(TWO_DAYS), name=1)
    assert joined.index.tolist() == [20230119, 20230118]
    assert np.isnan(joined.loc[20230118, (1, "profit")])
    assert joined.loc[20230118, (0, "profit")] == -100.0


def test_drawdown_counts_the_start_as_a_peak_and_missing_days_as_flat() -> None:
    daily = pd.Series([-5.0, 20.0, np.nan, -8.0, 3.0], index=[1, 2, 3, 4, 5])
    assert tables.equity(daily).tolist() == [-5.0, 15.0, 15.0, 7.0, 10.0]
    assert tables.drawdown(daily).tolist() == [-5.0, 0.0, 0.0, -8.0, -5.0]
    assert tables.deepest(daily) == -8.0
    assert tables.deepest(empty_daily()) == 0.0


def trials(objectives: list[float], failed: list[bool]) -> pd.DataFrame:
    return pd.DataFrame({"trial": range(len(failed)), "vars_0": [1, 1, 2, 3, 4], "objective": objectives, "failed": failed})


def test_outcomes_tell_no_trades_from_limits_and_add_up() -> None:
    frame = trials([1.0, -2_000_000_000.0, -2_222_222_222.0, -4.9e18, np.nan], [False, False, False, False, True])
    stopped = tables.outcomes(frame.assign(objective=float("nan")))
    assert (stopped["pruned"], stopped["limits"], stopped["failed"]) == (4, 0, 1)
    assert tables.outcomes(frame) == {"scored": 1, "no_trades": 1, "limits": 2, "pruned": 0, "failed": 1}


def test_top_trials_hold_each_combination_once_by_its_first_trial() -> None:
    frame = trials([5.0, 5.0, 9.0, np.nan, 7.0], [False, False, False, True, False])
    assert tables.top_trials(frame, ["vars_0"], 10)["trial"].tolist() == [2, 4, 0]
    assert tables.top_trials(frame, ["vars_0"], 1)["trial"].tolist() == [2]


def test_thinning_keeps_ends_and_extremes_and_skips_nan() -> None:
    values = np.zeros(10_000)
    values[[1234, 7777]] = (50.0, -50.0)
    values[5] = np.nan
    rows = tables.thinned(values, 100)
    assert {0, 1234, 7777, 9999} <= set(rows.tolist())
    assert len(rows) <= 202
    assert 5 not in rows
    assert tables.thinned(np.array([1.0, np.nan, 2.0]), 100).tolist() == [0, 2]


@pytest.mark.parametrize("count", [0, 1])
def test_thinning_leaves_short_series_alone(count: int) -> None:
    assert len(tables.thinned(np.ones(count), 10)) == count


def test_winners_are_one_row_a_cluster_and_say_how_many_are_alike(study: ReportData) -> None:
    best = tables.top_trials(study.trials, study.variables, 6)["trial"].tolist()
    clusters = pd.Series([0, 1, 0, 1, 2, 0], index=best)
    found = tables.winners(study.trials, study.variables, clusters)
    assert found["trial"].tolist() == [best[0], best[1], best[4]]
    assert found["alike"].tolist() == [3, 2, 1]
    alone = tables.winners(study.trials, study.variables, pd.Series(dtype="int64"))
    assert alone["trial"].tolist()[:6] == best
    assert set(alone["alike"]) == {1}
