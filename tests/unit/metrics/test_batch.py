"""The batch against its contract; equality with the reference is a property test."""

import gc

import numpy as np
import pytest

from stom_ray.engine.types import Trades
from stom_ray.metrics import batch
from stom_ray.metrics.batch import ranking_index, score, score_folds, trading_days
from stom_ray.metrics.stom import FIGURES, Fold, figures, fold_figures
from stom_ray.store.panel import Panel


def clock(day: int, second: int) -> int:
    return day * 1_000_000 + 90000 + second // 60 * 100 + second % 60


def two_day_panel() -> Panel:
    """One instrument, 60 rows on 20240102 only; moneytop has 20240103 too."""
    rows = np.array([clock(20240102, second) for second in range(60)])
    later = np.array([clock(20240103, second) for second in range(60)])
    one = np.array([0])
    return Panel(("000001",), one, np.array([20240102]), np.array([0, 60]), rows, np.concatenate([rows, later]), "tick_v1")


def one_trade(panel: Panel, candidate: int = 0) -> Trades:
    whole = {name: np.array([0]) for name in Trades.__dataclass_fields__}
    whole |= {"candidate": np.array([candidate]), "sell_row": np.array([9]), "hold_s": np.array([9]), "profit": np.array([5_000])}
    whole |= {"buy_clock": panel.clock[[0]], "sell_clock": panel.clock[[9]], "buy_amount": np.array([1_000_000])}
    return Trades(**whole | {"profit_pct": np.array([0.5]), "market_cap": np.array([0.0])})


def test_days_of_moneytop_count_even_where_no_selected_instrument_has_rows():
    panel = two_day_panel()
    assert trading_days(panel).tolist() == [20240102, 20240103]
    found, daily = score(one_trade(panel), 1, panel, betting=1e6)
    assert found[0, FIGURES.index("atc")] == 0.5
    assert daily.tolist() == [[5_000.0, 0.0]]


def test_candidates_without_trades_are_rows_of_zeros_in_their_place():
    panel = two_day_panel()
    found, daily = score(one_trade(panel, candidate=1), 3, panel, betting=1e6)
    assert found.shape == (3, 15)
    assert found[:, 0].tolist() == [0, 1, 0]
    assert daily.sum(axis=1).tolist() == [0, 5_000, 0]


def test_days_outside_the_chosen_ones_do_not_exist():
    panel = two_day_panel()
    found, daily = score(one_trade(panel), 1, panel, betting=1e6, days=[20240103])
    assert not found.any()
    assert daily.shape == (1, 1)
    found, _ = score(one_trade(panel), 1, panel, betting=1e6, days=[20240102])
    assert found[0, FIGURES.index("atc")] == 1.0


@pytest.mark.parametrize("days", [[20240104], [20240103, 20240102], [20240102, 20240102]])
def test_days_that_are_unknown_or_unordered_are_refused(days):
    panel = two_day_panel()
    with pytest.raises(ValueError, match="rising order"):
        score(one_trade(panel), 1, panel, betting=1e6, days=days)


def test_trades_of_a_candidate_out_of_range_are_refused():
    panel = two_day_panel()
    with pytest.raises(ValueError, match=r"all in 0\.\.0"):
        score(one_trade(panel, candidate=1), 1, panel, betting=1e6)


def test_the_index_of_a_panel_is_built_once_and_dies_with_it():
    panel = two_day_panel()
    assert ranking_index(panel) is ranking_index(panel)
    key = id(panel)
    assert key in batch._INDEXES
    del panel
    gc.collect()
    assert key not in batch._INDEXES


def test_the_index_counts_ranking_seconds_between_rows_that_are_not_ranked():
    panel = two_day_panel()
    sparse = Panel(
        panel.codes, panel.session_code, panel.session_day, panel.offsets, panel.clock, panel.ranking_clock[::2], "tick_v1"
    )
    index = ranking_index(sparse)
    assert index.ranked[index.second[:5]].tolist() == [0, 1, 1, 2, 2]
    assert index.ranked_of_day.tolist() == [30, 30]


def dense_panel(n_codes: int, n_days: int, seconds: int) -> Panel:
    """Every instrument has a row, and moneytop, every second."""
    days = 20240102 + np.arange(n_days)
    ranking = np.array([clock(day, second) for day in days for second in range(seconds)])
    sessions = n_codes * n_days
    return Panel(
        codes=tuple(f"{code:06d}" for code in range(n_codes)),
        session_code=np.repeat(np.arange(n_codes), n_days),
        session_day=np.tile(days, n_codes),
        offsets=np.arange(sessions + 1) * seconds,
        clock=np.tile(ranking, n_codes),
        ranking_clock=ranking,
        layout="tick_v1",
    )


def held(panel: Panel, *spans: tuple[int, int, int]) -> Trades:
    """spans: session, first and last row of it that are held; a million KRW each, a thousand more per session."""
    session, first, last = (np.array(column) for column in zip(*spans, strict=True))
    whole = {name: np.zeros(len(spans), dtype=np.int64) for name in Trades.__dataclass_fields__}
    whole |= {"session": session, "buy_row": panel.offsets[session] + first, "sell_row": panel.offsets[session] + last}
    whole |= {"buy_clock": panel.clock[whole["buy_row"]], "sell_clock": panel.clock[whole["sell_row"]], "hold_s": last - first}
    floats = {"profit_pct": np.zeros(len(spans)), "market_cap": np.zeros(len(spans))}
    return Trades(**whole | {"buy_amount": 1_000_000 + session * 1_000} | floats)


@pytest.mark.parametrize("both_s", [1, 2, 3])
@pytest.mark.parametrize("total_s", [99, 100, 199, 200, 299, 300])
def test_the_row_that_counts_is_exact_where_the_busiest_percent_ends(total_s, both_s):
    panel = dense_panel(2, 1, 300)
    trades = held(panel, (0, 0, total_s - 1), (1, 50, 50 + both_s - 1))
    for report in (False, True):
        found, _ = score(trades, 1, panel, betting=1e6, report=report)
        assert np.array_equal(found[0], figures(trades, panel.ranking_clock, 1, betting=1e6, report=report))
        k = int((300 if report else total_s) * 0.01)
        assert found[0, FIGURES.index("mhct")] == (2 if k < both_s else 1 if k < total_s else 0)


@pytest.mark.parametrize("n_trades", [99, 100, 250, 300, 301])
def test_the_amount_that_counts_is_exact_among_amounts_that_all_differ(n_trades):
    panel = dense_panel(1, 1, 301)
    order = np.random.default_rng(n_trades).permutation(n_trades)
    trades = held(panel, *((0, second, second) for second in range(n_trades)))
    trades.buy_amount[:] = 1_000_000 + order
    found, _ = score(trades, 1, panel, betting=1e6)
    assert found[0, FIGURES.index("seed")] == 1_000_000 + n_trades - 1 - int(n_trades * 0.01)


@pytest.mark.parametrize("last_day_s", [3, 6])
@pytest.mark.parametrize("overlap_s", range(104, 110))
def test_a_fold_whose_last_day_was_held_shorter_than_the_busiest_percent_looks_further_back(last_day_s, overlap_s):
    panel = dense_panel(2, 3, 600)
    trades = held(panel, (0, 0, 599), (1, 0, 99), (2, 0, last_day_s - 1), (3, 0, overlap_s - 1))
    train = Fold("TRAIN", 20240103, 20240103, None, 2)
    expected = fold_figures(trades, panel.ranking_clock, train, betting=1e6)
    assert np.array_equal(score_folds(trades, 1, panel, [train], betting=1e6)[0, 0], expected)
    assert expected[FIGURES.index("mhct")] == (2 if overlap_s > 106 else 1)
