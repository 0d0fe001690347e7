"""What names mean, per layout and per text: columns, look-backs, windows, states, and why a name is not known."""

from __future__ import annotations

import keyword
from dataclasses import dataclass
from functools import cache
from typing import Literal

from stom_ray.conditions.diagnostics import closest, did_you_mean
from stom_ray.conditions.ir import STATE_NAMES_BUY, STATE_NAMES_SELL, TEXT_NAMES, WINDOW_FUNCTIONS
from stom_ray.schema.columns import CLOCK, LAYOUTS, VI_COLUMNS, script_columns
from stom_ray.schema.windows import WINDOW_SOURCE

Side = Literal["buy", "sell", "expr"]
DECISIONS = ("매수", "매도")
MOMENT_NAME = "VI해제시간"
ARITHMETIC = ("int", "float", "abs", "round", "min", "max")
CLOCK_FUNCTIONS = ("now", "timedelta_sec", "경과틱수")
V2_STATES = ("순매수금액", "보유수량", "수익금")

# Columns a state name is computed from. 호가단위 is the book's in v1 and the ladder's of 현재가 in v2.
STATE_SOURCES = {
    "호가단위": ("매도호가1", "매도호가2", "현재가"),
    "VI아래5호가": ("VI가격", "VI호가단위"),
    "순매수금액": ("초당매수금액", "초당매도금액"),
    "수익률": ("현재가",),
    "최고수익률": ("현재가",),
    "최저수익률": ("현재가",),
    "수익금": ("현재가",),
}

# TA-Lib columns that STOM computes for minute tables.
INDICATORS = (
    "AD", "ADOSC", "ADXR", "APO", "AROOND", "AROONU", "ATR", "BBU", "BBM", "BBL", "CCI", "DIM", "DIP", "MACD", "MACDS", "MACDH",
    "MFI", "MOM", "OBV", "PPO", "ROC", "RSI", "SAR", "STOCHSK", "STOCHSD", "STOCHFK", "STOCHFD", "WILLR",
)  # fmt: skip
MINUTE_WINDOWS = (
    "최고분당매수수량", "최고분당매도수량", "누적분당매수수량", "누적분당매도수량", "분당거래대금평균",
    "최고분봉고가", "최저분봉저가",
)  # fmt: skip

# What users write for what they mean, where spelling distance does not find it.
MISTAKES = {
    "시분": "시분초",
    "시간": "시분초",
    "분당매수량": "분당매수수량",
    "분당매도량": "분당매도수량",
    "초당매수량": "초당매수수량",
    "초당매도량": "초당매도수량",
    "STOCH_K": "STOCHSK",
    "STOCH_D": "STOCHSD",
    "등락률": "등락율",
    "수익율": "수익률",
    "거래대금": "당일거래대금",
    "종목이름": "종목명",
}


@dataclass(frozen=True)
class NameTable:
    """The names one text may use. Immutable; one per (layout, side)."""

    layout: str
    side: Side
    columns: frozenset[str]
    laggable: frozenset[str]
    windows: frozenset[str]
    states: frozenset[str]

    def lag_base(self, name: str) -> str | None:
        """The column behind a look-back's name: 현재가N -> 현재가, MACD_N -> MACD."""
        if name.endswith("_N") and name[:-2] in INDICATORS and name[:-2] in self.laggable:
            return name[:-2]
        return name[:-1] if name.endswith("N") and name[:-1] in self.laggable else None

    @property
    def callables(self) -> frozenset[str]:
        lags = {f"{name}_N" if name in INDICATORS else f"{name}N" for name in self.laggable}
        return self.windows | lags | set(ARITHMETIC) | set(CLOCK_FUNCTIONS)

    @property
    def values(self) -> frozenset[str]:
        return self.columns | self.states | {MOMENT_NAME, *TEXT_NAMES, "self"}

    def is_known(self, name: str) -> bool:
        return name in self.values or name in self.callables

    def explain_value(self, name: str, temporaries: frozenset[str]) -> tuple[str, str]:
        """(message, hint) for a name that is no value here."""
        if name in self.callables:
            return self._uncalled(name)
        where = self._known_elsewhere(name)
        if where:
            return where
        mistake = MISTAKES.get(name)
        if mistake:
            return f"unknown name `{name}`", self._suggest(mistake)
        window, length = split_digits(name)
        if length and window in self.windows:
            return f"unknown name `{name}`", f"did you mean `{window}({length})`?"
        base = name.removesuffix("_N")
        if base != name and base in self.laggable:
            return f"unknown name `{name}`", f"did you mean `{base}N(1)`, its value one row earlier?"
        found = closest(name, self.values | temporaries) or closest(name, self.callables)
        return f"unknown name `{name}`", f"did you mean `{found}`?" if found else "a temporary is set before it is read"

    def explain_call(self, name: str) -> tuple[str, str]:
        """(message, hint) for a name that cannot be called here."""
        if name in self.columns or name in self.states or name in (MOMENT_NAME, *TEXT_NAMES):
            hint = f"write `{name}`"
            if name in self.laggable:
                lag = f"{name}_N" if name in INDICATORS else f"{name}N"
                hint += f", or `{lag}(1)` for its value one row earlier"
            return f"`{name}` is a column, not a function", hint
        if name in INDICATORS:
            return f"`{name}` is a column of minute tables, not a function", f"write `{name}`; this script runs on {self.layout}"
        base, digits = split_digits(name)
        if name.endswith("_N") and name[:-2] in self.laggable:
            return f"unknown function `{name}`", f"did you mean `{name[:-2]}N`?"
        if name.endswith("N") and name[:-1] in (*VI_COLUMNS, *STATE_NAMES_BUY, *STATE_NAMES_SELL):
            return f"`{name[:-1]}` has no look-back", "look-backs exist for the table's columns other than the VI ones"
        if digits and base in self.windows:
            return f"unknown function `{name}`", f"did you mean `{base}({digits})`?"
        lag = name[:-1] if name.endswith("N") else name
        where = self._known_elsewhere(lag)
        if where:
            return where
        hint = did_you_mean(name, self.callables) or did_you_mean(name, self.values)
        return f"unknown function `{name}`", hint or f"functions are {', '.join(ARITHMETIC)}, windows and look-backs"

    def _suggest(self, name: str) -> str:
        """A suggestion that says so when the name exists in other tables only."""
        if self.is_known(name):
            return f"did you mean `{name}`?"
        elsewhere = self._known_elsewhere(name)
        return f"did you mean `{name}`? {elsewhere[0] if elsewhere else ''}".rstrip()

    def _uncalled(self, name: str) -> tuple[str, str]:
        if name in self.windows:
            return f"`{name}` needs a window length", f"write `{name}(30)`"
        base = self.lag_base(name)
        if base:
            return f"`{name}` needs the number of rows to look back", f"write `{name}(1)`"
        return f"`{name}` is a function", f"write `{name}(...)`"

    def _known_elsewhere(self, name: str) -> tuple[str, str] | None:
        if self.side != "sell" and name in (*STATE_NAMES_SELL, *V2_STATES[1:]) and name not in self.states:
            return f"`{name}` exists only while a position is held", "use it in the sell text"
        if name in V2_STATES and self.layout != "tick_v2":
            return f"`{name}` exists only in the 54-column layout tick_v2; this script runs on {self.layout}", ""
        if name in MINUTE_WINDOWS:
            return f"the window `{name}` belongs to minute tables; running minute scripts is not offered", ""
        if name in INDICATORS:
            return f"`{name}` is a column of minute tables; this script runs on {self.layout}", ""
        if name == CLOCK:
            return "the clock `index` is not read by scripts", "use `시분초` or `now()`"
        owners = [layout for layout in sorted(LAYOUTS) if name in script_columns(layout)]
        if owners and self.layout not in owners:
            return f"column `{name}` is not in layout {self.layout}; it is in {', '.join(owners)}", ""
        return None

    def refuse_temporary(self, name: str) -> tuple[str, str] | None:
        """(message, hint) when a script may not set this name."""
        if name in DECISIONS:
            return None
        if self.is_known(name):
            return f"`{name}` already means something and cannot be set", "choose another name for the temporary"
        if keyword.iskeyword(name) or name.startswith("__"):
            return f"`{name}` cannot be a temporary's name", "choose another name"
        return None


def split_digits(name: str) -> tuple[str, str]:
    """이동평균5 -> (이동평균, 5)."""
    base = name.rstrip("0123456789")
    return base.rstrip("_"), name[len(base) :]


@cache
def name_table(layout: str, side: Side) -> NameTable:
    """Raises KeyError for an unknown layout; `compile_strategy` checks it first."""
    columns = frozenset(script_columns(layout))
    minute = layout.startswith("minute")
    laggable = columns - set(VI_COLUMNS)
    if minute:
        columns |= set(INDICATORS)
        laggable |= set(INDICATORS)
    windows = frozenset(name for name in WINDOW_FUNCTIONS if WINDOW_SOURCE[name] in columns)
    states = set(STATE_NAMES_BUY) | (set(STATE_NAMES_SELL) if side == "sell" else set())
    if layout != "tick_v2":
        states -= set(V2_STATES)
    return NameTable(layout, side, columns, laggable, windows, frozenset(states))
