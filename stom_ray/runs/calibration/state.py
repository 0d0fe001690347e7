"""Findings on disk: one record a finished study, appended and fsynced, so that a killed calibration goes on where it was.

The records are those of `search.ledger_format`: the first is the calibration's identity, the others are findings as JSON data. A
record that was broken off at the end is cut off; damage anywhere else is an error that names the offset.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from stom_ray.errors import LedgerError
from stom_ray.search.append_file import AppendFile
from stom_ray.search.file_lock import FileLock
from stom_ray.search.ledger_format import DIGEST_BYTES, HEAD_BYTES, MAGIC, Frame, decode_payload, encode_record, scan

Record = dict[str, Any]


class Findings:
    """Context manager over `path`; made when it is not there. `found`: findings by the name of their study.

    Raises LedgerError: locked by another process, of another calibration, damaged, or not writable.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        self.path, self._identity = path, dict(identity)
        self.found: dict[str, Record] = {}

    def __enter__(self) -> Findings:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(f"{self.path.parent}: the folder cannot be made ({error.strerror})") from error
        self._lock = FileLock(self.path)
        try:
            self._file = AppendFile(self.path, create=True)
            self._records = self._read()
        except BaseException:
            self._lock.release()
            raise
        return self

    def add(self, name: str, finding: Record) -> None:
        """On return it is on disk."""
        self._append({"name": name, "finding": finding})
        self.found[name] = finding

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()
        self._lock.release()

    def _read(self) -> int:
        """Takes up what is there, cuts off what was broken off, and returns how many records stand."""
        data = self.path.read_bytes()
        self._records = 0
        if not data.startswith(MAGIC):
            if not MAGIC.startswith(data[: len(MAGIC)]):
                raise LedgerError(f"{self.path}: is no file of findings: give the calibration a folder of its own")
            self._file.cut(0)
            self._file.append(MAGIC)
            self._append(self._identity)
            return self._records
        seen = scan(data)
        if seen.intact_after is not None:
            raise LedgerError(
                f"{self.path}: damaged at offset {seen.bad_at:,}, and there are intact records from {seen.intact_after:,} on: "
                "restore a copy, or start anew in another folder"
            )
        if seen.bad_at is not None:
            self._file.cut(seen.bad_at)
        if not seen.intact:
            self._append(self._identity)
            return self._records
        first, *others = (_content(data, frame) for frame in seen.intact)
        if first != self._identity:
            raise LedgerError(
                f"{self.path}: findings of another calibration ({_apart(first, self._identity)}): a table mixes nothing. "
                "Start anew in another folder"
            )
        self.found = {record["name"]: record["finding"] for record in others}
        return len(seen.intact)

    def _append(self, content: Record) -> None:
        self._file.append(encode_record(self._records, content, {}))
        self._records += 1


def _content(data: bytes, frame: Frame) -> Record:
    return decode_payload(data[frame.start + HEAD_BYTES : frame.end - DIGEST_BYTES])[0]


def _apart(theirs: Record, ours: Record) -> str:
    """What differs, in words."""
    names = sorted(name for name in {*theirs, *ours} if theirs.get(name) != ours.get(name))
    return ", ".join(f"{name} {theirs.get(name)}, now {ours.get(name)}" for name in names)
