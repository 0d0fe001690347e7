"""One stock's day, second by second: trades, quotes, halts, limit locks, and the edge's drift.

Why no edge is there but the planted one. A hidden price follows a martingale (plus the edge's drift). The quote moves only when
the hidden price has reached the next price of the ladder, to one of its two neighbours on the ladder with the probabilities that
keep the expectation, and the hidden price restarts there; so the quote is a martingale too, whatever was observed. Order
flow leans on quote moves that already happened and on a state of its own, never on the hidden price.
Order counts excite themselves (an exponential kernel with branching ratio BRANCHING), volatility follows the same intensity.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BRANCHING = 0.6
EXCITE_DECAY = math.exp(-1 / 12)  # bursts fade over 12 s
FLOW_DECAY = 0.97
BOOK_DECAY = 0.9
HALT_S, HALT_EXTRA_S = 120, 30  # a volatility interruption: 2 minutes and up to half a minute more
LOCK_BREAK = 1 / 300  # chance a second that an upper limit lock opens
QUIET_SHOWN = 0.5  # chance that a second without trades still gets a row
LEVELS = 5

# Columns of the raw rows.
(
    SECOND, PRICE, HIGH, LOW, RATE, MONEY, STRENGTH, BUYS, SELLS, VALUE, HL_RATE, VOLUME, VI_SECOND, VI_PRICE, VI_UNIT, BUY_VALUE,
    SELL_VALUE, DAY_BUY, TOP_BUY, TOP_BUY_PRICE, DAY_SELL, TOP_SELL, TOP_SELL_PRICE, ASK_TOTAL, BID_TOTAL, LOCKED, FIRED,
) = range(27)  # fmt: skip
ASK, BID, ASK_SIZE, BID_SIZE = 27, 32, 37, 42  # level 1..5 each
N_RAW = 47

# Counters that a session returns.
ROWS, HALTS, LOCKED_SECONDS, TRIGGERS = range(4)


class Session(NamedTuple):
    """Input of a session. n = seconds simulated from 09:00.

    ladder: valid prices, one below the lower limit to far above the upper; lower, upper: indices of the limits; opening: index of
    the opening price. base: (n,) expected own trades a second, before excitation; sigma: (n,) standard deviation of the return.
    The draws are those of `tape.Tape`. thin: wide spreads. occupied: (len(ladder),) levels that hold orders.
    term_*: the edge's terms; schedule: (horizon,) drift after a trigger; renew: form `steady`; first_row: see Edge.
    """

    ladder: Floats
    lower: int
    upper: int
    opening: int
    previous_close: float
    previous_volume: float
    shares: float
    base: Floats
    sigma: Floats
    trade_value: float
    level_value: float
    thin: bool
    flow_bias: float
    innovation: Floats
    uniform: Floats
    normal: Floats
    book: Floats
    occupied: Bools
    seen: Bools
    term_kind: Ints
    term_window: Ints
    term_above: Bools
    term_threshold: Floats
    schedule: Floats
    renew: bool
    first_row: int


@njit(cache=True)
def rounded(value: float, scale: float) -> float:
    """As numpy rounds: half to even after scaling (100 = two digits)."""
    return np.rint(value * scale) / scale


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
def mean_of(raw: Floats, row: int, column: int, window: int) -> float:
    """Mean of the last `window` rows."""
    total = 0.0
    for i in range(row - window + 1, row + 1):
        total += raw[i, column]
    return total / window


@njit(cache=True)
def margin(kind: int, window: int, threshold: float, raw: Floats, row: int, previous_volume: float, shares: float) -> float:
    """Left side less right side of a term on this row; kinds as in edge.QUANTITIES."""
    now = raw[row]
    if kind == 0:
        return now[STRENGTH] - threshold
    if kind == 1:
        return now[RATE] - threshold
    if kind == 2:
        return now[HL_RATE] - threshold
    if kind == 3:
        return now[VALUE] - threshold
    if kind == 4:
        return rounded(now[VOLUME] / shares * 100, 100.0) - threshold
    if kind == 5:
        return rounded(now[VOLUME] / previous_volume * 100, 100.0) - threshold
    if kind == 6:
        return now[BUYS] - now[SELLS] * threshold
    if kind == 7:
        return now[BID_TOTAL] - now[ASK_TOTAL] * threshold
    if kind == 8:
        change = now[RATE] - raw[row - window + 1, RATE]
        return rounded(math.atan2(change * 5, window) / (2 * math.pi) * 360, 100.0) - threshold
    if kind == 9:
        return now[STRENGTH] - (rounded(mean_of(raw, row, STRENGTH, window), 1000.0) + threshold)
    if kind == 10:
        return now[VALUE] - rounded(mean_of(raw, row, VALUE, window), 1.0) * threshold
    return mean_of(raw, row, BUYS, window) * window - mean_of(raw, row, SELLS, window) * window * threshold


@njit(cache=True)
def holds(s: Session, raw: Floats, row: int) -> bool:
    """Whether the edge's condition holds on this row."""
    if len(s.term_kind) == 0 or row + 1 < s.first_row:
        return False
    for k in range(len(s.term_kind)):
        gap = margin(s.term_kind[k], s.term_window[k], s.term_threshold[k], raw, row, s.previous_volume, s.shares)
        if (gap <= 0) if s.term_above[k] else (gap >= 0):
            return False
    return True


@njit(cache=True)
def write_book(s: Session, now: Floats, ask: int, bid: int, sizes: Floats) -> None:
    """Five levels a side from the best (index -1 = none on that side) to the limits, sizes, and totals with what lies deeper."""
    now[ASK:N_RAW] = 0.0
    at = now[PRICE]
    for side in range(2):
        best, step = (ask, 1) if side == 0 else (bid, -1)
        price_at, size_at = (ASK, ASK_SIZE) if side == 0 else (BID, BID_SIZE)
        total, level, i = 0.0, 0, best
        while best >= 0 and level < LEVELS and s.lower <= i <= s.upper:
            scale = 12.0 if (level == 0 and now[LOCKED] != 0) else 0.7 + 0.15 * level
            size = max(1.0, np.rint(s.level_value / at * scale * math.exp(0.6 * sizes[side * LEVELS + level])))
            now[price_at + level] = s.ladder[i]
            now[size_at + level] = size
            total += size
            level += 1
            i += step
            while s.lower < i < s.upper and not s.occupied[i]:
                i += step
        if level == LEVELS:
            total += np.rint(3 * s.level_value / at * math.exp(0.4 * sizes[2 * LEVELS + side]))
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
def run_session(s: Session, raw: Floats, value_at: Floats, volume_to: Floats) -> tuple[Ints, float]:
    """Simulates the day. Writes raw: (rows, N_RAW) as far as ROWS of the returned counters says, value_at: (n,) KRW traded in each
    second, volume_to: (n,) shares traded up to it. Returns the counters and the last hidden price, KRW."""
    n, horizon = len(s.base), len(s.schedule)
    counters = np.zeros(4, dtype=np.int64)
    bought, sold = np.zeros(len(s.ladder)), np.zeros(len(s.ladder))
    sizes = s.book[0].copy()
    now = np.zeros(N_RAW)
    j = s.opening
    hidden = price = high = low = s.ladder[j]
    excited = s.base[0] / (1 - BRANCHING) * BRANCHING
    flow, ask_back, bid_back = 0.0, 0, 0
    trigger, release, halted = -horizon - 1, -1, False
    day_buys = day_sells = day_value = 0.0
    now[VI_SECOND] = -1.0
    above = np.searchsorted(s.ladder, price * 1.1 - 1e-6)
    vi_low = price * 0.9 + 1e-6
    now[VI_PRICE], now[VI_UNIT] = s.ladder[above], s.ladder[above + 1] - s.ladder[above]
    for t in range(n):
        u, z = s.uniform[t], s.normal[t]
        for k in range(len(sizes)):
            sizes[k] = BOOK_DECAY * sizes[k] + math.sqrt(1 - BOOK_DECAY * BOOK_DECAY) * s.book[t, k]
        flow = FLOW_DECAY * flow + math.sqrt(1 - FLOW_DECAY * FLOW_DECAY) * z[0]
        intensity = s.base[t] + excited
        heat = min(5.0, max(0.3, intensity * (1 - BRANCHING) / s.base[t]))
        drift = s.schedule[t - trigger - 1] if 1 <= t - trigger <= horizon else 0.0
        locked_up, locked_down = j == s.upper, j == s.lower - 1
        if t > 0 and not (locked_up or locked_down):
            hidden *= 1 + min(0.15, max(-0.15, s.sigma[t] * math.sqrt(heat) * s.innovation[t])) + drift
        if halted and t < release:
            volume_to[t] = day_buys + day_sells
            continue
        reopening = halted
        halted = False
        count = poisson(u[0], z[1], intensity * (0.3 if locked_up or locked_down else 1.0))
        if t == 0 or reopening:
            count += 1 + int(30 * s.base[t])
        before = j
        if locked_up and u[8] < LOCK_BREAK:
            j = s.upper - 1
        elif not (locked_up or locked_down) and (hidden >= s.ladder[j + 1] or hidden <= s.ladder[j - 1] or reopening):
            j = settle(hidden, j, s.ladder, s.lower - 1, s.upper, u[1])
        if j != before or reopening:
            count = max(count, 1)
            hidden = s.ladder[j]
        locked_up, locked_down = j == s.upper, j == s.lower - 1
        excited = excited * EXCITE_DECAY + BRANCHING * (1 - EXCITE_DECAY) * min(count, 10 + 20 * intensity)
        if count > 0 and u[5] < 0.3:
            ask_back, bid_back = spread_extra(u[6], s.thin), spread_extra(u[7], s.thin)
        ask = -1 if locked_up else min(s.upper, j + 1 + ask_back)
        bid = -1 if locked_down else max(s.lower, j - bid_back)
        if count > 0:
            moved = min(3, max(-3, j - before))
            p = 1 / (1 + math.exp(-(0.6 * flow + s.flow_bias + 0.7 * moved)))
            buys, sells = side_shares(count, s.trade_value, s.ladder[j], p, z[1], z[2], u[2])
            if locked_down or (not locked_up and moved > 0 and buys == 0):
                buys, sells = buys + sells, 0.0
            elif locked_up or (moved < 0 and sells == 0):
                buys, sells = 0.0, buys + sells
            price = s.ladder[ask] if buys > 0 and (sells == 0 or u[3] * (buys + sells) < buys) else s.ladder[bid]
        else:
            buys = sells = 0.0
        buy_value = buys * s.ladder[ask] if buys > 0 else 0.0
        sell_value = sells * s.ladder[bid] if sells > 0 else 0.0
        if t == 0:
            high = low = now[TOP_BUY_PRICE] = now[TOP_SELL_PRICE] = price
        if buys > 0:
            high, low = max(high, s.ladder[ask]), min(low, s.ladder[ask])
            bought[ask] += buy_value
            if bought[ask] > now[TOP_BUY]:
                now[TOP_BUY], now[TOP_BUY_PRICE] = bought[ask], s.ladder[ask]
        if sells > 0:
            high, low = max(high, s.ladder[bid]), min(low, s.ladder[bid])
            sold[bid] += sell_value
            if sold[bid] > now[TOP_SELL]:
                now[TOP_SELL], now[TOP_SELL_PRICE] = sold[bid], s.ladder[bid]
        money_before = math.floor(day_value / 1e6)
        day_buys += buys
        day_sells += sells
        day_value += buy_value + sell_value
        value_at[t], volume_to[t] = buy_value + sell_value, day_buys + day_sells
        now[DAY_BUY] += buy_value
        now[DAY_SELL] += sell_value
        if reopening or t == 0:
            above = np.searchsorted(s.ladder, price * 1.1 - 1e-6)
            vi_low = price * 0.9 + 1e-6
            now[VI_PRICE], now[VI_UNIT] = s.ladder[above], s.ladder[above + 1] - s.ladder[above]
            if reopening:
                now[VI_SECOND] = t
        elif (buys > 0 and s.ladder[ask] >= now[VI_PRICE]) or (sells > 0 and s.ladder[bid] <= vi_low):
            halted, release = True, t + 1 + HALT_S + int(u[8] * HALT_EXTRA_S)
            counters[HALTS] += 1
        counters[LOCKED_SECONDS] += locked_up or locked_down
        if not s.seen[t] or (count == 0 and u[4] >= QUIET_SHOWN):
            continue
        now[SECOND], now[PRICE], now[HIGH], now[LOW] = t, price, high, low
        now[RATE] = rounded((price / s.previous_close - 1) * 100, 100.0)
        now[MONEY] = math.floor(day_value / 1e6)
        now[VALUE] = now[MONEY] - money_before
        now[STRENGTH] = min(500.0, rounded(day_buys / day_sells * 100, 100.0)) if day_sells > 0 else (500.0 if day_buys > 0 else 100.0)
        now[BUYS], now[SELLS], now[BUY_VALUE], now[SELL_VALUE] = buys, sells, buy_value, sell_value
        now[HL_RATE] = rounded((price / ((high + low) / 2) - 1) * 100, 100.0)
        now[VOLUME] = day_buys + day_sells
        now[LOCKED] = 1.0 if locked_up else -1.0 if locked_down else 0.0
        write_book(s, now, ask, bid, sizes)
        row = counters[ROWS]
        raw[row] = now
        counters[ROWS] += 1
        if holds(s, raw, row):
            raw[row, FIRED] = 1.0
            if s.renew or t - trigger >= horizon:
                trigger = t
                counters[TRIGGERS] += 1
    return counters, hidden
