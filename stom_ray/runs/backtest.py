"""Backtests and sweeps: one strategy, or many parameter rows, over the same rows of a database."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import pandas as pd

from stom_ray.conditions.compile import compile_conditions, compile_strategy
from stom_ray.conditions.ir import Strategy
from stom_ray.conditions.ranges import parse_ranges
from stom_ray.config import parse_weights
from stom_ray.engine import sweeps
from stom_ray.engine.backtest import choose_backend, run, run_warnings
from stom_ray.engine.sweeps import loaded_lengths
from stom_ray.engine.trades_io import trades_frame
from stom_ray.engine.types import EngineConfig, Fault, Floats, ParamMatrix, Profile, Trades
from stom_ray.errors import ConditionError, ConfigError, ScriptRuntimeError
from stom_ray.metrics.batch import score
from stom_ray.metrics.returns import measures, session_seconds
from stom_ray.runs.choice import DataChoice, Paths
from stom_ray.runs.files import plain
from stom_ray.search.base import FIGURES
from stom_ray.store.panel import Panel, Selection

MAX_THREADS = 1_024


@dataclass(frozen=True)
class Backtest:
    """One or many runs over the same rows.

    trades: OUT.csv's columns (a sweep puts vturn and vkey in front). figures: one row per parameter row, STOM's 15 by name (after
    vturn, vkey in a sweep). measures: of a single run, the usual ones from daily profit.
    """

    trades: pd.DataFrame
    figures: pd.DataFrame
    measures: dict[str, float]
    faults: tuple[Fault, ...]
    zero_divisions: dict[str, int]
    selection: Selection
    config: EngineConfig
    backend: str
    reason: str
    warnings: tuple[str, ...]
    seconds: dict[str, float]

    def raise_if_dead(self) -> None:
        """ScriptRuntimeError when every parameter row stopped, as STOM's run would have."""
        if self.faults and len(self.faults) >= len(self.figures):
            raise ScriptRuntimeError(self.faults[0].message)

    def to_json(self) -> dict[str, Any]:
        selected = self.selection.selected
        return {
            "trades": len(self.trades),
            "ticks": selected.n_rows,
            "ticks_loaded": self.selection.loaded.n_rows,
            "days": [int(day) for day in selected.days],
            "codes": list(selected.codes),
            "profile": self.config.profile,
            "costs": self.config.costs,
            "capital": "unlimited",
            "backend": self.backend,
            "reason": self.reason,
            "figures": plain(self.figures.to_dict("records")),
            "measures": plain(self.measures),
            "faults": [{"row": fault.candidate, "message": fault.message} for fault in self.faults],
            "zero_divisions": self.zero_divisions,
            "warnings": list(self.warnings),
            "seconds": self.seconds,
        }

    def render(self) -> str:
        selected = self.selection.selected
        lines = [
            f"{len(self.trades):,} trades of {len(self.figures):,} parameter row{'s' if len(self.figures) != 1 else ''} over "
            f"{selected.n_rows:,} ticks ({len(selected.codes)} instruments, {len(selected.days)} days), unlimited capital, "
            f"costs {self.config.costs}; {self.backend} backend: {self.reason}; {self.seconds.get('run', 0):.2f} s"
        ]
        if len(self.figures) == 1:
            row = self.figures.iloc[0]
            lines.append("  ".join(f"{name} {row[name]:,.10g}" for name in self.figures.columns))
        if self.measures:
            lines.append("  ".join(f"{name} {value:,.4g}" for name, value in self.measures.items()))
        lines += [f"{count:,} divisions by zero at {place} counted as nan" for place, count in self.zero_divisions.items()]
        lines += [f"row {fault.candidate} FAILED: {fault.message}" for fault in self.faults[:5]]
        if len(self.faults) > 5:
            lines.append(f"... and {len(self.faults) - 5} more rows failed")
        return "\n".join([*lines, *self.warnings])


@dataclass(frozen=True)
class Settings:
    """How to run: the command line's words for `EngineConfig`, and the backend."""

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
    outcome = _run(strategy, selection, ParamMatrix.from_rows([list(vars)]), config, how, notes, report=True)
    outcome.raise_if_dead()
    return outcome


def sweep(
    db: Paths,
    buy: str | bytes = b"",
    sell: str | bytes = b"",
    *,
    ranges: str | bytes | None = None,
    ranges_form: str = "step",
    rows: Sequence[Sequence[int | float]] | None = None,
    conditions: dict[str, list[list[str]]] | None = None,
    choice: DataChoice | None = None,
    **settings: Any,
) -> Backtest:
    """Many runs over the same rows: `ranges` one variable at a time, explicit parameter `rows`, or pairs of `conditions`."""
    if sum(given is not None for given in (ranges, rows, conditions)) != 1:
        raise ConfigError("a sweep takes exactly one of --ranges with --one-at-a-time, --rows, --conditions")

    how = Settings(**settings)
    selection, notes = (choice or DataChoice()).open(db)
    if conditions is not None:
        return _sweep_conditions(selection, conditions, how, notes)
    strategy = compile_strategy(buy, sell, profile=how.profile, elapsed=how.elapsed, layout=selection.loaded.layout)
    if ranges is not None:
        parsed = parse_ranges(ranges, form=ranges_form)
        notes = (*notes, *parsed.warnings, *parsed.lint_against(strategy))
        plan = sweeps.one_at_a_time(parsed)
    else:
        plan = sweeps.explicit_rows(rows or [])
    config = how.engine(plan.loaded_lengths, gate_var0=True)
    return _run(strategy, selection, plan.params, config, how, notes, labels=(plan.vturn, plan.vkey))


def _sweep_conditions(
    selection: Selection, conditions: dict[str, list[list[str]]], how: Settings, notes: tuple[str, ...]
) -> Backtest:

    config = how.engine((how.avgtime,), gate_var0=False)
    one_row = ParamMatrix.from_rows([[]])
    runs = []
    for number, (buy_lines, sell_lines) in enumerate(_condition_pairs(conditions)):
        try:
            strategy = compile_conditions(
                buy_lines, sell_lines, profile=how.profile, layout=selection.loaded.layout, elapsed=how.elapsed
            )
        except ConditionError as error:
            raise ConditionError(f"conditions, pair {number}: {error}") from error
        runs.append(_run(strategy, selection, one_row, config, how, notes, labels=([0], [number])))
    faults = tuple(replace(fault, candidate=number) for number, run in enumerate(runs) for fault in run.faults)
    return replace(
        runs[0],
        trades=pd.concat([run.trades for run in runs], ignore_index=True),
        figures=pd.concat([run.figures for run in runs], ignore_index=True),
        faults=faults,
        zero_divisions=_add(run.zero_divisions for run in runs),
        warnings=tuple(dict.fromkeys(text for run in runs for text in run.warnings)),
        seconds={"run": sum(run.seconds["run"] for run in runs)},
    )


def _condition_pairs(conditions: dict[str, list[list[str]]]) -> list[tuple[list[str], list[str]]]:
    if not isinstance(conditions, dict) or set(conditions) != {"buy", "sell"}:
        raise ConfigError('conditions: expected {"buy": [[line, ...], ...], "sell": [[line, ...], ...]}')
    buys, sells = conditions["buy"], conditions["sell"]
    for side, lists in (("buy", buys), ("sell", sells)):
        if not isinstance(lists, list):
            raise ConfigError(f"conditions: {side} is {lists!r:.60}: expected a list of lists of texts")
        for number, lines in enumerate(lists):
            if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
                raise ConfigError(f"conditions: {side}[{number}] is no list of texts")
    if len(buys) != len(sells) or not buys:
        raise ConfigError(
            f"conditions: {len(buys)} buy lists and {len(sells)} sell lists: they go pair by pair, at least one pair"
        )
    return list(zip(buys, sells, strict=True))


def _run(
    strategy: Strategy,
    selection: Selection,
    params: ParamMatrix,
    config: EngineConfig,
    how: Settings,
    notes: tuple[str, ...],
    *,
    labels: tuple[Any, Any] | None = None,
    report: bool = False,
) -> Backtest:

    backend, reason = choose_backend(how.backend, strategy)
    warnings = (*notes, *strategy.warnings, *run_warnings(strategy, selection, params, config))
    started = time.perf_counter()
    result = run(strategy, selection, params, config, backend=backend, threads=how.threads)
    seconds = {"run": time.perf_counter() - started}
    figures, daily = score(result.trades, len(params), selection.selected, betting=config.betting, report=report)
    table = pd.DataFrame(figures, columns=list(FIGURES))
    table.loc[[fault.candidate for fault in result.faults]] = float("nan")
    if labels is not None:
        table.insert(0, "vturn", list(labels[0]))
        table.insert(1, "vkey", list(labels[1]))
    return Backtest(
        trades=trades_frame(result.trades, strategy, selection.selected, labels=labels),
        figures=table,
        measures=_measures(result.trades, daily[0], table, selection.selected, config) if report and not result.faults else {},
        faults=result.faults,
        zero_divisions=result.zero_divisions,
        selection=selection,
        config=config,
        backend=backend,
        reason=reason,
        warnings=warnings,
        seconds=seconds,
    )


def _measures(trades: Trades, daily: Floats, table: pd.DataFrame, selected: Panel, config: EngineConfig) -> dict[str, float]:

    capital = float(table["seed"].iloc[0]) or config.betting
    session_s = session_seconds(selected.clock, len(daily))
    return asdict(measures(trades, daily, capital=capital, session_s=session_s))


def _add(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for record in counts:
        for place, count in record.items():
            total[place] = total.get(place, 0) + count
    return total
