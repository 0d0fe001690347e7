"""Walk-forward: search on train, choose on valid, score once on test, window after window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from stom_ray.engine.types import Floats, Ints, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.metrics.objectives import NO_TRADES
from stom_ray.metrics.returns import sharpe
from stom_ray.metrics.stom import Fold
from stom_ray.search.goal import StomGoal
from stom_ray.search.progress import ProgressCallback
from stom_ray.search.scoring import TimedEvaluator
from stom_ray.search.study import Study, StudyConfig, StudyResult
from stom_ray.search.table import TrialTable
from stom_ray.validation.overfitting import DeflatedSharpe, deflated_sharpe_of
from stom_ray.validation.splits import Window
from stom_ray.validation.stom_splits import WARNING, DayRange, StomSplit

Scheme = Literal["rolling", "anchored", "stom"]
Days = tuple[int, int]


class DayEvaluator(TimedEvaluator, Protocol):
    """An evaluator that knows the trading days (yyyymmdd) behind the columns of its daily profit."""

    @property
    def days(self) -> Ints: ...


class EvaluatorFor(Protocol):
    """Makes an evaluator over the days first..last (yyyymmdd, inclusive), for use in a `with`; folds as in `SerialEvaluator`."""

    def __call__(self, days: Days, folds: Sequence[Fold] = ()) -> AbstractContextManager[DayEvaluator]: ...


EvaluatorOn = Callable[[Ints], AbstractContextManager[DayEvaluator]]
RunStudy = Callable[[StudyConfig, DayEvaluator, Path, bool, ProgressCallback | None], StudyResult]


@dataclass(frozen=True)
class Scored:
    """One row over some days. figures: (15,). daily_profit: (n_days,) KRW. objective: limits bind only where it was searched."""

    days: Ints
    figures: Floats
    daily_profit: Floats
    objective: float


@dataclass(frozen=True)
class Chosen:
    """best: (1, n_vars) the row chosen; rank: its place on train, 0 = first. valid: None without valid days.

    trials: rows scored on train, failed ones too. sharpes: (trials,) per day on train. stopped_by: of the study, done or time.
    """

    best: ParamMatrix
    rank: int
    train: Scored
    valid: Scored | None
    trials: int
    sharpes: Floats
    stopped_by: str


@dataclass(frozen=True)
class WindowResult:
    """Fields as in `Chosen`. valid: None when the window has no valid days."""

    window: Window
    best: ParamMatrix
    rank: int
    train: Scored
    valid: Scored | None
    test: Scored
    trials: int
    sharpes: Floats


@dataclass(frozen=True)
class WalkForwardResult:
    """days, daily_profit: the test days of all windows stitched together, KRW. trials: over all windows.

    deflated: of the stitched profit, against the best of that many trials without skill; None with the reason in `warnings` where
    it cannot be computed. stopped_by: "done", "time" (a window's study was cut, its best so far went on) or "interrupted";
    windows are those that were finished.
    """

    scheme: Scheme
    windows: tuple[WindowResult, ...]
    days: Ints
    daily_profit: Floats
    trials: int
    deflated: DeflatedSharpe | None
    warnings: tuple[str, ...]
    stopped_by: str

    @property
    def sharpe(self) -> float:
        """Per day, of the stitched daily profit (KRW, so of any fixed capital); NaN when it does not vary."""
        return float(sharpe(self.daily_profit))


def run_study(
    config: StudyConfig, evaluator: DayEvaluator, ledger: Path, resume: bool, progress: ProgressCallback | None
) -> StudyResult:
    """A window's study in this process; `distributed.islands` offers the same over Ray Tune."""
    return Study(config, evaluator, ledger).run(resume=resume, progress=progress)


def walk_forward(
    config: StudyConfig,
    windows: Sequence[Window],
    evaluator_for: EvaluatorFor,
    folder: str | Path,
    *,
    scheme: Scheme = "rolling",
    top: int = 20,
    resume: bool = False,
    progress: ProgressCallback | None = None,
    study: RunStudy = run_study,
) -> WalkForwardResult:
    """One study a window, each with a ledger of its own under `folder` (window-01/ledger.bin …).

    The `top` best rows of train that keep the limits and trade are scored on valid and the best there is chosen (ties: the better
    on train); without valid days, or when no row is eligible, the best of train. Only that row is scored on test. The goal must
    be a `StomGoal`. Raises ConfigError, LedgerError and what the engine raises.
    """
    goal = _goal(config)
    found: list[WindowResult] = []
    stopped_by = "done"

    def evaluator_on(days: Ints) -> AbstractContextManager[DayEvaluator]:
        return evaluator_for(_span(days))

    for number, window in enumerate(windows, 1):
        ledger = Path(folder) / f"window-{number:02d}" / "ledger.bin"
        chosen = search_and_choose(
            _for_days(config, window.train),
            window.train,
            window.valid,
            evaluator_on,
            ledger,
            top=top,
            resume=resume,
            progress=progress,
            study=study,
        )
        if chosen is None:
            stopped_by = "interrupted"
            break
        stopped_by = chosen.stopped_by if chosen.stopped_by != "done" else stopped_by
        with evaluator_on(window.test) as evaluator:
            test = _score(evaluator, goal, chosen.best, "TEST")[0]
        found.append(
            WindowResult(window, chosen.best, chosen.rank, chosen.train, chosen.valid, test, chosen.trials, chosen.sharpes)
        )
    return _stitched(scheme, found, stopped_by, ())


def search_and_choose(
    config: StudyConfig,
    train: Ints,
    valid: Ints,
    evaluator_on: EvaluatorOn,
    ledger: Path,
    *,
    top: int = 20,
    resume: bool = False,
    progress: ProgressCallback | None = None,
    study: RunStudy = run_study,
) -> Chosen | None:
    """A study over the train days, then the choice that `walk_forward` describes; None when the study was interrupted.

    train, valid: trading days, consecutive or not; no other day is asked of `evaluator_on`.
    """
    goal = _goal(config)
    if top < 1:
        raise ConfigError(f"top is {top}: expected at least 1")
    with evaluator_on(train) as evaluator:
        result = study(config, evaluator, ledger, resume, progress)
        if result.stopped_by == "interrupted":
            return None
        candidates = _candidates(result.table, top if len(valid) else 1, train)
        on_train = _score(evaluator, goal, candidates, "TRAIN")
    rank, on_valid = _choose(candidates, valid, evaluator_on, goal)
    best = _rows(candidates, [rank])
    return Chosen(best, rank, on_train[rank], on_valid, len(result.table), result.table.sharpe, result.stopped_by)


def stom_walk_forward(
    config: StudyConfig,
    splits: Sequence[StomSplit],
    trading_days: Ints,
    evaluator_for: EvaluatorFor,
    folder: str | Path,
    *,
    resume: bool = False,
    progress: ProgressCallback | None = None,
    study: RunStudy = run_study,
) -> WalkForwardResult:
    """STOM's own (validation/stom_splits), for comparison: searched once, on the last window, by train × valid, and the values
    found are replayed over the earlier windows. The result carries the warning.
    """
    goal = _goal(config)
    last = splits[-1]
    folds = [side for pair in last.folds() for side in pair]
    train_days = _inside(trading_days, last.train)
    with evaluator_for(_span(train_days), folds) as evaluator:
        settings = {"split": "stom", "folds": [list(vars(fold).values()) for fold in folds]}
        searched = _for_days(config, train_days)
        searched = replace(searched, subject={**searched.subject, **settings})
        result = study(searched, evaluator, Path(folder) / "stom" / "ledger.bin", resume, progress)
    if result.stopped_by == "interrupted":
        return _stitched("stom", [], result.stopped_by, (WARNING,))
    found = []
    for split in splits:
        valid_days = _inside(trading_days, split.valid[0]) if split.valid else trading_days[:0]
        window = Window(_inside(trading_days, split.train), valid_days, _inside(trading_days, split.test))
        row = _candidates(result.table, 1, window.train)
        parts = []
        for days in (window.train, window.valid, window.test):
            if len(days):
                with evaluator_for(_span(days)) as evaluator:
                    parts.append(_score(evaluator, goal, row, "TRAIN" if days is window.train else "TEST")[0])
        valid = parts[1] if len(window.valid) else None
        counted = (len(result.table), result.table.sharpe) if split is last else (0, result.table.sharpe[:0])
        found.append(WindowResult(window, row, 0, parts[0], valid, parts[-1], *counted))
    return _stitched("stom", found, result.stopped_by, (WARNING,))


def _goal(config: StudyConfig) -> StomGoal:
    if not isinstance(config.goal, StomGoal):
        raise ConfigError(f"walk-forward needs one of STOM's objectives as its goal, not {type(config.goal).__name__}")
    return config.goal


def _for_days(config: StudyConfig, days: Ints) -> StudyConfig:
    return replace(config, subject={**config.subject, "days": [int(days[0]), int(days[-1])]})


def _span(days: Ints) -> Days:
    return int(days[0]), int(days[-1])


def _inside(days: Ints, part: DayRange) -> Ints:
    return days[(days >= part.first) & (days <= part.last)]


def _rows(params: ParamMatrix, rows: Sequence[int]) -> ParamMatrix:
    return ParamMatrix(params.values[rows], params.is_float[rows])


def _candidates(table: TrialTable, n: int, train: Ints) -> ParamMatrix:
    best = table.best(n)
    if len(best) == 0:
        why = next(iter(table.reasons.values()), "")
        raise ConfigError(f"train days {_span(train)}: every one of {len(table)} rows failed, for example: {why}")
    eligible = table.objective[best] > NO_TRADES
    return table.rows(best[eligible] if eligible.any() else best[:1])


def _choose(candidates: ParamMatrix, valid: Ints, evaluator_on: EvaluatorOn, goal: StomGoal) -> tuple[int, Scored | None]:
    """Place of the chosen row among the candidates, and its valid score."""
    if len(valid) == 0:
        return 0, None
    with evaluator_on(valid) as evaluator:
        scored = _score(evaluator, goal, candidates, "VALID")
    objective = np.array([item.objective for item in scored])
    chosen = int(np.argmax(np.where(np.isnan(objective), -np.inf, objective)))
    return chosen, scored[chosen]


def _score(evaluator: DayEvaluator, goal: StomGoal, params: ParamMatrix, kind: Literal["TRAIN", "VALID", "TEST"]) -> list[Scored]:
    table = evaluator.evaluate(params)
    objective = goal.score(table, kind)
    return [
        Scored(evaluator.days, table.figures[row], table.daily_profit[row], float(objective[row])) for row in range(len(params))
    ]


def _stitched(scheme: Scheme, windows: list[WindowResult], stopped_by: str, warnings: tuple[str, ...]) -> WalkForwardResult:
    """Test days one after the other; where windows share a day (STOM's may), the later window's profit stands."""
    profit = {int(day): float(krw) for w in windows for day, krw in zip(w.test.days, w.test.daily_profit, strict=True)}
    days = np.array(sorted(profit), dtype=np.int64)
    daily = np.array([profit[int(day)] for day in days], dtype=np.float64)
    trials = sum(window.trials for window in windows)
    deflated = None
    if windows and not np.isnan(daily).any():
        try:
            sharpes = np.concatenate([window.sharpes for window in windows])
            deflated = deflated_sharpe_of(daily, sharpes)
        except ConfigError as error:
            warnings = (*warnings, f"no deflated Sharpe ratio: {error}")
    elif windows:
        warnings = (*warnings, "no deflated Sharpe ratio: the chosen row failed on some test days")
    return WalkForwardResult(scheme, tuple(windows), days, daily, trials, deflated, warnings, stopped_by)
