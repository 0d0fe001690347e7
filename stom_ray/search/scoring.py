"""From rows to scores: every row gets a finite objective, a failure with its reason, or is pruned on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from stom_ray.engine.plans import HowRun
from stom_ray.engine.types import Floats, Ints, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.search.base import FIGURES, ScoreTable
from stom_ray.search.halving import Halving, told_of
from stom_ray.search.ledger_batch import Scores
from stom_ray.search.samplers import batch_rng
from stom_ray.search.space import take


class Goal(Protocol):
    """Turns figures into the one number that is searched for; higher is better. It may have aims that are weighed besides."""

    @property
    def width(self) -> int:
        """Columns of `aims`, 0 for a goal of one objective."""
        ...

    def searched(self, table: ScoreTable, params: ParamMatrix) -> Floats:
        """(n,) objective of these rows; NaN or infinite where there is none."""
        ...

    def aims(self, table: ScoreTable, params: ParamMatrix) -> Floats:
        """(n, width) objectives and last the violation of limits, as `search.front` has them."""
        ...

    def sharpe(self, table: ScoreTable) -> Floats:
        """(n,) Sharpe ratio per day, NaN where there is none."""
        ...

    def on_some_days(self) -> Self:
        """By what rows are compared that were run on some of the days only: without limits, which are about all of them."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """As JSON data, for the identity."""
        ...


class TimedEvaluator(Protocol):
    """An `Evaluator` (search/base.py) that says what its time went into.

    ticks: rows of the selection, each seen once per candidate. days: yyyymmdd, the columns of its daily profit. kernel_s: wall
    seconds spent in kernels since it was made (of several workers: their mean). how: backend and plans of everything since.
    """

    @property
    def ticks(self) -> int: ...

    @property
    def days(self) -> Ints: ...

    @property
    def kernel_s(self) -> float: ...

    @property
    def how(self) -> HowRun | None: ...

    def evaluate(self, params: ParamMatrix) -> ScoreTable: ...


@runtime_checkable
class PartEvaluator(Protocol):
    """A `TimedEvaluator` that can run rows on some of its days."""

    def on_days(self, days: Ints) -> TimedEvaluator:
        """Over these days (yyyymmdd) only. Its time, and how it ran, count as this one's too."""
        ...


class Scorer:
    """Scores the batches of a study, with its rungs where it has `Halving`. A rung's data are bound once, on first use."""

    def __init__(self, goal: Goal, halving: Halving | None, seed: int, evaluator: TimedEvaluator) -> None:
        """ConfigError when a rung has as many days as the evaluator, or this kind of evaluator has no rungs."""
        self._goal, self._halving, self._seed, self._evaluator = goal, halving, seed, evaluator
        self._rungs: list[TimedEvaluator] = []
        if halving is not None:
            rungs = halving.rungs(evaluator.days)
            if not isinstance(evaluator, PartEvaluator):
                raise ConfigError(
                    f"halving needs an evaluator that runs rows on some days, which {type(evaluator).__name__} does not: "
                    "take the serial one, or islands over Ray"
                )
            self._rungs = [evaluator.on_days(days) for days in rungs]

    def score(self, params: ParamMatrix, island: int, batch: int) -> tuple[Scores, Floats]:
        """Scores of these rows of a batch, and their marks (n, 1 + m), what samplers are told of them.

        island -1 is the user's present values, which nothing prunes.
        """
        if self._halving is None or island < 0 or len(params) == 0:
            scores = score_rows(self._evaluator, self._goal, params, rungs=len(self._rungs))
            return scores, scores.marks
        scores = self._pruned(self._halving, params, batch_rng(self._seed, island, batch).spawn(1)[0])
        told = told_of(scores.objective, scores.fell, scores.pruned, scores.early)
        return scores, np.concatenate([told[:, None], scores.aims], axis=1)

    def _pruned(self, halving: Halving, params: ParamMatrix, rng: np.random.Generator) -> Scores:
        found = nothing_of(len(params), self._goal.width, len(self._evaluator.days), len(self._rungs))
        running, controls = np.arange(len(params)), np.empty(0, dtype=np.int64)
        goal, reasons = self._goal.on_some_days(), dict(found.reasons)
        for number, rung in enumerate(self._rungs):
            part = take(params, running)
            table = rung.evaluate(part)
            found.early[running, number] = np.where(table.failed, np.nan, goal.searched(table, part))
            columns = np.searchsorted(self._evaluator.days, rung.days)
            ends = np.flatnonzero(table.failed)
            found.failed[running[ends]] = True
            reasons |= {int(running[row]): table.reasons[row] for row in ends.tolist()}
            alive = np.flatnonzero(~table.failed)
            on, out = (alive[rows] for rows in halving.first_out(found.early[running[alive], number]))
            found.fell[running[out]] = number + 1
            drawn = rng.random(len(out)) < halving.controls
            stopped = out[~drawn]
            rows = running[stopped]
            found.pruned[rows] = True
            found.figures[rows], found.sharpe[rows] = table.figures[stopped], goal.sharpe(table)[stopped]
            found.daily[np.ix_(rows, columns)] = table.daily_profit[stopped]
            controls = np.concatenate([controls, running[out[drawn]]])
            running = running[on]
        rows = np.sort(np.concatenate([running, controls]))
        whole = score_rows(self._evaluator, self._goal, take(params, rows), rungs=0)
        for name in ("figures", "objective", "aims", "sharpe", "failed", "daily"):
            getattr(found, name)[rows] = getattr(whole, name)
        reasons |= {int(rows[row]): text for row, text in whole.reasons.items()}
        return Scores(**{**vars(found), "reasons": reasons})


def score_rows(evaluator: TimedEvaluator, goal: Goal, params: ParamMatrix, *, rungs: int = 0) -> Scores:
    """Evaluate rows on all days and make every one of them either a finite objective or a failure with its reason.

    rungs: columns of `Scores.early`, which these rows were never run for.
    """
    found = nothing_of(len(params), goal.width, len(evaluator.days), rungs)
    if len(params) == 0:
        return found
    table = evaluator.evaluate(params)
    objective = np.where(table.failed, np.nan, goal.searched(table, params))
    reasons = dict(table.reasons)
    for row in np.flatnonzero(~table.failed & ~np.isfinite(objective)):
        reasons[int(row)] = f"the objective is {objective[row]}: no finite number to compare"
    failed = ~np.isfinite(objective)
    return Scores(
        figures=table.figures,
        objective=np.where(failed, np.nan, objective),
        aims=np.where(failed[:, None], np.nan, goal.aims(table, params)),
        sharpe=np.where(failed, np.nan, goal.sharpe(table)),
        failed=failed,
        pruned=found.pruned,
        fell=found.fell,
        early=found.early,
        daily=np.where(failed[:, None], np.nan, table.daily_profit).astype(np.float32),
        reasons=reasons,
    )


def nothing_of(n: int, aims: int, days: int, rungs: int) -> Scores:
    """n rows of which nothing is known."""
    return Scores(
        figures=np.full((n, len(FIGURES)), np.nan),
        objective=np.full(n, np.nan),
        aims=np.full((n, aims), np.nan),
        sharpe=np.full(n, np.nan),
        failed=np.zeros(n, dtype=np.bool_),
        pruned=np.zeros(n, dtype=np.bool_),
        fell=np.zeros(n, dtype=np.int64),
        early=np.full((n, rungs), np.nan),
        daily=np.full((n, days), np.nan, dtype=np.float32),
    )
