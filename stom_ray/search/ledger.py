"""The trial ledger: the truth about a study. Append-only, fsynced, checksummed (format: `ledger_format`).

One record is one batch of one island: the rows it asked for, and the scores of those that no batch before it had scored. A key
(`space.parameter_keys`) is therefore scored once in the file, however often it was asked for or came back from a retried worker.
Daily returns of the scored rows lie in a second file, `ledger.bin.daily` beside `ledger.bin` (`daily_file`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.types import Floats, Ints, ParamMatrix
from stom_ray.errors import LedgerError
from stom_ray.search import ledger_format as form
from stom_ray.search.append_file import AppendFile
from stom_ray.search.daily_file import Returns, check_blocks, daily_path, mapped_rows, packed
from stom_ray.search.file_lock import FileLock
from stom_ray.search.space import KEY_BYTES

SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Scores:
    """Scores of n rows. figures: (n, 15). objective, sharpe (per day): (n,), NaN where there is none.

    daily: (n, n_days) float32, KRW by day of the sale; NaN on all days of a failed row, and on days that a pruned one was not run
    on. reasons: by failed row.
    """

    figures: Floats
    objective: Floats
    sharpe: Floats
    failed: NDArray[np.bool_]
    daily: Returns
    reasons: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.objective)

    def pick(self, rows: NDArray[np.int64]) -> Scores:
        """The scores of these rows, in this order."""
        reasons = {new: self.reasons[int(old)] for new, old in enumerate(rows) if int(old) in self.reasons}
        return Scores(self.figures[rows], self.objective[rows], self.sharpe[rows], self.failed[rows], self.daily[rows], reasons)


@dataclass(frozen=True)
class Batch:
    """One record. keys: of all rows asked for. scored: the rows of `params` that `scores` belong to, in this order.

    island -1 is the user's present values; source: the sampler that asked, "present" for those. wall_s: evaluation time.
    daily_row: row of the ledger's `daily` where those of `scores` begin. digest: of that block.
    """

    island: int
    number: int
    source: str
    params: ParamMatrix
    keys: list[bytes]
    scored: NDArray[np.int64]
    scores: Scores
    wall_s: float
    daily_row: int
    digest: str


class Ledger:
    """An open ledger; `create` or `open` one, append batches, look keys up, `close`. Holds the lock until closed.

    `batches` are in file order, which may depend on who finished first; nothing derived from it may.
    `cut_bytes`: length of the torn tail that opening cut off (0: none), `cut_at` its offset.
    """

    def __init__(self, path: Path, header: Mapping[str, Any], batches: list[Batch], lock: FileLock | None) -> None:
        self.path = path
        self.header = header
        self.batches: list[Batch] = []
        self.cut_at = self.cut_bytes = 0
        self._lock = lock
        self._file: AppendFile | None = None
        self._daily: AppendFile | None = None
        self._place: dict[bytes, tuple[int, int]] = {}
        self._known: set[tuple[int, int]] = set()
        for batch in batches:
            self._remember(batch)

    @classmethod
    def create(cls, path: str | Path, study_id: str, identity: Mapping[str, Any], days: Ints) -> Ledger:
        """A new file. days: yyyymmdd, those of `Scores.daily`.

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
            header = {"schema": SCHEMA_VERSION, "study_id": study_id, "identity": dict(identity), "days": [int(d) for d in days]}
            ledger = cls(path, header, [], lock)
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
            found = _contents(path)
            if study_id is not None and found.header["study_id"] != study_id:
                changed = _differences(found.header["identity"], identity or {})
                raise LedgerError(
                    f"{path}: holds study {found.header['study_id']}, this is study {study_id}: {changed}. "
                    "Give this run a folder of its own, or go back to the settings of that study"
                )
            ledger = cls(path, found.header, found.batches, lock)
            ledger._file, ledger._daily = AppendFile(path), AppendFile(daily_path(path))
            if found.good < found.size:
                ledger._file.cut(found.good)
                ledger.cut_at, ledger.cut_bytes = found.good, found.size - found.good
            if ledger._daily.size > found.daily_good:
                # Written, but its record was not: it belongs to the batch that is lost with it.
                ledger._daily.cut(found.daily_good)
        except BaseException:
            lock.release()
            raise
        return ledger

    @classmethod
    def read(cls, path: str | Path) -> Ledger:
        """A view of the file as it is now, without lock; a record that is being written is left out. LedgerError when damaged."""
        path = Path(path)
        found = _contents(path)
        return cls(path, found.header, found.batches, None)

    @property
    def study_id(self) -> str:
        return str(self.header["study_id"])

    @property
    def days(self) -> Ints:
        """(n_days,) yyyymmdd, the columns of `daily`."""
        return np.array(self.header["days"], dtype=np.int64)

    @property
    def daily(self) -> Returns:
        """(len(self), n_days) daily returns of every scored row in the order of the file, read-only and mapped from disk."""
        return mapped_rows(daily_path(self.path), len(self), len(self.days))

    def __len__(self) -> int:
        """Rows scored."""
        return len(self._place)

    def __contains__(self, key: bytes) -> bool:
        return key in self._place

    def has_batch(self, island: int, number: int) -> bool:
        return (island, number) in self._known

    def objective(self, keys: Sequence[bytes]) -> Floats:
        """(n,) objective of scored keys. KeyError when one is not."""
        places = [self._place[key] for key in keys]
        return np.array([self.batches[batch].scores.objective[row] for batch, row in places], dtype=np.float64)

    def append(
        self,
        island: int,
        number: int,
        source: str,
        params: ParamMatrix,
        keys: list[bytes],
        rows: NDArray[np.int64],
        scores: Scores,
        wall_s: float,
    ) -> Batch | None:
        """Record a batch; on return it is on disk.

        rows: (m,) rows of `params` that `scores` belong to; those the ledger has scored already are dropped, and so is a whole
        batch that is recorded already (None). ValueError: a row is neither scored here nor known. LedgerError: cannot be written.
        """  # fmt: skip
        if self.has_batch(island, number):
            return None
        first: dict[bytes, int] = {}
        for place, row in enumerate(rows):
            if keys[row] not in self._place:
                first.setdefault(keys[row], place)
        missing = [row for row, key in enumerate(keys) if key not in self._place and key not in first]
        if missing:
            raise ValueError(f"batch {number} of island {island}: row {missing[0]} has no scores, neither here nor in the ledger")
        kept = np.array(list(first.values()), dtype=np.int64)
        scored, mine = np.asarray(rows, dtype=np.int64)[kept], scores.pick(kept)
        block, digest = packed(mine.daily)
        batch = Batch(island, number, source, params, keys, scored, mine, wall_s, len(self), digest)
        self._write(form.encode_record(len(self.batches) + 1, *_pack(batch)), block)
        self._remember(batch)
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

    def _remember(self, batch: Batch) -> None:
        number = len(self.batches)
        self.batches.append(batch)
        self._known.add((batch.island, batch.number))
        for place, row in enumerate(batch.scored):
            self._place.setdefault(batch.keys[row], (number, place))

    def _write(self, record: bytes, block: bytes) -> None:
        """The block first: a record never speaks of daily returns that are not there."""
        if self._file is None or self._daily is None:
            raise LedgerError(f"{self.path}: this ledger is open for reading only, or closed")
        before = self._daily.size
        self._daily.append(block)
        try:
            self._file.append(record)
        except BaseException:
            self._daily.cut(before)
            raise


def _pack(batch: Batch) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    scores = batch.scores
    meta: dict[str, Any] = {
        "island": batch.island,
        "batch": batch.number,
        "source": batch.source,
        "wall_s": batch.wall_s,
        "reasons": {str(row): text for row, text in scores.reasons.items()},
        "daily": batch.digest,
    }
    arrays: dict[str, NDArray[Any]] = {
        "values": batch.params.values,
        "is_float": batch.params.is_float.astype(np.uint8),
        "keys": np.frombuffer(b"".join(batch.keys), dtype=np.uint8).reshape(-1, KEY_BYTES),
        "scored": batch.scored,
        "figures": scores.figures,
        "objective": scores.objective,
        "sharpe": scores.sharpe,
        "failed": scores.failed.astype(np.uint8),
    }
    return meta, arrays


def _unpack(meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], first: int, daily: Returns) -> Batch:
    params = ParamMatrix(arrays["values"], arrays["is_float"].astype(np.bool_))
    joined = arrays["keys"].tobytes()
    keys = [joined[i * KEY_BYTES : (i + 1) * KEY_BYTES] for i in range(len(params))]
    reasons = {int(row): text for row, text in meta["reasons"].items()}
    failed = arrays["failed"].astype(np.bool_)
    mine = daily[first : first + len(failed)]
    scores = Scores(arrays["figures"], arrays["objective"], arrays["sharpe"], failed, mine, reasons)
    wall_s, digest = meta["wall_s"], meta["daily"]
    return Batch(meta["island"], meta["batch"], meta["source"], params, keys, arrays["scored"], scores, wall_s, first, digest)


@dataclass(frozen=True)
class _Contents:
    """What both files hold. good: bytes of the ledger that are whole records, of size. daily_good: bytes that these speak of."""

    header: Mapping[str, Any]
    batches: list[Batch]
    good: int
    size: int
    daily_good: int


def _contents(path: Path) -> _Contents:
    """LedgerError: damaged, or of another version."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LedgerError(f"{path}: cannot be read ({error.strerror})") from error
    header, payloads, good = _parse(path, data)
    n_days, sizes = len(header["days"]), [len(arrays["scored"]) for _, arrays in payloads]
    digests = [meta["daily"] for meta, _ in payloads]
    daily_good = check_blocks(daily_path(path), n_days, zip(sizes, digests, strict=True))
    daily = mapped_rows(daily_path(path), sum(sizes), n_days)
    starts = np.cumsum([0, *sizes]).tolist()
    batches = [_unpack(*payload, first, daily) for payload, first in zip(payloads, starts, strict=False)]
    return _Contents(header, batches, good, len(data), daily_good)


def _parse(path: Path, data: bytes) -> tuple[dict[str, Any], list[form.Payload], int]:
    """Header, payloads of the batches and the length of the intact part."""
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
    view = memoryview(data)
    payloads = [view[frame.start + form.HEAD_BYTES : frame.end - form.DIGEST_BYTES] for frame in found.intact]
    header, _ = form.decode_payload(payloads[0])
    if header.get("schema") != SCHEMA_VERSION:
        raise LedgerError(
            f"{path}: schema version {header.get('schema')}, this program writes {SCHEMA_VERSION}: "
            "read it with the version of stom_ray that wrote it"
        )
    return header, [form.decode_payload(payload) for payload in payloads[1:]], found.intact[-1].end


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
