"""When a position is sold: the first row after an entry on which a reason holds, found without visiting every row.

A reason is a conjunction of atoms `sign * quantity >= value`; RATIO and GAP compare 수익률 with 최고수익률 * value and with
최고수익률 - value instead. A reason of one atom that can only begin to hold (a price target, a stop, a drawdown, a time, a term
of the row) is searched along the exit index, one that asks for a truth of the row among its bits; every other reason is looked
for row by row, up to the first row on which one of the former holds. Prices are only a filter: along the index 수익률 is
estimated within `slack`, and the exact figure decides.

수익률 must not fall when the price rises. That holds where `quantity × price step` outweighs what rounding can take back
(`EXACT_KRW`); entries for which it does not are looked at row by row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.costing import net_amount, profit_pct
from stom_ray.engine.kernel_runtime import forced_sale_price, sale_price
from stom_ray.engine.planned.index import NONE
from stom_ray.engine.planned.words import lowest_bit
from stom_ray.machine_code import njit

Rows32 = NDArray[np.int32]
Ints32 = NDArray[np.int32]

# Quantities of atoms; TICK + k is tick term k, TRUTH - k truth k.
TRUTH, PCT, PEAK, TROUGH, DRAWDOWN, HELD, RATIO, GAP, TICK = range(-1, 8)
RISE, FALL, TRAIL, RETRACE, TIME, TERM, TRUE, SCAN = range(8)  # how a reason is searched


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def touch(market, start, end):
    """Reads a session's exit columns in order, a cache line at a time, so that the jumps to come find them near."""
    found = 0.0
    for i in range(start, end, 8):
        found += market[0][i] + market[1][i] + market[4][i] + market[7][0, i] + market[7][5, i]
        found += market[8][0, i] + market[8][1, i] + float(market[2][i] + market[3][i])
    return found


@njit(cache=True, error_model="numpy", nogil=True, counts=False, forceinline=True)
def pct_at(price: float, bought: float, quantity: float, cost: tuple[float, float, float]) -> float:
    return profit_pct(bought, net_amount(bought, quantity * price, cost[0], cost[1], cost[2]))


@njit(cache=True, error_model="numpy", nogil=True, counts=False, forceinline=True)
def estimate(bought: float, paid: float, cost: tuple[float, float, float]) -> tuple[float, float, float]:
    """(a, b, slack): 수익률 is within `slack` of a * price - b. paid: the buy price, bought: KRW spent."""
    a = 100.0 * (1.0 - cost[0] - cost[1]) / paid
    return a, 100.0 * (1.0 + cost[1]), 0.01 + 100.0 * (2.0 * cost[2] + 3.0) / bought


@njit(cache=True, error_model="numpy", nogil=True, counts=False, forceinline=True)
def first_rise(prices, higher, row, bound, value, bought, quantity, cost, scale):
    """The first row from `row` on, below `bound`, with 수익률 >= value; else `bound`. scale: (% per KRW, offset, slack)."""
    enough = (value - scale[2] + scale[1]) / scale[0]
    while True:
        while row < bound and prices[row] < enough:
            row = higher[row]
        if row >= bound:
            return bound
        if pct_at(prices[row], bought, quantity, cost) >= value:
            return row
        row = higher[row]


@njit(cache=True, error_model="numpy", nogil=True, counts=False, forceinline=True)
def first_fall(prices, lower, row, bound, value, bought, quantity, cost, scale):
    """The first row from `row` on, below `bound`, with -수익률 >= value; else `bound`."""
    enough = (scale[2] + scale[1] - value) / scale[0]
    while True:
        while row < bound and prices[row] > enough:
            row = lower[row]
        if row >= bound:
            return bound
        if -pct_at(prices[row], bought, quantity, cost) >= value:
            return row
        row = lower[row]


@njit(cache=True, error_model="numpy", nogil=True, counts=False, forceinline=True)
def first_drawdown(prices, higher, lower, lows, row, bound, value, bought, quantity, cost, scale):
    """The first row from `row` (where the position is first looked at) on with 최고수익률 - 수익률 >= value; else `bound`.

    From one record price to the next 최고수익률 stands still, so each stretch is a search for a low price; most are ruled out by
    their lowest.
    """
    while row < bound:
        following = min(np.int64(higher[row]), bound)
        peak = max(prices[row] * scale[0] - scale[1] + scale[2], 0.0)
        if lows[row] <= (peak - value + scale[2] + scale[1]) / scale[0]:
            peak = max(pct_at(prices[row], bought, quantity, cost), 0.0)
            enough = (peak - value + scale[2] + scale[1]) / scale[0]
            at = row
            while at < following:
                if prices[at] <= enough and peak - pct_at(prices[at], bought, quantity, cost) >= value:
                    return at
                at = np.int64(lower[at])
        row = following
    return bound


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def first_retrace(prices, higher, lower, lows, row, bound, reason, values, bought, quantity, cost, scale, script):
    """The first row from `row` on where 수익률 is down to the mark that goes with 최고수익률; else `bound`.

    As `first_drawdown`, for reasons of an atom that compares 수익률 with 최고수익률 (DRAWDOWN, RATIO, GAP) and at most one that
    asks for a 최고수익률.
    """
    starts, quantities, strict = script[0], script[1], script[7]
    least, which, value, above = -np.inf, DRAWDOWN, 0.0, False
    for atom in range(starts[reason], starts[reason + 1]):
        if quantities[atom] == PEAK:
            least = values[atom]
        else:
            which, value, above = quantities[atom], values[atom], strict[atom]
    while row < bound:
        following = min(np.int64(higher[row]), bound)
        about = prices[row] * scale[0] - scale[1]
        high = max(about + scale[2], 0.0)
        if high >= least:
            low = max(about - scale[2], 0.0)
            mark = max(high * value, low * value) if which == RATIO else high - value
            if lows[row] <= (mark + scale[2] + scale[1]) / scale[0]:
                peak = max(pct_at(prices[row], bought, quantity, cost), 0.0)
                mark = peak * value if which == RATIO else peak - value
                enough = (mark + scale[2] + scale[1]) / scale[0]
                at = row if peak >= least else following
                while at < following:
                    if prices[at] <= enough:
                        pct = pct_at(prices[at], bought, quantity, cost)
                        if which == DRAWDOWN and peak - pct >= value:
                            return at
                        if which != DRAWDOWN and (pct < mark if above else pct <= mark):
                            return at
                    at = np.int64(lower[at])
        row = following
    return bound


@njit(cache=True, error_model="numpy", nogil=True, counts=False, forceinline=True)
def first_time(seconds, entry, row, bound, value):
    """The first row from `row` on that is at least `value` seconds after the entry; else `bound`.

    A row is at least a second after the one before it.
    """
    start = seconds[entry]
    high = bound
    if value < bound - entry:
        guess = entry + max(np.int64(np.ceil(value)), row - entry)
        if guess < bound:
            if seconds[guess] - start == guess - entry:
                return guess
            high = guess
    while row < high:
        middle = (row + high) >> 1
        if seconds[middle] - start >= value:
            high = middle
        else:
            row = middle + 1
    return high


@njit(cache=True, error_model="numpy", nogil=True, counts=False, forceinline=True)
def first_term(term, higher, row, bound, value):
    """The first row from `row` on with term >= value; else `bound`."""
    while row < bound and term[row] < value:
        row = higher[row]
    return min(np.int64(row), bound)


@njit(cache=True, error_model="numpy", nogil=True, counts=False, forceinline=True)
def first_true(bits, row, bound):
    """The first row from `row` on whose bit is set; else `bound`. bits: bit r of word w is row 64 w + r."""
    if row >= bound:
        return bound
    at = row >> 6
    word = bits[at] >> np.uint64(row & 63)
    if word != 0:
        return min(row + lowest_bit(word), bound)
    at += 1
    while at << 6 < bound:
        if bits[at] != 0:
            return min((at << 6) + lowest_bit(bits[at]), bound)
        at += 1
    return bound


@njit(cache=True, error_model="numpy", nogil=True, counts=False, forceinline=True)
def holds(reason, row, entry, pct, peak, trough, values, market, script):
    """Whether every atom of a reason holds on a row. values: (n_atoms,) of one candidate."""
    starts, quantities, signs, strict = script[0], script[1], script[2], script[7]
    for atom in range(starts[reason], starts[reason + 1]):
        which = quantities[atom]
        if which <= TRUTH:
            if not market[9][TRUTH - which, row >> 6] >> np.uint64(row & 63) & np.uint64(1):
                return False
            continue
        if which in (RATIO, GAP):
            mark = signs[atom] * (peak * values[atom] if which == RATIO else peak - values[atom])
            if not (signs[atom] * pct > mark if strict[atom] else signs[atom] * pct >= mark):
                return False
            continue
        if which == PCT:
            found = pct
        elif which == PEAK:
            found = peak
        elif which == TROUGH:
            found = trough
        elif which == DRAWDOWN:
            found = peak - pct
        elif which == HELD:
            found = market[1][row] - market[1][entry]
        else:
            found = market[6][which - TICK, row]
        if not signs[atom] * found >= values[atom]:
            return False
    return True


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def earliest(entry, bound, only_scanned, bought, quantity, cost, scale, values, market, script):
    """A row before which no reason holds, by the atoms that hold for good once they do: a peak, a trough, a time reached."""
    starts, quantities, signs, kinds = script[0], script[1], script[2], script[3]
    found = bound
    for reason in range(len(kinds)):
        if only_scanned and kinds[reason] != SCAN:
            continue
        row = entry + 1
        for atom in range(starts[reason], starts[reason + 1]):
            if quantities[atom] == PEAK and signs[atom] > 0.0:
                begins = first_rise(market[0], market[2], entry + 1, found, values[atom], bought, quantity, cost, scale)
                row = max(row, begins)
            elif quantities[atom] == HELD and signs[atom] > 0.0:
                row = first_time(market[1], entry, row, found, values[atom])
        found = min(found, row)
    return found


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def scan(entry, row, bound, only_scanned, exact, bought, quantity, cost, scale, values, market, script):
    """The first row of [row, bound) on which a reason holds, row by row; else `bound`.

    only_scanned: of the SCAN reasons. exact: whether the exit index may be used to skip rows.
    """
    kinds, prices = script[3], market[0]
    peak, trough = 0.0, 0.0
    start = entry + 1
    if exact:
        row = max(row, earliest(entry, bound, only_scanned, bought, quantity, cost, scale, values, market, script))
        if row >= bound:
            return bound
        while start < row:  # records before `row` are all that matters of the rows before it
            peak = max(pct_at(prices[start], bought, quantity, cost), 0.0)
            start = np.int64(market[2][start])
        start = entry + 1
        while start < row:
            trough = min(pct_at(prices[start], bought, quantity, cost), 0.0)
            start = np.int64(market[3][start])
        start = row
    for at in range(start, bound):
        pct = pct_at(prices[at], bought, quantity, cost)
        if pct > peak:
            peak = pct
        elif pct < trough:
            trough = pct
        if at < row:
            continue
        for reason in range(len(kinds)):
            if only_scanned and kinds[reason] != SCAN:
                continue
            if holds(reason, at, entry, pct, peak, trough, values, market, script):
                return at
    return bound


@njit(cache=True, error_model="numpy", nogil=True, counts=False, forceinline=True)
def first_holding(entry, row, bound, reason, values, bought, quantity, cost, scale, market, script):
    """The first row of [row, bound) on which a searched reason holds; else `bound`. values: (n_atoms,)."""
    kind = script[3][reason]
    value = values[script[0][reason]]
    if kind == RETRACE:
        return first_retrace(
            market[0], market[2], market[3], market[4], row, bound, reason, values, bought, quantity, cost, scale, script
        )
    if kind == RISE:
        return first_rise(market[0], market[2], row, bound, value, bought, quantity, cost, scale)
    if kind == FALL:
        return first_fall(market[0], market[3], row, bound, value, bought, quantity, cost, scale)
    if kind == TRAIL:
        return first_drawdown(market[0], market[2], market[3], market[4], row, bound, value, bought, quantity, cost, scale)
    if kind == TIME:
        return first_time(market[1], entry, row, bound, value)
    if kind == TRUE:
        return first_true(market[9][TRUTH - script[1][script[0][reason]]], row, bound)
    term = script[1][script[0][reason]] - TICK
    return first_term(market[6][term], market[5][term], row, bound, value)


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def list_records(entry, bound, bought, quantity, cost, scale, market, script, levels, n_levels, records):
    """Per searched reason the rows of (entry, bound) on which its quantity is higher than ever since the entry.

    levels: (n_reasons, most) ascending, of which n_levels (n_reasons,): nothing is listed below the lowest or beyond the highest.
    records: values and rows (n_reasons, longest session), and how many (n_reasons,), out. TIME and RETRACE have none.
    """
    starts, quantities, kinds = script[0], script[1], script[3]
    prices, higher, lower, lows = market[0], market[2], market[3], market[4]
    values, rows, counts = records
    for reason in script[5]:
        counts[reason] = 0
        if n_levels[reason] == 0:
            continue
        kind = kinds[reason]
        lowest, highest = levels[reason, 0], levels[reason, n_levels[reason] - 1]
        n = 0
        row = entry + 1
        if kind in (RISE, FALL):
            chain = higher if kind == RISE else lower
            sign = 1.0 if kind == RISE else -1.0
            enough = (lowest - scale[2] + sign * scale[1]) / scale[0]
            while row < bound:
                if sign * prices[row] >= enough:
                    value = sign * pct_at(prices[row], bought, quantity, cost)
                    values[reason, n] = value
                    rows[reason, n] = row
                    n += 1
                    if value >= highest:
                        break
                row = np.int64(chain[row])
        elif kind == TRAIL:
            best = lowest
            while row < bound and (n == 0 or best < highest):
                following = min(np.int64(higher[row]), bound)
                peak = max(prices[row] * scale[0] - scale[1] + scale[2], 0.0)
                if peak - (lows[row] * scale[0] - scale[1]) + scale[2] >= best:
                    peak = max(pct_at(prices[row], bought, quantity, cost), 0.0)
                    enough = (peak - best + scale[2] + scale[1]) / scale[0]
                    at = row
                    while at < following:
                        if prices[at] <= enough:
                            found = peak - pct_at(prices[at], bought, quantity, cost)
                            if found >= best:
                                best = found
                                values[reason, n] = found
                                rows[reason, n] = at
                                n += 1
                        at = np.int64(lower[at])
                row = following
        elif kind == TRUE:
            row = first_true(market[9][TRUTH - quantities[starts[reason]]], row, bound)
            if row < bound:
                values[reason, n] = 1.0
                rows[reason, n] = row
                n += 1
        elif kind == TERM:
            term = quantities[starts[reason]] - TICK
            while row < bound:
                value = market[6][term, row]
                if value >= lowest:
                    values[reason, n] = value
                    rows[reason, n] = row
                    n += 1
                    if value >= highest:
                        break
                row = np.int64(market[5][term, row])
        counts[reason] = n


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def rows_by_level(levels, n_levels, values, rows, count, out):
    """out[d]: the row of the first of `count` ascending records with at least the d-th level; NONE without one.

    levels: n_levels ascending numbers.
    """
    done = np.int64(0)
    for record in range(count):
        upto = done + count_up_to(levels[done:n_levels], n_levels - done, values[record])
        for d in range(done, upto):
            out[d] = rows[record]
        done = upto
    for d in range(done, n_levels):
        out[d] = NONE


@njit(cache=True, error_model="numpy", nogil=True, counts=False, forceinline=True)
def count_up_to(ordered, count, value):
    """How many of the first `count` ascending numbers are <= value."""
    low = np.int64(0)
    while count > 1:  # no branch on the comparison, which nothing could predict
        half = count >> 1
        low += half * np.int64(ordered[low + half - 1] <= value)
        count -= half
    return low + np.int64(count == 1 and ordered[low] <= value)


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def rows_by_second(seconds, start, end, span, out):
    """out[d]: the first row of [start, end) at least d seconds after `start`; NONE without one. d: 0 to span."""
    done = np.int64(0)
    for row in range(start, end):
        upto = np.int64(seconds[row] - seconds[start])
        for d in range(done, upto + 1):
            out[d] = row
        done = upto + 1
    for d in range(done, span + 1):
        out[d] = NONE


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def reason_at(entry, row, bought, quantity, cost, values, market, script):
    """The first reason that holds on a row, by number."""
    prices = market[0]
    peak, trough, pct = 0.0, 0.0, 0.0
    for at in range(entry + 1, row + 1):
        pct = pct_at(prices[at], bought, quantity, cost)
        if pct > peak:
            peak = pct
        elif pct < trough:
            trough = pct
    for reason in range(len(script[3])):
        if holds(reason, row, entry, pct, peak, trough, values, market, script):
            return reason
    return -1


@njit(cache=True, error_model="numpy", nogil=True, counts=False, forceinline=True)
def book_price(bids, row, quantity, levels):
    """`sale_price`, looking no further than the best bid when that takes it all."""
    if bids[5, row] >= quantity and bids[0, row] > 0.0:
        return np.rint(quantity * bids[0, row] / quantity)
    return sale_price(bids, row, quantity, levels)


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def sell_from(entry, row, last, exact, bought, quantity, levels, cost, scale, values, market, script):
    """(row, price) of the sale of a position for which a reason first holds on `row`; `last` is the forced sale's."""
    while row < last:
        price = book_price(market[7], row, quantity, levels)
        if price > 0.0:
            return row, price
        row = scan(entry, row + 1, last, False, exact, bought, quantity, cost, scale, values, market, script)
    return last, forced_sale_price(market[7], last, quantity, levels)
