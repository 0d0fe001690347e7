"""Angles of a change over a window, in degrees with 2 digits (spec/engine.md §1.6).

The angle is libm's atan2, divided by 2π, times 360, as the correctly rounded decimal. Only a value next to the middle between
two hundredths depends on libm's last bits: everywhere else a polynomial tells which hundredth it is.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stom_ray.features.rounding import round_decimal
from stom_ray.machine_code import njit

Floats = NDArray[np.float64]

TILE = 512  # rows whose changes stay in the first cache level

# atan(x) / x in hundredths of a degree as a polynomial in x**2 on [0, 1]: interpolated at the Chebyshev points of degree 9,
# off by no more than 1e-5 hundredths
_ATAN = (
    5729.577935039364, -1909.856048874882, 1145.805312010163, -817.0387374535319, 626.3770286882395,
    -478.40400180907386, 327.099062218517, -173.90337619185445, 60.08980426490308, -9.746986532211304,
)  # fmt: skip
SURE = 0.5 - 2.0**-10  # a hundred times the polynomial's error away from the middle


@njit(cache=True, error_model="numpy", nogil=True)
def angle(opposite: float, length: int) -> float:
    """atan2(opposite, length) in degrees, correctly rounded to 2 digits (§1.6). `math.atan2` is libm's."""
    return round_decimal(math.atan2(opposite, float(length)) / (2.0 * math.pi) * 360.0, 2)


@njit(cache=True, error_model="numpy", nogil=True)
def sure_angles(out: Floats, length: int) -> int:
    """Replaces every opposite by its angle, or by NaN where the polynomial cannot tell; returns how many are NaN."""
    adjacent = float(length)
    unsure = 0
    for i in range(len(out)):
        opposite = out[i]
        size = abs(opposite)
        steep = size > adjacent
        ratio = (adjacent if steep else size) / (size if steep else adjacent)
        t = ratio * ratio
        p = _ATAN[9]
        p = p * t + _ATAN[8]
        p = p * t + _ATAN[7]
        p = p * t + _ATAN[6]
        p = p * t + _ATAN[5]
        p = p * t + _ATAN[4]
        p = p * t + _ATAN[3]
        p = p * t + _ATAN[2]
        p = p * t + _ATAN[1]
        p = (p * t + _ATAN[0]) * ratio
        hundredths = 9000.0 - p if steep else p
        nearest = np.rint(hundredths)
        sure = abs(hundredths - nearest) < SURE
        unsure += not sure
        found = math.copysign(nearest / 100.0, opposite)
        out[i] = found if sure else np.nan
    return unsure


@njit(cache=True, error_model="numpy", nogil=True)
def _changes(newest: Floats, oldest: Floats, times: float, over: float, out: Floats) -> None:
    if over == 1.0:
        for i in range(len(out)):
            out[i] = (newest[i] - oldest[i]) * times
    else:
        for i in range(len(out)):
            out[i] = (newest[i] - oldest[i]) * times / over


@njit(cache=True, error_model="numpy", nogil=True)
def rolling_angle(values: Floats, length: int, times: float, over: float, out: Floats) -> None:
    """Angle of the change over `length` rows of one instrument: d = x[i] - x[i-length+1], scaled as d * times / over.

    out: as long as values; NaN before the window has filled and where either end is NaN.
    """
    n = len(values)
    out[: min(length - 1, n)] = np.nan
    for start in range(length - 1, n, TILE):
        stop = min(start + TILE, n)
        newest, oldest, tile = values[start:stop], values[start - length + 1 : stop - length + 1], out[start:stop]
        _changes(newest, oldest, times, over, tile)
        if sure_angles(tile, length) > 0:
            for i in range(len(tile)):
                if math.isnan(tile[i]):
                    tile[i] = angle((newest[i] - oldest[i]) * times / over, length)
