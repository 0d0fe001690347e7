"""Is the best of all trials better than the best of so many without skill: White's reality check, Hansen's SPA, Romano-Wolf
StepM.

The statistic is the highest mean return of all trials; the stationary bootstrap of days, the same days for every trial, says how
high it would be by chance. Trials pass in blocks, once: the resampled means of a block are one matrix product, of which the
maxima are kept, and besides the rows of the few trials with the highest statistics, among which StepM takes its further steps.
Memory is reps × (block + kept) numbers, whatever the number of trials.

Sources: White, "A reality check for data snooping" (2000), `p_upper` not studentised; Hansen, "A test for superior predictive
ability" (2005), the three recentrings; Romano and Wolf, "Stepwise multiple testing as formalized data snooping" (2005). Not
studentised, p-values and superior trials equal those of the library `arch` for the same seed (it takes losses, and does not
studentise whatever its argument says).

Studentised here means that each resample is divided by its own deviation, as Romano and Wolf advise: the statistic is √T × the
Sharpe ratio per day. Hansen's divisor, one deviation estimated from the autocovariances and then held fixed, is not offered:
over 200 trials of pure noise it found something at a level of 5% in 16% of studies of 120 days and in 27% of studies of 40,
because the maximum picks trials whose deviation was estimated too small. Resampled deviations gave 5.5% and 3.5%.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import ConfigError
from stom_ray.machine_code import njit
from stom_ray.validation.bootstrap import FEWEST_DAYS, stationary_counts, stationary_weights
from stom_ray.validation.trial_returns import Bools, Floats, TrialBlock, TrialReturns, trial_blocks

Ints = NDArray[np.int64]
Recentring = Literal["lower", "consistent", "upper"]

RECENTRINGS: tuple[Recentring, ...] = ("lower", "consistent", "upper")
NO_SPREAD = 1e-12  # of the mean square; below it the rest is rounding
REST = 3  # the row of the maxima after those of the three recentrings
KEPT = 1024  # trials whose resampled means are held, 8 KB each at 1,000 reps


@dataclass(frozen=True)
class RealityCheck:
    """n_trials: all of them; failed, constant: those without a statistic (see `TrialBlock`), which cannot win nor raise the bar.

    best: number of the trial with the highest statistic, -1 when none earns. statistic: √T × mean (over the deviation of its
    days when studentised), 0 when none earns; p-values are then 1. p_lower <= p_consistent <= p_upper: the chance of such a
    maximum if no trial had skill, in steps of 1/reps. They differ in what is assumed of trials that lost: that they are as bad
    as they looked; that those far below zero are; that none is. superior: numbers, rising, of the trials that StepM finds better
    than the benchmark; the chance that any of them is not is at most `level`. critical_value: what their statistics exceed.
    """

    n_trials: int
    failed: int
    constant: int
    best: int
    statistic: float
    p_lower: float
    p_consistent: float
    p_upper: float
    superior: Ints
    critical_value: float


def reality_check(
    returns: TrialReturns,
    *,
    block_length: float,
    seed: int,
    benchmark: Floats | None = None,
    reps: int = 1000,
    level: float = 0.05,
    studentised: bool = True,
    recentring: Recentring = "consistent",
    kept: int = KEPT,
) -> RealityCheck:
    """Tests all trials together. returns: (n_trials, n_days) as `TrialReturns`, pruned and failed ones too.

    block_length: mean length of the blocks of days, at least T^(1/3): with an autocorrelation of 0.3, 120 days and a level of 5%
    that finds something in 12% of studies of noise, `optimal_block_length` of the best trial alone in 20%; the larger of the two
    is a good choice. benchmark: (n_days,) what to be better than, default 0 every day; the returns of the user's present values
    make it a paired comparison. studentised: so that trials that trade little, or were pruned, count as much as others; without
    it studies with many pruned trials reject too often (16% in place of 5%). recentring: of StepM; "consistent" as Hsu, Hsu and
    Kuan (2010) and `arch`, "upper" as Romano and Wolf, which never finds more. A further pass is needed only when more than
    `kept` trials are superior: an iterator, which cannot be read again, then is a ConfigError. Raises ConfigError besides for
    fewer than FEWEST_DAYS days, a level, reps, block_length or `kept` that is none, and as `trial_blocks`.
    """
    if not 0 < level < 1:
        raise ConfigError(f"level is {level}: expected more than 0 and less than 1")
    if kept < 1:
        raise ConfigError(f"kept is {kept}: expected at least 1 trial")
    blocks = trial_blocks(returns, benchmark=benchmark)
    opening = next(blocks)
    draws = _drawn(opening.values.shape[1], block_length, reps, seed, studentised)
    column = RECENTRINGS.index(recentring)
    first = found = _Pass(draws, column, kept).read(chain([opening], blocks))
    critical, left = first.steps(level)
    while found.is_cut and not left.any():
        if iter(returns) is returns:
            raise ConfigError(f"more than {kept} trials are superior and an iterator is read once: pass arrays, or a larger kept")
        found = _Pass(draws, column, kept, critical).read(trial_blocks(returns, benchmark=benchmark))
        critical, left = found.steps(level)
    lower, consistent, upper = first.p_values()
    return RealityCheck(
        n_trials=first.n_trials,
        failed=first.failed,
        constant=first.constant,
        best=first.best,
        statistic=first.statistic,
        p_lower=lower,
        p_consistent=consistent,
        p_upper=upper,
        superior=np.sort(np.concatenate([found.above, found.numbers[~left]])),
        critical_value=critical,
    )


@dataclass(frozen=True)
class _Draws:
    """counts: (reps, n_days) as `stationary_counts`. weights: (n_days, n_days) as `stationary_weights`."""

    counts: Floats
    weights: Floats
    studentised: bool


def _drawn(n_days: int, block_length: float, reps: int, seed: int, studentised: bool) -> _Draws:
    if n_days < FEWEST_DAYS:
        raise ConfigError(f"returns have {n_days} days: expected at least {FEWEST_DAYS}")
    counts = stationary_counts(n_days, block_length, reps, seed)
    return _Draws(counts, stationary_weights(n_days, block_length), studentised)


@dataclass
class _Pass:
    """Once over all trials. Those whose statistic exceeds `ceiling` are superior already: only their numbers go to `above`.

    maxima: (4, reps) highest resampled statistic for each recentring, then with that of `column` over the trials that are not
    held. numbers, statistics, resampled: (n_held,), (n_held,), (n_held, reps) of the `kept` trials with the highest statistics,
    if positive. is_cut: whether some trial with a positive statistic is not held.
    """

    draws: _Draws
    column: int
    kept: int
    ceiling: float = math.inf
    n_trials: int = 0
    failed: int = 0
    constant: int = 0
    best: int = -1
    statistic: float = 0.0
    is_cut: bool = False
    above: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    numbers: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    statistics: Floats = field(default_factory=lambda: np.empty(0))
    maxima: Floats = field(init=False)
    resampled: Floats = field(init=False)

    def __post_init__(self) -> None:
        reps = len(self.draws.counts)
        self.maxima = np.zeros((len(RECENTRINGS) + 1, reps))
        self.resampled = np.empty((0, reps))

    def read(self, blocks: Iterator[TrialBlock]) -> _Pass:
        for block in blocks:
            self._add(block)
        return self

    def p_values(self) -> tuple[float, float, float]:
        if self.best < 0:
            return 1.0, 1.0, 1.0
        lower, consistent, upper = (float(np.mean(self.maxima[row] > self.statistic)) for row in range(len(RECENTRINGS)))
        return lower, consistent, upper

    def steps(self, level: float) -> tuple[float, Bools]:
        """The last critical value, and which held trials do not exceed it. No other trial does while one of these is left."""
        left = np.ones(len(self.numbers), dtype=np.bool_)
        while True:
            highest = np.maximum(self.maxima[REST], self.resampled[left].max(axis=0, initial=0.0))
            critical = float(np.percentile(highest, 100.0 * (1.0 - level)))
            rejected = left & (self.statistics > critical)
            left &= ~rejected
            if not rejected.any() or not left.any():
                return critical, left

    def _add(self, block: TrialBlock) -> None:
        n_days = block.values.shape[1]
        self.n_trials += len(block.values)
        self.failed += int(block.failed.sum())
        self.constant += int(block.constant.sum())
        rows = np.flatnonzero(~block.failed & ~block.constant)
        values = block.values[rows]
        mean = values.mean(axis=1)
        statistics = mean * self._scales(mean, (values**2).mean(axis=1))
        exceeds = statistics > self.ceiling
        self.above = np.concatenate([self.above, block.first + rows[exceeds]])
        self._note_best(block.first + rows, statistics)
        enters = ~exceeds & (statistics > (self.statistics.min() if len(self.numbers) == self.kept else 0.0))
        self.is_cut |= bool(np.any(~exceeds & ~enters & (statistics > 0)))
        shifts = np.stack([np.maximum(mean, 0.0), np.where(self._hopeless(values, mean), 0.0, mean), mean, mean], axis=1)
        shifts[:, REST] = np.where(enters, np.inf, shifts[:, self.column])
        shifts[exceeds] = np.inf
        means = values @ self.draws.counts.T / n_days
        scales = self._scales(means, values**2 @ self.draws.counts.T / n_days)
        _raise_maxima(means, scales, shifts, self.maxima)
        held = (means[enters] - shifts[enters, self.column, np.newaxis]) * scales[enters]
        self._hold(block.first + rows[enters], statistics[enters], held)

    def _scales(self, mean: Floats, square: Floats) -> Floats:
        """√T over the deviation, of days with these means of returns and of squared returns; 0 without spread."""
        root = math.sqrt(self.draws.counts.shape[1])
        if not self.draws.studentised:
            return np.full(mean.shape, root)
        variance = square - mean**2
        return np.asarray(root / np.sqrt(np.where(variance > NO_SPREAD * square, variance, np.inf)))

    def _hopeless(self, values: Floats, mean: Floats) -> Bools:
        """(n,) whether the mean is so far below zero that Hansen's consistent p-value takes it as it is."""
        n_days = values.shape[1]
        centred = values - mean[:, np.newaxis]
        variance = np.einsum("kt,kt->k", centred @ self.draws.weights, centred) / n_days  # of √T × the mean
        return np.asarray(mean < -np.sqrt(np.maximum(variance, 0.0) * 2 * math.log(math.log(n_days)) / n_days))

    def _note_best(self, numbers: Ints, statistics: Floats) -> None:
        if len(numbers) and statistics.max() > self.statistic:
            place = int(np.argmax(statistics))
            self.best, self.statistic = int(numbers[place]), float(statistics[place])

    def _hold(self, numbers: Ints, statistics: Floats, resampled: Floats) -> None:
        if len(numbers) == 0:
            return
        numbers = np.concatenate([self.numbers, numbers])
        statistics = np.concatenate([self.statistics, statistics])
        resampled = np.concatenate([self.resampled, resampled])
        order = np.argsort(-statistics, kind="stable")
        stays, leaves = order[: self.kept], order[self.kept :]
        self.is_cut |= len(leaves) > 0
        self.maxima[REST] = np.maximum(self.maxima[REST], resampled[leaves].max(axis=0, initial=0.0))
        self.numbers, self.statistics, self.resampled = numbers[stays], statistics[stays], resampled[stays]


@njit(cache=True, error_model="numpy", nogil=True)
def _raise_maxima(means: Floats, scales: Floats, shifts: Floats, maxima: Floats) -> None:
    """maxima[c, b] becomes at least (means[k, b] - shifts[k, c]) × scales[k, b] for every trial k."""
    for k in range(len(means)):
        for c in range(len(maxima)):
            shift = shifts[k, c]
            if shift < np.inf:
                for b in range(means.shape[1]):
                    value = (means[k, b] - shift) * scales[k, b]
                    maxima[c, b] = value if value > maxima[c, b] else maxima[c, b]
