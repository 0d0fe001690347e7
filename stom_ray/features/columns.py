"""Window columns of a selection, several at once: each (function, length) over groups of whole instruments, on several threads.

The kernels release the interpreter's lock and every piece writes rows of its own, so the columns are the same bits for any number
of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import ConfigError
from stom_ray.features.angles import rolling_angle
from stom_ray.features.pairwise import halves, pairwise_each_row
from stom_ray.features.rolling import WHOLE, divide_by, kind_of_sums, rolling_extreme, rolling_sum, running_total
from stom_ray.features.rounding import round_ticks
from stom_ray.machine_code import njit
from stom_ray.schema.windows import MOVING_AVERAGE_LENGTHS, WINDOW_SOURCE
from stom_ray.store.panel import Panel, Selection

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GROUP_ROWS = 1 << 17  # rows of a piece of work: 1 MiB of a column, and longer than it takes to hand it to a thread

_SIGNS = {"최고": 1.0, "최저": -1.0}
_DIGITS = {"이동평균": 3, "체결강도평균": 3, "초당거래대금평균": 0}  # decimals of a mean; the others are sums
_ANGLES = {"등락율각도": (5.0, 1.0), "당일거래대금각도": (1.0, 100.0), "전일비각도": (1.0, 1.0)}  # d * first / second
_RAW_ANGLES = {**_ANGLES, "당일거래대금각도": (0.01, 1.0)}


@dataclass(frozen=True)
class WindowColumn:
    """FUNCTION(length) ending at every row.

    loaded: the loader's column over the loaded rows (§1.3-1.6); otherwise the raw window over the selected ones (§2.3). Raises
    ConfigError for what is no window, and for a moving average that the loader does not have.
    """

    function: str
    length: int
    loaded: bool

    def __post_init__(self) -> None:
        if self.function not in WINDOW_SOURCE:
            raise ConfigError(f"{self.function} is no window function; those are: {', '.join(WINDOW_SOURCE)}")
        if self.length < 1:
            raise ConfigError(f"{self.function}({self.length}): a window has at least 1 row")
        if self.loaded and self.function == "이동평균" and self.length not in MOVING_AVERAGE_LENGTHS:
            raise ConfigError(f"이동평균({self.length}) has no precomputed column; those have: {MOVING_AVERAGE_LENGTHS}")


def fill(selection: Selection, wanted: Sequence[WindowColumn], out: Sequence[Floats], threads: int = 1) -> None:
    """Writes every wanted column over the selected rows, out[k] for wanted[k].

    out: (selection.selected.n_rows,) float64 each, C-contiguous. NaN before a window has filled, counted from the instrument's
    first loaded (raw: selected) row. A loaded column is NaN where the window holds a NaN or an infinity, a raw one is as numpy
    has it.
    """
    loaded = [k for k, column in enumerate(wanted) if column.loaded]
    raw = [k for k, column in enumerate(wanted) if not column.loaded]
    pieces: list[Callable[[], None]] = []
    for panel, rows, members in ((selection.loaded, selection.rows, loaded), (selection.selected, None, raw)):
        pieces += _pieces(panel, rows, [wanted[k] for k in members], [out[k] for k in members])
    if threads == 1:
        for piece in pieces:
            piece()
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(piece) for piece in pieces]:
            done.result()


def over_panel(panel: Panel, column: WindowColumn) -> Floats:
    """(n_rows,) one column over every row of `panel`."""
    out = np.empty(panel.n_rows, dtype=np.float64)
    for piece in _pieces(panel, None, [column], [out]):
        piece()
    return out


def _pieces(
    panel: Panel, rows: Ints | None, wanted: Sequence[WindowColumn], out: Sequence[Floats]
) -> Iterator[Callable[[], None]]:
    """Work that may be done in any order. rows: the ascending rows of `panel` that `out` has, None for all of them."""
    sources = {name: np.ascontiguousarray(panel.column(name), dtype=np.float64) for name in map(_source, wanted)}
    offsets = panel.instrument_offsets.astype(np.int64)
    by_source = sorted(range(len(wanted)), key=lambda k: _source(wanted[k]))
    for first, last in _groups(offsets):
        start, stop = int(offsets[first]), int(offsets[last])
        low, high = (start, stop) if rows is None else (int(at) for at in np.searchsorted(rows, (start, stop)))
        if low == high:
            continue
        chosen = None if rows is None or high - low == stop - start else rows[low:high] - start
        for k in by_source:
            values = sources[_source(wanted[k])][start:stop]
            yield partial(_fill_piece, wanted[k], values, offsets[first : last + 1] - start, chosen, out[k][low:high])


def _source(column: WindowColumn) -> str:
    return WINDOW_SOURCE[column.function]


def _groups(offsets: Ints) -> Iterator[tuple[int, int]]:
    """Consecutive instruments: at least one, and no more than GROUP_ROWS rows allow."""
    first = 0
    while first < len(offsets) - 1:
        last = max(first + 1, int(np.searchsorted(offsets, offsets[first] + GROUP_ROWS, side="right")) - 1)
        yield first, last
        first = last


def _fill_piece(column: WindowColumn, values: Floats, offsets: Ints, chosen: Ints | None, out: Floats) -> None:
    if chosen is None:
        _compute(column, values, offsets, out)
        return
    everything = np.empty_like(values)
    _compute(column, values, offsets, everything)
    _take(everything, chosen, out)


def _compute(column: WindowColumn, values: Floats, offsets: Ints, out: Floats) -> None:
    function, length = column.function, column.length
    if function in _ANGLES:
        times, over = (_ANGLES if column.loaded else _RAW_ANGLES)[function]
        _angles(values, offsets, length, times, over, out)
    elif function[:2] in _SIGNS:
        _extremes(values, offsets, length, _SIGNS[function[:2]], column.loaded, out)
    elif column.loaded:
        _loaded_sums(values, offsets, length, _DIGITS.get(function, -1), out)
    else:
        _raw_sums(values, offsets, length, halves(length), _DIGITS.get(function, -1), out)


@njit(cache=True, error_model="numpy", nogil=True)
def _take(values: Floats, rows: Ints, out: Floats) -> None:
    for i in range(len(rows)):
        out[i] = values[rows[i]]


@njit(cache=True, error_model="numpy", nogil=True)
def _angles(values: Floats, offsets: Ints, length: int, times: float, over: float, out: Floats) -> None:
    for k in range(len(offsets) - 1):
        rolling_angle(values[offsets[k] : offsets[k + 1]], length, times, over, out[offsets[k] : offsets[k + 1]])


@njit(cache=True, error_model="numpy", nogil=True)
def _extremes(values: Floats, offsets: Ints, length: int, sign: float, finite: bool, out: Floats) -> None:
    for k in range(len(offsets) - 1):
        rolling_extreme(values[offsets[k] : offsets[k + 1]], length, sign, finite, out[offsets[k] : offsets[k + 1]])


@njit(cache=True, error_model="numpy", nogil=True)
def _loaded_sums(values: Floats, offsets: Ints, length: int, digits: int, out: Floats) -> None:
    """Sums (digits -1), or means rounded to 3 or 0 digits."""
    for k in range(len(offsets) - 1):
        target = out[offsets[k] : offsets[k + 1]]
        rolling_sum(values[offsets[k] : offsets[k + 1]], length, digits >= 0, target)
        if digits >= 0:
            round_ticks(target, digits)


@njit(cache=True, error_model="numpy", nogil=True)
def _raw_sums(values: Floats, offsets: Ints, length: int, table: Ints, digits: int, out: Floats) -> None:
    """Sums (digits -1), or means rounded to 3 digits or truncated (digits 0)."""
    for k in range(len(offsets) - 1):
        rows, target = values[offsets[k] : offsets[k + 1]], out[offsets[k] : offsets[k + 1]]
        if kind_of_sums(rows, length) == WHOLE:
            running_total(rows, length, target)
        else:
            pairwise_each_row(rows, length, table, target)
        if digits >= 0:
            divide_by(target, length)
        if digits > 0:
            round_ticks(target, digits)
        elif digits == 0:
            for i in range(len(target)):
                target[i] = np.trunc(target[i])
