"""A study as Optuna sees it: a journal file for optuna-dashboard, written from the ledger and behind the search.

A cache for the eyes, never read by a search; it can be deleted and made again at any time. A dashboard cannot show a million
trials: the first `dense` rows of a study are all shown, of row n after them one in n / `dense` (chosen by its key), every row
that was the best so far, and, when a watch ends, the `BEST` best and, of several objectives, the front.
"""

from __future__ import annotations

import heapq
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from stom_ray.engine.types import Floats
from stom_ray.errors import ConfigError
from stom_ray.search.base import FIGURES
from stom_ray.search.front import front
from stom_ray.search.ledger_tail import Seen

DENSE = 1_000
BEST = 100
KEY_SPAN = 2.0**64
METRIC_NAMES, CONSTRAINTS = "study:metric_names", "constraints"  # where Optuna keeps them
WHY_NO_REASON = "no objective"


class _Written(BaseJournalBackend):
    """The file, read once and appended to on `flush`: Optuna itself would lock, write and sync for each trial."""

    def __init__(self, path: Path) -> None:
        _cut_torn_line(path)
        self._file = JournalFileBackend(str(path))
        self._logs = list(self._file.read_logs(0))
        if len(self._logs) < path.read_bytes().count(b"\n"):
            raise ValueError("its last line is no JSON")  # which Optuna passes over, until a line follows
        self._flushed = len(self._logs)

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        return self._logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self._logs.extend(logs)

    def flush(self) -> None:
        if self._flushed < len(self._logs):
            self._file.append_logs(self._logs[self._flushed :])
            self._flushed = len(self._logs)


class OptunaJournal:
    """A journal file with one Optuna study for each ledger; made when it is not there, otherwise continued."""

    def __init__(self, path: str | Path) -> None:
        """ConfigError: is no journal, or cannot be written."""
        self.path = Path(path)
        self._mirrors: list[Mirror] = []
        try:
            self._backend = _Written(self.path)
            self._storage = JournalStorage(self._backend)
        except (OSError, ValueError, KeyError) as error:
            raise ConfigError(
                f"{path}: no journal of Optuna that can be continued ({error}): delete it, it is made anew"
            ) from error

    def mirror(self, name: str, header: Mapping[str, Any], *, dense: int = DENSE) -> Mirror:
        """The study of this name, to be fed with what the ledger with this header records.

        ConfigError when the file has another study of that name.
        """
        objectives = tuple(header["identity"]["goal"].get("objectives", ()))
        directions = [_direction(one) for one in objectives] or [StudyDirection.MAXIMIZE]
        if name not in {study.study_name for study in self._storage.get_all_studies()}:
            verbosity = optuna.logging.get_verbosity()
            optuna.logging.set_verbosity(optuna.logging.WARNING)
            self._storage.create_new_study(directions, name)
            optuna.logging.set_verbosity(verbosity)
        study = Study(name, self._storage)
        if "study_id" not in study.user_attrs and not study.trials and study.directions == directions:
            # New, or of a watch that was killed before it had written whose study this is: the id comes last.
            if objectives:
                names = [one.removeprefix("-") for one in objectives]
                self._storage.set_study_system_attr(self._storage.get_study_id_from_name(name), METRIC_NAMES, names)
            study.set_user_attr("study_id", header["study_id"])
        theirs = study.user_attrs.get("study_id")
        if theirs != header["study_id"]:
            raise ConfigError(
                f"{self.path}: its study {name} is {theirs}, the ledger's is {header['study_id']}: delete the journal"
            )
        self._mirrors.append(Mirror(study, header["identity"]["space"], dense, objectives))
        return self._mirrors[-1]

    def flush(self) -> None:
        """What was added is in the file, for a dashboard to see. ConfigError: cannot be written."""
        for mirror in self._mirrors:
            mirror.tell_rows()
        try:
            self._backend.flush()
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be written ({error.strerror}): make room, or give another file") from error


class Mirror:
    """One ledger's rows on their way into one Optuna study. rows: seen so far. shown: trials of the Optuna study.

    objectives: names as a goal of several has them; a trial's values are the figures as they are, MDD of -MDD, to be minimized.
    """

    def __init__(self, study: Study, space: Sequence[Mapping[str, Any]], dense: int, objectives: Sequence[str] = ()) -> None:
        self.rows, self._dense, self._study = 0, dense, study
        self._signs = [-1.0 if name.startswith("-") else 1.0 for name in objectives]
        self._front: tuple[Floats, list[FrozenTrial]] = (np.empty((0, len(objectives) + 1)), [])
        self._distributions = distributions(space)
        self._shown = {trial.user_attrs["key"] for trial in study.get_trials(deepcopy=False) if "key" in trial.user_attrs}
        self._best = -math.inf
        self._leaders: list[tuple[float, int, FrozenTrial]] = []
        told = (
            f"the first {dense:,} rows, of row n after them one in n / {dense:,}, all that were the best so far, the {BEST} best"
            f"{', the front' if objectives else ''}"
        )
        if study.user_attrs.get("shown") != told:
            study.set_user_attr("shown", told)

    @property
    def shown(self) -> int:
        return len(self._shown)

    def add(self, seen: Seen) -> None:
        """The rows of one record, those that are to be shown and are not yet."""
        for row, key in enumerate(seen.keys):
            self.rows += 1
            objective = float(seen.objective[row])
            leads = objective > self._best
            self._best = max(self._best, objective) if not math.isnan(objective) else self._best
            chosen = leads or int.from_bytes(key[:8]) / KEY_SPAN < self._dense / self.rows
            among_best = len(self._leaders) < BEST or objective > self._leaders[0][0]
            if chosen or (among_best and not math.isnan(objective)):
                trial = self._trial(seen, row)
                if chosen:
                    self._show(trial)
                if not math.isnan(objective):
                    self._lead(objective, trial)
        if self._signs:
            self._move_front(seen)

    def tell_rows(self) -> None:
        """How many rows the shown ones stand for."""
        if self._study.user_attrs.get("rows") != self.rows:
            self._study.set_user_attr("rows", self.rows)

    def add_best(self) -> None:
        """The `BEST` best rows seen, and the front, that are not shown yet."""
        for _, _, trial in sorted(self._leaders, key=lambda leader: -leader[1]):
            self._show(trial)
        for trial in self._front[1]:
            self._show(trial)

    def _lead(self, objective: float, trial: FrozenTrial) -> None:
        heapq.heappush(self._leaders, (objective, -self.rows, trial))
        if len(self._leaders) > BEST:
            heapq.heappop(self._leaders)

    def _move_front(self, seen: Seen) -> None:
        """With the rows of one record; of rows whose objectives are equal the first."""
        before, trials = self._front
        aims = np.concatenate([before, seen.aims])
        on = front(aims)
        on = on[np.sort(np.unique(aims[on], axis=0, return_index=True)[1])]
        known = len(before)
        self._front = aims[on], [trials[row] if row < known else self._trial(seen, row - known) for row in on.tolist()]

    def _show(self, trial: FrozenTrial) -> None:
        key = trial.user_attrs["key"]
        if key not in self._shown:
            self._study.add_trial(trial)
            self._shown.add(key)

    def _trial(self, seen: Seen, row: int) -> FrozenTrial:
        failed, pruned, now = bool(seen.failed[row]), bool(seen.pruned[row]), datetime.now(UTC)
        figures = {name: value for name, value in zip(FIGURES, seen.figures[row].tolist(), strict=True) if math.isfinite(value)}
        attrs = {"key": seen.keys[row].hex(), "island": seen.island, "batch": seen.number, "source": seen.source}
        if failed:
            attrs["reason"] = seen.reasons.get(row, WHY_NO_REASON)
        else:
            attrs |= figures
            if math.isfinite(seen.sharpe[row]):
                attrs["sharpe"] = float(seen.sharpe[row])
        values = [float(seen.objective[row])]
        system: dict[str, Any] = {}
        if self._signs and not failed:
            values = [sign * aim + 0.0 for sign, aim in zip(self._signs, seen.aims[row].tolist(), strict=False)]
            system = {CONSTRAINTS: [float(seen.aims[row, -1])]}
        trial = create_trial(
            state=TrialState.FAIL if failed else TrialState.PRUNED if pruned else TrialState.COMPLETE,
            values=None if failed or pruned else values,
            params={name: one.to_external_repr(seen.values[row, at]) for at, (name, one) in self._distributions.items()},
            distributions=dict(self._distributions.values()),
            user_attrs=attrs,
            system_attrs=system,
        )
        trial.datetime_start, trial.datetime_complete = now - timedelta(seconds=seen.wall_s), now
        return trial


def _direction(objective: str) -> StudyDirection:
    return StudyDirection.MINIMIZE if objective.startswith("-") else StudyDirection.MAXIMIZE


def distributions(space: Sequence[Mapping[str, Any]]) -> dict[int, tuple[str, BaseDistribution]]:
    """By variable: its name, and the span of its values (`Space.describe`), the user's present value included.

    Whole numbers stay whole; gaps between listed values are not kept, so that a plot's axis is one of numbers. Variables with
    one value are left out.
    """
    found: dict[int, tuple[str, BaseDistribution]] = {}
    for at, variable in enumerate(space):
        values = [*variable.get("values", (variable.get("low"), variable.get("high"))), variable["present"]]
        low, high = min(values), max(values)
        if low < high:
            whole = all(isinstance(value, int) for value in values)
            found[at] = f"self.vars[{at}]", IntDistribution(low, high) if whole else FloatDistribution(float(low), float(high))
    return found


def _cut_torn_line(path: Path) -> None:
    """What a killed watch left half written: Optuna does not read a journal whose last line is cut off."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)
            os.fsync(file.fileno())
