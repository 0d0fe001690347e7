"""Days resampled by the stationary bootstrap.

Blocks of days begin at a random day and have geometric lengths with the given mean; the last day is followed by the first.
Source: Politis and Romano, "The stationary bootstrap" (1994); block length: Politis and White (2004) with the correction of
Patton, Politis and White (2009). The days drawn, and the block length, are those of the library `arch` for the same seed.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import ConfigError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEWEST_DAYS = 10  # below, neither a block length nor an interval says anything


def stationary_indices(n_days: int, block_length: float, reps: int, seed: int) -> Ints:
    """(reps, n_days) days drawn with blocks of `block_length` days on average, >= 1; the first m rows do not depend on reps."""
    if not 1 <= block_length <= n_days:
        raise ConfigError(f"block_length is {block_length}: expected 1 to the number of days, {n_days}")
    if reps < 1:
        raise ConfigError(f"reps is {reps}: expected at least 1")
    rng = np.random.default_rng(seed)
    place = np.arange(n_days)
    drawn = np.empty((reps, n_days), dtype=np.int64)
    for rep in range(reps):
        starts = rng.integers(n_days, size=n_days, dtype=np.int64)
        begins = rng.random(n_days) <= 1.0 / block_length
        begins[0] = True
        latest = np.maximum.accumulate(np.where(begins, place, 0))
        drawn[rep] = (starts[latest] + place - latest) % n_days
    return drawn


def stationary_counts(n_days: int, block_length: float, reps: int, seed: int) -> Floats:
    """(reps, n_days) how often each day is drawn: `counts @ x / n_days` are the resampled means of x."""
    drawn = stationary_indices(n_days, block_length, reps, seed)
    flat = drawn + n_days * np.arange(reps)[:, np.newaxis]
    return np.bincount(flat.ravel(), minlength=reps * n_days).reshape(reps, n_days).astype(np.float64)


def stationary_weights(n_days: int, block_length: float) -> Floats:
    """(n_days, n_days) K, for which x'Kx / n_days is n_days times the variance of a resampled mean. x: (n_days,) with mean 0.

    κ_i = (1 - i/T)(1 - 1/L)^i + (i/T)(1 - 1/L)^(T-i) at lag i (Politis and Romano 1994).
    """
    lag = np.arange(n_days)
    stay = 1.0 - 1.0 / block_length
    weights = (1.0 - lag / n_days) * stay**lag + (lag / n_days) * stay ** (n_days - lag)
    weights[0] = 1.0
    return np.asarray(weights[np.abs(lag[:, np.newaxis] - lag)])


def optimal_block_length(returns: Floats) -> float:
    """Mean block length that makes the variance of the mean of (n_days,) best estimated; at least 1, at most min(3√T, T/3).

    1 for returns without spread. Raises ConfigError for NaN and for fewer than FEWEST_DAYS days.
    """
    values = checked_days(returns)
    n = len(values)
    if values.max() == values.min():
        return 1.0
    centred = values - values.mean()
    quiet = max(5, int(math.log10(n)))  # lags in a row without correlation, after which none is expected
    longest = math.ceil(math.sqrt(n)) + quiet
    covariance, correlation = _autocovariance(centred, longest)
    below = np.abs(correlation) < 2 * math.sqrt(math.log10(n) / n)
    first = next((lag for lag in range(longest - quiet + 1) if below[lag : lag + quiet].all()), None)
    reach = longest if first is None else min(2 * max(first, 1), longest)
    lag = np.arange(1, reach + 1)
    taper = np.where(lag / reach <= 0.5, 1.0, 2.0 * (1.0 - lag / reach))
    slope = 2.0 * float(np.sum(taper * lag * covariance[1 : reach + 1]))
    spectrum = covariance[0] + 2.0 * float(np.sum(taper * covariance[1 : reach + 1]))
    if spectrum == 0.0:
        return 1.0
    best = (slope**2 / spectrum**2 * n) ** (1 / 3)
    return float(min(max(best, 1.0), math.ceil(min(3 * math.sqrt(n), n / 3))))


def _autocovariance(centred: Floats, longest: int) -> tuple[Floats, Floats]:
    """(longest + 1,) each: covariance over n; correlation of the two overlapping parts, 0 where one of them is 0."""
    n = len(centred)
    covariance, correlation = np.zeros(longest + 1), np.zeros(longest + 1)
    for lag in range(min(longest + 1, n)):
        product = float(centred[lag:] @ centred[: n - lag])
        late, early = centred[lag + 1 :], centred[: n - lag - 1]
        size = math.sqrt(float(late @ late) * float(early @ early))
        covariance[lag] = product / n
        correlation[lag] = product / size if size > 0 else 0.0
    return covariance, correlation


def checked_days(returns: Floats) -> Floats:
    """(n_days,) float64. Raises ConfigError: NaN or infinite, fewer than FEWEST_DAYS, no vector."""
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 1 or len(values) < FEWEST_DAYS:
        raise ConfigError(f"returns have shape {values.shape}: expected at least {FEWEST_DAYS} days")
    if not np.isfinite(values).all():
        day = int(np.argmin(np.isfinite(values)))
        raise ConfigError(f"the return of day {day} is {values[day]}: expected a number every day")
    return values
