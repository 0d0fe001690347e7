"""Which variables moved the objective, and how: importance, slices and the plane of the two that matter most.

Importance: objectives are replaced by their ranks (so that "no trades" and violated limits are merely last) and an additive
model, a free level for each value or bin of each variable, is fitted by least squares over all trials at once. A variable's share
is the covariance of its fitted part with the ranks over their variance (Li et al. 2010, J. Phys. Chem. A 114, 6022: total
contribution S_i). Shares add up to the model's R², also where a sampler's picks are correlated; what is missing to 1 is interplay
and noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stom_ray.reports.tables import is_scored, scored

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

TRIALS_PER_LEVEL = 10
MOST_LEVELS = 20


@dataclass(frozen=True)
class Importance:
    """shares: variable -> share of the variance of ranks, largest first; empty when it cannot be told (too few trials, one
    value of everything). explained: R² of the additive model, 0-1. trials: rows used."""

    shares: dict[str, float]
    explained: float
    trials: int


def levels(values: Floats, most: int) -> tuple[Ints, Floats]:
    """Level of each value, and each level's centre (median). Distinct values are the levels; more than `most`: quantile bins.

    values: (n,), no NaN. Returns: (n,) 0-based, (n_levels,) ascending.
    """
    centres: Floats = np.unique(values)
    where: Ints = np.searchsorted(centres, values).astype(np.int64)
    if len(centres) > most:
        edges = np.unique(np.quantile(values, np.linspace(0.0, 1.0, most + 1))[1:-1])
        bins = np.searchsorted(edges, values, side="right")
        where = np.searchsorted(np.unique(bins), bins).astype(np.int64)
        centres = np.asarray(pd.Series(values).groupby(where).median(), dtype=np.float64)
    return where, centres


def importance(trials: pd.DataFrame, variables: Sequence[str]) -> Importance:
    """Share of each variable in the objective's ranks. Failed and pruned trials are left out, refused ones rank last.

    Needs 2 * TRIALS_PER_LEVEL trials for each variable that was varied; with fewer the shares are empty.
    """
    ran = trials[(~trials["failed"].astype("bool")) & trials["objective"].notna()]
    varied = [name for name in variables if ran[name].nunique() > 1]
    most = min(MOST_LEVELS, len(ran) // (TRIALS_PER_LEVEL * max(1, len(varied))))
    if not varied or most < 2 or ran["objective"].nunique() < 2:
        return Importance({}, 0.0, len(ran))
    ranks = ran["objective"].rank(method="average").to_numpy(dtype="float64")
    target = ranks - ranks.mean()
    codes = [levels(ran[name].to_numpy(dtype="float64"), most)[0] for name in varied]
    parts = _additive_parts(codes, target)
    total = float(target @ target)
    shares = {name: float(part @ target) / total for name, part in zip(varied, parts, strict=True)}
    ordered = dict(sorted(shares.items(), key=lambda item: -item[1]))
    return Importance(ordered, float(sum(shares.values())), len(ran))


def _additive_parts(codes: Sequence[Ints], target: Floats) -> list[Floats]:
    """Fitted part of each variable, (n,) each with mean 0: least squares on level indicators through the Gram matrix."""
    sizes = [int(code.max()) + 1 for code in codes]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    gram = np.zeros((starts[-1], starts[-1]))
    moment = np.zeros(starts[-1])
    for i, a in enumerate(codes):
        moment[starts[i] : starts[i + 1]] = np.bincount(a, weights=target, minlength=sizes[i])
        for j, b in enumerate(codes):
            counts = np.bincount(a * sizes[j] + b, minlength=sizes[i] * sizes[j])
            gram[starts[i] : starts[i + 1], starts[j] : starts[j + 1]] = counts.reshape(sizes[i], sizes[j])
    # Indicators of each variable add up to 1, so the matrix is singular: the shortest solution is taken.
    solution = np.linalg.lstsq(gram, moment, rcond=1e-10)[0]
    parts = [solution[starts[i] : starts[i + 1]][code] for i, code in enumerate(codes)]
    return [part - part.mean() for part in parts]


def slices(trials: pd.DataFrame, variable: str, most: int = 24) -> pd.DataFrame:
    """Objective against one variable: rows `value` (ascending), trials, refused (share of them without a score), median, best.

    More than `most` distinct values are put in quantile bins and stand at their median. median and best are over scored trials,
    NaN where a value has none.
    """
    ran = trials[~trials["failed"].astype("bool") & trials["objective"].notna() & trials[variable].notna()]
    if ran.empty:
        return pd.DataFrame({"value": [], "trials": [], "refused": [], "median": [], "best": []}, dtype="float64")
    code, centres = levels(ran[variable].to_numpy(dtype="float64"), most)
    good = ran["objective"].astype("float64").where(is_scored(ran))
    groups = good.groupby(code)
    counts = groups.size()
    return pd.DataFrame(
        {
            "value": centres,
            "trials": counts.to_numpy(),
            "refused": 1.0 - groups.count().to_numpy() / counts.to_numpy(),
            "median": groups.median().to_numpy(),
            "best": groups.max().to_numpy(),
        }
    )


def plane(trials: pd.DataFrame, across: str, down: str, most: int = 20) -> pd.DataFrame:
    """Median objective of scored trials for each pair of values: columns are values of `across`, rows of `down`; NaN: none."""
    good = scored(trials)
    good = good[good[across].notna() & good[down].notna()]
    if good.empty:
        return pd.DataFrame(dtype="float64")
    code_x, centre_x = levels(good[across].to_numpy(dtype="float64"), most)
    code_y, centre_y = levels(good[down].to_numpy(dtype="float64"), most)
    objective = good["objective"].to_numpy(dtype="float64")
    medians = pd.Series(objective).groupby([code_y, code_x]).median().unstack()
    medians = medians.reindex(index=range(len(centre_y)), columns=range(len(centre_x)))
    return pd.DataFrame(medians.to_numpy(), index=centre_y, columns=centre_x)
