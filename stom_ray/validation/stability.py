"""Where the profit comes from: by stock, by day, by hour.

A rule that works earns in many places; one lucky day or one stock that carries everything will not come again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.types import Floats, Ints, Trades
from stom_ray.errors import ConfigError
from stom_ray.store.panel import Panel


@dataclass(frozen=True)
class Concentration:
    """Profit over groups of trades. groups: (n,) sorted; profit: (n,) KRW of each.

    profitable: share of groups that earned. best_share: the best group's part of the whole profit, above 1 when the others lost
    together; NaN unless the whole is positive. without_best: KRW that is left without it. herfindahl: Σ of squared parts of the
    gains (of the groups that earned), 1/n when they are equal, 1 when there is one; NaN without gains.
    """

    groups: NDArray[Any]
    profit: Floats
    profitable: float
    best_share: float
    without_best: float
    herfindahl: float


@dataclass(frozen=True)
class Stability:
    """By stock (codes), by trading day of the sale (yyyymmdd), and by hour of the purchase (0..23)."""

    stocks: Concentration
    days: Concentration
    hours: Concentration


def stability(trades: Trades, panel: Panel) -> Stability:
    """Of one candidate's trades; panel: the selected one that their rows refer to. Groups without a trade do not occur.

    Raises ConfigError for no trade and trades of several candidates.
    """
    if len(trades) == 0 or np.any(trades.candidate != trades.candidate[0]):
        raise ConfigError(
            f"{len(trades)} trades of {len(np.unique(trades.candidate))} candidates: expected trades of one candidate"
        )
    codes = np.array(panel.codes)[panel.session_code[trades.session]]
    return Stability(
        stocks=concentration(trades.profit, codes),
        days=concentration(trades.profit, trades.sell_clock // 1_000_000),
        hours=concentration(trades.profit, trades.buy_clock // 10_000 % 100),
    )


def concentration(profits: Ints | Floats, groups: NDArray[Any]) -> Concentration:
    """profits: (n_trades,) KRW; groups: (n_trades,) what each belongs to. Raises ConfigError without trades, and for NaN."""
    if len(profits) == 0 or len(profits) != len(groups) or np.isnan(profits).any():
        raise ConfigError(f"{len(profits)} profits in {len(groups)} groups: expected as many, at least one, and numbers only")
    names, place = np.unique(groups, return_inverse=True)
    profit = np.bincount(place, weights=profits, minlength=len(names)).astype(np.float64)
    total, best = float(profit.sum()), float(profit.max())
    gains = np.maximum(profit, 0.0)
    return Concentration(
        groups=names,
        profit=profit,
        profitable=float(np.mean(profit > 0)),
        best_share=best / total if total > 0 else math.nan,
        without_best=total - best,
        herfindahl=float(np.sum((gains / gains.sum()) ** 2)) if best > 0 else math.nan,
    )
