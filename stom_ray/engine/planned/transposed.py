"""Many candidates without shared values: rows outside, candidates as bits.

Row r of a term's prefix table is the set of candidates whose threshold is among the r lowest; so the candidates that buy on a
tick are an intersection of one row a term. Those that hold are not free until the first surviving row after their sale.
"""

from __future__ import annotations

import numpy as np

from stom_ray.engine.kernel_runtime import forced_sale_price
from stom_ray.engine.planned.exits import (
    RETRACE,
    TIME,
    book_price,
    estimate,
    first_holding,
    list_records,
    rows_by_level,
    rows_by_second,
    scan,
    sell_from,
    touch,
)
from stom_ray.engine.planned.grid import add_tallies, earned_by, make_room
from stom_ray.engine.planned.survivors import room, survivors, survivors_before
from stom_ray.engine.planned.words import count_bits, lowest_bit
from stom_ray.machine_code import njit

TOUCHED = 20_000  # rows to buy on × candidates from which it pays to read a session's columns beforehand
LISTED = 8  # candidates that enter together, from which their exits are looked up in tables


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
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


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def passed(z, rows, count, ordered, n_distinct, out):
    """out[k, u]: how many thresholds of term k the u-th row passes. ordered: (n_terms, a power of two), inf behind the end.

    All rows in step: a search alone would wait for each of its steps.
    """
    n_terms, width = ordered.shape
    for k in range(n_terms):
        for u in range(count):
            out[k, u] = 0
        half = np.int32(width >> 1)
        while half > 0:
            for u in range(count):
                middle = out[k, u] + half
                out[k, u] = middle if ordered[k, middle - 1] <= z[k, rows[u]] else out[k, u]
            half >>= 1
        for u in range(count):
            out[k, u] = min(out[k, u], n_distinct[k])


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def exit_tables(entry, bound, bought, quantity, cost, scale, market, script, levels, n_levels, records, width, table):
    """table[reason * width + d]: the first row of (entry, bound) on which a searched reason holds with the d-th of its levels."""
    list_records(entry, bound, bought, quantity, cost, scale, market, script, levels, n_levels, records)
    values, rows, counts = records
    for reason in script[5]:
        if script[3][reason] not in (TIME, RETRACE):
            out = table[reason * width : (reason + 1) * width]
            rows_by_level(levels[reason], n_levels[reason], values[reason], rows[reason], counts[reason], out)


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def search(entry, row, found, last, reasons, bought, quantity, cost, scale, values, market, script):
    """(row, reason) of the first reason that holds, of those given and `found` on `row`. values: (n_atoms,)."""
    for reason in reasons:
        bound = min(row + 1, last)
        at = first_holding(entry, entry + 1, bound, reason, values, bought, quantity, cost, scale, market, script)
        if at < row or (at == row and at < last and reason < found):
            row, found = at, reason
    return row, found


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def keep_sale(slot, row, price, entry, bought, quantity, cost, seconds, after, sales):
    """after: number of the first surviving row behind the sale."""
    prices, gains, counters, following = sales
    prices[slot] = price
    gains[slot], counters[slot] = earned_by(bought, quantity, price, cost, seconds[row] - seconds[entry])
    following[slot] = after


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def walk(sessions, block, terms, buys, levels, exits, market, script, costs, sums, trades, resume, how, scratch):
    """`walk_rows` with its working memory. how: whether trades are recorded; reasons that are looked up in tables, and that are
    searched; the longest time in seconds; the time that ends every position first (-1 without one), and after how many seconds.
    """
    offsets, words, gate, highest, exact_from = block
    z, loosest, order = terms
    ordered, n_distinct, prefix = buys
    values, exit_levels, n_levels, place = exits
    day_of, day_profit, tallies = sums
    record, in_tables, searched, span, first_to_end, longest_wait = how
    counted, (rows, row_bits, before), (waiting, after), (free, buying, ranks), records, (table, begin), sales, made = scratch
    prices, gains, counters, following = sales
    seconds, bids, entries = market[1], market[7], market[8]
    kinds, any_scan = script[3], script[6]
    n, n_words, longest = len(values), len(free), len(made)
    width = exit_levels.shape[1]
    by_second = len(kinds) * width
    pending = 0
    serial = 0  # of the entry for which a row's sale was worked out
    recorded = 0
    for turn in range(resume[0], len(sessions)):
        s = sessions[turn]
        count = survivors(s, z, highest, loosest, order, gate, offsets, words, rows, row_bits, before)
        if count == 0:
            continue
        start, last = offsets[s], offsets[s + 1] - 1
        cost = (costs[s, 0], costs[s, 1], costs[s, 2])
        if not record:
            pending = make_room(counted, tallies, pending, count)
        earned = day_profit[day_of[s]]
        begun = recorded
        waiting[:count] = -1
        if count * n > TOUCHED:
            prices[longest] = touch(market, start, last + 1)  # kept, so that the reading is not taken for idle
        timed = False
        passed(z, rows, count, ordered, n_distinct, ranks)
        free[:] = ~np.uint64(0)
        free[n_words - 1] >>= np.uint64((64 - (n & 63)) & 63)
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
                among = prefix[k, ranks[k, u]]
                for w in range(n_words):
                    both = buying[w] & among[w]
                    buying[w] = both
                    some |= both
                if some == 0:
                    break
            if some == 0:
                continue
            serial += 1
            quantity, paid = entries[0, entry], entries[1, entry]
            bought = quantity * paid
            scale = estimate(bought, paid, cost)
            exact = quantity >= exact_from[s]
            together = np.int64(0)
            for w in range(n_words):
                together += count_bits(buying[w])
            listed = exact and together >= LISTED
            if listed:
                if not timed:
                    rows_by_second(seconds, start, last + 1, 2 * span + 1, table[by_second:])
                    timed = True
                second = by_second + np.int64(seconds[entry] - seconds[start])
                bound = last
                if first_to_end >= 0:
                    bound = min(last, np.int64(table[second + longest_wait]) + 1)
                exit_tables(
                    entry, bound, bought, quantity, cost, scale, market, script, exit_levels, n_levels, records, width, table
                )
                for i in range(len(in_tables)):
                    begin[i] = second if kinds[in_tables[i]] == TIME else in_tables[i] * width
            for w in range(n_words):
                word = buying[w]
                free[w] &= ~word
                while word != 0:
                    c = (w << 6) + lowest_bit(word)
                    word &= word - np.uint64(1)
                    row, found = last, -1
                    if listed:
                        for i in range(len(in_tables)):
                            row = min(row, np.int64(table[begin[i] + place[c, in_tables[i]]]))
                        if record and row < last:
                            found = len(kinds)
                            for i in range(len(in_tables)):
                                if table[begin[i] + place[c, in_tables[i]]] == row:
                                    found = min(found, in_tables[i])
                        if len(searched) > 0:
                            row, found = search(
                                entry, row, found, last, searched, bought, quantity, cost, scale, values[c], market, script
                            )
                    elif exact:
                        row, found = search(
                            entry, last, -1, last, script[5], bought, quantity, cost, scale, values[c], market, script
                        )
                    else:
                        row = scan(entry, entry + 1, last, False, False, bought, quantity, cost, scale, values[c], market, script)
                    if exact and any_scan:
                        bound = min(row + 1, last)
                        at = scan(entry, entry + 1, bound, True, True, bought, quantity, cost, scale, values[c], market, script)
                        row, found = min(row, at), -1
                    slot = row - start
                    if made[slot] != serial:
                        made[slot] = serial
                        if row < last:
                            price = book_price(bids, row, quantity, levels)
                        else:
                            price = forced_sale_price(bids, last, quantity, levels)
                        after_it = survivors_before(slot + 1, row_bits, before)
                        keep_sale(slot, row, price, entry, bought, quantity, cost, seconds, after_it, sales)
                    if row < last and not prices[slot] > 0.0:
                        row, price = sell_from(
                            entry, row, last, exact, bought, quantity, levels, cost, scale, values[c], market, script
                        )
                        found, slot = -1, longest
                        after_it = survivors_before(row + 1 - start, row_bits, before)
                        keep_sale(slot, row, price, entry, bought, quantity, cost, seconds, after_it, sales)
                    if record:
                        if recorded == len(trades):
                            resume[0] = turn
                            return begun
                        trades[recorded, 0] = s
                        trades[recorded, 1] = c
                        trades[recorded, 2] = entry
                        trades[recorded, 3] = row
                        trades[recorded, 4] = np.int64(prices[slot])
                        trades[recorded, 5] = found
                        recorded += 1
                    else:
                        earned[c] += gains[slot]
                        counted[c] += counters[slot]
                    at = following[slot]
                    if at < count:
                        after[c] = waiting[at]
                        waiting[at] = c
    resume[0] = len(sessions)
    return recorded


@njit(cache=True, error_model="numpy", nogil=True)
def walk_rows(sessions, block, terms, buys, levels, exits, market, script, costs, record, sums, trades, resume):
    """Runs every candidate over sessions[resume[0]:]. Returns the number of trades recorded.

    As `grid.walk_grid`; buys: ordered thresholds (n_terms, a power of two), how many are distinct (n_terms,), prefix tables
    (n_terms, n_distinct + 1, n_words). exits: values (n_candidates, n_atoms); each searched reason's distinct values
    (n_reasons, most), how many (n_reasons,), and which of them each candidate has (n_candidates, n_reasons), for a time the
    seconds themselves.
    """
    offsets, seconds, kinds = block[0], market[1], script[3]
    values, exit_levels, place = exits[0], exits[1], exits[3]
    n, n_reasons = len(values), len(kinds)
    in_tables = np.array([reason for reason in script[5] if kinds[reason] != RETRACE], dtype=np.int64)
    searched = np.array([reason for reason in script[5] if kinds[reason] == RETRACE], dtype=np.int64)
    longest, span, first_to_end, longest_wait = np.int64(0), np.int64(0), np.int64(-1), np.int64(0)
    for s in sessions:
        longest = max(longest, offsets[s + 1] - offsets[s])
        span = max(span, np.int64(seconds[offsets[s + 1] - 1] - seconds[offsets[s]]))
    for reason in in_tables:
        if kinds[reason] == TIME:
            wait = place[:, reason].max()
            span = max(span, wait)
            if first_to_end < 0 or wait < longest_wait:
                first_to_end, longest_wait = reason, wait
    n_words = (n + 63) >> 6
    words64, numbers, small = np.uint64, np.int64, np.int32
    counted = np.zeros(sums[2].shape[1], dtype=numbers)
    queue = (np.empty(longest + 1, dtype=small), np.empty(n, dtype=small))
    bits = (np.empty(n_words, dtype=words64), np.empty(n_words, dtype=words64), np.empty((len(terms[0]), longest), dtype=small))
    records = (np.empty((n_reasons, longest)), np.empty((n_reasons, longest), dtype=numbers), np.zeros(n_reasons, dtype=numbers))
    # behind the tables of the reasons that of the session's seconds
    tables = (np.empty(n_reasons * exit_levels.shape[1] + 2 * span + 2, dtype=small), np.empty(len(in_tables), dtype=numbers))
    sales = (
        np.empty(longest + 1),
        np.empty(longest + 1, dtype=numbers),
        np.empty(longest + 1, dtype=numbers),
        np.empty(longest + 1, dtype=small),
    )
    made = np.full(longest, -1, dtype=numbers)
    scratch = (counted, room(longest), queue, bits, records, tables, sales, made)
    how = (record, in_tables, searched, span, first_to_end, longest_wait)
    recorded = walk(sessions, block, terms, buys, levels, exits, market, script, costs, sums, trades, resume, how, scratch)
    add_tallies(counted, sums[2])
    return recorded
