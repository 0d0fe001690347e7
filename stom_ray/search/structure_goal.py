"""What a search over structure is for: an objective, less a price for every term that a row uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from stom_ray.engine.types import Floats, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.metrics.objectives import NO_TRADES
from stom_ray.metrics.stom import FIGURES
from stom_ray.search.base import ScoreTable
from stom_ray.search.goal import StomGoal
from stom_ray.search.space import Space
from stom_ray.search.structure import active_terms

Unit = Literal["objective", "daily_error"]
Guide = Literal["objective", "surplus"]
TRADES, PROFIT = FIGURES.index("tc"), FIGURES.index("tsg")


@dataclass(frozen=True)
class StructureGoal(StomGoal):
    """`score` stays the objective of a row's trades; `searched` is what the study compares.

    guide `objective`: the objective. `surplus`: by how many standard errors a row's profit exceeds what as many trades without
    skill bring, (profit - trades × baseline) / error; it rises from one right term to two to three also where costs still eat
    them. baseline: KRW a trade. price: subtracted for each term in use, in units of the objective (with `surplus`: standard
    errors), or in `daily_error`s: √days × standard deviation of the row's daily profit, KRW, for the objective TG alone. Rows
    without trades or outside the limits keep their mark.
    """

    space: Space = field(default_factory=lambda: Space(()))
    price: float = 0.0
    unit: Unit = "objective"
    guide: Guide = "objective"
    baseline: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.price < np.inf:
            raise ConfigError(f"structure price is {self.price}: expected 0 or more for each term")
        if self.unit == "daily_error" and self.guide == "objective" and self.objective != "TG":
            raise ConfigError(
                f"structure price in daily_error is KRW, objective {self.objective} is not: use unit: objective, or TG"
            )

    def searched(self, table: ScoreTable, params: ParamMatrix) -> Floats:
        score = self.score(table)
        real = score > NO_TRADES
        error = daily_error(table.daily_profit)
        price = np.full(len(score), self.price)
        if self.guide == "surplus":
            surplus = table.figures[:, PROFIT] - table.figures[:, TRADES] * self.baseline
            value = np.where(error > 0, surplus / np.where(error > 0, error, 1.0), 0.0)
        else:
            value = score
            price = price * (error if self.unit == "daily_error" else 1.0)
        return np.where(real, value - price * active_terms(self.space, params), score)

    def describe(self) -> Mapping[str, Any]:
        own = {"price": self.price, "unit": self.unit, "guide": self.guide, "baseline": self.baseline}
        return {**super().describe(), "structure": own}


def daily_error(daily_profit: Floats) -> Floats:
    """(n,) standard error of a row's total profit, KRW: √days × standard deviation of its days. daily_profit: (n, n_days)."""
    days = daily_profit.shape[1]
    if days < 2:
        return np.zeros(len(daily_profit))
    error: Floats = np.sqrt(days) * daily_profit.std(axis=1, ddof=1)
    return error
