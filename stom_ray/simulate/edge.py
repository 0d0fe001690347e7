"""A planted edge: when a stated condition on observable columns holds, the price drifts by so much over so long.

The condition is a conjunction of one to three terms, each of them a comparison that a STOM script can write, so that what was
planted can be searched for, traded, and checked by forward returns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import ConfigError

Form = Literal["steady", "episode"]
FORMS: tuple[Form, ...] = ("steady", "episode")
MAX_TERMS = 3
MAX_STRENGTH_BPS = 500.0
MAX_RATE_BPS_PER_S = 50.0
MAX_WINDOW = 300
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
FIRST_ROW = 30  # rows of the session before the condition counts, as STOM's avgtime gate


@dataclass(frozen=True)
class Quantity:
    """What a term compares. left: the STOM expression; right: the threshold's place in it; windowed: takes a length in rows."""

    code: int
    left: str
    right: str
    windowed: bool = False


# The codes are those of session_kernel.margin.
QUANTITIES: dict[str, Quantity] = {
    "strength": Quantity(0, "체결강도", "{c}"),
    "rate": Quantity(1, "등락율", "{c}"),
    "hl_rate": Quantity(2, "고저평균대비등락율", "{c}"),
    "value": Quantity(3, "초당거래대금", "{c}"),
    "turnover": Quantity(4, "회전율", "{c}"),
    "volume_ratio": Quantity(5, "전일비", "{c}"),
    "buy_ratio": Quantity(6, "초당매수수량", "초당매도수량 * {c}"),
    "book_ratio": Quantity(7, "매수총잔량", "매도총잔량 * {c}"),
    "rate_angle": Quantity(8, "등락율각도({w})", "{c}", windowed=True),
    "strength_rise": Quantity(9, "체결강도", "체결강도평균({w}) + {c}", windowed=True),
    "value_burst": Quantity(10, "초당거래대금", "초당거래대금평균({w}) * {c}", windowed=True),
    "window_buy_ratio": Quantity(11, "누적초당매수수량({w})", "누적초당매도수량({w}) * {c}", windowed=True),
}


@dataclass(frozen=True)
class Term:
    """One comparison: `quantity` above (or below) `threshold`; window in rows for the windowed ones, ignored nowhere."""

    quantity: str
    threshold: float
    above: bool = True
    window: int = 0

    def __post_init__(self) -> None:
        kind = QUANTITIES.get(self.quantity)
        if kind is None:
            raise ConfigError(f"unknown edge quantity {self.quantity!r}: expected one of {', '.join(QUANTITIES)}")
        if not np.isfinite(self.threshold):
            raise ConfigError(f"edge term {self.quantity}: threshold is {self.threshold}, expected a finite number")
        if kind.windowed and not 2 <= self.window <= MAX_WINDOW:
            raise ConfigError(f"edge term {self.quantity}: window is {self.window}, expected 2 to {MAX_WINDOW} rows")
        if not kind.windowed and self.window:
            raise ConfigError(f"edge term {self.quantity} has no window, got {self.window}")

    @property
    def text(self) -> str:
        """The comparison as a STOM expression."""
        kind = QUANTITIES[self.quantity]
        right = kind.right.format(c=f"{self.threshold:g}", w=self.window)
        return f"{kind.left.format(w=self.window)} {'>' if self.above else '<'} {right}"

    @property
    def spec(self) -> str:
        """The short form that `Edge.parse` reads."""
        window = f"({self.window})" if self.window else ""
        return f"{self.quantity}{window}{'>' if self.above else '<'}{self.threshold!r}"


@dataclass(frozen=True)
class Edge:
    """The drift of the price over the `horizon_s` seconds after a second in which every term holds.

    strength_bps: what the price is expected to gain over the horizon, basis points, above what it would without it.
    form `steady`: strength/horizon a second for horizon_s seconds after the condition last held; a new holding renews the horizon
    and never adds up. form `episode`: a holding outside an episode opens one of horizon_s seconds, whose drift falls linearly
    to 0; holdings inside it change nothing.
    """

    terms: tuple[Term, ...]
    strength_bps: float
    horizon_s: int
    form: Form = "steady"

    def __post_init__(self) -> None:
        if not 1 <= len(self.terms) <= MAX_TERMS:
            raise ConfigError(f"an edge has {len(self.terms)} terms: expected 1 to {MAX_TERMS}")
        if self.form not in FORMS:
            raise ConfigError(f"edge form is {self.form!r}: expected {' or '.join(FORMS)}")
        if self.horizon_s < 1:
            raise ConfigError(f"edge horizon_s is {self.horizon_s}: expected at least 1 second")
        if not abs(self.strength_bps) <= MAX_STRENGTH_BPS:
            raise ConfigError(f"edge strength_bps is {self.strength_bps:g}: expected at most ±{MAX_STRENGTH_BPS:g}")
        peak = float(np.abs(self.schedule()).max()) * 1e4
        if peak > MAX_RATE_BPS_PER_S:
            raise ConfigError(
                f"edge of {self.strength_bps:g} bp in {self.horizon_s} s ({self.form}) drifts {peak:.1f} bp in a second, "
                f"more than {MAX_RATE_BPS_PER_S:g}: raise horizon_s or lower strength_bps"
            )

    @property
    def first_row(self) -> int:
        """The row of a session (데이터길이, from 1) from which the condition counts: every window is filled by then."""
        return max(FIRST_ROW, *(term.window for term in self.terms))

    @property
    def condition(self) -> str:
        """The whole condition as one STOM expression."""
        return " and ".join([f"데이터길이 >= {self.first_row}", *(f"{term.text}" for term in self.terms)])

    @property
    def buy_text(self) -> str:
        """A STOM buy script that buys exactly where the condition holds."""
        lines = ["매수 = True", f"if not (데이터길이 >= {self.first_row}):", "    매수 = False"]
        for term in self.terms:
            lines += [f"elif not ({term.text}):", "    매수 = False"]
        return "\n".join([*lines, "if 매수:", "    self.Buy()", ""])

    @property
    def spec(self) -> str:
        """The short form: "60bp/120s/steady strength>108.0 buy_ratio>2.0"."""
        return " ".join([f"{self.strength_bps!r}bp/{self.horizon_s}s/{self.form}", *(term.spec for term in self.terms)])

    @property
    def statement(self) -> str:
        """What was planted, in words."""
        shape = "evenly, renewed while it holds" if self.form == "steady" else "falling linearly, one episode at a time"
        return f"{self.strength_bps:+g} bp over {self.horizon_s} s ({shape}) when {self.condition}"

    def schedule(self) -> NDArray[np.float64]:
        """(horizon_s,) drift of each second after the trigger, as a fraction of the price; sums to strength_bps/1e4."""
        weights = np.ones(self.horizon_s) if self.form == "steady" else np.arange(self.horizon_s, 0, -1.0)
        return np.asarray(self.strength_bps / 1e4 * weights / weights.sum(), dtype=np.float64)

    @classmethod
    def parse(cls, text: str) -> Edge:
        """Reads `spec`. Raises ConfigError naming the part that does not fit."""
        head, *terms = text.split() or [""]
        size = re.fullmatch(rf"({NUMBER})bp/(\d+)s(?:/(\w+))?", head)
        if size is None:
            raise ConfigError(f"edge {text!r}: expected BPSbp/SECONDSs[/FORM] first, for example 60bp/120s/steady strength>108")
        form = size[3] or "steady"
        if form not in FORMS:
            raise ConfigError(f"edge form is {form!r}: expected {' or '.join(FORMS)}")
        return cls(tuple(map(_parse_term, terms)), float(size[1]), int(size[2]), form)


def _parse_term(text: str) -> Term:
    parts = re.fullmatch(rf"(\w+?)(?:\((\d+)\))?([<>])({NUMBER})", text)
    if parts is None:
        raise ConfigError(f"edge term {text!r}: expected QUANTITY[(WINDOW)]>NUMBER or <NUMBER, for example rate_angle(30)>4")
    return Term(parts[1], float(parts[4]), parts[3] == ">", int(parts[2] or 0))
