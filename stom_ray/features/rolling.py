"""Rolling columns over one instrument's rows, as STOM's loader makes them (spec/engine.md §1.4-1.6).

Every function takes one instrument's rows in time order and returns a column as long; row i depends on rows 0..i only. Rows
whose window has not filled are NaN, and so is a window that holds a NaN or an infinity.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from stom_ray.features.rounding import round_decimal

Floats = NDArray[np.float64]


@njit(cache=True, error_model="numpy", nogil=True)
def rolling_sum(values: Floats, length: int, divide: bool) -> Floats:
    """Sums (or, with `divide`, means) of `length` rows by the online algorithm with Kahan's compensation.

    Removing and adding keep one compensation term each. When the last `length` values are identical the value is exactly that
    one (times `length`). Never negative over values none of which is, never positive over values all of which are negative.
    """
    n = len(values)
    out = np.full(n, np.nan)
    total = 0.0
    carry_add = 0.0
    carry_remove = 0.0
    count = 0
    negatives = 0
    same = 0
    previous = np.nan
    for i in range(n):
        if i >= length and math.isfinite(values[i - length]):
            old = values[i - length]
            y = -old - carry_remove
            t = total + y
            carry_remove = t - total - y
            total = t
            count -= 1
            negatives -= 1 if math.copysign(1.0, old) < 0.0 else 0
        x = values[i]
        if math.isfinite(x):
            y = x - carry_add
            t = total + y
            carry_add = t - total - y
            total = t
            count += 1
            negatives += 1 if math.copysign(1.0, x) < 0.0 else 0
            same = same + 1 if x == previous else 1
            previous = x
        if count == length:
            value = total / length if divide else total
            if same >= length:
                value = previous if divide else previous * length
            elif (negatives == 0 and value < 0.0) or (negatives == length and value > 0.0):
                value = 0.0
            out[i] = value
    return out


@njit(cache=True, error_model="numpy", nogil=True)
def rolling_extreme(values: Floats, length: int, sign: float) -> Floats:
    """Highest (sign 1.0) or lowest (sign -1.0) of `length` rows, by a monotone queue; the first of equals."""
    n = len(values)
    out = np.full(n, np.nan)
    queue = np.empty(n, dtype=np.int64)
    head = 0
    tail = 0
    last_bad = -1
    for i in range(n):
        if math.isfinite(values[i]):
            while tail > head and sign * values[queue[tail - 1]] < sign * values[i]:
                tail -= 1
            queue[tail] = i
            tail += 1
        else:
            last_bad = i
        while head < tail and queue[head] <= i - length:
            head += 1
        if i >= length - 1 and last_bad <= i - length:
            out[i] = values[queue[head]]
    return out


@njit(cache=True, error_model="numpy", nogil=True)
def angle(opposite: float, length: int) -> float:
    """atan2(opposite, length) in degrees, correctly rounded to 2 digits (§1.6). `math.atan2` is libm's."""
    return round_decimal(math.atan2(opposite, float(length)) / (2.0 * math.pi) * 360.0, 2)


@njit(cache=True, error_model="numpy", nogil=True)
def rolling_angle(values: Floats, length: int, times: float, over: float) -> Floats:
    """Angle of the change over `length` rows: d = x[i] - x[i-length+1], scaled as d * times / over."""
    n = len(values)
    out = np.full(n, np.nan)
    for i in range(length - 1, n):
        out[i] = angle((values[i] - values[i - length + 1]) * times / over, length)
    return out
