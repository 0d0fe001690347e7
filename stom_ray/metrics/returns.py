"""The measures the rest of the world uses, from daily returns and from trades.

Daily returns are KRW earned on a trading day divided by a fixed capital (no compounding), days without a trade included as 0.
Nothing is annualised unless `periods_a_year` says so. A measure whose denominator is zero is NaN (no opinion), except
profit_factor without losses, which is inf. NaN in, NaN out. Functions marked "(..., n)" work along the last axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.types import Trades

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PAUSE_S = 600  # longer gaps without a row of any instrument are pauses of the market, not trading time


def daily_returns(daily_profit: Floats, capital: float) -> Floats:
    """KRW per trading day (..., n) over the capital in KRW; ValueError unless it is positive."""
    if not capital > 0:
        raise ValueError(f"capital is {capital}: expected a positive amount in KRW")
    return np.asarray(daily_profit / capital)


def sharpe(returns: Floats, *, risk_free: float = 0.0, periods_a_year: float = 1.0) -> Floats:
    """Mean excess return over its sample standard deviation (n-1), times √periods_a_year. (..., n) -> (...)."""
    excess = np.asarray(returns, dtype=np.float64) - risk_free
    return np.asarray(_ratio(_mean(excess), _deviation(excess)) * np.sqrt(periods_a_year))


def sortino(returns: Floats, *, target: float = 0.0, periods_a_year: float = 1.0) -> Floats:
    """Mean return above target over the downside deviation √(Σ min(r - target, 0)² / n), times √periods_a_year.

    (..., n) -> (...).
    """
    excess = np.asarray(returns, dtype=np.float64) - target
    downside = np.sqrt(_mean(np.minimum(excess, 0.0) ** 2))
    return np.asarray(_ratio(_mean(excess), downside) * np.sqrt(periods_a_year))


def skew(returns: Floats) -> Floats:
    """γ₃ = m3 / m2^1.5 of population moments; 0 for symmetric. (..., n) -> (...)."""
    centred = _centred(returns)
    return _ratio(_mean(centred**3), _mean(centred**2) ** 1.5)


def kurtosis(returns: Floats) -> Floats:
    """γ₄ = m4 / m2² of population moments; 3 for a normal, not excess. (..., n) -> (...)."""
    centred = _centred(returns)
    return _ratio(_mean(centred**4), _mean(centred**2) ** 2)


def drawdown(equity: Floats) -> Floats:
    """Distance below the running peak.

    equity: (n_days,) KRW at each day's end. Returns: (n_days,) KRW, <= 0. NaN: ValueError.
    """
    equity = np.asarray(equity, dtype=np.float64)
    if np.any(np.isnan(equity)):
        raise ValueError(f"equity has {int(np.isnan(equity).sum())} NaN of {len(equity)} days: expected a number every day")
    return np.asarray(equity - np.maximum.accumulate(equity))


def max_drawdown(equity: Floats) -> float:
    """Deepest fall below the running peak as a fraction of that peak, 0..1 (above 1 if equity goes below 0).

    equity: (n_days,) KRW, start capital first. NaN: ValueError; NaN returned when a peak is not positive.
    """
    fall = drawdown(equity)
    peaks = np.maximum.accumulate(np.asarray(equity, dtype=np.float64))
    if len(fall) == 0 or np.any(peaks <= 0):
        return float("nan")
    return float(np.max(-fall / peaks))


def drawdown_length(equity: Floats) -> int:
    """Longest run of consecutive days below an earlier peak, in days; one that has not recovered counts up to the end."""
    longest = current = 0
    for below in drawdown(equity) < 0:
        current = current + 1 if below else 0
        longest = max(longest, current)
    return longest


def calmar(returns: Floats, *, periods_a_year: float = 250.0) -> float:
    """Mean return a year over the maximum drawdown of 1 + cumulative returns. (n,); NaN without a drawdown."""
    equity = 1.0 + np.concatenate([[0.0], np.cumsum(returns)])
    return float(_ratio(_mean(np.asarray(returns, dtype=np.float64)) * periods_a_year, np.asarray(max_drawdown(equity))))


def profit_factor(profits: Ints | Floats) -> float:
    """KRW won over KRW lost, by trade. Without losses inf, without either NaN."""
    won, lost = float(np.sum(np.maximum(profits, 0))), -float(np.sum(np.minimum(profits, 0)))
    if lost > 0:
        return won / lost
    return float("inf") if won > 0 else float("nan")


def expectancy(profits: Ints | Floats) -> float:
    """Mean KRW of a trade; NaN without trades."""
    return float(np.mean(profits)) if len(profits) else float("nan")


def hit_rate(profits: Ints | Floats) -> float:
    """Share of trades with profit >= 0 (STOM's wr / 100); NaN without trades."""
    return float(np.mean(np.asarray(profits) >= 0)) if len(profits) else float("nan")


def break_even_hit_rate(profits: Ints | Floats) -> float:
    """Hit rate at which trades that win and lose what these do, after costs, earn nothing: mean loss over mean loss + mean gain.

    A hit rate above it is a profit, and the reverse. NaN unless some trades won (profit >= 0) and some lost.
    """
    values = np.asarray(profits, dtype=np.float64)
    won, lost = values[values >= 0], values[values < 0]
    if len(won) == 0 or len(lost) == 0:
        return float("nan")
    gain, loss = float(won.mean()), -float(lost.mean())
    return loss / (loss + gain)


def exposure(trades: Trades, session_s: float, n_days: int) -> float:
    """Share of trading time with at least one position, 0..1.

    trades: of one candidate. session_s: seconds in a day's selected hours; n_days: trading days. The union of [buy, sell]
    intervals of all instruments, each at least a second long, over session_s * n_days; NaN when that is zero.
    """
    total = session_s * n_days
    if total <= 0:
        return float("nan")
    order = np.argsort(trades.buy_clock, kind="stable")
    held = reach = 0
    for buy, sell in zip(_elapsed_s(trades.buy_clock[order]), _elapsed_s(trades.sell_clock[order]) + 1, strict=True):
        held += max(0, int(sell) - max(int(buy), reach))
        reach = max(reach, int(sell))
    return held / total


def turnover(trades: Trades, capital: float, n_days: int) -> float:
    """KRW bought and sold, as multiples of the capital, per trading day. sell_amount counts net of costs, as booked."""
    traded = float(np.sum(trades.buy_amount) + np.sum(trades.sell_amount))
    return traded / (capital * n_days) if capital > 0 and n_days > 0 else float("nan")


@dataclass(frozen=True)
class Measures:
    """All of the above for one candidate; names and units as in the functions."""

    sharpe: float
    sharpe_year: float
    sortino: float
    calmar: float
    max_drawdown: float
    drawdown_days: int
    profit_factor: float
    expectancy_krw: float
    hit_rate: float
    break_even_hit_rate: float
    exposure: float
    turnover: float
    skew: float
    kurtosis: float


def measures(
    trades: Trades, daily_profit: Floats, *, capital: float, session_s: float, periods_a_year: float = 250.0
) -> Measures:
    """Every measure of one candidate's trades. daily_profit: (n_days,) KRW by day of the sale. capital: KRW, positive."""
    returns = daily_returns(daily_profit, capital)
    equity = 1.0 + np.concatenate([[0.0], np.cumsum(returns)])
    per_day = float(sharpe(returns))
    return Measures(
        sharpe=per_day,
        sharpe_year=per_day * float(np.sqrt(periods_a_year)),
        sortino=float(sortino(returns)),
        calmar=calmar(returns, periods_a_year=periods_a_year),
        max_drawdown=max_drawdown(equity),
        drawdown_days=drawdown_length(equity),
        profit_factor=profit_factor(trades.profit),
        expectancy_krw=expectancy(trades.profit),
        hit_rate=hit_rate(trades.profit),
        break_even_hit_rate=break_even_hit_rate(trades.profit),
        exposure=exposure(trades, session_s, len(returns)),
        turnover=turnover(trades, capital, len(returns)),
        skew=float(skew(returns)),
        kurtosis=float(kurtosis(returns)),
    )


def session_seconds(clock: Ints, n_days: int) -> float:
    """Seconds of trading per day: from a row to the next of any instrument, pauses longer than PAUSE_S left out.

    clock: (n_rows,) yyyymmddhhmmss of all rows, in any order. n_days: trading days, positive.
    """
    steps = np.diff(_elapsed_s(np.unique(clock)))
    return float((steps[steps <= PAUSE_S].sum() + n_days) / n_days)  # a day's last second counts too


def _elapsed_s(clock: Ints) -> Ints:
    """yyyymmddhhmmss -> seconds on a scale where days do not touch."""
    day, time = np.divmod(clock, 1_000_000)
    return np.asarray(day * 86_400 + time // 10_000 * 3600 + time // 100 % 100 * 60 + time % 100)


def _mean(values: Floats) -> Floats:
    return np.asarray(np.mean(values, axis=-1)) if values.shape[-1] else np.full(values.shape[:-1], np.nan)


def _deviation(values: Floats) -> Floats:
    """Sample standard deviation; NaN of fewer than two. Values all alike have exactly 0, not the rounding of their mean."""
    if values.shape[-1] < 2:
        return np.full(values.shape[:-1], np.nan)
    alike = np.max(values, axis=-1) == np.min(values, axis=-1)
    return np.where(alike, 0.0, np.std(values, axis=-1, ddof=1))


def _centred(returns: Floats) -> Floats:
    values = np.asarray(returns, dtype=np.float64)
    alike = values == values[..., :1]
    centred = values - _mean(values)[..., np.newaxis]
    return np.where(np.all(alike, axis=-1, keepdims=True), values * 0.0, centred)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """NaN where the denominator is zero."""
    safe = np.where(denominator == 0, np.nan, denominator)
    return np.asarray(numerator / safe)
