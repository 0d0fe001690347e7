"""Rows of a plain numeric table, decoded straight from SQLite's B-tree pages (https://www.sqlite.org/fileformat2.html).

More than twenty times as fast as stepping through rows, and only for tables that need nothing more: rowid tables of numbers and
NULL (or of a number and a text: the ranking) without overflow pages. Anything else, a malformed page too, gives None, and the
caller asks the library instead.

Pages are read and decoded a stretch at a time, so that they are still in the processor's cache when they are decoded and no
second copy of the table is ever held.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stom_ray.store.records import LEAF, NO_CLOCK, decode_leaves, edge_keys, interior_children
from stom_ray.store.text_records import SAME, decode_text_leaves

__all__ = ["CLOCK_TARGET", "NO_CLOCK", "SKIP", "Decoded", "decode_table", "decode_texts"]

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Read = Callable[[int, int], bytes]

SKIP = -1  # target of a column nobody needs
CLOCK_TARGET = -2
INTERIOR = 5
MAX_DEPTH = 20
UTF_8 = 1  # of the encodings; 0 in a database that was never written to
MIN_KEY = -(2**63)
STRETCH_PAGES = 256  # decoded together
NEAR_PAGES = 4  # leaves this near each other are read together with what lies between


@dataclass(frozen=True)
class Decoded:
    """clock (n,), rowid (n,), values (n_columns, n): NaN where the database has NULL. Rows of `values` are contiguous."""

    clock: Ints
    rowid: Ints
    values: Floats


@dataclass(frozen=True)
class Tree:
    """A table's leaf pages in row id order.

    size, usable: bytes of a page, and without what is reserved at its end. encoding: of texts, by SQLite's number.
    """

    read: Read
    size: int
    usable: int
    encoding: int
    leaves: list[int]

    def most_rows(self, n_file_columns: int) -> int:
        """Not less than the table's rows: by its first and last row id (exact where none was deleted), and by what fits."""
        (first, _, some), (_, last, some_more) = (
            edge_keys(np.frombuffer(self.read(self.size, (page - 1) * self.size), dtype=np.uint8), self.usable)
            for page in (self.leaves[0], self.leaves[-1])
        )
        by_ids = int(last) - int(first) + 1 if some and some_more else 0
        smallest_cell = n_file_columns + 5  # page pointer, payload size, row id, header
        return max(0, min(by_ids, len(self.leaves) * (self.usable // smallest_cell)))

    def stretches(self) -> Iterator[tuple[Bytes, Ints] | None]:
        """(bytes, where in them the leaf pages start) in key order; None where the file ends before.

        Pages lying near each other come in one read.
        """
        numbers = np.asarray(self.leaves, dtype=np.int64)
        steps = np.diff(numbers)
        parts: list[bytes] = []
        starts: list[Ints] = []
        held = 0
        for run in np.split(numbers, np.flatnonzero((steps < 1) | (steps > NEAR_PAGES)) + 1):
            for at in range(0, len(run), STRETCH_PAGES):
                piece = run[at : at + STRETCH_PAGES]
                starts.append((piece - piece[0] + held) * self.size)
                span = int(piece[-1] - piece[0]) + 1
                parts.append(self.read(self.size * span, (int(piece[0]) - 1) * self.size))
                held += span
                if held >= STRETCH_PAGES:
                    yield _stretch(parts, starts, held * self.size)
                    parts, starts, held = [], [], 0
        if parts:
            yield _stretch(parts, starts, held * self.size)


def _stretch(parts: list[bytes], starts: list[Ints], expected: int) -> tuple[Bytes, Ints] | None:
    content = parts[0] if len(parts) == 1 else b"".join(parts)
    return (np.frombuffer(content, dtype=np.uint8), np.concatenate(starts)) if len(content) == expected else None


def open_tree(read: Read, root: int) -> Tree | None:
    """The tree with its root on this page; None when it is malformed. read(size, offset) gives bytes of the file."""
    header = np.frombuffer(read(100, 0), dtype=np.uint8)
    size = int(header[16]) * 256 + int(header[17])
    size = 65536 if size == 1 else size
    usable = size - int(header[20])
    leaves = _leaves(read, root, size, usable)
    return None if leaves is None else Tree(read, size, usable, int(header[59]), leaves)


def _leaves(read: Read, root: int, size: int, usable: int) -> list[int] | None:
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
            content = read(size, (page - 1) * size)
            children = interior_children(np.frombuffer(content, dtype=np.uint8), usable) if len(content) == size else None
            if children is None or children[0] <= 0:
                return None
            below.extend(children.tolist())
        level = below
    return None


def decode_table(
    read: Read, root: int, targets: Sequence[int], n_values: int, allocate: Callable[[int], Floats]
) -> Decoded | None:
    """The whole table in rowid order, or None when it is not plain.

    read(size, offset) gives bytes of the file. targets[i] says where file column i goes: a row of `values`, SKIP or (exactly one)
    CLOCK_TARGET. allocate(n) gives room for n numbers.
    """
    tree = open_tree(read, root)
    if tree is None:
        return None
    most = tree.most_rows(len(targets))
    room = allocate((n_values + 3) * most)  # a last column takes what nobody asked for
    clock, rowid, values = room[:most].view(np.int64), room[most : 2 * most].view(np.int64), room[2 * most :]
    goal = np.array([(n_values if target < 0 else target) * most for target in targets], dtype=np.int64)
    clock_at = list(targets).index(CLOCK_TARGET)
    rows = 0
    for stretch in tree.stretches():
        if stretch is None:
            return None
        got = decode_leaves(*stretch, tree.size, tree.usable, goal, clock_at, clock, rowid, values, rows)
        if got < 0:
            return None
        rows += got
    return Decoded(clock[:rows], rowid[:rows], values[: n_values * most].reshape(n_values, most)[:, :rows])


def decode_texts(read: Read, root: int, n_file_columns: int, clock_at: int, text_at: int) -> tuple[Ints, Ints, list[str]] | None:
    """(integers of one column, which text, UTF-8 texts of another column) by rowid; None when any row has something else.

    clock, which: (n,). The text of row i is texts[which[i]]; a row with the text of the row before has its number too.
    """
    tree = open_tree(read, root)
    if tree is None or tree.encoding > UTF_8:
        return None
    most = tree.most_rows(n_file_columns)
    clock, place, length = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    which = np.empty(most, np.int64)
    texts: list[str] = []
    key, rows = MIN_KEY, 0
    for stretch in tree.stretches():
        if stretch is None:
            return None
        pages, starts = stretch
        got, key = decode_text_leaves(
            pages, starts, tree.usable, n_file_columns, clock_at, text_at, clock, place, length, rows, key
        )
        if got < 0:
            return None
        changes = (rows + np.flatnonzero(place[rows : rows + got] != SAME)).tolist()
        rows += got
        for at, until in itertools.pairwise([*changes, rows]):
            try:
                text = pages[place[at] : place[at] + length[at]].tobytes().decode()
            except UnicodeDecodeError:
                return None
            which[at:until] = len(texts)
            texts.append(text)
    return clock[:rows], which[:rows], texts
