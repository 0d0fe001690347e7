"""What was read becomes part of the store: segments first, then the manifest that names them, each replaced whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from stom_ray.errors import SchemaError, StoreError
from stom_ray.store.manifest import (
    RANKINGS,
    DayEntry,
    SegmentEntry,
    TableManifest,
    read_table_manifest,
    table_folder,
    write_table_manifest,
)
from stom_ray.store.parts import PanelColumns, Session
from stom_ray.store.plan import SourceFile
from stom_ray.store.quality import TableQuality
from stom_ray.store.rankings import Instrument, RankingDay, read_instruments, read_rankings
from stom_ray.store.segments import write_rankings, write_segment
from stom_ray.store.snapshot import Snapshot, read_snapshot
from stom_ray.store.verify import verify_rankings

Days = tuple[int, ...]
Read = tuple[SourceFile, list[Session], TableQuality]


def commit_table(store: Path, code: str, read: Sequence[Read]) -> tuple[Days, Days]:
    """Commits one instrument's days as read from its sources, in their order. Returns (new days, changed days)."""
    folder = table_folder(store, code)
    manifest = read_table_manifest(folder)
    fresh: dict[int, tuple[Session, str]] = {}
    for source, sessions, quality in read:
        before = manifest.seen.get(source.path, {})
        fresh |= {one.day: (one, source.path) for one in sessions if before.get(one.day) != one.digest}
        manifest.seen[source.path] = before | {one.day: one.digest for one in sessions}
        manifest.done[source.path] = source.signature
        manifest.quality[source.path] = quality.to_json()
    known = {day: entry.digest for day, entry in manifest.days.items()}
    taken = [pair for day, pair in sorted(fresh.items()) if known.get(day) != pair[0].digest]
    for group in _same_columns(taken):
        _add_segment(folder, code, manifest, group)
    write_table_manifest(folder, manifest)
    days = [session.day for session, _ in taken]
    return tuple(day for day in days if day not in known), tuple(day for day in days if day in known)


def _same_columns(taken: Sequence[tuple[Session, str]]) -> list[list[tuple[Session, str]]]:
    """Sessions that fit into one segment: the same layout and columns."""
    groups: dict[tuple[str, tuple[str, ...]], list[tuple[Session, str]]] = {}
    for pair in taken:
        segment = pair[0].segment
        groups.setdefault((segment.layout, segment.names), []).append(pair)
    return list(groups.values())


def _add_segment(folder: Path, code: str, manifest: TableManifest, group: Sequence[tuple[Session, str]]) -> None:
    sessions = [session for session, _ in group]
    first = sessions[0].segment
    columns = PanelColumns(sessions, first.layout)
    about = {"code": code, "layout": first.layout, "days": json.dumps([session.day for session in sessions])}
    name = f"{hashlib.sha256(json.dumps([[one.day, one.digest] for one in sessions]).encode()).hexdigest()[:20]}.arrow"
    clock = columns.clock()
    size = write_segment(folder / name, clock, first.names, columns, about)
    manifest.segments[name] = SegmentEntry(size, len(clock), first.layout, first.names)
    at = 0
    for session, source in group:
        stop = at + session.stop - session.start
        manifest.days[session.day] = DayEntry(name, at, stop, session.digest, source, session.ranked)
        at = stop


def commit_rankings(store: Path, source: SourceFile, *, verify: bool = False) -> str | None:
    """Takes the source's ranking days and names, unless they are as last seen. Returns why they could not be read, if so.

    verify: read them in any case, and through the SQLite library too.
    """
    folder = table_folder(store, RANKINGS)
    manifest = read_table_manifest(folder)
    if manifest.done.get(source.path) == source.signature and not verify:
        return None
    try:
        days, names = read_snapshot(source.path, partial(_read_rankings, verify=verify))
    except (StoreError, SchemaError) as error:
        return str(error)
    _take_rankings(folder, manifest, source, days or {}, names)
    return None


def _read_rankings(snapshot: Snapshot, *, verify: bool) -> tuple[dict[int, RankingDay] | None, dict[str, Instrument]]:
    days = read_rankings(snapshot)
    if verify:
        verify_rankings(snapshot, days)
    return days, read_instruments(snapshot)


def _take_rankings(
    folder: Path, manifest: TableManifest, source: SourceFile, days: dict[int, RankingDay], names: dict[str, Instrument]
) -> None:
    digests = {day: _digest(one) for day, one in days.items()}
    before = manifest.seen.get(source.path, {})
    stored = {day: entry.digest for day, entry in manifest.days.items()}
    taken = [day for day in sorted(days) if before.get(day) != digests[day] and stored.get(day) != digests[day]]
    if taken:
        name = f"{hashlib.sha256(json.dumps([[day, digests[day]] for day in taken]).encode()).hexdigest()[:20]}.arrow"
        size = write_rankings(folder / name, [days[day] for day in taken])
        manifest.segments[name] = SegmentEntry(size, len(taken))
        for at, day in enumerate(taken):
            manifest.days[day] = DayEntry(name, at, at + 1, digests[day], source.path)
    manifest.names |= {code: (one.name, one.kosdaq) for code, one in names.items()}
    manifest.seen[source.path] = before | digests
    manifest.done[source.path] = source.signature
    folder.mkdir(parents=True, exist_ok=True)
    write_table_manifest(folder, manifest)


def _digest(day: RankingDay) -> str:
    digest = hashlib.sha256(json.dumps([day.day, day.code]).encode())
    for array in (day.clock, day.first, day.last):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
