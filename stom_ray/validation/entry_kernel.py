"""Compiled round trips and random placement of entries, for `stom_ray.validation.baselines`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.costing import net_amount
from stom_ray.engine.fills import fill_price, forced_price, last_price
from stom_ray.machine_code import njit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FiveColumns = tuple[Floats, Floats, Floats, Floats, Floats]
Market = tuple[Ints, Floats, Floats, Floats, FiveColumns, FiveColumns, int, Floats]
# offsets, seconds, entry, price, bid prices, bid sizes, bid levels, costs: as `RoundTrips`

ORDERS = 20  # random orders of the holding times that are tried before the order of the trades themselves
SESSIONS = 20  # random sessions that are tried until one has room for the entries of another


@njit(cache=True, error_model="numpy", nogil=True)
def round_trip(market: Market, session: int, row: int, hold_s: float) -> tuple[int, float]:
    """Row of the sale and profit in KRW of a buy on `row`."""
    offsets, seconds, entry, price, bid_prices, bid_sizes, levels, costs = market
    last = offsets[session + 1] - 1
    quantity = entry[0, row]
    low, high = row + 1, last  # the first row that is late enough lies in low..high, or is the last
    while low < high:
        middle = (low + high) // 2
        if seconds[middle] - seconds[row] >= hold_s:
            high = middle
        else:
            low = middle + 1
    sold = 0.0
    while True:
        prices = (bid_prices[0][low], bid_prices[1][low], bid_prices[2][low], bid_prices[3][low], bid_prices[4][low])
        sizes = (bid_sizes[0][low], bid_sizes[1][low], bid_sizes[2][low], bid_sizes[3][low], bid_sizes[4][low])
        if low == last:
            sold = forced_price(quantity, last_price(price, low), levels, prices, sizes)
            break
        sold = fill_price(quantity, levels, prices, sizes)
        if sold > 0.0:
            break
        low += 1
    bought = quantity * entry[1, row]
    profit = net_amount(bought, quantity * sold, costs[session, 0], costs[session, 1], costs[session, 2]) - bought
    return low, profit


@njit(cache=True, error_model="numpy", nogil=True)
def price_all(market: Market, sessions: Ints, rows: Ints, hold_s: Ints, sell_rows: Ints, profits: Floats) -> None:
    """Fills sell_rows and profits; all arrays (n,)."""
    for i in range(len(rows)):
        sell_rows[i], profits[i] = round_trip(market, sessions[i], rows[i], hold_s[i])


@njit(cache=True, error_model="numpy", nogil=True)
def draw_all(
    market: Market,
    sessions: Ints,
    firsts: Ints,
    hold_s: Ints,
    allowed: Ints,
    bounds: Ints,
    rng: np.random.Generator,
    profits: Floats,
) -> int:
    """Adds to profits (draws,) what random entries earn; returns how many found no room.

    sessions: (m,) all that may be bought in, at least as many as have trades; allowed[bounds[j] : bounds[j + 1]] the rows of the
    j-th that may be bought on, rising. hold_s[firsts[i] : firsts[i + 1]] the holding times of the i-th session with trades, in
    the order of the trades.
    """
    unplaced = longest = 0
    for i in range(len(firsts) - 1):
        longest = max(longest, firsts[i + 1] - firsts[i])
    order = np.arange(len(sessions))
    holds, earliest, latest = np.empty(longest, np.int64), np.empty(longest, np.int64), np.empty(longest, np.int64)
    for draw in range(len(profits)):
        for i in range(len(firsts) - 1):
            n = firsts[i + 1] - firsts[i]
            fitting = 0
            for _ in range(SESSIONS):
                other = i + int(rng.random() * (len(order) - i))  # none of those that have entries of this draw already
                order[i], order[other] = order[other], order[i]
                rows = allowed[bounds[order[i]] : bounds[order[i] + 1]]
                for attempt in range(ORDERS + 1):
                    for k in range(n):
                        holds[k] = hold_s[firsts[i] + k]
                    if attempt < ORDERS:
                        _shuffle(holds, n, rng)
                    fitting = _room(market, sessions[order[i]], rows, holds, n, earliest, latest)
                    if fitting == n:
                        break
                if fitting == n:
                    break
            placed, earned = _place(market, sessions[order[i]], rows, holds, fitting, earliest, latest, rng)
            unplaced += n - placed
            profits[draw] += earned
    return unplaced


@njit(cache=True, error_model="numpy", nogil=True)
def _shuffle(holds: Ints, n: int, rng: np.random.Generator) -> None:
    for k in range(n - 1):
        other = k + int(rng.random() * (n - k))
        holds[k], holds[other] = holds[other], holds[k]


@njit(cache=True, error_model="numpy", nogil=True)
def _room(market: Market, session: int, rows: Ints, holds: Ints, n: int, earliest: Ints, latest: Ints) -> int:
    """How many of the first entries fit, one after the other; fills the earliest and latest place in `rows` of each of them."""
    free = fitting = 0
    for k in range(n):
        if free >= len(rows) or not _ends_in_time(market, session, rows[free], holds[k]):
            break
        earliest[k] = free
        fitting += 1
        free = _first_after(rows, round_trip(market, session, rows[free], holds[k])[0])
    for k in range(fitting - 1, -1, -1):
        low, high = earliest[k], len(rows) - 1  # the latest place lies in low..high
        while low < high:
            middle = (low + high + 1) // 2
            if k == fitting - 1:
                fits = _ends_in_time(market, session, rows[middle], holds[k])
            else:
                fits = round_trip(market, session, rows[middle], holds[k])[0] < rows[latest[k + 1]]
            low, high = (middle, high) if fits else (low, middle - 1)
        latest[k] = low
    return fitting


@njit(cache=True, error_model="numpy", nogil=True)
def _first_after(rows: Ints, row: int) -> int:
    """Place in `rows` of the first one after `row`; their number when there is none."""
    low, high = 0, len(rows)
    while low < high:
        middle = (low + high) // 2
        if rows[middle] <= row:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, error_model="numpy", nogil=True)
def _ends_in_time(market: Market, session: int, row: int, hold_s: int) -> bool:
    offsets, seconds = market[0], market[1]
    in_time: bool = seconds[offsets[session + 1] - 1] - seconds[row] >= hold_s
    return in_time


@njit(cache=True, error_model="numpy", nogil=True)
def _place(
    market: Market, session: int, rows: Ints, holds: Ints, n: int, earliest: Ints, latest: Ints, rng: np.random.Generator
) -> tuple[int, float]:
    """Entries in the order of `holds`, the room left between them divided at random: how many were made, and what they earn.

    Places between the earliest and the latest are taken at n sorted uniform numbers, which makes every arrangement as likely as
    any other where all holdings span as many allowed rows wherever they begin.
    """
    free = placed = 0
    earned = share = 0.0
    for k in range(n):
        share = 1.0 - (1.0 - share) * rng.random() ** (1.0 / (n - k))  # the next of n sorted uniform numbers
        place = max(free, earliest[k] + int(share * (latest[k] - earliest[k] + 1)))
        if place > latest[k]:  # a sale before waited long for bids
            continue
        sell_row, profit = round_trip(market, session, rows[place], holds[k])
        free = _first_after(rows, sell_row)
        placed += 1
        earned += profit
    return placed, earned
