"""Combinatorial purged cross-validation over trading days, with its paths.

N folds, of which every choice of k is the test once: C(N,k) splits. Each fold is tested in C(N,k)k/N of them, so that the tests
recombine into as many paths, each of which goes through all days once. The first folds hold n_days // N days, the last the rest.

Source: López de Prado, Advances in Financial Machine Learning (2018), ch. 12. Splits and paths are those of skfolio's
`CombinatorialPurgedCV`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import ConfigError
from stom_ray.validation.splits import Bools, DayFold, DayReach, Ints, gap_text, purged, trading_days

Floats = NDArray[np.float64]

MOST_SPLITS = 10_000


@dataclass(frozen=True)
class CombinatorialSplits:
    """All splits of some days.

    days: (n_days,) yyyymmdd. fold: (n_days,) the fold of each. test_folds: (n_splits, k) rising. train: (n_splits, n_days) days
    that may train. source: (n_paths, n_folds) the split that gives a path its days of a fold.
    """

    days: Ints
    fold: Ints
    test_folds: Ints
    train: Bools
    source: Ints

    @property
    def test(self) -> Bools:
        """(n_splits, n_days)."""
        chosen = np.zeros((len(self.test_folds), self.source.shape[1]), dtype=np.bool_)
        np.put_along_axis(chosen, self.test_folds, True, axis=1)
        return np.asarray(chosen[:, self.fold])

    def folds(self) -> tuple[DayFold, ...]:
        """The splits as days, in order."""
        return tuple(DayFold(self.days[train], self.days[test]) for train, test in zip(self.train, self.test, strict=True))

    def paths(self, tested: Sequence[Floats]) -> Floats:
        """(n_paths, n_days) every path's values. tested: of each split one value a test day, in the order of days."""
        test = self.test
        for number, (values, days) in enumerate(zip(tested, test, strict=True)):
            if len(values) != days.sum():
                raise ConfigError(f"split {number} tests {days.sum()} days, but has {len(values)} values")
        by_split = np.full(test.shape, np.nan)
        by_split[test] = np.concatenate([np.asarray(values, dtype=np.float64) for values in tested])
        return np.asarray(by_split[self.source[:, self.fold], np.arange(len(self.days))])


@dataclass(frozen=True)
class CombinatorialPurgedCV:
    """n_folds consecutive folds, each choice of n_test_folds tested once, the rest purged train days."""

    n_folds: int
    n_test_folds: int = 2
    purge_days: int = 0
    embargo_days: int = 0

    def __post_init__(self) -> None:
        for name, least in (("n_folds", 2), ("n_test_folds", 1), ("purge_days", 0), ("embargo_days", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}: expected at least {least}")
        if self.n_test_folds >= self.n_folds:
            raise ConfigError(f"n_test_folds {self.n_test_folds} of n_folds {self.n_folds} leaves none to train on: take fewer")
        if self.n_splits > MOST_SPLITS:
            raise ConfigError(
                f"{self.n_splits:,} splits from n_folds={self.n_folds}, n_test_folds={self.n_test_folds} exceed {MOST_SPLITS:,}; "
                "a CPCV study normally uses tens to a few thousand"
            )

    @property
    def n_splits(self) -> int:
        """C(N,k)."""
        return math.comb(self.n_folds, self.n_test_folds)

    @property
    def n_paths(self) -> int:
        """C(N,k)k/N."""
        return self.n_splits * self.n_test_folds // self.n_folds

    def split(self, days: Sequence[int] | Ints, reach: DayReach | None = None) -> CombinatorialSplits:
        """Every split, in the order of its test folds. reach: as for `PurgedKFold.split`.

        Raises ConfigError when a split would be left without train days, or there are fewer days than folds.
        """
        known = trading_days(days)
        n_days = len(known)
        if n_days < self.n_folds:
            raise ConfigError(f"{n_days} trading days in {self.n_folds} folds: expected at least one a fold")
        fold = np.minimum(np.arange(n_days) // (n_days // self.n_folds), self.n_folds - 1)
        test_folds = np.array(list(combinations(range(self.n_folds), self.n_test_folds)), dtype=np.int64)
        touching = None if reach is None else reach.touching(known)
        free = np.zeros((self.n_folds, n_days), dtype=np.bool_)
        for number in range(self.n_folds):
            free[number, purged(n_days, np.flatnonzero(fold == number), self.purge_days, self.embargo_days, touching)] = True
        train: Bools = np.all(free[test_folds], axis=1)
        for number, allowed in enumerate(train):
            if not allowed.any():
                raise ConfigError(self._no_train(test_folds[number], np.isin(fold, test_folds[number]), reach))
        return CombinatorialSplits(known, fold, test_folds, train, self._source(test_folds))

    def _no_train(self, folds: Ints, test: Bools, reach: DayReach | None) -> str:
        named = ", ".join(str(number + 1) for number in folds)
        gap = gap_text(self.purge_days, self.embargo_days, reach)
        return (
            f"the split that tests folds {named} of {self.n_folds} has no train day: {len(test)} days - {test.sum()} test - "
            f"{gap} at each block; add days, or take fewer folds, fewer test folds or smaller gaps"
        )

    def _source(self, test_folds: Ints) -> Ints:
        """Path p takes fold f from the p-th split that tests it."""
        return np.stack([np.flatnonzero((test_folds == number).any(axis=1)) for number in range(self.n_folds)], axis=1)
