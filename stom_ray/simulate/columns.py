"""From raw rows to the columns of a STOM table, by name, in the layout's own order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stom_ray.schema import LAYOUTS, tick_units
from stom_ray.schema.ladder import LADDER_CHANGE_DAY, LADDER_NEW, LADDER_OLD
from stom_ray.simulate import session_kernel as kernel
from stom_ray.simulate.config import OPEN_S
from stom_ray.simulate.market import SessionRows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Columns = dict[str, NDArray[np.float64] | NDArray[np.int64]]

INTEGER_COLUMNS = ("index", "관심종목")
NO_HALT_HHMMSS = 80_000  # VI해제시간 of a day without one

_DIRECT = {
    "현재가": kernel.PRICE, "시가": kernel.OPEN, "고가": kernel.HIGH, "저가": kernel.LOW, "등락율": kernel.RATE,
    "당일거래대금": kernel.MONEY,
    "체결강도": kernel.STRENGTH, "초당매수수량": kernel.BUYS, "초당매도수량": kernel.SELLS, "VI가격": kernel.VI_PRICE,
    "VI호가단위": kernel.VI_UNIT, "초당거래대금": kernel.VALUE, "고저평균대비등락율": kernel.HL_RATE,
    "초당매수금액": kernel.BUY_VALUE, "초당매도금액": kernel.SELL_VALUE, "당일매수금액": kernel.DAY_BUY,
    "최고매수금액": kernel.TOP_BUY, "최고매수가격": kernel.TOP_BUY_PRICE, "당일매도금액": kernel.DAY_SELL,
    "최고매도금액": kernel.TOP_SELL, "최고매도가격": kernel.TOP_SELL_PRICE, "매도총잔량": kernel.ASK_TOTAL,
    "매수총잔량": kernel.BID_TOTAL,
    **{f"매도호가{i + 1}": kernel.ASK + i for i in range(5)}, **{f"매수호가{i + 1}": kernel.BID + i for i in range(5)},
    **{f"매도잔량{i + 1}": kernel.ASK_SIZE + i for i in range(5)},
    **{f"매수잔량{i + 1}": kernel.BID_SIZE + i for i in range(5)},
}  # fmt: skip


def clocks(day: int, second: Ints) -> Ints:
    """yyyymmddhhmmss of seconds counted from 09:00."""
    at = second + OPEN_S
    return np.asarray(day * 1_000_000 + at // 3600 * 10_000 + at // 60 % 60 * 100 + at % 60, dtype=np.int64)


def round_figure(price: Floats, day: int) -> Floats:
    """라운드피겨위5호가이내: 1 from a price where the tick size changes up to five ticks above it. price: (n,) KRW."""
    steps = LADDER_OLD if day < LADDER_CHANGE_DAY else LADDER_NEW
    unit = tick_units(price, day)
    near = np.zeros(len(price), dtype=np.bool_)
    for border, _ in steps:
        near |= (price >= border) & (price <= border + 5 * unit)
    return near.astype(np.float64)


def tick_columns(session: SessionRows, ranked: Bools, layout: str) -> Columns:
    """Columns of a tick layout in file order. ranked: (n,) seconds from 09:00 in which the stock is in the ranking."""
    raw, day, shares = session.raw, session.day, session.profile.shares
    second = raw[:, kernel.SECOND].astype(np.int64)
    price, volume, halt = raw[:, kernel.PRICE], raw[:, kernel.VOLUME], raw[:, kernel.VI_SECOND]
    then = session.yesterday.volume_to[second]
    columns: Columns = {name: raw[:, at].copy() for name, at in _DIRECT.items()}
    columns["index"] = clocks(day, second)
    columns["거래대금증감"] = raw[:, kernel.MONEY] - np.floor(session.yesterday.value / 1e6)
    columns["전일비"] = np.round(volume / session.yesterday.volume * 100, 2)
    columns["회전율"] = np.round(volume / shares * 100, 2)
    columns["전일동시간비"] = np.where(then > 0, np.round(volume / np.where(then > 0, then, 1.0) * 100, 2), 0.0)
    columns["시가총액"] = np.round(price * shares / 1e8)
    columns["라운드피겨위5호가이내"] = round_figure(price, day)
    released = clocks(day, np.maximum(halt, 0).astype(np.int64))
    columns["VI해제시간"] = np.where(halt < 0, day * 1_000_000 + NO_HALT_HHMMSS, released).astype(np.float64)
    columns["저가대비고가등락율"] = np.round((raw[:, kernel.HIGH] / raw[:, kernel.LOW] - 1) * 100, 2)
    columns["매도수5호가잔량합"] = raw[:, kernel.ASK_SIZE : kernel.N_RAW].sum(axis=1)
    columns["관심종목"] = ranked[second].astype(np.int64)
    return {name: columns[name] for name in LAYOUTS[layout].columns}


def minute_columns(session: SessionRows, ranked: Bools) -> Columns:
    """Columns of minute_v1, a row for each minute with rows; running values and the book are those of the minute's last row."""
    ticks = tick_columns(session, ranked, "tick_v1")
    minute = ticks["index"] // 100
    first = np.flatnonzero(np.diff(minute, prepend=-1))
    last = np.append(first[1:], len(minute)) - 1
    if not len(minute):
        first = last = np.zeros(0, dtype=np.int64)
    columns = {name: values[last] for name, values in ticks.items()}
    columns["index"] = minute[last]
    for name, source in (("분당매수수량", "초당매수수량"), ("분당매도수량", "초당매도수량"), ("분당거래대금", "초당거래대금")):
        columns[name] = np.add.reduceat(ticks[source], first) if len(first) else np.zeros(0)
    price = ticks["현재가"]
    columns["분봉시가"] = price[first]
    columns["분봉고가"] = np.maximum.reduceat(price, first) if len(first) else np.zeros(0)
    columns["분봉저가"] = np.minimum.reduceat(price, first) if len(first) else np.zeros(0)
    return {name: columns[name] for name in LAYOUTS["minute_v1"].columns}
