"""Records of the ranking table, a clock and a text, from SQLite's leaf pages by compiled code.

Most rows repeat the text of the row before; only the others are handed to Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stom_ray.machine_code import njit
from stom_ray.store.records import AHEAD, LEAF, load_big_endian, read_varint

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]

SAME = -1  # place of a text that is the row's before
TEXT = 13  # the first serial type of texts; they are odd from here on, blobs even
_WIDTH = np.array([0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0], dtype=np.int64)


@njit(cache=True, nogil=True)
def decode_text_leaves(
    pages: Bytes,
    starts: Ints,
    usable: int,
    n_columns: int,
    clock_at: int,
    text_at: int,
    clock: Ints,
    place: Ints,
    length: Ints,
    row: int,
    key_before: int,
) -> tuple[int, Any]:
    """Decodes the leaf pages that start there into row, row + 1, ... of the arrays. Returns (rows decoded, last row id).

    place, length: where in `pages` the text lies; SAME when it is the row's before. Rows are -1 when something is not plain: a
    clock that is no integer, a text that is none, overflow, row ids out of order, a malformed record.
    """
    first, key = row, np.int64(key_before)
    last_place, last_length = -1, -1
    for base in starts:
        end = base + usable
        n = np.int64(pages[base + 3]) * 256 + pages[base + 4]
        if pages[base] != LEAF or 8 + 2 * n > usable or row + n > len(clock):
            return -1, key
        for i in range(n):
            pointer = base + 8 + 2 * i
            at = base + np.int64(pages[pointer]) * 256 + pages[pointer + 1]
            payload, at = read_varint(pages, at, end)
            if at < 0 or payload > usable - 35 or payload < 1:
                return -1, key
            own_key, at = read_varint(pages, at, end)
            if at < 0 or at + payload > end or (row > 0 and own_key <= key):
                return -1, key
            key = own_key
            number, text, size = _fields(pages, at, at + payload, n_columns, clock_at, text_at)
            if text < 0:
                return -1, key
            clock[row] = number
            if size == last_length and _equal(pages, text, last_place, size):
                place[row] = SAME
            else:
                place[row], length[row] = text, size
                last_place, last_length = text, size
            row += 1
    return row - first, key


@njit(cache=True, nogil=True)
def _fields(data: Bytes, at: int, stop: int, n_columns: int, clock_at: int, text_at: int) -> tuple[Any, Any, Any]:
    """(clock, where the text starts, its bytes) of the record in data[at:stop]; the text starts at -1 when it is not plain."""
    header, kinds = read_varint(data, at, stop)
    body = at + header
    if kinds < 0 or header < 1 or body > stop:
        return np.int64(0), -1, 0
    number, text, size = np.int64(0), np.int64(-1), np.int64(0)
    for column in range(n_columns):
        kind, kinds = read_varint(data, kinds, at + header)
        if kinds < 0 or kind < 0:
            return np.int64(0), -1, 0
        width = _WIDTH[kind] if kind < 12 else (kind - 12) // 2
        if body + width > stop:
            return np.int64(0), -1, 0
        if column == clock_at:
            if kind == 0 or kind == 7 or kind > 9:
                return np.int64(0), -1, 0
            number = np.int64(kind - 8) if kind >= 8 else _big_endian(data, body, width)
        elif column == text_at:
            if kind < TEXT or kind % 2 == 0:
                return np.int64(0), -1, 0
            text, size = body, width
        body += width
    if kinds != at + header or body != stop:
        return np.int64(0), -1, 0
    return number, text, size


@njit(cache=True, nogil=True)
def _big_endian(data: Bytes, at: int, width: Any) -> Any:
    value = np.int64(np.int8(data[at]))
    for k in range(1, width):
        value = (value << 8) | np.int64(data[at + k])
    return value


@njit(cache=True, nogil=True)
def _equal(data: Bytes, one: int, other: int, size: int) -> bool:
    at = 0
    while at + AHEAD <= size and load_big_endian(data, np.uint64(one + at)) == load_big_endian(data, np.uint64(other + at)):
        at += AHEAD
    while at < size and data[one + at] == data[other + at]:
        at += 1
    return at == size
