"""Committed states of a user's SQLite file, read while STOM may be writing, without changing a byte of it.

How a file is opened depends on what lies on disk
- rollback journal: read-only, inside a read transaction; its shared lock keeps a writer from touching the file meanwhile.
- WAL with its `-wal` and `-shm`: read-only, inside a read transaction; nothing new is left behind.
- WAL mode with no `-wal` (nobody has it open): read as it lies, and believed only if the file is the same afterwards;
  an ordinary read-only open would leave `-wal` and `-shm` files behind.
- a hot journal, or a `-wal` without `-shm` (a program died while writing): recovered on a private copy, which is then read.

One SQLite library only (apsw) touches user files here: closing a second descriptor of the same file in this process would
drop the locks of the first (POSIX), which is why pages are read through the connection's own file object.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import quote

import apsw

from stom_ray.errors import StoreError

T = TypeVar("T")
MAGIC = b"SQLite format 3\x00"
BUSY_MS = 10_000
FRESH_NS = 60_000_000  # a file's time stamp moves in steps of up to 10 ms: younger than this it proves nothing
AT_REST_TRIES = 5
WAL_MODE = 18  # the byte of the header that is 2 in WAL mode
COPIED_AT_ONCE = 1 << 22


class _ChangedMeanwhileError(Exception):
    """A WAL database at rest was opened and written by someone while we read it: read again."""


class _PageFile(apsw.VFSFile):
    """The default file, kept reachable so that pages can be read under the connection's own lock."""

    def __init__(self, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)


class _PageVFS(apsw.VFS):
    """The default VFS, remembering the main file it opened last."""

    def __init__(self) -> None:
        self.main: _PageFile | None = None
        self.vfs_name = f"stom_ray_{id(self)}"
        super().__init__(self.vfs_name, "")

    def xOpen(self, name: Any, flags: list[int]) -> _PageFile:  # noqa: N802
        file = _PageFile(name, flags)
        if flags[0] & apsw.SQLITE_OPEN_MAIN_DB:
            self.main = file
        return file


@dataclass(frozen=True)
class ColumnInfo:
    """A declared column. alias: it is the rowid itself. plain: stored in every record where the schema says."""

    name: str
    declared: str
    alias: bool
    plain: bool


@dataclass
class Schema:
    """What a database's schema says, as far as it was asked. name -> root page of every ordinary table; name -> columns."""

    tables: dict[str, int] = field(default_factory=dict)
    columns: dict[str, tuple[ColumnInfo, ...]] = field(default_factory=dict)


Schemas = dict[tuple[str, int, int, int], Schema]  # by path, device, inode and the cookie that changes with every schema


@dataclass
class Snapshot:
    """One committed state of a database. Valid only inside `read_snapshot`.

    how: "rollback", "wal", "at rest" or "recovered copy". read: pages straight from the file, None where they may lie elsewhere.
    schema: known before, perhaps; the library parses a schema of thousands of tables longer than it reads one of them.
    """

    path: Path
    how: str
    connection: apsw.Connection
    read: Callable[[int, int], bytes] | None
    schema: Schema = field(default_factory=Schema)

    def tables(self) -> dict[str, int]:
        """Name -> root page of every ordinary table, in the order the database lists them."""
        if not self.schema.tables:
            rows = self.connection.execute("SELECT name, rootpage FROM sqlite_master WHERE type = 'table'").fetchall()
            self.schema.tables = {str(name): int(root or 0) for name, root in rows if not str(name).startswith("sqlite_")}
        return self.schema.tables

    def columns(self, table: str) -> tuple[ColumnInfo, ...]:
        """The table's columns in declared order; empty for a table that is not there."""
        if table not in self.schema.columns:
            rows = self.connection.execute("SELECT name, type, pk, hidden, dflt_value FROM pragma_table_xinfo(?)", (table,))
            self.schema.columns[table] = _column_infos(tuple(rows))
        return self.schema.columns[table]

    def learn(self, tables: Iterable[str]) -> None:
        """Asks for these tables' columns now, so that later snapshots with the same schema need not parse it."""
        for table in tables:
            self.columns(table)


@functools.lru_cache(maxsize=64)  # thousands of tables with the same columns share them
def _column_infos(rows: tuple[tuple[Any, ...], ...]) -> tuple[ColumnInfo, ...]:
    keys = [row for row in rows if row[2]]
    alias = len(keys) == 1 and str(keys[0][1]).upper() == "INTEGER"
    return tuple(
        ColumnInfo(str(name), str(kind).upper(), bool(pk) and alias, not pk and not hidden and default is None)
        for name, kind, pk, hidden, default in rows
    )


def read_snapshot(path: str | Path, work: Callable[[Snapshot], T], schemas: Schemas | None = None) -> T:
    """`work` on one committed state of the database; what it returns must not hold on to the snapshot.

    schemas: remembers what was learned of schemas, for the next call with the same. Raises StoreError for a file that is missing,
    unreadable, locked, no database, or corrupt. `work` may run more than once.
    """
    file = Path(path)
    _check_readable(file)
    known = {} if schemas is None else schemas
    for _ in range(AT_REST_TRIES):
        with contextlib.suppress(_ChangedMeanwhileError), _explained(file), _opened(file, known) as snapshot:
            return work(snapshot)
    raise StoreError(f"{file}: changed during each of {AT_REST_TRIES} reads: try again while STOM is not starting or stopping")


def _check_readable(file: Path) -> None:
    if not file.exists():
        raise StoreError(f"{file}: no such file: give the path of a STOM database (for example stock_tick_back.db)")
    if file.is_dir():
        raise StoreError(f"{file}: is a folder: give the path of a STOM database file, or of a store made by ingest")
    if not os.access(file, os.R_OK):
        raise StoreError(f"{file}: no permission to read it: change its owner or mode")
    if file.stat().st_size == 0:
        raise StoreError(f"{file}: is empty (0 bytes): not an SQLite database")


@contextlib.contextmanager
def _explained(file: Path) -> Iterator[None]:
    """SQLite's errors in the user's terms."""
    try:
        yield
    except apsw.BusyError as error:
        waited = f"{BUSY_MS / 1000:g} s"
        raise StoreError(f"{file}: locked by another program for more than {waited}: try again when it has finished") from error
    except apsw.NotADBError as error:
        raise StoreError(f"{file}: not an SQLite database (or encrypted): expected a file that STOM recorded") from error
    except (apsw.CorruptError, apsw.IOError, apsw.CantOpenError) as error:
        raise StoreError(f"{file}: cannot be read ({error}): restore a backup, or recover it with sqlite3 .recover") from error


@contextlib.contextmanager
def _opened(file: Path, schemas: Schemas) -> Iterator[Snapshot]:
    wal, shm = Path(f"{file}-wal"), Path(f"{file}-shm")
    with _connection(file, "mode=ro") as (connection, pages):
        header = pages.xRead(100, 0)
        if header[:16] != MAGIC:
            raise StoreError(f"{file}: not an SQLite database (or encrypted): expected a file that STOM recorded")
        snapshot = _begun_unless_hot(file, connection, pages, schemas) if header[WAL_MODE] != 2 else None
        if snapshot is not None:
            yield snapshot
            return
    if header[WAL_MODE] != 2 or (wal.exists() and wal.stat().st_size and not shm.exists()):
        opened = _recovered(file)
    elif wal.exists():
        opened = _live_wal(file, schemas)
    else:
        opened = _at_rest(file, schemas)
    with opened as snapshot:
        yield snapshot


@contextlib.contextmanager
def _connection(file: Path, options: str, *, paged: bool = True) -> Iterator[tuple[apsw.Connection, Any]]:
    """(connection, its main file). paged: through a VFS that gives the file away, but knows nothing of a log's shared memory."""
    vfs = _PageVFS() if paged else None
    flags = apsw.SQLITE_OPEN_URI | (apsw.SQLITE_OPEN_READONLY if "mode=ro" in options else apsw.SQLITE_OPEN_READWRITE)
    connection = apsw.Connection(f"file:{quote(str(file.absolute()))}?{options}", flags=flags, vfs=vfs.vfs_name if vfs else None)
    try:
        connection.set_busy_timeout(BUSY_MS)
        yield connection, vfs.main if vfs else None
    finally:
        connection.close()
        if vfs:
            vfs.unregister()


@contextlib.contextmanager
def _live_wal(file: Path, schemas: Schemas) -> Iterator[Snapshot]:
    with _connection(file, "mode=ro", paged=False) as (connection, _):
        yield _begun(file, "wal", connection, None, schemas)


def _begun(file: Path, how: str, connection: apsw.Connection, pages: Any, schemas: Schemas) -> Snapshot:
    """A snapshot in a read transaction that ends with the connection. pages: the main file, None when it is not to be read."""
    connection.execute("BEGIN")
    ((cookie,),) = connection.execute("PRAGMA schema_version").fetchall()  # takes the lock: BEGIN alone does not
    found = file.stat()
    schema = schemas.setdefault((str(file), found.st_dev, found.st_ino, cast(int, cookie)), Schema())
    read = None if pages is None else (lambda size, at: bytes(pages.xRead(size, at)))
    return Snapshot(file, how, connection, read, schema)


def _begun_unless_hot(file: Path, connection: apsw.Connection, pages: Any, schemas: Schemas) -> Snapshot | None:
    """A rollback database's snapshot; None when it has the journal of a program that died, which nobody may read over."""
    try:
        snapshot = _begun(file, "rollback", connection, pages, schemas)
    except (apsw.ReadOnlyError, apsw.CantOpenError):
        if not Path(f"{file}-journal").exists():
            raise
        return None
    if pages.xRead(1, WAL_MODE)[0] == 2:  # switched before we had the lock: pages may be in the log
        raise _ChangedMeanwhileError
    return snapshot


def _state(file: Path) -> tuple[int, int, int]:
    found = file.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


@contextlib.contextmanager
def _at_rest(file: Path, schemas: Schemas) -> Iterator[Snapshot]:
    before = _state(file)
    if time.time_ns() - before[0] < FRESH_NS:
        time.sleep(2 * FRESH_NS / 1e9)
    if _state(file) != before:
        raise _ChangedMeanwhileError
    try:
        with _connection(file, "mode=ro&immutable=1") as (connection, pages):
            yield _begun(file, "at rest", connection, pages, schemas)
    except (StoreError, apsw.Error):
        if _state(file) != before:
            raise _ChangedMeanwhileError from None
        raise
    if _state(file) != before:
        raise _ChangedMeanwhileError


@contextlib.contextmanager
def _recovered(file: Path) -> Iterator[Snapshot]:
    parts = [part for suffix in ("", "-journal", "-wal") if (part := Path(f"{file}{suffix}")).exists()]
    need = sum(part.stat().st_size for part in parts)
    with tempfile.TemporaryDirectory(prefix="stom_ray_") as folder:
        free = shutil.disk_usage(folder).free
        if free < need:
            raise StoreError(
                f"{file}: a program died while writing it, and a copy to recover on needs {need >> 20} MiB in {folder}, "
                f"which has {free >> 20}: set TMPDIR to a larger disk, or let STOM open the file once"
            )
        copy = Path(folder) / file.name
        before = [_state(part) for part in parts]
        _copy_database(file, copy)
        for part in parts[1:]:
            shutil.copyfile(part, Path(folder) / part.name)
        if not all(part.exists() for part in parts) or [_state(part) for part in parts] != before:
            raise _ChangedMeanwhileError
        with _connection(copy, "mode=rw", paged=False) as (connection, _):
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()
            connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
        with _connection(copy, "mode=ro") as (connection, pages):
            snapshot = _begun(copy, "recovered copy", connection, pages, {})
            snapshot.path = file
            yield snapshot


def _copy_database(file: Path, copy: Path) -> None:
    """Through the library: closing a file of our own would end the locks that other threads hold on it."""
    size = file.stat().st_size
    with _connection(file, "mode=ro") as (_, pages), open(copy, "wb") as out:
        for at in range(0, size, COPIED_AT_ONCE):
            out.write(pages.xRead(min(COPIED_AT_ONCE, size - at), at))
