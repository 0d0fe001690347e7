"""A second opinion on what was read from the pages: the same rows through the SQLite library, compared bit for bit."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from stom_ray.errors import StoreError
from stom_ray.schema.columns import CLOCK
from stom_ray.store.rankings import MONEYTOP, RankingDay, read_rankings
from stom_ray.store.snapshot import Snapshot
from stom_ray.store.table import RawTable, read_table


def verified_checksum(snapshot: Snapshot, raw: RawTable) -> str:
    """SHA-256 over row ids, clock and columns of a table as it lies in the file, read in this snapshot.

    Raises StoreError naming the first row and column that the library reads differently.
    """
    other = read_table(_through_library(snapshot), raw.name)
    _compare(snapshot, raw, other)
    digest = hashlib.sha256()
    for numbers in (raw.rowid, raw.clock, *raw.values):
        digest.update(np.ascontiguousarray(numbers).data)
    return digest.hexdigest()


def verify_rankings(snapshot: Snapshot, days: dict[int, RankingDay] | None) -> None:
    """Raises StoreError naming the first day whose ranking the library reads differently."""
    other = read_rankings(_through_library(snapshot)) or {}
    for day in sorted((days or {}).keys() | other.keys()):
        one, two = (days or {}).get(day), other.get(day)
        if one is None or two is None or _content(one) != _content(two):
            raise _different(snapshot, MONEYTOP, f"the ranking of {day}")


def _through_library(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, read=None)


def _content(day: RankingDay) -> tuple[list[int], tuple[str, ...], list[int], list[int]]:
    return day.clock.tolist(), day.code, day.first.tolist(), day.last.tolist()


def _compare(snapshot: Snapshot, raw: RawTable, other: RawTable) -> None:
    if (len(raw), raw.names, raw.text) != (len(other), other.names, other.text):
        raise _different(snapshot, raw.name, f"the table ({len(raw):,} rows by its pages, {len(other):,} through the library)")
    pairs = [(CLOCK, raw.clock, other.clock), ("row id", raw.rowid, other.rowid)]
    pairs += [(name, raw.values[at].view(np.int64), other.values[at].view(np.int64)) for at, name in enumerate(raw.names)]
    for name, one, two in pairs:
        wrong = np.flatnonzero(one != two)
        if len(wrong):
            raise _different(snapshot, raw.name, f"{name} of row {int(other.rowid[wrong[0]])} ({len(wrong):,} rows)")


def _different(snapshot: Snapshot, table: str, what: str) -> StoreError:
    return StoreError(
        f"{snapshot.path}: table {table}: {what} is not what the SQLite library reads: nothing of it was taken from this "
        "file; please report it together with the file"
    )
