"""One strategy, once, over a database; and what every run of `sweep` has in common with it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import pandas as pd

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.ir import Strategy
from stom_ray.config import parse_bytes, parse_weights
from stom_ray.engine.backtest import Engine, run_warnings
from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.sweeps import loaded_lengths
from stom_ray.engine.trades_io import trades_frame
from stom_ray.engine.types import EngineConfig, Floats, ParamMatrix, Profile, Trades
from stom_ray.errors import ConfigError
from stom_ray.metrics.batch import score
from stom_ray.metrics.returns import measures, session_seconds
from stom_ray.runs.choice import DataChoice, Paths
from stom_ray.runs.outcome import Backtest, Outcome, totals_frame
from stom_ray.search.base import FIGURES
from stom_ray.store.panel import Panel, Selection

MAX_THREADS = 1_024


@dataclass(frozen=True)
class Settings:
    """How to run: the command line's words for `EngineConfig`, the backend, and a limit such as "2GB" on memory."""

    profile: str = "corrected"
    avgtime: int = 30
    betting: float = 1_000_000.0
    ask_levels: int = 5
    bid_levels: int = 5
    weights: Sequence[float] = ()
    costs: str = "stom"
    elapsed: str = ""
    backend: str = "auto"
    threads: int = 1
    max_memory: str | int = ""

    def engine(self, loaded_lengths: tuple[int, ...], *, gate_var0: bool) -> EngineConfig:
        """Raises ConfigError for a value that cannot be run."""
        if not 1 <= self.threads <= MAX_THREADS:
            raise ConfigError(f"threads is {self.threads}: expected 1 to {MAX_THREADS:,}")
        if self.profile not in ("stom", "corrected"):
            raise ConfigError(f"profile {self.profile!r}: expected stom (STOM's trades, quirks included) or corrected")
        return EngineConfig(
            betting=self.betting,
            avgtime=self.avgtime,
            gate_var0=gate_var0,
            loaded_lengths=loaded_lengths,
            ask_levels=self.ask_levels,
            bid_levels=self.bid_levels,
            weighting=parse_weights(tuple(self.weights)),
            costs=self.costs,
            profile=cast("Profile", self.profile),
        )


def backtest(
    db: Paths,
    buy: str | bytes,
    sell: str | bytes,
    *,
    vars: Sequence[int | float] = (),
    choice: DataChoice | None = None,
    **settings: Any,
) -> Backtest:
    """Run one strategy once. `settings` are those of `Settings`.

    `vars` are the values of self.vars; vars[0] then replaces avgtime, as in STOM's optimisation. Raises StomError for anything
    wrong with data, scripts or settings, ScriptRuntimeError where STOM's run would have died.
    """
    how = Settings(**settings)
    config = how.engine(loaded_lengths(vars[:1]) or (how.avgtime,), gate_var0=bool(vars))
    selection, notes = (choice or DataChoice()).open(db)
    strategy = compile_strategy(buy, sell, profile=how.profile, elapsed=how.elapsed, layout=selection.loaded.layout)
    outcome = Batch(strategy, selection, ParamMatrix.from_rows([list(vars)]), config, how, notes).trades(report=True)
    outcome.raise_if_dead()
    return outcome


@dataclass(frozen=True)
class Batch:
    """Parameter rows of one strategy over one selection, and how to run them. notes: warnings from before.

    labels: (vturn, vkey) of each row, of a sweep.
    """

    strategy: Strategy
    selection: Selection
    params: ParamMatrix
    config: EngineConfig
    settings: Settings
    notes: tuple[str, ...]
    labels: tuple[Any, Any] | None = None

    def trades(self, *, report: bool = False) -> Backtest:
        """With every trade. report: a single run's measures as well."""
        engine, warnings = self._engine(), self._warnings()
        started = time.perf_counter()
        result = engine.run(self.params)
        seconds = {"run": time.perf_counter() - started}
        selected = self.selection.selected
        n = len(self.params)
        figures, daily = score(result.trades, n, selected, betting=self.config.betting, report=report)
        table = pd.DataFrame(figures, columns=list(FIGURES))
        table.loc[[fault.candidate for fault in result.faults]] = float("nan")
        if self.labels is not None:
            table.insert(0, "vturn", list(self.labels[0]))
            table.insert(1, "vkey", list(self.labels[1]))
        sums = Totals.of(result, n, selected.session_day).without(result.faults)
        told = report and not result.faults
        return Backtest(
            trades=trades_frame(result.trades, self.strategy, selected, labels=self.labels),
            figures=table,
            measures=_measures(result.trades, daily[0], table, selected, self.config) if told else {},
            zero_divisions=result.zero_divisions,
            totals=totals_frame(sums, self.params, self.labels),
            faults=result.faults,
            selection=self.selection,
            config=self.config,
            how=engine.how,
            warnings=warnings,
            seconds=seconds,
        )

    def totals(self) -> Outcome:
        """Sums only: no trade is kept."""
        engine, warnings = self._engine(), self._warnings()
        started = time.perf_counter()
        totals = engine.totals(self.params)
        return Outcome(
            totals=totals_frame(totals, self.params, self.labels),
            faults=totals.faults,
            selection=self.selection,
            config=self.config,
            how=engine.how,
            warnings=warnings,
            seconds={"run": time.perf_counter() - started},
        )

    def _engine(self) -> Engine:
        how = self.settings
        return Engine(
            self.strategy,
            self.selection,
            self.config,
            backend=how.backend,
            threads=how.threads,
            max_memory=parse_bytes(how.max_memory),
        )

    def _warnings(self) -> tuple[str, ...]:
        found = run_warnings(self.strategy, self.selection, self.params, self.config)
        return (*self.notes, *self.strategy.warnings, *found)


def _measures(trades: Trades, daily: Floats, table: pd.DataFrame, selected: Panel, config: EngineConfig) -> dict[str, float]:
    capital = float(table["seed"].iloc[0]) or config.betting
    session_s = session_seconds(selected.clock, len(daily))
    return asdict(measures(trades, daily, capital=capital, session_s=session_s))
