"""A study: islands of batches over one evaluator, with the ledger as the truth."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stom_ray.engine.plans import HowRun
from stom_ray.engine.types import Floats, Ints, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.search.daily_file import Returns
from stom_ray.search.halving import Halving
from stom_ray.search.island import ONE_SEQUENCE, Asked, Island, IslandPlan, SamplerName
from stom_ray.search.ledger import Batch, Ledger
from stom_ray.search.progress import Meter, ProgressCallback
from stom_ray.search.scoring import Goal, Scorer, TimedEvaluator
from stom_ray.search.space import Space, parameter_keys, take
from stom_ray.search.table import TrialTable, trial_table

PRESENT = -1


@dataclass(frozen=True)
class StudyConfig:
    """What a study is, and when it stops.

    subject: what the evaluator scores (data hash, strategy hash, engine settings), as JSON data. migrate_every: after so many
    batches every island learns the best row of all (0: never). halving: batches are pruned on some of the days. These, space,
    sampler, seed, islands and batch size are the identity. The stops are not: the same study may be resumed with a larger budget.
    evaluations: distinct rows over all islands, pruned ones too, the present values not counted. patience: batches without a
    better objective after which an island ends. time_limit_s cuts at a batch border; at which one depends on the machine.
    """

    space: Space
    goal: Goal
    subject: Mapping[str, Any]
    sampler: SamplerName = "random"
    options: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0
    islands: int = 1
    batch_size: int = 200
    migrate_every: int = 0
    halving: Halving | None = None
    evaluations: int = 1_000
    patience: int | None = None
    time_limit_s: float | None = None

    def __post_init__(self) -> None:
        for name, low in (("seed", 0), ("islands", 1), ("batch_size", 1), ("migrate_every", 0), ("evaluations", 1)):
            if getattr(self, name) < low:
                raise ConfigError(f"{name} is {getattr(self, name)}: expected at least {low}")
        if self.sampler in ONE_SEQUENCE and self.islands != 1:
            raise ConfigError(f"islands is {self.islands}, but sampler {self.sampler} is one sequence: set islands to 1")
        if self.halving is not None and self.sampler == "optuna":
            raise ConfigError("halving compares the rows of a batch, and sampler optuna asks for one at a time: take another one")
        if self.halving is not None and self.goal.width:
            raise ConfigError(
                "halving keeps the best of a batch by one objective, and the goal has several: leave one of both out"
            )
        if self.islands > self.evaluations:
            raise ConfigError(f"{self.islands} islands for {self.evaluations} evaluations: every island needs at least one")

    def identity(self) -> dict[str, Any]:
        """All that determines which rows are asked for and what they score."""
        return {
            "subject": dict(self.subject),
            "space": self.space.describe(),
            "goal": dict(self.goal.describe()),
            "sampler": self.sampler,
            "options": dict(self.options),
            "seed": self.seed,
            "islands": self.islands,
            "batch_size": self.batch_size,
            "migrate_every": self.migrate_every,
            "halving": None if self.halving is None else self.halving.describe(),
        }

    @property
    def study_id(self) -> str:
        """32 hex digits of the identity's SHA-256."""
        text = json.dumps(self.identity(), sort_keys=True, ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def rungs(self) -> tuple[int, ...]:
        """On how many days rows are run before they are run on all; without halving nothing."""
        return () if self.halving is None else self.halving.days

    def plans(self) -> list[IslandPlan]:
        """One per island; the evaluations are dealt out evenly, the first islands get what is left over."""
        share, extra = divmod(self.evaluations, self.islands)
        return [
            IslandPlan(
                space=self.space,
                sampler=self.sampler,
                seed=self.seed,
                number=number,
                batch_size=self.batch_size,
                evaluations=share + (number < extra),
                patience=self.patience,
                options=self.options,
                aims=self.goal.width,
            )
            for number in range(self.islands)
        ]


@dataclass(frozen=True)
class StudyResult:
    """table: every row ever scored by the study. ended: why each island stopped; None = it did not.

    daily: (n_trials, n_days) float32, KRW by day of the sale, mapped from the file beside the ledger: row `table.daily_row[i]` is
    that of table row i. NaN: all days of a failed row, and days that a pruned one was not run on. days: (n_days,) yyyymmdd.
    stopped_by: "done", "time" or "interrupted" (Ctrl-C; what was scored is kept). scored_now: rows this run scored, the others
    came from the ledger. cut_bytes: length of a torn record that opening the ledger dropped (0: none). kernel, sampler: shares of
    wall_s. how: how those rows were run, None when there was nothing to score.
    """

    study_id: str
    table: TrialTable
    ended: tuple[str | None, ...]
    stopped_by: str
    scored_now: int
    cut_bytes: int
    wall_s: float
    kernel: float
    sampler: float
    daily: Returns
    days: Ints
    how: HowRun | None = None


class Study:
    """Runs a `StudyConfig` with an evaluator in this process; several workers are the evaluator's business.

    ledger: path of the file; made by the first run.
    """

    def __init__(self, config: StudyConfig, evaluator: TimedEvaluator, ledger: str | Path) -> None:
        self.config = config
        self._evaluator = evaluator
        self._path = Path(ledger)

    def run(self, *, resume: bool = False, progress: ProgressCallback | None = None) -> StudyResult:
        """Until every island has ended, the time is up, or Ctrl-C. With `resume` a study that is there is continued.

        Raises LedgerError (there already and not `resume`; of another study; damaged; cannot be written), ConfigError for halving
        on more days than there are.
        """
        scorer = Scorer(self.config.goal, self.config.halving, self.config.seed, self._evaluator)
        with open_ledger(self._path, self.config, self._evaluator.days, resume=resume) as ledger:
            run = _Run(self.config, self._evaluator, scorer, ledger, progress)
            stopped_by = "interrupted"
            # After Ctrl-C the ledger holds every finished batch, and the result says so.
            with contextlib.suppress(KeyboardInterrupt):
                stopped_by = run.to_the_end()
            return run.result(stopped_by)


class _Run:
    """One call of `Study.run`: the loop, which walks recorded batches and new ones alike."""

    def __init__(
        self,
        config: StudyConfig,
        evaluator: TimedEvaluator,
        scorer: Scorer,
        ledger: Ledger,
        progress: ProgressCallback | None,
    ) -> None:
        self._config, self._evaluator, self._ledger, self._progress = config, evaluator, ledger, progress
        self._scorer = scorer
        self._meter = Meter()
        self._islands = [Island(plan) for plan in config.plans()]
        self._best: tuple[Floats, ParamMatrix] | None = None

    def to_the_end(self) -> str:
        self._score_present()
        number = 0
        while any(island.ended is None for island in self._islands):
            for island in self._islands:
                if self._config.time_limit_s is not None and self._meter.elapsed_s >= self._config.time_limit_s:
                    return "time"
                self._step(island)
            number += 1
            if self._config.migrate_every and number % self._config.migrate_every == 0:
                self._migrate()
        return "done"

    def result(self, stopped_by: str) -> StudyResult:
        meter, wall = self._meter, max(self._meter.elapsed_s, 1e-9)
        return StudyResult(
            study_id=self._ledger.study_id,
            table=study_table(self._config, self._ledger),
            ended=tuple(island.ended for island in self._islands),
            stopped_by=stopped_by,
            scored_now=meter.scored,
            cut_bytes=self._ledger.cut_bytes,
            wall_s=wall,
            kernel=min(1.0, meter.kernel_s / wall),
            sampler=min(1.0, meter.sampler_s / wall),
            daily=self._ledger.daily,
            days=self._ledger.days,
            how=self._evaluator.how if meter.scored else None,
        )

    def _score_present(self) -> None:
        params = self._config.space.present
        batch = self._ledger.batch(PRESENT, 0)
        if batch is None:
            asked = Asked(0, params, parameter_keys(params), np.zeros(1, dtype=np.int64))
            batch = self._evaluate(PRESENT, "present", asked, lambda marks: marks)
        self._remember_best(params, batch.marks)
        for island in self._islands:
            island.inform(params, batch.marks)

    def _step(self, island: Island) -> None:
        batch = self._ledger.batch(island.plan.number, island.next_batch)
        if batch is None:
            with self._meter.sampling():
                asked = island.ask()
            if asked is None:
                return
            batch = self._evaluate(island.plan.number, island.sampler.source, asked, partial(island.known, asked))
            self._tell(island, batch)
            self._report()
        else:
            self._tell(island, batch)

    def _tell(self, island: Island, batch: Batch) -> None:
        with self._meter.sampling():
            island.tell(batch.params, batch.keys, batch.marks)
        self._remember_best(batch.params, batch.marks)

    def _evaluate(self, island: int, source: str, asked: Asked, whole: Callable[[Floats], Floats]) -> Batch:
        """whole: marks of all rows asked for, from those of `asked.rows`."""
        fresh = [asked.keys[row] for row in asked.rows]
        # A row that another island's batch pruned may be among the best of this one.
        new = self._ledger.unknown(fresh) if self._config.halving is None else np.arange(len(fresh))
        rows = asked.rows[new]
        start, kernel = time.perf_counter(), self._evaluator.kernel_s
        scores, found = self._scorer.score(take(asked.params, rows), island, asked.number)
        wall = time.perf_counter() - start
        self._meter.kernel_s += self._evaluator.kernel_s - kernel
        self._meter.scored += len(rows)
        marks = np.empty((len(fresh), 1 + self._config.goal.width))
        old = np.setdiff1d(np.arange(len(fresh)), new)
        marks[new], marks[old] = found, self._ledger.marks([fresh[row] for row in old])
        batch = self._ledger.append(island, asked.number, source, asked.params, asked.keys, whole(marks), rows, scores, wall)
        assert batch is not None
        return batch

    def _remember_best(self, params: ParamMatrix, marks: Floats) -> None:
        """The first row with the highest objective, in the order of batches and islands."""
        if np.isnan(marks[:, 0]).all():
            return
        row = int(np.nanargmax(marks[:, 0]))
        if self._best is None or marks[row, 0] > self._best[0][0, 0]:
            self._best = (marks[row : row + 1], take(params, np.array([row])))

    def _migrate(self) -> None:
        if self._best is not None:
            for island in self._islands:
                island.inform(self._best[1], self._best[0])

    def _report(self) -> None:
        if self._progress is not None:
            best = None if self._best is None else (float(self._best[0][0, 0]), tuple(self._best[1].values[0].tolist()))
            planned = max(len(self._ledger), self._config.evaluations + 1)
            self._progress(self._meter.progress(len(self._ledger), planned, best, self._evaluator.ticks, self._ledger.pruned))


def open_ledger(path: Path, config: StudyConfig, days: Ints, *, resume: bool) -> Ledger:
    """Create the study's ledger, or with `resume` continue the one that is there. Raises LedgerError."""
    if resume and path.exists():
        return Ledger.open(path, config.study_id, config.identity())
    per_island = config.halving is not None
    return Ledger.create(path, config.study_id, config.identity(), days, config.goal.width, per_island=per_island)


def study_table(config: StudyConfig, ledger: Ledger | None) -> TrialTable:
    """What a study's ledger holds; without one nothing."""
    return trial_table(ledger.batches if ledger else [], len(config.space.variables), config.goal.width, config.rungs)
