"""The trades of chosen rows, run again for the report: over all days, or each on the test days of its own window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import pandas as pd

from stom_ray.engine.backtest import run
from stom_ray.engine.trades_io import trades_frame
from stom_ray.engine.types import Ints, ParamMatrix, Trades
from stom_ray.metrics.batch import score, trading_days
from stom_ray.metrics.returns import measures, session_seconds
from stom_ray.runs.subject import Subject
from stom_ray.search.base import FIGURES
from stom_ray.store.panel import Panel, Selection


@dataclass(frozen=True)
class Played:
    """One row's trades over some days."""

    trades: Trades
    frame: pd.DataFrame
    daily: pd.Series
    figures: np.ndarray
    measures: dict[str, float]


def play(subject: Subject, row: ParamMatrix, selection: Selection | None = None) -> Played:
    """Run one row over everything that is selected, or over this part of it, to which its trades then refer."""
    on = subject.selection if selection is None else selection
    return _played(subject, _run(subject, row, on), trading_days(on.selected), on.selected)


def stitch(subject: Subject, tests: Sequence[Ints], rows: Sequence[ParamMatrix]) -> Played:
    """Each row's trades on its own window's test days, in the selection that the walk-forward scored them on.

    tests: trading days, yyyymmdd, of each window. Where windows share a day (STOM's may), the later window's trades stand.
    """
    whole, later, parts = subject.selection, np.empty(0, dtype=np.int64), []
    for days, row in zip(reversed(tests), reversed(rows), strict=True):
        part = subject.on((int(days[0]), int(days[-1])))
        trades = _of_panel(_run(subject, row, part), part, whole)
        parts.append(_where(trades, np.isin(whole.selected.session_day[trades.session], np.setdiff1d(days, later))))
        later = np.union1d(later, days)
    joined = _each(lambda name: np.concatenate([getattr(part, name) for part in parts]))
    return _played(subject, _where(joined, np.argsort(joined.buy_row)), later, whole.selected)


def _run(subject: Subject, row: ParamMatrix, selection: Selection) -> Trades:
    return run(subject.strategy, selection, row, subject.engine, threads=subject.config.execution.workers).trades


def _of_panel(trades: Trades, part: Selection, whole: Selection) -> Trades:
    """The same trades with rows and sessions as `whole` numbers them; both are selected from the same loaded panel."""
    buy_row, sell_row = (np.searchsorted(whole.rows, part.rows[rows]) for rows in (trades.buy_row, trades.sell_row))
    session = np.searchsorted(whole.selected.offsets, buy_row, side="right") - 1
    return replace(trades, buy_row=buy_row, sell_row=sell_row, session=session)


def _where(trades: Trades, at: np.ndarray) -> Trades:
    return _each(lambda name: getattr(trades, name)[at])


def _each(column: Callable[[str], np.ndarray]) -> Trades:
    return Trades(**{field.name: column(field.name) for field in fields(Trades)})


def _played(subject: Subject, trades: Trades, days: Ints, selected: Panel) -> Played:
    """days: those the row was run on, yyyymmdd, sorted. selected: what the trades refer to."""
    figures, daily = score(trades, 1, selected, betting=subject.engine.betting, report=True, days=days)
    session_s = session_seconds(selected.clock, len(trading_days(selected)))
    capital = float(figures[0, FIGURES.index("seed")]) or subject.engine.betting
    return Played(
        trades=trades,
        frame=trades_frame(trades, subject.strategy, selected),
        daily=pd.Series(daily[0], index=pd.Index(days, dtype="int64")),
        figures=figures[0],
        measures=asdict(measures(trades, daily[0], capital=capital, session_s=session_s)),
    )
