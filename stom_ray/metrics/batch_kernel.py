"""Compiled inner loops of `stom_ray.metrics.batch`: one candidate after the other, no allocation within one.

All sums of KRW and of seconds are int64 and exact; means and percentages use the operations of `metrics.stom` in its order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stom_ray.machine_code import njit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Places = NDArray[np.int32]
Flags = NDArray[np.bool_]
TradeArrays = tuple[Ints, Ints, Ints, Ints, Ints, Ints, Floats]  # session, buy_row, sell_row, hold_s, buy_amount, profit, pct
IndexArrays = tuple[Places, Places]  # second, ranked
Views = tuple[Flags, Floats]  # inside (n_views, n_slots), n_days (n_views,)

_LOW_32 = np.int64(0xFFFFFFFF)
_NEVER = np.int64(1) << 62
_DIGIT_BITS = 10  # of a radix pass
_INSERTION_LIMIT = 40  # below, insertion beats the fixed cost of radix passes


@njit(cache=True, nogil=True, error_model="numpy")
def score_batch(
    starts: Ints,
    slot_of_session: Ints,
    trades: TradeArrays,
    index: IndexArrays,
    views: Views,
    betting: float,
    n_rows: int,
    found: Floats,
    daily: Floats,
) -> None:
    """Fills found (n_views, n, 15) and daily (n, n_slots).

    starts: (n + 1,) each candidate's first trade. slot_of_session: its day's column, -1 = not scored. trades: the arrays of
    `Trades` in the order taken apart below. n_rows: rows of the holding table, -1 = those with a position.
    """
    session, buy_row, sell_row, hold_s, buy_amount, profit, pct = trades
    second, ranked = index
    inside, n_days = views
    longest = 1
    for c in range(len(starts) - 1):
        longest = max(longest, starts[c + 1] - starts[c])
    chosen, slots, bought = np.empty(longest, np.int64), np.empty(longest, np.int64), np.empty(longest, np.int64)
    entries, exits, spare = np.empty(longest + 1, np.int64), np.empty(longest, np.int64), np.empty(longest, np.int64)
    amounts, weights = np.empty(2 * longest, np.int64), np.empty(2 * longest, np.int64)
    high_amounts, high_weights = np.empty(2 * longest, np.int64), np.empty(2 * longest, np.int64)
    by_count, by_day = np.zeros(longest + 1, np.int64), np.zeros(daily.shape[1], np.int64)
    ends = np.empty(1 << _DIGIT_BITS, np.int64)

    for c in range(len(starts) - 1):
        n = 0
        smallest = _NEVER
        for t in range(starts[c], starts[c + 1]):
            slot = slot_of_session[session[t]]
            if slot >= 0:
                smallest = min(smallest, buy_amount[t])
                chosen[n], slots[n], bought[n] = t, slot, buy_amount[t]
                entries[n] = (np.int64(second[buy_row[t]]) << 32) | n
                exits[n] = (np.int64(second[sell_row[t]]) << 32) | n
                daily[c, slot] += profit[t]
                n += 1
        if n == 0:
            continue
        _sort_packed(entries, spare, ends, n, len(ranked))
        _sort_packed(exits, spare, ends, n, len(ranked))
        entries[n] = _NEVER
        pieces, highest = _hold(entries, exits, n, bought, slots, ranked, amounts, weights, by_count, by_day)
        for v in range(len(inside)):
            place = _picked_place(by_day, inside[v], n_rows)
            held = _count_at(by_count, highest, place)
            # Where so many are held, no less than as many times the smallest amount is: what is below cannot be the answer.
            high = _at_least(np.int64(held * smallest), amounts, weights, pieces, high_amounts, high_weights) if held > 0 else 0
            amount = _amount_at(high_amounts, high_weights, high, place)
            capital = float(amount) if amount > 0 else betting
            _figures(exits, chosen, slots, n, profit, pct, hold_s, inside[v], n_days[v], held, capital, found[v, c])
        by_count[: highest + 1] = 0
        by_day[:] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def _sort_packed(keys: Ints, spare: Ints, ends: Ints, n: int, n_seconds: int) -> None:
    """Sorts keys[:n], each a second << 32 | trade: by second, ties in trade order. ends: scratch."""
    if n <= _INSERTION_LIMIT:
        for i in range(1, n):
            key = keys[i]
            j = i - 1
            while j >= 0 and keys[j] > key:
                keys[j + 1] = keys[j]
                j -= 1
            keys[j + 1] = key
        return
    bits = 0
    while n_seconds >> bits > 0:
        bits += 1
    passes = (bits + _DIGIT_BITS - 1) // _DIGIT_BITS
    width = (bits + passes - 1) // passes
    size = 1 << width
    source, target = keys, spare
    shift = 32
    for _ in range(passes):
        ends[:size] = 0
        for i in range(n):  # unsigned indices: numba adds no test for negative ones
            ends[np.uint64((source[i] >> shift) & (size - 1))] += 1
        total = 0
        for digit in range(size):
            total, ends[digit] = total + ends[digit], total
        for i in range(n):
            end = np.uint64((source[i] >> shift) & (size - 1))
            target[np.uint64(ends[end])] = source[i]
            ends[end] += 1
        source, target = target, source
        shift += width
    if passes % 2 == 1:
        keys[:n] = spare[:n]


@njit(cache=True, nogil=True, error_model="numpy")
def _hold(
    entries: Ints,
    exits: Ints,
    n: int,
    bought: Ints,
    slots: Ints,
    ranked: Places,
    amounts: Ints,
    weights: Ints,
    by_count: Ints,
    by_day: Ints,
) -> tuple[int, int]:
    """Pieces of constant holdings: their amount and weight, and weights by count and by day. Returns pieces, highest count.

    entries[n] is later than any exit. What comes next, an entry or an exit, is a coin toss to the processor: so nothing is
    decided by a branch, and every step writes a piece, which only counts where it has a weight.
    """
    i = j = pieces = highest = count = 0
    amount = slot = before = np.int64(0)
    while j < n:
        entry, after_exit = entries[i] >> 32, (exits[j] >> 32) + 1  # the second of the sale is still held
        now = np.int64(ranked[min(entry, after_exit)])
        weight = now - before if count > 0 else np.int64(0)
        amounts[pieces], weights[pieces] = amount, weight
        by_count[count] += weight
        by_day[slot] += weight
        pieces += 1 if weight > 0 else 0
        before = now
        enters = entry < after_exit
        trade = (entries[i] if enters else exits[j]) & _LOW_32
        slot = slots[trade] if enters else slot
        count += 1 if enters else -1
        amount += bought[trade] if enters else -bought[trade]
        highest = max(highest, count)
        i += 1 if enters else 0
        j += 0 if enters else 1
    return pieces, highest


@njit(cache=True, nogil=True, error_model="numpy")
def _at_least(least: np.int64, amounts: Ints, weights: Ints, pieces: int, high_amounts: Ints, high_weights: Ints) -> int:
    """Copies the pieces of no smaller amount; returns how many they are."""
    n = 0
    for piece in range(pieces):
        high_amounts[n], high_weights[n] = amounts[piece], weights[piece]
        n += 1 if amounts[piece] >= least else 0
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def _picked_place(by_day: Ints, inside: Flags, n_rows: int) -> int:
    """Place, in descending order of all rows, of the k-th row picked by date; -1 if none is picked.

    The date column is sorted descending too, so the rows of a day stand where its seconds stand counted from the last day.
    """
    rows = n_rows
    if n_rows < 0:
        rows = 0
        for slot in range(len(by_day)):
            if inside[slot]:
                rows += by_day[slot]
    if rows == 0:
        return -1
    k = int(rows * 0.01)
    if n_rows >= 0:
        return k
    passed = 0
    for slot in range(len(by_day) - 1, -1, -1):
        if inside[slot]:
            if k < by_day[slot]:
                return passed + k
            k -= by_day[slot]
        passed += by_day[slot]
    return -1


@njit(cache=True, nogil=True, error_model="numpy")
def _count_at(by_count: Ints, highest: int, place: int) -> int:
    """The count at a place of the descending column; 0 beyond the rows with a position."""
    if place >= 0:
        for count in range(highest, 0, -1):
            if place < by_count[count]:
                return count
            place -= by_count[count]
    return 0


@njit(cache=True, nogil=True, error_model="numpy")
def _amount_at(amounts: Ints, weights: Ints, pieces: int, place: int) -> int:
    """The amount at a place of the descending column, by three-way quickselect; 0 beyond the rows with a position."""
    low, high = 0, pieces
    while place >= 0 and low < high:
        first, middle, last = amounts[low], amounts[(low + high) // 2], amounts[high - 1]
        pivot = max(min(first, middle), min(max(first, middle), last))
        i, above, below = low, low, high
        weight_above = weight_equal = 0
        while i < below:
            value = amounts[i]
            if value > pivot:
                weight_above += weights[i]
                amounts[i], amounts[above] = amounts[above], value
                weights[i], weights[above] = weights[above], weights[i]
                above += 1
                i += 1
            elif value < pivot:
                below -= 1
                amounts[i], amounts[below] = amounts[below], value
                weights[i], weights[below] = weights[below], weights[i]
            else:
                weight_equal += weights[i]
                i += 1
        if place < weight_above:
            high = above
        elif place < weight_above + weight_equal:
            return int(pivot)
        else:
            place -= weight_above + weight_equal
            low = below
    return 0


@njit(cache=True, nogil=True, error_model="numpy")
def _rint(value: float, scale: float) -> float:
    return float(np.rint(value * scale) / scale)


@njit(cache=True, nogil=True, error_model="numpy")
def _figures(
    exits: Ints,
    chosen: Ints,
    slots: Ints,
    n: int,
    profit: Ints,
    pct: Floats,
    hold_s: Ints,
    inside: Flags,
    n_days: float,
    held: int,
    capital: float,
    out: Floats,
) -> None:
    """The 15 figures of the trades whose day is inside, into out; profit accumulates over all trades."""
    n_all = n_won = total = cumulative = 0
    held_s = 0
    sum_pct = sum_won = sum_lost = 0.0
    peak = fall = fall_from = 0
    for i in range(n):
        place = exits[i] & _LOW_32
        trade = chosen[place]
        cumulative += profit[trade]
        if not inside[slots[place]]:
            continue
        peak = cumulative if n_all == 0 else max(peak, cumulative)
        if peak - cumulative > fall:
            fall, fall_from = peak - cumulative, peak
        n_all += 1
        total += profit[trade]
        held_s += hold_s[trade]
        sum_pct += pct[trade]
        won = profit[trade] >= 0  # no branch: a sum is the same with a zero added
        n_won += won
        sum_won += pct[trade] if won else 0.0
        sum_lost += 0.0 if won else pct[trade]
    if n_all == 0:
        return
    hit_rate = _rint(n_won / n_all * 100, 100.0)
    gain = _rint(total / capital * 100, 100.0)
    index = 1.0
    if sum_lost != 0.0:
        won_pct = sum_won / n_won if n_won > 0 else 0.0
        index = _rint(hit_rate / 100 * (1 + won_pct / abs(sum_lost / (n_all - n_won))), 100.0)
    out[0] = n_all
    out[1] = _rint(n_all / n_days, 10.0)
    out[2] = n_won
    out[3] = n_all - n_won
    out[4] = hit_rate
    out[5] = _rint(held_s / n_all, 100.0)
    out[6] = _rint(sum_pct / n_all, 100.0)
    out[7] = gain
    out[8] = total
    out[9] = held
    out[10] = capital
    out[11] = _rint(gain / n_days * 250, 100.0)
    out[12] = index
    out[13] = abs(gain) if fall == 0 else _rint(fall / (fall_from + capital) * 100, 100.0)
    out[14] = abs(total) if fall == 0 else fall
