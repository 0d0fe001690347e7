"""What was ever tried on the same data: every study, and every look at test days, in one file beside the runs.

The file is `studies.jsonl` in the folder that holds the runs' folders. A line is 16 hex digits of the SHA-256 of what follows, a
space, and a JSON object. Lines are only added, under a lock and fsynced. A last line that was broken off is dropped and written
over; damage anywhere else is an error that names the line.

Data are the same where they share a day: a day is known by a digest of its instruments, clocks and prices as they were selected.
A study, or a look, that is registered again (resumed, reported again, run again in another folder) counts once.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stom_ray.errors import LedgerError
from stom_ray.search.append_file import AppendFile
from stom_ray.search.daily_file import STORED, Returns, daily_path, mapped_rows
from stom_ray.search.file_lock import FileLock
from stom_ray.store.panel import Panel

NAME = "studies.jsonl"
DIGITS = 16
LOCK_TRIES, LOCK_WAIT_S = 200, 0.05
REMEDY = "restore a copy, or move the file away: studies that only it knows are then no longer counted"

Days = Mapping[int, str]  # yyyymmdd -> digest of the day


@dataclass(frozen=True)
class StudyEntry:
    """study: its id. ledger: the file, its daily returns beside it. trials: rows scored when it was registered last."""

    study: str
    ledger: Path
    trials: int
    days: Days

    def returns(self) -> Returns:
        """(n_trials, n_days) daily returns of every trial, those scored since it was registered too; mapped from disk.

        Of a study whose files are gone, rows without a number: what they earned is lost, that they were tried is not.
        """
        place, width = daily_path(self.ledger), len(self.days)
        there = place.stat().st_size // (STORED.itemsize * width) if place.exists() else 0
        if there >= self.trials:
            return mapped_rows(place, there, width)
        return np.broadcast_to(np.float32(np.nan), (self.trials, width))


@dataclass(frozen=True)
class Register:
    """Everything that was registered beside a run's folder."""

    studies: tuple[StudyEntry, ...]
    looks: tuple[tuple[str, Days], ...]

    def studies_on(self, days: Days, *, apart_from: str) -> list[StudyEntry]:
        """Those that share a day, without the study of that id, in the order in which they were registered first."""
        return [one for one in self.studies if one.study != apart_from and _shared(one.days, days)]

    def looks_on(self, days: Days) -> int:
        """How often one of these days was looked at as a test day."""
        return sum(1 for _, seen in self.looks if _shared(seen, days))


def day_digests(panel: Panel) -> dict[int, str]:
    """yyyymmdd -> 16 hex digits of the day's instruments, clocks and last prices."""
    hashes: dict[int, Any] = {}
    price = panel.column("현재가")
    for session, (code, day) in enumerate(zip(panel.session_code.tolist(), panel.session_day.tolist(), strict=True)):
        rows = slice(int(panel.offsets[session]), int(panel.offsets[session + 1]))
        one = hashes.setdefault(int(day), hashlib.blake2b(digest_size=DIGITS // 2))
        one.update(panel.codes[code].encode())
        one.update(np.ascontiguousarray(panel.clock[rows]))
        one.update(np.ascontiguousarray(price[rows]))
    return {day: hashes[day].hexdigest() for day in sorted(hashes)}


def register_study(folder: Path, data: str, study: str, ledger: Path, trials: int, days: Days) -> None:
    """Before it is searched (a study that dies has been tried, too) and again when its rows are known.

    folder: of the run. data: hash. days: those of the columns of its daily returns. Raises LedgerError.
    """
    _add(folder, {"kind": "study", "study": study, "data": data, "ledger": str(ledger), "trials": trials, "days": _texts(days)})


def register_look(folder: Path, data: str, look: str, days: Days) -> None:
    """Before anyone sees what test days say. look: its id; days: those that it scored so far. Raises LedgerError."""
    _add(folder, {"kind": "look", "look": look, "data": data, "days": _texts(days)})


def read_register(folder: Path) -> Register:
    """Of the run in `folder`. Raises LedgerError when it is damaged or cannot be read."""
    place = _place(folder)
    studies: dict[str, StudyEntry] = {}
    looks: dict[str, Days] = {}
    for record in _read(place)[0]:
        days = {int(day): digest for day, digest in record["days"].items()}
        if record["kind"] == "look":
            looks[record["look"]] = {**looks.get(record["look"], {}), **days}
            continue
        before, trials = studies.get(record["study"]), int(record["trials"])
        if before is None or trials >= before.trials:
            studies[record["study"]] = StudyEntry(record["study"], place.parent / record["ledger"], trials, days)
    return Register(tuple(studies.values()), tuple(looks.items()))


def _texts(days: Days) -> dict[str, str]:
    """As JSON has them."""
    return {str(day): digest for day, digest in days.items()}


def _shared(one: Days, other: Days) -> bool:
    return any(digest and other.get(day) == digest for day, digest in one.items())


def _place(folder: Path) -> Path:
    return folder.resolve().parent / NAME


def _add(folder: Path, record: dict[str, Any]) -> None:
    """Append a record, unless it is there already."""
    place = _place(folder)
    if "ledger" in record:
        record = {**record, "ledger": os.path.relpath(Path(record["ledger"]).resolve(), place.parent)}
    text = json.dumps(record, sort_keys=True)
    lock = _locked(place)
    try:
        records, good, size = _read(place)
        if any(json.dumps(one, sort_keys=True) == text for one in records):
            return
        file = AppendFile(place, create=True)
        try:
            if good < size:
                file.cut(good)
            file.append(f"{_digest(text)} {text}\n".encode())
        finally:
            file.close()
    finally:
        lock.release()


def _locked(place: Path) -> FileLock:
    """Others hold it for the time of one line."""
    for _ in range(LOCK_TRIES - 1):
        try:
            return FileLock(place)
        except LedgerError:
            if not place.with_name(place.name + ".lock").exists():
                raise
            time.sleep(LOCK_WAIT_S)
    return FileLock(place)


def _read(place: Path) -> tuple[list[dict[str, Any]], int, int]:
    """Records, the length of the intact part, the length of the file. Raises LedgerError."""
    try:
        data = place.read_bytes()
    except FileNotFoundError:
        return [], 0, 0
    except OSError as error:
        raise LedgerError(f"{place}: cannot be read ({error.strerror}): what was tried on this data cannot be counted") from error
    lines = data.split(b"\n")
    found: list[dict[str, Any]] = []
    at = 0
    for number, line in enumerate(lines, 1):
        record = _record(line) if number < len(lines) else None
        if record is None:
            if any(_record(later) is not None for later in lines[number:]):
                raise LedgerError(f"{place}: line {number} is damaged, and there are intact lines behind it: {REMEDY}")
            break
        found.append(record)
        at += len(line) + 1
    return found, at, len(data)


def _record(line: bytes) -> dict[str, Any] | None:
    """None when it is not what was written."""
    try:
        digest, _, text = line.decode().partition(" ")
    except UnicodeDecodeError:
        return None
    if digest != _digest(text):
        return None
    record: dict[str, Any] = json.loads(text)
    return record


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
