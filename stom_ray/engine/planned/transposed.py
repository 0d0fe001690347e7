"""Many candidates without shared values: rows outside, candidates as bits.

Row r of a term's prefix table is the set of candidates whose threshold is among the r lowest; so the candidates that buy on a
tick are an intersection of one row a term. Those that hold are not free until the first surviving row after their sale.
"""

from __future__ import annotations

import numpy as np

from stom_ray.engine.costing import net_amount
from stom_ray.engine.kernel_runtime import forced_sale_price
from stom_ray.engine.planned.exits import (
    RETRACE,
    TIME,
    book_price,
    estimate,
    first_holding,
    first_record,
    first_time,
    list_records,
    scan,
    sell_from,
    touch,
)
from stom_ray.engine.planned.grid import HELD_BITS, TRADE, WIN, add_tallies, make_room, number_rows
from stom_ray.engine.planned.survivors import survivors
from stom_ray.engine.planned.words import count_bits, lowest_bit
from stom_ray.machine_code import njit

TOUCHED = 20_000  # rows to buy on × candidates from which it pays to read a session's columns beforehand
LISTED = 4  # candidates that enter together, from which their exits are looked up in one list


@njit(cache=True, error_model="numpy", nogil=True)
def prefix_tables(ranks, n_words, out):
    """out[k, r]: candidates whose threshold of term k has a rank below r. ranks: (n_terms, n_candidates)."""
    n_terms, n = ranks.shape
    for k in range(n_terms):
        for r in range(out.shape[1]):
            for w in range(n_words):
                out[k, r, w] = np.uint64(0)
        for c in range(n):
            out[k, ranks[k, c] + 1, c >> 6] |= np.uint64(1) << np.uint64(c & 63)
        for r in range(1, out.shape[1]):
            for w in range(n_words):
                out[k, r, w] |= out[k, r - 1, w]


@njit(cache=True, error_model="numpy", nogil=True, forceinline=True)
def count_up_to(ordered, count, value):
    """How many of the first `count` ascending numbers are <= value."""
    low = 0
    while count > 1:  # no branch on the comparison, which nothing could predict
        half = count >> 1
        low += half * np.int64(ordered[low + half - 1] <= value)
        count -= half
    return low + np.int64(count == 1 and ordered[low] <= value)


@njit(cache=True, error_model="numpy", nogil=True)
def walk_rows(sessions, block, terms, buys, levels, values, market, script, costs, record, sums, trades, resume):
    """Runs every candidate over sessions[resume[0]:]. Returns the number of trades recorded.

    As `grid.walk_grid`; buys: ordered thresholds (n_terms, n_candidates), how many are distinct (n_terms,), prefix tables
    (n_terms, n_distinct + 1, n_words). values: (n_candidates, n_atoms).
    """
    offsets, words, gate, highest, exact_from = block
    z, loosest, order = terms
    ordered, n_distinct, prefix = buys
    day_of, day_profit, tallies = sums
    counted = np.zeros(tallies.shape[1], dtype=np.int64)
    pending = 0
    n = len(values)
    n_words = (n + 63) >> 6
    seconds, bids, entries = market[1], market[7], market[8]
    starts, search_order, any_scan = script[0], script[5], script[6]
    longest = 0
    for s in sessions:
        longest = max(longest, offsets[s + 1] - offsets[s])
    rows = np.empty(longest, dtype=np.int64)
    number = np.empty(longest + 1, dtype=np.int32)
    waiting = np.empty(longest + 1, dtype=np.int32)
    after = np.empty(n, dtype=np.int32)
    free = np.empty(n_words, dtype=np.uint64)
    buying = np.empty(n_words, dtype=np.uint64)
    kinds = script[3]
    record_values = np.empty((len(kinds), longest), dtype=np.float64)
    record_rows = np.empty((len(kinds), longest), dtype=np.int64)
    record_counts = np.zeros(len(kinds), dtype=np.int64)
    longest_hold = np.full(len(kinds), -np.inf)
    for reason in search_order:
        for c in range(n):
            longest_hold[reason] = max(longest_hold[reason], values[c, starts[reason]])
    touched = np.zeros(1)  # kept, so that the reading is not taken for idle
    recorded = 0
    for turn in range(resume[0], len(sessions)):
        s = sessions[turn]
        count = survivors(s, z, highest, loosest, order, gate, offsets, words, rows)
        if count == 0:
            continue
        last = offsets[s + 1] - 1
        cost = (costs[s, 0], costs[s, 1], costs[s, 2])
        if not record:
            pending = make_room(counted, tallies, pending, count)
        earned = day_profit[day_of[s]]
        begun = recorded
        number_rows(rows, count, offsets[s], last + 1 - offsets[s], number)
        waiting[:count] = -1
        if count * n > TOUCHED:
            touched[0] = touch(market, offsets[s], last + 1)
        free[:] = ~np.uint64(0)
        for u in range(count):
            c = waiting[u]
            while c >= 0:
                free[c >> 6] |= np.uint64(1) << np.uint64(c & 63)
                c = after[c]
            entry = rows[u]
            for w in range(n_words):
                buying[w] = free[w]
            some = np.uint64(1)
            for k in order:
                some = np.uint64(0)
                among = prefix[k, count_up_to(ordered[k], n_distinct[k], z[k, entry])]
                for w in range(n_words):
                    both = buying[w] & among[w]
                    buying[w] = both
                    some |= both
                if some == 0:
                    break
            if some == 0:
                continue
            quantity, paid = entries[0, entry], entries[1, entry]
            bought = quantity * paid
            scale = estimate(bought, paid, cost)
            exact = quantity >= exact_from[s]
            together = np.int64(0)
            for w in range(n_words):
                together += count_bits(buying[w])
            listed = exact and together >= LISTED
            if listed:
                bound = last
                for reason in search_order:
                    if kinds[reason] == TIME:
                        bound = min(bound, first_time(seconds, entry, entry + 1, bound, longest_hold[reason]) + 1)
                list_records(
                    entry, bound, bought, quantity, cost, scale, market, script, record_values, record_rows, record_counts
                )
            for w in range(n_words):
                word = buying[w]
                free[w] &= ~word
                while word != 0:
                    c = (w << 6) + lowest_bit(word)
                    word &= word - np.uint64(1)
                    row, found = last, -1
                    if exact:
                        for reason in search_order:
                            value = values[c, starts[reason]]
                            bound = min(row + 1, last)
                            if kinds[reason] == TIME:
                                at = first_time(seconds, entry, entry + 1, bound, value)
                            elif listed and kinds[reason] != RETRACE:
                                at = first_record(record_values[reason], record_rows[reason], record_counts[reason], value, bound)
                            else:
                                at = first_holding(
                                    entry, entry + 1, bound, reason, values[c], bought, quantity, cost, scale, market, script
                                )
                            if at < row or (at == row and at < last and reason < found):
                                row, found = at, reason
                        if any_scan:
                            bound = min(row + 1, last)
                            at = scan(
                                entry, entry + 1, bound, True, True, bought, quantity, cost, scale, values[c], market, script
                            )
                            row, found = min(row, at), -1
                    else:
                        row = scan(entry, entry + 1, last, False, False, bought, quantity, cost, scale, values[c], market, script)
                    if row < last:
                        price = book_price(bids, row, quantity, levels)
                        if not price > 0.0:
                            row, price = sell_from(
                                entry, row, last, exact, bought, quantity, levels, cost, scale, values[c], market, script
                            )
                            found = -1
                    else:
                        price = forced_sale_price(bids, last, quantity, levels)
                    if record:
                        if recorded == len(trades):
                            resume[0] = turn
                            return begun
                        trades[recorded, 0] = s
                        trades[recorded, 1] = c
                        trades[recorded, 2] = entry
                        trades[recorded, 3] = row
                        trades[recorded, 4] = np.int64(price)
                        trades[recorded, 5] = found
                        recorded += 1
                    else:
                        gain = np.int64(net_amount(bought, quantity * price, cost[0], cost[1], cost[2]) - bought)
                        held = np.int64(seconds[row] - seconds[entry])
                        earned[c] += gain
                        counted[c] += TRADE + (WIN if gain >= 0 else 0) + (held << HELD_BITS)
                    at = number[row + 1 - offsets[s]]
                    if at < count:
                        after[c] = waiting[at]
                        waiting[at] = c
    add_tallies(counted, tallies)
    resume[0] = len(sessions)
    return recorded
