"""The cross-validation of a run: its folds searched where the run's studies are searched, and what a report shows of them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np

from stom_ray.config.cross_validation import CrossValidationSection
from stom_ray.engine.types import Floats, Ints
from stom_ray.errors import ConfigError
from stom_ray.metrics.objectives import objective as objective_of
from stom_ray.metrics.returns import sharpe
from stom_ray.reports.data import CrossFold, CrossValidated, Spread
from stom_ray.runs.subject import Subject
from stom_ray.runs.workplace import Say, Workplace, replaying, telling
from stom_ray.search.base import FIGURES
from stom_ray.search.progress import ProgressCallback
from stom_ray.search.study import StudyConfig, StudyResult
from stom_ray.validation.cpcv import CombinatorialPurgedCV
from stom_ray.validation.cross_validation import CrossValidation, Scheme, cross_validate, plan
from stom_ray.validation.nested import NestedFold, train_and_valid
from stom_ray.validation.path_scores import Distribution
from stom_ray.validation.splits import PurgedKFold
from stom_ray.validation.walk_forward import DayEvaluator, RunStudy

NO_SECTION = "the configuration has no cross_validation section: add one, `cross_validation: {scheme: cpcv, folds: 6}`"


def cross_validation(place: Workplace, folder: Path, *, resume: bool, say: Say, study: RunStudy) -> CrossValidation:
    """study: runs each fold's, with a ledger under cross-validation/fold-NN. Raises ConfigError when the days do not suffice."""
    subject = place.subject
    settings, config = _settings(subject), subject.study_config()

    def told(
        config: StudyConfig, evaluator: DayEvaluator, ledger: Path, resume: bool, progress: ProgressCallback | None
    ) -> StudyResult:
        return study(config, evaluator, ledger, resume, telling(f"cross-validation {ledger.parent.name}", say))

    return cross_validate(
        replace(config, evaluations=settings.evaluations or config.evaluations),
        subject.days,
        scheme_of(subject),
        place.evaluator_on,
        folder / "cross-validation",
        valid_days=settings.valid_days,
        resume=resume,
        study=told,
    )


def check(subject: Subject) -> None:
    """Raises ConfigError where the days do not suffice for the folds, or those of a fold for the rungs of halving."""
    scheme, valid_days, halving = scheme_of(subject), _settings(subject).valid_days, subject.study_config().halving
    folds, _ = plan(subject.days, scheme, valid_days)
    if halving is not None:
        for fold in folds:
            halving.rungs(train_and_valid(fold.train, valid_days, scheme.purge_days + scheme.embargo_days)[0])


def _settings(subject: Subject) -> CrossValidationSection:
    if subject.config.cross_validation is None:
        raise ConfigError(NO_SECTION)
    return subject.config.cross_validation


def scheme_of(subject: Subject) -> Scheme:
    """With the purge that the strategy needs where the configuration says none."""
    settings = _settings(subject)
    gaps = subject.purge_of(settings)["days"], settings.embargo_days
    if settings.scheme == "cpcv":
        return CombinatorialPurgedCV(settings.folds, settings.tested_at_once, *gaps)
    return PurgedKFold(settings.folds, *gaps)


def recorded(place: Workplace, folder: Path, folds: int, stopped_by: str) -> CrossValidation:
    """The first `folds` folds as their ledgers have them: nothing is searched, the chosen rows are scored again."""
    return cross_validation(place, folder, resume=True, say=lambda _: None, study=replaying(folds, stopped_by))


def shown(subject: Subject, found: CrossValidation) -> CrossValidated:
    """For the report and the JSON."""
    settings, paths = _settings(subject), found.paths
    return {
        "scheme": settings.scheme,
        "test_folds": settings.tested_at_once,
        "planned": len(found.folds),
        "folds": [_fold(subject, fold, found.days) for fold in found.result.folds],
        "purge": subject.purge_of(settings),
        "embargo_days": settings.embargo_days,
        "days": len(found.days),
        "trials": found.result.trials,
        "profit": _spread(paths.sum(axis=1)),
        "sharpe": _spread(np.asarray(sharpe(paths))),
        "stopped_by": found.result.stopped_by,
    }


def cross_lines(found: CrossValidated) -> list[str]:
    """For a terminal: a line for each fold, one for its paths, one for what was left out."""
    lines = []
    for fold in found["folds"]:
        test = ", ".join(f"{first}-{last}" for first, last, _ in fold["test"])
        train = sum(days for _, _, days in fold["train"])
        lines.append(f"train {train:>4} days {fold['train_objective']:>14,.10g}   test {test} {fold['test_objective']:>14,.10g}")
    if len(found["folds"]) < found["planned"]:
        lines.append(f"folds     {len(found['folds'])} of {found['planned']} ({found['stopped_by']})")
    for name, spread, digits in (("profit", found["profit"], 0), ("sharpe", found["sharpe"], 3)):
        if spread["values"]:
            lines.append(
                f"paths     {len(spread['values'])} of {found['days']} days, {name}: median {spread['median']:+,.{digits}f}, "
                f"worst {spread['worst']:+,.{digits}f}, below 0 {spread['share_negative']:.0%}"
            )
    purge = found["purge"]
    lines.append(
        f"purge     {purge['days']} on both sides of each test block, {found['embargo_days']} more behind it; "
        f"needed are {purge['reason']}"
    )
    return lines


def _fold(subject: Subject, fold: NestedFold, days: Ints) -> CrossFold:
    goal = subject.goal
    return {
        "train": blocks(fold.fold.train, days),
        "test": blocks(fold.fold.test, days),
        "best": fold.best.values[0].tolist(),
        "train_objective": fold.objective,
        "test_objective": float(objective_of(goal.objective, fold.figures, goal.limits, "TEST", betting=goal.betting)),
        "test_figures": dict(zip(FIGURES, fold.figures.tolist(), strict=True)),
    }


def blocks(some: Ints, days: Ints) -> list[list[int]]:
    """[first day, last day, trading days] of every run of neighbours in `days`; both yyyymmdd, sorted."""
    places = np.searchsorted(days, some)
    cuts = np.flatnonzero(np.diff(places) > 1) + 1
    edges = [0, *cuts.tolist(), len(some)]
    return [[int(some[low]), int(some[high - 1]), high - low] for low, high in itertools.pairwise(edges) if high > low]


def _spread(values: Floats) -> Spread:
    """Over paths; NaN where there is no number."""
    of = Distribution.of(values)
    worst = float(np.nanmin(values)) if of.n else float("nan")
    return {"values": values.tolist(), "median": of.median, "worst": worst, "share_negative": of.share_negative}
