"""Versions of models by name, the stage of each, and how one takes another's place.

    ROOT/NAME/000001/manifest.json, files ...    a version, never changed once it has its name
    ROOT/NAME/stages.json                        every change of stage, the latest last

A version is written into a folder of another name, fsynced, and renamed: readers see it whole or not at all. One that no event
names is a candidate. Every write of a name happens under its lock; readers need none.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from stom_ray.ensemble.artefact import (
    NAME,
    Artefact,
    Lineage,
    check_content,
    check_file_name,
    check_name,
    folder_name,
    read_artefact,
    write_manifest,
)
from stom_ray.ensemble.gate import Gate, Judged
from stom_ray.ensemble.sealed import read_sealed, write_sealed
from stom_ray.errors import GateError, LedgerError, RegistryError
from stom_ray.search.file_lock import FileLock
from stom_ray.store.disk import sync_folder, write_atomically

Stage = Literal["candidate", "shadow", "champion", "retired"]
STAGES: tuple[Stage, ...] = ("candidate", "shadow", "champion", "retired")
STAGE_FILE = "stages.json"
FORMAT = 1
EVENT = frozenset({"at", "version", "manifest", "stage", "replaces", "rolled_back"})
ASIDE = ".publishing"


@dataclass(frozen=True)
class Entry:
    """A version with its stage and the events that led there, oldest first."""

    artefact: Artefact
    stage: Stage
    events: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Registry:
    """A folder of versions. Raises RegistryError from every method: names that are none, damaged files, another writer."""

    root: Path

    # Reading

    def names(self) -> tuple[str, ...]:
        """Names that have a folder, sorted."""
        if not self.root.is_dir():
            return ()
        return tuple(sorted(path.name for path in self.root.iterdir() if path.is_dir() and NAME.fullmatch(path.name)))

    def versions(self, name: str) -> tuple[int, ...]:
        """Published versions, oldest first; none of a name that is not there."""
        folder = self.root / check_name(name)
        if not folder.is_dir():
            return ()
        return tuple(sorted(int(path.name) for path in folder.iterdir() if path.is_dir() and path.name.isdecimal()))

    def entries(self, name: str) -> tuple[Entry, ...]:
        """Every version, oldest first."""
        events = self._events(name)
        stages = _stages(events)
        return tuple(
            Entry(
                read_artefact(self._folder(name, version)),
                stages.get(version, "candidate"),
                tuple(event for event in events if version in (event["version"], event["replaces"])),
            )
            for version in self.versions(name)
        )

    def show(self, name: str, which: int | Stage) -> Entry:
        """which: a version, or a stage: the latest version in it."""
        found = [entry for entry in self.entries(name) if which in (entry.artefact.version, entry.stage)]
        if not found:
            have = ", ".join(f"{entry.artefact.version} {entry.stage}" for entry in self.entries(name)) or "none"
            raise RegistryError(f"{self.root}: {name} has no {which}; versions: {have}")
        return found[-1]

    def champion(self, name: str) -> Artefact | None:
        """The version that serves, None when there is none. Not another one than was promoted: its manifest is held to it."""
        events = self._events(name)
        version = _champion(_stages(events))
        if version is None:
            return None
        artefact = read_artefact(self._folder(name, version))
        promoted = [event for event in events if event["version"] == version][-1]
        if artefact.digest != promoted["manifest"]:
            raise RegistryError(
                f"{artefact.folder}: its manifest is {artefact.digest}, that of the version promoted on {promoted['at']} was "
                f"{promoted['manifest']}: restore it from a copy, or roll back"
            )
        return artefact

    # Writing

    def publish(self, name: str, files: Mapping[str, bytes], lineage: Lineage) -> Artefact:
        """A new version, a candidate: on disk, whole, when the call returns. files: name -> bytes, of formats that are kept."""
        if not files:
            raise RegistryError(f"{name}: no file: expected at least one")
        for file, data in files.items():
            check_content(check_file_name(file), data)
        with self._writing(name) as folder:
            aside = folder / ASIDE
            if aside.exists():  # of a publisher that was killed: nobody else writes now
                shutil.rmtree(aside)
            aside.mkdir()
            version = max(self.versions(name), default=0) + 1
            try:
                for file, data in files.items():
                    write_atomically(aside / file, _filling(data))
                write_manifest(aside, name, version, _now(), lineage, files)
                sync_folder(aside)
            except BaseException:
                shutil.rmtree(aside, ignore_errors=True)
                raise
            os.rename(aside, self._folder(name, version))
            sync_folder(folder)
            return read_artefact(self._folder(name, version))

    def promote(self, name: str, version: int, stage: Stage, *, gate: Gate | None = None, reason: str = "") -> Entry:
        """Moves a version to a stage; the champion it replaces is retired by the same event.

        A champion has to pass the gate, which is kept with the event. Raises GateError listing what does not hold; RegistryError
        for a champion without a gate, a version that is not there, is damaged, or has that stage.
        """
        if stage not in STAGES:
            raise RegistryError(f"stage {stage!r}: expected one of {', '.join(STAGES)}")
        if stage == "champion" and gate is None:
            raise RegistryError(
                f"{name} {version}: a champion has to pass a gate: give one (without rules to let everything pass)"
            )
        with self._writing(name):
            entry = self.show(name, version)
            if entry.stage == stage:
                raise RegistryError(f"{name} {version} is {stage} already")
            entry.artefact.verify()
            champion = _champion(_stages(self._events(name)))
            judged: tuple[Judged, ...] = ()
            if stage == "champion" and gate is not None:
                theirs = None if champion is None else read_artefact(self._folder(name, champion)).lineage.scores
                judged = gate.judge(entry.artefact.lineage.scores, theirs)
            failed = [one for one in judged if not one.holds]
            if failed:
                raise GateError(f"{name} {version} does not pass the gate: " + "; ".join(str(one) for one in failed))
            replaced = champion if stage == "champion" else None
            self._record(name, entry.artefact, stage, replaced, [one.to_json() for one in judged], reason)
            return self.show(name, version)

    def rollback(self, name: str, *, reason: str = "") -> Entry:
        """The champion before this one serves again, and this one is retired. No gate: it has passed one.

        Raises RegistryError when there is no champion, none before it, or that one is damaged.
        """
        with self._writing(name):
            events = self._events(name)
            current = _champion(_stages(events))
            if current is None:
                raise RegistryError(f"{name} has no champion to roll back from")
            before = _before(events)
            if before is None:
                raise RegistryError(f"{name} {current} is the first champion: none before it to go back to; retire it instead")
            artefact = read_artefact(self._folder(name, before))
            artefact.verify()
            self._record(name, artefact, "champion", current, [], reason, rolled_back=True)
            return self.show(name, before)

    # Inside

    def _folder(self, name: str, version: int) -> Path:
        return self.root / check_name(name) / folder_name(version)

    def _events(self, name: str) -> list[dict[str, Any]]:
        path = self.root / check_name(name) / STAGE_FILE
        if not path.exists():
            return []
        data, _ = read_sealed(path)
        if data.get("format") != FORMAT:
            raise RegistryError(f"{path}: format {data.get('format')!r}, expected {FORMAT}: it was written by another version")
        events: list[dict[str, Any]] = data.get("events", [None])
        if not all(isinstance(event, dict) and EVENT.issubset(event) for event in events):
            raise RegistryError(f"{path}: an event without {', '.join(sorted(EVENT))}: restore the file from a copy")
        return events

    def _record(
        self,
        name: str,
        artefact: Artefact,
        stage: Stage,
        replaced: int | None,
        gate: list[dict[str, Any]],
        reason: str,
        *,
        rolled_back: bool = False,
    ) -> None:
        event = {
            "at": _now(),
            "version": artefact.version,
            "manifest": artefact.digest,
            "stage": stage,
            "replaces": replaced,
            "gate": gate,
            "reason": reason,
            "rolled_back": rolled_back,
        }
        document = {"format": FORMAT, "events": [*self._events(name), event]}
        write_sealed(self.root / name / STAGE_FILE, document)

    @contextlib.contextmanager
    def _writing(self, name: str) -> Iterator[Path]:
        folder = self.root / check_name(name)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = FileLock(folder / STAGE_FILE)
        except LedgerError as error:
            raise RegistryError(f"{folder}: another process is writing to it: try again when it has finished") from error
        try:
            yield folder
        finally:
            lock.release()


def _stages(events: list[dict[str, Any]]) -> dict[int, Stage]:
    """The stage of every version that an event names."""
    found: dict[int, Stage] = {}
    for event in events:
        if event["replaces"] is not None:
            found[event["replaces"]] = "retired"
        found[event["version"]] = event["stage"]
    return found


def _champion(stages: Mapping[int, Stage]) -> int | None:
    return next((version for version, stage in stages.items() if stage == "champion"), None)


def _before(events: list[dict[str, Any]]) -> int | None:
    """The champion before the current one; a roll-back takes one step off the line of champions, so that two go back two."""
    line: list[int] = []
    for event in events:
        if event["stage"] != "champion":
            continue
        if event["rolled_back"]:
            line.pop()
        else:
            line.append(event["version"])
    return line[-2] if len(line) > 1 else None


def _filling(data: bytes) -> Callable[[Path], None]:
    def fill(path: Path) -> None:
        path.write_bytes(data)

    return fill


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
