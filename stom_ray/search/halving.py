"""Pruning inside a batch: all rows on a few days, the best of them on more, the rest of those on all (successive halving).

What is compared is a batch of an island, whole, so that the order in which anything arrives decides nothing. Days are cut, never
rows in the middle of one: no position outlives its day, so the figures of some days are those of a run over just these days. An
exemption by lot, the controls, keeps it measurable what the early days miss. Source: Jamieson and Talwalkar, "Non-stochastic best
arm identification and hyperparameter optimization" (2016), arXiv:1502.07943.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.types import Floats, Ints
from stom_ray.errors import ConfigError

TOP_SHARE = 0.1
FEWEST_COMPARED = 10


@dataclass(frozen=True)
class Halving:
    """The ceil(n / keep) best of a rung's n rows go on to the next rung; who passes the last one is run on all days.

    days: how many trading days a rung is run on, rising. by: `early` takes the first ones, `spread` as many spread evenly.
    controls: share of the rows that would be pruned, drawn by lot, which are run on all days all the same.
    """

    keep: int = 3
    days: tuple[int, ...] = (5, 15)
    by: Literal["early", "spread"] = "early"
    controls: float = 0.05

    def __post_init__(self) -> None:
        if self.keep < 2:
            raise ConfigError(f"halving keep is {self.keep}: expected at least 2, one of so many rows goes on")
        rising = all(one < other for one, other in zip((0, *self.days), self.days, strict=False))
        if not self.days or not rising:
            raise ConfigError(f"halving days are {list(self.days)}: expected one number or more, each larger than the last")
        if self.by not in ("early", "spread"):
            raise ConfigError(f"halving by is {self.by!r}: expected early or spread")
        if not 0 <= self.controls < 1:
            raise ConfigError(f"halving controls is {self.controls}: expected a share, 0 or more and below 1")

    def rungs(self, days: Ints) -> list[Ints]:
        """The trading days of each rung. days: all of the selection. ConfigError when a rung has as many."""
        if self.days[-1] >= len(days):
            raise ConfigError(
                f"halving runs rows on {self.days[-1]} days before it runs them on all, which are {len(days)}: take fewer"
            )
        if self.by == "early":
            return [days[:count] for count in self.days]
        return [days[((np.arange(count) + 0.5) * len(days) / count).astype(np.int64)] for count in self.days]

    def describe(self) -> dict[str, Any]:
        """As JSON data, for the identity."""
        return {**asdict(self), "days": list(self.days)}

    def first_out(self, objective: Floats) -> tuple[Ints, Ints]:
        """(who goes on, who does not), both rising. objective: (n,) on a rung, not finite = behind all others; the earlier row
        first among equals."""
        order = np.argsort(-np.where(np.isfinite(objective), objective, -np.inf), kind="stable")
        kept = math.ceil(len(objective) / self.keep)
        return np.sort(order[:kept]), np.sort(order[kept:])


def told_of(objective: Floats, fell: Ints, pruned: NDArray[np.bool_], early: Floats) -> Floats:
    """(n,) what a sampler is told of the rows of a batch: their objective, and of pruned ones a number below every row that
    passed all rungs: the longer it lasted the higher, then by the objective of its last rung.

    Fields as in `Scores`. Without a row that passed and did not fail there is nothing to be below of: NaN.
    """
    told = objective.copy()
    out = np.flatnonzero(pruned)
    passed = objective[(fell == 0) & np.isfinite(objective)]
    if len(out) == 0 or len(passed) == 0:
        return told
    last = early[out, fell[out] - 1]
    order = np.lexsort((out, -np.where(np.isfinite(last), last, -np.inf), -fell[out]))
    low = float(passed.min())
    told[out[order]] = low - max(1.0, abs(low)) * 1e-9 * np.arange(1, len(out) + 1)
    return told


@dataclass(frozen=True)
class PruneCheck:
    """What pruning may have cost. pruned: rows stopped early. controls: rows that would have been, and were run on all days.

    missed: controls among the best tenth of the rows that passed. correlation: of the ranks by the first rung and by all days,
    a control standing for as many pruned rows as it was drawn from; NaN with too few rows to tell.
    """

    pruned: int
    controls: int
    missed: int
    correlation: float

    def to_json(self) -> Mapping[str, Any]:
        return {**asdict(self), "correlation": None if math.isnan(self.correlation) else self.correlation}


def prune_check(objective: Floats, fell: Ints, pruned: NDArray[np.bool_], early: Floats) -> PruneCheck:
    """Fields as in `TrialTable`, of rows that went through the rungs."""
    whole = np.isfinite(objective)
    control, passed = whole & (fell > 0), whole & (fell == 0) & np.isfinite(early).all(axis=1)
    missed = 0
    if passed.any():
        missed = int((objective[control] >= np.quantile(objective[passed], 1 - TOP_SHARE)).sum())
    known = (control | passed) & np.isfinite(early[:, :1]).all(axis=1)
    correlation = math.nan
    if known.sum() >= FEWEST_COMPARED and control.any():
        weight = np.where(control, (pruned.sum() + control.sum()) / control.sum(), 1.0)[known]
        correlation = _rank_correlation(early[known, 0], objective[known], weight)
    return PruneCheck(int(pruned.sum()), int(control.sum()), missed, correlation)


def _rank_correlation(one: Floats, other: Floats, weight: Floats) -> float:
    """Spearman's, rows counted as often as their weight says; NaN where one of both is the same everywhere."""
    ranks = [_ranks(values, weight) for values in (one, other)]
    first, second = (rank - np.average(rank, weights=weight) for rank in ranks)
    spread = float((weight * first**2).sum() * (weight * second**2).sum())
    return float((weight * first * second).sum()) / math.sqrt(spread) if spread > 0 else math.nan


def _ranks(values: Floats, weight: Floats) -> Floats:
    """The middle of what lies below and what lies at or below."""
    distinct, place = np.unique(values, return_inverse=True)
    held = np.bincount(place, weights=weight, minlength=len(distinct))
    middle: Floats = (np.cumsum(held) - held / 2)[place]
    return middle
