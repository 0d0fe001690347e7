"""What scripts read of a selection: columns, windows and times, each (n_rows,) over the selected panel's rows.

Values are computed when they are first asked for and kept. The reference interpreter and the kernels' binding read the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stom_ray.features.slices import RAW
from stom_ray.features.windows import SOURCE, precomputed, raw
from stom_ray.machine_code import njit
from stom_ray.schema.windows import MOVING_AVERAGE_LENGTHS
from stom_ray.store.panel import Selection

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit(cache=True, error_model="numpy", nogil=True)
def seconds_of(clock: float) -> float:
    """yyyymmddhhmmss as seconds since 1970-01-01 00:00 of the same wall clock; NaN when it is no date and time."""
    if not 19000101000000.0 <= clock < 22000101000000.0:
        return np.nan
    number = np.int64(clock)
    second, minute, hour = number % 100, number // 100 % 100, number // 10_000 % 100
    day, month, year = number // 1_000_000 % 100, number // 100_000_000 % 100, number // 10_000_000_000
    if second > 59 or minute > 59 or hour > 23 or not 1 <= month <= 12 or day < 1:
        return np.nan
    leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    longest = 31 - (month in (4, 6, 9, 11)) if month != 2 else 28 + leap
    if day > longest:
        return np.nan
    # days from the civil calendar with years that begin in March (Hinnant 2013)
    shifted = year - (month <= 2)
    of_era = shifted % 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = shifted // 400 * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
    return float(days * 86_400 + hour * 3_600 + minute * 60 + second)


@njit(cache=True, error_model="numpy", nogil=True)
def seconds_of_all(clocks: Floats) -> Floats:
    """`seconds_of` of every element."""
    out = np.empty(len(clocks), dtype=np.float64)
    for i in range(len(clocks)):
        out[i] = seconds_of(clocks[i])
    return out


class Rows:
    """The rows of a selection.

    loaded_lengths: window lengths that have a precomputed column; the others are raw windows.
    """

    def __init__(self, selection: Selection, loaded_lengths: Sequence[int]) -> None:
        self.selection = selection
        self.panel = selection.selected
        self.loaded_lengths = frozenset(loaded_lengths)
        self._windows: dict[tuple[str, int], Floats] = {}
        self._sources: dict[str, Floats] = {}
        self._derived: dict[str, Floats] = {}

    def column(self, name: str) -> Floats:
        """A column of the table, float64. Raises SchemaError when the layout neither has nor implies it."""
        if name not in self._sources:
            self._sources[name] = np.ascontiguousarray(self.panel.column(name), dtype=np.float64)
        return self._sources[name]

    def is_loaded(self, function: str, length: int) -> bool:
        """Whether FUNCTION(length) reads a precomputed column (spec/engine.md §4)."""
        return length in (MOVING_AVERAGE_LENGTHS if function == "이동평균" else self.loaded_lengths)

    def window(self, function: str, length: int) -> Floats:
        """FUNCTION(length) ending at each row: the loader's column, or the raw window over the selected rows, across days.

        NaN while a precomputed window has not filled since the first loaded row; NaN where a raw one would begin before the
        instrument's first selected row.
        """
        key = (function, length)
        if key not in self._windows:
            if self.is_loaded(function, length):
                self._windows[key] = precomputed(self.selection.loaded, function, length)[self.selection.rows]
            else:
                self._windows[key] = raw(self.panel, function, length)
        return self._windows[key]

    def raw_value(self, function: str, end: int, length: int) -> float:
        """One value of a raw window, for lengths that change from row to row."""
        return RAW[function](self.column(SOURCE[function]), end, length)

    @property
    def seconds(self) -> Floats:
        """The row's clock in seconds."""
        if "seconds" not in self._derived:
            self._derived["seconds"] = seconds_of_all(self.panel.clock.astype(np.float64))
        return self._derived["seconds"]

    @property
    def release_seconds(self) -> Floats:
        """VI해제시간 in seconds; NaN, with which every comparison is false, where the table holds no time."""
        if "release" not in self._derived:
            self._derived["release"] = seconds_of_all(self.column("VI해제시간"))
        return self._derived["release"]
