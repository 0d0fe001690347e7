"""Thresholds behind a product and a sum: the largest parameter for which `left >= scale * parameter + offset` holds, exactly.

Both roundings keep order, so the right side does not fall when the parameter rises (scale >= 0): the parameters that pass are
those up to a boundary. It is next to where exact arithmetic has it, and found by bisection among the floating-point numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.types import Floats
from stom_ray.machine_code import njit

Bools = NDArray[np.bool_]
SIGN = np.int64(-(2**63))
LARGEST = 0x7FEF_FFFF_FFFF_FFFF  # place of the largest finite number; the lowest is at minus it


@njit(cache=True, error_model="numpy", nogil=True, forceinline=True)
def place_of(number: float) -> Any:
    """Which number it is, counted upwards from 0.0; -0.0 is 0.0."""
    bits = np.float64(number).view(np.int64)
    return bits if bits >= 0 else SIGN - bits


@njit(cache=True, error_model="numpy", nogil=True, forceinline=True)
def number_at(place: int) -> float:
    return np.float64(np.int64(place if place >= 0 else SIGN - place).view(np.float64))


@njit(cache=True, error_model="numpy", nogil=True, forceinline=True)
def passes(left: float, scale: float, offset: float, place: int, strict: bool) -> bool:
    right = scale * number_at(place) + offset
    return left > right if strict else left >= right


@njit(cache=True, error_model="numpy", nogil=True)
def boundary(left: float, scale: float, offset: float, strict: bool) -> float:
    """-inf where no finite parameter passes, inf where all do. scale: finite, >= 0; no NaN."""
    guess = (left - offset) / scale
    low = place_of(guess) if np.isfinite(guess) else 0
    step = 1
    if passes(left, scale, offset, low, strict):
        high = min(low + step, LARGEST)
        while passes(left, scale, offset, high, strict):
            if high == LARGEST:
                return np.inf
            low, step = high, 2 * step
            high = min(low + step, LARGEST)
    else:
        high = low
        low = max(high - step, -LARGEST)
        while not passes(left, scale, offset, low, strict):
            if low == -LARGEST:
                return -np.inf
            high, step = low, 2 * step
            low = max(high - step, -LARGEST)
    while high - low > 1:
        middle = low + (high - low) // 2
        if passes(left, scale, offset, middle, strict):
            low = middle
        else:
            high = middle
    return number_at(low)


@njit(cache=True, error_model="numpy", nogil=True)
def boundaries(left: Floats, scale: Floats, offset: Floats, strict: bool, out: Floats, unknown: Bools) -> None:
    """out: the boundary of each row, -inf where a side is NaN; may be `left`. strict: > instead of >=. All (n_rows,).

    unknown: rows without a boundary, because the scale is negative, or an infinity may meet its opposite or a zero.
    """
    for i in range(len(left)):
        base, factor, added = left[i], scale[i], offset[i]
        missing = np.isnan(base) or np.isnan(factor) or np.isnan(added)
        unknown[i] = not missing and (factor < 0.0 or np.isinf(factor) or (np.isinf(added) and factor > 1.0))
        out[i] = -np.inf if missing or unknown[i] else boundary(base, factor, added, strict)
