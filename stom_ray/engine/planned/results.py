"""Recorded trades as the engine's, in the order of the result, in one pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.costing import net_amount, profit_pct
from stom_ray.engine.kernel_bind import Block
from stom_ray.engine.types import Floats, Ints, Trades
from stom_ray.machine_code import njit

# Columns of what `fill` writes, in the order of Trades; profit_pct and market_cap are floats and apart.
WHOLE = (
    "candidate", "session", "buy_row", "sell_row", "buy_clock", "sell_clock", "hold_s", "buy_price", "sell_price",
    "buy_amount", "sell_amount", "profit", "label",
)  # fmt: skip


def trades_of(recorded: Ints, labels: Ints, n_candidates: int, block: Block) -> Trades:
    """recorded: (n, 6) session, candidate, buy row, sell row, price, reason (-1 forced), candidates in any order and each one's
    trades in time order. labels: (n_reasons + 1,) label of each reason, that of a forced sale last."""
    n = len(recorded)
    whole = np.empty((len(WHOLE), n), dtype=np.int64)
    pct, cap = np.empty(n), np.empty(n)
    panel, binding = block.panel, block.binding
    fill(
        recorded,
        np.bincount(recorded[:, 1], minlength=n_candidates),
        labels,
        block.entry,
        np.ascontiguousarray(panel.clock),
        np.ascontiguousarray(binding.rows.seconds),
        np.ascontiguousarray(binding.market_cap),
        block.costs,
        (block.session_from, block.row_from),
        whole,
        pct,
        cap,
    )
    return Trades(**dict(zip(WHOLE, whole, strict=True)), profit_pct=pct, market_cap=cap)


@njit(cache=True, error_model="numpy", nogil=True)
def fill(
    recorded: Ints,
    counts: Ints,
    labels: Ints,
    entry: Floats,
    clock: Ints,
    seconds: Floats,
    market_cap: Floats,
    costs: Floats,
    origin: tuple[int, int],
    whole: NDArray[np.int64],
    pct: Floats,
    cap: Floats,
) -> None:
    """Writes every trade to its place, candidates in order."""
    following = np.cumsum(counts) - counts
    for i in range(len(recorded)):
        session, candidate, bought_at, sold_at, price, reason = recorded[i]
        at = following[candidate]
        following[candidate] += 1
        quantity, paid = entry[0, bought_at], entry[1, bought_at]
        spent = quantity * paid
        left = net_amount(spent, quantity * float(price), costs[session, 0], costs[session, 1], costs[session, 2])
        whole[0, at] = candidate
        whole[1, at] = session + origin[0]
        whole[2, at] = bought_at + origin[1]
        whole[3, at] = sold_at + origin[1]
        whole[4, at] = clock[bought_at]
        whole[5, at] = clock[sold_at]
        whole[6, at] = np.int64(seconds[sold_at] - seconds[bought_at])
        whole[7, at] = np.int64(paid)
        whole[8, at] = price
        whole[9, at] = np.int64(spent)
        whole[10, at] = np.int64(left)
        whole[11, at] = np.int64(left) - np.int64(spent)
        whole[12, at] = labels[reason]
        pct[at] = profit_pct(spent, left)
        cap[at] = market_cap[sold_at]
