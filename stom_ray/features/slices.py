"""Windows that the loader has not precomputed: numpy's reductions over a slice, as numba scalar functions (spec/engine.md §2.3).

Each takes the rows `values[end - length + 1 .. end]`; the caller makes sure that they exist. NaN and infinities propagate as in
numpy. `RAW` names the function behind each window of the condition language.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from stom_ray.features.rolling import angle, rolling_angle, rolling_extreme
from stom_ray.features.rounding import round_tick
from stom_ray.schema.windows import RAW_WINDOW

Floats = NDArray[np.float64]


@njit("float64(float64[::1], int64, int64)", cache=True, error_model="numpy", nogil=True)
def pairwise(values: Floats, start: int, length: int) -> float:
    """numpy's pairwise sum of `length` values from `start`: the same additions in the same order as `np.sum`."""
    if length < 8:
        total = 0.0
        for i in range(start, start + length):
            total += values[i]
        return total
    if length <= 128:
        s0, s1, s2, s3 = values[start], values[start + 1], values[start + 2], values[start + 3]
        s4, s5, s6, s7 = values[start + 4], values[start + 5], values[start + 6], values[start + 7]
        tail = length - length % 8
        for i in range(start + 8, start + tail, 8):
            s0 += values[i]
            s1 += values[i + 1]
            s2 += values[i + 2]
            s3 += values[i + 3]
            s4 += values[i + 4]
            s5 += values[i + 5]
            s6 += values[i + 6]
            s7 += values[i + 7]
        total = ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
        for i in range(start + tail, start + length):
            total += values[i]
        return float(total)
    half = length // 2
    half -= half % 8
    return pairwise(values, start, half) + pairwise(values, start + half, length - half)


@njit(cache=True, error_model="numpy", nogil=True)
def total(values: Floats, end: int, length: int) -> float:
    """Sum of the rows."""
    return pairwise(values, end - length + 1, length)


@njit(cache=True, error_model="numpy", nogil=True)
def mean3(values: Floats, end: int, length: int) -> float:
    """Mean, rounded to 3 digits as a tick number."""
    return round_tick(pairwise(values, end - length + 1, length) / length, 3)


@njit(cache=True, error_model="numpy", nogil=True)
def whole_mean(values: Floats, end: int, length: int) -> float:
    """Mean, truncated: int(mean). NaN stays NaN (the script raises there)."""
    whole: float = np.trunc(pairwise(values, end - length + 1, length) / length)
    return whole


@njit(cache=True, error_model="numpy", nogil=True)
def highest(values: Floats, end: int, length: int) -> float:
    """Maximum, the first of equals; NaN when any row is."""
    best = values[end - length + 1]
    for i in range(end - length + 2, end + 1):
        if values[i] > best or math.isnan(values[i]):
            best = values[i]
        if math.isnan(best):
            break
    return float(best)


@njit(cache=True, error_model="numpy", nogil=True)
def lowest(values: Floats, end: int, length: int) -> float:
    """Minimum, the first of equals; NaN when any row is."""
    best = values[end - length + 1]
    for i in range(end - length + 2, end + 1):
        if values[i] < best or math.isnan(values[i]):
            best = values[i]
        if math.isnan(best):
            break
    return float(best)


@njit(cache=True, error_model="numpy", nogil=True)
def change_rate_angle(values: Floats, end: int, length: int) -> float:
    """등락율각도: angle of d * 5."""
    return angle((values[end] - values[end - length + 1]) * 5.0, length)


@njit(cache=True, error_model="numpy", nogil=True)
def turnover_angle(values: Floats, end: int, length: int) -> float:
    """당일거래대금각도: angle of d * 0.01, a product here and a quotient in the precomputed column."""
    return angle((values[end] - values[end - length + 1]) * 0.01, length)


@njit(cache=True, error_model="numpy", nogil=True)
def day_ratio_angle(values: Floats, end: int, length: int) -> float:
    """전일비각도: angle of d."""
    return angle(values[end] - values[end - length + 1], length)


_FUNCTIONS: tuple[Callable[[Floats, int, int], float], ...] = (
    mean3, whole_mean, total, highest, lowest, change_rate_angle, turnover_angle, day_ratio_angle,
)  # fmt: skip
_BY_NAME = {function.__name__: function for function in _FUNCTIONS}
RAW: dict[str, Callable[[Floats, int, int], float]] = {function: _BY_NAME[name] for function, name in RAW_WINDOW.items()}


@njit(cache=True, error_model="numpy", nogil=True)
def sums_are_exact(values: Floats) -> bool:
    """True when every partial sum of `values` is a whole number below 2**53, so that the order of additions does not matter."""
    size = 0.0
    for x in values:
        size += abs(x)
        if not (size < 2.0**53 and x == math.floor(x)):
            return False
    return True


@njit(cache=True, error_model="numpy", nogil=True)
def total_each_row(values: Floats, length: int) -> Floats:
    """`total` ending at every row; NaN where the window would begin before row 0."""
    n = len(values)
    out = np.full(n, np.nan)
    if not sums_are_exact(values):
        for end in range(length - 1, n):
            out[end] = pairwise(values, end - length + 1, length)
        return out
    running = 0.0
    for end in range(n):
        running += values[end]
        if end >= length:
            running -= values[end - length]
        if end >= length - 1:
            out[end] = running
    return out


@njit(cache=True, error_model="numpy", nogil=True)
def mean_each_row(values: Floats, length: int, truncate: bool) -> Floats:
    """`whole_mean` (truncate) or `mean3` ending at every row."""
    out = total_each_row(values, length)
    for i in range(len(out)):
        mean = out[i] / length
        out[i] = np.trunc(mean) if truncate else round_tick(mean, 3)
    return out


@njit(cache=True, error_model="numpy", nogil=True)
def extreme_each_row(values: Floats, length: int, sign: float) -> Floats:
    """`highest` (sign 1.0) or `lowest` (-1.0) ending at every row."""
    if np.all(np.isfinite(values)):
        return rolling_extreme(values, length, sign)
    n = len(values)
    out = np.full(n, np.nan)
    for end in range(length - 1, n):
        out[end] = highest(values, end, length) if sign > 0.0 else lowest(values, end, length)
    return out


def each_row(function: str, values: Floats, length: int) -> Floats:
    """RAW[function] of `length` rows ending at every row of one instrument, bit for bit."""
    scalar = RAW[function]
    if scalar is total:
        return total_each_row(values, length)
    if scalar is mean3 or scalar is whole_mean:
        return mean_each_row(values, length, scalar is whole_mean)
    if scalar is highest or scalar is lowest:
        return extreme_each_row(values, length, 1.0 if scalar is highest else -1.0)
    times = {"등락율각도": 5.0, "당일거래대금각도": 0.01, "전일비각도": 1.0}[function]
    return rolling_angle(values, length, times, 1.0)
