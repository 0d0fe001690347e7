"""Random entries: priced as the engine prices, placed where it could have held them, each place as likely as any other."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.reference import run_reference
from stom_ray.engine.trades import concatenate, trades_from
from stom_ray.engine.types import EngineConfig, ParamMatrix, Weighting
from stom_ray.errors import ConfigError
from stom_ray.store.load import select
from stom_ray.store.panel import Selection
from stom_ray.validation.baselines import priced, random_entries, round_trips

BUY = "if not (체결강도 > 100):\n    매수 = False\nif 매수:\n    self.Buy()\n"
SELL = "if 수익률 >= 1 or 보유시간 > 120:\n    매도 = True\nif 매도:\n    self.Sell()\n"


def everything(panel):
    return Selection(panel, panel, np.arange(panel.n_rows))


def played(selection, config, buy=BUY, sell=SELL):
    strategy = compile_strategy(buy, sell, profile="corrected")
    return run_reference(strategy, selection, ParamMatrix.from_rows([[]]), config).trades


def held(sessions, buy_rows, hold_s, candidate=0):
    """Trades as far as random entries read them."""
    rows = zip(sessions, buy_rows, hold_s, strict=True)
    return trades_from([(candidate, session, row, 0, 0, 0, hold, 0, 0, 0, 0, 0, 0.0, 0, 0.0) for session, row, hold in rows])


@pytest.mark.parametrize(
    "config",
    [
        EngineConfig(),
        EngineConfig(betting=30_000_000.0, costs="krx", ask_levels=3),
        EngineConfig(
            bid_levels=1, costs="custom:0.25,0.02", weighting=Weighting(1, (2.0, 4.0, 6.0, 8.0), (0.5, 1.0, 2.0, 3.0, 4.0))
        ),
    ],
    ids=["plain", "large orders that wait for bids", "weights and one bid level"],
)
def test_the_trades_own_entries_earn_what_the_trades_earned(golden_panel, config):
    selection = select(golden_panel)
    trades = played(selection, config)
    assert np.any(trades.label == 0)  # forced sales too
    market = round_trips(selection, config, gate=config.avgtime)
    assert market.allowed[trades.buy_row].all()
    sell_rows, profits = priced(market, trades.session, trades.buy_row, trades.hold_s)
    assert np.array_equal(sell_rows, trades.sell_row)
    assert np.array_equal(profits, trades.profit)


def test_rows_may_be_bought_on_where_the_engine_could(make_panel):
    panel = make_panel(
        [("000001", 20230102, 8), ("000002", 20230102, 4)], 관심종목=[1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1], 매도잔량1=0.0
    )
    thin = make_panel([("000001", 20230102, 8)], **{f"매도잔량{level}": 1.0 for level in range(1, 6)})
    config = EngineConfig(betting=10_000.0)
    assert np.flatnonzero(round_trips(everything(panel), config, gate=3).allowed).tolist() == [2, 4, 5, 6, 10]
    assert not round_trips(everything(thin), config, gate=3).allowed.any()


def rising(make_panel, n_rows=20, **columns):
    """One session whose bids rise, so that a trade's profit tells its rows: bid = 1000 + row², no costs, one share."""
    bids = {f"매수호가{level}": 1000.0 + np.arange(n_rows) ** 2 for level in range(1, 6)}
    panel = make_panel([("000001", 20230102, n_rows)], **(bids | columns))
    return round_trips(everything(panel), EngineConfig(betting=1_000.0, costs="custom:0,0"), gate=1)


def test_a_single_entry_is_as_likely_on_every_row_that_leaves_the_time(make_panel):
    market = rising(make_panel)
    found = random_entries(market, held([0], [0], [4]), draws=16_000, seed=1)
    rows = np.sqrt(found.profits + 1) - 4
    assert found.unplaced == 0
    assert sorted(set(rows)) == list(range(16))  # the sale may be on the last row, by force
    assert np.bincount(rows.astype(int)) / 16_000 == pytest.approx(np.full(16, 1 / 16), abs=0.01)


def test_entries_do_not_overlap_and_arrangements_are_alike(make_panel):
    market = rising(make_panel, 12)
    found = random_entries(market, held([0, 0], [0, 3], [2, 4]), draws=20_000, seed=2)
    assert found.unplaced == 0
    lone = {
        (row, hold): priced(market, np.array([0]), np.array([row]), np.array([hold]))[1][0]
        for hold in (2, 4)
        for row in range(11)
    }
    expected = Counter(
        lone[first, 2] + lone[second, 4] for first in range(10) for second in range(8) if second > first + 2 or first > second + 4
    )
    assert set(found.profits) == set(expected)
    total = sum(expected.values())
    for profit, ways in expected.items():
        assert np.mean(found.profits == profit) == pytest.approx(ways / total, abs=0.02)


def test_entries_are_drawn_from_allowed_rows_only(make_panel):
    market = rising(make_panel)
    narrowed = replace(market, allowed=market.allowed & np.isin(np.arange(20), (3, 4, 11)))
    found = random_entries(narrowed, held([0], [0], [2]), draws=200, seed=1)
    assert set(np.sqrt(found.profits + 1) - 2) == {3.0, 4.0, 11.0}


def test_a_crowded_day_is_left_as_it_was(make_panel):
    market = rising(make_panel, 10)
    trades = held([0, 0, 0], [0, 4, 7], [3, 2, 2])  # the day is held from the first to the last row
    _, own = priced(market, trades.session, trades.buy_row, trades.hold_s)
    found = random_entries(market, trades, draws=300, seed=3)
    assert found.unplaced == 0
    assert own.sum() in set(found.profits)
    assert len(set(found.profits)) <= 6  # the orders of the holding times, and no more


def test_entries_without_room_are_counted(make_panel):
    market = rising(make_panel, 10)
    few = replace(market, allowed=np.arange(10) == 2)
    found = random_entries(few, held([0, 0], [0, 4], [3, 3]), draws=50, seed=1)
    assert found.unplaced == 50
    assert set(found.profits) == {24.0}
    late = replace(market, allowed=np.arange(10) == 8)
    assert random_entries(late, held([0], [0], [3]), draws=50, seed=1).unplaced == 50


def test_a_sale_waits_for_bids_as_the_engine_does(make_panel):
    market = rising(make_panel, 12, **{f"매수잔량{level}": [9] * 5 + [0] * 3 + [9] * 4 for level in range(1, 6)})
    sell_rows, profits = priced(market, np.zeros(3, dtype=np.int64), np.array([1, 3, 9]), np.array([2, 2, 2]))
    assert sell_rows.tolist() == [3, 8, 11]
    assert profits.tolist() == [1009 - 1001, 1064 - 1001, 1121 - 1001]


def test_entries_that_share_a_session_go_to_any_session_together(make_panel):
    bids = {f"매수호가{level}": np.repeat([1001.0 + 1, 1001.0 + 100], 30) for level in range(1, 6)}
    panel = make_panel([("000001", 20230102, 30), ("000001", 20230103, 30)], **bids)
    market = round_trips(everything(panel), EngineConfig(betting=1_000.0, costs="custom:0,0"), gate=1)
    trades = held([1, 0, 0], [30, 0, 10], [5, 5, 5])
    found = random_entries(market, trades, draws=2_000, seed=1)
    assert set(found.profits) == {102.0, 201.0}
    assert np.mean(found.profits == 102.0) == pytest.approx(0.5, abs=0.05)


def test_a_rule_that_buys_after_a_rise_is_not_compared_with_the_rise(make_panel):
    # Each session rises before its middle or falls, and then stands still: who buys after the rise earns nothing.
    rng = np.random.default_rng(5)
    step = np.where(rng.random(200) < 0.5, 30.0, -30.0)
    price = np.concatenate([1000.0 + s * (np.arange(40) >= 20) for s in step])
    columns = {f"매수호가{level}": price for level in range(1, 6)} | {f"매도호가{level}": price for level in range(1, 6)}
    sessions = [("000001", 20230000 + at, 40) for at in range(200)]
    market = round_trips(everything(make_panel(sessions, 현재가=price, **columns)), EngineConfig(costs="custom:0,0"), gate=1)
    risen = np.flatnonzero(step > 0)
    found = random_entries(market, held(risen, 40 * risen + 22, [10] * len(risen)), draws=400, seed=1)
    assert abs(found.profits.mean()) < 3 * found.profits.std() / np.sqrt(10)


def test_good_timing_is_told_from_chance(make_panel):
    prices = 1000.0 + 30 * np.tile(np.repeat([0, 1], 10), 10)  # low for ten seconds, high for ten
    columns = {f"매수호가{level}": prices - level for level in range(1, 6)} | {
        f"매도호가{level}": prices + level for level in range(1, 6)
    }
    selection = everything(make_panel([("000001", 20230102, 200)], 현재가=prices, **columns))
    config = EngineConfig(betting=100_000.0, avgtime=2)
    sell = "if 보유시간 >= 8:\n    매도 = True"
    market = round_trips(selection, config, gate=2)
    timed = played(selection, config, "매수 = 현재가 < 1010 and 현재가N(4) < 1010", sell)
    blind = played(selection, config, "매수 = 데이터길이 % 37 == 5", sell)
    found = random_entries(market, timed, draws=999, seed=1)
    assert found.observed == timed.profit.sum() > 0
    assert found.p_value == (1 + np.sum(found.profits >= found.observed)) / 1000 < 0.01
    assert random_entries(market, blind, draws=999, seed=1).p_value > 0.05


def test_the_same_seed_gives_the_same_draws(golden_panel):
    selection = select(golden_panel, codes=("005930",))
    trades = played(selection, EngineConfig())
    market = round_trips(selection, EngineConfig(), gate=30)
    first, again, other = (random_entries(market, trades, draws=20, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.profits, again.profits)
    assert not np.array_equal(first.profits, other.profits)


def test_impossible_comparisons_are_refused(make_panel):
    market = rising(make_panel)
    one = held([0], [0], [2])
    with pytest.raises(ConfigError, match="0 trades of 0 candidates"):
        random_entries(market, held([], [], []), seed=1)
    with pytest.raises(ConfigError, match="2 trades of 2 candidates"):
        random_entries(market, concatenate([one, held([0], [5], [2], candidate=1)]), seed=1)
    with pytest.raises(ConfigError, match="draws is 0"):
        random_entries(market, one, draws=0, seed=1)
    for row in (19, 20, -1):
        with pytest.raises(ConfigError, match=f"trade 0: row {row} of session 0: expected one before the session's last row"):
            priced(market, np.array([0]), np.array([row]), np.array([2]))
