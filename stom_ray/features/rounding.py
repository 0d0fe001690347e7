"""The two ways STOM's numbers round, as numba scalar functions (spec/engine.md §2.1).

A tick number rounds like `np.round`: rint(x * 10**n) / 10**n. A plain Python float rounds to the correctly rounded decimal. The
two differ: 2.675 is 2.68 the first way and 2.67 the second.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stom_ray.machine_code import njit

_TEN = tuple(10.0**k for k in range(23))  # every entry is exact in float64
_EXACT = 2.0**53
_SPLITTER = 134217729.0  # 2**27 + 1, Veltkamp's splitting constant


@njit(cache=True, error_model="numpy", nogil=True)
def round_tick(x: float, digits: int) -> float:
    """`np.round(x, digits)`: scale, rint (half to even), scale back. digits: -22..22. NaN and infinities stay."""
    if digits >= 0:
        up: float = np.rint(x * _TEN[digits]) / _TEN[digits]
        return up
    down: float = np.rint(x / _TEN[-digits]) * _TEN[-digits]
    return down


@njit(cache=True, error_model="numpy", nogil=True)
def round_ticks(values: NDArray[np.float64], digits: int) -> None:
    """`round_tick` of every value, in place. digits: 0..22."""
    scale = _TEN[digits]
    for i in range(len(values)):
        values[i] = np.rint(values[i] * scale) / scale


@njit(cache=True, error_model="numpy", nogil=True)
def product_error(a: float, b: float, product: float) -> float:
    """The exact a * b minus its rounded `product` (Dekker 1971). |a|, |b| below 2**996, no underflow."""
    scaled = a * _SPLITTER
    a_high = scaled - (scaled - a)
    a_low = a - a_high
    scaled = b * _SPLITTER
    b_high = scaled - (scaled - b)
    b_low = b - b_high
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@njit(cache=True, error_model="numpy", nogil=True)
def _nearest(floor: float, above_half: float) -> float:
    """floor or floor + 1, by the sign of how far the fraction lies above one half; ties to even."""
    if above_half > 0.0 or (above_half == 0.0 and floor % 2.0 == 1.0):
        return floor + 1.0
    return floor


@njit(cache=True, error_model="numpy", nogil=True)
def round_decimal(x: float, digits: int) -> float:
    """Python's `round(x, digits)` of a float, bit for bit: the exact value to `digits` decimals, half to even.

    digits: -22..22. NaN and infinities stay. When |x| * 10**digits reaches 2**53 the nearest decimal is closer to x than half
    the distance to x's neighbours, so x is its own answer.
    """
    size = abs(x)
    if digits >= 0:
        scale = _TEN[digits]
        scaled = size * scale
        if not scaled < _EXACT:
            return x
        floor = math.floor(scaled)
        # scaled - floor - 0.5 and the product's error are exact; their sum has the sign of the exact fraction minus one half
        whole = _nearest(floor, (scaled - floor - 0.5) + product_error(size, scale, scaled))
        return math.copysign(whole / scale, x)
    scale = _TEN[-digits]
    quotient = size / scale
    if not quotient < _EXACT:
        return x
    floor = math.floor(quotient)
    taken = floor * scale
    left = (size - taken) - product_error(floor, scale, taken)
    return math.copysign(_nearest(floor, left - 0.5 * scale) * scale, x)
