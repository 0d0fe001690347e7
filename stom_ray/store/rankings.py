"""`moneytop` and `stockinfo`, used for what they are: which instruments could be bought when, and what they are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import SchemaError
from stom_ray.schema.columns import CLOCK, normalise
from stom_ray.store.btree import decode_texts
from stom_ray.store.quality import FIRST_YEAR, LAST_YEAR, valid_clock
from stom_ray.store.scan import clock_counts
from stom_ray.store.snapshot import Snapshot
from stom_ray.store.table import damaged, quoted

Ints = NDArray[np.int64]

MONEYTOP = "moneytop"
RANKED = "거래대금순위"
STOCKINFO = "stockinfo"


@dataclass(frozen=True)
class RankingDay:
    """One day of the traded-value ranking.

    clock: (n,) yyyymmddhhmmss of its rows, sorted, unique. code, first, last: (n_runs,) a stretch of consecutive rows that name
    the code, with the clocks of its first and last row.
    """

    day: int
    clock: Ints
    code: tuple[str, ...]
    first: Ints
    last: Ints

    def present(self, low: int, high: int) -> set[str]:
        """Codes named by some row with low <= clock <= high."""
        start, stop = np.searchsorted(self.clock, [low, high + 1])
        if start == stop:
            return set()
        reaches = (self.first <= self.clock[stop - 1]) & (self.last >= self.clock[start])
        return {self.code[run] for run in np.flatnonzero(reaches)}


@dataclass(frozen=True)
class Instrument:
    """A row of `stockinfo`. kosdaq: None when the file does not say."""

    name: str
    kosdaq: bool | None


def read_rankings(snapshot: Snapshot) -> dict[int, RankingDay] | None:
    """Day -> ranking; None when the database has no `moneytop`. Of rows with one clock the last counts."""
    if MONEYTOP not in snapshot.tables():
        return None
    columns = {normalise(column.name): column.name for column in snapshot.columns(MONEYTOP)}
    if not {CLOCK, RANKED} <= set(columns):
        raise SchemaError(f"{snapshot.path}: table {MONEYTOP} has {', '.join(columns)}: expected {CLOCK} and {RANKED}")
    clock, which, texts = _rows(snapshot, columns)
    clock = np.where(clock < 10**12, clock * 100, clock)
    bad, back, _ = clock_counts(clock, 0, FIRST_YEAR, LAST_YEAR)
    if bad or back:
        order = np.flatnonzero(valid_clock(clock))
        order = order[np.argsort(clock[order], kind="stable")]
        order = order[np.diff(clock[order], append=-1) != 0]
        clock, which = clock[order], which[order]
    starts = np.flatnonzero(np.diff(clock // 1_000_000, prepend=-1)).tolist()
    stops = [*starts[1:], len(clock)] if starts else []
    return {
        int(clock[start]) // 1_000_000: ranking_day(int(clock[start]) // 1_000_000, clock[start:stop], which[start:stop], texts)
        for start, stop in zip(starts, stops, strict=True)
    }


def _rows(snapshot: Snapshot, columns: dict[str, str]) -> tuple[Ints, Ints, Sequence[Any]]:
    """(clocks, -1 for what is no integer; which of the texts; texts, anything else too) of `moneytop`, in row id order."""
    declared = snapshot.columns(MONEYTOP)
    root = snapshot.tables()[MONEYTOP]
    if snapshot.read is not None and root > 1 and all(column.plain for column in declared):
        names = [column.name for column in declared]
        places = names.index(columns[CLOCK]), names.index(columns[RANKED])
        decoded = decode_texts(snapshot.read, root, len(names), *places)
        if decoded is not None:
            return decoded
    sql = f"SELECT {quoted(columns[CLOCK])}, {quoted(columns[RANKED])} FROM {MONEYTOP} NOT INDEXED ORDER BY rowid"
    try:
        rows = snapshot.connection.execute(sql).fetchall()
    except (apsw.CorruptError, apsw.IOError) as error:
        raise damaged(snapshot.path, MONEYTOP, error) from error
    clock = np.array([row[0] if isinstance(row[0], int) else -1 for row in rows], dtype=np.int64)
    return clock, np.arange(len(rows)), [row[1] for row in rows]


def ranking_day(day: int, clock: Ints, which: Ints, texts: Sequence[Any]) -> RankingDay:
    """Runs of one day's rows. clock: (n,) sorted, unique. Row i has texts[which[i]]: codes joined by ';', or nobody."""
    runs: list[tuple[str, int, int]] = []
    open_since: dict[str, int] = {}
    for at in np.flatnonzero(np.diff(which, prepend=-1)).tolist():
        text = texts[which[at]]
        now = set(text.split(";")) - {""} if isinstance(text, str) else set()
        for code in open_since.keys() - now:
            runs.append((code, open_since.pop(code), int(clock[at - 1])))
        for code in now - open_since.keys():
            open_since[code] = int(clock[at])
    runs.extend((code, since, int(clock[-1])) for code, since in open_since.items())
    runs.sort()
    first = np.array([run[1] for run in runs], dtype=np.int64)
    last = np.array([run[2] for run in runs], dtype=np.int64)
    return RankingDay(day, clock, tuple(run[0] for run in runs), first, last)


def read_instruments(snapshot: Snapshot) -> dict[str, Instrument]:
    """Code -> name and market, from `stockinfo`; empty when there is none."""
    if STOCKINFO not in snapshot.tables():
        return {}
    columns = {normalise(column.name): column.name for column in snapshot.columns(STOCKINFO)}
    if not {CLOCK, "종목명"} <= set(columns):
        raise SchemaError(f"{snapshot.path}: table {STOCKINFO} has {', '.join(columns)}: expected {CLOCK} and 종목명")
    kosdaq = quoted(columns["코스닥"]) if "코스닥" in columns else "NULL"
    sql = f"SELECT {quoted(columns[CLOCK])}, {quoted(columns['종목명'])}, {kosdaq} FROM {STOCKINFO}"
    try:
        rows = list(snapshot.connection.execute(sql))
    except (apsw.CorruptError, apsw.IOError) as error:
        raise damaged(snapshot.path, STOCKINFO, error) from error
    return {
        str(code): Instrument(str(name), None if flag is None else bool(flag)) for code, name, flag in rows if name is not None
    }
