"""Arrays that the CUDA driver takes and gives, and a block's on the device. Numpy only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions.emit_cuda import LOT
from stom_ray.engine.cuda_device import Device

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Rows32 = NDArray[np.int32]


@dataclass(frozen=True)
class BlockArrays:
    """A block of sessions, as the emitter's arguments name them.

    matrix: (n_columns, n_rows) float64, C order. days: (n_sessions,) number of the session's day among the block's.
    """

    matrix: Floats
    entry: Floats
    offsets: Ints
    firsts: Ints
    costs: Floats
    tests: Bools
    days: Ints


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


@dataclass(frozen=True)
class Added:
    """What a batch earned over a block.

    sums: (3 + n_days, n_candidates) int64 trades, trades with profit >= 0, seconds held, then KRW of each day of the block.
    faults: as in Recorded. Sums of candidates with a fault are not to be used.
    """

    sums: Ints
    faults: Ints


class ResidentBlock:
    """A block's arrays on the device.

    On the host, (n_rows,) each: numbers of the rows, session_of, and buyable, where the book can fill and it is not the session's
    last row.
    """

    def __init__(self, device: Device, arrays: BlockArrays) -> None:
        put = device.xp.asarray
        self.n_rows = arrays.entry.shape[1]
        self.entry = put(np.ascontiguousarray(arrays.entry.T))
        self.offsets = put(arrays.offsets)
        self.firsts = put(arrays.firsts)
        self.costs = put(arrays.costs)
        self.tests = put(arrays.tests)
        self.days = put(arrays.days)
        self.n_days = 1 + int(arrays.days.max(initial=-1))
        self.n_sessions = len(arrays.firsts)
        rows = np.diff(arrays.offsets)
        self.longest_session = int(rows.max(initial=0))
        self.session_of = np.repeat(np.arange(self.n_sessions, dtype=np.int32), rows)
        self.numbers = np.arange(self.n_rows, dtype=np.int32)
        self.buyable = arrays.entry[1] > 0.0
        self.buyable[arrays.offsets[1:] - 1] = False
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


def distinct_rows(keys: Ints) -> tuple[Ints, Ints]:
    """(one row of each kind, (n,) kind of every row); column by column, because sorting whole rows takes ten times as long."""
    kinds, which = 1, np.zeros(len(keys), dtype=np.int64)
    for column in keys.T:
        if (column == column[0]).all():
            continue
        values = np.unique(column)
        both = which * len(values) + np.searchsorted(values, column)
        combined = np.unique(both)
        kinds, which = len(combined), np.searchsorted(combined, both)
    example = np.empty(kinds, dtype=np.int64)
    example[which] = np.arange(len(keys))
    return example, which


def in_lots(values: NDArray[Any]) -> NDArray[Any]:
    """(n, k) values of candidates as the kernels read them: (n_lots, k, LOT), the last lot filled up with zeros."""
    n, k = values.shape
    lots = -(-n // LOT)
    full = np.zeros((lots * LOT, k), dtype=values.dtype)
    full[:n] = values
    return np.ascontiguousarray(full.reshape(lots, LOT, k).transpose(0, 2, 1))
