"""Everything random about a session, drawn before it runs.

Each stream has its own seed sequence (seed, stream, code, day), so a market with other codes, days or edge keeps the draws that
it shares: the same seed with and without an edge is the same market up to the edge's drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stom_ray.simulate.config import LAST_S, OPEN_S, SimulateConfig

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SESSION_S = LAST_S - OPEN_S + 1
HALF_HOUR_S = 1800
PROFILE_STREAM, MARKET_STREAM, SESSION_STREAM = 0, 1, 2
N_UNIFORMS, N_NORMALS, N_BOOK = 9, 3, 12


def generator(config: SimulateConfig, *stream: int) -> np.random.Generator:
    """The random stream of this name."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(config.seed, spawn_key=stream)))


@cache
def activity_curve() -> Floats:
    """(SESSION_S,) share of the day's trading in each second from 09:00: front-loaded, with a smaller rise to the close."""
    minute = np.arange(SESSION_S) / 60
    curve = 0.35 + 2.2 * np.exp(-minute / 12) + 0.8 * np.exp(-(minute[-1] - minute) / 20)
    shares = np.asarray(curve / curve.sum(), dtype=np.float64)
    shares.flags.writeable = False
    return shares


@dataclass(frozen=True)
class Profile:
    """A stock. price_krw: where its price starts and to which nights pull it back; values in KRW; shares: listed."""

    code: str
    name: str
    kosdaq: bool
    thin: bool
    price_krw: float
    shares: float
    daily_value_krw: float
    trade_value_krw: float
    level_value_krw: float


def profiles(config: SimulateConfig) -> list[Profile]:
    """The market's stocks, by code. One code in nine has a letter, as newer listings do."""
    rng = generator(config, PROFILE_STREAM)
    numbers = rng.choice(np.arange(1, 9999), size=config.codes, replace=False)
    codes = sorted(f"{n:04d}Z0" if i % 9 == 8 else f"{n:04d}{n % 7}0" for i, n in enumerate(numbers.tolist()))
    thin = set(rng.permutation(config.codes)[: round(config.thin_codes * config.codes)].tolist())
    found = []
    for i, code in enumerate(codes):
        price, cap = np.exp(rng.uniform(np.log([1_500, 6e10]), np.log([150_000, 3e12])))
        value = np.exp(rng.uniform(np.log(4e10), np.log(1.5e11)))
        kosdaq = bool(rng.random() < 0.6)
        scale = 0.02 if i in thin else 1.0
        shares = float(np.round(cap / price, -3))
        found.append(
            Profile(
                code, f"모의{i:04d}", kosdaq, i in thin, float(price), shares, float(value * scale),
                1e6 if i in thin else 2.5e6, 2.5e6 if i in thin else float(2e7 + value * 4e-4),
            )
        )  # fmt: skip
    return found


class MarketDay(NamedTuple):
    """What all stocks share on a day. factor: (n,) unit variance; seen: (n,) seconds in which the collector ran."""

    factor: Floats
    gap: float
    activity: float
    seen: Bools


class Tape(NamedTuple):
    """One session's draws. innovation: (n,) unit variance; uniform: (n, 9); normal: (n, 3); book: (n, 12); occupied: (4096,)
    uniforms for the price levels that hold orders; seen: (n,) seconds in which a row may be written; the scalars as named."""

    innovation: Floats
    uniform: Floats
    normal: Floats
    book: Floats
    occupied: Floats
    seen: Bools
    activity: float
    volatility: float
    flow_bias: float
    gap: float
    rest: float


def market_day(config: SimulateConfig, day: int) -> MarketDay:
    """day: index of the trading day, 0 = the unwritten day before the first."""
    rng, n = generator(config, MARKET_STREAM, day), config.last_second + 1
    gap, activity = rng.normal(0, 0.006), np.exp(rng.normal(0, 0.2))
    return MarketDay(_fat(rng, config, n), float(gap), float(activity), rng.random(n) >= config.missing_seconds * 0.2)


def session_tape(config: SimulateConfig, code: int, day: int, market: MarketDay) -> Tape:
    """The draws of one stock's day; its moments are fixed: innovations have mean 0 and variance 1 whatever the tails."""
    rng, n = generator(config, SESSION_STREAM, code, day), config.last_second + 1
    flags = rng.random(4)
    gap = market.gap + float(rng.standard_t(5)) * 0.009
    if flags[3] < config.limit_sessions:
        gap = float(np.sign(gap) or 1.0) * rng.uniform(0.27, 0.298)
    activity, volatility, bias, rest = rng.normal(size=4)
    return Tape(
        innovation=np.sqrt(config.common) * market.factor + np.sqrt(1 - config.common) * _fat(rng, config, n),
        uniform=rng.random((n, N_UNIFORMS)),
        normal=rng.normal(size=(n, N_NORMALS)),
        book=rng.normal(size=(n, N_BOOK)),
        occupied=rng.random(4096),
        seen=market.seen & (rng.random(n) >= config.missing_seconds * 0.8) & _hours(config, flags, rng),
        activity=float(np.exp(0.6 * activity - 0.18) * market.activity),
        volatility=float(np.exp(0.5 * volatility - 0.2)),
        flow_bias=0.2 * float(bias),
        gap=gap,
        rest=float(rest),
    )


def _fat(rng: np.random.Generator, config: SimulateConfig, n: int) -> Floats:
    """(n,) Student t of tail_df degrees of freedom, scaled to variance 1."""
    return np.asarray(rng.standard_t(config.tail_df, n) * np.sqrt((config.tail_df - 2) / config.tail_df), dtype=np.float64)


def _hours(config: SimulateConfig, flags: Floats, rng: np.random.Generator) -> Bools:
    """(n,) seconds between begin and end, less a missing day, a late start in the first half and an early stop in the second."""
    first, last = config.first_second, config.last_second
    late, early = rng.uniform(0.05, 0.5) * (last - first), rng.uniform(0.5, 0.95) * (last - first)
    second = np.arange(last + 1)
    seen = second >= first + (int(late) if flags[1] < config.late_starts else 0)
    if flags[2] < config.early_stops:
        seen &= second <= first + int(early)
    if flags[0] < config.missing_days:
        seen[:] = False
    return np.asarray(seen, dtype=np.bool_)
