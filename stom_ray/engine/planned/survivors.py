"""The rows of a session on which some candidate of a batch may buy.

A word is 64 rows; sessions begin on a word of their own. A word is left as soon as a term cannot hold in it: the highest value of
every (term, word) is kept, so that most words of a rare rule cost a few comparisons.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.planned.words import count_bits, lowest_bit
from stom_ray.machine_code import njit

Words = NDArray[np.uint64]
FEW = 8  # rows of a word that are tested one by one


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def pack(allowed, offsets, words, out):
    """Sets bit r of words[s] + w for every allowed row 64 w + r of session s. out: zeros."""
    for s in range(len(offsets) - 1):
        for i in range(offsets[s], offsets[s + 1]):
            if allowed[i]:
                at = i - offsets[s]
                out[words[s] + (at >> 6)] |= np.uint64(1) << np.uint64(at & 63)


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def highest_by_word(terms, offsets, words, out):
    """out[w, k]: the highest value of term k within word w, -inf without one."""
    for k in range(len(terms)):
        for s in range(len(offsets) - 1):
            for i in range(offsets[s], offsets[s + 1]):
                w = words[s] + ((i - offsets[s]) >> 6)
                if terms[k, i] > out[w, k]:
                    out[w, k] = terms[k, i]


@njit(cache=True, error_model="numpy", nogil=True)
def room(longest):
    """What `survivors` writes to, for sessions of up to `longest` rows: rows, bits, before."""
    n_words = ((longest + 63) >> 6) + 1
    return np.empty(longest, dtype=np.int64), np.empty(n_words, dtype=np.uint64), np.empty(n_words, dtype=np.int32)


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def survivors(session, terms, highest, loosest, order, gate, offsets, words, out, bits, before):
    """Writes the rows of a session that pass the gate and every term's loosest value to `out`; returns how many.

    bits, before: (words of the session + 1,) uint64 and int32, out: the same rows as bits, and how many come before each word.
    """
    start, end = offsets[session], offsets[session + 1]
    first, n_words = words[session], words[session + 1] - words[session]
    found = 0
    for w in range(n_words):
        before[w] = found
        bits[w] = np.uint64(0)
        word = gate[first + w]
        if word == 0:
            continue
        open_word = True
        for k in order:
            if highest[first + w, k] < loosest[k]:
                open_word = False
                break
        if not open_word:
            continue
        base = start + (w << 6)
        for k in order:
            passing = np.uint64(0)
            if count_bits(word) <= FEW:
                left = word
                while left != 0:
                    bit = lowest_bit(left)
                    left &= left - np.uint64(1)
                    if terms[k, base + bit] >= loosest[k]:
                        passing |= np.uint64(1) << np.uint64(bit)
            else:
                for bit in range(min(64, end - base)):
                    passing |= np.uint64(terms[k, base + bit] >= loosest[k]) << np.uint64(bit)
            word &= passing
            if word == 0:
                break
        bits[w] = word
        while word != 0:
            out[found] = base + lowest_bit(word)
            word &= word - np.uint64(1)
            found += 1
    before[n_words], bits[n_words] = found, np.uint64(0)
    return found


@njit(cache=True, error_model="numpy", nogil=True, counts=False, forceinline=True)
def survivors_before(at, bits, before):
    """How many surviving rows there are before row `at` of the session. at: 0 to its size."""
    below = (np.uint64(1) << np.uint64(at & 63)) - np.uint64(1)
    return np.int64(before[at >> 6]) + count_bits(bits[at >> 6] & below)
