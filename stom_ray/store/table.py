"""One table of a STOM database as arrays, exactly as the file has it: rowid order, nothing repaired yet."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import SchemaError, StoreError
from stom_ray.schema.columns import CLOCK, LAYOUTS, detect_layout, normalise
from stom_ray.store.btree import CLOCK_TARGET, NO_CLOCK, SKIP, Decoded, decode_table
from stom_ray.store.records import CLOCK_LIMIT
from stom_ray.store.snapshot import ColumnInfo, Snapshot

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CODE = re.compile(r"[0-9][0-9A-Z]{5}")
FETCH_ROWS = 4096


@dataclass(frozen=True)
class RawTable:
    """An instrument's rows as they lie in one file.

    names: columns that are there, in the layout's order, without the clock. values: (n_names, n) float64, NaN for NULL and
    for what is no number. clock: (n,) yyyymmddhhmmss (minute clocks with 00 seconds), NO_CLOCK where there is none. rowid: (n,).
    text: rows with something that is neither a number nor NULL, and in which column.
    """

    name: str
    layout: str
    names: tuple[str, ...]
    clock: Ints
    rowid: Ints
    values: Floats
    text: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.clock)

    def column(self, name: str) -> Floats:
        return np.asarray(self.values[self.names.index(name)])


def instrument_tables(snapshot: Snapshot) -> list[str]:
    """Tables named by an instrument's code, sorted; everything else in the file is metadata."""
    return sorted(name for name in snapshot.tables() if CODE.fullmatch(name))


def quoted(name: str) -> str:
    """An identifier for SQL."""
    return '"' + name.replace('"', '""') + '"'


def table_layout(snapshot: Snapshot, name: str) -> str:
    """The table's layout. Raises SchemaError naming file and table."""
    columns = snapshot.columns(name)
    try:
        return detect_layout(column.name for column in columns)
    except SchemaError as error:
        raise SchemaError(f"{snapshot.path}: table {name}: {error}") from error


def fresh(count: int) -> Floats:
    """Memory for so many numbers."""
    return np.empty(count)


def read_table(snapshot: Snapshot, name: str, allocate: Callable[[int], Floats] = fresh) -> RawTable:
    """The whole table in rowid order, in memory that `allocate` gives.

    Raises SchemaError for other columns, StoreError when its pages cannot be read.
    """
    layout = table_layout(snapshot, name)
    columns = snapshot.columns(name)
    found = {normalise(column.name): index for index, column in enumerate(columns)}
    names = tuple(column for column in LAYOUTS[layout].values if column in found)
    text: dict[int, str] = {}
    decoded = _fast(snapshot, name, columns, found, names, allocate)
    if decoded is None:
        decoded, text = _typed(snapshot, name, columns, found, names)
    clock = decoded.clock
    if LAYOUTS[layout].clock_digits == 12:
        clock = np.where((clock > 0) & (clock < 10**12), clock * 100, np.where(clock == NO_CLOCK, NO_CLOCK, -1))
    return RawTable(name, layout, names, clock, decoded.rowid, decoded.values, text)


def _fast(
    snapshot: Snapshot,
    name: str,
    columns: Sequence[ColumnInfo],
    found: dict[str, int],
    names: tuple[str, ...],
    allocate: Callable[[int], Floats] = fresh,
) -> Decoded | None:
    """Straight from the pages, where nothing about the table forbids it."""
    root = snapshot.tables()[name]
    if snapshot.read is None or root < 2 or not all(column.plain for column in columns):
        return None
    targets = [SKIP] * len(columns)
    for row, column in enumerate(names):
        targets[found[column]] = row
    targets[found[CLOCK]] = CLOCK_TARGET
    return decode_table(snapshot.read, root, targets, len(names), allocate)


def _typed(
    snapshot: Snapshot, name: str, columns: Sequence[ColumnInfo], found: dict[str, int], names: tuple[str, ...]
) -> tuple[Decoded, dict[int, str]]:
    """Through the library, value by value where types are mixed."""
    rows: list[Floats] = []
    clocks: list[Ints] = []
    rowids: list[Ints] = []
    text: dict[int, str] = {}
    wanted = ", ".join(quoted(columns[found[column]].name) for column in (CLOCK, *names))
    try:
        cursor = snapshot.connection.execute(f"SELECT rowid, {wanted} FROM {quoted(name)} NOT INDEXED ORDER BY rowid")
        done = 0
        while block := _take(cursor, FETCH_ROWS):
            rowids.append(np.fromiter((row[0] for row in block), np.int64, len(block)))
            clocks.append(np.fromiter((_clock(row[1]) for row in block), np.int64, len(block)))
            rows.append(_numbers(block, done, names, text))
            done += len(block)
    except (apsw.CorruptError, apsw.IOError) as error:
        raise damaged(snapshot.path, name, error) from error
    except apsw.SQLError as error:
        raise SchemaError(f"{snapshot.path}: table {name}: {error}: expected an ordinary table with row ids") from error
    empty = np.empty((len(names), 0))
    values = np.ascontiguousarray(np.concatenate([empty, *(block.T for block in rows)], axis=1))
    none = np.empty(0, np.int64)
    return Decoded(np.concatenate([none, *clocks]), np.concatenate([none, *rowids]), values), text


def damaged(path: Path, name: str, error: Exception) -> StoreError:
    """The error for a table whose pages cannot be read."""
    return StoreError(
        f"{path}: table {name} is damaged ({error}): other tables can be used; restore it from a backup or run "
        f"PRAGMA integrity_check('{name}') to see more"
    )


def _take(cursor: Any, count: int) -> list[tuple[Any, ...]]:
    return [row for _, row in zip(range(count), cursor, strict=False)]


def _clock(value: Any) -> int:
    """An integer, however it is stored ('20240102090000' too); NO_CLOCK for anything else."""
    try:
        whole = int(value)
    except (TypeError, ValueError, OverflowError):
        return NO_CLOCK
    exact = not isinstance(value, float) or value == whole
    return whole if exact and abs(whole) < CLOCK_LIMIT else NO_CLOCK


def _numbers(block: list[tuple[Any, ...]], done: int, names: tuple[str, ...], text: dict[int, str]) -> Floats:
    """(n_rows, n_names) float64; remembers rows holding something else than numbers and NULL."""
    try:
        return np.array([row[2:] for row in block], dtype=np.float64).reshape(len(block), len(names))
    except (TypeError, ValueError):
        out = np.empty((len(block), len(names)))
        for at, row in enumerate(block):
            for column, value in enumerate(row[2:]):
                number = _number(value)
                if number is None:
                    text.setdefault(done + at, names[column])
                out[at, column] = math.nan if number is None else number
        return out


def _number(value: Any) -> float | None:
    if value is None:
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
