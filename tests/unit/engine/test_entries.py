"""The trade of every entry is the one that a backtest makes whose buy text holds on just that row."""

from dataclasses import replace

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine import entries
from stom_ray.engine.backtest import run
from stom_ray.engine.entries import entry_trades
from stom_ray.engine.trades import FIELDS
from stom_ray.engine.types import EngineConfig, ParamMatrix, Weighting
from stom_ray.errors import ConfigError, ScriptRuntimeError
from stom_ray.store.load import select
from stom_ray.store.panel import Selection

BUY = "if 데이터길이 != self.vars[0]:\n    매수 = False\nif 매수:\n    self.Buy()\n"
SELL = """\
if 수익률 >= self.vars[1]:
    매도 = True
elif 체결강도 < 체결강도평균(30) - 2 and 경과틱수('busy') > 3:
    매도 = True
elif 최고수익률 - 수익률 > 1 or 보유시간 > 300 and 현재가 < 현재가N(-1):
    매도 = True
if 매도:
    self.Sell()
"""
ELAPSED = "busy;초당거래대금 > 100"
COUNTS = (1, 2, 5, 31, 60, 77, 123, 200, 300, 301, 450, 640, 900, 1_100)  # rows of a session that are bought on


@pytest.fixture(scope="module")
def strategy():
    return compile_strategy(BUY, SELL, elapsed=ELAPSED)


@pytest.fixture(scope="module")
def selection(golden_panel):
    return select(golden_panel)


def day_count(panel):
    return np.concatenate([np.arange(1, n + 1) for n in np.diff(panel.offsets)])


def rows_of(count):
    return ParamMatrix.from_rows([[count, 1.5]])


def assert_same(trades, expected):
    for name in FIELDS:
        if name != "candidate":
            assert np.array_equal(getattr(trades, name), getattr(expected, name)), name


@pytest.mark.parametrize(
    "config",
    [
        EngineConfig(avgtime=1),
        EngineConfig(avgtime=1, betting=30_000_000.0, costs="krx", ask_levels=3),
        EngineConfig(
            avgtime=1,
            bid_levels=1,
            costs="custom:0.25,0.02",
            weighting=Weighting(1, (2.0, 4.0, 6.0, 8.0), (0.5, 1.0, 2.0, 3.0, 4.0)),
        ),
    ],
    ids=["plain", "large orders that wait for bids", "weights and one bid level"],
)
def test_each_entry_is_the_trade_of_a_backtest_that_buys_just_there(strategy, selection, config):
    params = ParamMatrix.from_rows([[count, 1.5] for count in COUNTS])
    played = run(strategy, selection, params, config, backend="cpu").trades
    panel = selection.selected
    rows = np.isin(day_count(panel), COUNTS) & (panel.column("관심종목") > 0)  # a backtest buys what is watched
    trades = entry_trades(strategy, selection, rows_of(COUNTS[0]), config, rows=rows)
    order = np.argsort(played.buy_row)
    assert_same(trades, type(played)(**{name: values[order] for name, values in vars(played).items()}))
    assert len(trades) > 25
    assert len(np.unique(trades.label)) == 4  # forced sales and all three reasons


def test_each_entry_is_the_trade_of_the_reference(strategy, selection):
    config = EngineConfig(avgtime=1)
    panel = selection.selected
    played = run(strategy, selection, rows_of(77), config, backend="reference").trades
    rows = (day_count(panel) == 77) & (panel.column("관심종목") > 0)
    assert_same(entry_trades(strategy, selection, rows_of(77), config, rows=rows), played)
    assert len(played) > 10


def test_threads_and_blocks_change_nothing(strategy, selection, monkeypatch):
    config = EngineConfig(avgtime=1)
    rows = day_count(selection.selected) % 7 == 0
    expected = entry_trades(strategy, selection, rows_of(1), config, rows=rows)
    monkeypatch.setattr(entries, "ROWS_AT_ONCE", 10_000)
    assert_same(entry_trades(strategy, selection, rows_of(1), config, rows=rows, threads=3), expected)


def test_no_entry_on_the_last_row_nor_where_the_asks_do_not_fill(strategy, make_panel):
    asks = {f"매도잔량{level}": np.where(np.arange(6) == 2, 1.0, 1000.0) for level in range(1, 6)}
    panel = make_panel([("000001", 20230102, 5), ("000002", 20230102, 1)], 관심종목=0.0, **asks)
    trades = entry_trades(strategy, Selection(panel, panel, np.arange(6)), rows_of(1), EngineConfig(betting=10_000.0))
    assert trades.buy_row.tolist() == [0, 1, 3]  # 관심종목 is not asked
    assert trades.sell_row.tolist() == [4, 4, 4]


def test_a_selection_without_entries_has_no_trade(strategy, make_panel):
    panel = make_panel([("000001", 20230102, 1)])
    assert len(entry_trades(strategy, Selection(panel, panel, np.arange(1)), rows_of(1), EngineConfig())) == 0


def test_a_sell_text_that_stops_is_named_with_the_entry(make_panel):
    panel = make_panel([("000001", 20230102, 6)])
    sell = "if 1 / (보유시간 - 2) > 5:\n    매도 = True\nif 매도:\n    self.Sell()\n"
    strategy = compile_strategy(BUY, sell, profile="stom")
    selection = Selection(panel, panel, np.arange(6))
    config = EngineConfig(profile="stom")
    with pytest.raises(ScriptRuntimeError, match=r"bought on row 0 \(000001, 20230102090000\)"):
        entry_trades(strategy, selection, rows_of(1), config)
    late = np.arange(6) >= 3  # two seconds after these the session's last row sells by force
    assert entry_trades(strategy, selection, rows_of(1), config, rows=late).buy_row.tolist() == [3, 4]


def test_what_cannot_be_asked_of_one_entry_is_refused(strategy, selection):
    config = EngineConfig()
    with pytest.raises(ConfigError, match="2 parameter rows: an entry has one outcome"):
        entry_trades(strategy, selection, ParamMatrix.from_rows([[1, 1], [2, 1]]), config)
    with pytest.raises(ConfigError, match=r"rows has shape \(3,\) of float64"):
        entry_trades(strategy, selection, rows_of(1), config, rows=np.zeros(3))
    with pytest.raises(ConfigError, match="threads is 0"):
        entry_trades(strategy, selection, rows_of(1), config, threads=0)
    asking = compile_strategy(BUY, SELL, elapsed="busy;초당거래대금 > self.vars[1]")
    with pytest.raises(ConfigError, match=r"elapsed-tick expressions read self\.vars"):
        entry_trades(asking, selection, rows_of(1), config)
    with pytest.raises(ConfigError, match="compiled for profile corrected, the run is stom"):
        entry_trades(strategy, selection, rows_of(1), replace(config, profile="stom"))
