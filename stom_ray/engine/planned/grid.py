"""Many candidates that share values: a walk depth-first over the buy values, outcomes of entries remembered.

Candidates are sorted by their buy values (loosest first within a term), so that neighbours share the intersections of bitmaps
that they begin with. A buy combination's candidates differ in their exit values only; the outcome of an (entry row, exit values)
is worked out once and looked up by every candidate that buys there. Combinations that buy on the same rows of a session share
the whole walk.
"""

from __future__ import annotations

import numpy as np

from stom_ray.engine.costing import net_amount
from stom_ray.engine.kernel_runtime import forced_sale_price
from stom_ray.engine.planned.exits import RETRACE, TIME, TRAIL, book_price, estimate, first_holding, scan, sell_from
from stom_ray.engine.planned.survivors import room, survivors, survivors_before
from stom_ray.engine.planned.words import lowest_bit
from stom_ray.machine_code import njit

SLOT_BITS = 8
SLOTS = 1 << SLOT_BITS
TRADE, WIN, HELD_BITS = 1, 1 << 16, 32  # counters packed in one word: trades, trades with profit >= 0, seconds held
COUNTABLE = 24_000  # entries that they can count, and sessions of 86,400 seconds


@njit(cache=True, error_model="numpy", nogil=True, counts=False, forceinline=True)
def first_rows(entry, last, bought, quantity, cost, scale, exits, market, script, firsts):
    """firsts[reason, d]: the first row on which a searched reason holds with the d-th of its values, or one after every sale."""
    values, example, n_distinct = exits[0], exits[1], exits[2]
    kinds = script[3]
    bound = last
    for reason in script[5]:
        row, latest = entry + 1, entry
        for d in range(n_distinct[reason]):
            if kinds[reason] in (TRAIL, RETRACE):
                row = entry + 1  # its peak counts from the first row on
            row = first_holding(
                entry, row, bound, reason, values[example[reason, d]], bought, quantity, cost, scale, market, script
            )
            firsts[reason, d] = row
            latest = max(latest, row)
        if kinds[reason] == TIME:
            bound = min(bound, latest + 1)


@njit(cache=True, error_model="numpy", nogil=True, counts=False, forceinline=True)
def exit_of(entry, last, bought, quantity, exact, cost, scale, x, exits, market, script, firsts):
    """(row, reason) of the first sale by the x-th combination of exit values; reason -1: not known, or the forced sale."""
    values, place = exits[0][x], exits[3]
    if not exact:
        return scan(entry, entry + 1, last, False, False, bought, quantity, cost, scale, values, market, script), -1
    row, found = last, -1
    for reason in script[5]:
        at = firsts[reason, place[x, reason]]
        if at < row or (at == row and reason < found):
            row, found = at, reason
    if script[6]:
        bound = min(row + 1, last)
        row, found = (
            min(row, scan(entry, entry + 1, bound, True, True, bought, quantity, cost, scale, values, market, script)),
            -1,
        )
    return row, found


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def fill_outcomes(u, here, exits, market, script, firsts, table, outcome):
    """Works out the outcome of an entry at rows[u] for every combination of exit values, or takes it from the table.

    here: of the session its surviving rows, also as bits, first and last row, bid levels, shares from which the exit index may be
    used, costs, and the table's row of its first entry. outcome: arrays of (entries × exit values): the surviving row to go on
    from, profit, packed counters, the sale's row, price and reason; out.
    """
    rows, row_bits, before_word, start, last, levels, exact_from, cost, base = here
    n = len(exits[0])
    entry = np.int64(rows[u])
    quantity, paid = market[8][0, entry], market[8][1, entry]
    bought = quantity * paid
    if len(table[1]) > 0:
        for x in range(n):
            row, price = np.int64(table[1][base + u, x]), float(table[2][base + u, x])
            reason = table[3][base + u, x]
            keep_outcome(
                u * n + x, start, entry, row, bought, quantity, price, reason, cost, market, row_bits, before_word, outcome
            )
        return
    scale = estimate(bought, paid, cost)
    exact = quantity >= exact_from
    if exact:
        first_rows(entry, last, bought, quantity, cost, scale, exits, market, script, firsts)
    before, at_once = -1, 0.0
    for x in range(n):
        row, reason = exit_of(entry, last, bought, quantity, exact, cost, scale, x, exits, market, script, firsts)
        if row != before:
            before = row
            if row < last:
                at_once = book_price(market[7], row, quantity, levels)
            else:
                at_once = forced_sale_price(market[7], last, quantity, levels)
        price = at_once
        if row < last and not price > 0.0:
            row, price = sell_from(entry, row, last, exact, bought, quantity, levels, cost, scale, exits[0][x], market, script)
            reason = -1
        keep_outcome(u * n + x, start, entry, row, bought, quantity, price, reason, cost, market, row_bits, before_word, outcome)


@njit(cache=True, error_model="numpy", nogil=True, counts=False, forceinline=True)
def earned_by(bought, quantity, price, cost, held_s):
    """(profit in KRW, packed counters) of a trade."""
    gain = np.int64(net_amount(bought, quantity * price, cost[0], cost[1], cost[2]) - bought)
    return gain, TRADE + (WIN if gain >= 0 else 0) + (np.int64(held_s) << HELD_BITS)


@njit(cache=True, error_model="numpy", nogil=True, counts=False, forceinline=True)
def keep_outcome(at, start, entry, row, bought, quantity, price, reason, cost, market, row_bits, before, outcome):
    following, profit, counters, sale_row, sale_krw, sale_reason = outcome
    following[at] = survivors_before(row + 1 - start, row_bits, before)
    profit[at], counters[at] = earned_by(bought, quantity, price, cost, market[1][row] - market[1][entry])
    sale_row[at] = row
    sale_krw[at] = np.int64(price)
    sale_reason[at] = reason


@njit(cache=True, error_model="numpy", nogil=True, counts=False, forceinline=True)
def next_set(bits, n_words, at):
    """The first set bit from `at` on, -1 without one."""
    w = at >> 6
    if w >= n_words:
        return -1
    word = bits[w] & (~np.uint64(0) << np.uint64(at & 63))
    while word == 0:
        w += 1
        if w == n_words:
            return -1
        word = bits[w]
    return (w << 6) + lowest_bit(word)


@njit(cache=True, error_model="numpy", nogil=True, counts=False, forceinline=True)
def slot_of(mask, n_words):
    found = np.uint64(0)
    for w in range(n_words):
        found = (found ^ mask[w]) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64(found >> np.uint64(64 - SLOT_BITS))


@njit(cache=True, error_model="numpy", nogil=True, counts=False, forceinline=True)
def remembered(seen, masks, slot, session, mask, n_words):
    if seen[slot] != session:
        return False
    same = True
    for w in range(n_words):
        same &= masks[slot, w] == mask[w]
    return same


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def make_room(counted, tallies, pending, entries):
    """Before that many more entries are counted on top of those pending; returns what is pending then."""
    if pending + entries <= COUNTABLE:
        return pending + entries
    add_tallies(counted, tallies)
    return entries


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def add_tallies(counted, tallies):
    """Unpacks counters into (3, n) trades, wins and seconds, and clears them."""
    for j in range(len(counted)):
        tallies[0, j] += counted[j] & 0xFFFF
        tallies[1, j] += (counted[j] >> 16) & 0xFFFF
        tallies[2, j] += counted[j] >> HELD_BITS
        counted[j] = 0


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def make_bitmaps(rows, count, n_words, z, term_of, distinct, n_distinct, out):
    """out[k, d]: which of the surviving rows pass the d-th value of term k."""
    for k in range(len(n_distinct)):
        for w in range(n_words):
            base = w << 6
            size = min(64, count - base)
            for d in range(n_distinct[k]):
                found = np.uint64(0)
                for bit in range(size):
                    found |= np.uint64(z[term_of[k], rows[base + bit]] >= distinct[k, d]) << np.uint64(bit)
                out[k, d, w] = found


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def walk(sessions, block, terms, buys, leaves, levels, exits, market, script, costs, table, sums, trades, resume, scratch):
    """`walk_grid` with its working memory and whether trades are recorded."""
    offsets, words, gate, highest, exact_from = block
    z, loosest, order = terms
    place, shared, distinct, n_distinct, term_of = buys
    leaf_start, leaf_exit = leaves
    day_of, day_profit, tallies = sums
    record, counted, (rows, row_bits, before), filled, outcome, firsts, (bitmaps, masks), seen, whole = scratch
    following, profit, counters, sale_row, sale_krw, sale_reason = outcome
    seen_in, seen_mask, seen_total, seen_many = seen
    n_buys, n_terms = place.shape
    n_exits = len(exits[0])
    pending = 0
    recorded = 0
    for turn in range(resume[0], len(sessions)):
        s = sessions[turn]
        count = survivors(s, z, highest, loosest, order, gate, offsets, words, rows, row_bits, before)
        if count == 0:
            continue
        n_words = (count + 63) >> 6
        last = offsets[s + 1] - 1
        cost = (costs[s, 0], costs[s, 1], costs[s, 2])
        here = (rows, row_bits, before, offsets[s], last, levels, exact_from[s], cost, table[0][s])
        filled[:count] = False
        make_bitmaps(rows, count, n_words, z, term_of, distinct, n_distinct, bitmaps)
        for w in range(n_words):
            masks[0, w] = ~np.uint64(0)
        masks[0, n_words - 1] >>= np.uint64((64 - (count & 63)) & 63)
        if not record:
            pending = make_room(counted, tallies, pending, count)
        earned = day_profit[day_of[s]]
        begun = recorded
        b, k = 0, 0
        while b < n_buys:
            alive = True
            while k < n_terms:
                some = np.uint64(0)
                bits = bitmaps[k, place[b, k]]
                for w in range(n_words):
                    both = masks[k, w] & bits[w]
                    masks[k + 1, w] = both
                    some |= both
                k += 1
                if some == 0:
                    alive = False
                    break
            if not alive:
                # every later combination with the same values up to here is empty, and so are tighter values of this term
                depth = k - 1
                b += 1
                while b < n_buys and shared[b] >= depth:
                    b += 1
                if b < n_buys:
                    k = shared[b]
                continue
            leaf = masks[n_terms]
            if record:
                for j in range(leaf_start[b], leaf_start[b + 1]):
                    u = next_set(leaf, n_words, 0)
                    while u >= 0:
                        if not filled[u]:
                            fill_outcomes(u, here, exits, market, script, firsts, table, outcome)
                            filled[u] = True
                        if recorded == len(trades):
                            resume[0] = turn
                            return begun
                        at = u * n_exits + leaf_exit[j]
                        trades[recorded, 0] = s
                        trades[recorded, 1] = j
                        trades[recorded, 2] = rows[u]
                        trades[recorded, 3] = sale_row[at]
                        trades[recorded, 4] = sale_krw[at]
                        trades[recorded, 5] = sale_reason[at]
                        recorded += 1
                        u = next_set(leaf, n_words, np.int64(following[at]))
            else:
                slot = slot_of(leaf, n_words)
                if not remembered(seen_in, seen_mask, slot, turn, leaf, n_words):
                    seen_in[slot] = turn
                    for w in range(n_words):
                        seen_mask[slot, w] = leaf[w]
                    first = next_set(leaf, n_words, 0)
                    for x in range(n_exits):
                        u = first
                        total, many = np.int64(0), np.int64(0)
                        while u >= 0:
                            if not filled[u]:
                                fill_outcomes(u, here, exits, market, script, firsts, table, outcome)
                                filled[u] = True
                            at = u * n_exits + x
                            total += profit[at]
                            many += counters[at]
                            u = next_set(leaf, n_words, np.int64(following[at]))
                        seen_total[slot, x] = total
                        seen_many[slot, x] = many
                start = leaf_start[b]
                if whole[b]:
                    for x in range(n_exits):
                        earned[start + x] += seen_total[slot, x]
                        counted[start + x] += seen_many[slot, x]
                else:
                    for j in range(start, leaf_start[b + 1]):
                        earned[j] += seen_total[slot, leaf_exit[j]]
                        counted[j] += seen_many[slot, leaf_exit[j]]
            b += 1
            if b < n_buys:
                k = shared[b]
    resume[0] = len(sessions)
    return recorded


@njit(cache=True, error_model="numpy", nogil=True)
def walk_grid(sessions, block, terms, buys, leaves, levels, exits, market, script, costs, table, record, sums, trades, resume):
    """Runs every candidate over sessions[resume[0]:]. Returns the number of trades recorded.

    block: offsets, words, gate, highest, exact_from. terms: z (n_terms, n_rows), loosest, order. buys: place (n_buys, n_terms) of
    each combination's value, shared (n_buys,) terms that it shares with the one before, distinct (n_terms, n_values), n_distinct,
    term_of (n_terms,) its place in z. leaves: start (n_buys + 1,), exit (n_candidates,). sums: day of session, profit (n_days,
    n_candidates) and tallies (3, n_candidates) of trades, wins and seconds held, which are added to.
    table: (n_sessions,) row of each session's first entry in arrays (n_entries, n_exits) of sale rows, prices and reasons, which
    are empty where outcomes are searched. trades: (capacity, 6) session, leaf place, buy row, sell row, price, reason.
    """
    leaf_start, leaf_exit = leaves
    n_buys, n_terms = buys[0].shape
    n_exits = len(exits[0])
    offsets = block[0]
    longest = 0
    for s in sessions:
        longest = max(longest, offsets[s + 1] - offsets[s])
    n_words = (longest + 63) >> 6
    bits, numbers, small = np.uint64, np.int64, np.int32
    counted = np.zeros(sums[2].shape[1], dtype=numbers)
    filled = np.zeros(longest, dtype=np.bool_)
    cells = longest * n_exits  # of which memory is taken only for entries that are touched
    outcome = (
        np.empty(cells, dtype=small),
        np.empty(cells, dtype=numbers),
        np.empty(cells, dtype=numbers),
        np.empty(cells, dtype=numbers),
        np.empty(cells, dtype=numbers),
        np.empty(cells, dtype=numbers),
    )
    firsts = np.zeros(exits[1].shape, dtype=numbers)
    masks = (np.empty((n_terms, buys[2].shape[1], n_words), dtype=bits), np.empty((n_terms + 1, n_words), dtype=bits))
    seen = (
        np.full(SLOTS, -1, dtype=numbers),
        np.empty((SLOTS, n_words), dtype=bits),
        np.empty((SLOTS, n_exits), dtype=numbers),
        np.empty((SLOTS, n_exits), dtype=numbers),
    )
    whole = np.zeros(n_buys, dtype=np.bool_)  # combinations whose candidates are every exit once, in order: rows may repeat
    for b in range(n_buys):
        whole[b] = leaf_start[b + 1] - leaf_start[b] == n_exits
        for x in range(n_exits if whole[b] else 0):
            whole[b] &= leaf_exit[leaf_start[b] + x] == x
    scratch = (record, counted, room(longest), filled, outcome, firsts, masks, seen, whole)
    recorded = walk(
        sessions, block, terms, buys, leaves, levels, exits, market, script, costs, table, sums, trades, resume, scratch
    )
    add_tallies(counted, sums[2])
    return recorded
