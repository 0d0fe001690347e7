"""A made-up study that looks like a real one, seeded: for tests of the report only."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stom_ray.reports.data import ReportData, Scored
from stom_ray.search.base import FIGURES
from stom_ray.validation.card import Card, card
from stom_ray.validation.card_evidence import Evidence

BUY = """매수 = True
if not (체결강도 > self.vars[1]):
    매수 = False
elif not (등락율각도(self.vars[0]) > self.vars[2]):
    매수 = False
elif not (초당거래대금 >= 초당거래대금평균(self.vars[0]) * self.vars[3]):
    매수 = False
elif not (시가총액 < self.vars[7]):
    매수 = False
if 매수:
    self.Buy()
"""
SELL = """매도 = False
if 수익률 >= self.vars[4]:
    매도 = True
elif 수익률 <= self.vars[5]:
    매도 = True
elif 보유시간 > self.vars[6]:
    매도 = True
if 매도:
    self.Sell()
"""
RANGES = """self.vars[0] = [[30, 120, 30], 60]
self.vars[1] = [[90, 140, 5], 100]
self.vars[2] = [[0, 20, 2], 4]
self.vars[3] = [[1.0, 3.0, 0.25], 1.5]
self.vars[4] = [[0.5, 3.0, 0.25], 1.5]
self.vars[5] = [[-2.0, -0.5, 0.25], -1.0]
self.vars[6] = [[60, 600, 60], 180]
self.vars[7] = [[1000, 5000, 500], 3000]
"""
GRID = [
    np.arange(30, 121, 30),
    np.arange(90, 141, 5),
    np.arange(0, 21, 2),
    np.arange(1, 3.01, 0.25),
    np.arange(0.5, 3.01, 0.25),
    np.arange(-2, -0.49, 0.25),
    np.arange(60, 601, 60),
    np.arange(1000, 5001, 500),
]
LABELS = ("if 수익률 >= self.vars[4]:", "elif 수익률 <= self.vars[5]:", "elif 보유시간 > self.vars[6]:", "strategy end")
NAMES = {
    "005930": "한빛전자",
    "035420": "가람소프트",
    "068270": "누리바이오",
    "247540": "다올에너지",
    "091990": "마루제약",
    "123450": "새별기계",
}
COMPARED = {"days": 40, "mean": 12_000.0, "low": -3_000.0, "high": 27_000.0, "level": 0.95}
NOW = [60, 100, 4, 1.5, 1.5, -1.0, 180, 3000]
BEST = [30, 115, 10, 2.0, 2.25, -1.25, 240, 2500]


def make_days(count: int) -> np.ndarray:
    return pd.bdate_range("2023-01-16", periods=count).strftime("%Y%m%d").to_numpy().astype(np.int64)


def make_trials(count: int, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    values = [rng.choice(grid, count) for grid in GRID]
    score = -((values[1] - 115) ** 2) / 60 + 6 * np.exp(-((values[4] - 2.25) ** 2)) - np.abs(values[2] - 10) / 4
    objective = np.round(score + rng.normal(0, 2.5, count) + 1.5, 2)
    objective[rng.random(count) < 0.06] = -2_000_000_000.0
    objective[rng.random(count) < 0.09] = -2_222_222_222.0
    failed = rng.random(count) < 0.004
    figures = {name: rng.normal(10, 4, count).round(2) for name in FIGURES}
    figures["tc"] = rng.integers(20, 400, count).astype(float)
    figures["tsg"] = np.round(objective.clip(-50) * 90_000)
    for column in (objective, *figures.values()):
        column[failed] = np.nan
    return pd.DataFrame(
        {
            "trial": np.arange(count),
            "island": np.arange(count) % 4,
            "source": np.where(np.arange(count) < count // 5, "random", "tpe"),
            **{f"vars_{i}": column for i, column in enumerate(values)},
            **figures,
            "objective": objective,
            "failed": failed,
            "reason": np.where(failed, "sell line 4, column 8: division by zero at 005930 2023-01-18 09:03:11", ""),
        }
    )


def make_trades(days: np.ndarray, a_day: int, mean_pct: float, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    count = len(days) * a_day
    start = np.sort(rng.integers(0, 1750, (len(days), a_day)), axis=1).ravel() + 9 * 3600
    hold = rng.integers(5, 240, count)
    pct = np.round(rng.normal(mean_pct, 1.1, count), 2)
    price = rng.integers(2000, 60000, count)
    profit = np.round(pct * 10_000).astype(np.int64)
    date = np.repeat(days, a_day) * 1_000_000
    return pd.DataFrame(
        {
            "code": rng.choice(list(NAMES), count, p=[0.3, 0.22, 0.18, 0.14, 0.1, 0.06]),
            "buy_time": date + hms(start),
            "sell_time": date + hms(start + hold),
            "hold_s": hold,
            "buy_price": price,
            "sell_price": (price * (1 + pct / 100)).astype(np.int64),
            "buy_amount": 1_000_000,
            "sell_amount": 1_000_000 + profit,
            "profit_pct": pct,
            "profit_krw": profit,
            "label": np.select([pct > 0.9, pct < -0.8, start < 34_000], LABELS[:3], LABELS[3]),
            "market_cap": rng.integers(800, 5000, count).astype(float),
        }
    )


def hms(seconds: np.ndarray) -> np.ndarray:
    return seconds // 3600 * 10_000 + seconds // 60 % 60 * 100 + seconds % 60


def make_daily(trades: pd.DataFrame, days: np.ndarray) -> pd.Series:
    day = trades["sell_time"] // 1_000_000
    return trades["profit_krw"].groupby(day).sum().reindex(days, fill_value=0).astype("float64")


def make_scored(values: list[float], trades: pd.DataFrame, days: int, objective: float) -> Scored:
    profit = trades["profit_krw"]
    wins = int((profit >= 0).sum())
    figures = dict.fromkeys(FIGURES, 0.0) | {
        "tc": float(len(trades)),
        "atc": round(len(trades) / days, 1),
        "pc": float(wins),
        "mc": float(len(trades) - wins),
        "wr": round(100 * wins / max(1, len(trades)), 2),
        "ah": float(trades["hold_s"].mean()),
        "app": round(float(trades["profit_pct"].mean()), 2),
        "tsg": float(profit.sum()),
        "tpp": round(float(profit.sum()) / 4e6 * 100, 2),
        "mhct": 4.0,
        "seed": 3_893_130.0,
        "cagr": 44.1,
        "tpi": 1.12,
        "mdd": 9.87,
        "mdd_": 455_155.0,
    }
    daily = make_daily(trades, np.unique(trades["sell_time"] // 1_000_000))
    measures = {"sharpe": float(daily.mean() / daily.std()), "profit_factor": 1.18, "skew": float(daily.skew())}
    return {"values": values, "figures": figures, "measures": measures, "objective": objective}


def make_prices(trades: pd.DataFrame, sessions: int) -> tuple[dict[tuple[str, int], pd.DataFrame], pd.DataFrame]:
    """Price paths of the sessions with most trades; the trades' prices are moved onto them."""
    trades = trades.copy()
    day = trades["buy_time"] // 1_000_000
    prices = {}
    for number, (code, date) in enumerate(pd.Series(list(zip(trades["code"], day, strict=True))).value_counts().index[:sessions]):
        rng = np.random.default_rng(number)
        second = np.arange(9 * 3600, 9 * 3600 + 2000)
        path = 20_000 * np.exp(np.cumsum(rng.normal(0, 4e-4, len(second)) + 2e-5 * np.sin(second / 200)))
        last = (path // 50 * 50).astype(float)
        clock = date * 1_000_000 + hms(second)
        prices[(code, int(date))] = pd.DataFrame({"clock": clock, "현재가": last, "매도호가1": last + 50, "매수호가1": last})
        here = (trades["code"] == code) & (day == date)
        for row in trades.index[here]:
            at = np.searchsorted(clock, [trades.loc[row, "buy_time"], trades.loc[row, "sell_time"]])
            bought, sold = last[at[0]] + 50, last[min(at[1], len(last) - 1)]
            pct = round((sold / bought - 1) * 100 - 0.23, 2)
            trades.loc[row, ["buy_price", "sell_price", "profit_krw"]] = [int(bought), int(sold), int(pct * 10_000)]
            trades.loc[row, "profit_pct"] = pct
    return prices, trades


def make_windows(days: np.ndarray, trades: pd.DataFrame) -> list[dict[str, Any]]:
    rng = np.random.default_rng(5)
    windows = []
    for i in range(6):
        train, valid, test = days[4 * i : 4 * i + 10], days[4 * i + 10 : 4 * i + 15], days[4 * i + 16 : 4 * i + 20]
        part = trades[(trades["sell_time"] // 1_000_000).isin(test)]
        scores = (7.5 + rng.normal(0, 1), 3 + rng.normal(0, 1.5), float(part["profit_krw"].sum()) / 90_000)
        best = [float(rng.choice(grid)) for grid in GRID]
        figures = make_scored(best, part, len(test), scores[2])["figures"]
        spans = {name: [int(p[0]), int(p[-1]), len(p)] for name, p in (("train", train), ("valid", valid), ("test", test))}
        objectives = dict(zip(("train_objective", "valid_objective", "test_objective"), scores, strict=True))
        windows.append({"scheme": "rolling", **spans, "best": best, **objectives, "test_figures": figures})
    return windows


@lru_cache
def make_card(edge: float, n_days: int = 40) -> Card:
    """Of 200 trials, of which one has a daily Sharpe ratio of about `edge`, on unseen days too."""
    rng = np.random.default_rng(3)
    table, unseen = rng.standard_normal((200, n_days)), edge + rng.standard_normal(24)
    table[0] += edge
    return card(Evidence(study=table, winner=1e5 * table[0], out_of_sample=1e5 * unseen, present=np.zeros(24), looks=2))


def make_study(n_trials: int = 3000, mean_test: float = 0.02, edge: float = 0.6, **changes: Any) -> ReportData:
    """A study of 40 days whose test days make `mean_test` % a trade."""
    days = make_days(40)
    tested = days[16:40]
    trades, now, now_test = make_trades(days, 9, 0.35, 2), make_trades(days, 11, 0.03, 3), make_trades(tested, 11, -0.04, 4)
    prices, test_trades = make_prices(make_trades(tested, 8, mean_test, 6), 4)
    fields: dict[str, Any] = {
        "title": "체결강도 돌파 · study 7",
        "objective": "PM",
        "betting": 1_000_000.0,
        "identity": {
            "data_hash": "sha256:7d0d9c1e5b7c3a4e8d11b0f6b1a2c9d3e4f5a6b7c8d9e0f1a2b3c4d5e6f708192",
            "strategy_hash": "sha256:19b6f2cc0a8e4d7793e1f00d6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d0e9f8a7b",
            "config_id": "4f1c09aa",
            "seed": 7,
            "versions": {"stom_ray": "0.1.0", "python": "3.11.2", "numpy": "2.4.6", "numba": "0.68.1", "optuna": "5.0.0"},
            "command": "stom-ray walk-forward study.yaml --seed 7 --trials 20000 --islands 4",
            "created": "2026-11-23T13:20:41+09:00",
        },
        "scripts": {"buy": BUY, "sell": SELL, "ranges": RANGES},
        "searched": {
            "codes": 10,
            "days": 40,
            "first_day": int(days[0]),
            "last_day": int(days[-1]),
            "ticks": 1_482_337,
            "combinations": float(np.prod([len(grid) for grid in GRID])),
            "seconds": 312.0,
        },
        "costs": {"name": "krx", "rates": {"sell tax": "0.20%", "fee": "0.015% each way"}},
        "trials": make_trials(n_trials),
        "best": make_scored([float(v) for v in BEST], trades, 40, 8.4),
        "now": make_scored([float(v) for v in NOW], now, 40, 0.7),
        "test": make_scored([], test_trades, 24, float("nan")),
        "now_test": make_scored([float(v) for v in NOW], now_test, 24, -0.9),
        "trades": trades,
        "test_trades": test_trades,
        "daily": make_daily(trades, days),
        "test_daily": make_daily(test_trades, tested),
        "now_test_daily": make_daily(now_test, tested),
        "walk_forward": make_windows(days, test_trades),
        "card": make_card(edge),
        "compared": {"searched": COMPARED, "test": {**COMPARED, "days": 24}},
        "warnings": ["2 of 400 sessions start after 09:00:00; their first rows are missing in the database."],
        "prices": prices,
        "names": NAMES,
    }
    return ReportData(**(fields | changes))


@pytest.fixture(scope="session")
def study() -> ReportData:
    return make_study()


@pytest.fixture(scope="session")
def build() -> Callable[..., ReportData]:
    return make_study
