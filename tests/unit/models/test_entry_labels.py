"""Labels of whole trades: barriers, what an entry pays, and where they end."""

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.backtest import run
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.models.entry_labels import BARRIERS, barrier_return, entry_pays, triple_barrier
from stom_ray.store.load import select
from stom_ray.store.panel import Selection

FREE = EngineConfig(betting=100_000.0, costs="custom:0,0", avgtime=1)
BUY = "if 데이터길이 != self.vars[3]:\n    매수 = False\nif 매수:\n    self.Buy()\n"


def at_prices(make_panel, prices, **columns):
    """One session in which all levels ask and bid the price itself."""
    prices = np.asarray(prices, dtype=np.float64)
    book = {f"{side}호가{level}": prices for side in ("매도", "매수") for level in range(1, 6)}
    panel = make_panel([("000001", 20230102, len(prices))], 현재가=prices, **(book | columns))
    return Selection(panel, panel, np.arange(panel.n_rows))


def test_the_barrier_that_is_touched_first_is_the_class(make_panel):
    selection = at_prices(make_panel, [1000, 1005, 1010, 1000, 990, 990, 990, 990, 995])
    labels = triple_barrier(selection, FREE, take_pct=1.0, stop_pct=1.0, limit_s=3)
    assert labels.value == pytest.approx([1, -1, -1, -1, 0, 0, 0, 0, np.nan], nan_ok=True)
    assert labels.end_row.tolist() == [2, 4, 4, 4, 7, 8, 8, 8, 8]
    paid = barrier_return(selection, FREE, take_pct=1.0, stop_pct=1.0, limit_s=3)
    assert paid.value == pytest.approx([1.0, -1.49, -1.98, -1.0, 0.0, 0.51, 0.51, 0.51, np.nan], nan_ok=True)
    assert np.array_equal(paid.end_row, labels.end_row)
    assert (labels.name, labels.kind, paid.kind) == ("barrier_1_1_3s", "class", "return")


def test_a_barrier_whose_sale_the_bids_do_not_take_is_not_the_class(make_panel):
    thin = {f"매수잔량{level}": [1000, 0, 1000, 1000] for level in range(1, 6)}
    selection = at_prices(make_panel, [1000, 1010, 990, 990], **thin)
    labels = triple_barrier(selection, FREE, take_pct=1.0, stop_pct=1.0, limit_s=60)
    assert (labels.value[0], labels.end_row[0]) == (-1.0, 2)


def test_labels_are_the_trades_of_a_backtest(golden_panel):
    selection = select(golden_panel)
    panel, config = selection.selected, EngineConfig(avgtime=1)
    counts = (1, 50, 120, 333, 600, 900)
    script = compile_strategy(BUY, BARRIERS)
    params = ParamMatrix.from_rows([[1.2, -0.8, 90, count] for count in counts])
    played = run(script, selection, params, config, backend="cpu").trades
    rows = np.zeros(panel.n_rows, dtype=np.bool_)
    rows[played.buy_row] = True
    barrier = triple_barrier(selection, config, take_pct=1.2, stop_pct=0.8, limit_s=90, rows=rows)
    paid = entry_pays(script, selection, ParamMatrix.from_rows([[1.2, -0.8, 90, 0]]), config, rows=rows)
    assert len(played) > 60
    assert np.array_equal(barrier.value[played.buy_row], np.array([0.0, 1.0, -1.0, 0.0])[played.label])
    assert np.array_equal(paid.value[played.buy_row], played.profit_pct)
    assert np.array_equal(barrier.end_row[played.buy_row], played.sell_row)
    assert np.array_equal(barrier.known, rows)
    assert np.array_equal(paid.known, rows)


def test_labels_are_the_same_for_any_number_of_threads(golden_panel):
    selection, config = select(golden_panel), EngineConfig()
    one, three = (
        triple_barrier(selection, config, take_pct=1.0, stop_pct=1.0, limit_s=60, threads=threads) for threads in (1, 3)
    )
    assert np.array_equal(one.value, three.value, equal_nan=True)
    assert np.array_equal(one.end_row, three.end_row)


@pytest.mark.parametrize("name", ["take_pct", "stop_pct", "limit_s"])
def test_a_barrier_that_is_not_positive_is_refused(make_panel, name):
    barriers = {"take_pct": 1.0, "stop_pct": 1.0, "limit_s": 10} | {name: 0}
    with pytest.raises(ConfigError, match=f"{name} is 0: expected a positive number"):
        triple_barrier(at_prices(make_panel, [1000, 1000]), FREE, **barriers)
