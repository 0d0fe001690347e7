"""How many independent trials a study's trials are worth, from their daily returns.

Two counts, because neither is the truth. `correlated_trials` takes every trial, in one pass: ρ̄ + (1-ρ̄)N of the mean
correlation, and never more than there are different rows of returns. It errs upwards (two groups of copies count as half of N,
not as 2), so a deflated Sharpe ratio with it is rather too strict: it is the one to judge by. `behaviour_clusters` puts trials
that earn on the same days together; over a sample of the trials it errs downwards (ideas that the sample missed, and what
differs within a cluster), and tells what was really tried: it is the one to show, and to name winners that are one winner.
Sources: Bailey and López de Prado, "The deflated Sharpe ratio" (2014); López de Prado and Lewis (2019) for clusters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from stom_ray.errors import ConfigError
from stom_ray.validation.overfitting import effective_trials
from stom_ray.validation.trial_returns import Floats, TrialBlock, TrialReturns, raw_blocks, trial_blocks

Ints = NDArray[np.int64]

MOST_CLUSTERED = 4000  # trials whose correlations are held at once: 128 MB


@dataclass(frozen=True)
class CorrelatedTrials:
    """n_trials: all of them. failed, constant: as in `TrialBlock`, they have no correlation. distinct: different rows of returns,
    each failed trial one of its own. mean_correlation: of all pairs of the others, cut to 0..1; 0 when there is no pair.
    """

    n_trials: int
    failed: int
    constant: int
    distinct: int
    mean_correlation: float

    @property
    def effective(self) -> float:
        """1..n_trials: ρ̄ + (1-ρ̄)N, at most the number of distinct trials."""
        return min(effective_trials(self.n_trials, self.mean_correlation), float(self.distinct))


def correlated_trials(returns: TrialReturns) -> CorrelatedTrials:
    """One pass over (n_trials, n_days), in O(n_trials n_days): the rows, standardised to length 1, add up to a vector whose
    squared length is the sum of all correlations.

    NaN: as `TrialBlock`. Raises ConfigError as `raw_blocks`.
    """
    n_trials = failed = constant = 0
    total: Floats | None = None
    behaviours: list[NDArray[np.uint64]] = []
    for block in trial_blocks(returns):
        n_trials += len(block.values)
        failed += int(block.failed.sum())
        constant += int(block.constant.sum())
        behaviours.append(_fingerprints(block.values[~block.failed]))
        units = _units(block)
        total = units.sum(axis=0) if total is None else total + units.sum(axis=0)
    varying = n_trials - failed - constant
    mean = (float(total @ total) - varying) / (varying * (varying - 1)) if total is not None and varying > 1 else 0.0
    distinct = failed + len(np.unique(np.concatenate(behaviours)))
    return CorrelatedTrials(n_trials, failed, constant, distinct, min(1.0, max(0.0, mean)))


def behaviour_clusters(returns: Floats, *, alike: float = 0.5) -> Ints:
    """(n_trials,) cluster of each trial, numbered from 0 in the order in which they first occur; at most MOST_CLUSTERED trials.

    returns: (n_trials, n_days), for example the rows of the best trials, or `sampled_trials`. Average linkage of the distances
    √((1-ρ)/2), cut where clusters correlate less than `alike` on average. Trials without spread are one cluster, failed ones are
    each their own. NaN: as `TrialBlock`. Raises ConfigError: too many trials, `alike` outside 0..1, and as `raw_blocks`.
    """
    if len(returns) > MOST_CLUSTERED:
        raise ConfigError(
            f"{len(returns):,} trials are too many to cluster: expected at most {MOST_CLUSTERED:,}; draw a sample of them"
        )
    if not 0 < alike < 1:
        raise ConfigError(f"alike is {alike}: expected a correlation above 0 and below 1")
    block = next(trial_blocks(returns, rows=MOST_CLUSTERED))
    varying = np.flatnonzero(~block.failed & ~block.constant)
    labels = np.zeros(len(returns), dtype=np.int64)
    labels[varying] = _linked(_units(block)[varying], math.sqrt((1 - alike) / 2))
    labels[block.constant] = labels.max(initial=0) + 1
    labels[block.failed] = labels.max(initial=0) + 1 + np.arange(int(block.failed.sum()))
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[inverse], dtype=np.int64)


def sampled_trials(returns: TrialReturns, n: int, seed: int) -> tuple[Ints, Floats]:
    """Numbers, rising, and rows of at most n >= 1 trials drawn without replacement, in one pass. Raises as `raw_blocks`."""
    rng = np.random.default_rng(seed)
    numbers, keys, rows = np.empty(0, dtype=np.int64), np.empty(0), np.empty((0, 0))
    for first, values in raw_blocks(returns):
        numbers = np.concatenate([numbers, first + np.arange(len(values))])
        keys = np.concatenate([keys, rng.random(len(values))])
        kept = np.sort(np.argsort(keys, kind="stable")[:n])
        rows = (np.concatenate([rows, values]) if first else values)[kept]
        numbers, keys = numbers[kept], keys[kept]
    return numbers, rows


def _linked(units: Floats, farthest: float) -> Ints:
    if len(units) < 2:
        return np.zeros(len(units), dtype=np.int64)
    upper = np.triu_indices(len(units), 1)
    distances = np.sqrt(np.maximum(0.0, 1.0 - (units @ units.T)[upper]) / 2)
    return np.asarray(fcluster(linkage(distances, "average"), farthest, "distance"), dtype=np.int64)


def _units(block: TrialBlock) -> Floats:
    """Rows with mean 0 and length 1; rows without spread are 0."""
    centred = block.values - block.values.mean(axis=1, keepdims=True)
    centred[block.failed | block.constant] = 0.0
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    return np.asarray(centred / np.where(length > 0, length, 1.0))


def _fingerprints(values: Floats) -> NDArray[np.uint64]:
    """(n,) equal for equal rows, and for others with a chance of 2^-64 or so: a sum of bits times random odd numbers."""
    factors = np.random.default_rng(0).integers(0, 2**64, size=values.shape[1], dtype=np.uint64) | np.uint64(1)
    bits = np.ascontiguousarray(values + 0.0).view(np.uint64)
    return np.asarray(((bits ^ (bits >> np.uint64(32))) * factors).sum(axis=1, dtype=np.uint64))
