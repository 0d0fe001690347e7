"""The CUDA kernel's driver: arrays of a block of sessions in; recorded trades, or sums a candidate, and faults out.

Needs numpy and a `Device` (cupy), nothing else, so that a machine with a GPU can be sent bound blocks and no more. The columns of
a block stay on the device from batch to batch. Of a batch, candidates that fit are on the device at a time (`cuda_chunk`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stom_ray.conditions.emit_cuda import PLACE_FIELDS, EmittedCuda
from stom_ray.engine.cuda_arrays import Added, BatchArrays, BlockArrays, Recorded, ResidentBlock
from stom_ray.engine.cuda_chunk import AddingChunk, Kernels, OpenToBatch, RecordingChunk
from stom_ray.engine.cuda_device import Device
from stom_ray.errors import ConfigError

ROW_SHARE, CANDIDATE_SHARE = 0.55, 0.1  # of the memory limit; cuda_chunk has two more, what is left is the allocator's


class CudaDriver:
    """One strategy's kernels on one device, each compiled when it is first needed.

    memory_bytes: of the device, for everything; what is free now when it is None.
    """

    def __init__(self, emitted: EmittedCuda, device: Device, bid_levels: int, memory_bytes: int | None = None) -> None:
        self._emitted = emitted
        self._device = device
        self._bid_levels = bid_levels
        self.memory_bytes = device.free_bytes() if memory_bytes is None else memory_bytes
        self._compiled: dict[str, Kernels] = {}

    def rows_per_block(self, n_columns: int) -> int:
        """How many rows of a matrix of `n_columns`, with what goes beside them, fit."""
        elapsed = len(self._emitted.sites.elapsed)
        return max(1, int(self.memory_bytes * ROW_SHARE) // (8 * (n_columns + elapsed + 2) + 4))

    def load(self, arrays: BlockArrays) -> ResidentBlock:
        """Raises ConfigError for more rows than the kernel can number."""
        if arrays.matrix.shape[1] >= 2**31 - 1:
            raise ConfigError(f"a block of {arrays.matrix.shape[1]:,} rows: the CUDA kernel numbers at most 2**31 - 2")
        return ResidentBlock(self._device, arrays)

    def run(self, block: ResidentBlock, batch: BatchArrays) -> Recorded:
        """The trades of every candidate over every session of the block. Raises ConfigError when the compiler refuses."""
        kernels = self._kernels(self._emitted.source)
        open_rows = OpenToBatch(self._device, block, batch.following)
        n = len(batch.gates)
        faults, zeros = np.empty((n, 2), dtype=np.int64), np.empty((n, kernels.n_zero_lines), dtype=np.int64)
        places, prices = [np.empty((0, PLACE_FIELDS), dtype=np.int32)], [np.empty(0, dtype=np.int64)]
        for start, stop in self._chunks(batch, 16 * kernels.n_zero_lines):
            found = RecordingChunk(kernels, block, batch, open_rows, start, stop).recorded()
            faults[start:stop], zeros[start:stop] = found.faults, found.zeros
            places.append(found.places)
            prices.append(found.prices)
        return Recorded(np.concatenate(places), np.concatenate(prices), faults, zeros)

    def add(self, block: ResidentBlock, batch: BatchArrays) -> Added:
        """What every candidate earned over the block, added up on the device. Raises ConfigError as `run`."""
        kernels = self._kernels(self._emitted.sums_source)
        open_rows = OpenToBatch(self._device, block, batch.following)
        n = len(batch.gates)
        sums, faults = np.empty((3 + block.n_days, n), dtype=np.int64), np.empty((n, 2), dtype=np.int64)
        for start, stop in self._chunks(batch, 8 * len(sums)):
            found = AddingChunk(kernels, block, batch, open_rows, start, stop).added()
            sums[:, start:stop], faults[start:stop] = found.sums, found.faults
        return Added(sums, faults)

    def _kernels(self, source: str) -> Kernels:
        if source not in self._compiled:
            program = self._device.compile(source)
            self._compiled[source] = Kernels(self._emitted, self._device, program, self._bid_levels, self.memory_bytes)
        return self._compiled[source]

    def _chunks(self, batch: BatchArrays, result_bytes: int) -> Iterator[tuple[int, int]]:
        """Candidates whose parameters and results fit at a time."""
        of_one = 9 * len(self._emitted.variables) + 4 * 4 * batch.windows.shape[2] + result_bytes + 32
        size = max(1, int(self.memory_bytes * CANDIDATE_SHARE) // of_one)
        for start in range(0, len(batch.gates), size):
            yield start, min(start + size, len(batch.gates))
