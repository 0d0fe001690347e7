"""What kernels record, as the engine's results: trades in the order of the result in one pass, faults, counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions.emit_sites import Sites
from stom_ray.conditions.faults import fault_message
from stom_ray.engine.costing import net_amount, profit_pct
from stom_ray.engine.kernel_bind import Block
from stom_ray.engine.types import Fault, Floats, Ints, Trades
from stom_ray.machine_code import njit
from stom_ray.store.panel import Panel

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
    panel, rows = block.panel, block.rows
    fill(
        recorded,
        np.bincount(recorded[:, 1], minlength=n_candidates),
        labels,
        block.entry,
        np.ascontiguousarray(panel.clock),
        np.ascontiguousarray(rows.seconds),
        rows.column("시가총액"),
        block.costs,
        (block.session_from, block.row_from),
        whole,
        pct,
        cap,
    )
    return Trades(**dict(zip(WHOLE, whole, strict=True)), profit_pct=pct, market_cap=cap)


def labelled_trades(recorded: Ints, n_candidates: int, block: Block) -> Trades:
    """`trades_of` what generated kernels record: (n, 6), with the label itself in the place of the reason."""
    return trades_of(recorded, np.arange(int(recorded[:, 5].max(initial=0)) + 1), n_candidates, block)


def by_candidate(trades: Trades, stopped: NDArray[np.bool_]) -> Trades:
    """Trades in the order of the result, candidate by candidate in time; without those of candidates that stopped somewhere."""
    candidate, row = trades.candidate, trades.buy_row
    ordered = (candidate[1:] > candidate[:-1]) | ((candidate[1:] == candidate[:-1]) & (row[1:] > row[:-1]))
    if ordered.all() and not stopped.any():
        return trades
    order = np.lexsort((row, candidate))
    order = order[~stopped[trades.candidate[order]]]
    return Trades(**{name: np.ascontiguousarray(values[order]) for name, values in vars(trades).items()})


def faults_of(recorded: Ints, sites: Sites, panel: Panel) -> tuple[Fault, ...]:
    """recorded: (n_candidates, 2) number of the place in the texts, -1 where none faulted, and row of the selection."""
    places, found = list(sites.faults), []
    for candidate in np.flatnonzero(recorded[:, 0] >= 0):
        site, row = places[int(recorded[candidate, 0])], int(recorded[candidate, 1])
        session = int(np.searchsorted(panel.offsets, row, side="right")) - 1
        code = panel.codes[int(panel.session_code[session])]
        message = fault_message(site.text, site.kind, site.detail, site.at, code, int(panel.clock[row]))
        found.append(Fault(int(candidate), row, message))
    return tuple(found)


def counts_of(zeros: Ints, stopped: NDArray[np.bool_], sites: Sites) -> dict[str, int]:
    """Divisions by zero a line, of the candidates that ran through. zeros: (n_candidates, n_lines)."""
    totals = zeros[~stopped].sum(axis=0)
    return {line: int(totals[k]) for line, k in sites.zero_lines.items() if totals[k]}


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
