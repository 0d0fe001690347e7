"""kernel-per-core: candidate-ticks a second of one core, 1,000 random rows of an 8-variable strategy, five-level fills.

Data: the simulated market (12 codes × 20 days, 09:00-09:30). Speed depends on trades per candidate per session, so the record
names it; the ranges below give about 1.2 (medium). Before anything is timed, a batch over two instruments must equal the
reference simulator trade by trade, and the peer must find as many trades as the kernel. Time is that of the calling thread,
the median of five batches of fresh rows. The peer is the same rule written by hand as a plain numba loop over candidates.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.rows import Rows
from stom_ray.engine import costing, fills
from stom_ray.engine.bind import bind, day_counts
from stom_ray.engine.kernel import CompiledKernel
from stom_ray.engine.reference import run_reference
from stom_ray.engine.types import EngineConfig, ParamMatrix, Trades
from stom_ray.simulate import SimulateConfig, simulate
from stom_ray.store.load import load_panel, select
from stom_ray.store.panel import Panel, Selection

COMMAND = "python -m benchmarks kernel-per-core"
BATCH = 1_000
REPEATS = 5
BUY = """매수 = True
if not (체결강도 > self.vars[0]):
    매수 = False
elif not (등락율각도(30) > self.vars[1]):
    매수 = False
elif not (초당거래대금 > 초당거래대금평균(30) * self.vars[2]):
    매수 = False
elif not (초당매수수량 > 초당매도수량 * self.vars[3]):
    매수 = False
if 매수:
    self.Buy()
"""
SELL = """매도 = False
if 수익률 >= self.vars[4]:
    매도 = True
elif 수익률 <= self.vars[5]:
    매도 = True
elif 보유시간 > self.vars[6]:
    매도 = True
elif 최고수익률 - 수익률 > self.vars[7]:
    매도 = True
if 매도:
    self.Sell()
"""
LOW = (91.0, -1.0, 0.9, 0.9, 0.8, -3.0, 60.0, 0.8)
HIGH = (116.0, 13.0, 3.2, 3.2, 3.0, -0.8, 600.0, 3.0)


def random_rows(seed: int, count: int = BATCH) -> ParamMatrix:
    values = np.random.default_rng(seed).uniform(LOW, HIGH, (count, len(LOW)))
    return ParamMatrix(values, np.ones(values.shape, dtype=np.bool_))


@njit(nogil=True, error_model="numpy")
def plain_loop(data: Any, asks: Any, bids: Any, offsets: Any, costs: Any, params: Any, betting: float) -> int:  # pragma: no cover
    """The rule as one would write it by hand. data: price, watched, seconds, 데이터길이 and the buy text's six columns."""
    price, watched, seconds, count = data[0], data[1], data[2], data[3]
    trades = 0
    for c in range(len(params)):
        p = params[c]
        for s in range(len(offsets) - 1):
            held, quantity, bought, best = -1, 0.0, 0.0, 0.0
            for i in range(offsets[s], offsets[s + 1] - 1):
                if count[i] < 30:
                    continue
                if held < 0:
                    if watched[i] == 0.0 or not data[4, i] > p[0] or not data[5, i] > p[1]:
                        continue
                    if not data[6, i] > data[7, i] * p[2] or not data[8, i] > data[9, i] * p[3]:
                        continue
                    quantity = fills.order_quantity(betting, price[i])
                    a = asks[:, i]
                    paid = fills.fill_price(quantity, 5, (a[0], a[1], a[2], a[3], a[4]), (a[5], a[6], a[7], a[8], a[9]))
                    if paid > 0.0:
                        held, bought, best = i, quantity * paid, 0.0
                    continue
                net = costing.net_amount(bought, quantity * price[i], costs[0], costs[1], costs[2])
                pct = costing.profit_pct(bought, net)
                best = max(best, pct)
                if pct >= p[4] or pct <= p[5] or seconds[i] - seconds[held] > p[6] or best - pct > p[7]:
                    a = bids[:, i]
                    got = fills.fill_price(quantity, 5, (a[0], a[1], a[2], a[3], a[4]), (a[5], a[6], a[7], a[8], a[9]))
                    if got > 0.0:
                        held = -1
                        trades += 1
            if held >= 0:
                trades += 1
    return trades


def peer_arguments(selection: Selection, config: EngineConfig) -> tuple[Any, ...]:
    binding, rows = bind(selection, config), Rows(selection, config.loaded_lengths)
    enough = day_counts(selection.selected)
    mean = np.where(enough >= 1, rows.window("초당거래대금평균", 30), 0.0)
    columns = (rows.column("체결강도"), rows.window("등락율각도", 30), rows.column("초당거래대금"), mean)
    traded = (rows.column("초당매수수량"), rows.column("초당매도수량"))
    data = np.stack(
        [binding.price, binding.watched.astype(np.float64), rows.seconds, enough.astype(np.float64), *columns, *traded]
    )
    cost = binding.costs[0]
    costs = np.array([cost.tax_rate, cost.fee_rate, float(cost.fee_rounding_krw)])
    asks, bids = np.stack([*binding.ask_prices, *binding.ask_sizes]), np.stack([*binding.bid_prices, *binding.bid_sizes])
    return data, asks, bids, selection.selected.offsets, costs


def equals_reference(panel: Panel, config: EngineConfig, strategy: Any) -> bool:
    """Four rows over two instruments, trade by trade."""
    part = select(panel, codes=panel.codes[:2])
    params = random_rows(0, 4)
    expected = run_reference(strategy, part, params, config)
    got = CompiledKernel(strategy, part, config).run(params)
    return _same(expected.trades, got.trades) and expected.faults == got.faults


def _same(left: Trades, right: Trades) -> bool:
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in vars(left))


def run(name: str) -> dict[str, Any]:
    """The record, without the machine."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "market.db"
        simulate(path, SimulateConfig(codes=12, days=20, seed=3))
        return {"name": name, **measure(load_panel(path))}


def measure(panel: Panel) -> dict[str, Any]:
    strategy = compile_strategy(BUY, SELL, profile="stom", layout=panel.layout)
    config = EngineConfig(profile="stom")
    selection = select(panel)
    equal = equals_reference(panel, config, strategy)
    kernel = CompiledKernel(strategy, selection, config)
    peer_params = random_rows(1, 50)
    arguments = peer_arguments(selection, config)
    peer_trades = plain_loop(*arguments, peer_params.values, config.betting)
    equal = equal and peer_trades == len(kernel.run(peer_params).trades)
    seconds, trades = [], 0
    for repeat in range(REPEATS):
        params = random_rows(100 + repeat)
        started = time.thread_time()
        trades += len(kernel.run(params).trades)
        seconds.append(time.thread_time() - started)
    started = time.thread_time()
    plain_loop(*arguments, peer_params.values, config.betting)
    peer_speed = panel.n_rows * len(peer_params) / (time.thread_time() - started)
    speed = panel.n_rows * BATCH / statistics.median(seconds)
    density = trades / (REPEATS * BATCH * panel.n_sessions)
    return {
        "value": speed,
        "unit": "candidate-ticks/s",
        "equal": bool(equal),
        "peer": "plain numba loop",
        "ratio": speed / peer_speed,
        "command": COMMAND,
        "density": f"{density:.2f} trades per candidate per session",
        "rows": panel.n_rows,
        "batch": BATCH,
    }
