"""How far the measures of daily returns may lie from what they were, by resampling blocks of days."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import ConfigError
from stom_ray.validation.bootstrap import checked_days, optimal_block_length, stationary_indices, stationary_weights

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Measure = Literal["mean", "sharpe", "profit_factor"]
Method = Literal["percentile", "studentised"]


@dataclass(frozen=True)
class Interval:
    """estimate: the measure of the days as they were. low, high: inside lies the true one with probability `level`.

    NaN where the measure does not exist (no spread, neither gain nor loss); high is inf for a profit factor that may have no
    losses.
    """

    estimate: float
    low: float
    high: float
    level: float
    block_length: float


def bootstrap_interval(
    returns: Floats,
    measure: Measure,
    *,
    seed: int,
    method: Method = "studentised",
    level: float = 0.95,
    reps: int = 2000,
    block_length: float | None = None,
) -> Interval:
    """Two-sided interval of a measure of daily returns (or of daily KRW), from resampled days.

    returns: (n_days,). measure: mean a day, Sharpe ratio per day (n-1), or profit factor of days. block_length: default
    `optimal_block_length`. method: "percentile" takes the quantiles of the resampled measure; "studentised" those of its distance
    from the estimate in standard errors (of the influence function, by blocks: Götze and Künsch 1996, Ledoit and Wolf 2008), on a
    logarithmic scale for the profit factor. Resamples whose measure or error does not exist are left out.
    Raises ConfigError for NaN, fewer than FEWEST_DAYS days and a level that is none.
    """
    values = checked_days(returns)
    if not 0.5 <= level < 1:
        raise ConfigError(f"level is {level}: expected 0.5 to below 1")
    length = optimal_block_length(values) if block_length is None else block_length
    drawn = stationary_indices(len(values), length, reps, seed)
    tails = ((1 - level) / 2, (1 + level) / 2)
    found, influence = _measured(values, measure)
    estimate = float(found)
    sampled, sampled_influence = _measured(values[drawn], measure)
    if math.isnan(estimate) or (method == "studentised" and math.isinf(estimate)):
        low = high = math.nan
    elif method == "percentile":
        low, high = _quantiles(sampled, tails)
    else:
        variance = float(influence @ stationary_weights(len(values), length) @ influence) / len(values) ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            distances = (sampled - estimate) / _block_errors(drawn, sampled_influence)
        nearest, farthest = _quantiles(distances[np.isfinite(distances)], tails)
        low, high = (estimate - tail * math.sqrt(max(0.0, variance)) for tail in (farthest, nearest))
    if measure == "profit_factor":
        with np.errstate(over="ignore"):
            estimate, low, high = (float(np.exp(value)) for value in (estimate, low, high))
    return Interval(estimate, low, high, level, length)


def _measured(values: Floats, measure: Measure) -> tuple[Floats, Floats]:
    """(...) the measure of (..., n_days), the logarithm of the profit factor; (..., n_days) its influence function."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if measure == "profit_factor":
            gains, losses = np.maximum(values, 0.0), np.maximum(-values, 0.0)
            won, lost = gains.mean(axis=-1, keepdims=True), losses.mean(axis=-1, keepdims=True)
            return np.asarray((np.log(won) - np.log(lost))[..., 0]), np.asarray(gains / won - losses / lost)
        centred = values - values.mean(axis=-1, keepdims=True)
        if measure == "mean":
            return np.asarray(values.mean(axis=-1)), centred
        alike = values.max(axis=-1, keepdims=True) == values.min(axis=-1, keepdims=True)
        spread = np.where(alike, np.nan, values.std(axis=-1, ddof=1, keepdims=True))
        ratio = values.mean(axis=-1, keepdims=True) / spread
        scaled = centred / spread
        return np.asarray(ratio[..., 0]), np.asarray(scaled - ratio * (scaled**2 - 1.0) / 2.0)


def _block_errors(drawn: Ints, influence: Floats) -> Floats:
    """(reps,) standard error of each resample: the root of its squared block sums, over its days."""
    reps, n = drawn.shape
    begins = np.ones((reps, n), dtype=np.bool_)
    begins[:, 1:] = drawn[:, 1:] != (drawn[:, :-1] + 1) % n
    sums = np.add.reduceat(influence.ravel(), np.flatnonzero(begins.ravel()))
    first = np.concatenate([[0], np.cumsum(begins.sum(axis=1))[:-1]])
    return np.asarray(np.sqrt(np.add.reduceat(sums**2, first)) / n)


def _quantiles(values: Floats, tails: tuple[float, float]) -> tuple[float, float]:
    """Values that occur, so that an infinite one is not averaged; NaN without values."""
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return math.nan, math.nan
    return float(np.quantile(known, tails[0], method="lower")), float(np.quantile(known, tails[1], method="higher"))
