"""The verbs of stom_ray as typed functions; `stom_ray.backtest(...)` and the command line call the same ones.

Everything heavy is imported where it is needed, so that `import stom_ray` stays cheap.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from stom_ray.config import RunConfig, parse_span, parse_weights
from stom_ray.errors import ConfigError, ScriptRuntimeError

if TYPE_CHECKING:
    import pandas as pd

    from stom_ray.conditions.ir import Strategy
    from stom_ray.engine.types import EngineConfig, Fault, Floats, ParamMatrix, Profile, Trades
    from stom_ray.runs import RunOutcome
    from stom_ray.simulate import SimulateReport
    from stom_ray.store.inspect import InspectReport
    from stom_ray.store.panel import Panel, Selection
    from stom_ray.store.report import IngestReport

Paths = str | Path | Sequence[str | Path]


def _silent(_: str) -> None:
    """Progress that nobody watches."""


def inspect(path: str | Path) -> InspectReport:
    """What is in a database or store; reads only. Raises StoreError, SchemaError."""
    from stom_ray.store.inspect import inspect as look

    return look(path)


def simulate(path: str | Path, *, edge: str = "none", overwrite: bool = False, **settings: Any) -> SimulateReport:
    """Write a generated STOM database.

    edge: "none", "demo", or an edge's short form (`simulate.Edge.parse`); `settings` are those of `SimulateConfig`. Raises
    ConfigError, StoreError (the file is there already).
    """
    from stom_ray.simulate import DEMO_EDGE, Edge, SimulateConfig
    from stom_ray.simulate import simulate as generate

    planted = None if edge == "none" else DEMO_EDGE if edge == "demo" else Edge.parse(edge)
    return generate(path, SimulateConfig(edge=planted, **settings), overwrite=overwrite)


def ingest(paths: Sequence[str | Path], store: str | Path, *, workers: int = 2, ray: bool = False) -> IngestReport:
    """Read databases into a store, taking only what is new or changed. Raises StoreError, SchemaError."""
    from stom_ray.store.ingest import ingest as read

    if not ray:
        return read(paths, store, workers=workers)
    from stom_ray.distributed.data import run_on_ray
    from stom_ray.distributed.session import session

    with session(num_cpus=workers):
        return read(paths, store, tasks_runner=run_on_ray)


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
    from stom_ray.conditions.printer import print_expr, strategy_hash
    from stom_ray.conditions.ranges import parse_ranges

    strategy = compile_strategy(buy, sell, profile=profile, elapsed=elapsed, layout=layout)
    found = reads_of(strategy)
    warnings = list(strategy.warnings)
    size = None
    if ranges is not None:
        parsed = parse_ranges(ranges, form=ranges_form)
        warnings += [*parsed.warnings, *parsed.lint_against(strategy)]
        size = 1
        for variable in parsed.variables:
            size *= len(variable.values)
    windows = tuple(f"{name}({print_expr(length)}, {print_expr(pre)})" for name, length, pre in found.windows)
    return Check(strategy, found.columns, windows, found.vars, tuple(warnings), strategy_hash(strategy), size)


@dataclass(frozen=True)
class DataChoice:
    """What to load and what to run on, in the command line's words: `A-B` spans, empty = everything."""

    days: str = ""
    time: str = ""
    load_days: str = ""
    load_time: str = ""
    codes: tuple[str, ...] = ()

    def open(self, db: Paths) -> tuple[Selection, tuple[str, ...]]:
        """Load and slice; what is loaded defaults to what is selected. Second: warnings, a damaged table left out among them.

        Raises StoreError, SelectionError.
        """
        from stom_ray.store.load import LoadReport, load_panel, select

        paths = [part.strip() for part in db.split(",")] if isinstance(db, str) else db
        days, time = parse_span(self.days), parse_span(self.time)
        report = LoadReport()
        panel = load_panel(
            paths,
            codes=self.codes or None,
            days=parse_span(self.load_days) or days,
            time=parse_span(self.load_time) or time,
            report=report,
        )
        return select(panel, days=days, time=time), tuple(report.warnings)


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
            "figures": _records(self.figures),
            "measures": {name: _plain(value) for name, value in self.measures.items()},
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
        from stom_ray.engine.types import EngineConfig

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
    from stom_ray.conditions.compile import compile_strategy
    from stom_ray.engine.sweeps import loaded_lengths
    from stom_ray.engine.types import ParamMatrix

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
    from stom_ray.conditions.compile import compile_strategy
    from stom_ray.conditions.ranges import parse_ranges
    from stom_ray.engine import sweeps

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
    import pandas as pd

    from stom_ray.conditions.compile import compile_conditions
    from stom_ray.engine.types import ParamMatrix

    config = how.engine((how.avgtime,), gate_var0=False)
    one_row = ParamMatrix.from_rows([[]])
    runs = []
    for number, (buy_lines, sell_lines) in enumerate(_condition_pairs(conditions)):
        strategy = compile_conditions(
            buy_lines, sell_lines, profile=how.profile, layout=selection.loaded.layout, elapsed=how.elapsed
        )
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
    import pandas as pd

    from stom_ray.engine.backtest import choose_backend, run, run_warnings
    from stom_ray.engine.trades_io import trades_frame
    from stom_ray.metrics.batch import score
    from stom_ray.search.base import FIGURES

    backend, reason = choose_backend(how.backend, strategy)
    warnings = (*notes, *strategy.warnings, *run_warnings(strategy, selection, params, config))
    started = clock.perf_counter()
    result = run(strategy, selection, params, config, backend=backend, threads=how.threads)
    seconds = {"run": clock.perf_counter() - started}
    figures, daily = score(result.trades, len(params), selection.selected, betting=config.betting, report=report)
    table = pd.DataFrame(figures, columns=list(FIGURES))
    table.loc[[fault.candidate for fault in result.faults]] = float("nan")
    if labels is not None:
        table.insert(0, "vturn", list(labels[0]))
        table.insert(1, "vkey", list(labels[1]))
    return Backtest(
        trades=trades_frame(result.trades, strategy, selection.selected, labels=labels),
        figures=table,
        measures=_measures(result.trades, daily[0], table, selection.selected, config) if report else {},
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
    import numpy as np

    from stom_ray.metrics.returns import measures

    capital = float(table["seed"].iloc[0]) or config.betting
    session_s = len(np.unique(selected.clock)) / len(daily)  # seconds of a day in which any instrument has a row
    return asdict(measures(trades, daily, capital=capital, session_s=session_s))


def _add(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for record in counts:
        for place, count in record.items():
            total[place] = total.get(place, 0) + count
    return total


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON objects; NaN becomes null."""
    return [{str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    return None if value != value else value.item() if hasattr(value, "item") else value


def search(config: RunConfig, *, resume: bool = False, progress: Callable[[str], None] = _silent) -> RunOutcome:
    """Search a strategy's ranges; with a walk_forward section, judge the search too; write the report.

    The run's folder holds the ledgers: Ctrl-C and worse lose nothing, and `resume` goes on. Raises StomError.
    """
    from stom_ray.runs import conduct

    return conduct(config, resume=resume, say=progress)


def walk_forward(config: RunConfig, *, resume: bool = False, progress: Callable[[str], None] = _silent) -> RunOutcome:
    """Search every window on its train days, choose on valid, score once on test; write the report. Raises StomError."""
    from stom_ray.runs import conduct

    return conduct(config, resume=resume, say=progress, search=False)


def report(folder: str | Path, *, language: str = "en") -> RunOutcome:
    """Write a run's report again, from its folder. Raises ConfigError when the folder holds no run."""
    from stom_ray.runs import report_again

    if language not in ("en", "ko"):
        raise ConfigError(f"language {language!r}: expected en or ko")
    return report_again(folder, language)


def demo(
    folder: str | Path,
    *,
    evaluations: int = 1_500,
    workers: int = 2,
    seed: int = 2023,
    language: str = "en",
    say: Callable[[str], None] = _silent,
    progress: Callable[[str], None] = _silent,
) -> RunOutcome:
    """All of it on a generated market with a planted edge; what is there already is used again. Raises StomError."""
    from stom_ray.runs.demo import run_demo

    return run_demo(
        Path(folder), evaluations=evaluations, workers=workers, seed=seed, language=language, say=say, progress=progress
    )
