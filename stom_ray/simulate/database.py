"""Writes a STOM database: one table an instrument, `moneytop`, `stockinfo`, the indexes, all in one transaction.

The file appears whole or not at all: it is written beside its place and renamed when it is complete.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from stom_ray.errors import StoreError
from stom_ray.schema import LAYOUTS
from stom_ray.simulate.columns import INTEGER_COLUMNS, Columns
from stom_ray.simulate.tape import Profile


class DatabaseWriter:
    """Context manager. On a clean exit the database stands at `path`; on any other nothing is left behind.

    Raises StoreError when `path` exists and overwrite is not set, its folder is missing, or it cannot be written.
    """

    def __init__(self, path: Path, profiles: Sequence[Profile], layout: str, *, overwrite: bool) -> None:
        if path.exists() and not path.is_file():
            raise StoreError(f"{path} is a folder or a device. Expected the name of a database file to write, such as market.db")
        if path.exists() and not overwrite:
            raise StoreError(f"{path} exists: choose another name, or ask for it to be overwritten")
        if not path.parent.is_dir():
            raise StoreError(f"folder {path.parent} does not exist: make it first")
        self._path, self._part = path, path.with_name(path.name + f".{os.getpid()}.part")
        self._profiles, self._columns = profiles, LAYOUTS[layout].columns
        self._digest = hashlib.sha256()
        self._db: sqlite3.Connection | None = None

    @property
    def content_hash(self) -> str:
        """sha256 over everything written so far, independent of SQLite's page layout."""
        return self._digest.hexdigest()

    def __enter__(self) -> DatabaseWriter:
        try:
            self._part.unlink(missing_ok=True)
            self._db = db = sqlite3.connect(self._part, isolation_level=None)
            db.execute("PRAGMA journal_mode=OFF")
            db.execute("PRAGMA synchronous=OFF")
            db.execute("BEGIN")
            body = ", ".join(f'"{name}" {"INTEGER" if name in INTEGER_COLUMNS else "REAL"}' for name in self._columns)
            for profile in self._profiles:
                db.execute(f'CREATE TABLE "{profile.code}" ({body})')
            db.execute('CREATE TABLE "moneytop" ("index" INTEGER, "거래대금순위" TEXT)')
            self._write_stockinfo()
        except (sqlite3.Error, OSError) as error:
            self._discard()
            raise self._failed(error) from error
        return self

    def session(self, code: str, columns: Columns) -> int:
        """Appends one session's rows; returns how many. Columns in the layout's order."""
        self._digest.update(code.encode())
        for values in columns.values():
            self._digest.update(np.ascontiguousarray(values).tobytes())
        marks = ",".join("?" * len(self._columns))
        self._insert(f'INSERT INTO "{code}" VALUES ({marks})', list(zip(*(v.tolist() for v in columns.values()), strict=True)))
        return len(columns["index"])

    def ranking(self, rows: list[tuple[int, str]]) -> int:
        """Appends rows of `moneytop`; returns how many."""
        self._digest.update("".join(f"{at}={names}\n" for at, names in rows).encode())
        self._insert('INSERT INTO "moneytop" VALUES (?,?)', rows)
        return len(rows)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            for name in [*(profile.code for profile in self._profiles), "moneytop"]:
                self._open.execute(f'CREATE INDEX "ix_{name}_index" ON "{name}" ("index")')
            self._open.execute("COMMIT")
            self._open.close()
            os.replace(self._part, self._path)
        except (sqlite3.Error, OSError) as failure:
            self._discard()
            raise self._failed(failure) from failure

    def _insert(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        try:
            self._open.executemany(statement, rows)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _write_stockinfo(self) -> None:
        rows = [(profile.code, profile.name, int(profile.kosdaq)) for profile in self._profiles]
        self._digest.update(repr(rows).encode())
        self._open.execute('CREATE TABLE "stockinfo" ("index" TEXT, "종목명" TEXT, "코스닥" INTEGER)')
        self._open.executemany('INSERT INTO "stockinfo" VALUES (?,?,?)', rows)

    @property
    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            raise RuntimeError("DatabaseWriter is used outside its with block")
        return self._db

    def _discard(self) -> None:
        if self._db is not None:
            self._db.close()
        self._part.unlink(missing_ok=True)

    def _failed(self, error: Exception) -> StoreError:
        return StoreError(f"{self._path} cannot be written: {error}; check free space and permissions of its folder")
