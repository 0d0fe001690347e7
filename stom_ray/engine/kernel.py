"""The CPU kernel: a strategy compiled to machine code, bound to a selection once, run over many parameter rows.

Trades, faults and counts equal those of `engine.reference` bit for bit, for any number of threads and any memory limit.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions.emit_cpu import TRADE_FIELDS, emit_kernel
from stom_ray.conditions.emit_windows import loadable_lengths
from stom_ray.conditions.ir import Strategy
from stom_ray.engine.bind import check_run
from stom_ray.engine.kernel_bind import BatchWindows, Block, batch_windows, gate_rows, split_selection
from stom_ray.engine.kernel_cache import load_kernel
from stom_ray.engine.results import by_candidate, counts_of, faults_of, labelled_trades
from stom_ray.engine.trades import concatenate
from stom_ray.engine.types import EngineConfig, Floats, Ints, ParamMatrix, RunResult, Trades
from stom_ray.errors import ConfigError
from stom_ray.store.panel import Selection

DEFAULT_MEMORY = 2 << 30
FIRST_BUFFER = 1 << 13  # trades
LARGEST_BUFFER = 1 << 20
CHUNKS_PER_THREAD = 4
# Of TRADE_FIELDS, what `results.trades_of` takes.
AS_RECORDED = [TRADE_FIELDS.index(name) for name in ("session", "candidate", "buy_row", "sell_row", "sell_price", "label")]


class CompiledKernel:
    """A strategy bound to a selection: compile and bind once, run many batches of parameter rows.

    memory_bytes: limit for the column matrix; beyond it the instruments are run in blocks, whose columns are made again for each
    batch. rows_per_block: decides instead, where it is set. Columns of windows are kept between batches otherwise. Not for
    concurrent calls of `run`.
    """

    def __init__(
        self, strategy: Strategy, selection: Selection, config: EngineConfig, *, memory_bytes: int = DEFAULT_MEMORY
    ) -> None:
        self.strategy = strategy
        self.selection = selection
        self.config = config
        self.memory_bytes = memory_bytes
        self.rows_per_block: int | None = None
        self.emitted = emit_kernel(strategy, selection.selected.layout)
        self._whole: Block | None = None

    @cached_property
    def _kernel(self) -> Callable[..., int]:
        """Compiled when it is first needed."""
        kernel: Callable[..., int] = load_kernel(self.emitted.source).kernel
        return kernel

    def run(self, params: ParamMatrix, threads: int = 1, only: NDArray[np.bool_] | None = None) -> RunResult:
        """Trades ordered by candidate, code, time; the first fault of each candidate that stopped; counts of the others.

        only: (n_sessions,) the sessions to run; all without.
        """
        if threads < 1:
            raise ConfigError(f"threads is {threads}: expected at least 1")
        check_run(self.strategy, self.selection, params, self.config)
        windows = batch_windows(self.emitted, params, self.strategy.profile == "stom")
        batch = _Batch(
            np.ascontiguousarray(params.values, dtype=np.float64),
            np.ascontiguousarray(params.is_float, dtype=np.bool_),
            windows,
            gate_rows(params, self.config),
        )
        faults = np.full((len(params), 2), -1, dtype=np.int64)
        zeros = np.zeros((len(params), max(1, len(self.emitted.sites.zero_lines))), dtype=np.int64)
        wanted = np.ones(self.selection.selected.n_sessions, dtype=np.bool_) if only is None else only
        parts = []
        for block in self._blocks(batch):
            parts.append(self._run_block(block, batch, threads, faults, zeros, wanted))
            del block  # before the next one is made
        trades = concatenate(parts) if len(parts) > 1 else parts[0]
        stopped, sites = faults[:, 0] >= 0, self.emitted.sites
        found = faults_of(faults, sites, self.selection.selected)
        return RunResult(by_candidate(trades, stopped), found, counts_of(zeros, stopped, sites))

    # Blocks of instruments

    def whole(self) -> Block:
        """The whole selection as one block, made once."""
        if self._whole is None:
            self._whole = Block(self.selection, self.emitted, self.config, 0, 0)
        return self._whole

    def blocks(self, rows: int) -> Iterator[Block]:
        """The whole, or blocks of instruments of about so many rows, which are not kept."""
        if self.selection.selected.n_rows <= rows:
            yield self.whole()
            return
        self._whole = None
        for part, row, session in split_selection(self.selection, rows):
            yield Block(part, self.emitted, self.config, row, session)

    def _blocks(self, batch: _Batch) -> Iterator[Block]:
        columns = len(self.emitted.sites.columns) + len(self.window_keys(batch.windows))
        return self.blocks(self.rows_per_block or max(1, self.memory_bytes // (8 * columns)))

    def window_keys(self, windows: BatchWindows) -> set[tuple[str, int]]:
        """Every (function, length) that a batch may need a column for."""
        sites = self.emitted.sites
        loaded = self.config.loaded_lengths
        keys = {(name, length) for name in sites.varying_functions for length in loadable_lengths(name, loaded)}
        for position, site in enumerate(sites.windows):
            keys |= {(site.function, int(length)) for length in np.unique(windows.lengths[:, position])}
        return keys

    def _run_block(
        self, block: Block, batch: _Batch, threads: int, faults: Ints, zeros: Ints, wanted: NDArray[np.bool_]
    ) -> Trades:
        """Adds to `faults` and `zeros`, and returns the block's trades by candidate, then time."""
        block.threads = threads
        windows = block.window_table(batch.windows)
        loaded = block.loaded_tables()
        following = block.following(self.strategy.buy, batch.windows, windows)
        bound = _Bound(block, batch, following, windows, *loaded, faults[:, 0] >= 0)
        here = wanted[block.session_from : block.session_from + block.panel.n_sessions]
        chunks = _chunks(block.offsets, here, 1 if threads == 1 else threads * CHUNKS_PER_THREAD)
        if threads == 1:
            done = [self._run_chunk(bound, *chunk) for chunk in chunks]
        else:
            with ThreadPoolExecutor(threads) as pool:
                done = list(pool.map(lambda chunk: self._run_chunk(bound, *chunk), chunks))
        for part in done:
            first = (part.faults[:, 0] >= 0) & (faults[:, 0] < 0)
            faults[first, 0] = part.faults[first, 0]
            faults[first, 1] = part.faults[first, 1] + block.row_from
            zeros += part.zeros
        recorded = np.concatenate([np.empty((0, len(TRADE_FIELDS)), dtype=np.int64), *(part.trades for part in done)])
        if (faults[:, 0] >= 0).any():
            recorded = recorded[faults[recorded[:, 0], 0] < 0]
        return labelled_trades(recorded[:, AS_RECORDED], len(faults), block)

    def _run_chunk(self, bound: _Bound, session_from: int, session_to: int) -> _Part:
        """Sessions of a block, with buffers of trades that grow as they fill up."""
        block, batch, sites = bound.block, bound.batch, self.emitted.sites
        n = len(batch.params)
        faults = np.full((n, 2), -1, dtype=np.int64)
        faults[bound.stopped, 0] = 0
        zeros = np.zeros((n, max(1, len(sites.zero_lines))), dtype=np.int64)
        elapsed = np.zeros((max(1, len(sites.elapsed)), max(1, block.longest_session)), dtype=np.float64)
        constants = sites.constant_values
        resume = np.zeros(2, dtype=np.int64)
        capacity = max(FIRST_BUFFER, block.longest_session)
        candidate_from = 0
        filled: list[Ints] = []
        while True:
            trades = np.empty((capacity, len(TRADE_FIELDS)), dtype=np.int64)
            count = self._kernel(
                block.matrix, block.entry, bound.following, block.offsets, block.firsts, block.costs, block.tests,
                batch.gates, batch.params, batch.floats, bound.windows, bound.loaded_lengths,
                bound.loaded_columns, constants, self.config.bid_levels, elapsed, session_from, session_to, candidate_from,
                trades, faults, zeros, resume,
            )  # fmt: skip
            filled.append(trades[:count])
            session_from, candidate_from = int(resume[0]), int(resume[1])
            if session_from >= session_to:
                faults[bound.stopped, 0] = -1
                return _Part(np.concatenate(filled), faults, zeros)
            capacity = max(min(2 * capacity, LARGEST_BUFFER), block.longest_session)


@dataclass(frozen=True)
class _Batch:
    """Parameter rows (n_candidates, n_vars) with what follows from them alone."""

    params: Floats
    floats: NDArray[np.bool_]
    windows: BatchWindows
    gates: Ints


@dataclass(frozen=True)
class _Bound:
    """A block with a batch. stopped: (n_candidates,) those that faulted in an earlier block."""

    block: Block
    batch: _Batch
    following: NDArray[np.int32]
    windows: Ints
    loaded_lengths: Ints
    loaded_columns: Ints
    stopped: NDArray[np.bool_]


@dataclass(frozen=True)
class _Part:
    """What one chunk of sessions gave: trades (n, 7), faults (n_candidates, 2), zeros (n_candidates, n_zero_lines)."""

    trades: Ints
    faults: Ints
    zeros: Ints


def _chunks(offsets: Ints, wanted: NDArray[np.bool_], count: int) -> list[tuple[int, int]]:
    """Consecutive wanted sessions, cut into about `count` pieces with equally many rows."""
    targets = np.linspace(0, offsets[-1], count + 1)[1:-1]
    edges = np.flatnonzero(np.diff(wanted.astype(np.int8))) + 1
    cuts = np.unique(np.concatenate(([0], np.searchsorted(offsets, targets), edges, [len(wanted)]))).tolist()
    return [(first, last) for first, last in itertools.pairwise(cuts) if wanted[first]]
