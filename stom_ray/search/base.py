"""The contract between whoever proposes parameter rows and whoever scores them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.types import ParamMatrix
from stom_ray.metrics.stom import FIGURES

__all__ = ["FIGURES", "Evaluator", "ScoreTable"]


@dataclass(frozen=True)
class ScoreTable:
    """Row i belongs to parameter row i.

    figures: (n, 15) float64 in FIGURES order. daily_profit: (n, n_days) KRW by day of the sale, for each of
    `metrics.batch.trading_days`.
    failed: (n,) bool; a failed row has NaN figures and its reason in `reasons`.
    """

    figures: NDArray[np.float64]
    daily_profit: NDArray[np.float64]
    failed: NDArray[np.bool_]
    reasons: dict[int, str]


class Evaluator(Protocol):
    """Scores parameter rows over a panel.

    Contract: row i of the result belongs to row i of `params`, whatever order workers finish in; the same (params, panel,
    config) gives bit-equal scores for any number of workers; a failing row is FAILED, never dropped.
    """

    def evaluate(self, params: ParamMatrix) -> ScoreTable: ...
