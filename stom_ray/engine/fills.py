"""Order size and walks through the book (spec/engine.md §6.1-6.5), shared by the reference and the kernel.

Scalars and tuples in, scalars out, so that the reference can call them as Python and the kernel can inline them. Prices are in
KRW, sizes in shares; `prices` and `sizes` are five levels, best first (asks to buy, bids to sell). A level whose price or size
is NaN or not positive offers nothing.
"""

from __future__ import annotations

import numpy as np

from stom_ray.engine.types import Floats
from stom_ray.machine_code import njit

Levels = tuple[float, float, float, float, float]

LARGEST_ORDER = 1e12  # shares; above it the price is garbage and amounts would leave exact arithmetic


@njit(cache=True, error_model="numpy", nogil=True)
def order_quantity(betting: float, price: float) -> float:
    """int(betting / 현재가) whole shares; 0 (no order) when the price is NaN or not positive."""
    if not price > 0.0:
        return 0.0
    quantity = np.trunc(betting / price)
    return quantity if quantity <= LARGEST_ORDER else 0.0


@njit(cache=True, error_model="numpy", nogil=True)
def weighted_betting(betting: float, criterion: float, limits: tuple[float, float, float, float], factors: Levels) -> float:
    """Betting times the factor of the first limit that `criterion` is below; the fifth factor when below none (or NaN)."""
    for j in range(4):
        if criterion < limits[j]:
            return betting * factors[j]
    return betting * factors[4]


@njit(cache=True, error_model="numpy", nogil=True)
def walk(quantity: float, levels: int, prices: Levels, sizes: Levels) -> tuple[float, float]:
    """Takes min(remaining, size) from each of the first `levels` levels. Returns (shares filled, amount in KRW)."""
    filled = 0.0
    amount = 0.0
    for level in range(levels):
        if filled >= quantity:
            break
        if prices[level] > 0.0 and sizes[level] > 0.0:
            taken = min(quantity - filled, sizes[level])
            filled += taken
            amount += taken * prices[level]
    return filled, amount


@njit(cache=True, error_model="numpy", nogil=True)
def fill_price(quantity: float, levels: int, prices: Levels, sizes: Levels) -> float:
    """Price of an order that fills completely or not at all (§6.2, §6.3), in whole KRW, half to even.

    0 when the levels do not hold `quantity` shares, or `quantity` is 0: no trade.
    """
    filled, amount = walk(quantity, levels, prices, sizes)
    if filled < quantity or not filled > 0.0:
        return 0.0
    price: float = np.rint(amount / quantity)
    return price


@njit(cache=True, error_model="numpy", nogil=True)
def forced_price(quantity: float, last_price: float, levels: int, prices: Levels, sizes: Levels) -> float:
    """Price of the sale on the day's last row (§6.4): the average of what the bids take, `last_price` when they take nothing."""
    filled, amount = walk(quantity, levels, prices, sizes)
    price: float = np.rint(amount / filled) if filled > 0.0 else np.trunc(last_price)
    return price


@njit(cache=True, error_model="numpy", nogil=True)
def last_price(prices: Floats, row: int) -> float:
    """현재가 of `row`, or of the latest row before it that has a positive one. A position's buy row has, so the walk ends."""
    while row > 0 and not prices[row] > 0.0:
        row -= 1
    return float(prices[row])
