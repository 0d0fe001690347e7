"""Honest splits over trading days: walk-forward windows and purged k-fold; `cpcv` has the combinatorial ones.

Purge: days dropped between training and what follows it, because a label, a position or a rolling column reaches over (rolling
columns run across days, so the first rows of a day still hold the day before); `validation.purge` works out how many. Embargo:
days dropped in addition after an evaluated block, against slow dependence. Formula source: López de Prado, Advances in
Financial Machine Learning (2018), ch. 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import ConfigError

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class DayReach:
    """Which days' rows are read on which days (`validation.purge.day_reach` makes one).

    days: (n_days,) yyyymmdd, sorted. reads: (n_days, n_days) bool, [d, e] where decisions of day d read rows of the earlier day
    e. reason: what reaches furthest, in words.
    """

    days: Ints
    reads: Bools
    reason: str

    @property
    def purge_days(self) -> int:
        """Days between which nothing reaches: the furthest reach, in trading days."""
        day, read = np.nonzero(self.reads)
        return int((day - read).max(initial=0))

    def touching(self, days: Sequence[int] | Ints) -> Bools:
        """(n, n) pairs of these days that may not stand on two sides, whichever reads the other. ConfigError: a day not known."""
        asked = np.asarray(days, dtype=np.int64)
        unknown = asked[~np.isin(asked, self.days)]
        if len(unknown):
            raise ConfigError(
                f"day {unknown[0]} is none of the {len(self.days)} days whose reach is known: work it out over all days"
            )
        place = np.searchsorted(self.days, asked)
        reads = self.reads[np.ix_(place, place)]
        return reads | reads.T


@dataclass(frozen=True)
class Window:
    """Days (yyyymmdd, sorted) to search on, to choose on (may be empty), and to score once on."""

    train: Ints
    valid: Ints
    test: Ints


@dataclass(frozen=True)
class WalkForward:
    """Walk-forward windows: train, gap, valid, gap, test, each so many trading days, moved on by `step_days`.

    gap = purge_days + embargo_days, before every block that is evaluated. step_days: default test_days, never fewer, so that no
    day is tested twice. anchored: train starts on the first day of all windows and grows; train_days is then its least length.
    The last window's test ends on the last trading day; the oldest days are the ones left over.
    """

    train_days: int
    test_days: int
    valid_days: int = 0
    step_days: int | None = None
    purge_days: int = 0
    embargo_days: int = 0
    anchored: bool = False

    def __post_init__(self) -> None:
        for name, least in (("train_days", 1), ("test_days", 1), ("valid_days", 0), ("purge_days", 0), ("embargo_days", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}: expected at least {least}")
        if self.step < self.test_days:
            raise ConfigError(
                f"step_days {self.step} is less than test_days {self.test_days}: each window would test "
                f"{self.test_days - self.step} days again that the one before has tested"
            )

    def folds(self, days: Sequence[int] | Ints) -> tuple[DayFold, ...]:
        """Train and test of every window, for searches that choose in their own way. ConfigError with valid days."""
        if self.valid_days:
            raise ConfigError(f"valid_days is {self.valid_days}: folds have train and test days only, so expected 0")
        return tuple(DayFold(window.train, window.test) for window in self.split(days))

    @property
    def step(self) -> int:
        return self.test_days if self.step_days is None else self.step_days

    @property
    def gap(self) -> int:
        return self.purge_days + self.embargo_days

    @property
    def needed_days(self) -> int:
        """Trading days that one window takes."""
        return self.train_days + (self.gap + self.valid_days if self.valid_days else 0) + self.gap + self.test_days

    def split(self, days: Sequence[int] | Ints, *, at_least: int = 1) -> tuple[Window, ...]:
        """Windows, oldest first. days: trading days, yyyymmdd. Raises ConfigError when fewer than `at_least` windows fit."""
        known = trading_days(days)
        n_windows = (len(known) - self.needed_days) // self.step + 1 if len(known) >= self.needed_days else 0
        if n_windows < at_least:
            raise ConfigError(self._too_few(len(known), n_windows, at_least))
        first = len(known) - self.needed_days - (n_windows - 1) * self.step
        return tuple(self._window(known, first + number * self.step) for number in range(n_windows))

    def _window(self, days: Ints, start: int) -> Window:
        train_end = start + self.train_days
        valid_start = train_end + self.gap if self.valid_days else train_end
        test_start = valid_start + self.valid_days + self.gap
        return Window(
            train=days[0 if self.anchored else start : train_end],
            valid=days[valid_start : valid_start + self.valid_days],
            test=days[test_start : test_start + self.test_days],
        )

    def _too_few(self, n_days: int, n_windows: int, at_least: int) -> str:
        gap = f" + {self.gap} gap" if self.gap else ""
        valid = f"{gap} + {self.valid_days} valid" if self.valid_days else ""
        needed = self.needed_days + (at_least - 1) * self.step
        more = f" + {at_least - 1} × {self.step} step" if at_least > 1 else ""
        return (
            f"{n_days} trading days give {n_windows} walk-forward windows: {at_least} need {self.train_days} train{valid}{gap} + "
            f"{self.test_days} test{more} = {needed} days; add {needed - n_days} days of data or shorten a part"
        )


@dataclass(frozen=True)
class DayFold:
    """Days (yyyymmdd, sorted) to train and to test on."""

    train: Ints
    test: Ints


@dataclass(frozen=True)
class PurgedKFold:
    """Consecutive folds of equal length (the first ones a day longer), each the test once, the rest purged train days."""

    n_folds: int
    purge_days: int = 0
    embargo_days: int = 0

    def __post_init__(self) -> None:
        for name, least in (("n_folds", 2), ("purge_days", 0), ("embargo_days", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}: expected at least {least}")

    def split(self, days: Sequence[int] | Ints, reach: DayReach | None = None) -> tuple[DayFold, ...]:
        """n_folds folds, oldest test first. reach: purges, in addition, just the days that read a test day or are read by one.

        Raises ConfigError when a fold would be left without train or test days.
        """
        known = trading_days(days)
        if len(known) < self.n_folds:
            raise ConfigError(f"{len(known)} trading days in {self.n_folds} folds: expected at least one a fold")
        touching = None if reach is None else reach.touching(known)
        folds = np.array_split(np.arange(len(known)), self.n_folds)
        found = []
        for number, test in enumerate(folds):
            train = purged(len(known), test, self.purge_days, self.embargo_days, touching)
            if len(train) == 0:
                lost = gap_text(self.purge_days, self.embargo_days, reach)
                raise ConfigError(
                    f"fold {number + 1} of {self.n_folds} has no train day: {len(known)} days - {len(test)} test - {lost}; "
                    "add days or take smaller gaps"
                )
            found.append(DayFold(train=known[train], test=known[test]))
        return tuple(found)


def purged(n_days: int, test: Sequence[int] | Ints, purge_days: int, embargo_days: int, touching: Bools | None = None) -> Ints:
    """Positions 0..n_days-1 that may train beside the test positions (any number of blocks).

    Within `purge_days` of a test day on either side is dropped, and `embargo_days` more after each test block. touching:
    (n_days, n_days) further pairs that may not stand on two sides (`DayReach.touching`).
    """
    allowed = np.ones(n_days, dtype=np.bool_)
    tested = np.asarray(test, dtype=np.int64)
    for position in tested:
        allowed[max(0, position - purge_days) : position + purge_days + embargo_days + 1] = False
    if touching is not None:
        allowed &= ~touching[tested].any(axis=0)
    return np.flatnonzero(allowed)


def gap_text(purge_days: int, embargo_days: int, reach: DayReach | None) -> str:
    """What a test block costs its neighbours, for messages."""
    read = "" if reach is None else ", and the days whose rows reach over"
    return f"up to {2 * purge_days + embargo_days} (2 × {purge_days} purge + {embargo_days} embargo){read}"


def trading_days(days: Sequence[int] | Ints) -> Ints:
    """As an array. ConfigError unless they are given once each, in rising order."""
    known = np.asarray(days, dtype=np.int64)
    if np.any(np.diff(known) <= 0):
        raise ConfigError("trading days must be given once each, in rising order")
    return known
