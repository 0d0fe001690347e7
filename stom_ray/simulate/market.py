"""A stock's days one after the other: yesterday's close, volumes and price limits carry over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from stom_ray.schema import tick_unit
from stom_ray.schema.ladder import LADDER_CHANGE_DAY, LADDER_NEW, LADDER_NEW_TOP, LADDER_OLD, LADDER_OLD_TOP
from stom_ray.simulate import session_kernel as kernel
from stom_ray.simulate.config import SimulateConfig
from stom_ray.simulate.edge import QUANTITIES, Edge
from stom_ray.simulate.tape import HALF_HOUR_S, MarketDay, Profile, Tape, activity_curve, market_day, session_tape

Floats = NDArray[np.float64]

LIMIT = 0.3  # KRX daily price limit
THIN_GAP = 0.35  # share of a thin book's price levels without orders
PULL = 0.05  # part of the distance to its starting price that a stock makes up overnight, so that years stay in a price range


@dataclass(frozen=True)
class Yesterday:
    """What a day needs of the one before. close: KRW; value, volume: KRW, shares of the full day; volume_to: (n,) by second."""

    close: float
    value: float
    volume: float
    volume_to: Floats


@dataclass(frozen=True)
class SessionRows:
    """One stock's day. raw: (rows, N_RAW), columns as in session_kernel; value_at, volume_to: (n,) KRW traded in,
    shares traded up to each second from 09:00; halts, locked_seconds, triggers (that start or renew the edge's drift): counts."""

    profile: Profile
    day: int
    raw: Floats
    value_at: Floats
    volume_to: Floats
    yesterday: Yesterday
    halts: int
    locked_seconds: int
    triggers: int


def price_ladder(low: float, high: float, day: int) -> Floats:
    """All valid prices of the day from the last one at or below `low` to the first above `high`, KRW."""
    steps, top = (LADDER_OLD, LADDER_OLD_TOP) if day < LADDER_CHANGE_DAY else (LADDER_NEW, LADDER_NEW_TOP)
    unit = tick_unit(low, day)
    at, parts = float(low // unit * unit), []
    for border, step in (*steps, (np.inf, top)):
        if at < border:
            end = min(border, high + 2 * step)
            parts.append(np.arange(at, end, step))
            at = float(border)
        if border > high + step:
            break
    return np.concatenate(parts).astype(np.float64)


def limits(previous_close: float, ladder: Floats) -> tuple[int, int]:
    """Indices of the lower and the upper price limit: 30% from the previous close, inside it."""
    lower = int(np.searchsorted(ladder, previous_close * (1 - LIMIT) - 1e-6))
    upper = int(np.searchsorted(ladder, previous_close * (1 + LIMIT) + 1e-6, side="right")) - 1
    return lower, upper


def trading_calendar(config: SimulateConfig) -> tuple[int, ...]:
    """The unwritten day before the first (it gives the first day its yesterday), then the trading days."""
    first = config.trading_days[0]
    day = date(first // 10_000, first // 100 % 100, first % 100) - timedelta(days=1)
    while day.weekday() > 4:
        day -= timedelta(days=1)
    return (day.year * 10_000 + day.month * 100 + day.day, *config.trading_days)


def market_days(config: SimulateConfig) -> list[MarketDay]:
    """What stocks share, one entry a calendar day."""
    return [market_day(config, index) for index in range(config.days + 1)]


def stock_days(config: SimulateConfig, index: int, profile: Profile, shared: list[MarketDay]) -> Iterator[SessionRows]:
    """The stock's trading days in order (those without rows too: `raw` is empty then)."""
    curve = activity_curve()[: config.last_second + 1]
    coverage = float(curve.sum())
    volume = profile.daily_value_krw / profile.price_krw
    yesterday = Yesterday(float(round(profile.price_krw)), profile.daily_value_krw, volume, np.cumsum(curve) * volume)
    for number, day in enumerate(trading_calendar(config)):
        tape = session_tape(config, index, number, shared[number])
        session = session_input(config, profile, yesterday, tape, day, curve)
        raw, value_at, volume_to = np.empty((len(curve), kernel.N_RAW)), np.zeros(len(curve)), np.zeros(len(curve))
        counters, hidden = kernel.run_session(session, raw, value_at, volume_to)
        rows = raw[: int(counters[kernel.ROWS])]
        if number:
            yield SessionRows(
                profile, day, rows, value_at, volume_to, yesterday,
                int(counters[kernel.HALTS]), int(counters[kernel.LOCKED_SECONDS]), int(counters[kernel.TRIGGERS]),
            )  # fmt: skip
        close = _close(config, tape, session, hidden, curve)
        total = max(1.0, float(volume_to[-1]) / coverage)
        yesterday = Yesterday(close, max(1.0, float(value_at.sum()) / coverage), total, volume_to)


def session_input(
    config: SimulateConfig, profile: Profile, yesterday: Yesterday, tape: Tape, day: int, curve: Floats
) -> kernel.Session:
    """The kernel's input: today's ladder and limits, the opening after the night's gap, rates of trades and volatility."""
    ladder = price_ladder(yesterday.close * (1 - LIMIT) - 3 * tick_unit(yesterday.close, day), yesterday.close * 1.5, day)
    lower, upper = limits(yesterday.close, ladder)
    wanted = yesterday.close * (1 + tape.gap) * np.exp(PULL * np.log(profile.price_krw / yesterday.close))
    opening = min(upper, max(lower, int(np.searchsorted(ladder, wanted))))
    half_hour = activity_curve()[:HALF_HOUR_S].sum()
    trades = profile.daily_value_krw / profile.trade_value_krw * tape.activity
    return kernel.Session(
        ladder=kernel.Ladder(
            prices=ladder,
            lower=lower,
            upper=upper,
            occupied=tape.occupied[np.arange(len(ladder)) % len(tape.occupied)] >= (THIN_GAP if profile.thin else 0.0),
            level_value=profile.level_value_krw,
        ),
        planted=_planted(config.edge, yesterday.volume, profile.shares),
        opening=opening,
        previous_close=yesterday.close,
        base=curve * trades * (1 - kernel.BRANCHING),
        sigma=config.volatility / 100 * tape.volatility * np.sqrt(curve / half_hour),
        trade_value=profile.trade_value_krw,
        thin=profile.thin,
        spread=config.spread,
        flow_bias=tape.flow_bias,
        innovation=tape.innovation,
        uniform=tape.uniform,
        normal=tape.normal,
        book=tape.book,
        seen=tape.seen,
    )


def _planted(edge: Edge | None, previous_volume: float, shares: float) -> kernel.Planted:
    """The edge as the kernel wants it; no terms without one."""
    terms = edge.terms if edge else ()
    return kernel.Planted(
        kind=np.array([QUANTITIES[term.quantity].code for term in terms], dtype=np.int64),
        window=np.array([term.window for term in terms], dtype=np.int64),
        above=np.array([term.above for term in terms], dtype=np.bool_),
        threshold=np.array([term.threshold for term in terms], dtype=np.float64),
        first_row=edge.first_row if edge else 0,
        previous_volume=previous_volume,
        shares=shares,
        schedule=edge.schedule() if edge else np.zeros(0),
        renew=edge is None or edge.form == "steady",
    )


def _close(config: SimulateConfig, tape: Tape, session: kernel.Session, hidden: float, curve: Floats) -> float:
    """The closing price, KRW: the rest of the day as one step, inside the limits, on the ladder."""
    rest = np.sqrt(max(0.0, 1 - float(curve.sum())) / float(activity_curve()[:HALF_HOUR_S].sum()))
    wanted = hidden * np.exp(config.volatility / 100 * rest * 0.5 * tape.rest)
    at = min(session.ladder.upper, max(session.ladder.lower, int(np.searchsorted(session.ladder.prices, wanted))))
    return float(session.ladder.prices[at])
