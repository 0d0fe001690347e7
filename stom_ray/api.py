"""The verbs of stom_ray as typed functions; `stom_ray.backtest(...)` and the command line call the same ones.

Everything heavy is imported where it is needed, so that `import stom_ray` stays cheap.
"""

from __future__ import annotations

import time as clock
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stom_ray.config import parse_span, parse_weights
from stom_ray.errors import ConfigError, ScriptRuntimeError

if TYPE_CHECKING:
    import pandas as pd

    from stom_ray.conditions.ir import Strategy
    from stom_ray.engine.types import EngineConfig, ParamMatrix, RunResult
    from stom_ray.store.panel import Selection

Paths = str | Path | Sequence[str | Path]


def inspect(path: str | Path) -> Any:
    """What is in a database or store; reads only. Raises StoreError, SchemaError."""
    from stom_ray.store.inspect import inspect as look

    return look(path)


def simulate(path: str | Path, *, overwrite: bool = False, **settings: Any) -> Any:
    """Write a generated STOM database; `settings` are those of `SimulateConfig`. Raises ConfigError, StoreError."""
    from stom_ray.simulate import SimulateConfig
    from stom_ray.simulate import simulate as generate

    return generate(path, SimulateConfig(**settings), overwrite=overwrite)


def ingest(paths: Sequence[str | Path], store: str | Path, *, workers: int = 2, ray: bool = False) -> Any:
    """Read databases into a store, taking only what is new or changed. Raises StoreError, SchemaError."""
    from stom_ray.store.ingest import ingest as read

    if not ray:
        return read(paths, store, workers=workers)
    from stom_ray.distributed.data import ray_tasks_runner
    from stom_ray.distributed.session import session

    with session(num_cpus=workers):
        return read(paths, store, workers=workers, tasks_runner=ray_tasks_runner)


@dataclass(frozen=True)
class Check:
    """A compiled strategy and what it reads."""

    strategy: Strategy
    reads: tuple[str, ...]
    windows: tuple[str, ...]
    variables: tuple[int, ...]
    warnings: tuple[str, ...]
    strategy_hash: str
    evaluations: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": True,
            "profile": self.strategy.profile,
            "columns": list(self.reads),
            "windows": list(self.windows),
            "variables": list(self.variables),
            "sell_reasons": list(self.strategy.labels[1:]),
            "grid_size": self.evaluations,
            "strategy_hash": self.strategy_hash,
            "warnings": list(self.warnings),
        }

    def render(self, *, show_ir: bool = False) -> str:
        from stom_ray.conditions.printer import print_strategy

        lines = [f"compiles (profile {self.strategy.profile}, strategy {self.strategy_hash[:12]})"]
        lines.append(f"reads      {', '.join(self.reads) or 'no column'}")
        lines.append(f"windows    {', '.join(self.windows) or 'none'}")
        lines.append(f"variables  {', '.join(f'self.vars[{i}]' for i in self.variables) or 'none'}")
        lines += [
            f"sell {number:<5} {text.strip() or '(blank line)'}" for number, text in enumerate(self.strategy.labels) if number
        ]
        if self.evaluations is not None:
            lines.append(f"grid       {self.evaluations:,} combinations")
        lines += list(self.warnings)
        if show_ir:
            lines.append(print_strategy(self.strategy))
        return "\n".join(lines)


def check(
    buy: str | bytes,
    sell: str | bytes,
    *,
    ranges: str | bytes | None = None,
    ranges_form: str = "step",
    profile: str = "corrected",
    elapsed: str = "",
    layout: str = "tick_v1",
) -> Check:
    """Compile scripts (and ranges) without data. Raises ConditionError, RangeError."""
    from stom_ray.conditions.compile import compile_strategy
    from stom_ray.conditions.passes import reads as reads_of
    from stom_ray.conditions.printer import print_expression, strategy_hash
    from stom_ray.conditions.ranges import parse_ranges

    strategy = compile_strategy(buy, sell, profile=_profile(profile), elapsed=elapsed, layout=layout)
    found = reads_of(strategy)
    warnings = list(strategy.warnings)
    size = None
    if ranges is not None:
        parsed = parse_ranges(ranges, form=_ranges_form(ranges_form))
        parsed.lint_against(strategy)
        warnings += parsed.warnings
        size = 1
        for variable in parsed.variables:
            size *= len(variable.values)
    windows = tuple(
        dict.fromkeys(f"{name}({print_expression(length)}, {print_expression(pre)})" for name, length, pre in found.windows)
    )
    return Check(strategy, found.columns, windows, found.vars, tuple(warnings), strategy_hash(strategy), size)


@dataclass(frozen=True)
class DataChoice:
    """What to load and what to run on, in the command line's words: `A-B` spans, empty = everything."""

    days: str = ""
    time: str = ""
    load_days: str = ""
    load_time: str = ""
    codes: tuple[str, ...] = ()

    def open(self, db: Paths) -> Selection:
        """Load and slice. What is loaded defaults to what is selected. Raises StoreError, SelectionError."""
        from stom_ray.store.load import load_panel, select

        paths = [part.strip() for part in db.split(",")] if isinstance(db, str) else db
        days, time = parse_span(self.days), parse_span(self.time)
        panel = load_panel(
            paths,
            codes=self.codes or None,
            days=parse_span(self.load_days) or days,
            time=parse_span(self.load_time) or time,
        )
        return select(panel, days=days, time=time)


@dataclass(frozen=True)
class Backtest:
    """One or many runs over the same rows.

    trades: OUT.csv's columns (a sweep puts vturn and vkey in front). figures: one row per parameter row, STOM's 15 by name (after
    vturn, vkey in a sweep). measures: of a single run, the usual ones from daily profit.
    """

    trades: pd.DataFrame
    figures: pd.DataFrame
    measures: dict[str, float]
    result: RunResult
    selection: Selection
    config: EngineConfig
    backend: str
    reason: str
    warnings: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    def raise_if_dead(self) -> None:
        """ScriptRuntimeError when every parameter row stopped, as STOM's run would have."""
        if self.result.faults and len(self.result.faults) >= len(self.figures):
            raise ScriptRuntimeError(self.result.faults[0].message)

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
            "figures": _records(self.figures),
            "measures": self.measures,
            "faults": [{"row": fault.candidate, "message": fault.message} for fault in self.result.faults],
            "zero_divisions": self.result.zero_divisions,
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
            lines.append("  ".join(f"{name} {value:,.4g}" for name, value in self.measures.items()))
        lines += [f"{count:,} divisions by zero at {place} counted as nan" for place, count in self.result.zero_divisions.items()]
        lines += [f"row {fault.candidate} FAILED: {fault.message}" for fault in self.result.faults[:5]]
        if len(self.result.faults) > 5:
            lines.append(f"... and {len(self.result.faults) - 5} more rows failed")
        return "\n".join([*lines, *self.warnings])


def backtest(
    db: Paths,
    buy: str | bytes,
    sell: str | bytes,
    *,
    profile: str = "corrected",
    avgtime: int = 30,
    betting: float = 1_000_000.0,
    vars: Sequence[int | float] = (),
    choice: DataChoice | None = None,
    ask_levels: int = 5,
    bid_levels: int = 5,
    weights: Sequence[float] = (),
    elapsed: str = "",
    costs: str = "stom",
    backend: str = "auto",
    threads: int = 1,
) -> Backtest:
    """Run one strategy once.

    `vars` are the values of self.vars; vars[0] then replaces avgtime, as in STOM's optimisation. Raises StomError for anything
    wrong with data, scripts or settings, ScriptRuntimeError where STOM's run would have died.
    """
    from stom_ray.conditions.compile import compile_strategy
    from stom_ray.engine.types import ParamMatrix

    selection = (choice or DataChoice()).open(db)
    strategy = compile_strategy(buy, sell, profile=_profile(profile), elapsed=elapsed, layout=selection.loaded.layout)
    length = _window_length(vars[0], "vars[0]") if vars else avgtime
    config = _engine_config((length,), bool(vars), avgtime, betting, ask_levels, bid_levels, weights, costs, profile)
    outcome = _run(strategy, selection, ParamMatrix.from_rows([list(vars)]), config, backend, threads, report=True)
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
    profile: str = "corrected",
    avgtime: int = 30,
    betting: float = 1_000_000.0,
    choice: DataChoice | None = None,
    ask_levels: int = 5,
    bid_levels: int = 5,
    weights: Sequence[float] = (),
    elapsed: str = "",
    costs: str = "stom",
    backend: str = "auto",
    threads: int = 1,
) -> Backtest:
    """Many runs over the same rows: `ranges` one variable at a time, explicit parameter `rows`, or pairs of `conditions`."""
    if sum(given is not None for given in (ranges, rows, conditions)) != 1:
        raise ConfigError(
            "a sweep takes exactly one of ranges (--ranges with --one-at-a-time), rows (--rows), conditions (--conditions)"
        )
    selection = (choice or DataChoice()).open(db)
    settings = (avgtime, betting, ask_levels, bid_levels, weights, costs, profile)
    if conditions is not None:
        return _sweep_conditions(selection, conditions, elapsed, settings, backend, threads)
    from stom_ray.conditions.compile import compile_strategy
    from stom_ray.engine import sweeps

    strategy = compile_strategy(buy, sell, profile=_profile(profile), elapsed=elapsed, layout=selection.loaded.layout)
    if ranges is not None:
        plan = sweeps.one_at_a_time(_ranges_for(strategy, ranges, ranges_form))
    else:
        plan = sweeps.explicit_rows(rows or [])
    config = _engine_config(plan.loaded_lengths, True, *settings)
    return _run(strategy, selection, plan.params, config, backend, threads, labels=(plan.vturn, plan.vkey))


def _sweep_conditions(
    selection: Selection,
    conditions: dict[str, list[list[str]]],
    elapsed: str,
    settings: tuple[Any, ...],
    backend: str,
    threads: int,
) -> Backtest:
    import pandas as pd

    from stom_ray.conditions.compile import compile_conditions
    from stom_ray.engine.types import ParamMatrix

    pairs = _condition_pairs(conditions)
    config = _engine_config((settings[0],), False, *settings)
    runs = []
    for number, (buy_lines, sell_lines) in enumerate(pairs):
        strategy = compile_conditions(
            buy_lines, sell_lines, profile=config.profile, layout=selection.loaded.layout, elapsed=elapsed
        )
        runs.append(_run(strategy, selection, ParamMatrix.from_rows([[]]), config, backend, threads, labels=([0], [number])))
    faults = tuple(
        type(fault)(number, fault.row, fault.message) for number, run in enumerate(runs) for fault in run.result.faults
    )
    first = runs[0]
    return Backtest(
        trades=pd.concat([run.trades for run in runs], ignore_index=True),
        figures=pd.concat([run.figures for run in runs], ignore_index=True),
        measures={},
        result=type(first.result)(first.result.trades, faults, _add(run.result.zero_divisions for run in runs)),
        selection=selection,
        config=config,
        backend=first.backend,
        reason=first.reason,
        warnings=tuple(dict.fromkeys(text for run in runs for text in run.warnings)),
        seconds={"run": sum(run.seconds["run"] for run in runs)},
    )


def _condition_pairs(conditions: dict[str, list[list[str]]]) -> list[tuple[list[str], list[str]]]:
    if not isinstance(conditions, dict) or set(conditions) != {"buy", "sell"}:
        raise ConfigError('conditions: expected {"buy": [[line, ...], ...], "sell": [[line, ...], ...]}')
    buys, sells = conditions["buy"], conditions["sell"]
    if len(buys) != len(sells) or not buys:
        raise ConfigError(
            f"conditions: {len(buys)} buy lists and {len(sells)} sell lists: they go pair by pair, at least one pair"
        )
    for side in ("buy", "sell"):
        for number, lines in enumerate(conditions[side]):
            if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
                raise ConfigError(f"conditions: {side}[{number}] is no list of texts")
    return list(zip(buys, sells, strict=True))


def _run(
    strategy: Strategy,
    selection: Selection,
    params: ParamMatrix,
    config: EngineConfig,
    backend: str,
    threads: int,
    *,
    labels: tuple[Sequence[int], Sequence[int]] | None = None,
    report: bool = False,
) -> Backtest:
    import pandas as pd

    from stom_ray.engine.backtest import choose_backend, run
    from stom_ray.engine.trades_io import trades_frame
    from stom_ray.metrics.batch import score
    from stom_ray.metrics.returns import measures
    from stom_ray.search.base import FIGURES

    chosen, reason = choose_backend(backend, strategy)
    started = clock.perf_counter()
    result = run(strategy, selection, params, config, backend=chosen, threads=threads)
    seconds = {"run": clock.perf_counter() - started}
    figures, daily = score(result.trades, len(params), selection.selected, betting=config.betting, report=report)
    table = pd.DataFrame(figures, columns=list(FIGURES))
    for fault in result.faults:
        table.iloc[fault.candidate] = float("nan")
    frame = trades_frame(result.trades, strategy, selection.selected, labels=labels)
    if labels is not None:
        table.insert(0, "vturn", list(labels[0]))
        table.insert(1, "vkey", list(labels[1]))
    usual = measures(result.trades, daily[0], float(figures[0, FIGURES.index("seed")])) if report else {}
    return Backtest(frame, table, usual, result, selection, config, chosen, reason, strategy.warnings, seconds)


def _engine_config(
    lengths: tuple[int, ...],
    gate_var0: bool,
    avgtime: int,
    betting: float,
    ask_levels: int,
    bid_levels: int,
    weights: Sequence[float],
    costs: str,
    profile: str,
) -> EngineConfig:
    from stom_ray.engine.types import EngineConfig

    return EngineConfig(
        betting=betting,
        avgtime=avgtime,
        gate_var0=gate_var0,
        loaded_lengths=lengths,
        ask_levels=ask_levels,
        bid_levels=bid_levels,
        weighting=parse_weights(tuple(weights)),
        costs=costs,
        profile=_profile(profile),
    )


def _profile(text: str) -> Any:
    if text not in ("stom", "corrected"):
        raise ConfigError(f"profile {text!r}: expected stom (STOM's trades, quirks included) or corrected")
    return text


def _ranges_form(text: str) -> Any:
    if text not in ("step", "values"):
        raise ConfigError(f"ranges form {text!r}: expected step ([[low, high, gap], best]) or values ([[v1, v2, ...], best])")
    return text


def _ranges_for(strategy: Strategy, text: str | bytes, form: str) -> Any:
    from stom_ray.conditions.ranges import parse_ranges

    ranges = parse_ranges(text, form=_ranges_form(form))
    ranges.lint_against(strategy)
    return ranges


def _window_length(value: int | float, where: str) -> int:
    if value != int(value) or value < 1:
        raise ConfigError(f"{where} is {value}: it is STOM's avgtime, expected a whole number of rows, at least 1")
    return int(value)


def _add(counts: Any) -> dict[str, int]:
    total: dict[str, int] = {}
    for record in counts:
        for place, count in record.items():
            total[place] = total.get(place, 0) + count
    return total


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON objects; NaN becomes null."""
    return [
        {name: (None if value != value else value.item() if hasattr(value, "item") else value) for name, value in row.items()}
        for row in frame.to_dict("records")
    ]
