"""Tick sizes of the Korean exchange, before and from 2023-01-25, and the price five ticks below a VI price.

Plain scalar functions of numbers only, so that kernels can compile them as they stand; the array forms give the same bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LADDER_CHANGE_DAY = 20230125
# (price below which the unit holds, unit), KRW; the last unit holds above all.
LADDER_OLD = ((1_000, 1), (5_000, 5), (10_000, 10), (50_000, 50))
LADDER_OLD_TOP = 100
LADDER_NEW = ((2_000, 1), (5_000, 5), (20_000, 10), (50_000, 50), (200_000, 100), (500_000, 500))
LADDER_NEW_TOP = 1_000


def tick_unit(price: float, day: int) -> int:
    """Tick size in KRW at `price` on `day` (yyyymmdd). NaN counts as above every step, as comparisons have it."""
    if day < 20230125:
        if price < 1_000:
            return 1
        if price < 5_000:
            return 5
        if price < 10_000:
            return 10
        if price < 50_000:
            return 50
        return 100
    if price < 2_000:
        return 1
    if price < 5_000:
        return 5
    if price < 20_000:
        return 10
    if price < 50_000:
        return 50
    if price < 200_000:
        return 100
    if price < 500_000:
        return 500
    return 1_000


def vi_below5(vi_price: float, vi_unit: float, day: int) -> float:
    """VI아래5호가: the price five ticks below the VI price, KRW (spec/engine.md §4).

    vi_unit is the tick size at the VI price; below it the ladder may step down once, and the rest goes by the lower unit.
    """
    if tick_unit(vi_price - 5 * vi_unit, day) == vi_unit:
        return vi_price - 5 * vi_unit
    for i in range(1, 6):
        lower = tick_unit(vi_price - i * vi_unit, day)
        if lower != vi_unit:
            return vi_price - (i - 1) * vi_unit - (6 - i) * lower
    return vi_price - 5 * vi_unit  # unreachable: step 5 differs, or the first test held


def _units(prices: Floats, steps: tuple[tuple[int, int], ...], top: int) -> Ints:
    bounds = np.array([bound for bound, _ in steps], dtype=np.float64)
    units = np.array([unit for _, unit in steps] + [top], dtype=np.int64)
    return np.asarray(units[np.searchsorted(bounds, prices, side="right")], dtype=np.int64)


def tick_units(prices: Floats, day: int | Ints) -> Ints:
    """`tick_unit` of many prices: prices (n,) KRW, day one yyyymmdd or (n,). Returns (n,) int64 KRW."""
    old = np.asarray(day) < LADDER_CHANGE_DAY
    return np.where(old, _units(prices, LADDER_OLD, LADDER_OLD_TOP), _units(prices, LADDER_NEW, LADDER_NEW_TOP))


def vi_below5s(vi_prices: Floats, vi_units: Floats, day: int | Ints) -> Floats:
    """`vi_below5` of many rows: all (n,), day one yyyymmdd or (n,). Returns (n,) float64 KRW."""
    result = vi_prices - 5 * vi_units
    pending = tick_units(result, day) != vi_units
    for i in range(1, 6):
        lower = tick_units(vi_prices - i * vi_units, day)
        here = pending & (lower != vi_units)
        result = np.where(here, vi_prices - (i - 1) * vi_units - (6 - i) * lower, result)
        pending &= ~here
    return np.asarray(result, dtype=np.float64)
