"""Speed of the CPU kernel on product grids, arbitrary rows, one-at-a-time passes and sell texts that cannot be cut.

Unit: G candidate-ticks a second of one core (processor time), median of 5. Data: the simulated market, and the real one where it
is. Before anything is timed, trades of some candidates must equal those of the generated kernel, which must equal the reference
simulator's on a part of the market; and the sums that are timed must equal those over the trades. The peer is a numba loop over
candidates, sessions and rows as one would write it by hand.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit

from benchmarks.workloads import BUY_TERMS, Workload, matrix, real, simulated, workload
from stom_ray.conditions.rows import Rows
from stom_ray.engine import costing, fills
from stom_ray.engine.bind import bind, day_counts
from stom_ray.engine.planned.kernel import CpuKernel
from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.reference import run_reference
from stom_ray.engine.types import ParamMatrix, Trades
from stom_ray.store.load import select
from stom_ray.store.panel import Selection

REPEATS = 5
CODES, DAYS = 30, 20
COMPARED = 24  # candidates whose trades are compared one by one
NAIVE = 24  # candidates that the plain loop runs

Batch = Callable[[Workload], ParamMatrix]
BATCHES: dict[str, tuple[str, Batch]] = {
    "grid-rare": ("rare", lambda rule: rule.grid()),
    "grid-medium": ("medium", lambda rule: rule.grid()),
    "grid-dense": ("dense", lambda rule: rule.grid()),
    "grid-medium-over-naive": ("medium", lambda rule: rule.grid()),
    "rows-medium": ("medium", lambda rule: rule.rows(1_000, 1)),
    "pass-medium": ("medium", lambda rule: rule.one_at_a_time()),
    "general-sell-medium": ("medium", lambda rule: rule.grid()),
}


def run(name: str) -> dict[str, Any]:
    """The record, without the machine. Everything about other densities and the real market is in `also`."""
    kind = name.rsplit("-", 1)[0] if name != "grid-medium-over-naive" else "grid"
    density, batch = BATCHES[name]
    found = measure(_simulated(), density, batch, kind == "general-sell", "simulated")
    also = []
    if name != "grid-medium-over-naive":
        if kind != "grid":
            also = [measure(_simulated(), other, batch, kind == "general-sell", "simulated") for other in ("rare", "dense")]
        market = _real()
        if market is not None:
            also.append(measure(market, density, batch, kind == "general-sell", "real"))
    ratio = found["speed"] / found["naive"]
    over = name == "grid-medium-over-naive"
    return {
        "name": name,
        "value": ratio if over else found["speed"],
        "unit": "x" if over else "G candidate-ticks/s a core",
        "equal": all(one["equal"] for one in [found, *also]),
        "peer": "plain numba loop over candidates",
        "ratio": ratio,
        "command": f"python -m benchmarks {name}",
        **{key: found[key] for key in ("density", "plan", "candidates", "rows", "sessions", "speed", "naive")},
        "also": also,
    }


@cache
def _simulated() -> Selection:
    return simulated(CODES, DAYS)


@cache
def _real() -> Selection | None:
    return real()


def measure(selection: Selection, density: str, batch: Batch, general_sell: bool, market: str) -> dict[str, Any]:
    rule = workload(selection, density, market, general_sell=general_sell)
    params = batch(rule)
    kernel = CpuKernel(rule.strategy, selection, rule.config)
    sums = kernel.totals(params)
    equal = equal_trades(kernel, rule, params, sums)
    equal = equal and equals_reference(rule, params)
    kernel.totals(params)
    plan = kernel.plans[0].name
    seconds = []
    for _ in range(REPEATS):
        started = time.thread_time()
        kernel.totals(params)
        seconds.append(time.thread_time() - started)
    ticks = selection.selected.n_rows
    return {
        "market": market,
        "speed": ticks * len(params) / statistics.median(seconds) / 1e9,
        "naive": naive_speed(rule, params, sums) / 1e9 if not general_sell else float("nan"),
        "equal": bool(equal),
        "density": f"{sums.trades.sum() / len(params) / selection.selected.n_sessions:.2f} trades per candidate per session",
        "plan": plan,
        "candidates": len(params),
        "rows": ticks,
        "sessions": selection.selected.n_sessions,
    }


def equal_trades(kernel: CpuKernel, rule: Workload, params: ParamMatrix, sums: Totals) -> bool:
    """Some candidates of the batch: trades as the generated kernel has them, and the sums over them as timed."""
    chosen = np.linspace(0, len(params) - 1, min(COMPARED, len(params))).astype(np.int64)
    some = matrix(params.values[chosen])
    expected = kernel.generated.run(some)
    got = kernel.run(some)
    summed = Totals.of(expected, len(some), rule.selection.selected.session_day)
    return same(expected.trades, got.trades) and all(
        np.array_equal(getattr(sums, name)[chosen], getattr(summed, name))
        for name in ("trades", "wins", "held_s", "daily_profit")
    )


def equals_reference(rule: Workload, params: ParamMatrix) -> bool:
    """Three candidates over one instrument's first days."""
    panel = rule.selection.selected
    part = select(rule.selection.loaded, codes=panel.codes[:1], days=(int(panel.days[0]), int(panel.days[1])))
    some = matrix(params.values[:: max(1, len(params) // 2)][:3])
    expected = run_reference(rule.strategy, part, some, rule.config)
    return same(expected.trades, CpuKernel(rule.strategy, part, rule.config).run(some).trades)


def same(left: Trades, right: Trades) -> bool:
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in vars(left))


# The peer


def naive_speed(rule: Workload, params: ParamMatrix, sums: Totals) -> float:
    """Candidate-ticks a second of `plain_loop` on some candidates. Raises AssertionError when it trades otherwise."""
    chosen = np.linspace(0, len(params) - 1, min(NAIVE, len(params))).astype(np.int64)
    arguments = naive_arguments(rule)
    values = np.ascontiguousarray(params.values[chosen])
    plain_loop(*arguments, values[:1], rule.config.betting)
    started = time.thread_time()
    trades, profit = plain_loop(*arguments, values, rule.config.betting)
    seconds = time.thread_time() - started
    if trades != sums.trades[chosen].sum() or profit != sums.profit[chosen].sum():
        raise AssertionError(f"the plain loop made {trades} trades, the kernel {sums.trades[chosen].sum()}")
    return rule.selection.selected.n_rows * len(chosen) / seconds


def naive_arguments(rule: Workload) -> tuple[Any, ...]:
    selection, config = rule.selection, rule.config
    binding, rows = bind(selection, config), Rows(selection, config.loaded_lengths)
    enough = day_counts(selection.selected)
    columns = []
    for name, _ in BUY_TERMS:
        function, _, length = name.partition("(")
        column = np.where(enough >= 1, rows.window(function, int(length[:-1])), 0.0) if length else rows.column(name)
        columns.append(column)
    data = np.stack([binding.price, binding.watched.astype(np.float64), rows.seconds, enough.astype(np.float64), *columns])
    cost = binding.costs[0]
    costs = np.array([cost.tax_rate, cost.fee_rate, float(cost.fee_rounding_krw)])
    asks, bids = np.stack([*binding.ask_prices, *binding.ask_sizes]), np.stack([*binding.bid_prices, *binding.bid_sizes])
    return data, asks, bids, selection.selected.offsets, costs


@njit(nogil=True, error_model="numpy")
def plain_loop(
    data: Any, asks: Any, bids: Any, offsets: Any, costs: Any, params: Any, betting: float
) -> tuple[int, int]:  # pragma: no cover
    """Trades and profit of all candidates. data: price, watched, seconds, 데이터길이 and the buy text's eight columns."""
    price, watched, seconds, count = data[0], data[1], data[2], data[3]
    trades, profit = 0, 0
    for c in range(len(params)):
        p = params[c]
        for s in range(len(offsets) - 1):
            held, quantity, bought, best = -1, 0.0, 0.0, 0.0
            for i in range(offsets[s], offsets[s + 1] - 1):
                if count[i] < 30:
                    continue
                if held < 0:
                    if watched[i] == 0.0 or not data[4, i] > p[0] or not data[5, i] > p[1] or not data[6, i] > p[2]:
                        continue
                    if not data[7, i] > p[3] or not data[8, i] > p[4] or not data[9, i] < p[5]:
                        continue
                    if not data[10, i] > p[6] or not data[11, i] > p[7]:
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
                late = seconds[i] - seconds[held] > p[10]
                if pct >= p[8] or pct <= p[9] or late or best - pct > p[11] or data[4, i] < 40.0:
                    a = bids[:, i]
                    got = fills.fill_price(quantity, 5, (a[0], a[1], a[2], a[3], a[4]), (a[5], a[6], a[7], a[8], a[9]))
                    if got > 0.0:
                        profit += np.int64(costing.net_amount(bought, quantity * got, costs[0], costs[1], costs[2]) - bought)
                        held = -1
                        trades += 1
            if held >= 0:
                last = offsets[s + 1] - 1
                a = bids[:, last]
                got = fills.forced_price(
                    quantity, fills.last_price(price, last), 5, (a[0], a[1], a[2], a[3], a[4]), (a[5], a[6], a[7], a[8], a[9])
                )
                profit += np.int64(costing.net_amount(bought, quantity * got, costs[0], costs[1], costs[2]) - bought)
                trades += 1
    return trades, profit
