"""What is earned along the paths of combinatorial purged cross-validation.

A choice depends on the days it was made on, so every path joins test days of different choices, and the paths differ. A candidate
that stands fixed earns the same on a day whichever split tests it: all its paths are one. What differs for it is which test days
are looked at, so its distribution is over the splits. Sharpe ratios are per day, never annualised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import ConfigError
from stom_ray.machine_code import njit
from stom_ray.metrics.returns import sharpe
from stom_ray.validation.cpcv import CombinatorialSplits
from stom_ray.validation.trial_returns import TrialReturns, raw_blocks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Measure = Literal["sharpe", "profit"]

LOW = 0.05
NO_SPREAD = 1e-12  # of the sum of squares; below it the rest is rounding


@dataclass(frozen=True)
class Distribution:
    """Of one figure. low: 5th percentile, interpolated. share_negative: below 0. n: values that are numbers; undefined: the
    others (a Sharpe ratio of days that are all alike). Without any number the figures are NaN."""

    median: float
    low: float
    share_negative: float
    n: int
    undefined: int

    @classmethod
    def of(cls, values: Floats) -> Distribution:
        known = values[~np.isnan(values)]
        if len(known) == 0:
            return cls(np.nan, np.nan, np.nan, 0, len(values))
        return cls(
            float(np.median(known)),
            float(np.quantile(known, LOW)),
            float(np.mean(known < 0)),
            len(known),
            len(values) - len(known),
        )


@dataclass(frozen=True)
class PathScores:
    """daily: (n_paths, n_days) KRW, or whatever was given. chosen: (n_splits,) the trial that was best on the train days.

    n_trials: those that took part; left_out: those with a day that is no number.
    """

    daily: Floats
    chosen: Ints
    n_trials: int
    left_out: int

    @property
    def sharpe(self) -> Distribution:
        """Per day, over the paths."""
        return Distribution.of(sharpe(self.daily))

    @property
    def profit(self) -> Distribution:
        """Of all days together, over the paths."""
        return Distribution.of(self.daily.sum(axis=-1))


def choose_on_train(profits: TrialReturns, splits: CombinatorialSplits, *, by: Measure = "sharpe") -> PathScores:
    """On the train days of every split the best trial is chosen (the first among equals), and its test days are taken.

    profits: (n_trials, n_days) a day of `splits` each, float32 or float64, read in blocks of rows; memory is (n_splits, n_days)
    besides. by: daily Sharpe ratio, or sum; a trial without a Sharpe ratio is not chosen. Raises ConfigError for other days, and
    when a split has no trial to choose.
    """
    if by not in ("sharpe", "profit"):
        raise ConfigError(f"by is {by!r}: expected sharpe or profit")
    n_splits, n_days = splits.train.shape
    groups, group = np.unique(splits.train, axis=1, return_inverse=True)  # days that are train days of the same splits
    group = np.ascontiguousarray(group.reshape(-1), dtype=np.int64)
    groups = np.ascontiguousarray(groups)
    n_train = splits.train.sum(axis=1).astype(np.float64)
    best, chosen = np.full(n_splits, -np.inf), np.full(n_splits, -1, dtype=np.int64)
    rows = np.full((n_splits, n_days), np.nan)
    n_trials = left_out = 0
    for first, values in raw_blocks(profits):
        if values.shape[1] != n_days:
            raise ConfigError(f"profits of {values.shape[1]} days for splits of {n_days} days: expected the same days")
        missing: Bools = np.any(np.isnan(values), axis=1)
        left_out += int(missing.sum())
        n_trials += int((~missing).sum())
        _choose(values, missing, first, group, groups, n_train, by == "sharpe", best, chosen, rows)
    if (chosen < 0).any():
        raise ConfigError(
            f"split {int(np.argmax(chosen < 0))} has no trial to choose by {by}: {n_trials} of {n_trials + left_out} trials have "
            "a profit on every day; a Sharpe ratio needs two train days that differ"
        )
    tested = [row[test] for row, test in zip(rows, splits.test, strict=True)]
    return PathScores(splits.paths(tested), chosen, n_trials, left_out)


def scores_on_test_days(profits: Floats, splits: CombinatorialSplits, *, by: Measure = "sharpe") -> Floats:
    """(..., n_splits) the daily Sharpe ratio or the sum of every split's test days. profits: (..., n_days) of fixed candidates.

    `Distribution.of` one candidate's row says how it does on any k of N folds.
    """
    if profits.shape[-1] != len(splits.days):
        raise ConfigError(f"profits of {profits.shape[-1]} days for splits of {len(splits.days)} days: expected the same days")
    measured = [sharpe(profits[..., test]) if by == "sharpe" else profits[..., test].sum(axis=-1) for test in splits.test]
    return np.stack(measured, axis=-1).astype(np.float64)


@njit(cache=True, error_model="numpy", nogil=True)
def _choose(
    values: Floats,
    missing: Bools,
    first: int,
    group: Ints,
    groups: Bools,
    n_train: Floats,
    by_sharpe: bool,
    best: Floats,
    chosen: Ints,
    rows: Floats,
) -> None:
    """Goes on with the best of every split. groups: (n_splits, n_groups) which groups of days each trains on.

    Sums are taken day by day within a group and group by group, so that they do not depend on blocks.
    """
    n_splits, n_groups = groups.shape
    sums, squares = np.zeros(n_groups), np.zeros(n_groups)
    for trial in range(len(values)):
        if missing[trial]:
            continue
        sums[:] = 0.0
        squares[:] = 0.0
        for day in range(values.shape[1]):
            value = values[trial, day]
            sums[group[day]] += value
            squares[group[day]] += value * value
        for split in range(n_splits):
            total, square = 0.0, 0.0
            for k in range(n_groups):
                if groups[split, k]:
                    total += sums[k]
                    square += squares[k]
            score = total
            if by_sharpe:
                n = n_train[split]
                spread = square - total * total / n
                score = total / n / np.sqrt(spread / (n - 1.0)) if n > 1.0 and spread > NO_SPREAD * square else -np.inf
            if score > best[split]:
                best[split] = score
                chosen[split] = first + trial
                rows[split] = values[trial]
