"""Windows that the loader has not precomputed: numpy's reductions over a slice, as numba scalar functions (spec/engine.md §2.3).

Each takes the rows `values[end - length + 1 .. end]`; the caller makes sure that they exist. NaN and infinities propagate as in
numpy. `RAW` names the function behind each window of the condition language.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stom_ray.features.angles import angle
from stom_ray.features.pairwise import pairwise
from stom_ray.features.rounding import round_tick
from stom_ray.machine_code import njit
from stom_ray.schema.windows import RAW_WINDOW

Floats = NDArray[np.float64]


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
