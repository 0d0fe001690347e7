"""Cross-validation of a search: purged k-fold, or CPCV with its paths, the whole search repeated inside every fold.

What is judged is the search, not its winner: every fold chooses anew, from its train days, and its choice is scored once on its
test days. Most folds train on days after their test days too, which no trader has; walk-forward is the test that looks forward
only. Purged k-fold tests every day once, so that its test days are one path; CPCV tests each fold several times, and its paths
share both days and choices: how far they lie apart is no confidence interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stom_ray.engine.types import Floats, Ints
from stom_ray.search.progress import ProgressCallback
from stom_ray.search.study import StudyConfig
from stom_ray.validation.cpcv import CombinatorialPurgedCV, CombinatorialSplits
from stom_ray.validation.nested import NestedResult, StudySearch, nested_search, train_and_valid
from stom_ray.validation.splits import DayFold, PurgedKFold
from stom_ray.validation.walk_forward import EvaluatorOn, RunStudy, run_study

Scheme = PurgedKFold | CombinatorialPurgedCV


@dataclass(frozen=True)
class CrossValidation:
    """days: (n_days,) yyyymmdd, all of them. folds: as they were planned; result: of those that were finished.

    splits: of CPCV, None of purged k-fold.
    """

    days: Ints
    folds: tuple[DayFold, ...]
    splits: CombinatorialSplits | None
    result: NestedResult

    @property
    def complete(self) -> bool:
        return len(self.result.folds) == len(self.folds)

    @property
    def paths(self) -> Floats:
        """(n_paths, n_days) KRW of every path, of purged k-fold one; (0, n_days) before every fold is finished.

        NaN on days on which what was chosen failed.
        """
        if not self.complete:
            return np.empty((0, len(self.days)))
        if self.splits is None:
            return self.result.stitched()[1][np.newaxis]
        return self.splits.paths([fold.test_profit for fold in self.result.folds])

    @property
    def tested(self) -> Ints:
        """Days that were scored as test days so far, yyyymmdd, sorted."""
        return np.unique(np.concatenate([np.empty(0, dtype=np.int64), *(fold.fold.test for fold in self.result.folds)]))


def plan(days: Ints, scheme: Scheme, valid_days: int = 0) -> tuple[tuple[DayFold, ...], CombinatorialSplits | None]:
    """The folds, and for CPCV the splits they are. Raises ConfigError when the days do not suffice, for valid days too."""
    planned = scheme.split(days)
    splits = planned if isinstance(planned, CombinatorialSplits) else None
    folds = planned.folds() if isinstance(planned, CombinatorialSplits) else planned
    for fold in folds:
        train_and_valid(fold.train, valid_days, scheme.purge_days + scheme.embargo_days)
    return folds, splits


def cross_validate(
    config: StudyConfig,
    days: Ints,
    scheme: Scheme,
    evaluator_on: EvaluatorOn,
    folder: str | Path,
    *,
    valid_days: int = 0,
    resume: bool = False,
    progress: ProgressCallback | None = None,
    study: RunStudy = run_study,
) -> CrossValidation:
    """One study a fold, each with a ledger of its own under `folder` (fold-01/ledger.bin …).

    valid_days: the last train days of a fold, on which its choice is made among the best of the earlier ones; purge and embargo
    lie between. Raises ConfigError, before anything is searched, when days do not suffice; LedgerError; what engines raise.
    """
    folds, splits = plan(days, scheme, valid_days)
    search = StudySearch(
        config,
        evaluator_on,
        valid_days,
        gap_days=scheme.purge_days + scheme.embargo_days,
        resume=resume,
        progress=progress,
        study=study,
    )
    return CrossValidation(days, folds, splits, nested_search(folds, {config.sampler: search}, evaluator_on, folder))
