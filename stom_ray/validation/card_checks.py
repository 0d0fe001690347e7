"""The checks of the verdict card: one figure, one threshold and one sentence for each statistic.

Decisive ones have to pass, all of them; they are the ones whose rates of error are known, because they need nothing but tables of
daily returns. Supporting ones look at one thing each that can make a result that is no luck worthless all the same. Thresholds
and their reasons stand beside the constants; docs/verdict-card.md has the measured rates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from stom_ray.errors import ConfigError
from stom_ray.metrics.returns import kurtosis, sharpe, skew
from stom_ray.validation.bootstrap import FEWEST_DAYS, optimal_block_length, stationary_counts
from stom_ray.validation.card_evidence import Evidence, Floats
from stom_ray.validation.card_words import MISSING, sentence
from stom_ray.validation.cscv import Cscv, cscv
from stom_ray.validation.effective_trials import correlated_trials
from stom_ray.validation.intervals import bootstrap_interval
from stom_ray.validation.overfitting import deflated_sharpe, expected_max
from stom_ray.validation.reality_check import reality_check
from stom_ray.validation.trial_returns import raw_blocks

Standing = Literal["pass", "weak", "fail", "too_little_data"]

BELIEVABLE = 0.95  # of the deflated Sharpe ratio, as its authors have it
LUCK = 0.05  # p-values: the same 5% as above
LIKE_NOISE = 0.5  # a p-value above it: noise does better more often than not
PBO_LOW, PBO_HIGH = 0.2, 0.5  # noise is around 0.5; its authors call anything that is not small overfit
PBO_LOSSES = 0.05  # a space in which everything earns ranks at random, so its PBO is 0.5: then losses decide
PBO_BLOCKS = 10  # 252 splits; 16 would leave 3 days a block and drop 12 of 60 days
KEPT_MOST = 0.5  # plateau, stability, account: more than half of the profit is left
ORDERS = 0.95  # of the drawdowns over random orders
SEED = 20240101  # the same evidence gives the same card
REPS, TEST_REPS = 1000, 4000  # resamples for all trials; for the few test series, where a look multiplies the smallest p-value


@dataclass(frozen=True)
class Check:
    """value: NaN when it could not be computed or is missing. threshold: what a pass needs, see `words` for the direction.

    named: what its sentence names besides.
    """

    name: str
    value: float
    threshold: float
    standing: Standing
    decisive: bool = False
    missing: bool = False
    named: Mapping[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """Its sentence in English."""
        return self.told("en")

    def told(self, lang: str) -> str:
        values = {"value": self.value, "threshold": self.threshold, **self.named}
        return sentence(self.name, MISSING if self.missing else self.standing, values, lang)


@dataclass(frozen=True)
class Trials:
    """What several checks need. n_trials, effective: of every study. sharpe: the winner's per day, NaN without spread."""

    n_trials: int
    effective: float
    sharpe: float

    @property
    def names(self) -> dict[str, Any]:
        return {"n": self.n_trials, "effective": self.effective}


def block_length(days: Floats) -> float:
    """At least T^(1/3), as `reality_check` advises."""
    return max(float(len(days) ** (1 / 3)), optimal_block_length(days))


def days_check(evidence: Evidence, trials: Trials) -> Check:
    """Minimum backtest length: days below which the best of so many trials shows this Sharpe ratio by luck."""
    days = len(evidence.winner)
    if not trials.sharpe > 0:
        return _check("days", days, math.inf, "fail", decisive=True)
    least = math.ceil((expected_max(trials.effective) / trials.sharpe) ** 2)
    standing: Standing = "pass" if days > least else "too_little_data"
    return _check("days", days, least, standing, decisive=True, days=days, least=least, **trials.names)


def deflated_check(evidence: Evidence, trials: Trials) -> Check:
    """Deflated Sharpe ratio against E[max N_eff] / √(T-1), which is what Sharpe ratios without skill vary by.

    The variance that trials show, which the paper takes, is not used: a search that finds a region that earns makes it larger,
    so that skill would count as luck, and a market that all trials share makes it smaller, so that luck would count as skill.
    """
    if not trials.sharpe > 0:
        return _check("deflated_sharpe", 0.0, BELIEVABLE, "fail", decisive=True)
    days = evidence.winner
    found = deflated_sharpe(
        trials.sharpe,
        len(days),
        n_trials=trials.effective,
        trial_variance=1 / (len(days) - 1),
        skew=float(skew(days)),
        kurtosis=float(kurtosis(days)),
    )
    standing: Standing = "pass" if found.probability >= BELIEVABLE else "weak"
    return _check("deflated_sharpe", found.probability, BELIEVABLE, standing, decisive=True, **trials.names)


def reality_check_of_all(evidence: Evidence) -> Check:
    """Hansen's consistent p-value of all trials on these days, of which the winner itself has to be superior by StepM."""
    found = reality_check(evidence.tables, block_length=block_length(evidence.winner), seed=SEED, reps=REPS, level=LUCK)
    days = evidence.winner
    spread = float(days.std())
    superior = spread > 0 and math.sqrt(len(days)) * float(days.mean()) / spread > found.critical_value
    value = found.p_consistent
    standing: Standing = "fail" if value > LIKE_NOISE else "pass" if value <= LUCK and superior else "weak"
    return _check("reality_check", value, LUCK, standing, decisive=True)


def pbo_check(evidence: Evidence) -> Check:
    """PBO of this study's own trials; see PBO_LOSSES for spaces in which everything earns."""
    try:
        found = cscv(np.asarray(evidence.study).T, PBO_BLOCKS)
    except ConfigError:
        ranked = sum(int((~np.isnan(values).any(axis=1)).sum()) for _, values in raw_blocks(evidence.study))
        if ranked > 1:
            raise
        return _missing("pbo", PBO_LOW, decisive=True, ranked=ranked, n=len(evidence.study))
    return _check("pbo", found.pbo, PBO_LOW, _pbo_standing(found), decisive=True)


def _pbo_standing(found: Cscv) -> Standing:
    if found.pbo <= PBO_LOW or found.loss_probability <= PBO_LOSSES:
        return "pass"
    return "fail" if found.pbo > PBO_HIGH and found.loss_probability > PBO_HIGH else "weak"


def out_of_sample_check(evidence: Evidence) -> Check:
    """Chance that days without an edge earn as much, times the number of looks (Bonferroni: holds however looks depend)."""
    paths = evidence.paths
    if len(paths) == 0:
        return _missing("out_of_sample", LUCK, decisive=True)
    if paths.shape[1] < FEWEST_DAYS:
        return _check("out_of_sample", paths.shape[1], FEWEST_DAYS, "too_little_data", decisive=True)
    p_value = min(1.0, evidence.looks * chance(paths))
    standing: Standing = "fail" if not np.median(paths.sum(axis=1)) > 0 else "pass" if p_value <= LUCK else "weak"
    return _check("out_of_sample", p_value, LUCK, standing, decisive=True, looks=evidence.looks)


def chance(paths: Floats) -> float:
    """p-value of earning, (n_paths, n) days: a studentised bootstrap of blocks of days, never below 1/(reps + 1).

    Of several paths twice the median p-value, which holds however the paths depend (Meinshausen, Meier and Bühlmann 2009).
    """
    draws = _draws(paths.shape[1], float(np.median([block_length(path) for path in paths])))
    mean, square = paths.mean(axis=1, keepdims=True), (paths**2).mean(axis=1, keepdims=True)
    drawn, drawn_square = (values @ draws.T / paths.shape[1] for values in (paths, paths**2))
    with np.errstate(divide="ignore", invalid="ignore"):
        seen = mean / np.sqrt(square - mean**2)
        by_luck = (drawn - mean) / np.sqrt(drawn_square - drawn**2)
    at_least = ~(by_luck < seen) | (np.ptp(paths, axis=1, keepdims=True) == 0)  # no spread is no evidence
    value = float(np.median((at_least.sum(axis=1) + 1) / (TEST_REPS + 1)))
    return min(1.0, value if len(paths) == 1 else 2 * value)


@lru_cache(maxsize=4)
def _draws(n_days: int, length: float) -> Floats:
    """Asked for again by the comparison with the present values."""
    return stationary_counts(n_days, length, TEST_REPS, SEED)


def interval_check(evidence: Evidence) -> Check:
    """Low end of the 95% interval of the out-of-sample Sharpe ratio, of CPCV paths the median of the low ends."""
    if evidence.paths.shape[1] < FEWEST_DAYS:
        return _missing("interval", 0.0)
    low = float(np.median([bootstrap_interval(path, "sharpe", seed=SEED, reps=REPS).low for path in evidence.paths]))
    return _check("interval", low, 0.0, "pass" if low > 0 else "weak")


def present_check(evidence: Evidence) -> Check:
    """Paired: the difference to the user's present values, day by day, priced as the out-of-sample days themselves."""
    if evidence.present is None or evidence.paths.shape[1] < FEWEST_DAYS:
        return _missing("present", LUCK)
    better = evidence.paths - evidence.present
    p_value = min(1.0, evidence.looks * chance(better))
    standing: Standing = "fail" if not np.median(better.sum(axis=1)) > 0 else "pass" if p_value <= LUCK else "weak"
    return _check("present", p_value, LUCK, standing)


def cross_validation_check(evidence: Evidence) -> Check:
    """Share of the paths that do not earn: the middle one has to, and for a pass all but one in twenty.

    Folds train on later days than they test, and paths share days and choices: so neither their spread nor a p-value decides
    (no estimator of the variance of k-fold is unbiased, Bengio and Grandvalet 2004).
    """
    paths = evidence.cross_validated
    if paths is None or len(paths) == 0:
        return _missing("cross_validation", LUCK)
    profit = paths.sum(axis=1)
    value = float(np.mean(profit <= 0))
    standing: Standing = "fail" if not np.median(profit) > 0 else "pass" if value <= LUCK else "weak"
    return _check("cross_validation", value, LUCK, standing, n=len(paths), mean=float(np.median(profit)) / paths.shape[1])


def random_entries_check(evidence: Evidence) -> Check:
    value = evidence.random_entry_p
    if value is None:
        return _missing("random_entries", LUCK)
    return _check("random_entries", value, LUCK, "pass" if value <= LUCK else "fail" if value > LIKE_NOISE else "weak")


def plateau_check(evidence: Evidence) -> Check:
    """The median neighbour's score as a share of the winner's."""
    if evidence.plateau is None or math.isnan(evidence.plateau.median_ratio):
        return _missing("plateau", KEPT_MOST)
    return _kept("plateau", evidence.plateau.median_ratio)


def stability_check(evidence: Evidence) -> Check:
    """Share of the profit that is left without the best day, or the best stock. Hours are not judged: many trade only one.

    One stock that made everything is weak and not a fail, as some trade only one.
    """
    if evidence.stability is None or math.isnan(evidence.stability.days.best_share):
        return _missing("stability", KEPT_MOST)
    days, stocks = 1 - evidence.stability.days.best_share, 1 - evidence.stability.stocks.best_share
    if days > 0:
        value = max(0.0, min(days, stocks))
        return _check("stability", value, KEPT_MOST, "pass" if value >= KEPT_MOST else "weak")
    return _check("stability", days, KEPT_MOST, "fail")


def worse_check(name: Literal["optimism", "cost_stress"], kept: Mapping[str, float] | None) -> Check:
    """Share of the assumptions under which it still earns; a run that failed does not."""
    if not kept:
        return _missing(name, 1.0)
    value = float(np.mean([share > 0 for share in kept.values()]))
    return _check(name, value, 1.0, "pass" if value == 1.0 else "weak" if value > 0.5 else "fail")


def account_check(evidence: Evidence) -> Check:
    if evidence.account_kept is None or math.isnan(evidence.account_kept):
        return _missing("account", KEPT_MOST)
    return _kept("account", evidence.account_kept)


def drawdown_check(evidence: Evidence) -> Check:
    """The drawdown that one order of the trades in twenty exceeds, as a share of the winner's whole profit."""
    profit = float(evidence.winner.sum())
    if evidence.order_drawdowns is None or not profit > 0:
        return _missing("drawdown", 1.0)
    value = float(np.quantile(evidence.order_drawdowns, ORDERS)) / profit
    return _check("drawdown", value, 1.0, "pass" if value < 1 else "weak")


def trials_of(evidence: Evidence) -> Trials:
    """Trials on other days are taken to be as alike as those on these days."""
    counted = correlated_trials(evidence.tables)
    n_trials = counted.n_trials + evidence.elsewhere
    effective = counted.effective * n_trials / counted.n_trials
    return Trials(n_trials, effective, float(sharpe(evidence.winner)))


def _kept(name: str, share: float) -> Check:
    return _check(name, share, KEPT_MOST, "pass" if share >= KEPT_MOST else "weak" if share > 0 else "fail")


def _check(name: str, value: float, threshold: float, standing: Standing, *, decisive: bool = False, **named: Any) -> Check:
    return Check(name, float(value), float(threshold), standing, decisive, named=named)


def _missing(name: str, threshold: float, *, decisive: bool = False, **named: Any) -> Check:
    return Check(name, math.nan, threshold, "weak", decisive, missing=True, named=named)
