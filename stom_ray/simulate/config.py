"""What a simulated market is made of."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from stom_ray.errors import ConfigError
from stom_ray.schema import LAYOUTS
from stom_ray.simulate.edge import Edge

OPEN_S = 9 * 3600
LAST_S = 15 * 3600 + 20 * 60  # continuous trading ends; the closing auction is not simulated
MAX_ROWS = 200_000_000
RATES = ("missing_seconds", "missing_days", "late_starts", "early_stops", "thin_codes", "limit_sessions")


def clock_seconds(hhmmss: int, name: str) -> int:
    """Seconds since midnight of a wall clock written hhmmss. Raises ConfigError."""
    hours, minutes, seconds = hhmmss // 10_000, hhmmss // 100 % 100, hhmmss % 100
    if hhmmss < 0 or hours > 23 or minutes > 59 or seconds > 59:
        raise ConfigError(f"{name} is {hhmmss}: expected a time of day as hhmmss, for example 93000")
    return hours * 3600 + minutes * 60 + seconds


@dataclass(frozen=True)
class SimulateConfig:
    """A simulated market: everything that decides the content of its database.

    codes, days: instruments and trading days (weekdays from `start`, yyyymmdd; holidays are not known). seed: same seed, same
    tables. layout: tick_v1, tick_v2 or minute_v1. edge: what is planted, None for a market without an edge. begin, end: hhmmss,
    rows from..to, both included; the market itself always opens at 09:00. volatility: standard deviation of a stock's first
    half hour, %. tail_df: degrees of freedom of the second-by-second innovations (fat tails; > 2). common: share of their
    variance that all stocks share. spread: without, the best ask and the best bid are one price, the quote, so that a round
    trip without fees and taxes is a fair game and the best of many rules shows a profit by luck. ranked: instruments in
    `moneytop` at a time, 0 = seven tenths of the codes. The rest are shares of sessions (or seconds, or codes) 0..1:
    missing_seconds, missing_days, late_starts, early_stops, limit_sessions (open near a price limit), thin_codes (thin books,
    few trades).
    """

    codes: int = 10
    days: int = 20
    seed: int = 1
    layout: str = "tick_v1"
    edge: Edge | None = None
    start: int = 20230109
    begin: int = 90000
    end: int = 93000
    volatility: float = 3.0
    tail_df: float = 3.0
    common: float = 0.2
    spread: bool = True
    ranked: int = 0
    missing_seconds: float = 0.03
    missing_days: float = 0.02
    late_starts: float = 0.03
    early_stops: float = 0.03
    thin_codes: float = 0.1
    limit_sessions: float = 0.02

    def __post_init__(self) -> None:
        self._check_counts()
        self._check_shares()
        self._check_hours()
        if self.layout not in LAYOUTS:
            raise ConfigError(f"layout is {self.layout!r}: expected one of {', '.join(sorted(LAYOUTS))}")
        if self.edge is not None:
            self._check_edge(self.edge)

    def _check_counts(self) -> None:
        if not 1 <= self.codes <= 5000:
            raise ConfigError(f"codes is {self.codes}: expected 1 to 5000")
        if not 1 <= self.days <= 5000:
            raise ConfigError(f"days is {self.days}: expected 1 to 5000")
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}: expected 0 or more")
        if not 0 <= self.ranked <= self.codes:
            raise ConfigError(f"ranked is {self.ranked} of {self.codes} codes: expected 0 (seven tenths) to {self.codes}")
        try:
            _parse_day(self.start) + timedelta(days=2 * self.days)
        except OverflowError as error:
            raise ConfigError(f"start is {self.start}, days is {self.days}: the calendar ends before: start earlier") from error

    def _check_shares(self) -> None:
        for name in RATES:
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}: expected a share, 0 to 1")
        if not 0 <= self.common < 1:
            raise ConfigError(f"common is {self.common}: expected a share of variance, 0 to below 1")
        if not self.tail_df > 2:
            raise ConfigError(f"tail_df is {self.tail_df}: expected above 2 (the variance is infinite at 2 and below)")
        if not 0 < self.volatility <= 20:
            raise ConfigError(f"volatility is {self.volatility}: expected above 0 and at most 20 (% in the first half hour)")

    def _check_hours(self) -> None:
        begin, end = clock_seconds(self.begin, "begin"), clock_seconds(self.end, "end")
        if not OPEN_S <= begin < end <= LAST_S:
            raise ConfigError(f"begin {self.begin}, end {self.end}: expected 90000 <= begin < end <= 152000")
        if self.layout == "minute_v1" and end - begin < 119:
            raise ConfigError(f"begin {self.begin}, end {self.end} is {end - begin + 1} s: a minute layout needs at least 120")
        rows = self.codes * self.days * (end - begin + 1)
        if rows > MAX_ROWS:
            raise ConfigError(
                f"{rows:,} rows from {self.codes} codes × {self.days} days × {end - begin + 1} s exceed {MAX_ROWS:,}: "
                "simulate fewer codes or days, or shorter hours"
            )

    def _check_edge(self, edge: Edge) -> None:
        if self.layout == "minute_v1":
            raise ConfigError("an edge is stated on tick columns, which minute_v1 lacks: choose a tick layout or edge=None")
        span = clock_seconds(self.end, "end") - clock_seconds(self.begin, "begin") + 1
        if edge.first_row + edge.horizon_s > span:
            raise ConfigError(
                f"edge needs {edge.first_row} rows before and {edge.horizon_s} s after its condition, "
                f"{edge.first_row + edge.horizon_s} in all, but a session is {span} s"
            )

    @property
    def first_second(self) -> int:
        """Seconds after 09:00 of the first row."""
        return clock_seconds(self.begin, "begin") - OPEN_S

    @property
    def last_second(self) -> int:
        """Seconds after 09:00 of the last row."""
        return clock_seconds(self.end, "end") - OPEN_S

    @property
    def ranked_codes(self) -> int:
        """Instruments in the ranking at a time."""
        return self.ranked or max(1, round(0.7 * self.codes))

    @property
    def trading_days(self) -> tuple[int, ...]:
        """The days as yyyymmdd."""
        day, found = _parse_day(self.start), list[int]()
        while len(found) < self.days:
            if day.weekday() < 5:
                found.append(day.year * 10_000 + day.month * 100 + day.day)
            day += timedelta(days=1)
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the edge by its short form."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**values, "edge": self.edge.spec if self.edge else None}


def _parse_day(day: int) -> date:
    try:
        return date(day // 10_000, day // 100 % 100, day % 100)
    except ValueError as error:
        raise ConfigError(f"start is {day}: expected a day as yyyymmdd, for example 20230109") from error
