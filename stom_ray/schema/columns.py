"""The columns of a STOM database, as data: three layouts, known by name and never by position (spec/schema.md).

The 54-column tick layout is canonical. What an older layout lacks and follows from its other columns is derived; any
other missing column is an error only when something asks for it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import SchemaError

Floats = NDArray[np.float64]

CLOCK = "index"
ASK_PRICES = ("매도호가5", "매도호가4", "매도호가3", "매도호가2", "매도호가1")
BID_PRICES = ("매수호가1", "매수호가2", "매수호가3", "매수호가4", "매수호가5")
ASK_SIZES = ("매도잔량5", "매도잔량4", "매도잔량3", "매도잔량2", "매도잔량1")
BID_SIZES = ("매수잔량1", "매수잔량2", "매수잔량3", "매수잔량4", "매수잔량5")
BOOK_COLUMNS = (*ASK_PRICES, *BID_PRICES, *ASK_SIZES, *BID_SIZES)
PRICE_COLUMNS = ("현재가", "시가", "고가", "저가")
VI_COLUMNS = ("VI해제시간", "VI가격", "VI호가단위")

TICK_COLUMNS = (
    CLOCK, *PRICE_COLUMNS, "등락율", "당일거래대금", "체결강도", "초당매수수량", "초당매도수량", "거래대금증감", "전일비",
    "회전율", "전일동시간비", "시가총액", "라운드피겨위5호가이내", *VI_COLUMNS, "초당거래대금", "고저평균대비등락율",
    "저가대비고가등락율", "초당매수금액", "초당매도금액", "당일매수금액", "최고매수금액", "최고매수가격", "당일매도금액",
    "최고매도금액", "최고매도가격", *BOOK_COLUMNS, "매도총잔량", "매수총잔량", "매도수5호가잔량합", "관심종목",
)  # fmt: skip

TICK_V1_COLUMNS = (
    CLOCK, *PRICE_COLUMNS, "등락율", "당일거래대금", "체결강도", "거래대금증감", "전일비", "회전율", "전일동시간비",
    "시가총액", "라운드피겨위5호가이내", "초당매수수량", "초당매도수량", *VI_COLUMNS, "초당거래대금", "고저평균대비등락율",
    "매도총잔량", "매수총잔량", *BOOK_COLUMNS, "매도수5호가잔량합", "관심종목",
)  # fmt: skip

MINUTE_V1_COLUMNS = (
    CLOCK, *PRICE_COLUMNS, "등락율", "당일거래대금", "체결강도", "거래대금증감", "전일비", "회전율", "전일동시간비",
    "시가총액", "라운드피겨위5호가이내", "분당매수수량", "분당매도수량", *VI_COLUMNS, "분봉시가", "분봉고가", "분봉저가",
    "분당거래대금", "고저평균대비등락율", "매도총잔량", "매수총잔량", *BOOK_COLUMNS, "매도수5호가잔량합", "관심종목",
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """One way STOM has written a table.

    columns: names in file order, the clock first. markers: the names that tell it apart. clock_digits: 14 = yyyymmddhhmmss,
    12 = yyyymmddhhmm.
    """

    name: str
    columns: tuple[str, ...]
    markers: tuple[str, ...]
    clock_digits: int

    @property
    def values(self) -> tuple[str, ...]:
        """Every column but the clock, in file order."""
        return self.columns[1:]


LAYOUTS: Mapping[str, Layout] = {
    "tick_v2": Layout("tick_v2", TICK_COLUMNS, ("초당거래대금", "초당매수금액"), 14),
    "tick_v1": Layout("tick_v1", TICK_V1_COLUMNS, ("초당거래대금",), 14),
    "minute_v1": Layout("minute_v1", MINUTE_V1_COLUMNS, ("분봉시가", "분당거래대금"), 12),
}


@dataclass(frozen=True)
class Derivation:
    """A column that follows from others of the same row: NaN in, NaN out; a zero divisor gives inf or NaN as IEEE does."""

    needs: tuple[str, ...]
    compute: Callable[..., Floats]


def _high_over_low(high: Floats, low: Floats) -> Floats:
    """round((고가/저가-1)*100, 2), rounded as numpy rounds tick columns (spec/engine.md §2.1)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.round((high / low - 1) * 100, 2), dtype=np.float64)


def _value(shares: Floats, price: Floats) -> Floats:
    """KRW traded: shares × 현재가."""
    return shares * price


DERIVED: Mapping[str, Derivation] = {
    "저가대비고가등락율": Derivation(("고가", "저가"), _high_over_low),
    "초당매수금액": Derivation(("초당매수수량", "현재가"), _value),
    "초당매도금액": Derivation(("초당매도수량", "현재가"), _value),
}

# Names with a look-back `NAMEN(pre)`: every column but the clock and the VI columns.
LAGGABLE = tuple(name for name in TICK_COLUMNS if name != CLOCK and name not in VI_COLUMNS)


def normalise(name: str) -> str:
    """NFKC, as Python treats identifiers: file names and databases written on a Mac hold decomposed Hangul."""
    return unicodedata.normalize("NFKC", name)


def detect_layout(names: Iterable[str]) -> str:
    """The layout that has these columns (any order, extra and missing ones allowed).

    Raises SchemaError when neither the clock nor a layout's telling columns are there.
    """
    have = {normalise(name) for name in names}
    if {CLOCK, "현재가"} <= have:
        for layout in LAYOUTS.values():
            if have.issuperset(layout.markers):
                return layout.name
    nearest = min(LAYOUTS.values(), key=lambda layout: len(set(layout.columns) - have))
    lacking = [name for name in nearest.columns if name not in have]
    shown = ", ".join(lacking[:6]) + (f" and {len(lacking) - 6} more" if len(lacking) > 6 else "")
    raise SchemaError(
        f"columns are none of the layouts {', '.join(sorted(LAYOUTS))}: nearest is {nearest.name}, which also has {shown}; "
        f"a tick table needs {CLOCK}, 현재가 and 초당거래대금, a minute table 분봉시가 and 분당거래대금"
    )


def script_columns(layout: str) -> tuple[str, ...]:
    """Names a condition script may use as plain columns: what the layout has or implies, without clock and VI해제시간."""
    own = LAYOUTS[layout].values
    implied = tuple(name for name, rule in DERIVED.items() if name not in own and set(rule.needs) <= set(own))
    return tuple(name for name in (*own, *implied) if name != "VI해제시간")


SCRIPT_COLUMNS = script_columns
