"""Sums a candidate, without its trades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stom_ray.engine.types import Fault, Ints, RunResult


@dataclass(frozen=True)
class Totals:
    """What a batch earned. Row i belongs to parameter row i; a candidate that stopped has zeros and its fault in `faults`.

    trades, wins (profit >= 0), held_s (seconds): (n,). daily_profit: (n, n_days) KRW by day of the sale, for each of `days`
    (yyyymmdd, those that have rows).
    """

    trades: Ints
    wins: Ints
    held_s: Ints
    daily_profit: Ints
    days: Ints
    faults: tuple[Fault, ...] = ()

    @property
    def profit(self) -> Ints:
        """(n,) KRW."""
        found: Ints = self.daily_profit.sum(axis=1)
        return found

    @classmethod
    def zeros(cls, n: int, days: Ints) -> Totals:
        trades, wins, held_s = np.zeros((3, n), dtype=np.int64)
        return cls(trades, wins, held_s, np.zeros((n, len(days)), dtype=np.int64), days)

    @classmethod
    def of(cls, result: RunResult, n: int, session_day: Ints) -> Totals:
        """Of a run's trades. session_day: (n_sessions,) of the selection that they refer to."""
        trades = result.trades
        totals = cls.zeros(n, np.unique(session_day))
        np.add.at(totals.trades, trades.candidate, 1)
        np.add.at(totals.wins, trades.candidate, (trades.profit >= 0).astype(np.int64))
        np.add.at(totals.held_s, trades.candidate, trades.hold_s)
        day = np.searchsorted(totals.days, session_day[trades.session])
        np.add.at(totals.daily_profit, (trades.candidate, day), trades.profit)
        return totals

    def add(self, other: Totals, rows: Ints | None = None) -> None:
        """Adds the sums of other candidates, days or sessions; `rows` are theirs here, all without it."""
        here: Any = slice(None) if rows is None else rows
        self.trades[here] += other.trades
        self.wins[here] += other.wins
        self.held_s[here] += other.held_s
        if np.array_equal(self.days, other.days):
            self.daily_profit[here] += other.daily_profit
            return
        days = np.searchsorted(self.days, other.days)
        every = np.arange(len(self.trades)) if rows is None else rows
        self.daily_profit[np.ix_(every, days)] += other.daily_profit

    def without(self, faults: tuple[Fault, ...]) -> Totals:
        """The same with the candidates that stopped cleared."""
        stopped = [fault.candidate for fault in faults]
        for sums in (self.trades, self.wins, self.held_s, self.daily_profit):
            sums[stopped] = 0
        return Totals(self.trades, self.wins, self.held_s, self.daily_profit, self.days, faults)
