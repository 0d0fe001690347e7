"""Optimism report: one candidate under assumptions that are worse than those it was searched under.

A searched rule may live off what a backtest grants and a market does not: buying in the very second it decides, taking all five
ask levels, today's tax. Every assumption is a run of its own, so that trades which no longer come about make room for others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from stom_ray.conditions.ir import Strategy
from stom_ray.engine.late import Delay, run_late
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.metrics.returns import daily_returns, sharpe
from stom_ray.schema.costs import KRX_TAX, STOM_FEE_RATE
from stom_ray.search.base import FIGURES, ScoreTable
from stom_ray.search.evaluator import Scoring, SerialEvaluator
from stom_ray.store.panel import Selection

FEW_LEVELS = 3  # ask levels, as a fresh STOM has them
DEAREST = f"custom:{100 * max(rate for _, rate in KRX_TAX):.6g},{100 * STOM_FEE_RATE:.6g}"
AS_SEARCHED = "as searched"


@dataclass(frozen=True)
class Assumption:
    """delay: of orders, None without."""

    name: str
    config: EngineConfig
    delay: Delay | None = None


def worse_assumptions(config: EngineConfig, *, costs: Sequence[str] = (DEAREST,)) -> tuple[Assumption, ...]:
    """Later orders, fewer ask levels, half the size, other taxes, and all of them at once.

    A row is a second in which the stock was seen: one row later is at least a second later. Ask levels become 3, or one less than
    they are; with one level there is no such assumption. costs: cost models (`schema.costs`), by default the highest tax since
    2021 with STOM's fee; the last of them is the one in all at once.
    """
    levels = min(FEW_LEVELS, max(1, config.ask_levels - 1))
    single = [
        Assumption("entry one row later", config, Delay(1, 0)),
        Assumption("entry and exit one row later", config, Delay(1, 1)),
    ]
    if levels < config.ask_levels:
        single.append(Assumption(f"{levels} ask {'level' if levels == 1 else 'levels'}", replace(config, ask_levels=levels)))
    single.append(Assumption("half the size", replace(config, betting=config.betting / 2)))
    single += [Assumption(f"costs {model}", replace(config, costs=model)) for model in costs]
    worst = replace(config, ask_levels=levels, betting=config.betting / 2, costs=costs[-1] if costs else config.costs)
    return (*single, Assumption("all at once", worst, Delay(1, 1)))


def optimism_report(
    strategy: Strategy,
    selection: Selection,
    config: EngineConfig,
    params: ParamMatrix,
    *,
    assumptions: Sequence[Assumption] | None = None,
    threads: int = 1,
) -> pd.DataFrame:
    """A row of figures for the run as it was searched, then one for each assumption (default `worse_assumptions`).

    params: one row. Columns: assumption; trades; win_rate and mean_pct, %; profit, drawdown, KRW; profit_pct, the profit in % of
    one entry's betting, which compares sizes; kept, that as a share of the first row's, NaN unless the first row earns; sharpe,
    per day; failed, why a run stopped, else "" (its figures are NaN). Later orders are interpreted row by row (`engine.late`).
    Raises ConfigError for other than one row, and as a run does.
    """
    if len(params) != 1:
        raise ConfigError(f"{len(params)} parameter rows: the optimism report is about one")
    rows = []
    for assumption in (Assumption(AS_SEARCHED, config), *(worse_assumptions(config) if assumptions is None else assumptions)):
        table = _scored(strategy, selection, params, assumption, threads)
        figures = dict(zip(FIGURES, table.figures[0].tolist(), strict=True))
        betting = assumption.config.betting
        rows.append(
            {
                "assumption": assumption.name,
                "trades": figures["tc"],
                "win_rate": figures["wr"],
                "mean_pct": figures["app"],
                "profit": figures["tsg"],
                "profit_pct": figures["tsg"] / betting * 100,
                "drawdown": figures["mdd_"],
                "sharpe": float(sharpe(daily_returns(table.daily_profit[0], betting))),
                "failed": table.reasons.get(0, ""),
            }
        )
    frame = pd.DataFrame(rows)
    earned = frame["profit_pct"].iloc[0]
    frame.insert(6, "kept", frame["profit_pct"] / earned if earned > 0 else np.nan)
    return frame


def _scored(strategy: Strategy, selection: Selection, params: ParamMatrix, assumption: Assumption, threads: int) -> ScoreTable:
    config = assumption.config
    if assumption.delay is None:
        return SerialEvaluator(strategy, selection, config, threads=threads).evaluate(params)
    result = run_late(strategy, selection, params, config, assumption.delay)
    return Scoring(config.betting).table(result, 1, selection.selected)
