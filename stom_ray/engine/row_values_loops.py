"""Loops over rows of the scalar functions that numpy's array functions do not equal to the last bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.kernel_runtime import floor_divide, int_power, power, remainder
from stom_ray.engine.types import Floats, Ints
from stom_ray.features.rounding import round_decimal, round_tick
from stom_ray.machine_code import njit

Bools = NDArray[np.bool_]


@njit(cache=True, error_model="numpy", nogil=True)
def floor_divided(above: Floats, below: Floats) -> Floats:
    """above // below, row by row."""
    out = np.empty(len(above), dtype=np.float64)
    for i in range(len(above)):
        out[i] = floor_divide(above[i], below[i])
    return out


@njit(cache=True, error_model="numpy", nogil=True)
def remainders(above: Floats, below: Floats) -> Floats:
    """above % below, row by row."""
    out = np.empty(len(above), dtype=np.float64)
    for i in range(len(above)):
        out[i] = remainder(above[i], below[i])
    return out


@njit(cache=True, error_model="numpy", nogil=True)
def powers(base: Floats, exponent: Floats, whole: Bools) -> Floats:
    """base ** exponent, row by row. whole: where both are ints and the exponent is not negative."""
    out = np.empty(len(base), dtype=np.float64)
    for i in range(len(base)):
        out[i] = int_power(base[i], exponent[i]) if whole[i] else power(base[i], exponent[i])
    return out


@njit(cache=True, error_model="numpy", nogil=True)
def rounded(values: Floats, digits: Ints, plain: Bools) -> Floats:
    """round(value, digits), row by row: the correctly rounded decimal where `plain`, else as np.round. digits: -22..22."""
    out = np.empty(len(values), dtype=np.float64)
    for i in range(len(values)):
        out[i] = round_decimal(values[i], digits[i]) if plain[i] else round_tick(values[i], digits[i])
    return out


@njit(cache=True, error_model="numpy", nogil=True)
def rounded_ticks(values: Floats, digits: int) -> Floats:
    """round(value, digits) of tick numbers to the same number of digits."""
    out = np.empty(len(values), dtype=np.float64)
    for i in range(len(values)):
        out[i] = round_tick(values[i], digits)
    return out


@njit(cache=True, error_model="numpy", nogil=True)
def rows_since(count: Ints, surely: Bools, perhaps: Bools) -> tuple[Floats, Bools]:
    """(n,) rows since something was last true in the session, 0 if never; and where that is unknown.

    count: 1 on a session's first row. surely, perhaps: where it is true, and where it may be.
    """
    out = np.zeros(len(count), dtype=np.float64)
    unknown = np.zeros(len(count), dtype=np.bool_)
    last_surely = last_perhaps = -1
    for i in range(len(count)):
        if count[i] == 1:
            last_surely = last_perhaps = -1
        if perhaps[i]:
            last_perhaps = i
            if surely[i]:
                last_surely = i
        unknown[i] = last_perhaps != last_surely
        if last_perhaps >= 0:
            out[i] = i - last_perhaps
    return out, unknown
