"""One batch of cut candidates over prepared blocks: which kernel walks, and what it is given."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.kernel_bind import Block
from stom_ray.engine.planned.candidates import Candidates, Shared, Transposed, share, transpose
from stom_ray.engine.planned.cut import Cut, script_of
from stom_ray.engine.planned.grid import walk_grid
from stom_ray.engine.planned.labels import find_reasons
from stom_ray.engine.planned.prepared import Prepared
from stom_ray.engine.planned.results import trades_of
from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.planned.transposed import walk_rows
from stom_ray.engine.types import Floats, Ints, Trades

FIRST_BUFFER = 1 << 14  # trades
ROWS_AT_ONCE = 1_024  # candidates of a `rows` walk: its tables grow with the square
FEW = 32  # candidates for which bits of candidates do not pay
CHUNKS_PER_THREAD = 4
SAMPLE = 4_096  # rows on which the terms' order is decided


class Walk:
    """A batch arranged for its kernel. name, reason: the plan, and why."""

    def __init__(self, plan: Cut, candidates: Candidates, bid_levels: int) -> None:
        self.script = script_of(plan)
        self.candidates = candidates
        self.bid_levels = bid_levels
        shared = share(candidates, self.script.starts)
        n, buys, exits = len(candidates.unfit), len(shared.place), len(shared.exits[0])
        combinations = f"{buys:,} combinations of buy values and {exits:,} of exit values"
        self.pieces: list[_Grid | _Rows]
        if n <= FEW or buys * exits <= 2 * n:
            self.name, self.reason = "grid", f"{n:,} candidates are {combinations}"
            self.pieces = [_Grid(shared)]
        else:
            self.name, self.reason = "rows", f"{n:,} candidates have {combinations}: values of their own"
            starts = range(0, n, ROWS_AT_ONCE)
            self.pieces = [_Rows(candidates, np.arange(start, min(start + ROWS_AT_ONCE, n))) for start in starts]

    def trades(self, block: Block, prepared: Prepared, threads: int) -> Trades:
        """Trades by candidate, then time, of the sessions that have no trouble."""
        labels = np.append(self.script.labels, 0)
        n = len(self.candidates.unfit)
        recorded = [piece.record(self, block, prepared, threads) for piece in self.pieces]
        return trades_of(recorded[0] if len(recorded) == 1 else np.concatenate(recorded), labels, n, block)

    def totals(self, block: Block, prepared: Prepared, threads: int) -> Totals:
        """Sums over the sessions that have no trouble."""
        totals = Totals.zeros(len(self.candidates.unfit), np.unique(block.panel.session_day))
        for piece in self.pieces:
            piece.total(self, block, prepared, threads, totals)
        return totals


class _Piece:
    """Candidates of one kernel call. rows: the batch's row at each place."""

    rows: Ints
    exits: Floats

    def loosest(self) -> Floats:
        raise NotImplementedError

    def call(self, walk: Walk, block: Block, prepared: Prepared, arguments: _Call) -> int:
        raise NotImplementedError

    def record(self, walk: Walk, block: Block, prepared: Prepared, threads: int) -> Ints:
        """(n, 6) session, candidate, buy row, sell row, price, reason."""

        def run(sessions: Ints) -> Ints:
            filled, capacity = [], FIRST_BUFFER
            call = _Call(sessions, True, _no_sums(prepared), np.zeros(1, dtype=np.int64))
            while call.resume[0] < len(sessions):
                call.trades = np.empty((capacity, 6), dtype=np.int64)
                before = int(call.resume[0])
                count = self.call(walk, block, prepared, call)
                filled.append(call.trades[:count])
                if count == 0 and call.resume[0] == before:
                    capacity *= 4
                elif capacity < LARGEST_BUFFER:
                    capacity *= 2
            return np.concatenate(filled) if filled else np.empty((0, 6), dtype=np.int64)

        recorded = np.concatenate(_over(run, prepared.open_sessions, threads) or [np.empty((0, 6), dtype=np.int64)])
        lasts = prepared.offsets[1:] - 1
        recorded[:, 1] = self.rows[recorded[:, 1]]
        values = walk.candidates.exits
        find_reasons(recorded, values, lasts, prepared.market, walk.script.kernel(), block.costs)
        return recorded

    def total(self, walk: Walk, block: Block, prepared: Prepared, threads: int, totals: Totals) -> None:
        """Fills in the rows of this piece's candidates."""
        n = len(self.rows)
        day_of = np.searchsorted(totals.days, block.panel.session_day)
        daily = np.zeros((len(totals.days), n), dtype=np.int64)
        by_day = prepared.open_sessions[np.argsort(day_of[prepared.open_sessions], kind="stable")]

        def run(sessions: Ints) -> Ints:
            tallies = np.zeros((3, n), dtype=np.int64)
            self.call(walk, block, prepared, _Call(sessions, False, (day_of, daily, tallies), np.zeros(1, dtype=np.int64)))
            return tallies

        for tallies in _over(run, by_day, threads, day_of):
            totals.trades[self.rows] += tallies[0]
            totals.wins[self.rows] += tallies[1]
            totals.held_s[self.rows] += tallies[2]
        totals.daily_profit[self.rows] = daily.T


@dataclass
class _Call:
    """What one call of a kernel works on; `resume` and the arrays are written."""

    sessions: Ints
    recording: bool
    sums: tuple[Ints, Ints, Ints]
    resume: Ints
    trades: Ints = field(default_factory=lambda: np.empty((0, 6), dtype=np.int64))


LARGEST_BUFFER = 1 << 20


class _Grid(_Piece):
    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.rows = shared.order
        self.loose = np.empty(len(shared.terms))
        self.loose[shared.terms] = shared.distinct[: len(shared.terms), 0]

    def call(self, walk: Walk, block: Block, prepared: Prepared, call: _Call) -> int:
        shared = self.shared
        count: int = walk_grid(
            call.sessions,
            (prepared.offsets, prepared.words, prepared.gate, prepared.highest, prepared.exact_from),
            (prepared.terms, self.loose, order_of(prepared.terms, self.loose)),
            (shared.place, shared.shared, shared.distinct, shared.n_distinct, shared.terms),
            (shared.leaf_start, shared.leaf_exit),
            walk.bid_levels,
            shared.exits,
            prepared.market,
            walk.script.kernel(),
            block.costs,
            call.recording,
            call.sums,
            call.trades,
            call.resume,
        )
        return count


class _Rows(_Piece):
    def __init__(self, candidates: Candidates, rows: Ints) -> None:
        self.rows = rows
        self.buys = np.ascontiguousarray(candidates.buys[rows])
        self.exits = np.ascontiguousarray(candidates.exits[rows])
        self.transposed: Transposed = transpose(self.buys)
        self.loose = np.ascontiguousarray(self.buys.min(axis=0))

    def call(self, walk: Walk, block: Block, prepared: Prepared, call: _Call) -> int:
        transposed = self.transposed
        count: int = walk_rows(
            call.sessions,
            (prepared.offsets, prepared.words, prepared.gate, prepared.highest, prepared.exact_from),
            (prepared.terms, self.loose, order_of(prepared.terms, self.loose)),
            (transposed.ordered, transposed.n_distinct, transposed.prefix),
            walk.bid_levels,
            self.exits,
            prepared.market,
            walk.script.kernel(),
            block.costs,
            call.recording,
            call.sums,
            call.trades,
            call.resume,
        )
        return count


def order_of(terms: Floats, loosest: Floats) -> Ints:
    """Terms, the one that fewest rows pass first."""
    n = terms.shape[1]
    some = terms[:, :: max(1, n // SAMPLE)]
    return np.argsort((some >= loosest[:, None]).sum(axis=1), kind="stable").astype(np.int64)


def _no_sums(prepared: Prepared) -> tuple[Ints, Ints, Ints]:
    days = np.zeros(len(prepared.offsets), dtype=np.int64)
    return days, np.zeros((1, 1), dtype=np.int64), np.zeros((3, 1), dtype=np.int64)


def _over(run: Any, sessions: Ints, threads: int, day_of: Ints | None = None) -> list[NDArray[np.int64]]:
    """`run` over pieces of the sessions, in order; pieces end with a day when `day_of` (n_sessions,) is given."""
    if len(sessions) == 0:
        return []
    if threads == 1:
        return [run(sessions)]
    cuts = np.linspace(0, len(sessions), threads * CHUNKS_PER_THREAD + 1).astype(np.int64)[1:-1]
    if day_of is not None:
        starts = np.flatnonzero(np.diff(day_of[sessions])) + 1
        cuts = starts[np.unique(np.searchsorted(starts, cuts).clip(0, max(0, len(starts) - 1)))] if len(starts) else starts
    pieces = [piece for piece in np.split(sessions, np.unique(cuts)) if len(piece)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, pieces))
