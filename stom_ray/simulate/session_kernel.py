"""One stock's day, second by second: trades, quotes, halts, limit locks, and the edge's drift.

Why no edge is there but the planted one. A hidden price follows a martingale (plus the edge's drift). The quote moves only when
the hidden price has reached the next price of the ladder, to one of its two neighbours on the ladder with the probabilities that
keep the expectation, and the hidden price restarts there; so the quote is a martingale too, whatever was observed. Order
flow leans on quote moves that already happened and on a state of its own, never on the hidden price.
Orders excite further orders (an exponential kernel with branching ratio BRANCHING, large trades more than small ones), and
volatility follows the same intensity.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stom_ray.machine_code import njit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BRANCHING = 0.7
EXCITE_DECAY = math.exp(-1 / 12)  # bursts fade over 12 s
FLOW_DECAY = 0.97
BOOK_DECAY = 0.9
VI_RATE = 0.1
HALT_S, HALT_EXTRA_S = 120, 30  # a volatility interruption: 2 minutes and up to half a minute more
LOCK_BREAK = 1 / 300  # chance a second that an upper limit lock opens
QUIET_SHOWN = 0.5  # chance that a second without trades still gets a row
LEVELS = 5

# Columns of the raw rows.
(
    SECOND, PRICE, HIGH, LOW, RATE, MONEY, STRENGTH, BUYS, SELLS, VALUE, HL_RATE, VOLUME, VI_SECOND, VI_PRICE, VI_UNIT, BUY_VALUE,
    SELL_VALUE, DAY_BUY, TOP_BUY, TOP_BUY_PRICE, DAY_SELL, TOP_SELL, TOP_SELL_PRICE, ASK_TOTAL, BID_TOTAL, LOCKED, FIRED,
    DAY_BUY_SHARES, OPEN,
) = range(29)  # fmt: skip
ASK, BID, ASK_SIZE, BID_SIZE = 29, 34, 39, 44  # level 1..5 each
N_RAW = 49

# Counters that a session returns.
ROWS, HALTS, LOCKED_SECONDS, TRIGGERS = range(4)


class Ladder(NamedTuple):
    """Where orders may stand. prices: valid ones, one below the lower limit to far above the upper; lower, upper: indices of the
    limits; occupied: (len(prices),) levels that hold orders; level_value: KRW at a level."""

    prices: Floats
    lower: int
    upper: int
    occupied: Bools
    level_value: float


class Planted(NamedTuple):
    """The edge: its terms (kinds as in edge.QUANTITIES), first row and divisors. schedule: (horizon,) drift after a trigger;
    renew: form `steady`."""

    kind: Ints
    window: Ints
    above: Bools
    threshold: Floats
    first_row: int
    previous_volume: float
    shares: float
    schedule: Floats
    renew: bool


class Session(NamedTuple):
    """Input of a session of n seconds from 09:00.

    opening: index of the opening quote. base: (n,) own trades a second, before excitation; sigma: (n,) standard deviation of the
    return; trade_value: KRW. thin: wide spreads. spread: without, both sides begin at the quote. The draws are `tape.Tape`'s.
    """

    ladder: Ladder
    planted: Planted
    opening: int
    previous_close: float
    base: Floats
    sigma: Floats
    trade_value: float
    thin: bool
    spread: bool
    flow_bias: float
    innovation: Floats
    uniform: Floats
    normal: Floats
    book: Floats
    seen: Bools


@njit(cache=True)
def rounded(value: float, scale: float) -> float:
    """As numpy rounds: half to even after scaling (100 = two digits)."""
    return float(np.rint(value * scale) / scale)


@njit(cache=True)
def poisson(u: float, z: float, mean: float) -> int:
    """A Poisson count by inversion of the uniform u; above 40 the normal one of z."""
    if mean > 40:
        return max(0, int(np.rint(mean + math.sqrt(mean) * z)))
    term = math.exp(-mean)
    total, count = term, 0
    while u > total and count < 200:
        count += 1
        term *= mean / count
        total += term
    return count


@njit(cache=True)
def settle(hidden: float, at: int, ladder: Floats, lowest: int, highest: int, u: float) -> int:
    """Index of the price the quote moves to: the neighbours of `hidden`, with the odds that keep its expectation."""
    j = at
    while j < highest and ladder[j + 1] <= hidden:
        j += 1
    while j > lowest and ladder[j] > hidden:
        j -= 1
    if j < highest and u * (ladder[j + 1] - ladder[j]) < hidden - ladder[j]:
        j += 1
    return j


@njit(cache=True)
def sum_of(raw: Floats, row: int, column: int, window: int) -> float:
    """Sum over the last `window` rows."""
    total = 0.0
    for i in range(row - window + 1, row + 1):
        total += raw[i, column]
    return total


@njit(cache=True)
def margin(kind: int, window: int, threshold: float, raw: Floats, row: int, previous_volume: float, shares: float) -> float:
    """Left side less right side of a term on this row; kinds as in edge.QUANTITIES."""
    now = raw[row]
    left, right = 0.0, threshold
    if kind == 0:
        left = now[STRENGTH]
    elif kind == 1:
        left = now[RATE]
    elif kind == 2:
        left = now[HL_RATE]
    elif kind == 3:
        left = now[VALUE]
    elif kind == 4:
        left = rounded(now[VOLUME] / shares * 100, 100.0)
    elif kind == 5:
        left = rounded(now[VOLUME] / previous_volume * 100, 100.0)
    elif kind == 6:
        left, right = now[BUYS], now[SELLS] * threshold
    elif kind == 7:
        left, right = now[BID_TOTAL], now[ASK_TOTAL] * threshold
    elif kind == 8:
        change = now[RATE] - raw[row - window + 1, RATE]
        left = rounded(math.atan2(change * 5, window) / (2 * math.pi) * 360, 100.0)
    elif kind == 9:
        left, right = now[STRENGTH], rounded(sum_of(raw, row, STRENGTH, window) / window, 1000.0) + threshold
    elif kind == 10:
        left, right = now[VALUE], rounded(sum_of(raw, row, VALUE, window) / window, 1.0) * threshold
    else:
        left, right = sum_of(raw, row, BUYS, window), sum_of(raw, row, SELLS, window) * threshold
    return left - right


@njit(cache=True)
def holds(edge: Planted, raw: Floats, row: int) -> bool:
    """Whether the edge's condition holds on this row."""
    if len(edge.kind) == 0 or row + 1 < edge.first_row:
        return False
    for k in range(len(edge.kind)):
        gap = margin(edge.kind[k], edge.window[k], edge.threshold[k], raw, row, edge.previous_volume, edge.shares)
        if (gap <= 0) if edge.above[k] else (gap >= 0):
            return False
    return True


@njit(cache=True)
def write_book(ladder: Ladder, now: Floats, ask: int, bid: int, sizes: Floats) -> None:
    """Five levels a side from the best (index -1 = none on that side) to the limits, sizes, and totals with what lies deeper."""
    now[ASK:N_RAW] = 0.0
    shares = ladder.level_value / now[PRICE]
    for side in range(2):
        best, step = (ask, 1) if side == 0 else (bid, -1)
        price_at, size_at = (ASK, ASK_SIZE) if side == 0 else (BID, BID_SIZE)
        total, level, i = 0.0, 0, best
        while best >= 0 and level < LEVELS and ladder.lower <= i <= ladder.upper:
            scale = 12.0 if (level == 0 and now[LOCKED] != 0) else 0.7 + 0.15 * level
            size = max(1.0, np.rint(shares * scale * math.exp(0.6 * sizes[side * LEVELS + level])))
            now[price_at + level] = ladder.prices[i]
            now[size_at + level] = size
            total += size
            level += 1
            i += step
            while ladder.lower < i < ladder.upper and not ladder.occupied[i]:
                i += step
        if level == LEVELS:
            total += np.rint(3 * shares * math.exp(0.4 * sizes[2 * LEVELS + side]))
        now[ASK_TOTAL if side == 0 else BID_TOTAL] = total


@njit(cache=True)
def side_shares(count: int, value: float, price: float, p: float, z_size: float, z_side: float, u: float) -> tuple[float, float]:
    """Shares bought and sold by `count` trades of mean `value` KRW when a trade is a buy with chance p."""
    volume = max(1.0, np.rint(count * value / price * math.exp(0.7 * z_size - 0.245)))
    if count == 1:
        part = 1.0 if u < p else 0.0
    else:
        part = min(1.0, max(0.0, p + 0.4 / math.sqrt(count) * z_side))
        if count <= 3:
            part = np.rint(part * count) / count
    buys = np.rint(volume * part)
    return buys, volume - buys


@njit(cache=True)
def spread_extra(u: float, thin: bool) -> int:
    """Ticks by which one side stands back from the tightest quote."""
    wide = 0.5 if thin else 0.06
    if u >= wide:
        return 0
    return 2 if u < 0.3 * wide else 1


@njit(cache=True)
def execute(
    prices: Floats, trade_value: float, lean: float, u: Floats, z: Floats, count: int, moved: int, ask: int, bid: int, at: int
) -> tuple[float, float, float]:
    """Shares bought and sold by `count` trades after the quote moved `moved` ticks, and the last trade's price, KRW.

    Who buys pays the ask, who sells gets the bid; a move needs trades on its side; at a limit only one side is there.
    """
    p = 1 / (1 + math.exp(-(lean + 0.7 * min(3, max(-3, moved)))))
    buys, sells = side_shares(count, trade_value, prices[at], p, z[1], z[2], u[2])
    if bid < 0 or (ask >= 0 and moved > 0 and buys == 0):
        buys, sells = buys + sells, 0.0
    elif ask < 0 or (moved < 0 and sells == 0):
        buys, sells = 0.0, buys + sells
    last = ask if buys > 0 and (sells == 0 or u[3] * (buys + sells) < buys) else bid
    return buys, sells, prices[last]


@njit(cache=True)
def next_quote(ladder: Ladder, u: Floats, hidden: float, at: int, reopening: bool) -> int:
    """Index of the quote after the hidden price moved: at a lock it stays (an upper one may break), else see above."""
    if at == ladder.upper:
        return ladder.upper - 1 if u[8] < LOCK_BREAK else at
    if at == ladder.lower - 1 or not (reopening or hidden >= ladder.prices[at + 1] or hidden <= ladder.prices[at - 1]):
        return at
    return settle(hidden, at, ladder.prices, ladder.lower - 1, ladder.upper, u[1])


@njit(cache=True)
def book_side(now: Floats, totals: Floats, index: int, price: float, value: float, day: int, top: int, top_price: int) -> None:
    """Adds one side's trades of a second: high, low, day's value, the price with most of it. totals: by ladder index."""
    now[HIGH], now[LOW] = max(now[HIGH], price), min(now[LOW], price)
    now[day] += value
    totals[index] += value
    if totals[index] > now[top]:
        now[top], now[top_price] = totals[index], price


@njit(cache=True)
def arm_interruption(ladder: Floats, reference: float, now: Floats) -> None:
    """Sets the price that triggers the next upward interruption, 10% above the reference on the ladder, and its tick size."""
    above = np.searchsorted(ladder, reference * (1 + VI_RATE) - 1e-6)
    now[VI_PRICE], now[VI_UNIT] = ladder[above], ladder[above + 1] - ladder[above]


@njit(cache=True)
def finish_row(
    now: Floats,
    t: int,
    price: float,
    previous_close: float,
    buys: float,
    sells: float,
    ask_price: float,
    bid_price: float,
    value_before: float,
) -> None:
    """The columns that follow from the day so far. ask_price, bid_price: 0 where the side is empty."""
    day_buys, day_value = now[DAY_BUY_SHARES], now[DAY_BUY] + now[DAY_SELL]
    day_sells = now[VOLUME] - day_buys
    now[SECOND], now[PRICE], now[BUYS], now[SELLS] = t, price, buys, sells
    now[BUY_VALUE], now[SELL_VALUE] = buys * ask_price, sells * bid_price
    now[RATE] = rounded((price / previous_close - 1) * 100, 100.0)
    now[MONEY] = math.floor(day_value / 1e6)
    now[VALUE] = now[MONEY] - math.floor(value_before / 1e6)
    now[STRENGTH] = 500.0 if day_buys > 0 else 100.0
    if day_sells > 0:
        now[STRENGTH] = min(500.0, rounded(day_buys / day_sells * 100, 100.0))
    now[HL_RATE] = rounded((price / ((now[HIGH] + now[LOW]) / 2) - 1) * 100, 100.0)
    now[LOCKED] = 1.0 if ask_price == 0 else -1.0 if bid_price == 0 else 0.0


@njit(cache=True)
def run_session(s: Session, raw: Floats, value_at: Floats, volume_to: Floats) -> tuple[Ints, float]:
    """Simulates the day; returns the counters and the last hidden price, KRW.

    Writes raw: (n, N_RAW), as many rows as the counter ROWS says; value_at: (n,) KRW traded in each second; volume_to: (n,)
    shares traded up to its end.
    """
    ladder, prices, schedule = s.ladder, s.ladder.prices, s.planted.schedule
    n, horizon = len(s.base), len(schedule)
    counters = np.zeros(4, dtype=np.int64)
    bought, sold = np.zeros(len(prices)), np.zeros(len(prices))
    sizes, now = s.book[0].copy(), np.zeros(N_RAW)
    at = s.opening
    hidden = price = reference = prices[at]
    now[VI_SECOND] = -1.0
    excited = s.base[0] / (1 - BRANCHING) * BRANCHING
    flow, ask_back, bid_back = 0.0, 0, 0
    trigger, release = -horizon - 1, -1
    for t in range(n):
        u, z = s.uniform[t], s.normal[t]
        for k in range(len(sizes)):
            sizes[k] = BOOK_DECAY * sizes[k] + math.sqrt(1 - BOOK_DECAY * BOOK_DECAY) * s.book[t, k]
        flow = FLOW_DECAY * flow + math.sqrt(1 - FLOW_DECAY * FLOW_DECAY) * z[0]
        intensity = s.base[t] + excited
        heat = min(8.0, max(0.2, intensity * (1 - BRANCHING) / s.base[t]))
        drift = schedule[t - trigger - 1] if 1 <= t - trigger <= horizon else 0.0
        locked = at == ladder.upper or at == ladder.lower - 1
        if t > 0 and not locked:
            hidden *= 1 + min(0.15, max(-0.15, s.sigma[t] * math.sqrt(heat) * s.innovation[t])) + drift
        if t < release:
            volume_to[t] = now[VOLUME]
            continue
        reopening = t == release
        count = poisson(u[0], z[1], intensity * (0.3 if locked else 1.0))
        if t == 0 or reopening:
            count += 1 + int(30 * s.base[t])
        before, at = at, next_quote(ladder, u, hidden, at, reopening)
        if at != before or reopening:
            count, hidden = max(count, 1), prices[at]
        mark = min(30.0, math.exp(1.2 * z[1] - 0.72))
        excited = excited * EXCITE_DECAY + BRANCHING * (1 - EXCITE_DECAY) * mark * min(count, 10 + 5 * intensity)
        if count > 0 and u[5] < 0.3:
            ask_back, bid_back = spread_extra(u[6], s.thin), spread_extra(u[7], s.thin)
        if s.spread:
            ask = -1 if at == ladder.upper else min(ladder.upper, at + 1 + ask_back)
            bid = -1 if at == ladder.lower - 1 else max(ladder.lower, at - bid_back)
        else:
            ask = -1 if at == ladder.upper else max(ladder.lower, at)
            bid = -1 if at == ladder.lower - 1 else at
        ask_price, bid_price = prices[ask] if ask >= 0 else 0.0, prices[bid] if bid >= 0 else 0.0
        value_before = now[DAY_BUY] + now[DAY_SELL]
        buys = sells = 0.0
        if count > 0:
            buys, sells, price = execute(prices, s.trade_value, 0.6 * flow + s.flow_bias, u, z, count, at - before, ask, bid, at)
        if t == 0:
            now[OPEN] = now[HIGH] = now[LOW] = now[TOP_BUY_PRICE] = now[TOP_SELL_PRICE] = price
        if buys > 0:
            book_side(now, bought, ask, ask_price, buys * ask_price, DAY_BUY, TOP_BUY, TOP_BUY_PRICE)
        if sells > 0:
            book_side(now, sold, bid, bid_price, sells * bid_price, DAY_SELL, TOP_SELL, TOP_SELL_PRICE)
        now[DAY_BUY_SHARES] += buys
        now[VOLUME] += buys + sells
        value_at[t], volume_to[t] = now[DAY_BUY] + now[DAY_SELL] - value_before, now[VOLUME]
        if t == 0 or reopening:
            reference = price
            arm_interruption(prices, reference, now)
        if reopening:
            now[VI_SECOND] = t
        up = buys > 0 and ask_price >= now[VI_PRICE]
        if not reopening and (up or (sells > 0 and bid_price <= reference * (1 - VI_RATE) + 1e-6)):
            release = t + 1 + HALT_S + int(u[8] * HALT_EXTRA_S)
            counters[HALTS] += 1
        counters[LOCKED_SECONDS] += ask < 0 or bid < 0
        if not s.seen[t] or (count == 0 and u[4] >= QUIET_SHOWN):
            continue
        finish_row(now, t, price, s.previous_close, buys, sells, ask_price, bid_price, value_before)
        write_book(ladder, now, ask, bid, sizes)
        row = counters[ROWS]
        raw[row] = now
        counters[ROWS] += 1
        if holds(s.planted, raw, row):
            raw[row, FIRED] = 1.0
            if s.planted.renew or t - trigger >= horizon:
                trigger = t
                counters[TRIGGERS] += 1
    return counters, hidden
