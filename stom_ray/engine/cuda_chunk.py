"""Candidates of a batch on the device: what their walks read, launches cut to size, and what is brought back.

Candidates × sessions is cut into launches. Sums come back once, when all launches are done. Recorded trades come back after each:
a launch whose trades do not fit the buffer is cut in half and made again, so memory is bounded whatever a strategy trades.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from stom_ray.conditions.emit_cuda import ARGUMENTS, LOT, NO_FAULT, PLACE_FIELDS, THREADS_PER_BLOCK, EmittedCuda
from stom_ray.engine.cuda_arrays import (
    Added,
    BatchArrays,
    Bools,
    Floats,
    Ints,
    Recorded,
    ResidentBlock,
    Rows32,
    distinct_rows,
    in_lots,
)
from stom_ray.engine.cuda_device import Device, Program

LARGEST_LAUNCH = 1 << 22  # threads; keeps a launch well under a second, for cards that also drive a screen
# Device memory a trade takes: the record, what sorting needs (keys and order, twice, and a key made of parts), the sorted record.
TRADE_BYTES = 2 * (4 * PLACE_FIELDS + 8) + 48
LARGEST_BUFFER = 1 << 24  # trades
NEVER = 1 << 30  # rows; a window that needs as many is never filled, and numbers this large stay exact as int32
TRADE_SHARE, OUTCOME_SHARE = 0.15, 0.1  # of the memory limit
# Outcomes are worked out for every open row beforehand when they are at most this many a (session, candidate): about as many as
# there are trades to share them.
OUTCOMES_A_WALK = 1.0


@dataclass(frozen=True)
class Kernels:
    """A strategy's compiled kernels, and the device they run on."""

    emitted: EmittedCuda
    device: Device
    program: Program
    bid_levels: int
    memory_bytes: int

    @property
    def n_zero_lines(self) -> int:
        return max(1, len(self.emitted.sites.zero_lines))

    def trades_per_launch(self, longest_session: int) -> int:
        """How many a launch may record; never less than one candidate can make of a session."""
        fitting = int(self.memory_bytes * TRADE_SHARE) // TRADE_BYTES
        return max(min(fitting, LARGEST_BUFFER), longest_session // 2 + 1)


@dataclass(frozen=True)
class Tile:
    """Sessions × candidates."""

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

    def launches(self) -> Iterator[Tile]:
        """The tile in parts of at most `LARGEST_LAUNCH` threads."""
        if self.threads <= LARGEST_LAUNCH:
            yield self
        else:
            for half in self.halves():
                yield from half.launches()


class OpenToBatch:
    """Where a batch may buy. following: on the device; rows: (n_open,) on which some candidate may buy, on the host."""

    def __init__(self, device: Device, block: ResidentBlock, following: Rows32) -> None:
        self.following = device.xp.asarray(following)
        self.rows = np.flatnonzero((following == block.numbers) & block.buyable).astype(np.int32)


class Chunk:
    """Candidates [start, stop) of a batch on the device."""

    _suffix = ""  # of the kernels' names
    _outcome_words = 1  # int64 numbers an outcome

    def __init__(
        self, kernels: Kernels, block: ResidentBlock, batch: BatchArrays, open_rows: OpenToBatch, start: int, stop: int
    ) -> None:
        self._kernels, self._block, self._device = kernels, block, kernels.device
        xp = self._device.xp
        self._start, self._n = start, stop - start
        self._outcomes = 0
        emitted = kernels.emitted
        variables = list(emitted.variables)
        windows = np.minimum(batch.windows[start:stop].reshape(self._n, -1), NEVER).astype(np.int32)
        elapsed = (block.n_rows, len(emitted.sites.elapsed)) if emitted.fills_elapsed else (0, 0)
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
            "costs": block.costs,
            "params": xp.asarray(in_lots(batch.params[start:stop, variables])),
            "floats": xp.asarray(in_lots(batch.floats[start:stop, variables])),
            "bid_levels": np.int64(kernels.bid_levels),
            "following": open_rows.following,
            "gates": xp.asarray(batch.gates[start:stop]),
            "stopped": xp.asarray(batch.stopped[start:stop]),
            "faults": xp.full(self._n, np.uint64(NO_FAULT), dtype=np.uint64),
        }
        sold_by = None if emitted.sold_by is None else list(emitted.sold_by)
        self._remembers = sold_by is not None and self._share_outcomes(
            open_rows.rows, batch.params[start:stop, sold_by], batch.floats[start:stop, sold_by]
        )
        self._fill()

    def _share_outcomes(self, open_rows: Rows32, values: Floats, floats: Bools) -> bool:
        """Makes the arrays for outcomes, when there are few enough. values, floats: (n, k) what the sell text reads."""
        xp, block = self._device.xp, self._block
        bits = np.ascontiguousarray(values, dtype=np.float64).view(np.int64)  # 0.0 and -0.0 may sell differently
        keys = np.concatenate([bits, floats.astype(np.int64)], axis=1)
        examples, exits = distinct_rows(keys)
        outcomes, words = len(examples) * len(open_rows), self._outcome_words
        fitting = int(self._kernels.memory_bytes * OUTCOME_SHARE) - 12 * block.n_rows
        if outcomes > OUTCOMES_A_WALK * self._n * block.n_sessions or 8 * words * outcomes > fitting:
            return False
        self._outcomes = outcomes
        numbers = np.zeros(block.n_rows, dtype=np.int32)
        numbers[open_rows] = np.arange(len(open_rows), dtype=np.int32)
        self._arguments |= {
            "open_rows": xp.asarray(open_rows),
            "open_sessions": xp.asarray(block.session_of[open_rows]),
            "open_numbers": xp.asarray(numbers),
            "exit_candidates": xp.asarray(examples.astype(np.int32)),
            "exits": xp.asarray(exits.astype(np.int32)),
            "n_exits": np.int64(len(examples)),
            "outcomes": xp.empty(words * outcomes, dtype=np.int64),
        }
        return True

    def _fill(self) -> None:
        """What walks look up."""
        if self._kernels.emitted.fills_elapsed:
            self._launch("fill_elapsed", Tile(0, self._block.n_sessions, 0, 1))
        for at in range(0, self._outcomes, LARGEST_LAUNCH):
            count = min(LARGEST_LAUNCH, self._outcomes - at)
            self._arguments |= {"outcome_from": np.int64(at), "outcome_count": np.int64(count)}
            self._launch(f"fill_outcomes{self._suffix}", Tile(0, count, 0, 1))

    def _launches(self) -> Iterator[Tile]:
        return Tile(0, self._block.n_sessions, 0, self._n).launches()

    def _walk(self, tile: Tile) -> None:
        self._launch(f"{'walk_outcomes' if self._remembers else 'walk'}{self._suffix}", tile)

    def _launch(self, name: str, tile: Tile) -> None:
        given = self._arguments | {key: np.int64(value) for key, value in vars(tile).items()}
        self._kernels.program.launch(name, tile.threads, THREADS_PER_BLOCK, [given[key] for key, _ in ARGUMENTS[name]])

    def _faults(self) -> Ints:
        """(n, 2) site and row of the first faults."""
        packed = self._device.to_host(self._arguments["faults"])
        found = packed != np.uint64(NO_FAULT)
        faults = np.full((self._n, 2), -1, dtype=np.int64)
        faults[found, 0] = (packed[found] & np.uint64(2**32 - 1)).astype(np.int64)
        faults[found, 1] = (packed[found] >> np.uint64(32)).astype(np.int64)
        return faults


class RecordingChunk(Chunk):
    """Records trades, and counts divisions by zero."""

    def recorded(self) -> Recorded:
        places, prices = [np.empty((0, PLACE_FIELDS), dtype=np.int32)], [np.empty(0, dtype=np.int64)]
        zeros = self._device.xp.zeros((-(-self._n // LOT), self._kernels.n_zero_lines, LOT), dtype=np.uint64)
        for found, sold in self._trades(zeros):
            found[:, 0] += self._start
            places.append(found)
            prices.append(sold)
        counts = self._device.to_host(zeros).transpose(0, 2, 1).reshape(-1, zeros.shape[1])[: self._n].astype(np.int64)
        return Recorded(np.concatenate(places), np.concatenate(prices), self._faults(), counts)

    def _trades(self, zeros: Any) -> Iterator[tuple[Rows32, Ints]]:
        """Places and prices of one launch after the other, sessions ascending for every candidate; adds to `zeros`."""
        xp = self._device.xp
        capacity = self._kernels.trades_per_launch(self._block.longest_session)
        self._arguments |= {
            "capacity": np.int64(capacity),
            "places": xp.empty((capacity, PLACE_FIELDS), dtype=np.int32),
            "prices": xp.empty(capacity, dtype=np.int64),
        }
        waiting = [*self._launches()][::-1]
        while waiting:
            tile = waiting.pop()
            self._arguments |= {"count": xp.zeros(1, dtype=np.uint64), "zeros": xp.zeros_like(zeros)}
            self._walk(tile)
            count = int(self._device.to_host(self._arguments["count"])[0])
            if count > capacity:
                waiting.extend(reversed(tile.halves()))
                continue
            zeros += self._arguments["zeros"]
            if count:
                yield self._sorted(count)

    def _sorted(self, count: int) -> tuple[Rows32, Ints]:
        """The recorded trades by candidate, then time; threads record them in any order."""
        places, prices = self._arguments["places"][:count], self._arguments["prices"][:count]
        order = self._device.xp.argsort(places[:, 0].astype(np.int64) * self._block.n_rows + places[:, 2])
        return self._device.to_host(places[order]), self._device.to_host(prices[order])


class AddingChunk(Chunk):
    """Adds up what trades earn: none of them leaves the device."""

    _suffix = "_sums"
    _outcome_words = 2

    def added(self) -> Added:
        sums = self._device.xp.zeros((3 + self._block.n_days, self._n), dtype=np.uint64)
        self._arguments |= {"days": self._block.days, "n_candidates": np.int64(self._n), "sums": sums}
        for tile in self._launches():
            self._walk(tile)
        return Added(self._device.to_host(sums).view(np.int64), self._faults())  # a loss is its two's complement
