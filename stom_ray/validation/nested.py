"""Nested search: the whole search is repeated inside every fold, and its choice is scored once on the fold's test days.

What is judged is the procedure, not a row: every fold may choose another one. Several procedures (samplers, objectives, spaces)
are compared inside the train days, each on inner test days that it has not seen; the one chosen there searches all train days
anew. Test days are asked for once, after everything else. Folds are those of `PurgedKFold`, `CombinatorialPurgedCV` or
`WalkForward.folds`, outside and inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from stom_ray.conditions.ir import Strategy
from stom_ray.engine.types import EngineConfig, Floats, Ints, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.metrics.returns import sharpe
from stom_ray.search.evaluator import SerialEvaluator
from stom_ray.search.progress import ProgressCallback
from stom_ray.search.study import StudyConfig
from stom_ray.store.panel import Selection
from stom_ray.store.selection import on_days
from stom_ray.validation.splits import DayFold
from stom_ray.validation.walk_forward import EvaluatorOn, RunStudy, run_study, search_and_choose

INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Found:
    """What a search came up with. best: (1, n_vars). trials: rows it scored, failed ones too; sharpes: (trials,) theirs per day
    on the days searched. stopped_by: "done" or "time". objective: of best on the days searched, NaN where there is none."""

    best: ParamMatrix
    trials: int
    sharpes: Floats
    stopped_by: str = "done"
    objective: float = np.nan


class Search(Protocol):
    """Chooses a row by the days it is given, and by no other. folder: its own, for ledgers. None: interrupted."""

    def __call__(self, days: Ints, folder: Path) -> Found | None: ...


def train_and_valid(days: Ints, valid_days: int, gap_days: int) -> tuple[Ints, Ints]:
    """The earlier days, to search on, and the last ones, to choose on. Raises ConfigError when none are left to search on."""
    held = valid_days + gap_days if valid_days else 0
    if len(days) <= held:
        raise ConfigError(f"{len(days)} train days: {valid_days} valid + {gap_days} gap leave none to search; take larger folds")
    return days[: len(days) - held], days[len(days) - valid_days :]


@dataclass(frozen=True)
class StudySearch:
    """A study as a `Search`: over the days given, or with valid_days over the earlier of them, with the choice among its `top`
    best rows on the last `valid_days`, `gap_days` later (as a walk-forward window does it)."""

    config: StudyConfig
    evaluator_on: EvaluatorOn
    valid_days: int = 0
    gap_days: int = 0
    top: int = 20
    resume: bool = False
    progress: ProgressCallback | None = None
    study: RunStudy = run_study

    def __call__(self, days: Ints, folder: Path) -> Found | None:
        train, valid = train_and_valid(days, self.valid_days, self.gap_days)
        config = replace(self.config, subject={**self.config.subject, "days": train.tolist()})
        chosen = search_and_choose(
            config,
            train,
            valid,
            self.evaluator_on,
            folder / "ledger.bin",
            top=self.top,
            resume=self.resume,
            progress=self.progress,
            study=self.study,
        )
        if chosen is None:
            return None
        return Found(chosen.best, chosen.trials, chosen.sharpes, chosen.stopped_by, chosen.train.objective)


@dataclass(frozen=True)
class NestedFold:
    """search: name of the procedure chosen; inner: of each procedure the daily Sharpe ratio over its inner test days, empty
    when nothing was to be chosen. best: (1, n_vars). objective: as `Found`. test_profit: (n_test_days,) KRW, NaN when the row
    failed; figures: (15,), of the test days."""

    fold: DayFold
    search: str
    inner: dict[str, float]
    best: ParamMatrix
    objective: float
    test_profit: Floats
    figures: Floats


@dataclass(frozen=True)
class NestedResult:
    """folds: those that were finished. trials: rows scored by all searches, inner ones too; sharpes: (trials,) theirs.

    stopped_by: "done", "time" (some search was cut) or "interrupted". The profits of CPCV folds go together by
    `CombinatorialSplits.paths`.
    """

    folds: tuple[NestedFold, ...]
    trials: int
    sharpes: Floats
    stopped_by: str

    def stitched(self) -> tuple[Ints, Floats]:
        """Test days and their profit, in order. ConfigError when a day is tested more than once."""
        days = np.concatenate([np.empty(0, dtype=np.int64), *(fold.fold.test for fold in self.folds)])
        profit = np.concatenate([np.empty(0), *(fold.test_profit for fold in self.folds)])
        order = np.argsort(days, kind="stable")
        if np.any(np.diff(days[order]) == 0):
            raise ConfigError("some days are tested by several folds: put their profits together by CombinatorialSplits.paths")
        return days[order], profit[order]


def nested_search(
    folds: Sequence[DayFold],
    searches: Mapping[str, Search],
    evaluator_on: EvaluatorOn,
    folder: str | Path,
    *,
    inner: Callable[[Ints], Sequence[DayFold]] | None = None,
) -> NestedResult:
    """searches: procedures by name. inner: makes folds of a fold's train days, on which procedures are compared (the first among
    equals, and before one without a Sharpe ratio); needed when there are several, and not used for one.

    Each search has a folder of its own under `folder`: fold-01/NAME, fold-01/inner-01/NAME; one alone has fold-01.
    Neighbours in a list of train days with a hole may be far apart, so an inner purge drops rather too much. Raises ConfigError
    and what the searches raise.
    """
    if not searches or (len(searches) > 1 and inner is None):
        raise ConfigError(f"{len(searches)} searches: one needs no inner folds, several need them to be chosen from")
    run = _Nested(searches, evaluator_on, inner if len(searches) > 1 else None)
    found: list[NestedFold] = []
    for number, fold in enumerate(folds, 1):
        done = run.fold(fold, Path(folder) / f"fold-{number:02d}")
        if done is None:
            break
        found.append(done)
    return NestedResult(tuple(found), run.trials, np.concatenate([np.empty(0), *run.sharpes]), run.stopped_by)


def serial_evaluators(strategy: Strategy, selection: Selection, config: EngineConfig, *, threads: int = 1) -> EvaluatorOn:
    """Evaluators in this process over any trading days of a selection; rolling columns keep what was loaded."""

    @contextmanager
    def evaluator_on(days: Ints) -> Iterator[SerialEvaluator]:
        yield SerialEvaluator(strategy, on_days(selection, days), config, threads=threads)

    return evaluator_on


class _Nested:
    """Counts what all searches tried."""

    def __init__(
        self,
        searches: Mapping[str, Search],
        evaluator_on: EvaluatorOn,
        inner: Callable[[Ints], Sequence[DayFold]] | None,
    ) -> None:
        self._searches, self._evaluator_on, self._inner = searches, evaluator_on, inner
        self.trials = 0
        self.sharpes: list[Floats] = []
        self.stopped_by = "done"

    def fold(self, fold: DayFold, folder: Path) -> NestedFold | None:
        """None when a search was interrupted."""
        compared = self._compare(fold.train, folder)
        if compared is None:
            return None
        name = next(iter(self._searches))
        for other, value in compared.items():
            if value > compared[name] or (np.isnan(compared[name]) and not np.isnan(value)):
                name = other
        found = self._search(name, fold.train, folder)
        if found is None:
            return None
        profit, figures = self._score(found.best, fold.test)
        return NestedFold(fold, name, compared, found.best, found.objective, profit, figures)

    def _compare(self, train: Ints, folder: Path) -> dict[str, float] | None:
        """Sharpe ratio of every search over the inner test days, stitched together."""
        if self._inner is None:
            return {}
        profits: dict[str, list[Floats]] = {name: [] for name in self._searches}
        for number, fold in enumerate(self._inner(train), 1):
            for name, parts in profits.items():
                found = self._search(name, fold.train, folder / f"inner-{number:02d}")
                if found is None:
                    return None
                parts.append(self._score(found.best, fold.test)[0])
        return {name: float(sharpe(np.concatenate(parts))) for name, parts in profits.items()}

    def _search(self, name: str, days: Ints, folder: Path) -> Found | None:
        found = self._searches[name](days, folder / name if len(self._searches) > 1 else folder)
        if found is None:
            self.stopped_by = INTERRUPTED
            return None
        self.trials += found.trials
        self.sharpes.append(found.sharpes)
        self.stopped_by = found.stopped_by if found.stopped_by != "done" else self.stopped_by
        return found

    def _score(self, best: ParamMatrix, days: Ints) -> tuple[Floats, Floats]:
        with self._evaluator_on(days) as evaluator:
            table = evaluator.evaluate(best)
        if table.daily_profit.shape[1] != len(days):
            raise ConfigError(
                f"the evaluator over {len(days)} days scored {table.daily_profit.shape[1]}: it must be of these days"
            )
        return table.daily_profit[0], table.figures[0]
