"""A strategy on a GPU: bound on the host like the CPU kernel, walked on the device, trades equal to the reference bit for bit.

Two ways to ask: `run` brings every trade back, `totals` what they add up to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions import ir
from stom_ray.conditions.emit_cpu import EmittedKernel
from stom_ray.conditions.emit_cuda import emit_cuda
from stom_ray.conditions.emit_windows import loadable_lengths
from stom_ray.conditions.ir import Strategy
from stom_ray.engine.bind import check_run
from stom_ray.engine.cuda_arrays import Added, BatchArrays, BlockArrays, Recorded, ResidentBlock
from stom_ray.engine.cuda_device import CupyDevice, Device
from stom_ray.engine.cuda_kernel import CudaDriver
from stom_ray.engine.cuda_open import OpenRows, following_rows
from stom_ray.engine.kernel_bind import BatchWindows, Block, WindowKey, batch_windows, gate_rows, split_selection
from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.results import by_candidate, counts_of, faults_of, labelled_trades
from stom_ray.engine.trades import concatenate
from stom_ray.engine.types import EngineConfig, Ints, ParamMatrix, RunResult, Trades
from stom_ray.store.panel import Selection

Done = TypeVar("Done", Recorded, Added)


class CudaBacktest:
    """A strategy bound to a selection and a device: compile and bind once, run many batches of parameter rows.

    device: the first GPU when it is None. memory_bytes: of the device, for everything; what is free now when it is None. A
    selection that fits stays on the device between batches; a larger one is streamed in blocks of instruments, made again for
    each batch.
    Raises ConfigError where there is no GPU, and for a script that a GPU cannot run bit for bit.
    """

    def __init__(
        self,
        strategy: Strategy,
        selection: Selection,
        config: EngineConfig,
        *,
        device: Device | None = None,
        memory_bytes: int | None = None,
    ) -> None:
        self.strategy = strategy
        self.selection = selection
        self.config = config
        self._cuda = emit_cuda(strategy, selection.selected.layout)
        self._emitted = EmittedKernel(self._cuda.source, self._cuda.sites)
        device = CupyDevice() if device is None else device
        self._driver = CudaDriver(self._cuda, device, config.bid_levels, memory_bytes)
        self._whole: _Resident | None = None

    def run(self, params: ParamMatrix) -> RunResult:
        """Trades ordered by candidate, code, time; the first fault of each candidate that stopped; counts of the others."""
        faults = np.full((len(params), 2), -1, dtype=np.int64)
        zeros = np.zeros((len(params), max(1, len(self._cuda.sites.zero_lines))), dtype=np.int64)
        parts = []
        for block, recorded in self._over_blocks(params, faults, CudaDriver.run):
            zeros += recorded.zeros
            parts.append(block_trades(block, recorded, faults[:, 0] >= 0))
        stopped, sites = faults[:, 0] >= 0, self._cuda.sites
        found = faults_of(faults, sites, self.selection.selected)
        return RunResult(by_candidate(concatenate(parts), stopped), found, counts_of(zeros, stopped, sites))

    def totals(self, params: ParamMatrix) -> Totals:
        """Each candidate's sums, added up on the device: no trade is copied, and there is room for any number of them."""
        faults = np.full((len(params), 2), -1, dtype=np.int64)
        days = np.unique(self.selection.selected.session_day)
        sums = np.zeros((3 + len(days), len(params)), dtype=np.int64)
        for block, added in self._over_blocks(params, faults, CudaDriver.add):
            sums[:3] += added.sums[:3]
            sums[3 + np.searchsorted(days, np.unique(block.panel.session_day))] += added.sums[3:]
        totals = Totals(sums[0], sums[1], sums[2], sums[3:].T, days)
        return totals.without(faults_of(faults, self._cuda.sites, self.selection.selected))

    # Blocks of instruments

    def _over_blocks(
        self, params: ParamMatrix, faults: Ints, work: Callable[[CudaDriver, ResidentBlock, BatchArrays], Done]
    ) -> Iterator[tuple[Block, Done]]:
        """Each block and what `work` found there. faults: (n_candidates, 2) is kept up to date; who stopped runs no more."""
        check_run(self.strategy, self.selection, params, self.config)
        windows = batch_windows(self._emitted, params, self.strategy.profile == "stom")
        for resident in self._blocks(windows):
            arranged = resident.arranged(self._driver, self.strategy.buy, params, windows, faults[:, 0] >= 0)
            done = work(self._driver, *arranged)
            del arranged  # before the next block needs the room
            first = (done.faults[:, 0] >= 0) & (faults[:, 0] < 0)
            faults[first, 0] = done.faults[first, 0]
            faults[first, 1] = done.faults[first, 1] + resident.block.row_from
            if resident is not self._whole:
                resident.release()
            yield resident.block, done

    def _blocks(self, windows: BatchWindows) -> Iterator[_Resident]:
        columns = len(self._cuda.sites.columns) + len(self._window_keys(windows))
        rows = self._driver.rows_per_block(columns)
        if self.selection.selected.n_rows <= rows:
            if self._whole is None:
                self._whole = self._resident(Block(self.selection, self._emitted, self.config, 0, 0))
            yield self._whole
            return
        self._whole = None
        for part, row, session in split_selection(self.selection, rows):
            yield self._resident(Block(part, self._emitted, self.config, row, session))

    def _resident(self, block: Block) -> _Resident:
        return _Resident(block, OpenRows(self.strategy, self.config, self._emitted, block))

    def _window_keys(self, windows: BatchWindows) -> set[WindowKey]:
        """Every (function, length) that the batch may need a column for."""
        sites, loaded = self._cuda.sites, self.config.loaded_lengths
        keys = {(name, length) for name in sites.varying_functions for length in loadable_lengths(name, loaded)}
        for position, site in enumerate(sites.windows):
            keys |= {(site.function, int(length)) for length in np.unique(windows.lengths[:, position])}
        return keys


class _Resident:
    """A block on the host with its copy on the device, made at its first run."""

    def __init__(self, block: Block, rows: OpenRows) -> None:
        self.block = block
        self._rows = rows
        self._copy: ResidentBlock | None = None
        self._written: dict[int, WindowKey] = {}

    def arranged(
        self, driver: CudaDriver, buy: ir.Program, params: ParamMatrix, windows: BatchWindows, stopped: NDArray[np.bool_]
    ) -> tuple[ResidentBlock, BatchArrays]:
        """For the driver: the block on the device, with the columns that this batch reads, and the batch."""
        block = self.block
        following, table = following_rows(block, buy, self._rows, params, windows)
        loaded = block.loaded_tables()
        batch = BatchArrays(
            params=np.ascontiguousarray(params.values, dtype=np.float64),
            floats=np.ascontiguousarray(params.is_float, dtype=np.bool_),
            gates=gate_rows(params, block.config),
            windows=table,
            loaded_lengths=loaded[0],
            loaded_columns=loaded[1],
            following=following,
            stopped=stopped,
        )
        return self._resident(driver, windows, table, loaded), batch

    def release(self) -> None:
        """Frees the device's copy, before the next block needs the room."""
        self._copy = None

    def _resident(self, driver: CudaDriver, windows: BatchWindows, table: Ints, loaded: tuple[Ints, Ints]) -> ResidentBlock:
        """The copy, with the columns that this batch reads."""
        needed = self._window_columns(windows, table, loaded)
        block = self.block
        if self._copy is None:
            _, days = np.unique(block.panel.session_day, return_inverse=True)
            arrays = BlockArrays(block.matrix, block.entry, block.offsets, block.firsts, block.costs, block.tests, days)
            self._copy = driver.load(arrays)
        else:
            self._copy.write_columns(block.matrix, [place for place, key in needed.items() if self._written.get(place) != key])
        self._written |= needed
        return self._copy

    def _window_columns(self, windows: BatchWindows, table: Ints, loaded: tuple[Ints, Ints]) -> dict[int, WindowKey]:
        """Row of the column matrix -> the window that has to be in it."""
        sites = self.block.emitted.sites
        found: dict[int, WindowKey] = {}
        for position, site in enumerate(sites.windows):
            lengths, first = np.unique(windows.lengths[:, position], return_index=True)
            found |= {int(table[row, 0, position]): (site.function, int(lengths[k])) for k, row in enumerate(first)}
        for function, lengths, places in zip(sites.varying_functions, *loaded, strict=False):
            found |= {int(place): (function, int(length)) for length, place in zip(lengths, places, strict=True) if length > 0}
        return {place: key for place, key in found.items() if place >= len(sites.columns)}


def block_trades(block: Block, recorded: Recorded, stopped: NDArray[np.bool_]) -> Trades:
    """Recorded trades of a block as the engine's, rows and sessions counted in the whole selection."""
    going = ~stopped[recorded.places[:, 0]]
    candidate, session, buy_row, sell_row, label = (column[going].astype(np.int64) for column in recorded.places.T)
    as_kernel = np.stack((session, candidate, buy_row, sell_row, recorded.prices[going], label), axis=1)
    return labelled_trades(as_kernel, len(stopped), block)
