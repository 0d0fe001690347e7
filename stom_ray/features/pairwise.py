"""numpy's pairwise sum over a window, at one row and at every row (spec/engine.md §2.3).

At every row the additions of one window are shared with its neighbours: the eight accumulators of a block that begins at row r
are one chain of additions begun at r, r + 1 ... r + 7, and the halves of a longer window are windows of their own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stom_ray.machine_code import njit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BLOCK = 128  # rows that are added without being halved
TILE = 2048  # windows summed at a time


@njit("float64(float64[::1], int64, int64)", cache=True, error_model="numpy", nogil=True)
def pairwise(values: Floats, start: int, length: int) -> float:
    """numpy's pairwise sum of `length` values from `start`: the same additions in the same order as `np.sum`."""
    if length < 8:
        total = 0.0
        for i in range(start, start + length):
            total += values[i]
        return total
    if length <= BLOCK:
        s0, s1, s2, s3 = values[start], values[start + 1], values[start + 2], values[start + 3]
        s4, s5, s6, s7 = values[start + 4], values[start + 5], values[start + 6], values[start + 7]
        tail = length - length % 8
        for i in range(start + 8, start + tail, 8):
            s0 += values[i]
            s1 += values[i + 1]
            s2 += values[i + 2]
            s3 += values[i + 3]
            s4 += values[i + 4]
            s5 += values[i + 5]
            s6 += values[i + 6]
            s7 += values[i + 7]
        total = ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
        for i in range(start + tail, start + length):
            total += values[i]
        return float(total)
    half = length // 2
    half -= half % 8
    return pairwise(values, start, half) + pairwise(values, start + half, length - half)


def halves(length: int) -> Ints:
    """The distinct windows that a window of `length` is halved into, shorter ones first, itself last.

    Returns: (n, 3) int64: length, and the places in this table of its two halves; -1 for a block that is not halved.
    """
    found: dict[int, tuple[int, int]] = {}

    def add(n: int) -> None:
        if n in found:
            return
        if n <= BLOCK:
            found[n] = (0, 0)
            return
        half = n // 2 - n // 2 % 8
        found[n] = (half, n - half)
        add(half)
        add(n - half)

    add(length)
    order = sorted(found)
    places = {n: place for place, n in enumerate(order)} | {0: -1}
    return np.array([(n, places[found[n][0]], places[found[n][1]]) for n in order], dtype=np.int64)


@njit(cache=True, error_model="numpy", nogil=True)
def _add(left: Floats, right: Floats, out: Floats) -> None:
    """out[i] = left[i] + right[i]; right may be `left` or `out` from a later place on."""
    for i in range(len(out)):
        out[i] = left[i] + right[i]


@njit(cache=True, error_model="numpy", nogil=True)
def _blocks(values: Floats, length: int, chains: Floats, out: Floats) -> None:
    """The sums of `length` <= BLOCK values that begin at each of values[0 .. len(out) - 1]. chains: len(out) + 7 or longer."""
    n = len(out)
    whole = length - length % 8
    for i in range(n):
        out[i] = 0.0
    if whole > 0:
        eight = chains[: n + 7]
        for i in range(n + 7):
            eight[i] = values[i]
        for step in range(8, whole, 8):
            _add(eight, values[step:], eight)
        for apart in (1, 2, 4):  # ((0+1)+(2+3))+((4+5)+(6+7))
            eight = eight[: len(eight) - apart]
            _add(eight, chains[apart:], eight)
        for i in range(n):
            out[i] = eight[i]
    for step in range(whole, length):
        _add(out, values[step:], out)


@njit(cache=True, error_model="numpy", nogil=True)
def _node(rows: Floats, table: Ints, k: int, sums: Floats, chains: Floats, out: Floats) -> None:
    left, right = table[k, 1], table[k, 2]
    if left < 0:
        _blocks(rows, table[k, 0], chains, out)
    else:
        _add(sums[left], sums[right, table[left, 0] :], out)


@njit(cache=True, error_model="numpy", nogil=True)
def pairwise_each_row(values: Floats, length: int, table: Ints, out: Floats) -> None:
    """`pairwise` of the `length` rows that end at each row of one instrument; NaN where the window would begin before row 0.

    table: halves(length). out: as long as values.
    """
    n = len(values)
    for i in range(min(length - 1, n)):
        out[i] = np.nan
    sums = np.empty((len(table), TILE + length), dtype=np.float64)
    chains = np.empty(TILE + length + 7, dtype=np.float64)
    for start in range(0, n - length + 1, TILE):
        windows = min(TILE, n - length + 1 - start)
        rows = values[start : start + windows + length - 1]
        for k in range(len(table) - 1):
            begins = len(rows) - table[k, 0] + 1
            _node(rows, table, k, sums, chains, sums[k, :begins])
        _node(rows, table, len(table) - 1, sums, chains, out[start + length - 1 : start + length - 1 + windows])
