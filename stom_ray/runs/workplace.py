"""Where studies run: this process, or Ray Tune islands over a Ray session. The results are the same."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stom_ray.engine.plans import HowRun
from stom_ray.engine.types import Ints
from stom_ray.errors import ConfigError
from stom_ray.metrics.stom import Fold
from stom_ray.runs.subject import Days, Subject
from stom_ray.search.evaluator import SerialEvaluator
from stom_ray.search.known_rows import KnownRows
from stom_ray.search.ledger import Ledger
from stom_ray.search.progress import Progress, ProgressCallback
from stom_ray.search.study import PRESENT, Study, StudyConfig, StudyResult, study_table
from stom_ray.store.panel import Selection
from stom_ray.store.selection import on_days
from stom_ray.validation.splits import WalkForward
from stom_ray.validation.stom_splits import list_days
from stom_ray.validation.walk_forward import DayEvaluator, RunStudy, WalkForwardResult, stom_walk_forward, walk_forward

Say = Callable[[str], None]
NO_WALK_FORWARD = "the configuration has no walk_forward section: add one, `walk_forward: {train_days: 10, test_days: 2}`"


class PlacedEvaluator(SerialEvaluator):
    """Remembers what it scores, so that a study can be sent to where its islands are."""

    def __init__(self, subject: Subject, selection: Selection, folds: Sequence[Fold]) -> None:
        execution = subject.config.execution
        super().__init__(
            subject.strategy,
            selection,
            subject.engine,
            threads=execution.workers,
            # Over Ray this one scores what the report needs, here, where there may be no GPU.
            backend=execution.kernel if execution.backend == "serial" else "cpu",
            folds=folds,
            max_memory=execution.memory(1),
        )
        self.selection, self.folds = selection, tuple(folds)


class Workplace:
    """Use in a `with`: a Ray session that it starts ends with it. `how`: how the rows of its studies were run."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self._execution = subject.config.execution
        self._stack = contextlib.ExitStack()
        self.how: HowRun | None = None

    def __enter__(self) -> Workplace:
        if self._execution.backend == "ray":
            from stom_ray.distributed.session import session

            self._stack.enter_context(session(self._execution.ray_address, num_cpus=self._execution.workers))
        return self

    def __exit__(self, *exc: Any) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def evaluator(self, days: Days | None, folds: Sequence[Fold] = ()) -> Iterator[PlacedEvaluator]:
        """Over all selected days, or these (yyyymmdd, inclusive). It scores in this process; a study's rows may go elsewhere."""
        selection = self.subject.selection if days is None else self.subject.on(days)
        yield PlacedEvaluator(self.subject, selection, folds)

    @contextlib.contextmanager
    def evaluator_on(self, days: Ints) -> Iterator[PlacedEvaluator]:
        """As `evaluator`, over these trading days (yyyymmdd), consecutive or not."""
        yield PlacedEvaluator(self.subject, on_days(self.subject.selection, days), ())

    def study(
        self, config: StudyConfig, evaluator: DayEvaluator, ledger: Path, resume: bool, progress: ProgressCallback | None
    ) -> StudyResult:
        """Run one study to its end. `evaluator` is one of `self.evaluator`."""
        result = self._study(config, evaluator, ledger, resume, progress)
        if result.how is not None:
            self.how = result.how if self.how is None else self.how.and_then(result.how)
        return result

    def _study(
        self, config: StudyConfig, evaluator: DayEvaluator, ledger: Path, resume: bool, progress: ProgressCallback | None
    ) -> StudyResult:
        if self._execution.backend == "serial":
            return Study(config, evaluator, ledger).run(resume=resume, progress=progress)
        if not isinstance(evaluator, PlacedEvaluator):
            raise TypeError(f"a study over Ray needs an evaluator of Workplace.evaluator, not {type(evaluator).__name__}")
        from stom_ray.distributed.islands import run_islands
        from stom_ray.distributed.optuna_search import run_optuna_search
        from stom_ray.distributed.tuning import Subject as Shipped

        run = run_optuna_search if config.sampler == "optuna" else run_islands
        limit = self._execution.memory(self._execution.workers)
        shipped = Shipped(
            self.subject.strategy,
            evaluator.selection,
            self.subject.engine,
            self._execution.kernel,
            folds=evaluator.folds,
            max_memory=limit,
        )
        return run(config, shipped, ledger, workers=self._execution.workers, resume=resume, progress=progress)

    def search(self, folder: Path, *, resume: bool, say: Say) -> StudyResult:
        """The run's study over all selected days."""
        with self.evaluator(None) as evaluator:
            ledger = folder / "search" / "ledger.bin"
            return self.study(self.subject.study_config(), evaluator, ledger, resume, telling("search", say))

    def recorded(self, folder: Path, stopped_by: str, seconds: float) -> StudyResult | None:
        """The run's study as its ledger has it, nothing evaluated; None when there is none. A full budget counts as done."""
        ledger = folder / "search" / "ledger.bin"
        if not ledger.exists():
            return None
        config = self.subject.study_config()
        result = _replayed(config, self.subject.days, ledger, stopped_by, seconds)
        return replace(result, stopped_by="done") if _asked(Ledger.read(ledger)) >= config.evaluations else result

    def walk_forward_recorded(self, folder: Path, windows: int, stopped_by: str) -> WalkForwardResult:
        """The first `windows` windows as their ledgers have them: nothing is searched, the chosen rows are scored again."""
        return self.walk_forward(folder, resume=True, say=lambda _: None, study=replaying(windows, stopped_by))

    def walk_forward(self, folder: Path, *, resume: bool, say: Say, study: RunStudy | None = None) -> WalkForwardResult:
        """Raises ConfigError when the days do not suffice, with the arithmetic. `study`: runs each window (`self.study`)."""
        settings = self.subject.config.walk_forward
        if settings is None:
            raise ConfigError(NO_WALK_FORWARD)
        place, days, config = folder / "walk-forward", self.subject.days, self.subject.study_config()
        config = replace(config, evaluations=settings.evaluations or config.evaluations)
        told, run = telling("walk-forward", say), study or self.study
        if settings.scheme == "stom":
            variant = "RV" if settings.weeks[1] else "R"
            splits = list_days(variant, int(days[-1]), settings.weeks, days)
            return stom_walk_forward(config, splits, days, self.evaluator, place, resume=resume, progress=told, study=run)
        purge = self.subject.purge
        assert purge is not None  # only STOM's own split has none
        windows = WalkForward(
            train_days=settings.train_days,
            test_days=settings.test_days,
            valid_days=settings.valid_days,
            step_days=settings.step_days,
            purge_days=purge["days"],
            embargo_days=settings.embargo_days,
            anchored=settings.scheme == "anchored",
        ).split(days)
        return walk_forward(
            config,
            windows,
            self.evaluator,
            place,
            scheme=settings.scheme,
            top=settings.top,
            resume=resume,
            progress=told,
            study=run,
        )


def _asked(ledger: Ledger) -> int:
    """Rows that count against the budget: of each island the distinct ones, the user's present values aside."""
    asked: dict[int, KnownRows] = {}
    for batch in ledger.batches:
        asked.setdefault(batch.island, KnownRows()).add(batch.keys, np.zeros(len(batch.keys)))
    present = list(asked.pop(PRESENT, ()))
    return sum(len(rows) - int((rows.places(present) >= 0).sum()) for rows in asked.values())


def replaying(studies: int, stopped_by: str) -> RunStudy:
    """Takes so many studies from their ledgers, then says that it was interrupted. Nothing is evaluated."""
    rest = iter([stopped_by if stopped_by == "time" else "done"] * studies)

    def replay(
        config: StudyConfig, evaluator: DayEvaluator, ledger: Path, resume: bool, progress: ProgressCallback | None
    ) -> StudyResult:
        return _replayed(config, evaluator.days, ledger, next(rest, "interrupted"), 0.0)

    return replay


def _replayed(config: StudyConfig, days: Ints, ledger: Path, stopped_by: str, seconds: float) -> StudyResult:
    """A study out of its ledger; without a ledger one that scored nothing, on these days."""
    book = Ledger.read(ledger) if ledger.exists() else None
    table = study_table(config, book)
    ended, daily = (None,) * config.islands, book.daily if book else np.empty((0, len(days)), dtype=np.float32)
    return StudyResult(config.study_id, table, ended, stopped_by, 0, 0, seconds, 0.0, 0.0, daily, days)


def telling(what: str, say: Say) -> ProgressCallback:
    def told(progress: Progress) -> None:
        say(f"{what}: {progress.render()}")

    return told
