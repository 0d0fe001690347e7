"""What a store holds, in small JSON files that are replaced whole: `manifest.json` at the top, one for each instrument.

STORE/manifest.json                  format and schema version
STORE/ticks/CODE/manifest.json       the instrument's sessions, segments, what was seen in which source
STORE/ticks/CODE/SEGMENT.arrow       days of the instrument
STORE/moneytop/manifest.json, *.arrow   rankings by day, and the instruments' names
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from stom_ray.errors import StoreError
from stom_ray.store.disk import write_atomically

FORMAT = "stom_ray store"
SCHEMA_VERSION = 2  # 2: days are told apart by `fingerprint`, before by SHA-256 of their bytes
TOP = "manifest.json"
LOCK = ".lock"
TICKS = "ticks"
RANKINGS = "moneytop"


@dataclass(frozen=True)
class SegmentEntry:
    """One Arrow file. names: its columns without the clock (tick segments)."""

    bytes: int
    rows: int
    layout: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class DayEntry:
    """A day: rows [start, stop) of a segment, its content hash, the file it came from, and whether that has `moneytop`."""

    segment: str
    start: int
    stop: int
    digest: str
    source: str
    ranked: bool = True


@dataclass
class TableManifest:
    """One instrument, or the rankings. days: yyyymmdd -> entry.

    seen: source -> {day: hash} as last read there, so that a day is taken again only when that source changed it.
    done: source -> its signature when it was read to the end. quality: source -> counts (see `quality.TableQuality`).
    names: code -> [name, kosdaq] (rankings only).
    """

    days: dict[int, DayEntry] = field(default_factory=dict)
    segments: dict[str, SegmentEntry] = field(default_factory=dict)
    seen: dict[str, dict[int, str]] = field(default_factory=dict)
    done: dict[str, str] = field(default_factory=dict)
    quality: dict[str, dict[str, Any]] = field(default_factory=dict)
    names: dict[str, tuple[str, bool | None]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        days = {day: vars(entry) for day, entry in self.days.items()}
        segments = {name: vars(entry) for name, entry in self.segments.items()}
        return {"schema_version": SCHEMA_VERSION, **vars(self), "days": days, "segments": segments}


def is_store(path: Path) -> bool:
    """A folder that an ingest made or began to make."""
    return path.is_dir() and (path / TOP).exists()


def open_store(folder: Path, *, create: bool = False) -> None:
    """Checks format and version; with `create` begins a new store in an empty or missing folder.

    Raises StoreError for what is no store, and for another version, naming both.
    """
    if not check_place(folder):
        if not create:
            raise StoreError(f"{folder}: no store here (no {TOP}): make one with ingest, or give the path of a database file")
        write_json(folder / TOP, {"format": FORMAT, "schema_version": SCHEMA_VERSION})


def check_place(folder: Path) -> bool:
    """True for a store of this version, False where one can be begun; writes nothing. Raises StoreError for anything else."""
    if is_store(folder):
        found = _read_json(folder / TOP)
        if found.get("format") != FORMAT:
            raise StoreError(f"{folder / TOP}: not the manifest of a store: choose another folder")
        version = found.get("schema_version")
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"{folder}: store of schema version {version}, this program reads and writes {SCHEMA_VERSION}: ingest the "
                "databases again into a new folder, or use the program version that made it"
            )
        return True
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder}: is a file: a store is a folder: choose another folder")
    if folder.exists() and any(not one.name.startswith(LOCK) for one in folder.iterdir()):
        raise StoreError(f"{folder}: is not empty and no store: choose a new folder")
    return False


@contextlib.contextmanager
def locked_store(folder: Path) -> Iterator[None]:
    """Only one ingest at a time writes a store. Raises StoreError when another is running.

    The lock is an exclusive transaction on an empty SQLite file: it works on every system and ends with its process. What was
    made here and holds nothing in the end is taken away again.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        connection = apsw.Connection(str(folder / LOCK))
    except (OSError, apsw.Error) as error:
        raise StoreError(f"{folder}: cannot be made or written ({error}): choose another folder") from error
    with contextlib.closing(connection):
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except apsw.BusyError as error:
            raise StoreError(f"{folder}: another ingest is writing it: wait until it has finished") from error
        except apsw.Error as error:
            raise StoreError(f"{folder / LOCK}: cannot be locked ({error}): delete it, or choose another folder") from error
        try:
            yield
        finally:
            if not _holds_anything(folder):
                _remove_empty_store(folder, missing)


def _holds_anything(folder: Path) -> bool:
    """Whether some table was committed."""
    return any((folder / part).exists() and any((folder / part).rglob(TOP)) for part in (TICKS, RANKINGS))


def _remove_empty_store(folder: Path, made: list[Path]) -> None:
    """Takes away what an ingest makes before its first commit, unfinished files too, and the folders that it made for it."""
    for part in (TICKS, RANKINGS):
        shutil.rmtree(folder / part, ignore_errors=True)
    with contextlib.suppress(OSError):  # a system may keep what is open; it is empty, and the next ingest takes it
        for one in folder.iterdir():
            if one.name == TOP or one.name.startswith(LOCK):
                one.unlink(missing_ok=True)
        for one in made:
            one.rmdir()


def table_folder(store: Path, name: str) -> Path:
    """Where an instrument's files are; `moneytop` has its own place."""
    return store / RANKINGS if name == RANKINGS else store / TICKS / name


def read_table_manifest(folder: Path) -> TableManifest:
    """Empty when there is none. Raises StoreError when it cannot be understood."""
    path = folder / TOP
    if not path.exists():
        return TableManifest()
    found = _read_json(path)
    try:
        return TableManifest(
            days={int(day): DayEntry(**entry) for day, entry in found["days"].items()},
            segments={
                name: SegmentEntry(entry["bytes"], entry["rows"], entry["layout"], tuple(entry["names"]))
                for name, entry in found["segments"].items()
            },
            seen={source: {int(day): digest for day, digest in days.items()} for source, days in found["seen"].items()},
            done=dict(found["done"]),
            quality=dict(found["quality"]),
            names={code: (entry[0], entry[1]) for code, entry in found["names"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise StoreError(f"{path}: not a manifest of this version ({error}): delete its folder and ingest again") from error


def write_table_manifest(folder: Path, manifest: TableManifest) -> None:
    """Replaces the manifest, then removes segments that it no longer names."""
    used = {entry.segment for entry in manifest.days.values()}
    manifest.segments = {name: entry for name, entry in manifest.segments.items() if name in used}
    write_json(folder / TOP, manifest.to_json())
    for stale in folder.iterdir():
        if stale.name != TOP and stale.name not in used:
            stale.unlink(missing_ok=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replaces a JSON file whole."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True)
    write_atomically(path, lambda file: _write_text(file, text))


def _write_text(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: cannot be read ({error}): delete its folder and ingest again") from error
    if not isinstance(found, dict):
        raise StoreError(f"{path}: not a manifest: delete its folder and ingest again")
    return found
