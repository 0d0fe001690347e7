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
    them. The error is deviation × √trades, the same for all rows of as many trades, so that few days or trades that all lose the
    same are no certainty. baseline, deviation: KRW a trade. price: subtracted for each term in use, in units of the objective
    (with `surplus`: standard errors), or in daily errors, for the objective TG alone. Rows without trades or outside the limits
    keep their mark.
    """

    space: Space = field(default_factory=lambda: Space(()))
    price: float = 0.0
    unit: Unit = "objective"
    guide: Guide = "objective"
    baseline: float = 0.0
    deviation: float = 0.0

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
        price = np.full(len(score), self.price)
        if self.guide == "surplus":
            trades = table.figures[:, TRADES]
            surplus = table.figures[:, PROFIT] - trades * self.baseline
            value = surplus / np.maximum(self.deviation * np.sqrt(trades), 1.0)
        else:
            value = score
            price *= daily_error(table.daily_profit) if self.unit == "daily_error" else 1.0
        return np.where(real, value - price * active_terms(self.space, params), score)

    def describe(self) -> Mapping[str, Any]:
        own = {"price": self.price, "unit": self.unit, "guide": self.guide}
        if self.guide == "surplus":
            own |= {"baseline": self.baseline, "deviation": self.deviation}
        return {**super().describe(), "structure": own}


def trade_without_skill(table: ScoreTable, row: int) -> tuple[float, float]:
    """(baseline, deviation) of a row's trades, KRW a trade. ConfigError when it has none."""
    trades = float(table.figures[row, TRADES])
    if table.failed[row] or trades == 0:
        raise ConfigError(
            "the present values make no trade, so that nothing says what a trade without skill brings: loosen the buy script, "
            "or use guide: objective"
        )
    return float(table.figures[row, PROFIT]) / trades, float(daily_error(table.daily_profit)[row] / np.sqrt(trades))


def daily_error(daily_profit: Floats) -> Floats:
    """(n,) standard error of a row's total profit, KRW: √days × standard deviation of its days. daily_profit: (n, n_days)."""
    days = daily_profit.shape[1]
    if days < 2:
        return np.zeros(len(daily_profit))
    error: Floats = np.sqrt(days) * daily_profit.std(axis=1, ddof=1)
    return error
