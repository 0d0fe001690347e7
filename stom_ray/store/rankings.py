"""`moneytop` and `stockinfo`, used for what they are: which instruments could be bought when, and what they are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import SchemaError
from stom_ray.schema.columns import CLOCK, normalise
from stom_ray.store.quality import valid_clock
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
    sql = f"SELECT {quoted(columns[CLOCK])}, {quoted(columns[RANKED])} FROM {MONEYTOP} NOT INDEXED ORDER BY rowid"
    try:
        rows = {int(clock): text for clock, text in snapshot.connection.execute(sql) if isinstance(clock, int)}
    except (apsw.CorruptError, apsw.IOError) as error:
        raise damaged(snapshot.path, MONEYTOP, error) from error
    ordered = sorted((clock * 100 if clock < 10**12 else clock, text) for clock, text in rows.items())
    clock = np.array([row[0] for row in ordered], dtype=np.int64)
    good = np.flatnonzero(valid_clock(clock))
    by_day: dict[int, list[tuple[int, Any]]] = {}
    for at in good:
        by_day.setdefault(int(clock[at]) // 1_000_000, []).append(ordered[at])
    return {day: ranking_day(day, rows_of_day) for day, rows_of_day in by_day.items()}


def ranking_day(day: int, rows: list[tuple[int, Any]]) -> RankingDay:
    """Runs of one day's rows (clock, codes joined by ';'), sorted by clock."""
    runs: list[tuple[str, int, int]] = []
    open_since: dict[str, int] = {}
    before: Any = None
    previous_clock = 0
    for clock, text in rows:
        if text != before:
            now = set(text.split(";")) - {""} if isinstance(text, str) else set()
            for code in open_since.keys() - now:
                runs.append((code, open_since.pop(code), previous_clock))
            for code in now - open_since.keys():
                open_since[code] = clock
            before = text
        previous_clock = clock
    runs.extend((code, since, previous_clock) for code, since in open_since.items())
    runs.sort()
    clocks = np.array([clock for clock, _ in rows], dtype=np.int64)
    first = np.array([run[1] for run in runs], dtype=np.int64)
    last = np.array([run[2] for run in runs], dtype=np.int64)
    return RankingDay(day, clocks, tuple(run[0] for run in runs), first, last)


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
