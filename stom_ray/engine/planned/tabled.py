"""Outcomes of entries by the generated sell text, for sell texts that cannot be cut into reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions.emit_cpu import EmittedKernel
from stom_ray.engine.kernel_bind import BatchWindows, Block
from stom_ray.engine.kernel_cache import load_kernel
from stom_ray.engine.planned.prepared import Prepared
from stom_ray.engine.planned.survivors import room, survivors
from stom_ray.engine.types import Floats, Ints, ParamMatrix

Bools = NDArray[np.bool_]
Table = tuple[Ints, NDArray[np.int32], Ints, Ints]
CELLS = 1 << 22  # outcomes that are kept at a time


def no_table(n_sessions: int) -> Table:
    """Outcomes are searched, not looked up."""
    none = np.empty((0, 0), dtype=np.int64)
    return np.zeros(n_sessions, dtype=np.int64), none.astype(np.int32), none, none


@dataclass(frozen=True)
class SellText:
    """The generated sell text with the combinations of parameters that it reads.

    params, windows: one row for each combination. bid_levels: of the book.
    """

    emitted: EmittedKernel
    params: ParamMatrix
    windows: BatchWindows
    bid_levels: int

    def bind(self, block: Block) -> tuple[Ints, Ints, Ints]:
        """Windows of each combination and precomputed lengths, as the generated text reads them. Not for concurrent calls."""
        return block.window_table(self.windows), *block.loaded_tables()

    def outcomes(
        self, block: Block, bound: tuple[Ints, Ints, Ints], entries: Ints, sessions: Ints
    ) -> tuple[NDArray[np.int32], Ints, Ints, Bools]:
        """(n_entries, n_exits) sale rows, prices and labels, and (n_entries,) where some combination faults."""
        shape = (len(entries), len(self.params))
        rows = np.empty(shape, dtype=np.int32)
        prices, labels = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.int64)
        faulty = np.zeros(len(entries), dtype=np.bool_)
        sites = self.emitted.sites
        run: Callable[..., None] = load_kernel(self.emitted.source).kernel
        run(
            block.matrix,
            block.entry,
            block.offsets,
            block.firsts,
            block.costs,
            block.tests,
            np.ascontiguousarray(self.params.values),
            np.ascontiguousarray(self.params.is_float),
            *bound,
            sites.constant_values,
            self.bid_levels,
            np.zeros((max(1, len(sites.elapsed)), max(1, block.longest_session))),
            entries,
            sessions,
            rows,
            prices,
            labels,
            faulty,
            np.zeros((len(self.params), max(1, len(sites.zero_lines))), dtype=np.int64),
        )
        return rows, prices, labels, faulty

    def tables(
        self, block: Block, bound: tuple[Ints, Ints, Ints], prepared: Prepared, loosest: Floats, order: Ints, some: Ints
    ) -> Iterator[Tabled]:
        """Tables for the sessions, a part of them at a time; a session with a fault is not in it, and named."""
        found, bits, before = room(max(1, block.longest_session))
        sessions: list[int] = []
        entries: list[Ints] = []
        cells = 0
        for session in some:
            where = (prepared.gate, prepared.offsets, prepared.words, found, bits, before)
            count = survivors(session, prepared.terms, prepared.highest, loosest, order, *where)
            if count == 0:
                continue
            if sessions and cells + count * len(self.params) > CELLS:
                yield self._table(block, bound, sessions, entries)
                sessions, entries, cells = [], [], 0
            sessions.append(int(session))
            entries.append(found[:count].copy())
            cells += count * len(self.params)
        if sessions:
            yield self._table(block, bound, sessions, entries)

    def _table(self, block: Block, bound: tuple[Ints, Ints, Ints], sessions: list[int], entries: list[Ints]) -> Tabled:
        counts = np.array([len(rows) for rows in entries], dtype=np.int64)
        of_entry = np.repeat(np.array(sessions, dtype=np.int64), counts)
        rows, prices, labels, faulty = self.outcomes(block, bound, np.concatenate(entries), of_entry)
        base = np.zeros(block.panel.n_sessions, dtype=np.int64)
        base[sessions] = np.cumsum(counts) - counts
        faulted = np.unique(of_entry[faulty])
        walked = np.setdiff1d(np.array(sessions, dtype=np.int64), faulted)
        return Tabled((base, rows, prices, labels), walked, faulted)


@dataclass(frozen=True)
class Tabled:
    """table: of the sessions walked. faulted: sessions that the generated kernel has to run."""

    table: Table
    walked: Ints
    faulted: Ints
