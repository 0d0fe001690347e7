"""What is searched for: one of STOM's objectives over the figures, or several, within limits (spec/metrics.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from stom_ray.engine.types import Floats, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.metrics.objectives import NO_TRADES, OBJECTIVES, Kind, Limits, aim, check_aims, merge_folds, objective
from stom_ray.metrics.returns import daily_returns, sharpe
from stom_ray.metrics.stom import FIGURES
from stom_ray.search.base import ScoreTable
from stom_ray.search.evaluator import FoldedTable


@dataclass(frozen=True)
class StomGoal:
    """An objective by name. betting: KRW an entry. weighted: newer folds count more, where the evaluator scores folds."""

    objective: str = "TG"
    limits: Limits = field(default_factory=Limits)
    betting: float = 1_000_000.0
    weighted: bool = True

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise ConfigError(f"objective {self.objective!r} is not known: choose one of {', '.join(OBJECTIVES)}")

    def score(self, table: ScoreTable, kind: Kind = "TOTAL") -> Floats:
        """(n,) objective; of a table with folds the merge of each fold's train and valid. Failed rows: NaN."""
        if not isinstance(table, FoldedTable):
            return self._scored(table.figures, kind)
        train = self._scored(table.folds[0::2], "TRAIN")
        valid = self._scored(table.folds[1::2], "VALID")
        return merge_folds(self.objective, train, valid, weighted=self.weighted, betting=self.betting)

    def searched(self, table: ScoreTable, params: ParamMatrix) -> Floats:
        """(n,) what a study compares: the objective, whatever the parameters."""
        return self.score(table)

    def on_some_days(self) -> Self:
        """Without limits: fewer trades, and a smaller profit, are what fewer days bring."""
        return replace(self, limits=Limits())

    @property
    def width(self) -> int:
        """Columns of `aims`: one objective has none."""
        return 0

    def aims(self, table: ScoreTable, params: ParamMatrix) -> Floats:
        """(n, width)"""
        return np.empty((len(table.failed), 0))

    def sharpe(self, table: ScoreTable) -> Floats:
        """(n,) per trading day, of daily profit over the betting; NaN without variation."""
        return sharpe(daily_returns(table.daily_profit, self.betting))

    def describe(self) -> Mapping[str, Any]:
        bounds = {name: [_text(low), _text(high)] for name, (low, high) in vars(self.limits).items()}
        return {"objective": self.objective, "limits": bounds, "betting": self.betting, "weighted": self.weighted}

    def _scored(self, figures: Floats, kind: Kind) -> Floats:
        return objective(self.objective, figures, self.limits, kind, betting=self.betting)


@dataclass(frozen=True)
class SeveralGoals(StomGoal):
    """Several aims (`metrics.objectives`) to be weighed against each other. The first is `objective`: it ranks rows, as if it
    were alone. A row is outside the limits by `Limits.excess`, without trades farther than any other.
    """

    objectives: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_aims(self.objectives)
        if self.objectives[0] != self.objective:
            raise ConfigError(
                f"objective is {self.objective}, but {self.objectives[0]} stands first of several: it is what ranks"
            )

    @property
    def width(self) -> int:
        """Objectives, and the violation of the limits."""
        return len(self.objectives) + 1

    def aims(self, table: ScoreTable, params: ParamMatrix) -> Floats:
        """(n, width) as `search.front` has them. Failed rows: NaN. ConfigError for a table with folds: products merge them."""
        if isinstance(table, FoldedTable):
            raise ConfigError("several objectives have no merge of folds: give one objective, or score without folds")
        columns = [aim(name, table.figures, betting=self.betting) for name in self.objectives]
        outside = np.where(table.figures[:, FIGURES.index("tc")] == 0, -NO_TRADES, self.limits.excess(table.figures))
        return np.stack([*columns, outside], axis=1)

    def describe(self) -> Mapping[str, Any]:
        return {**super().describe(), "objectives": list(self.objectives)}


def _text(bound: float) -> float | str:
    return bound if np.isfinite(bound) else str(bound)
