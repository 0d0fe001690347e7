"""The CUDA kernel's driver: arrays of a block of sessions in, recorded trades, faults and counts out.

Needs numpy and a `Device` (cupy), nothing else, so that a machine with a GPU can be sent bound blocks and no more. The columns of
a block stay on the device from batch to batch. Candidates × sessions is cut into launches; a launch whose trades do not fit the
buffer is cut in half and made again, so memory is bounded whatever a strategy trades. Only recorded trades are copied back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions.emit_cuda import (
    ELAPSED_ARGUMENTS,
    LOT,
    NO_FAULT,
    OUTCOME_ARGUMENTS,
    PLACE_FIELDS,
    THREADS_PER_BLOCK,
    WALK_ARGUMENTS,
    WALK_OUTCOME_ARGUMENTS,
    EmittedCuda,
)
from stom_ray.engine.cuda_device import Device
from stom_ray.errors import ConfigError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Rows32 = NDArray[np.int32]

LARGEST_LAUNCH = 1 << 22  # threads; keeps a launch well under a second, for cards that also drive a screen
# Device memory a trade takes: the record, what sorting needs (keys and order, twice, and a key made of parts), the sorted record.
TRADE_BYTES = 2 * (4 * PLACE_FIELDS + 8) + 48
LARGEST_BUFFER = 1 << 24  # trades
NEVER = 1 << 30  # rows; a window that needs as many is never filled, and numbers this large stay exact as int32
# Of the memory limit; what is left is the allocator's.
ROW_SHARE, TRADE_SHARE, CANDIDATE_SHARE, OUTCOME_SHARE = 0.55, 0.15, 0.1, 0.1
# Outcomes are worked out for every open row beforehand when they are at most this many a (session, candidate): about as many as
# there are trades to share them.
OUTCOMES_A_WALK = 1.0


@dataclass(frozen=True)
class BlockArrays:
    """A block of sessions, as the emitter's arguments name them. matrix: (n_columns, n_rows) float64, C order."""

    matrix: Floats
    entry: Floats
    offsets: Ints
    firsts: Ints
    costs: Floats
    tests: Bools

    @property
    def n_sessions(self) -> int:
        return len(self.firsts)

    @property
    def longest_session(self) -> int:
        return int(np.diff(self.offsets).max(initial=0))


@dataclass(frozen=True)
class BatchArrays:
    """A batch of candidates over one block.

    params, floats: (n_candidates, n_vars). gates: (n_candidates,). windows: (n_candidates, 4, n_windows) int64. loaded_lengths,
    loaded_columns: (n_varying, n_lengths) int64. following: (n_rows,) int32. stopped: (n_candidates,) not to be run.
    """

    params: Floats
    floats: Bools
    gates: Ints
    windows: Ints
    loaded_lengths: Ints
    loaded_columns: Ints
    following: Rows32
    stopped: Bools


@dataclass(frozen=True)
class Recorded:
    """What a batch did over a block.

    places: (n_trades, 5) int32 candidate, session, buy row, sell row, label, each candidate's in order of time. prices:
    (n_trades,) KRW sold at. faults: (n_candidates, 2) site and row of the first fault, -1 without. zeros: (n_candidates,
    n_zero_lines) counts. Trades and counts of candidates with a fault are not to be used.
    """

    places: Rows32
    prices: Ints
    faults: Ints
    zeros: Ints


class ResidentBlock:
    """A block's arrays on the device.

    On the host: session_of (n_rows,), and buyable (n_rows,), where the book can fill and it is not the session's last row.
    """

    def __init__(self, device: Device, arrays: BlockArrays) -> None:
        put = device.xp.asarray
        self.n_rows = arrays.entry.shape[1]
        self.entry = put(np.ascontiguousarray(arrays.entry.T))
        self.offsets = put(arrays.offsets)
        self.firsts = put(arrays.firsts)
        self.costs = put(arrays.costs)
        self.tests = put(arrays.tests)
        self.n_sessions = arrays.n_sessions
        self.session_of = np.repeat(np.arange(arrays.n_sessions, dtype=np.int32), np.diff(arrays.offsets))
        self.buyable = arrays.entry[1] > 0.0
        self.buyable[arrays.offsets[1:] - 1] = False
        self.longest_session = arrays.longest_session
        self._device = device
        self.columns: Any = None
        self.write_columns(arrays.matrix, [])

    def write_columns(self, matrix: Floats, numbers: list[int]) -> None:
        """Brings the columns with these numbers up to date; all of them when the matrix has grown.

        Columns lie side by side here, (n_rows, n_columns). They are turned one by one, and grown ones replace the old before the
        new are made, because there is no room for both.
        """
        xp = self._device.xp
        if self.columns is None or len(matrix) > self.columns.shape[1]:
            self.columns = None
            self.columns = xp.empty((self.n_rows, len(matrix)), dtype=np.float64)
            numbers = list(range(len(matrix)))
        for number in numbers:
            self.columns[:, number] = xp.asarray(matrix[number])


@dataclass(frozen=True)
class Tile:
    """One launch: sessions × candidates."""

    session_from: int
    session_count: int
    candidate_from: int
    candidate_count: int

    @property
    def threads(self) -> int:
        return self.session_count * self.candidate_count

    def halves(self) -> tuple[Tile, Tile]:
        """Both halves, the earlier sessions first, so that a candidate's trades stay in order of time."""
        if self.session_count > 1:
            half = self.session_count // 2
            rest = self.session_count - half
            return (
                Tile(self.session_from, half, self.candidate_from, self.candidate_count),
                Tile(self.session_from + half, rest, self.candidate_from, self.candidate_count),
            )
        half = self.candidate_count // 2
        rest = self.candidate_count - half
        return (
            Tile(self.session_from, 1, self.candidate_from, half),
            Tile(self.session_from, 1, self.candidate_from + half, rest),
        )


class CudaDriver:
    """One strategy's kernels on one device.

    memory_bytes: of the device, for everything; what is free now when it is None. Raises ConfigError when the compiler refuses.
    """

    def __init__(self, emitted: EmittedCuda, device: Device, bid_levels: int, memory_bytes: int | None = None) -> None:
        self._emitted = emitted
        self._device = device
        self._program = device.compile(emitted.source)
        self._bid_levels = bid_levels
        self.memory_bytes = device.free_bytes() if memory_bytes is None else memory_bytes
        self._n_zero_lines = max(1, len(emitted.sites.zero_lines))

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
        """Every candidate over every session of the block."""
        n = len(batch.gates)
        faults, zeros = np.full((n, 2), -1, dtype=np.int64), np.zeros((n, self._n_zero_lines), dtype=np.int64)
        rows = _Rows(self._device, block, batch.following)
        places, prices = [], []
        for start, stop in self._chunks(batch):
            part = self._run_chunk(block, batch, rows, start, stop)
            places.append(part.places)
            prices.append(part.prices)
            faults[start:stop], zeros[start:stop] = part.faults, part.zeros
        return Recorded(np.concatenate(places), np.concatenate(prices), faults, zeros)

    def _run_chunk(self, block: ResidentBlock, batch: BatchArrays, rows: _Rows, start: int, stop: int) -> Recorded:
        """Candidates [start, stop); what they take on the device is free again when this returns."""
        chunk = _Chunk(self, block, batch, rows, start, stop)
        places, prices = [np.empty((0, PLACE_FIELDS), dtype=np.int32)], [np.empty(0, dtype=np.int64)]
        for found, sold in chunk.trades():
            found[:, 0] += start
            places.append(found)
            prices.append(sold)
        return Recorded(np.concatenate(places), np.concatenate(prices), *chunk.outcome())

    def _chunks(self, batch: BatchArrays) -> Iterator[tuple[int, int]]:
        """Candidates whose parameters and results fit at a time."""
        of_one = 9 * len(self._emitted.variables) + 4 * 4 * batch.windows.shape[2] + 16 * self._n_zero_lines + 32
        size = max(1, min(int(self.memory_bytes * CANDIDATE_SHARE) // of_one, LARGEST_LAUNCH))
        for start in range(0, len(batch.gates), size):
            yield start, min(start + size, len(batch.gates))

    def capacity(self, longest_session: int) -> int:
        """Trades that a launch may record; never less than one candidate can make of a session."""
        fitting = int(self.memory_bytes * TRADE_SHARE) // TRADE_BYTES
        return max(min(fitting, LARGEST_BUFFER), longest_session // 2 + 1)


class _Rows:
    """Where a batch may buy. following: on the device; open: (n_open,) rows on which some candidate may buy, on the host."""

    def __init__(self, device: Device, block: ResidentBlock, following: Rows32) -> None:
        self.following = device.xp.asarray(following)
        self.open = np.flatnonzero((following == np.arange(len(following))) & block.buyable).astype(np.int32)


class _Chunk:
    """Candidates [start, stop) of a batch on the device."""

    def __init__(self, driver: CudaDriver, block: ResidentBlock, batch: BatchArrays, rows: _Rows, start: int, stop: int) -> None:
        self._driver, self._block, self._device = driver, block, driver._device
        xp = self._device.xp
        self._n = stop - start
        self._outcomes = 0
        self._capacity = driver.capacity(block.longest_session)
        emitted = driver._emitted
        variables = list(emitted.variables)
        windows = np.minimum(batch.windows[start:stop].reshape(self._n, -1), NEVER).astype(np.int32)
        elapsed = (block.n_rows, len(emitted.sites.elapsed)) if emitted.fills_elapsed else (0, 0)
        self._zeros = xp.zeros((-(-self._n // LOT), driver._n_zero_lines, LOT), dtype=np.uint64)
        self._arguments: dict[str, Any] = {
            "cols": block.columns,
            "n_columns": np.int64(block.columns.shape[1]),
            "offsets": block.offsets,
            "firsts": block.firsts,
            "tests": block.tests,
            "windows": xp.asarray(in_lots(windows)),
            "loaded_lengths": xp.asarray(batch.loaded_lengths),
            "loaded_columns": xp.asarray(batch.loaded_columns),
            "n_lengths": np.int64(batch.loaded_lengths.shape[1]),
            "elapsed": xp.empty(elapsed, dtype=np.float64),
            "entry": block.entry,
            "following": rows.following,
            "costs": block.costs,
            "gates": xp.asarray(batch.gates[start:stop]),
            "params": xp.asarray(in_lots(batch.params[start:stop, variables])),
            "floats": xp.asarray(in_lots(batch.floats[start:stop, variables])),
            "stopped": xp.asarray(batch.stopped[start:stop]),
            "bid_levels": np.int64(driver._bid_levels),
            "capacity": np.int64(self._capacity),
            "places": xp.empty((self._capacity, PLACE_FIELDS), dtype=np.int32),
            "prices": xp.empty(self._capacity, dtype=np.int64),
            "faults": xp.full(self._n, np.uint64(NO_FAULT), dtype=np.uint64),
        }
        self._remembers = emitted.sold_by is not None and self._share_outcomes(
            rows, batch.params[start:stop, list(emitted.sold_by)], batch.floats[start:stop, list(emitted.sold_by)]
        )

    def _share_outcomes(self, rows: _Rows, values: Floats, floats: Bools) -> bool:
        """Makes the arrays for outcomes, when there are few enough. values, floats: (n, k) what the sell text reads."""
        xp, block = self._device.xp, self._block
        bits = np.ascontiguousarray(values, dtype=np.float64).view(np.int64)  # 0.0 and -0.0 may sell differently
        keys = np.concatenate([bits, floats.astype(np.int64)], axis=1)
        first, exits = np.zeros(1, dtype=np.int64), np.zeros(self._n, dtype=np.int64)
        if keys.shape[1]:
            _, first, exits = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        outcomes = len(first) * len(rows.open)
        fitting = int(self._driver.memory_bytes * OUTCOME_SHARE) - 12 * block.n_rows
        if outcomes > OUTCOMES_A_WALK * self._n * block.n_sessions or 8 * outcomes > fitting:
            return False
        self._outcomes = outcomes
        numbers = np.zeros(block.n_rows, dtype=np.int32)
        numbers[rows.open] = np.arange(len(rows.open), dtype=np.int32)
        self._arguments |= {
            "open_rows": xp.asarray(rows.open),
            "open_sessions": xp.asarray(block.session_of[rows.open]),
            "open_numbers": xp.asarray(numbers),
            "exit_candidates": xp.asarray(first.astype(np.int32)),
            "exits": xp.asarray(exits.reshape(-1).astype(np.int32)),
            "n_exits": np.int64(len(first)),
            "outcomes": xp.empty(outcomes, dtype=np.int64),
        }
        return True

    def trades(self) -> Iterator[tuple[Rows32, Ints]]:
        """Places and prices of one launch after the other, sessions ascending for every candidate."""
        if self._driver._emitted.fills_elapsed:
            self._launch("fill_elapsed", ELAPSED_ARGUMENTS, Tile(0, self._block.n_sessions, 0, 1))
        for at in range(0, self._outcomes, LARGEST_LAUNCH):
            count = min(LARGEST_LAUNCH, self._outcomes - at)
            self._arguments |= {"outcome_from": np.int64(at), "outcome_count": np.int64(count)}
            self._launch("fill_outcomes", OUTCOME_ARGUMENTS, Tile(0, count, 0, 1))
        waiting = [Tile(0, self._block.n_sessions, 0, self._n)]
        while waiting:
            tile = waiting.pop()
            if tile.threads > LARGEST_LAUNCH:
                waiting.extend(reversed(tile.halves()))
                continue
            count = self._walk(tile)
            if count > self._capacity:
                waiting.extend(reversed(tile.halves()))
                continue
            self._zeros += self._arguments["zeros"]
            if count:
                yield self._sorted(count)

    def _walk(self, tile: Tile) -> int:
        """One launch; returns how many trades there were, recorded or not."""
        xp = self._device.xp
        self._arguments["count"] = xp.zeros(1, dtype=np.uint64)
        self._arguments["zeros"] = xp.zeros_like(self._zeros)
        if self._remembers:
            self._launch("walk_outcomes", WALK_OUTCOME_ARGUMENTS, tile)
        else:
            self._launch("walk", WALK_ARGUMENTS, tile)
        return int(self._device.to_host(self._arguments["count"])[0])

    def _launch(self, name: str, arguments: tuple[tuple[str, str], ...], tile: Tile) -> None:
        given = self._arguments | {key: np.int64(value) for key, value in vars(tile).items()}
        self._driver._program.launch(name, tile.threads, THREADS_PER_BLOCK, [given[key] for key, _ in arguments])

    def _sorted(self, count: int) -> tuple[Rows32, Ints]:
        """The recorded trades by candidate, then time; threads record them in any order."""
        places, prices = self._arguments["places"][:count], self._arguments["prices"][:count]
        order = self._device.xp.argsort(places[:, 0].astype(np.int64) * self._block.n_rows + places[:, 2])
        return self._device.to_host(places[order]), self._device.to_host(prices[order])

    def outcome(self) -> tuple[Ints, Ints]:
        """(n, 2) site and row of the first faults, (n, n_zero_lines) counts."""
        packed = self._device.to_host(self._arguments["faults"])
        found = packed != np.uint64(NO_FAULT)
        faults = np.full((self._n, 2), -1, dtype=np.int64)
        faults[found, 0] = (packed[found] & np.uint64(2**32 - 1)).astype(np.int64)
        faults[found, 1] = (packed[found] >> np.uint64(32)).astype(np.int64)
        zeros = self._device.to_host(self._zeros).transpose(0, 2, 1).reshape(-1, self._zeros.shape[1])
        return faults, zeros[: self._n].astype(np.int64)


def in_lots(values: NDArray[Any]) -> NDArray[Any]:
    """(n, k) values of candidates as the kernels read them: (n_lots, k, LOT), the last lot filled up with zeros."""
    n, k = values.shape
    lots = -(-n // LOT)
    full = np.zeros((lots * LOT, k), dtype=values.dtype)
    full[:n] = values
    return np.ascontiguousarray(full.reshape(lots, LOT, k).transpose(0, 2, 1))
