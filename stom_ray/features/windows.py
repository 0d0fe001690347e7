"""The windows of the condition language as columns: 이동평균, 최고현재가 … 전일비각도 (spec/engine.md §1.2-1.6, §2.3, §4).

`precomputed` is what STOM's loader puts beside the table, rolling over an instrument's loaded rows across days. `raw` is what a
window of any other length computes on the spot, over the rows of the selection. `raw_value` is one value of `raw`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from stom_ray.errors import ConfigError
from stom_ray.features.rolling import rolling_angle, rolling_extreme, rolling_sum
from stom_ray.features.rounding import round_tick
from stom_ray.features.slices import RAW, each_row
from stom_ray.schema.windows import MOVING_AVERAGE_LENGTHS, WINDOW_SOURCE
from stom_ray.store.panel import Panel

Floats = NDArray[np.float64]

SOURCE = WINDOW_SOURCE


@njit(cache=True, error_model="numpy", nogil=True)
def _rounded(values: Floats, digits: int) -> Floats:
    out = np.empty_like(values)
    for i in range(len(values)):
        out[i] = round_tick(values[i], digits)
    return out


def _rolling(function: str) -> Callable[[Floats, int], Floats]:
    if function in ("이동평균", "체결강도평균"):
        return lambda values, length: _rounded(rolling_sum(values, length, True), 3)
    if function == "초당거래대금평균":
        return lambda values, length: _rounded(rolling_sum(values, length, True), 0)
    if function.startswith("누적"):
        return lambda values, length: rolling_sum(values, length, False)
    if function.startswith("최고"):
        return lambda values, length: rolling_extreme(values, length, 1.0)
    if function.startswith("최저"):
        return lambda values, length: rolling_extreme(values, length, -1.0)
    times, over = {"등락율각도": (5.0, 1.0), "당일거래대금각도": (1.0, 100.0), "전일비각도": (1.0, 1.0)}[function]
    return lambda values, length: rolling_angle(values, length, times, over)


def _check(function: str, length: int) -> None:
    if function not in SOURCE:
        raise ConfigError(f"{function} is no window function; those are: {', '.join(SOURCE)}")
    if length < 1:
        raise ConfigError(f"{function}({length}): a window has at least 1 row")


def precomputed(panel: Panel, function: str, length: int) -> Floats:
    """The loader's column for (function, length) over every row of `panel`.

    Returns: (n_rows,) float64; NaN before the window has filled, counted from the instrument's first row, and while it holds a
    NaN. Raises ConfigError for 이동평균 of a length that STOM does not precompute.
    """
    _check(function, length)
    if function == "이동평균" and length not in MOVING_AVERAGE_LENGTHS:
        raise ConfigError(f"이동평균({length}) has no precomputed column; those have: {MOVING_AVERAGE_LENGTHS}")
    values = panel.column(SOURCE[function])
    compute = _rolling(function)
    return _by_instrument(panel, values, lambda rows: compute(rows, length))


def raw(panel: Panel, function: str, length: int) -> Floats:
    """The window of `length` rows that ends at each row, over the instrument's rows of the selected `panel`, across days.

    Returns: (n_rows,) float64, equal bit for bit to `raw_value` row by row; NaN where the window would begin before the
    instrument's first row.
    """
    _check(function, length)
    values = panel.column(SOURCE[function])
    return _by_instrument(panel, values, lambda rows: each_row(function, rows, length))


def raw_value(function: str, values: Floats, end: int, length: int) -> float:
    """One value of `raw`: the window over values[end - length + 1 .. end], which must exist. numba code calls RAW[function]."""
    return RAW[function](values, end, length)


def _by_instrument(panel: Panel, values: Floats, compute: Callable[[Floats], Floats]) -> Floats:
    values = np.ascontiguousarray(values, dtype=np.float64)
    out = np.empty(panel.n_rows, dtype=np.float64)
    offsets = panel.instrument_offsets
    for start, stop in itertools.pairwise(offsets):
        out[start:stop] = compute(values[start:stop])
    return out
