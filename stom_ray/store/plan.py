"""What an ingest has to read: one task an instrument, the same with processes, with Ray, or alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stom_ray.errors import SchemaError
from stom_ray.store.manifest import RANKINGS, read_table_manifest, table_folder
from stom_ray.store.snapshot import Snapshot, read_snapshot
from stom_ray.store.table import instrument_tables


@dataclass(frozen=True)
class SourceFile:
    """A database and the state it was in: signature changes whenever something was committed to it."""

    path: str
    signature: str
    tables: tuple[str, ...]
    ranked: bool


@dataclass(frozen=True)
class TableTask:
    """Read one table in these sources, in this order; a day in several of them is the last one's.

    code: an instrument, or `moneytop` for rankings and names. verify: read every row through the library too, and compare.
    """

    store: str
    code: str
    sources: tuple[SourceFile, ...]
    verify: bool = False


@dataclass(frozen=True)
class Plan:
    """tasks: what is to be read. unchanged: instruments whose sources are all as when they were last read."""

    store: str
    sources: tuple[SourceFile, ...]
    tasks: tuple[TableTask, ...]
    unchanged: tuple[str, ...]


def look(paths: Sequence[Path]) -> tuple[SourceFile, ...]:
    """The databases as they are now; reads no rows. Raises StoreError and SchemaError for a file that is none of STOM's."""
    return tuple(read_snapshot(path.absolute(), source_file) for path in dict.fromkeys(paths))


def make_plan(sources: Sequence[SourceFile], store: Path, *, verify: bool = False) -> Plan:
    """What the store lacks of these databases; with `verify` all of them. Reads the store's manifests only."""
    codes = sorted({code for source in sources for code in source.tables})
    tasks: list[TableTask] = []
    unchanged: list[str] = []
    for code in (RANKINGS, *codes):
        done = read_table_manifest(table_folder(store, code)).done
        holding = [replace(source, tables=()) for source in sources if code == RANKINGS or code in source.tables]
        stale = tuple(source for source in holding if verify or done.get(source.path) != source.signature)
        if stale:
            tasks.append(TableTask(str(store), code, stale, verify))
        elif code != RANKINGS:
            unchanged.append(code)
    return Plan(str(store), tuple(sources), tuple(tasks), tuple(unchanged))


def require_instruments(snapshot: Snapshot) -> list[str]:
    """The instruments' tables, sorted. Raises SchemaError when there are none."""
    tables = instrument_tables(snapshot)
    if not tables:
        found = ", ".join(sorted(snapshot.tables())) or "none"
        raise SchemaError(f"{snapshot.path}: no instrument tables (named by a 6-character code) among its tables: {found}")
    return tables


def source_file(snapshot: Snapshot) -> SourceFile:
    """The database as this snapshot sees it."""
    tables = require_instruments(snapshot)
    return SourceFile(str(snapshot.path), file_signature(snapshot), tuple(tables), RANKINGS in snapshot.tables())


def file_signature(snapshot: Snapshot) -> str:
    """Size, time stamp and change counter of the database, size and time stamp of its WAL."""
    parts: list[str] = []
    for path in (snapshot.path, Path(f"{snapshot.path}-wal")):
        if path.exists():
            found = path.stat()
            parts.append(f"{found.st_size}:{found.st_mtime_ns}")
    if snapshot.read is not None:
        parts.append(snapshot.read(4, 24).hex())
    return "/".join(parts)
