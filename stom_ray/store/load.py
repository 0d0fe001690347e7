"""Panels out of databases and stores, by STOM's loading rule (spec/engine.md §1.1)."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import SchemaError, SelectionError, StoreError
from stom_ray.store.panel import Panel
from stom_ray.store.parts import Session, assemble, table_sessions
from stom_ray.store.quality import TableQuality, clean
from stom_ray.store.rankings import RankingDay, read_instruments, read_rankings
from stom_ray.store.select import check_windows, missing_codes, select
from stom_ray.store.snapshot import Snapshot, read_snapshot
from stom_ray.store.table import instrument_tables, read_table

__all__ = ["LoadReport", "data_hash", "load_panel", "select"]

Ints = NDArray[np.int64]
Window = tuple[int, int]

RANKING_STARTS = 90_030  # `moneytop` is read from here when the loaded hours start earlier
EVERY_DAY: Window = (0, 99_999_999)
ALL_DAY: Window = (0, 235_959)


@dataclass
class LoadReport:
    """What loading found: counts per table, tables that could not be read (name -> why), and what the user should know."""

    tables: list[TableQuality] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {"tables": [table.to_json() for table in self.tables], "failed": self.failed, "warnings": self.warnings}


@dataclass(frozen=True)
class Source:
    """Everything a file or store offers to a load: sessions (one a code and day), rankings by day, names by code."""

    sessions: Sequence[Session]
    rankings: Mapping[int, RankingDay]
    names: Mapping[str, str]
    known_codes: frozenset[str]


def load_panel(
    paths: str | Path | Sequence[str | Path],
    *,
    codes: Iterable[str] | None = None,
    days: Window | None = None,
    time: Window | None = None,
    columns: Iterable[str] | None = None,
    report: LoadReport | None = None,
) -> Panel:
    """The ticks of SQLite file(s), or of a store made by ingest.

    codes: None = all. days: (first, last) yyyymmdd, inclusive. time: (first, last) hhmmss, inclusive. columns: read now rather
    than on first use. A code's day counts when `moneytop` names the code in the loaded hours; where a file has no `moneytop`
    all its days count, and its rows' own seconds stand in for the ranking's. A day in several files is the last file's.
    report: collects counts, warnings and tables that could not be read; without one, such a table raises.

    Raises StoreError, SchemaError (files, tables), SelectionError (nothing selected, unknown codes).
    """
    files = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    if not files:
        raise StoreError("no database given: pass at least one path")
    check_windows(days, time)
    wanted = None if codes is None else sorted(set(codes))
    findings = report if report is not None else LoadReport()
    source = _merged([_source(file, wanted, days or EVERY_DAY, findings, strict=report is None) for file in files])
    if wanted is not None:
        _check_codes(wanted, source, findings)
    panel = panel_of(source, wanted, days or EVERY_DAY, time or ALL_DAY, findings)
    for name in columns or ():
        panel.column(name)
    return panel


def data_hash(panel: Panel) -> str:
    """SHA-256 that is equal for equal data, from a file or from a store; of a panel made by hand, over the columns it holds."""
    if panel.identity:
        return panel.identity
    digest = hashlib.sha256(repr((panel.layout, panel.codes, sorted(panel.names.items()), sorted(panel.columns))).encode())
    for array in (panel.session_code, panel.session_day, panel.offsets, panel.clock, panel.ranking_clock):
        digest.update(np.ascontiguousarray(array).data)
    for name in sorted(panel.columns):
        digest.update(np.ascontiguousarray(panel.columns[name]).data)
    return digest.hexdigest()


def panel_of(source: Source, wanted: Sequence[str] | None, days: Window, time: Window, findings: LoadReport) -> Panel:
    """Applies the loading rule to a source. Raises SelectionError when nothing is left."""
    sessions = [one for one in source.sessions if days[0] <= one.day <= days[1] and (wanted is None or one.code in set(wanted))]
    if not sessions:
        raise _nothing(source, wanted, days)
    tick = all(one.segment.layout.startswith("tick") for one in sessions)
    low = max(time[0], RANKING_STARTS) if tick else time[0]
    present: dict[int, set[str]] = {}
    ranking_clock: list[Ints] = []
    for day, ranking in sorted(source.rankings.items()):
        if days[0] <= day <= days[1]:
            first, last = day * 1_000_000 + low, day * 1_000_000 + time[1]
            present[day] = ranking.present(first, last)
            start, stop = np.searchsorted(ranking.clock, [first, last + 1])
            ranking_clock.append(ranking.clock[start:stop])
    kept: list[Session] = []
    unranked: set[int] = set()
    for session in sessions:
        counts = session.code in present[session.day] if session.day in present else not session.ranked
        part = session.within(*time) if counts else None
        if part is not None:
            kept.append(part)
            if session.day not in present:
                unranked.add(session.day)
                ranking_clock.append(part.segment.clock[part.start : part.stop])
    if not kept:
        raise _nothing_in_hours(sessions, days, time)
    if unranked:
        findings.warnings.append(
            f"no moneytop for {len(unranked)} of the days ({min(unranked)} to {max(unranked)}): all rows of those days are used, "
            "and the seconds that have rows stand in for the ranking's"
        )
    clock = np.unique(np.concatenate(ranking_clock)) if ranking_clock else np.empty(0, dtype=np.int64)
    return assemble(kept, clock, source.names)


def _source(file: Path, wanted: Sequence[str] | None, days: Window, findings: LoadReport, *, strict: bool) -> Source:
    return read_snapshot(file, lambda snapshot: _read(snapshot, wanted, findings, strict))


def _read(snapshot: Snapshot, wanted: Sequence[str] | None, findings: LoadReport, strict: bool) -> Source:
    """Tables of one database. Findings are only added when the whole file has been read: reading may be repeated."""
    names = instrument_tables(snapshot)
    if not names:
        found = ", ".join(sorted(snapshot.tables())) or "none"
        raise SchemaError(f"{snapshot.path}: no instrument tables (named by a 6-character code) among its tables: {found}")
    rankings = read_rankings(snapshot)
    sessions: list[Session] = []
    local = LoadReport()
    for name in names:
        if wanted is not None and name not in wanted:
            continue
        try:
            table, quality = clean(read_table(snapshot, name))
        except (StoreError, SchemaError) as error:
            if strict:
                raise
            local.failed[name] = str(error)
            local.warnings.append(f"left out: {error}")
            continue
        local.tables.append(quality)
        sessions.extend(table_sessions(table, f"{snapshot.path}, table {name}", rankings is not None))
    instruments = {code: one.name for code, one in read_instruments(snapshot).items()}
    findings.tables.extend(local.tables)
    findings.failed.update(local.failed)
    findings.warnings.extend(local.warnings)
    return Source(sessions, rankings or {}, instruments, frozenset(names))


def _merged(sources: Sequence[Source]) -> Source:
    """A session or ranking day in several files is the last file's."""
    sessions = {(one.code, one.day): one for source in sources for one in source.sessions}
    rankings = {day: one for source in sources for day, one in source.rankings.items()}
    names = {code: name for source in sources for code, name in source.names.items()}
    return Source(list(sessions.values()), rankings, names, frozenset().union(*(source.known_codes for source in sources)))


def _check_codes(wanted: Sequence[str], source: Source, findings: LoadReport) -> None:
    unknown = [code for code in wanted if code not in source.known_codes]
    if unknown:
        raise missing_codes(unknown, sorted(source.known_codes))


def _nothing(source: Source, wanted: Sequence[str] | None, days: Window) -> SelectionError:
    have = sorted({one.day for one in source.sessions})
    if not have:
        return SelectionError(f"the tables {', '.join(wanted or sorted(source.known_codes)[:5])} have no usable rows")
    near = difflib.get_close_matches(str(days[0]), [str(day) for day in have], n=1)
    hint = f"; did you mean {near[0]}?" if near and days[0] == days[1] else ""
    return SelectionError(f"no rows on {_span(days)}: there are {len(have)} days from {have[0]} to {have[-1]}{hint}")


def _nothing_in_hours(sessions: Sequence[Session], days: Window, time: Window) -> SelectionError:
    clocks = [one.segment.clock[[one.start, one.stop - 1]] % 1_000_000 for one in sessions]
    low, high = min(int(clock[0]) for clock in clocks), max(int(clock[1]) for clock in clocks)
    codes = sorted({one.code for one in sessions})
    return SelectionError(
        f"no rows between {time[0]:06d} and {time[1]:06d} on {_span(days)} that the ranking (moneytop) covers: "
        f"{', '.join(codes[:5])}{' ...' if len(codes) > 5 else ''} have rows between {low:06d} and {high:06d}"
    )


def _span(days: Window) -> str:
    if days == EVERY_DAY:
        return "any day"
    return str(days[0]) if days[0] == days[1] else f"the days {days[0]} to {days[1]}"
