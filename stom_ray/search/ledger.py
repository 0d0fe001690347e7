"""The trial ledger: the truth about a study. Append-only, fsynced, checksummed (format: `ledger_format`).

One record is one batch of one island: the rows it asked for, and the scores of those that no batch before it had scored. A key
(`space.parameter_keys`) is therefore scored once in the file, however often it was asked for or came back from a retried worker.
Where a row's score depends on its batch (`search.halving`), each island's own is recorded: once an island.
Daily returns of the scored rows lie in a second file, `ledger.bin.daily` beside `ledger.bin` (`daily_file`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.types import Floats, Ints, ParamMatrix
from stom_ray.errors import LedgerError
from stom_ray.search import ledger_format as form
from stom_ray.search.append_file import AppendFile
from stom_ray.search.daily_file import STORED, Returns, check_blocks, daily_path, mapped_rows, packed
from stom_ray.search.file_lock import FileLock
from stom_ray.search.known_rows import KnownRows
from stom_ray.search.ledger_batch import Batch, Batches, Scores, keys_of, pack

__all__ = ["Batch", "Ledger", "Scores"]

SCHEMA_VERSION = 3


class Ledger:
    """An open ledger; `create` or `open` one, append batches, look keys up, `close`. Holds the lock until closed.

    `batches` are in file order, which may depend on who finished first; nothing derived from it may. They are read from the file
    when asked for: in memory is no more than about 40 bytes a row scored.
    `pruned`: records of pruned rows. `cut_bytes`: length of the torn tail that opening cut off (0: none), `cut_at` its offset.
    """

    def __init__(self, path: Path, header: Mapping[str, Any], lock: FileLock | None = None) -> None:
        self.path = path
        self.header = header
        self.batches = Batches(path, len(header["days"]))
        self.cut_at = self.cut_bytes = self.pruned = 0
        self._lock = lock
        self._file: AppendFile | None = None
        self._daily: AppendFile | None = None
        self._known = KnownRows(1 + header["aims"])
        self._numbers: dict[tuple[int, int], int] = {}

    @classmethod
    def create(
        cls, path: str | Path, study_id: str, identity: Mapping[str, Any], days: Ints, aims: int = 0, *, per_island: bool = False
    ) -> Ledger:
        """A new file. days: yyyymmdd, those of `Scores.daily`. aims: columns of `Scores.aims`. per_island: a row is recorded once
        an island, not once.

        LedgerError when it or its daily returns are there already, is locked, or cannot be written.
        """
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(f"{path.parent}: the folder cannot be made ({error.strerror})") from error
        lock = FileLock(path)
        try:
            if path.exists():
                raise LedgerError(f"{path}: there is a ledger already: resume that study, or give this run a folder of its own")
            header = {
                "schema": SCHEMA_VERSION,
                "study_id": study_id,
                "identity": dict(identity),
                "days": [int(day) for day in days],
                "aims": aims,
                "per_island": per_island,
            }
            ledger = cls(path, header, lock)
            ledger._daily = AppendFile(daily_path(path), create=True)
            if ledger._daily.size:
                raise LedgerError(
                    f"{daily_path(path)}: holds daily returns, but their ledger {path.name} is gone: "
                    "restore that, or move these away"
                )
            _write_new(path, form.MAGIC + form.encode_record(0, header, {}))
            ledger._file = AppendFile(path)
        except BaseException:
            lock.release()
            raise
        return ledger

    @classmethod
    def open(cls, path: str | Path, study_id: str | None = None, identity: Mapping[str, Any] | None = None) -> Ledger:
        """Continue a file: a torn tail is cut off and reported in `cut_at`, `cut_bytes`.

        LedgerError: no such file, locked, of another study (`identity` helps to say what differs) or version, damaged anywhere
        but at its end (names the offset), or daily returns that are not those of the ledger.
        """
        path = Path(path)
        if not path.exists():
            raise LedgerError(f"{path}: no ledger here to continue: start the study without resume, or check the folder")
        lock = FileLock(path)
        try:
            ledger = cls._of_file(path, lock)
            if study_id is not None and ledger.study_id != study_id:
                changed = _differences(ledger.header["identity"], identity or {})
                raise LedgerError(
                    f"{path}: holds study {ledger.study_id}, this is study {study_id}: {changed}. "
                    "Give this run a folder of its own, or go back to the settings of that study"
                )
            ledger._file, ledger._daily = AppendFile(path), AppendFile(daily_path(path))
            if ledger.cut_bytes:
                ledger._file.cut(ledger.cut_at)
            daily_bytes = STORED.itemsize * ledger.batches.rows * len(ledger.days)
            if ledger._daily.size > daily_bytes:
                # Written, but its record was not: it belongs to the batch that is lost with it.
                ledger._daily.cut(daily_bytes)
        except BaseException:
            lock.release()
            raise
        return ledger

    @classmethod
    def read(cls, path: str | Path) -> Ledger:
        """A view of the file as it is now, without lock; a record that is being written is left out. LedgerError when damaged."""
        return cls._of_file(Path(path), None)

    @classmethod
    def _of_file(cls, path: Path, lock: FileLock | None) -> Ledger:
        digests: list[tuple[int, str]] = []
        data = _read(path)
        frames = _records(path, data)
        header, _ = _decoded(data, frames[0])
        if header.get("schema") != SCHEMA_VERSION:
            raise LedgerError(
                f"{path}: schema version {header.get('schema')}, this program writes {SCHEMA_VERSION}: "
                "read it with the version of stom_ray that wrote it"
            )
        ledger = cls(path, header, lock)
        for frame in frames[1:]:
            meta, arrays = _decoded(data, frame)
            digests.append((len(arrays["scored"]), meta["daily"]))
            scored = arrays["scored"]
            keys = keys_of(arrays["keys"][scored])
            ledger._remember(frame.start, frame.end, (meta["island"], meta["batch"]), keys, arrays["marks"][scored])
            ledger.pruned += int(arrays["pruned"].sum())
        if frames[-1].end < len(data):
            ledger.cut_at, ledger.cut_bytes = frames[-1].end, len(data) - frames[-1].end
        check_blocks(daily_path(path), len(ledger.days), digests)
        return ledger

    @property
    def study_id(self) -> str:
        return str(self.header["study_id"])

    @property
    def days(self) -> Ints:
        """(n_days,) yyyymmdd, the columns of `daily`."""
        return np.array(self.header["days"], dtype=np.int64)

    @property
    def daily(self) -> Returns:
        """(n, n_days) daily returns of every row recorded, in the order of the file, read-only and mapped from disk."""
        return mapped_rows(daily_path(self.path), self.batches.rows, len(self.days))

    def __len__(self) -> int:
        """Distinct rows scored."""
        return len(self._known)

    def __contains__(self, key: bytes) -> bool:
        return key in self._known

    def unknown(self, keys: Sequence[bytes]) -> Ints:
        """Places in `keys` of those that are not scored yet."""
        return np.flatnonzero(self._known.places(keys) < 0)

    def has_batch(self, island: int, number: int) -> bool:
        return (island, number) in self._numbers

    def batch(self, island: int, number: int) -> Batch | None:
        """The island's batch of that number, None when it is not recorded."""
        place = self._numbers.get((island, number))
        return None if place is None else self.batches[place]

    @property
    def last_number(self) -> int:
        """The highest number of a batch, 0 without any."""
        return max((number for _, number in self._numbers), default=0)

    def batches_of(self, island: int) -> int:
        """How many batches of an island are recorded."""
        return sum(owner == island for owner, _ in self._numbers)

    def marks(self, keys: Sequence[bytes]) -> Floats:
        """(n, 1 + m) marks of scored keys. KeyError when one is not."""
        return self._known.marks(keys)

    def append(
        self,
        island: int,
        number: int,
        source: str,
        params: ParamMatrix,
        keys: list[bytes],
        marks: Floats,
        rows: NDArray[np.int64],
        scores: Scores,
        wall_s: float,
    ) -> Batch | None:
        """Record a batch; on return it is on disk.

        marks: what the island is told of each row of `params`. rows: (m,) those that `scores` belong to; what the ledger has
        scored already is dropped, and so is a whole batch that is recorded already (None). ValueError: a row is neither scored
        here nor known. LedgerError: cannot be written.
        """  # fmt: skip
        if self.has_batch(island, number):
            return None
        first: dict[bytes, int] = {}
        fresh = np.arange(len(rows)) if self.header["per_island"] else self.unknown([keys[row] for row in rows])
        for place in fresh:
            first.setdefault(keys[rows[place]], int(place))
        missing = [int(row) for row in self.unknown(keys) if keys[row] not in first]
        if missing:
            raise ValueError(f"batch {number} of island {island}: row {missing[0]} has no scores, neither here nor in the ledger")
        kept = np.array(list(first.values()), dtype=np.int64)
        scored, mine = np.asarray(rows, dtype=np.int64)[kept], scores.pick(kept)
        block, digest = packed(mine.daily)
        batch = Batch(island, number, source, params, keys, marks, scored, mine, wall_s, self.batches.rows, digest)
        start, end = self._write(form.encode_record(len(self.batches) + 1, *pack(batch)), block)
        self._remember(start, end, (island, number), [keys[row] for row in scored], marks[scored])
        self.pruned += int(mine.pruned.sum())
        return batch

    def close(self) -> None:
        for file in (self._file, self._daily):
            if file is not None:
                file.close()
        self._file = self._daily = None
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _remember(self, start: int, end: int, name: tuple[int, int], keys: list[bytes], marks: Floats) -> None:
        self._numbers[name] = len(self.batches)
        self.batches.add(start, end, len(keys))
        self._known.add(keys, marks)

    def _write(self, record: bytes, block: bytes) -> tuple[int, int]:
        """Where the record lies. The block goes first: a record never speaks of daily returns that are not there."""
        if self._file is None or self._daily is None:
            raise LedgerError(f"{self.path}: this ledger is open for reading only, or closed")
        before = self._daily.size
        self._daily.append(block)
        try:
            self._file.append(record)
        except BaseException:
            self._daily.cut(before)
            raise
        return self._file.size - len(record), self._file.size


def _read(path: Path) -> bytes:
    # Not mapped: a writer may cut a torn tail off meanwhile, and looking there would end this process.
    try:
        return path.read_bytes()
    except OSError as error:
        raise LedgerError(f"{path}: cannot be read ({error.strerror})") from error


def _records(path: Path, data: bytes) -> tuple[form.Frame, ...]:
    """The header's record and those of the batches; what follows the last is a torn tail. LedgerError: no ledger, damaged."""
    if data[: len(form.MAGIC)] != form.MAGIC:
        raise LedgerError(
            f"{path}: offset 0: not a ledger, or its first bytes are damaged: restore a copy, or move it away and start anew"
        )
    found = form.scan(data)
    if found.intact_after is not None:
        raise LedgerError(
            f"{path}: damaged at offset {found.bad_at:,}, while the record at offset {found.intact_after:,} behind it is intact: "
            "this is no interrupted write. Restore a copy of the file, or move it away and start the study anew"
        )
    if not found.intact:
        raise LedgerError(
            f"{path}: offset {len(form.MAGIC)}: the header is cut off or damaged, nothing can be read: "
            "restore a copy, or move it away and start anew"
        )
    return found.intact


def _decoded(data: bytes, frame: form.Frame) -> form.Payload:
    return form.decode_payload(memoryview(data)[frame.start + form.HEAD_BYTES : frame.end - form.DIGEST_BYTES])


def _write_new(path: Path, content: bytes) -> None:
    """Whole or not at all, also after a power cut."""
    fresh = path.with_name(path.name + ".new")
    try:
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
        if hasattr(os, "O_DIRECTORY"):
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        raise LedgerError(f"{path}: a ledger cannot be created there ({error.strerror})") from error


def _differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Which settings differ, in words."""
    changed = [name for name in sorted({*theirs, *ours}) if theirs.get(name) != ours.get(name)]
    return (
        "; ".join(f"{name} was {theirs.get(name)!r:.100}, is {ours.get(name)!r:.100}" for name in changed)
        or "the settings differ"
    )
