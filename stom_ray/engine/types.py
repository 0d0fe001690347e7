"""What goes into a backtest and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import ConfigError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Profile = Literal["stom", "corrected"]
MAX_BETTING = 1e12  # KRW; sums of amounts stay whole numbers
MAX_VALUE = 10**18  # of a parameter, as in ranges
MAX_AVGTIME = 1_000_000  # rows, far beyond any session
MOST_WEIGHTINGS = 16  # of one run: an engine is bound for each


def short(value: int | float) -> str:
    """A number in a message, however large."""
    return f"about 2^{value.bit_length()}" if isinstance(value, int) and abs(value) > MAX_VALUE else f"{value:.10g}"


@dataclass(frozen=True)
class Weighting:
    """Betting weights (spec/engine.md §6.1): mode 0 = off; 4 limits; 5 factors."""

    mode: int = 0
    limits: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    factors: tuple[float, float, float, float, float] = (1.0, 1.0, 1.0, 1.0, 1.0)

    def __str__(self) -> str:
        """As engine.weights takes it: 1, 5, 10, 15, 20, 1, 1.5, 2, 1, 0.5."""
        return ", ".join(np.format_float_positional(value, trim="-") for value in self.values)

    @property
    def values(self) -> tuple[float, ...]:
        """(10,) mode, limits, factors."""
        return (self.mode, *self.limits, *self.factors)


@dataclass(frozen=True)
class EngineConfig:
    """Everything besides scripts, rows and parameters that changes trades.

    betting: KRW per entry. avgtime: rows before a session's first decision. gate_var0: the gate (and so the number of rows) is
    self.vars[0] of the parameter row instead (optimisation). loaded_lengths: window lengths with a precomputed column; the others
    are evaluated raw. costs: name of a cost model in `schema.costs` ("stom", "krx", or "custom:tax_pct,fee_pct").
    weightings: where betting weights are searched, those to choose from: the last value of a parameter row is a place in it, and
    `weighting` is not looked at. What binds to a selection takes a config of one weighting: `of_row`, `alone`.
    """

    betting: float = 1_000_000.0
    avgtime: int = 30
    gate_var0: bool = False
    loaded_lengths: tuple[int, ...] = (30,)
    ask_levels: int = 5
    bid_levels: int = 5
    weighting: Weighting = field(default_factory=Weighting)
    costs: str = "stom"
    profile: Profile = "corrected"
    weightings: tuple[Weighting, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.betting <= MAX_BETTING:
            raise ConfigError(f"betting is {self.betting}: expected a positive amount in KRW, at most {MAX_BETTING:,.0f}")
        if not 1 <= self.avgtime <= MAX_AVGTIME:
            raise ConfigError(f"avgtime is {self.avgtime}: expected at least 1 row, at most {MAX_AVGTIME:,}")
        for name in ("ask_levels", "bid_levels"):
            if not 1 <= getattr(self, name) <= 5:
                raise ConfigError(f"{name} is {getattr(self, name)}: the book has levels 1 to 5")
        if len(self.weightings) > MOST_WEIGHTINGS:
            raise ConfigError(f"{len(self.weightings)} betting weights to choose from: expected at most {MOST_WEIGHTINGS}")

    @property
    def alone(self) -> tuple[EngineConfig, ...]:
        """One config for each of `weightings`; this one where there are none."""
        return tuple(replace(self, weighting=one, weightings=()) for one in self.weightings) or (self,)

    def of_row(self, params: ParamMatrix) -> EngineConfig:
        """That of a single parameter row. Raises ConfigError as `places`."""
        return self.alone[int(self.places(params)[0])]

    def places(self, params: ParamMatrix) -> Ints:
        """(n,) which of `alone` each parameter row takes. Raises ConfigError for a last value that is no place among them."""
        if not self.weightings:
            return np.zeros(len(params), dtype=np.int64)
        if params.values.shape[1] == 0:
            raise ConfigError("parameter rows are empty: expected the place of their betting weights as last value")
        last = params.values[:, -1]
        wrong = ~np.isin(last, np.arange(len(self.weightings)))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ConfigError(
                f"parameter row {row}: its last value is {last[row]:g}: expected the place of its betting weights, "
                f"0 to {len(self.weightings) - 1}"
            )
        return last.astype(np.int64)


@dataclass(frozen=True)
class ParamMatrix:
    """Parameter rows: row i is one candidate's `self.vars`.

    values: (n_candidates, n_vars) float64. is_float: same shape, True where the user's value was a Python float (60.0 is no
    window length in `stom`; 60 is).
    """

    values: Floats
    is_float: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[int | float]]) -> ParamMatrix:
        """Rows of equal length; ints and floats are told apart as written."""
        lengths = {len(row) for row in rows}
        if len(lengths) > 1:
            raise ConfigError(f"parameter rows have different lengths: {sorted(lengths)}")
        for number, row in enumerate(rows):
            for index, value in enumerate(row):
                if not -MAX_VALUE <= value <= MAX_VALUE:
                    raise ConfigError(
                        f"parameter row {number}: self.vars[{index}] is {short(value)}: expected a finite number, at most 1e18"
                    )
        values = np.array([[float(value) for value in row] for row in rows], dtype=np.float64)
        floats = np.array([[isinstance(value, float) for value in row] for row in rows], dtype=np.bool_)
        width = lengths.pop() if lengths else 0
        return cls(values.reshape(len(rows), width), floats.reshape(len(rows), width))


@dataclass(frozen=True)
class Trades:
    """Closed trades, ordered by candidate, then code, then time. All arrays (n_trades,).

    candidate: parameter row. session: index into the panel's sessions. buy_row, sell_row: rows of the selected panel.
    buy_clock, sell_clock: yyyymmddhhmmss. hold_s: seconds. prices, amounts and profit in whole KRW (int64). profit_pct: %.
    label: index into Strategy.labels. market_cap: 시가총액 at the sell row (float64).
    """

    candidate: Ints
    session: Ints
    buy_row: Ints
    sell_row: Ints
    buy_clock: Ints
    sell_clock: Ints
    hold_s: Ints
    buy_price: Ints
    sell_price: Ints
    buy_amount: Ints
    sell_amount: Ints
    profit: Ints
    profit_pct: Floats
    label: Ints
    market_cap: Floats

    def __len__(self) -> int:
        return len(self.candidate)


@dataclass(frozen=True)
class Fault:
    """A candidate whose run stopped (profile `stom`), as STOM's would have.

    row: row of the selected panel where it happened; message: rendered, with line and column.
    """

    candidate: int
    row: int
    message: str


@dataclass(frozen=True)
class RunResult:
    """Trades of all candidates that ran through, faults of those that did not, and division-by-zero counts per source line.

    zero_divisions: "buy:12" / "sell:3" / "elapsed:name:1" -> how often (profile `corrected`), over all candidates.
    """

    trades: Trades
    faults: tuple[Fault, ...] = ()
    zero_divisions: dict[str, int] = field(default_factory=dict)
