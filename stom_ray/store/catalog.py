"""What a path offers to a load: a database, or a store made of databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from stom_ray.errors import SchemaError, StoreError
from stom_ray.store.manifest import (
    RANKINGS,
    TICKS,
    TableManifest,
    open_store,
    read_table_manifest,
    table_folder,
)
from stom_ray.store.parts import Session, table_sessions
from stom_ray.store.plan import require_instruments
from stom_ray.store.quality import TableQuality, clean, quality_from_json
from stom_ray.store.rankings import RankingDay, read_instruments, read_rankings
from stom_ray.store.segments import MappedSegment, read_rankings_segment
from stom_ray.store.snapshot import Snapshot, read_snapshot
from stom_ray.store.table import quoted, read_table


@dataclass
class LoadReport:
    """What loading found: counts per table, tables that could not be read (name -> why), and what the user should know."""

    tables: list[TableQuality] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {"tables": [table.to_json() for table in self.tables], "failed": self.failed, "warnings": self.warnings}

    def fail(self, table: str, error: Exception) -> None:
        self.failed[table] = str(error)
        self.warn(f"left out: {error}")

    def warn(self, warning: str) -> None:
        if warning not in self.warnings:
            self.warnings.append(warning)

    def extend(self, other: LoadReport) -> None:
        self.tables.extend(other.tables)
        self.failed.update(other.failed)
        for warning in other.warnings:
            self.warn(warning)


@dataclass(frozen=True)
class Source:
    """What was read: sessions (one a code and day), rankings by day, names by code, and the codes that are there."""

    sessions: Sequence[Session]
    rankings: Mapping[int, RankingDay]
    names: Mapping[str, str]
    codes: tuple[str, ...]


class Catalog(Protocol):
    """A database or a store.

    Contract: `codes` is sorted; `rows` is what the code may take, not less; `read` gives the sessions of the wanted codes
    (None = all) that are there; a table that cannot be read raises when `strict`, and is else noted in `findings`.
    """

    codes: tuple[str, ...]

    def rows(self, code: str) -> int: ...
    def read(self, wanted: Sequence[str] | None, findings: LoadReport, *, strict: bool) -> Source: ...


def open_catalog(path: Path) -> Catalog:
    """The database file or store at `path`. Raises StoreError or SchemaError when it is neither."""
    if path.is_dir():
        open_store(path)
        return StoreCatalog(path)
    return DatabaseCatalog(path)


def merged(sources: Sequence[Source]) -> Source:
    """A session or ranking day in several sources is the last one's."""
    sessions = {(one.code, one.day): one for source in sources for one in source.sessions}
    rankings = {day: one for source in sources for day, one in source.rankings.items()}
    names = {code: name for source in sources for code, name in source.names.items()}
    codes = tuple(sorted({code for source in sources for code in source.codes}))
    return Source(list(sessions.values()), rankings, names, codes)


class DatabaseCatalog:
    """An SQLite file. Every read sees one committed state; rankings and names are read with the first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.codes = tuple(read_snapshot(path, require_instruments))
        self._reference: tuple[dict[int, RankingDay] | None, dict[str, str]] | None = None

    def rows(self, code: str) -> int:
        """By the highest row id: an upper bound as long as no row ids were set by hand."""
        if code not in self.codes:
            return 0
        sql = f"SELECT max(rowid) FROM {quoted(code)}"
        return read_snapshot(self.path, lambda snapshot: int(snapshot.connection.execute(sql).fetchall()[0][0] or 0))

    def read(self, wanted: Sequence[str] | None, findings: LoadReport, *, strict: bool) -> Source:
        codes = [code for code in self.codes if wanted is None or code in wanted]
        source, found = read_snapshot(self.path, lambda snapshot: self._read(snapshot, codes, strict))
        findings.extend(found)
        return source

    def _read(self, snapshot: Snapshot, codes: Sequence[str], strict: bool) -> tuple[Source, LoadReport]:
        if self._reference is None:
            names = {code: one.name for code, one in read_instruments(snapshot).items()}
            self._reference = read_rankings(snapshot), names
        rankings, names = self._reference
        found = LoadReport()
        sessions: list[Session] = []
        for code in codes:
            try:
                table, quality = clean(read_table(snapshot, code))
            except (StoreError, SchemaError) as error:
                if strict:
                    raise
                found.fail(code, error)
                continue
            found.tables.append(quality)
            sessions.extend(table_sessions(table, f"{self.path}, table {code}", rankings is not None))
        return Source(sessions, rankings or {}, names, self.codes), found


class StoreCatalog:
    """A folder made by ingest. Nothing but manifests is read until a column is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        ticks = path / TICKS
        self.codes = tuple(sorted(one.name for one in ticks.iterdir() if one.is_dir())) if ticks.is_dir() else ()
        if not self.codes:
            raise StoreError(f"{path}: the store holds no instruments yet: ingest a database into it")
        self._manifests: dict[str, TableManifest] = {}

    def manifest(self, name: str) -> TableManifest:
        if name not in self._manifests:
            self._manifests[name] = read_table_manifest(table_folder(self.path, name))
        return self._manifests[name]

    def rows(self, code: str) -> int:
        if code not in self.codes:
            return 0
        return sum(entry.stop - entry.start for entry in self.manifest(code).days.values())

    def read(self, wanted: Sequence[str] | None, findings: LoadReport, *, strict: bool) -> Source:
        found = LoadReport()
        sessions: list[Session] = []
        for code in self.codes:
            if wanted is not None and code not in wanted:
                continue
            try:
                sessions.extend(self.sessions(code))
                found.tables.extend(quality_from_json(one) for one in self.manifest(code).quality.values())
            except StoreError as error:
                if strict:
                    raise
                found.fail(code, error)
        findings.extend(found)
        names = {code: name for code, (name, _) in self.manifest(RANKINGS).names.items()}
        return Source(sessions, self._rankings, names, self.codes)

    def sessions(self, code: str) -> list[Session]:
        """The instrument's days, mapped when used. Raises StoreError when a file is missing or cut."""
        manifest = self.manifest(code)
        folder = table_folder(self.path, code)
        segments = {
            name: MappedSegment(folder / name, entry.bytes, entry.layout, entry.names)
            for name, entry in manifest.segments.items()
        }
        for segment in segments.values():
            segment.check()
        return [
            Session(code, day, segments[one.segment], one.start, one.stop, one.digest, one.ranked)
            for day, one in sorted(manifest.days.items())
        ]

    @cached_property
    def _rankings(self) -> dict[int, RankingDay]:
        manifest = self.manifest(RANKINGS)
        folder = table_folder(self.path, RANKINGS)
        loaded = {name: read_rankings_segment(folder / name, entry.bytes) for name, entry in manifest.segments.items()}
        return {day: loaded[one.segment][one.start] for day, one in sorted(manifest.days.items())}
