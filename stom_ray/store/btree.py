"""Rows of a plain numeric table, decoded straight from SQLite's B-tree pages (https://www.sqlite.org/fileformat2.html).

About ten times as fast as stepping through rows, and only for tables that need nothing more: rowid tables of numbers and NULL
without overflow pages. Anything else, a malformed page too, gives None, and the caller asks the library instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NO_CLOCK = -(2**63)  # in place of a clock that is NULL or no integer
SKIP = -1  # target of a column nobody needs
CLOCK_TARGET = -2
LEAF, INTERIOR = 13, 5
MAX_DEPTH = 20
RUN_PAGES = 256  # neighbouring pages are read together, at most this many


@dataclass(frozen=True)
class Decoded:
    """clock (n,), rowid (n,), values (n_columns, n): NaN where the database has NULL."""

    clock: Ints
    rowid: Ints
    values: Floats


def decode_table(
    read: Callable[[int, int], bytes], root: int, targets: Sequence[int], n_values: int, n_file_columns: int
) -> Decoded | None:
    """The whole table in rowid order, or None when it is not plain.

    read(size, offset) gives bytes of the file. targets[i] says where file column i goes: a row of `values`, SKIP or CLOCK_TARGET.
    """
    header = np.frombuffer(read(100, 0), dtype=np.uint8)
    size = int(header[16]) * 256 + int(header[17])
    size = 65536 if size == 1 else size
    usable = size - int(header[20])
    leaves = _leaves(read, root, size, usable)
    if leaves is None:
        return None
    blocks = [np.frombuffer(data, dtype=np.uint8) for data in _runs(read, leaves, size)]
    n_rows = sum(int(count_cells(block, size)) for block in blocks)
    result = Decoded(np.empty(n_rows, np.int64), np.empty(n_rows, np.int64), np.empty((n_values, n_rows)))
    target = np.asarray(targets, dtype=np.int64)
    done = 0
    for block in blocks:
        got = decode_leaves(block, size, usable, target, n_file_columns, result.clock, result.rowid, result.values, done)
        if got < 0:
            return None
        done += got
    return result if done == n_rows else None


def _leaves(read: Callable[[int, int], bytes], root: int, size: int, usable: int) -> list[int] | None:
    """Leaf page numbers in key order; None when the tree is malformed. The last level is found from one leaf a parent."""
    level = [root]
    for _ in range(MAX_DEPTH):
        first = read(size, (level[0] - 1) * size)
        if len(first) < size or first[0] not in (LEAF, INTERIOR):
            return None
        if first[0] == LEAF:
            return level if len(set(level)) == len(level) else None
        below: list[int] = []
        for page in level:
            children = interior_children(np.frombuffer(read(size, (page - 1) * size), dtype=np.uint8), usable)
            if children[0] <= 0:
                return None
            below.extend(children.tolist())
        level = below
    return None


def _runs(read: Callable[[int, int], bytes], pages: list[int], size: int) -> list[bytes]:
    """The pages' bytes in order, neighbours in one read."""
    numbers = np.asarray(pages, dtype=np.int64)
    breaks = np.flatnonzero(np.diff(numbers) != 1) + 1
    parts: list[bytes] = []
    for run in np.split(numbers, breaks):
        for start in range(0, len(run), RUN_PAGES):
            piece = run[start : start + RUN_PAGES]
            parts.append(read(size * len(piece), (int(piece[0]) - 1) * size))
    return _joined(parts, size * RUN_PAGES)


def _joined(parts: list[bytes], wanted: int) -> list[bytes]:
    """Short pieces put together, so that decoding is not called once a page."""
    blocks: list[bytes] = []
    pending: list[bytes] = []
    held = 0
    for part in parts:
        pending.append(part)
        held += len(part)
        if held >= wanted:
            blocks.append(b"".join(pending))
            pending, held = [], 0
    if pending:
        blocks.append(b"".join(pending))
    return blocks


@njit(cache=True)
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


@njit(cache=True)
def count_cells(pages: Bytes, size: int) -> int:
    """Rows on these leaf pages, as their headers say."""
    total = 0
    for page in range(len(pages) // size):
        total += np.int64(pages[page * size + 3]) * 256 + pages[page * size + 4]
    return total


@njit(cache=True)
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


@njit(cache=True, inline="always")
def read_big_endian(data: Bytes, at: int, width: int) -> Any:
    """A signed big-endian integer of 1, 2, 3, 4, 6 or 8 bytes."""
    value = np.int64(np.int8(data[at]))
    if width == 1:
        return value
    value = (value << 8) | np.int64(data[at + 1])
    if width == 2:
        return value
    value = (value << 8) | np.int64(data[at + 2])
    if width == 3:
        return value
    value = (value << 8) | np.int64(data[at + 3])
    for k in range(4, width):
        value = (value << 8) | np.int64(data[at + k])
    return value


@njit(cache=True)
def decode_leaves(
    pages: Bytes,
    size: int,
    usable: int,
    target: Ints,
    n_columns: int,
    clock: Ints,
    rowid: Ints,
    values: Floats,
    row: int,
) -> int:
    """Decodes leaf pages into row, row + 1, ... of the arrays. Returns the rows decoded, or -1: not plain or malformed."""
    widths = np.array([0, 1, 2, 3, 4, 6, 8, 8, 0, 0], np.int64)
    raw = np.empty(1, np.int64)
    as_float = raw.view(np.float64)
    start = row
    for page in range(len(pages) // size):
        base = page * size
        end = base + usable
        if pages[base] != 13:
            return -1
        n = np.int64(pages[base + 3]) * 256 + pages[base + 4]
        if 8 + 2 * n > usable or row + n > len(clock):
            return -1
        for i in range(n):
            pointer = base + 8 + 2 * i
            at = base + np.int64(pages[pointer]) * 256 + pages[pointer + 1]
            payload, at = read_varint(pages, at, end)
            if at < 0 or payload > usable - 35 or payload < 1:
                return -1
            key, at = read_varint(pages, at, end)
            if at < 0 or at + payload > end or (row > 0 and key <= rowid[row - 1]):
                return -1
            stop = at + payload
            header, types = read_varint(pages, at, stop)
            if types < 0 or header > payload:
                return -1
            body = at + header
            types_end = body
            if types_end - types != n_columns:  # one byte a column: numbers and NULL only
                return -1
            for column in range(n_columns):
                kind = pages[types + column]
                if kind > 9:
                    return -1
                width = widths[kind]
                if body + width > stop:
                    return -1
                goal = target[column]
                if goal >= 0:
                    if kind == 7:
                        raw[0] = read_big_endian(pages, body, 8)
                        values[goal, row] = as_float[0]
                    elif kind == 0:
                        values[goal, row] = np.nan
                    elif kind >= 8:
                        values[goal, row] = kind - 8
                    else:
                        values[goal, row] = np.float64(read_big_endian(pages, body, width))
                elif goal == CLOCK_TARGET:
                    if kind == 0 or kind == 7:
                        clock[row] = NO_CLOCK
                    elif kind >= 8:
                        clock[row] = kind - 8
                    else:
                        clock[row] = read_big_endian(pages, body, width)
                body += width
            if body != stop:
                return -1
            rowid[row] = key
            row += 1
    return row - start
