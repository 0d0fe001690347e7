"""What generated kernels call, as numba scalar functions: Python's and numpy's arithmetic, book and bookkeeping.

Everything here is the same to the last bit as what the reference interpreter does with np.float64 and Python numbers.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.fills import Levels, fill_price, forced_price, last_price, order_quantity, weighted_betting
from stom_ray.features.rounding import product_error, round_decimal, round_tick
from stom_ray.machine_code import njit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Rows32 = NDArray[np.int32]

__all__ = [
    "entry_table", "find_length", "floor_divide", "forced_sale_price", "int_power", "is_complex_power", "next_open", "power",
    "remainder", "round_decimal", "round_tick", "row_count", "sale_price",
]  # fmt: skip

LARGEST_POWER_BITS = 1_100


@njit(cache=True, error_model="numpy", nogil=True)
def remainder(a: float, b: float) -> float:
    """a % b with the sign of b, as Python's float and np.float64 have it; NaN for b = 0."""
    rest = float(np.fmod(a, b))
    if b == 0.0:
        return rest
    if rest != 0.0:
        return rest + b if (b < 0.0) != (rest < 0.0) else rest
    return math.copysign(0.0, b)


@njit(cache=True, error_model="numpy", nogil=True)
def floor_divide(a: float, b: float) -> float:
    """a // b, as Python's float and np.float64 have it; a / b for b = 0."""
    if b == 0.0:
        return a / b
    rest = np.fmod(a, b)
    quotient = (a - rest) / b
    if rest != 0.0 and (b < 0.0) != (rest < 0.0):
        quotient -= 1.0
    if quotient != 0.0:
        whole = float(np.floor(quotient))
        return whole + 1.0 if quotient - whole > 0.5 else whole
    return math.copysign(0.0, a / b)


@njit(cache=True, error_model="numpy", nogil=True)
def power(a: float, b: float) -> float:
    """a ** b by libm's pow, as Python and numpy have it."""
    return float(a**b)


@njit(cache=True, error_model="numpy", nogil=True)
def is_complex_power(a: float, b: float) -> bool:
    """Whether Python's a ** b is a complex number."""
    return a < 0.0 and math.isfinite(a) and math.isfinite(b) and bool(b != np.floor(b))


@njit(cache=True, error_model="numpy", nogil=True)
def int_power(a: float, b: float) -> float:
    """Python's a ** b of ints, as a float64: the exact power rounded once. a: at most 2**53; b: >= 0; whole numbers.

    Exact below 2**106, and so rounded correctly but for ties that 106 bits cannot tell. Powers that could have more than
    LARGEST_POWER_BITS bits are libm's.
    """
    bits = math.frexp(a)[1]
    if bits * b > LARGEST_POWER_BITS:
        return float(a**b)
    high, low = 1.0, 0.0
    square_high, square_low = a, 0.0
    left = np.int64(b)
    while left > 0:
        if left & 1:
            product = high * square_high
            error = product_error(high, square_high, product) + (high * square_low + low * square_high)
            high, low = product + error, error - ((product + error) - product)
        left >>= 1
        if left > 0:
            product = square_high * square_high
            error = product_error(square_high, square_high, product) + 2.0 * square_high * square_low
            square_high, square_low = product + error, error - ((product + error) - product)
    return high if math.isfinite(high) else float(a**b)


@njit(cache=True, error_model="numpy", nogil=True)
def row_count(x: float) -> int:
    """A whole number of rows as an integer."""
    return int(x)


@njit(cache=True, error_model="numpy", nogil=True)
def find_length(lengths: Ints, function: int, length: int) -> int:
    """Where `length` stands among the precomputed lengths of a window function; -1 when it does not.

    lengths: (n_functions, n_lengths), padded with 0.
    """
    for j in range(lengths.shape[1]):
        if lengths[function, j] == length:
            return j
    return -1


@njit(cache=True, error_model="numpy", nogil=True)
def sale_price(cols: Floats, row: int, quantity: float, levels: int) -> float:
    """Price of selling `quantity` on a row's bids (rows 0-4 and 5-9 of the column matrix); 0 when they cannot take it all."""
    prices = (cols[0, row], cols[1, row], cols[2, row], cols[3, row], cols[4, row])
    sizes = (cols[5, row], cols[6, row], cols[7, row], cols[8, row], cols[9, row])
    return fill_price(quantity, levels, prices, sizes)


@njit(cache=True, error_model="numpy", nogil=True)
def forced_sale_price(cols: Floats, row: int, quantity: float, levels: int) -> float:
    """Price of the sale on the day's last row; row 10 of the column matrix is 현재가."""
    prices = (cols[0, row], cols[1, row], cols[2, row], cols[3, row], cols[4, row])
    sizes = (cols[5, row], cols[6, row], cols[7, row], cols[8, row], cols[9, row])
    return forced_price(quantity, last_price(cols[10], row), levels, prices, sizes)


@njit(cache=True, error_model="numpy", nogil=True)
def entry_table(
    price: Floats,
    weighted: bool,
    criterion: Floats,
    betting: float,
    limits: tuple[float, float, float, float],
    factors: Levels,
    ask_levels: int,
    ask_prices: tuple[Floats, Floats, Floats, Floats, Floats],
    ask_sizes: tuple[Floats, Floats, Floats, Floats, Floats],
) -> Floats:
    """What a buy on each row would be. Returns: (2, n_rows) shares and price in KRW; price 0 where the asks cannot fill it."""
    out = np.zeros((2, len(price)), dtype=np.float64)
    for i in range(len(price)):
        stake = weighted_betting(betting, criterion[i], limits, factors) if weighted else betting
        quantity = order_quantity(stake, price[i])
        prices = (ask_prices[0][i], ask_prices[1][i], ask_prices[2][i], ask_prices[3][i], ask_prices[4][i])
        sizes = (ask_sizes[0][i], ask_sizes[1][i], ask_sizes[2][i], ask_sizes[3][i], ask_sizes[4][i])
        out[0, i] = quantity
        out[1, i] = fill_price(quantity, ask_levels, prices, sizes)
    return out


@njit(cache=True, error_model="numpy", nogil=True)
def next_open(offsets: Ints, allowed: Bools) -> Rows32:
    """For every row the first one from it on, in its session, that is `allowed`; the session's last row when there is none."""
    out = np.empty(len(allowed), dtype=np.int32)
    for s in range(len(offsets) - 1):
        following = offsets[s + 1] - 1
        for i in range(offsets[s + 1] - 1, offsets[s] - 1, -1):
            if allowed[i] and i < offsets[s + 1] - 1:
                following = i
            out[i] = following
    return out
