"""Trades on the price of one session."""

from __future__ import annotations

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from stom_ray.reports.phrases import Phrases
from stom_ray.reports.svg import Canvas, Scale, padded, shorten, ticks
from stom_ray.reports.tables import thinned

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_POINTS = 420
_STEPS = (60, 120, 300, 600, 900, 1800, 3600)
_MOST_MARKS = 150
_GAP_S = 60


def seconds_of_day(clock: pd.Series) -> Floats:
    """yyyymmddhhmmss -> seconds since midnight, (n,) float64."""
    hms = clock.to_numpy(dtype=np.int64) % 1_000_000
    seconds: Floats = (hms // 10_000 * 3600 + hms // 100 % 100 * 60 + hms % 100).astype(np.float64)
    return seconds


def session_trades(trades: pd.DataFrame, code: str, day: int) -> pd.DataFrame:
    """Trades of one instrument bought on one day, in the order of entry."""
    here = (trades["code"].astype("str") == code) & (trades["buy_time"].astype("int64") // 1_000_000 == day)
    return trades[here].sort_values("buy_time", kind="stable")


def session_chart(prices: pd.DataFrame, trades: pd.DataFrame, width: int, phrases: Phrases) -> Markup:
    """Last price as a line within bid 1 to ask 1, broken where ticks are missing; entries point up, exits down, both joined.

    prices: columns PRICE_COLUMNS, in time order; prices <= 0 (an empty side of the book) are not drawn. trades: of this session.
    Long sessions are thinned to the extremes of each stretch; at most 150 trades are marked. No row: an empty string.
    """
    if prices.empty:
        return Markup("")
    at = seconds_of_day(prices["clock"])
    last, ask, bid = (_positive(prices[name]) for name in ("현재가", "매도호가1", "매수호가1"))
    trades = trades.head(_MOST_MARKS)
    canvas = Canvas(width, 300 if width > 500 else 260)
    left, right, bottom = (66, width - 14, canvas.height - 26) if width > 500 else (52, width - 8, canvas.height - 24)
    across = Scale(float(at[0]), float(at[-1]), left, right)
    up = Scale(*padded([*last, *trades["buy_price"].astype(float), *trades["sell_price"].astype(float)], 0.1), bottom, 10)
    _axes(canvas, across, up, left, right, bottom, phrases)
    for rows in _stretches(at):
        keep = rows[thinned(last[rows], max(2, (_POINTS if width > 500 else _POINTS // 2) * len(rows) // len(at)))]
        book = [row for row in keep if np.isfinite(ask[row]) and np.isfinite(bid[row])]
        edge = [(across(at[row]), up(ask[row])) for row in book] + [(across(at[row]), up(bid[row])) for row in reversed(book)]
        canvas.path(edge, "book", closed=True)
        canvas.path([(across(at[row]), up(last[row])) for row in keep], "line price")
    _marks(canvas, trades, across, up, phrases)
    return canvas.render(phrases.say("session_label", trades=len(trades)))


def _stretches(at: Floats) -> list[Ints]:
    """Rows between gaps of more than a minute without a tick (a halt, missing data): no line is drawn across."""
    return np.split(np.arange(len(at)), np.flatnonzero(np.diff(at) > _GAP_S) + 1)


def _positive(column: pd.Series) -> Floats:
    values = column.to_numpy(dtype="float64")
    return np.where(values > 0, values, np.nan)


def _axes(canvas: Canvas, across: Scale, up: Scale, left: float, right: float, bottom: float, phrases: Phrases) -> None:
    for value in ticks(up.low, up.high, 5):
        canvas.line(left, up(value), right, up(value), "grid")
        canvas.text(left - 6, up(value) + 4, phrases.plain(value) if value < 1e7 else phrases.compact(value), "tick", "end")
    most = 8 if canvas.width > 500 else 4
    span = across.high - across.low
    step = next((step for step in _STEPS if span / step <= most), _STEPS[-1])
    for second in range(-int(-across.low // step) * step, int(across.high) + 1, step):
        canvas.line(across(second), bottom, across(second), bottom + 4, "grid")
        text = f"{second // 3600:02d}:{second // 60 % 60:02d}"
        x = across(second)
        canvas.text(min(x, right), bottom + 18, text, "tick", "end" if x > right - 16 else "middle")


def _marks(canvas: Canvas, trades: pd.DataFrame, across: Scale, up: Scale, phrases: Phrases) -> None:
    bought, sold = seconds_of_day(trades["buy_time"]), seconds_of_day(trades["sell_time"])
    for row, start, end in zip(trades.to_dict("records"), bought, sold, strict=True):
        side = "gain" if row["profit_krw"] >= 0 else "loss"
        entry, leave = (across(start), up(float(row["buy_price"]))), (across(end), up(float(row["sell_price"])))
        canvas.line(*entry, *leave, f"hold {side}")
        bought_at = f"{phrases.time(row['buy_time'])} {phrases.number(row['buy_price'])}"
        canvas.mark(*entry, 6.5, "entry", f"{phrases.texts['buy']} {bought_at}", "up")
        sold_at = f"{phrases.time(row['sell_time'])} {phrases.number(row['sell_price'])}"
        made = f"({phrases.percent(row['profit_pct'], 2, sign=True)}) {shorten(str(row['label']), 120)}"
        canvas.mark(*leave, 6.5, f"exit {side}", f"{phrases.texts['sell']} {sold_at} {made}", "down")
