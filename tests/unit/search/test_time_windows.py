"""Generated guards on the time of day trade as a script in which the same times stand."""

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.backtest import Engine
from stom_ray.engine.types import EngineConfig
from stom_ray.search.space import Choice, Space, take
from stom_ray.search.time_windows import TimeWindows
from stom_ray.simulate import SimulateConfig, simulate
from stom_ray.store.load import load_panel, select

BUY = "매수 = True\nif not (등락율 > self.vars[1]):\n    매수 = False\n{}if 매수:\n    self.Buy()\n"
SELL = "매도 = False\nif 보유시간 > 60:\n    매도 = True\n{}if 매도:\n    self.Sell()\n"
WINDOWS = TimeWindows(2, {"entry_from": (90100, 90300), "entry_until": (90600, 91000), "exit_at": (90630, 91500)})


@pytest.fixture(scope="module")
def selection(tmp_path_factory):
    path = tmp_path_factory.mktemp("market") / "market.db"
    simulate(path, SimulateConfig(codes=2, days=2, seed=4))
    return select(load_panel(path))


def trades_of(buy, sell, selection, params):
    return Engine(compile_strategy(buy, sell), selection, EngineConfig(gate_var0=True)).run(params).trades


def rows_of(trades, candidate):
    mine = trades.candidate == candidate
    return np.column_stack([trades.session[mine], trades.buy_row[mine], trades.sell_row[mine], trades.profit[mine]])


def test_every_row_trades_as_a_script_with_its_times_written_by_hand(selection):
    space = WINDOWS.space(Space((Choice((30,), 30), Choice((-5, 0), -5))))
    assert space.names == ("vars[0]", "vars[1]", "entry_from", "entry_until", "exit_at")
    texts = WINDOWS.generated({"buy": BUY.format(""), "sell": SELL.format("")})
    params = space.grid(0, 54)
    together = trades_of(texts["buy"], texts["sell"], selection, params)
    assert len(together) > 100
    for row, (_, _, begin, until, leave) in enumerate(params.values.astype(int).tolist()):
        inside = f"if not ({begin} <= 시분초 <= {until} and 시분초 < {leave}):\n    매수 = False\n"
        out = f"if 시분초 >= {leave}:\n    매도 = True\n"
        alone = trades_of(BUY.format(inside), SELL.format(out), selection, take(params, np.array([row])))
        np.testing.assert_array_equal(rows_of(together, row), rows_of(alone, 0), err_msg=inside)


def test_the_present_row_is_the_users_script_and_its_plain_text_has_no_guard(selection):
    texts = {"buy": BUY.format(""), "sell": SELL.format("")}
    space = WINDOWS.space(Space((Choice((30,), 30), Choice((-5, 0), -5))))
    assert not np.isnan(space.encode(space.present)).any()
    row = [30, -5, 0, 240000, 240000]
    assert space.present.values[0].tolist() == row
    assert WINDOWS.conditions(row) == ()
    found = WINDOWS.found(texts, row)
    assert "시분초" not in found.buy + found.sell
    generated = WINDOWS.generated(texts)
    np.testing.assert_array_equal(
        rows_of(trades_of(generated["buy"], generated["sell"], selection, space.present), 0),
        rows_of(trades_of(texts["buy"], texts["sell"], selection, space.present), 0),
    )
