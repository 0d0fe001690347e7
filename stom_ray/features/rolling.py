"""Rolling sums and extremes of one instrument's rows (spec/engine.md §1.4, §1.5, §4).

Every function takes one instrument's rows in time order, fills `out` of the same length and may run beside others; row i depends
on rows 0..i only, and rows whose window has not filled are NaN.

Loops that go from 0 over slices are what the compiler turns into vector code; loops with a start of their own it does not.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stom_ray.machine_code import njit

Floats = NDArray[np.float64]

WHOLE = 0
POSITIVE = 1
MIXED = 2
_MINUS_ZERO = np.int64(-(2**63))
_INFINITY = np.int64(0x7FF0000000000000)


@njit(cache=True, error_model="numpy", nogil=True)
def kind_of_sums(values: Floats, length: int) -> int:
    """WHOLE when no sum of `length` rows can be inexact, POSITIVE when all are finite without a minus sign, else MIXED.

    Whole numbers that stay below 2**52 together add up to the same bits in any order; a minus zero is not among them.
    """
    bits = values.view(np.int64)
    limit = 2.0**52 / length
    fractional = 0
    signed = 0
    for i in range(len(values)):
        x = values[i]
        fractional += not (abs(x) <= limit and x == np.floor(x) and bits[i] != _MINUS_ZERO)
        signed += not (bits[i] >= 0 and bits[i] < _INFINITY)
    if fractional == 0:
        return WHOLE
    return POSITIVE if signed == 0 else MIXED


@njit(cache=True, error_model="numpy", nogil=True)
def running_total(values: Floats, length: int, out: Floats) -> None:
    """Sums of `length` rows, each from the one before: exact for WHOLE values only."""
    n = len(values)
    total = 0.0
    for i in range(min(length - 1, n)):
        total += values[i]
        out[i] = np.nan
    if n < length:
        return
    total += values[length - 1]
    out[length - 1] = total
    newest, oldest, sums = values[length:], values[: n - length], out[length:]
    for i in range(len(sums)):
        total += newest[i] - oldest[i]
        sums[i] = total


@njit(cache=True, error_model="numpy", nogil=True)
def divide_by(out: Floats, length: int) -> None:
    """out / length, in place."""
    for i in range(len(out)):
        out[i] = out[i] / length


@njit(cache=True, error_model="numpy", nogil=True)
def online_sum(values: Floats, length: int, divide: bool, out: Floats) -> None:
    """Sums (or, with `divide`, means) by the online algorithm with Kahan's compensation (§1.5).

    Removing and adding keep one compensation term each. When the last `length` values are identical the value is exactly that
    one (times `length`). Never negative over values none of which is, never positive over values all of which are negative. A
    window that holds a NaN or an infinity is NaN.
    """
    total = 0.0
    carry_add = 0.0
    carry_remove = 0.0
    count = 0
    negatives = 0
    same = 0
    previous = np.nan
    for i in range(len(values)):
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
        out[i] = np.nan
        if count == length:
            value = total / length if divide else total
            if same >= length:
                value = previous if divide else previous * length
            elif (negatives == 0 and value < 0.0) or (negatives == length and value > 0.0):
                value = 0.0
            out[i] = value


@njit(cache=True, error_model="numpy", nogil=True)
def online_sum_positive(values: Floats, length: int, divide: bool, out: Floats) -> None:
    """`online_sum` of POSITIVE values: the same operations without what they cannot need."""
    n = len(values)
    total = 0.0
    carry_add = 0.0
    carry_remove = 0.0
    same = 0
    previous = np.nan
    for i in range(n):
        if i >= length:
            y = -values[i - length] - carry_remove
            t = total + y
            carry_remove = t - total - y
            total = t
        x = values[i]
        y = x - carry_add
        t = total + y
        carry_add = t - total - y
        total = t
        same = same + 1 if x == previous else 1
        previous = x
        value = total / length if divide else total
        value = 0.0 if value < 0.0 else value
        same_value = x if divide else x * length
        out[i] = same_value if same >= length else value
    out[: min(length - 1, n)] = np.nan


@njit(cache=True, error_model="numpy", nogil=True)
def rolling_sum(values: Floats, length: int, divide: bool, out: Floats) -> None:
    """`online_sum`, the shortest way that gives its bits."""
    kind = kind_of_sums(values, length)
    if kind == WHOLE:
        running_total(values, length, out)
        if divide:
            divide_by(out, length)
    elif kind == POSITIVE:
        online_sum_positive(values, length, divide, out)
    else:
        online_sum(values, length, divide, out)


@njit(cache=True, error_model="numpy", nogil=True)
def _extremes(values: Floats, length: int, sign: float, out: Floats) -> None:
    """Windows without a NaN by van Herk (1992): the best to the end of a block joined with the best since its end."""
    n = len(values)
    out[: min(length - 1, n)] = np.nan
    to_end = np.empty(length + 1, dtype=np.float64)
    to_end[length] = -np.inf
    for start in range(0, n - length + 1, length):
        block = values[start : start + length]
        best = -np.inf
        for j in range(length - 1, -1, -1):
            x = sign * block[j]
            best = best if best > x else x
            to_end[j] = best
        out[start + length - 1] = sign * to_end[0]
        following = values[start + length : min(start + 2 * length - 1, n)]
        ends = out[start + length : min(start + 2 * length - 1, n)]
        since = -np.inf
        for j in range(len(following)):
            x = sign * following[j]
            since = x if x > since else since
            earlier = to_end[j + 1]
            ends[j] = sign * (since if since > earlier else earlier)


@njit(cache=True, error_model="numpy", nogil=True)
def _blank(values: Floats, length: int, infinite: bool, out: Floats) -> None:
    """NaN over every window that holds one or, with `infinite`, an infinity."""
    last = -length
    for i in range(len(values)):
        x = values[i]
        if math.isnan(x) or (infinite and math.isinf(x)):
            last = i
        if last > i - length:
            out[i] = np.nan


@njit(cache=True, error_model="numpy", nogil=True)
def rolling_extreme(values: Floats, length: int, sign: float, finite: bool, out: Floats) -> None:
    """Highest (sign 1.0) or lowest (sign -1.0) of `length` rows, the first of equals.

    NaN where the window holds a NaN and, with `finite`, where it holds an infinity.
    """
    _extremes(values, length, sign, out)
    missing = 0
    for i in range(len(values)):
        missing += not (abs(values[i]) < np.inf)
    if missing > 0:
        _blank(values, length, finite, out)
