"""The trial ledger: the truth about a study. Append-only, fsynced, checksummed (format: `ledger_format`).

One record is one batch of one island: the rows it asked for, and the scores of those that no batch before it had scored. A key
(`space.parameter_keys`) is therefore scored once in the file, however often it was asked for or came back from a retried worker.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.types import Floats, ParamMatrix
from stom_ray.errors import LedgerError
from stom_ray.search import ledger_format as form
from stom_ray.search.file_lock import FileLock
from stom_ray.search.space import KEY_BYTES

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Scores:
    """Scores of n rows. figures: (n, 15). objective, sharpe (per day): (n,), NaN where there is none. reasons: by failed row."""

    figures: Floats
    objective: Floats
    sharpe: Floats
    failed: NDArray[np.bool_]
    reasons: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.objective)

    def pick(self, rows: NDArray[np.int64]) -> Scores:
        """The scores of these rows, in this order."""
        reasons = {new: self.reasons[int(old)] for new, old in enumerate(rows) if int(old) in self.reasons}
        return Scores(self.figures[rows], self.objective[rows], self.sharpe[rows], self.failed[rows], reasons)


@dataclass(frozen=True)
class Batch:
    """One record. keys: of all rows asked for. scored: the rows of `params` that `scores` belong to, in this order.

    island -1 is the user's present values; source: the sampler that asked, "present" for those. wall_s: evaluation time.
    """

    island: int
    number: int
    source: str
    params: ParamMatrix
    keys: list[bytes]
    scored: NDArray[np.int64]
    scores: Scores
    wall_s: float


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
        self._descriptor = -1
        self._place: dict[bytes, tuple[int, int]] = {}
        self._known: set[tuple[int, int]] = set()
        for batch in batches:
            self._remember(batch)

    @classmethod
    def create(cls, path: str | Path, study_id: str, identity: Mapping[str, Any]) -> Ledger:
        """A new file. LedgerError when it is there already, is locked, or cannot be written."""
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(f"{path.parent}: the folder cannot be made ({error.strerror})") from error
        lock = FileLock(path)
        try:
            if path.exists():
                raise LedgerError(f"{path}: there is a ledger already: resume that study, or give this run a folder of its own")
            header = {"schema": SCHEMA_VERSION, "study_id": study_id, "identity": dict(identity)}
            _write_new(path, form.MAGIC + form.encode_record(0, header, {}))
            ledger = cls(path, header, [], lock)
            ledger._open_for_append()
        except BaseException:
            lock.release()
            raise
        return ledger

    @classmethod
    def open(cls, path: str | Path, study_id: str | None = None, identity: Mapping[str, Any] | None = None) -> Ledger:
        """Continue a file: a torn tail is cut off and reported in `cut_at`, `cut_bytes`.

        LedgerError: no such file, locked, of another study (`identity` helps to say what differs) or version, or damaged anywhere
        but at its end (names the offset).
        """
        path = Path(path)
        if not path.exists():
            raise LedgerError(f"{path}: no ledger here to continue: start the study without resume, or check the folder")
        lock = FileLock(path)
        try:
            data = _read(path)
            header, batches, good = _parse(path, data)
            if study_id is not None and header["study_id"] != study_id:
                changed = _differences(header["identity"], identity or {})
                raise LedgerError(
                    f"{path}: holds study {header['study_id']}, this is study {study_id}: {changed}. "
                    "Give this run a folder of its own, or go back to the settings of that study"
                )
            ledger = cls(path, header, batches, lock)
            ledger._open_for_append()
            if good < len(data):
                os.ftruncate(ledger._descriptor, good)
                os.fsync(ledger._descriptor)
                ledger.cut_at, ledger.cut_bytes = good, len(data) - good
        except BaseException:
            lock.release()
            raise
        return ledger

    @classmethod
    def read(cls, path: str | Path) -> Ledger:
        """A view of the file as it is now, without lock; a record that is being written is left out. LedgerError when damaged."""
        path = Path(path)
        header, batches, _ = _parse(path, _read(path))
        return cls(path, header, batches, None)

    @property
    def study_id(self) -> str:
        return str(self.header["study_id"])

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
        batch = Batch(island, number, source, params, keys, np.asarray(rows, dtype=np.int64)[kept], scores.pick(kept), wall_s)
        self._write(form.encode_record(len(self.batches) + 1, *_pack(batch)))
        self._remember(batch)
        return batch

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_for_append(self) -> None:
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))

    def _remember(self, batch: Batch) -> None:
        number = len(self.batches)
        self.batches.append(batch)
        self._known.add((batch.island, batch.number))
        for place, row in enumerate(batch.scored):
            self._place.setdefault(batch.keys[row], (number, place))

    def _write(self, record: bytes) -> None:
        if self._descriptor < 0:
            raise LedgerError(f"{self.path}: this ledger is open for reading only, or closed")
        before = os.fstat(self._descriptor).st_size
        rest = memoryview(record)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fsync(self._descriptor)
        except BaseException as error:
            # Also after Ctrl-C: half a record in the middle would be damage, cut off it is nothing.
            os.ftruncate(self._descriptor, before)
            if not isinstance(error, OSError):
                raise
            remedy = f"free {len(record):,} bytes and resume" if error.errno == errno.ENOSPC else "mend that and resume"
            raise LedgerError(
                f"{self.path}: a batch could not be written at offset {before:,} ({error.strerror}): "
                f"everything before it is safe, {remedy}"
            ) from error


def _pack(batch: Batch) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    scores = batch.scores
    meta: dict[str, Any] = {
        "island": batch.island,
        "batch": batch.number,
        "source": batch.source,
        "wall_s": batch.wall_s,
        "reasons": {str(row): text for row, text in scores.reasons.items()},
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


def _unpack(meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Batch:
    params = ParamMatrix(arrays["values"], arrays["is_float"].astype(np.bool_))
    joined = arrays["keys"].tobytes()
    keys = [joined[i * KEY_BYTES : (i + 1) * KEY_BYTES] for i in range(len(params))]
    reasons = {int(row): text for row, text in meta["reasons"].items()}
    failed = arrays["failed"].astype(np.bool_)
    scores = Scores(arrays["figures"], arrays["objective"], arrays["sharpe"], failed, reasons)
    return Batch(meta["island"], meta["batch"], meta["source"], params, keys, arrays["scored"], scores, meta["wall_s"])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LedgerError(f"{path}: cannot be read ({error.strerror})") from error


def _parse(path: Path, data: bytes) -> tuple[dict[str, Any], list[Batch], int]:
    """Header, batches and the length of the intact part."""
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
    return header, [_unpack(*form.decode_payload(payload)) for payload in payloads[1:]], found.intact[-1].end


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
