"""A run's studies written to a journal that optuna-dashboard shows, while they run or afterwards; the run is only read."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stom_ray.errors import ConfigError, LedgerError
from stom_ray.runs.workplace import Say
from stom_ray.search.file_lock import FileLock
from stom_ray.search.ledger_tail import LedgerTail
from stom_ray.search.optuna_journal import DENSE, Mirror, OptunaJournal

POLL_S = 1.0


@dataclass(frozen=True)
class Watched:
    """A study: rows in its ledger, trials in the journal."""

    name: str
    rows: int
    shown: int


@dataclass(frozen=True)
class WatchOutcome:
    """journal: the file. studies: in the order of their names."""

    journal: Path
    studies: tuple[Watched, ...]

    def to_json(self) -> dict[str, Any]:
        return {"journal": str(self.journal), "studies": [vars(study) for study in self.studies]}

    def render(self) -> str:
        lines = [
            f"{study.name:<28} {study.rows:>11,} rows in the ledger, {study.shown:>7,} in the journal" for study in self.studies
        ]
        return "\n".join([*lines, how_to_open(self.journal)])


def how_to_open(journal: Path) -> str:
    return f"open it    optuna-dashboard {journal}    (pip install 'stom-ray[watch]')"


def watch(folder: str | Path, say: Say, *, journal: Path | None = None, dense: int = DENSE, follow: bool = True) -> WatchOutcome:
    """Write what the ledgers of a run folder hold and, with `follow`, what comes, until Ctrl-C.

    journal: default `optuna.log` in the folder; one that is there is continued. dense: as `search.optuna_journal`. Raises
    ConfigError (no run in there; no ledger yet without `follow`; another watch writes there) and LedgerError.
    """
    place = Path(folder)
    if not (place / "config.yaml").exists():
        raise ConfigError(f"{folder}: no run in there (config.yaml is missing). Give the folder that `stom-ray search` named")
    if dense < 1:
        raise ConfigError(f"dense is {dense}: expected at least 1")
    target = journal or place / "optuna.log"
    lock = _only_one(target)
    try:
        watcher = _Watcher(place, OptunaJournal(target), dense)
        if not follow and not watcher.ledgers():
            raise ConfigError(f"{folder}: no ledger in there yet: start the run, or watch without --once")
        try:
            watcher.catch_up()
            while follow:
                say(watcher.line())
                time.sleep(POLL_S)
                watcher.catch_up()
        except KeyboardInterrupt:
            watcher.catch_up()
        return watcher.end()
    finally:
        lock.release()


def _only_one(target: Path) -> FileLock:
    try:
        return FileLock(target.with_name(target.name + ".watch"))
    except LedgerError as error:
        raise ConfigError(f"{target}: cannot be written to, or another `stom-ray watch` is at it already") from error


class _Watcher:
    """The ledgers of a run folder, each with its study of the journal."""

    def __init__(self, folder: Path, journal: OptunaJournal, dense: int) -> None:
        self._folder, self._journal, self._dense = folder, journal, dense
        self._pairs: dict[str, tuple[LedgerTail, Mirror]] = {}

    def ledgers(self) -> dict[str, Path]:
        """search, walk-forward/..., as far as they have begun."""
        found = sorted(self._folder.glob("*/**/ledger.bin"))
        return {path.parent.relative_to(self._folder).as_posix(): path for path in found}

    def catch_up(self) -> None:
        for name, path in self.ledgers().items():
            if name not in self._pairs:
                tail = LedgerTail(path)
                self._pairs[name] = tail, self._journal.mirror(name, tail.header, dense=self._dense)
            tail, mirror = self._pairs[name]
            for seen in tail.news():
                mirror.add(seen)
        self._journal.flush()

    def line(self) -> str:
        rows = sum(mirror.rows for _, mirror in self._pairs.values())
        return f"{rows:,} rows of {len(self._pairs)} studies, {how_to_open(self._journal.path)}"

    def end(self) -> WatchOutcome:
        for _, mirror in self._pairs.values():
            mirror.add_best()
        self._journal.flush()
        studies = tuple(Watched(name, mirror.rows, mirror.shown) for name, (_, mirror) in sorted(self._pairs.items()))
        return WatchOutcome(self._journal.path, studies)
