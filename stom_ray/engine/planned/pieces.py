"""Candidates of one kernel, and its calls: over sessions and threads, with buffers that grow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stom_ray.engine.kernel_bind import Block
from stom_ray.engine.planned.candidates import Candidates, Shared, Transposed, exit_levels, transpose
from stom_ray.engine.planned.cut import Script
from stom_ray.engine.planned.grid import walk_grid
from stom_ray.engine.planned.labels import find_reasons
from stom_ray.engine.planned.prepared import Prepared
from stom_ray.engine.planned.tabled import SellText, Table, no_table
from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.planned.transposed import walk_rows
from stom_ray.engine.types import Floats, Ints

FIRST_BUFFER = 1 << 14  # trades
LARGEST_BUFFER = 1 << 20
CHUNKS_PER_THREAD = 4
SAMPLE = 1_024  # rows on which the terms' order is decided


@dataclass
class Call:
    """What one call of a kernel works on; `resume` and the arrays are written."""

    sessions: Ints
    table: Table
    recording: bool
    sums: tuple[Ints, Ints, Ints]
    resume: Ints = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    trades: Ints = field(default_factory=lambda: np.empty((0, 6), dtype=np.int64))


class Piece(ABC):
    """Candidates of one kernel call.

    rows: the batch's row at each place. loose: (n_terms,) the lowest value of each term, order: of the terms, for a block; see
    `start`. faulted: see `batches`.
    """

    rows: Ints
    candidates: Candidates
    script: Script
    loose: Floats
    order: Ints

    def __init__(self) -> None:
        self.faulted: list[Ints] = []

    def start(self, block: Block, prepared: Prepared) -> None:
        """Before sessions of a block are walked, on any thread."""
        self.faulted = []
        self.order = order_of(prepared.terms, self.loose)

    def batches(self, block: Block, prepared: Prepared, sessions: Ints) -> Iterator[tuple[Ints, Table]]:
        """Sessions to walk, with their table. Sessions that cannot be walked are noted in `faulted`."""
        yield sessions, no_table(block.panel.n_sessions)

    @abstractmethod
    def call(self, block: Block, prepared: Prepared, call: Call) -> int:
        """Walks on from `call.resume`; returns the number of trades recorded."""

    def record(self, block: Block, prepared: Prepared, threads: int) -> Ints:
        """(n, 6) session, candidate, buy row, sell row, price, reason."""
        self.start(block, prepared)
        one, three = np.zeros((1, 1), dtype=np.int64), np.zeros((3, 1), dtype=np.int64)
        unused = (np.zeros(len(prepared.offsets), dtype=np.int64), one, three)

        def run(sessions: Ints) -> Ints:
            filled, capacity = [np.empty((0, 6), dtype=np.int64)], FIRST_BUFFER
            for some, table in self.batches(block, prepared, sessions):
                call = Call(some, table, True, unused)
                while call.resume[0] < len(some):
                    call.trades = np.empty((capacity, 6), dtype=np.int64)
                    before = int(call.resume[0])
                    count = self.call(block, prepared, call)
                    filled.append(call.trades[:count])
                    if call.resume[0] == before or capacity < LARGEST_BUFFER:
                        capacity *= 4
            return np.concatenate(filled)

        recorded = np.concatenate([np.empty((0, 6), dtype=np.int64), *over(run, prepared.open_sessions, threads)])
        recorded[:, 1] = self.rows[recorded[:, 1]]
        lasts = prepared.offsets[1:] - 1
        find_reasons(recorded, self.candidates.exits, lasts, prepared.market, self.script.kernel(), block.costs)
        return recorded

    def total(self, block: Block, prepared: Prepared, threads: int, totals: Totals) -> None:
        """Fills in the rows of this piece's candidates."""
        self.start(block, prepared)
        n = len(self.rows)
        day_of = np.searchsorted(totals.days, block.panel.session_day)
        daily = np.zeros((len(totals.days), n), dtype=np.int64)
        by_day = prepared.open_sessions[np.argsort(day_of[prepared.open_sessions], kind="stable")]

        def run(sessions: Ints) -> Ints:
            tallies = np.zeros((3, n), dtype=np.int64)
            for some, table in self.batches(block, prepared, sessions):
                self.call(block, prepared, Call(some, table, False, (day_of, daily, tallies)))
            return tallies

        for tallies in over(run, by_day, threads, day_of):
            totals.trades[self.rows] += tallies[0]
            totals.wins[self.rows] += tallies[1]
            totals.held_s[self.rows] += tallies[2]
        totals.daily_profit[self.rows] = daily.T


class GridPiece(Piece):
    """Candidates that share values. sell: the generated sell text, where outcomes are looked up."""

    def __init__(self, shared: Shared, candidates: Candidates, script: Script, bid_levels: int, sell: SellText | None) -> None:
        super().__init__()
        self.shared, self.candidates, self.script, self.bid_levels, self.sell = shared, candidates, script, bid_levels, sell
        self.rows = shared.order
        self.loose = np.empty(len(shared.terms))
        self.loose[shared.terms] = shared.distinct[: len(shared.terms), 0]

    def start(self, block: Block, prepared: Prepared) -> None:
        super().start(block, prepared)
        if self.sell is not None:
            self.bound = self.sell.bind(block)

    def batches(self, block: Block, prepared: Prepared, sessions: Ints) -> Iterator[tuple[Ints, Table]]:
        if self.sell is None:
            yield from super().batches(block, prepared, sessions)
            return
        for tabled in self.sell.tables(block, self.bound, prepared, self.loose, self.order, sessions):
            self.faulted.append(tabled.faulted)
            yield tabled.walked, tabled.table

    def call(self, block: Block, prepared: Prepared, call: Call) -> int:
        shared = self.shared
        count: int = walk_grid(
            call.sessions,
            (prepared.offsets, prepared.words, prepared.gate, prepared.highest, prepared.exact_from),
            (prepared.terms, self.loose, self.order),
            (shared.place, shared.shared, shared.distinct, shared.n_distinct, shared.terms),
            (shared.leaf_start, shared.leaf_exit),
            self.bid_levels,
            shared.exits,
            prepared.market,
            self.script.kernel(),
            block.costs,
            call.table,
            call.recording,
            call.sums,
            call.trades,
            call.resume,
        )
        return count


class RowsPiece(Piece):
    """Candidates with values of their own."""

    def __init__(self, candidates: Candidates, rows: Ints, script: Script, bid_levels: int) -> None:
        super().__init__()
        self.candidates, self.rows, self.script, self.bid_levels = candidates, rows, script, bid_levels
        buys = np.ascontiguousarray(candidates.buys[rows])
        self.exits = exit_levels(np.ascontiguousarray(candidates.exits[rows]), script)
        self.transposed: Transposed = transpose(buys)
        self.loose = np.ascontiguousarray(buys.min(axis=0))

    def call(self, block: Block, prepared: Prepared, call: Call) -> int:
        transposed = self.transposed
        count: int = walk_rows(
            call.sessions,
            (prepared.offsets, prepared.words, prepared.gate, prepared.highest, prepared.exact_from),
            (prepared.terms, self.loose, self.order),
            (transposed.ordered, transposed.n_distinct, transposed.prefix),
            self.bid_levels,
            self.exits,
            prepared.market,
            self.script.kernel(),
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


def over(run: Any, sessions: Ints, threads: int, day_of: Ints | None = None) -> list[Ints]:
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
