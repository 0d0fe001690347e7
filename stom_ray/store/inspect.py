"""What is in a database or a store, before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stom_ray.errors import SchemaError, StoreError
from stom_ray.store.catalog import StoreCatalog
from stom_ray.store.fingerprint import fingerprints
from stom_ray.store.manifest import RANKINGS, open_store
from stom_ray.store.parts import Session, table_sessions
from stom_ray.store.quality import FAULTS, QUARANTINED, REPAIRED, TableQuality, clean, quality_from_json
from stom_ray.store.rankings import read_instruments, read_rankings
from stom_ray.store.snapshot import Snapshot, read_snapshot
from stom_ray.store.table import instrument_tables, read_table

SHOWN = 20


@dataclass(frozen=True)
class TableSummary:
    """One instrument. days yyyymmdd and times hhmmss of its usable rows, 0 when it has none."""

    code: str
    name: str
    layout: str
    rows: int
    sessions: int
    first_day: int
    last_day: int
    first_time: int
    last_time: int
    quality: TableQuality


@dataclass(frozen=True)
class InspectReport:
    """What `inspect` found. how: how the file was read, or "store". failed: table -> why it cannot be read.

    ranking_days: (days, first, last) of `moneytop`, None without it. other_tables: metadata that is not used.
    """

    path: str
    how: str
    tables: tuple[TableSummary, ...]
    failed: dict[str, str] = field(default_factory=dict)
    ranking_days: tuple[int, int, int] | None = None
    instruments: int = 0
    kosdaq: int = 0
    other_tables: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Fault -> how many, over all tables."""
        totals = {fault: sum(table.quality.counts.get(fault, 0) for table in self.tables) for fault in FAULTS}
        return {fault: total for fault, total in totals.items() if total}

    def to_json(self) -> dict[str, Any]:
        tables = {
            table.code: {
                "name": table.name,
                "layout": table.layout,
                "rows": table.rows,
                "sessions": table.sessions,
                "days": [table.first_day, table.last_day],
                "hours": [table.first_time, table.last_time],
                "quality": table.quality.to_json(),
            }
            for table in self.tables
        }
        return {
            "path": self.path,
            "how": self.how,
            "layouts": sorted({table.layout for table in self.tables}),
            "rows": sum(table.rows for table in self.tables),
            "sessions": sum(table.sessions for table in self.tables),
            "moneytop": None
            if self.ranking_days is None
            else dict(zip(("days", "first", "last"), self.ranking_days, strict=True)),
            "stockinfo": {"instruments": self.instruments, "kosdaq": self.kosdaq},
            "other_tables": list(self.other_tables),
            "counts": self.counts,
            "failed": self.failed,
            "tables": tables,
        }

    def render(self) -> str:
        """A summary, then a line for each of the first tables, then faults."""
        found = self.to_json()
        lines = [
            f"{self.path} ({self.how})",
            f"  {len(self.tables)} instruments, layout {', '.join(found['layouts']) or 'none'}, {found['rows']:,} rows, "
            f"{found['sessions']:,} sessions",
            self._ranking_line(),
            f"  stockinfo: {self.instruments} names, {self.kosdaq} of them KOSDAQ",
        ]
        if self.other_tables:
            lines.append(f"  other tables, not used: {', '.join(self.other_tables)}")
        lines.extend(self._table_line(table) for table in self.tables[:SHOWN])
        if len(self.tables) > SHOWN:
            lines.append(f"  and {len(self.tables) - SHOWN} more (all of them with --json)")
        for fault, count in self.counts.items():
            fate = "would be quarantined" if fault in QUARANTINED else "would be repaired" if fault in REPAIRED else "kept"
            lines.append(f"  {fault}: {count:,} ({fate})")
        lines.extend(f"  FAILED {code}: {why}" for code, why in self.failed.items())
        return "\n".join(lines)

    def _ranking_line(self) -> str:
        if self.ranking_days is None:
            return "  moneytop: none: every day counts, the rows' own seconds stand in for the ranking's"
        days, first, last = self.ranking_days
        return f"  moneytop: {days} days, {first} to {last}" if days else "  moneytop: empty: no day counts as ranked"

    @staticmethod
    def _table_line(table: TableSummary) -> str:
        hours = f"{table.first_time:06d}-{table.last_time:06d}"
        return (
            f"  {table.code} {table.name}: {table.layout}, {table.rows:,} rows, {table.sessions} days "
            f"{table.first_day}-{table.last_day}, {hours}" + ("" if table.quality.clean else ", has faulty rows")
        )


def inspect(path: str | Path) -> InspectReport:
    """Looks at a database or a store; writes nothing. Raises StoreError or SchemaError when it is neither."""
    place = Path(path)
    if place.is_dir():
        open_store(place)
        return _inspect_store(place)
    return read_snapshot(place, _inspect_database)


def _inspect_database(snapshot: Snapshot) -> InspectReport:
    codes = instrument_tables(snapshot)
    failed: dict[str, str] = {}
    try:
        rankings, instruments = read_rankings(snapshot), read_instruments(snapshot)
    except (StoreError, SchemaError) as error:
        rankings, instruments, failed[RANKINGS] = None, {}, str(error)
    tables: list[TableSummary] = []
    for code in codes:
        try:
            table, quality = clean(read_table(snapshot, code))
        except (StoreError, SchemaError) as error:
            failed[code] = str(error)
            continue
        name = instruments[code].name if code in instruments else ""
        tables.append(_summary(code, name, table_sessions(table, code, rankings is not None), quality))
    return InspectReport(
        path=str(snapshot.path),
        how=snapshot.how,
        tables=tuple(tables),
        failed=failed,
        ranking_days=None if rankings is None else _span(sorted(rankings)),
        instruments=len(instruments),
        kosdaq=sum(bool(one.kosdaq) for one in instruments.values()),
        other_tables=tuple(sorted(set(snapshot.tables()) - set(codes) - {RANKINGS, "stockinfo"})),
    )


def _inspect_store(place: Path) -> InspectReport:
    catalog = StoreCatalog(place)
    tables: list[TableSummary] = []
    failed: dict[str, str] = {}
    for code in catalog.codes:
        try:
            sessions = catalog.sessions(code)
            qualities = [quality_from_json(one) for one in catalog.manifest(code).quality.values()]
        except StoreError as error:
            failed[code] = str(error)
            continue
        name = catalog.manifest(RANKINGS).names.get(code, ("", None))[0]
        tables.append(_summary(code, name, sessions, _together(code, qualities)))
    reference = catalog.manifest(RANKINGS)
    return InspectReport(
        path=str(place),
        how="store",
        tables=tuple(tables),
        failed=failed,
        ranking_days=_span(sorted(reference.days)) if reference.days else None,
        instruments=len(reference.names),
        kosdaq=sum(bool(kosdaq) for _, kosdaq in reference.names.values()),
    )


def _span(days: list[int]) -> tuple[int, int, int]:
    return (len(days), days[0], days[-1]) if days else (0, 0, 0)


def _together(code: str, qualities: Sequence[TableQuality]) -> TableQuality:
    """Counts of all the files an instrument came from."""
    counts = {fault: sum(one.counts.get(fault, 0) for one in qualities) for fault in FAULTS}
    return TableQuality(
        code,
        qualities[-1].layout if qualities else "",
        sum(one.rows for one in qualities),
        sum(one.kept for one in qualities),
        {fault: count for fault, count in counts.items() if count},
        tuple(row for one in qualities for row in one.quarantined),
    )


def _summary(code: str, name: str, sessions: Sequence[Session], quality: TableQuality) -> TableSummary:
    times = [one.segment.clock[[one.start, one.stop - 1]] % 1_000_000 for one in sessions]
    edges = np.array(times, dtype=np.int64).reshape(-1, 2)
    return TableSummary(
        code=code,
        name=name,
        layout=quality.layout,
        rows=sum(one.stop - one.start for one in sessions),
        sessions=len(sessions),
        first_day=min((one.day for one in sessions), default=0),
        last_day=max((one.day for one in sessions), default=0),
        first_time=int(edges[:, 0].min()) if len(edges) else 0,
        last_time=int(edges[:, 1].max()) if len(edges) else 0,
        quality=quality,
    )


def verify(store: str | Path) -> dict[str, str]:
    """Reads a store to the end and compares every day with its hash. Returns segment -> what is wrong, empty when all is well.

    Raises StoreError for what is no store.
    """
    place = Path(store)
    open_store(place)
    catalog = StoreCatalog(place)
    wrong: dict[str, str] = {}
    for code in catalog.codes:
        try:
            sessions = catalog.sessions(code)
        except StoreError as error:
            wrong[code] = str(error)
            continue
        for one in sessions:
            if fingerprints(one.segment, [(one.start, one.stop)]) != [one.digest]:
                wrong[one.segment.origin] = f"{code} on {one.day} is not what was written: delete its folder and ingest again"
    return wrong
