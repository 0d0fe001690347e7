"""Records of plain numeric tables, decoded from SQLite's leaf pages by compiled code that runs without Python's lock.

A record is a header of one byte a column (its serial type) and a body. Column by column there is one unaligned big-endian load of
eight bytes, shifted down to the column's width: what a serial type means stands in tables, so the loop has no branch that
alternating integer types could make the processor guess wrong. Whatever need not be done cell by cell (looking for a type that is
no number, the clock) is done once a row, outside that loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from stom_ray.machine_code import njit

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NO_CLOCK = -(2**63)  # in place of a clock that is NULL or no integer
CLOCK_LIMIT = 2**62
LEAF = 13
REAL = np.uint64(7)  # the serial type of a double; 0 is NULL, 1-6 integers, 8 and 9 the numbers 0 and 1
LAST_KIND = 9
AHEAD = 8  # bytes that one load may touch, whatever the column's width

# By serial type; the rest of the 256 is never used, but keeps a wild byte inside the tables.
_WIDTH = np.zeros(256, np.uint64)
_SHIFT, _MASK = np.zeros(256, np.int64), np.zeros(256, np.int64)
_PLUS = np.zeros(256)  # what is added to the integer
_WIDTH[:10] = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0]
_SHIFT[:10] = [63, 56, 48, 40, 32, 16, 0, 0, 63, 63]
_MASK[1:7] = -1
_PLUS[0], _PLUS[9] = np.nan, 1.0
_STEP = np.uint64(1)


def _load_big_endian(_: Any, data: Any, at: Any) -> Any:
    """The eight bytes from data[at] on as a signed integer; `data` must hold them."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        word = ir.IntType(64)
        address = builder.bitcast(builder.gep(array.data, [arguments[1]]), word.as_pointer())
        swap = builder.module.declare_intrinsic("llvm.bswap", [word])
        return builder.call(swap, [builder.load(address, align=1)])

    return types.int64(data, types.uint64), emit


def _double_of(_: Any, bits: Any) -> Any:
    """The double with these bits."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), emit


load_big_endian: Any = intrinsic(_load_big_endian)
double_of: Any = intrinsic(_double_of)


@njit(cache=True, nogil=True)
def interior_children(page: Bytes, usable: int) -> Ints:
    """Child pages of an interior table page, left to right; [-1] when malformed."""
    bad = np.full(1, -1, np.int64)
    if page[0] != 5:
        return bad
    n = np.int64(page[3]) * 256 + page[4]
    if 12 + 2 * n > usable:
        return bad
    out = np.empty(n + 1, np.int64)
    for i in range(n + 1):
        at = 8
        if i < n:
            at = np.int64(page[12 + 2 * i]) * 256 + page[13 + 2 * i]
            if at + 4 > usable:
                return bad
        child = np.int64(0)
        for k in range(4):
            child = child * 256 + page[at + k]
        if child < 2:
            return bad
        out[i] = child
    return out


@njit(cache=True, nogil=True, counts=False)
def read_varint(data: Bytes, at: int, end: int) -> tuple[Any, int]:
    """(value, next position); next position -1 past the end."""
    value = np.int64(0)
    for k in range(9):
        if at + k >= end:
            return value, -1
        byte = np.int64(data[at + k])
        if k == 8:
            return (value << 8) | byte, at + 9
        value = (value << 7) | (byte & 127)
        if byte < 128:
            return value, at + k + 1
    return value, -1


@njit(cache=True, nogil=True)
def edge_keys(page: Bytes, usable: int) -> tuple[Any, Any, bool]:
    """(row id of the leaf page's first cell, of its last, True); False when it has none or is malformed."""
    if len(page) < usable:
        return np.int64(0), np.int64(0), False
    n = np.int64(page[3]) * 256 + page[4]
    if n == 0 or 8 + 2 * n > usable:
        return np.int64(0), np.int64(0), False
    first, last = np.int64(0), np.int64(0)
    for i in (0, n - 1):
        pointer = 8 + 2 * i
        _, at = read_varint(page, np.int64(page[pointer]) * 256 + page[pointer + 1], usable)
        if at < 0:
            return first, last, False
        last, at = read_varint(page, at, usable)
        if at < 0:
            return first, last, False
        if i == 0:
            first = last
    return first, last, True


@njit(cache=True, nogil=True, counts=False)
def _highest(data: Bytes, at: Any, count: int) -> Any:
    """The highest of so many bytes from data[at] on."""
    highest = np.uint8(0)
    for k in range(count):  # of this form the compiler makes vector instructions
        highest = max(highest, data[at + np.uint64(k)])
    return highest


@njit(cache=True, nogil=True, counts=False)
def _decode_cells(data: Bytes, kind_at: Any, body: Any, goal: Ints, values: Floats, line: Any) -> Any:
    """Every column's number to its place in `values`; returns where in `data` the row ends."""
    n_columns = np.uint64(len(goal))
    column = np.uint64(0)
    while column < n_columns:
        kind = np.uint64(data[kind_at + column])
        word = load_big_endian(data, body)
        number = double_of(word) if kind == REAL else np.float64((word >> _SHIFT[kind]) & _MASK[kind]) + _PLUS[kind]
        values[np.uint64(goal[column]) + line] = number
        body += _WIDTH[kind]
        column += _STEP
    return body


@njit(cache=True, nogil=True, counts=False)
def _clock_of(data: Bytes, kind_at: Any, body: Any, clock_at: Any) -> Any:
    """The integer that the clock's cell holds, stored as one or not; NO_CLOCK for NULL, for fractions and past CLOCK_LIMIT."""
    for column in range(clock_at):
        body += _WIDTH[data[kind_at + np.uint64(column)]]
    kind = data[kind_at + clock_at]
    word = load_big_endian(data, body)
    if kind == REAL:
        number = double_of(word)
        return np.int64(number) if abs(number) < CLOCK_LIMIT and number == np.floor(number) else np.int64(NO_CLOCK)
    clock = ((word >> _SHIFT[kind]) & _MASK[kind]) + np.int64(kind == LAST_KIND)
    return clock if kind != 0 and -CLOCK_LIMIT < clock < CLOCK_LIMIT else np.int64(NO_CLOCK)


@njit(cache=True, nogil=True, counts=False)
def _decode_page(
    data: Bytes, base: int, usable: int, goal: Ints, clock_at: int, clock: Ints, rowid: Ints, values: Floats, row: int
) -> int:
    """The row after the page's last, or -1. `data` goes on for AHEAD bytes a column after the page."""
    end = base + usable
    n = np.int64(data[base + 3]) * 256 + data[base + 4]
    if data[base] != LEAF or 8 + 2 * n > usable or row + n > len(clock):
        return -1
    for i in range(n):
        pointer = base + 8 + 2 * i
        at = base + np.int64(data[pointer]) * 256 + data[pointer + 1]
        payload, at = read_varint(data, at, end)
        if at < 0 or payload > usable - 35 or payload < 1:
            return -1
        key, at = read_varint(data, at, end)
        if at < 0 or at + payload > end or (row > 0 and key <= rowid[row - 1]):
            return -1
        stop = at + payload
        header, kinds = read_varint(data, at, stop)
        if kinds < 0 or header > payload or at + header - kinds != len(goal):  # one byte a column: numbers and NULL only
            return -1
        kind_at, body, line = np.uint64(kinds), np.uint64(at + header), np.uint64(row)
        if _highest(data, kind_at, len(goal)) > LAST_KIND:
            return -1
        if _decode_cells(data, kind_at, body, goal, values, line) != np.uint64(stop):
            return -1
        clock[line] = _clock_of(data, kind_at, body, np.uint64(clock_at))
        rowid[line] = key
        row += 1
    return row


@njit(cache=True, nogil=True)
def decode_leaves(
    pages: Bytes,
    starts: Ints,
    size: int,
    usable: int,
    goal: Ints,
    clock_at: int,
    clock: Ints,
    rowid: Ints,
    values: Floats,
    row: int,
) -> int:
    """Decodes the leaf pages that start there into row, row + 1, ... of the arrays.

    goal: (n_file_columns,) where in `values` (flat) row 0 of each file column goes; clock_at: the column that goes to `clock`
    besides. Returns the rows decoded, or -1: not plain or malformed.
    """
    start = row
    ahead = AHEAD * (len(goal) + 1)
    last_page = np.zeros(size + ahead, np.uint8)
    for base in starts:
        if base + size + ahead <= len(pages):
            row = _decode_page(pages, base, usable, goal, clock_at, clock, rowid, values, row)
        else:  # a load may reach past the end of `pages`: from a copy that is long enough
            last_page[:size] = pages[base : base + size]
            row = _decode_page(last_page, 0, usable, goal, clock_at, clock, rowid, values, row)
        if row < 0:
            return -1
    return row - start
