"""What a report is made from: frames and dicts, filled by whoever ran the study.

Nothing here knows the engine, so a report can be drawn again years later from a study's files alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

import pandas as pd

from stom_ray.errors import ConfigError
from stom_ray.search.base import FIGURES
from stom_ray.validation.card import Card

TRADE_COLUMNS = (
    "code",
    "buy_time",
    "sell_time",
    "hold_s",
    "buy_price",
    "sell_price",
    "buy_amount",
    "sell_amount",
    "profit_pct",
    "profit_krw",
    "label",
    "market_cap",
)
TRIAL_COLUMNS = ("trial", "island", "source", *FIGURES, "objective", "failed", "reason")
STRESS_COLUMNS = ("assumption", "trades", "profit", "kept", "days", "failed")
PRICE_COLUMNS = ("clock", "현재가", "매도호가1", "매수호가1")


class Identity(TypedDict):
    """From which the run can be repeated. versions: package -> version. command: the exact shell line. created: ISO 8601."""

    data_hash: str
    strategy_hash: str
    config_id: str
    seed: int
    versions: Mapping[str, str]
    command: str
    created: str


class Scripts(TypedDict):
    """The user's own texts, as they were searched; empty where there was none."""

    buy: str
    sell: str
    ranges: str


class Searched(TypedDict):
    """What the search went through. combinations: size of the space, inf when a range is continuous. ticks: rows selected."""

    codes: int
    days: int
    first_day: int
    last_day: int
    ticks: int
    combinations: float
    seconds: float


class Scored(TypedDict):
    """A parameter row and what it made. values: `self.vars` in order, empty where several rows are stitched together.

    figures: the 15 of `search.base.FIGURES`. measures: daily-return measures by name ("sharpe", "sortino", ...), may be empty.
    objective: as the search saw it, NaN where there is none.
    """

    values: Sequence[float]
    figures: Mapping[str, float]
    measures: Mapping[str, float]
    objective: float


class Window(TypedDict):
    """One walk-forward window. scheme: "rolling", "anchored" or "stom". train, valid, test: [first day, last day, trading days];
    valid may be empty (no validation part). best: the row chosen. test_figures: the 15 figures on the test days."""

    scheme: str
    train: Sequence[int]
    valid: Sequence[int]
    test: Sequence[int]
    best: Sequence[float]
    train_objective: float
    valid_objective: float
    test_objective: float
    test_figures: Mapping[str, float]


class Compared(TypedDict):
    """What was chosen minus the user's present values, day by day. mean: KRW a day; low, high: inside lies the true
    one with probability `level`, by resampled blocks of days; NaN where there are too few."""

    days: int
    mean: float
    low: float
    high: float
    level: float


class Purge(TypedDict):
    """Trading days left out before what is evaluated: those that were, those that the strategy needs, and why, in words."""

    days: int
    needed: int
    reason: str


Remark = tuple[str, Mapping[str, Any]]  # a warning in any language: the key of its text, and what the text names


class Spread(TypedDict):
    """One figure over the paths of a cross-validation. share_negative: of those that have one. NaN where none has."""

    values: Sequence[float]
    median: float
    worst: float
    share_negative: float


class CrossFold(TypedDict):
    """One fold. train, test: [first day, last day, trading days] of each block. best: the row chosen on the train days.
    test_figures: the 15 figures on the test days."""

    train: Sequence[Sequence[int]]
    test: Sequence[Sequence[int]]
    best: Sequence[float]
    train_objective: float
    test_objective: float
    test_figures: Mapping[str, float]


class CrossValidated(TypedDict):
    """A search repeated in every fold. scheme: "purged_kfold" or "cpcv". planned: folds there should be; `folds` were finished.

    days: of every path. trials: rows scored in all folds. profit (KRW, all days), sharpe (per day): over the paths, of purged
    k-fold one, none before every fold is finished. stopped_by: "done", "time" or "interrupted".
    """

    scheme: str
    test_folds: int
    planned: int
    folds: Sequence[CrossFold]
    purge: Purge
    embargo_days: int
    days: int
    trials: int
    profit: Spread
    sharpe: Spread
    stopped_by: str


class Capital(TypedDict):
    """One account's way through the trades of `ReportData.best` (`validation.account`). cash, profit, unlimited_profit,
    peak_capital: KRW. max_drawdown: fraction of the peak. refused: entries for which there was no slot or no cash."""

    cash: float
    max_holdings: int
    trades: int
    unlimited_trades: int
    refused: int
    profit: float
    unlimited_profit: float
    peak_capital: float
    peak_holdings: int
    max_drawdown: float


class Costs(TypedDict):
    """name: "stom", "krx" or "custom:tax,fee". rates: what is charged -> how much, as text ("sell tax": "0.18 %")."""

    name: str
    rates: Mapping[str, str]


def empty_trades() -> pd.DataFrame:
    """A trades frame without a row."""
    return pd.DataFrame({name: [] for name in TRADE_COLUMNS})


def empty_stress() -> pd.DataFrame:
    """A table of worse assumptions without a row."""
    return pd.DataFrame({name: [] for name in STRESS_COLUMNS})


def empty_aims() -> pd.DataFrame:
    """Of a study with one objective."""
    return pd.DataFrame()


def empty_daily() -> pd.Series:
    """Daily profit of no day."""
    return pd.Series([], index=pd.Index([], dtype="int64"), dtype="float64")


@dataclass(frozen=True)
class ReportData:
    """One study, ready to be told.

    title: shown first. objective: name (spec/metrics.md). betting: KRW per entry.
    trials: columns TRIAL_COLUMNS and vars_0, vars_1, ..., followed by the name of a variable that has one (vars_7_entry_from);
    one row a trial, failed ones with NaN figures and a reason.
    best: the row the search chose, on the days it was chosen on. now: the user's present row on the same days. test: the rows
    chosen by the walk-forward windows, stitched over their test days. now_test: the present row on those test days.
    trades, test_trades: columns TRADE_COLUMNS (others are kept), of `best` and of `test`; times are yyyymmddhhmmss.
    daily, test_daily, now_test_daily: KRW of each trading day (by sell day), index yyyymmdd, days without trades included as 0.
    walk_forward: windows, oldest first; those of the first window's scheme are the ones stitched in `test`.
    prices: (code, yyyymmdd) -> frame with PRICE_COLUMNS, the sessions to draw. names: code -> name of the instrument.
    purge: of the walk-forward, None without. cross_validation: None without. remarks: said beside the warnings.
    card: the verdict; None when there is nothing to judge. compared: "searched" and "test", where both sides have days.
    stress: STRESS_COLUMNS (others are kept), the winner as it was searched and under worse assumptions (`validation.stress`);
    days: how many each was run on. capital: None when every signal was taken, however many
    were open at once; the report says so.
    aims: of a search for several objectives one row a trial, in their order, higher is better, failed ones NaN; a column an
    objective, named as it was given (TG, -MDD), and last how far the trial is outside the limits. The first ranks: it is
    `objective`. Empty for one objective.
    clusters: trial -> cluster of those that behave alike, of the best trials; a table of winners has one row a cluster. Empty:
    every trial stands for itself.
    """

    title: str
    objective: str
    betting: float
    identity: Identity
    scripts: Scripts
    searched: Searched
    costs: Costs
    trials: pd.DataFrame
    best: Scored | None = None
    now: Scored | None = None
    test: Scored | None = None
    now_test: Scored | None = None
    trades: pd.DataFrame = field(default_factory=empty_trades)
    test_trades: pd.DataFrame = field(default_factory=empty_trades)
    daily: pd.Series = field(default_factory=empty_daily)
    test_daily: pd.Series = field(default_factory=empty_daily)
    now_test_daily: pd.Series = field(default_factory=empty_daily)
    walk_forward: Sequence[Window] = ()
    purge: Purge | None = None
    cross_validation: CrossValidated | None = None
    card: Card | None = None
    compared: Mapping[str, Compared] = field(default_factory=dict)
    capital: Capital | None = None
    stress: pd.DataFrame = field(default_factory=empty_stress)
    aims: pd.DataFrame = field(default_factory=empty_aims)
    clusters: pd.Series = field(default_factory=lambda: pd.Series(dtype="int64"))
    warnings: Sequence[str] = ()
    remarks: Sequence[Remark] = ()
    prices: Mapping[tuple[str, int], pd.DataFrame] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require("trials", self.trials, TRIAL_COLUMNS)
        _require("trades", self.trades, TRADE_COLUMNS)
        _require("stress", self.stress, STRESS_COLUMNS)
        _require("test_trades", self.test_trades, TRADE_COLUMNS)
        for (code, day), frame in self.prices.items():
            _require(f"prices of {code} on {day}", frame, PRICE_COLUMNS)

        if self.objectives and len(self.aims) != len(self.trials):
            raise ConfigError(f"a report cannot be made: {len(self.aims)} rows of aims for {len(self.trials)} trials")

    @property
    def objectives(self) -> tuple[str, ...]:
        """Those of `aims`; empty for one objective."""
        return tuple(self.aims.columns[:-1])

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns of `trials` that hold variables, in the order of their index."""
        names = [name for name in self.trials.columns if name.startswith("vars_")]
        return tuple(sorted(names, key=lambda name: int(name.split("_")[1])))


def _require(what: str, frame: pd.DataFrame, columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ConfigError(
            f"a report cannot be made: {what} has no column {', '.join(missing)}; it has {', '.join(frame.columns)}"
        )
