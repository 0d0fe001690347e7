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


@njit(cache=True, error_model="numpy", nogil=True, counts=False)
def survivors(session, terms, highest, loosest, order, gate, offsets, words, out):
    """Writes the rows of a session that pass the gate and every term's loosest value to `out`; returns how many."""
    start, end = offsets[session], offsets[session + 1]
    found = 0
    for w in range(words[session], words[session + 1]):
        word = gate[w]
        if word == 0:
            continue
        open_word = True
        for k in order:
            if highest[w, k] < loosest[k]:
                open_word = False
                break
        if not open_word:
            continue
        base = start + ((w - words[session]) << 6)
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
        while word != 0:
            out[found] = base + lowest_bit(word)
            word &= word - np.uint64(1)
            found += 1
    return found
