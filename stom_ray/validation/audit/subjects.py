"""What can be audited: anything that gives each row of a panel values, and says when they may be known.

A strategy's decisions, a user's features or predictions, and labels are the same to the audit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from stom_ray.conditions.ir import Strategy
from stom_ray.engine.backtest import Engine
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.errors import ConditionError, ConfigError, ScriptRuntimeError, SelectionError, StomError
from stom_ray.store.panel import Floats, Ints, Panel, Selection

Function = Callable[..., Any]
ENDS = "(end)"
NEVER = np.iinfo(np.int64).max  # the clock of what is not there


class StoppedError(Exception):
    """A subject cannot be run on these rows. row: of its panel, where one is to blame. error: why, in the user's words."""

    def __init__(self, error: StomError, row: int | None = None) -> None:
        super().__init__(str(error))
        self.error, self.row = error, row


@dataclass(frozen=True)
class Values:
    """columns: name -> (n_rows,) float64, NaN where there is none. known_at: (n_rows,) clock from which each row's values may be
    known; None: each row's own clock."""

    columns: Mapping[str, Floats]
    known_at: Ints | None = None

    def known(self, panel: Panel) -> Ints:
        """known_at of every row."""
        return panel.clock if self.known_at is None else self.known_at


class Subject(Protocol):
    """Gives every row of a panel some values.

    Contract: the same panel gives the same bits; the columns' names do not depend on the rows. `values` raises StoppedError where
    it cannot be run.
    """

    @property
    def what(self) -> str:
        """A decision, a feature or a label."""

    @property
    def name(self) -> str: ...

    @property
    def closes_sessions(self) -> bool:
        """Whether the last row of a session is treated in its own way because the market's hours end there."""

    def values(self, panel: Panel) -> Values: ...


@dataclass(frozen=True)
class Decisions:
    """Entries and exits of one strategy through the engine. narrow: from a loaded panel to what is run.

    Columns: buy price and amount at the row of an entry; sell price, reason (index of the label) and profit at that of an exit.
    """

    name: str
    strategy: Strategy
    params: ParamMatrix
    config: EngineConfig
    narrow: Callable[[Panel], Selection]
    backend: str = "auto"
    threads: int = 1
    max_memory: int | None = None
    what: str = "decision"
    closes_sessions: bool = True

    def values(self, panel: Panel) -> Values:
        try:
            selection = self.narrow(panel)
            result = self._engine(selection).run(self.params)
        except (SelectionError, ConditionError) as error:
            # Rows that were taken away: none is left, or no session is as long as a window of the script.
            raise StoppedError(error) from error
        if result.faults:
            fault = result.faults[0]
            raise StoppedError(ScriptRuntimeError(fault.message), int(selection.rows[fault.row]))
        trades, rows = result.trades, selection.rows
        bought, sold = rows[trades.buy_row], rows[trades.sell_row]
        columns = {
            "buy price": _at(bought, trades.buy_price, panel.n_rows),
            "buy amount": _at(bought, trades.buy_amount, panel.n_rows),
            "sell price": _at(sold, trades.sell_price, panel.n_rows),
            "sell reason": _at(sold, trades.label, panel.n_rows),
            "profit %": _at(sold, trades.profit_pct, panel.n_rows),
        }
        return Values(columns)

    def _engine(self, selection: Selection) -> Engine:
        return Engine(
            self.strategy, selection, self.config, backend=self.backend, threads=self.threads, max_memory=self.max_memory
        )


@dataclass(frozen=True)
class Features:
    """A function of a panel: columns by name, or an array (n_rows,) or (n_rows, n_features). Predictions of a model, too."""

    name: str
    function: Function
    what: str = "feature"
    closes_sessions: bool = False

    def values(self, panel: Panel) -> Values:
        return Values(as_columns(called(self.name, self.function, panel), panel.n_rows, self.name))


@dataclass(frozen=True)
class Labels:
    """A function of a panel that gives (values, ends). values: as `Features`, NaN where there is no label. ends: (n_rows,)
    yyyymmddhhmmss, from which on a label is known; it is not read where there is none. The ends are a column, too: ENDS."""

    name: str
    function: Function
    what: str = "label"
    closes_sessions: bool = False

    def values(self, panel: Panel) -> Values:
        given = called(self.name, self.function, panel)
        if not isinstance(given, tuple) or len(given) != 2:
            raise ConfigError(f"{self.name} gives {type(given).__name__}: expected (labels, ends), ends a clock for every row")
        columns = as_columns(given[0], panel.n_rows, self.name)
        ends = np.asarray(given[1])
        if ends.shape != (panel.n_rows,) or ends.dtype.kind not in "iuf":
            raise ConfigError(
                f"{self.name}: ends have shape {ends.shape} of {ends.dtype}: expected ({panel.n_rows},) of yyyymmddhhmmss"
            )
        some = ~np.all([np.isnan(column) for column in columns.values()], axis=0)
        known_at = np.where(some & np.isfinite(ends), ends, 0).astype(np.int64)
        early = np.flatnonzero(some & (known_at < panel.clock))
        if len(early):
            row = int(early[0])
            raise StoppedError(
                ConfigError(
                    f"{self.name}: the label of row {row} ({panel.clock[row]}) ends at {ends[row]:.0f}, before it begins: "
                    "expected the clock from which on the label is known, yyyymmddhhmmss"
                )
            )
        return Values({**columns, ENDS: np.where(some, ends, np.nan)}, np.where(some, known_at, NEVER))


def called(name: str, function: Function, *arguments: Any) -> Any:
    """What the user's function gives. StoppedError when it raises; numpy's warnings about odd numbers are not shown."""
    try:
        with np.errstate(all="ignore"):
            return function(*arguments)
    except StomError:
        raise
    except Exception as error:
        at = error.__traceback__
        while at is not None and at.tb_next is not None:
            at = at.tb_next
        line = f" (line {at.tb_lineno} of {at.tb_frame.f_code.co_filename})" if at is not None else ""
        raise StoppedError(ConfigError(f"{name} raised {type(error).__name__}: {error}{line}")) from error


def as_columns(given: Any, n_rows: int, name: str) -> dict[str, Floats]:
    """float64 columns by name, (n_rows,) each. Raises ConfigError for anything else than numbers, one a row."""
    if isinstance(given, pd.DataFrame | Mapping):
        columns = {str(key): np.asarray(given[key]) for key in given}
    else:
        array = np.asarray(given)
        columns = {str(k): array[:, k] for k in range(array.shape[1])} if array.ndim == 2 else {"0": array}
    if not columns:
        raise ConfigError(f"{name} gives no column: expected numbers, (n_rows,) or (n_rows, n_columns), or a mapping of columns")
    for key, column in columns.items():
        if column.shape != (n_rows,) or column.dtype.kind not in "biuf":
            raise ConfigError(
                f"{name}: column {key} has shape {column.shape} of {column.dtype}: expected a number for each of {n_rows} rows"
            )
    return {key: np.ascontiguousarray(column, dtype=np.float64) for key, column in columns.items()}


def _at(rows: Ints, values: Ints | Floats, n_rows: int) -> Floats:
    column = np.full(n_rows, np.nan)
    column[rows] = values
    return column
