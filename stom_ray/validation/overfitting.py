"""How much of a Sharpe ratio is left after counting the trials that led to it.

Sharpe ratios are per period, never annualised; skew is m3/m2^1.5 and kurtosis m4/m2² (3 for a normal, not excess), as
`stom_ray.metrics.returns` gives them. Every trial counts towards N, pruned and failed ones too. NaN in, NaN out.

Sources: Bailey and López de Prado, "The Sharpe ratio efficient frontier" (2012) and "The deflated Sharpe ratio" (2014);
Bailey, Borwein, López de Prado and Zhu, "Pseudo-mathematics and financial charlatanism" (2014).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import ConfigError
from stom_ray.metrics.returns import kurtosis, sharpe, skew

Floats = NDArray[np.float64]

EULER_GAMMA = 0.5772156649015329
_NORMAL = NormalDist()


@dataclass(frozen=True)
class DeflatedSharpe:
    """benchmark: the per-period Sharpe ratio that the best of N skill-less trials is expected to show. probability: that the
    true Sharpe ratio exceeds it; believable above 0.95."""

    benchmark: float
    probability: float


def expected_max(n_trials: float) -> float:
    """Expected maximum of N independent standard normals: (1-γ)Φ⁻¹(1-1/N) + γΦ⁻¹(1-1/(Ne)); 0 for a single trial.

    n_trials >= 1, need not be whole (`effective_trials`). Between 1 and 2, where the approximation turns negative, 0.
    """
    if not n_trials >= 1:
        raise ConfigError(f"n_trials is {n_trials}: expected at least 1")
    if n_trials == 1:
        return 0.0
    tail = -_NORMAL.inv_cdf(1 / n_trials)
    far_tail = -_NORMAL.inv_cdf(1 / (n_trials * math.e))
    return max(0.0, (1 - EULER_GAMMA) * tail + EULER_GAMMA * far_tail)


def effective_trials(n_trials: int, mean_correlation: float) -> float:
    """Independent trials that N correlated ones are worth: ρ̄ + (1-ρ̄)N. mean_correlation: of the trials' returns, 0..1."""
    if not 0 <= mean_correlation <= 1:
        raise ConfigError(f"mean_correlation is {mean_correlation}: expected 0 to 1")
    return mean_correlation + (1 - mean_correlation) * n_trials


def min_backtest_length(n_trials: float, target_sharpe: float = 1.0) -> float:
    """Years of data below which N trials without skill are expected to show `target_sharpe` (annual): (E[max N]/SR)²."""
    if not target_sharpe > 0:
        raise ConfigError(f"target_sharpe is {target_sharpe}: expected a positive annual Sharpe ratio")
    return (expected_max(n_trials) / target_sharpe) ** 2


def probabilistic_sharpe(
    observed: float, n_periods: int, *, benchmark: float = 0.0, skew: float = 0.0, kurtosis: float = 3.0
) -> float:
    """Probability that the true Sharpe ratio exceeds `benchmark`: Φ[(SR-SR*)√(T-1)/√(1-γ₃SR+(γ₄-1)/4·SR²)].

    observed, benchmark: per period. n_periods: T >= 2.
    """
    if n_periods < 2:
        raise ConfigError(f"n_periods is {n_periods}: a Sharpe ratio needs at least 2")
    if math.isnan(observed) or math.isnan(benchmark):
        return math.nan
    spread = _spread(observed, skew, kurtosis)
    return _NORMAL.cdf((observed - benchmark) * math.sqrt(n_periods - 1) / math.sqrt(spread))


def min_track_record(
    observed: float, benchmark: float = 0.0, *, skew: float = 0.0, kurtosis: float = 3.0, confidence: float = 0.95
) -> float:
    """Periods after which `observed` exceeds `benchmark` with this confidence: 1+[1-γ₃SR+(γ₄-1)/4·SR²](z/(SR-SR*))².

    Infinite when observed does not exceed the benchmark.
    """
    if not 0.5 < confidence < 1:
        raise ConfigError(f"confidence is {confidence}: expected more than 0.5 and less than 1")
    if math.isnan(observed) or math.isnan(benchmark):
        return math.nan
    if observed <= benchmark:
        return math.inf
    return 1 + _spread(observed, skew, kurtosis) * (_NORMAL.inv_cdf(confidence) / (observed - benchmark)) ** 2


def deflated_sharpe(
    observed: float, n_periods: int, *, n_trials: float, trial_variance: float, skew: float = 0.0, kurtosis: float = 3.0
) -> DeflatedSharpe:
    """Probabilistic Sharpe ratio against √V·E[max N]. trial_variance: V, of the trials' per-period Sharpe ratios."""
    if trial_variance < 0:
        raise ConfigError(f"trial_variance is {trial_variance}: expected 0 or more")
    benchmark = math.sqrt(trial_variance) * expected_max(n_trials)
    return DeflatedSharpe(benchmark, probabilistic_sharpe(observed, n_periods, benchmark=benchmark, skew=skew, kurtosis=kurtosis))


def deflated_sharpe_of(
    returns: Floats, trial_sharpes: Sequence[float] | Floats, *, n_trials: float | None = None
) -> DeflatedSharpe:
    """`deflated_sharpe` of the chosen candidate's returns (n_periods,), given the Sharpe ratios of every trial.

    n_trials: default all of them, NaN (failed, or never traded) included; V is taken over those that are numbers and needs two.
    """
    trials = np.asarray(trial_sharpes, dtype=np.float64)
    known = trials[~np.isnan(trials)]
    if len(known) < 2:
        raise ConfigError(f"{len(known)} trials with a Sharpe ratio: their variance needs at least 2")
    return deflated_sharpe(
        float(sharpe(returns)),
        len(returns),
        n_trials=len(trials) if n_trials is None else n_trials,
        trial_variance=float(np.var(known, ddof=1)),
        skew=float(skew(returns)),
        kurtosis=float(kurtosis(returns)),
    )


def _spread(observed: float, skew: float, kurtosis: float) -> float:
    """(T-1) times the variance of the Sharpe ratio's estimate."""
    spread = 1 - skew * observed + (kurtosis - 1) / 4 * observed**2
    if spread <= 0:
        raise ConfigError(f"skew {skew} with kurtosis {kurtosis}: no distribution has kurtosis below 1 + skew²")
    return spread
