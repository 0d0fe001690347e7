"""The CPU kernel: precompiled walks where a strategy can be cut into terms, its generated kernel where it cannot.

Trades, faults and counts equal those of `engine.reference` bit for bit, whatever the plan, the number of threads and the memory
limit. Candidates are grouped by the variables that decide window lengths; each group gets a plan of its own:

- `grid`: candidates share values; bitmaps depth-first, outcomes remembered (`planned.grid`);
- `rows`: values of their own; rows outside, candidates as bits (`planned.transposed`);
- `generated`: the strategy's own machine code, candidate by candidate (`engine.kernel`): for texts that cannot be cut, and within
  any plan for sessions in which something may fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions import ir
from stom_ray.conditions.emit_cpu import EmittedKernel
from stom_ray.conditions.emit_exits import emit_exits
from stom_ray.conditions.passes import parameters_read
from stom_ray.conditions.terms import NotCut, Threshold, structural
from stom_ray.conditions.traversal import programs_of, walk
from stom_ray.engine.bind import check_run
from stom_ray.engine.kernel import DEFAULT_MEMORY, CompiledKernel
from stom_ray.engine.kernel_bind import Block, batch_windows, gate_rows, split_selection
from stom_ray.engine.planned.candidates import Candidates, candidates_of, unique_rows
from stom_ray.engine.planned.cut import Cut, cut
from stom_ray.engine.planned.prepared import Prepared, prepare
from stom_ray.engine.planned.tabled import SellText
from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.planned.walk import Walk
from stom_ray.engine.trades import concatenate
from stom_ray.engine.types import EngineConfig, Fault, Ints, ParamMatrix, RunResult, Trades
from stom_ray.errors import ConfigError
from stom_ray.store.panel import Selection

Bools = NDArray[np.bool_]
MOST_GROUPS = 64
FEWEST_IN_GROUP = 8  # candidates; below, working out the terms of many groups costs more than the generated kernel


@dataclass(frozen=True)
class PlanUsed:
    """What ran, for whom, and why. name: grid, rows or generated. generated_sessions: those that the generated kernel ran."""

    name: str
    candidates: int
    reason: str
    sessions: int = 0
    generated_sessions: int = 0


class CpuKernel:
    """A strategy bound to a selection, for many batches of parameter rows.

    memory_bytes: limit for columns; beyond it instruments are run in blocks. counting: whether `RunResult.zero_divisions` is
    wanted; without, divisions by zero of the corrected profile need no generated kernel. `plans` says how the last batch ran. Not
    for concurrent calls.
    """

    def __init__(
        self,
        strategy: ir.Strategy,
        selection: Selection,
        config: EngineConfig,
        *,
        memory_bytes: int = DEFAULT_MEMORY,
        counting: bool = True,
    ) -> None:
        self.strategy, self.selection, self.config = strategy, selection, config
        self.memory_bytes = memory_bytes
        self.counting = counting
        self.plans: tuple[PlanUsed, ...] = ()
        self.generated = CompiledKernel(strategy, selection, config, memory_bytes=memory_bytes)
        self._structural = structural(strategy)
        self._read = frozenset(parameters_read(*programs_of(strategy)))
        self._cuts: dict[frozenset[int], Cut | NotCut] = {}
        self._exits: EmittedKernel | None = None
        self._whole: Block | None = None
        self._prepared: dict[tuple[object, ...], Prepared] = {}

    def run(self, params: ParamMatrix, threads: int = 1) -> RunResult:
        """Trades ordered by candidate, code, time; the first fault of each candidate that stopped; counts of the others."""
        parts = self._run(params, threads, summing=False)
        return merged([(part.rows, result) for part in parts for result in part.results], len(params))

    def totals(self, params: ParamMatrix, threads: int = 1) -> Totals:
        """Each candidate's sums, added up while the kernels walk: no trade is kept, however many there are."""
        day = self.selection.selected.session_day
        totals = Totals.zeros(len(params), np.unique(day))
        faults: list[Fault] = []
        for part in self._run(params, threads, summing=True):
            for sums in part.sums:
                totals.add(sums, part.rows)
            for result in part.results:
                totals.add(Totals.of(result, len(part.rows), day), part.rows)
                faults += [replace(fault, candidate=int(part.rows[fault.candidate])) for fault in result.faults]
        return totals.without(tuple(sorted(faults, key=lambda fault: fault.candidate)))

    def _run(self, params: ParamMatrix, threads: int, summing: bool) -> list[_Part]:
        if threads < 1:
            raise ConfigError(f"threads is {threads}: expected at least 1")
        check_run(self.strategy, self.selection, params, self.config)
        parts = list(self._parts(params, threads, summing))
        self.plans = tuple(part.used for part in parts)
        return parts

    # Plans

    def _parts(self, params: ParamMatrix, threads: int, summing: bool) -> Iterator[_Part]:
        bound, plan = self._plan(params)
        if isinstance(plan, NotCut):
            yield self._generated(params, np.arange(len(params)), plan.reason, threads)
            return
        groups = list(grouped(params, sorted(bound)))
        if len(groups) > 1 and (len(groups) > MOST_GROUPS or len(params) < FEWEST_IN_GROUP * len(groups)):
            reason = f"{len(groups)} combinations of the variables that decide windows, for {len(params)} candidates"
            yield self._generated(params, np.arange(len(params)), reason, threads)
            return
        for rows in groups:
            yield from self._group(params, rows, bound, plan, threads, summing)

    def _plan(self, params: ParamMatrix) -> tuple[frozenset[int], Cut | NotCut]:
        """(variables that count as constants, the texts cut). A term that is no threshold makes constants of its variables."""
        bound = self._read if len(params) == 1 else self._structural
        plan = self._cut(bound)
        if isinstance(plan, Cut) and plan.terms.others:
            more = {index for node in plan.terms.others for index in variables_in(node)}
            bound = bound | more
            plan = self._cut(bound)
        return bound, plan

    def _cut(self, bound: frozenset[int]) -> Cut | NotCut:
        if bound not in self._cuts:
            found = cut(self.strategy, bound)
            if isinstance(found, Cut) and self.config.gate_var0 and 0 not in bound:
                gate = Threshold(ir.State("데이터길이"), ">=", ir.Var(0))
                found = replace(found, terms=replace(found.terms, thresholds=(*found.terms.thresholds, gate)))
            self._cuts[bound] = found
        return self._cuts[bound]

    def _generated(self, params: ParamMatrix, rows: Ints, reason: str, threads: int) -> _Part:
        result = self.generated.run(chosen(params, rows), threads)
        n = self.selection.selected.n_sessions
        return _Part(rows, PlanUsed("generated", len(rows), reason, n, n), (result,))

    def _group(
        self, params: ParamMatrix, rows: Ints, bound: frozenset[int], plan: Cut, threads: int, summing: bool
    ) -> Iterator[_Part]:
        """Candidates that differ in thresholds only."""
        strict = self.strategy.profile == "stom"
        here = chosen(params, rows)
        candidates = candidates_of(plan, here, strict)
        if candidates.unfit.any():
            reason = "an expression of the parameters stops, or is no finite number"
            yield self._generated(params, rows[candidates.unfit], reason, threads)
            if candidates.unfit.all():
                return
            fit = np.flatnonzero(~candidates.unfit)
            rows, here, candidates = rows[fit], chosen(here, fit), candidates.take(fit)
        sell = None
        if plan.reasons is None:
            sell, candidates = self._sell_text(here, candidates)
            if sell is None:
                yield self._generated(params, rows, plan.uncut, threads)
                return
        walk = Walk(plan, candidates, self.config.bid_levels, sell)
        bindings = {index: (float(here.values[0, index]), bool(here.is_float[0, index])) for index in bound}
        troubled = np.zeros(self.selection.selected.n_sessions, dtype=np.bool_)
        results, sums = [], []
        for block in self._blocks():
            prepared = self._prepare(block, plan, bindings, here)
            if summing:
                sums.append(walk.totals(block, prepared, threads))
            else:
                results.append(RunResult(walk.trades(block, prepared, threads)))
            troubled[block.session_from : block.session_from + block.panel.n_sessions] = prepared.troubled
            troubled[block.session_from + walk.faulted()] = True
        if troubled.any():
            results.append(self.generated.run(here, threads, troubled))
        used = PlanUsed(walk.name, len(rows), walk.reason, len(troubled), int(troubled.sum()))
        yield _Part(rows, used, tuple(results), tuple(sums))

    def _sell_text(self, params: ParamMatrix, candidates: Candidates) -> tuple[SellText | None, Candidates]:
        """The generated sell text for the combinations of what it reads, and candidates whose exit values are those.

        None where it pays nothing (nearly as many combinations as candidates) or positions depend on more than their entry.
        """
        if self._exits is None:
            self._exits = emit_exits(self.strategy, self.selection.selected.layout)
        read = sorted(parameters_read(self.strategy.sell))
        keys = np.concatenate([params.values[:, read], params.is_float[:, read].astype(np.float64)], axis=1)
        values, first = unique_rows(keys)
        counted = self.counting and any(line.startswith("sell:") for line in self.generated.emitted.sites.zero_lines)
        if self._exits is None or counted or len(values) > max(1, len(params) // FEWEST_IN_GROUP):
            return None, candidates
        examples = chosen(params, first_of(first, len(values)))
        windows = batch_windows(self.generated.emitted, examples, self.strategy.profile == "stom")
        return SellText(self._exits, examples, windows, self.config.bid_levels), replace(candidates, exits=keys)

    # Blocks

    def _blocks(self) -> Iterator[Block]:
        emitted = self.generated.emitted
        limit = max(1, self.memory_bytes // (8 * (len(emitted.sites.columns) + len(emitted.sites.windows) + WORKING_COLUMNS)))
        if self.selection.selected.n_rows <= limit:
            if self._whole is None:
                self._whole = Block(self.selection, emitted, self.config, 0, 0)
            yield self._whole
            return
        for part, row, session in split_selection(self.selection, limit):
            self._prepared.clear()
            yield Block(part, emitted, self.config, row, session)

    def _prepare(self, block: Block, plan: Cut, bindings: dict[int, tuple[float, bool]], params: ParamMatrix) -> Prepared:
        first_gate = int(gate_rows(params, self.config).min())
        key = (block.row_from, id(plan), tuple(sorted(bindings.items())), first_gate)
        if key not in self._prepared:
            self._prepared.clear()
            windows = batch_windows(self.generated.emitted, params, self.strategy.profile == "stom")
            self._prepared[key] = prepare(block, self.strategy, plan, bindings, windows, first_gate, self.counting)
        return self._prepared[key]


WORKING_COLUMNS = 12


@dataclass(frozen=True)
class _Part:
    """Results of some rows of a batch, whose candidates are numbered among them. sums: when only those are wanted."""

    rows: Ints
    used: PlanUsed
    results: tuple[RunResult, ...]
    sums: tuple[Totals, ...] = ()


def variables_in(node: ir.Expr) -> set[int]:
    return {one.index for one in walk(node) if isinstance(one, ir.Var)}


def first_of(which: Ints, n: int) -> Ints:
    """(n,) the first place at which each number below n stands."""
    found = np.empty(n, dtype=np.int64)
    found[which[::-1]] = np.arange(len(which))[::-1]
    return found


def grouped(params: ParamMatrix, bound: list[int]) -> Iterator[Ints]:
    """Rows of the batch with the same values of the bound variables, in the order of their first."""
    if not bound:
        yield np.arange(len(params))
        return
    keys = np.concatenate([params.values[:, bound], params.is_float[:, bound].astype(np.float64)], axis=1)
    _, first, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    for group in np.argsort(first, kind="stable"):
        yield np.flatnonzero(which.reshape(-1) == group)


def chosen(params: ParamMatrix, rows: Ints) -> ParamMatrix:
    return ParamMatrix(params.values[rows], params.is_float[rows])


def merged(parts: list[tuple[Ints, RunResult]], n: int) -> RunResult:
    """One result of parts, each of some rows of the batch and some sessions; candidates are numbered within the part."""
    faults: dict[int, Fault] = {}
    divisions: Counter[str] = Counter()
    moved = []
    for rows, result in parts:
        divisions.update(result.zero_divisions)
        for fault in result.faults:
            candidate = int(rows[fault.candidate])
            faults[candidate] = replace(fault, candidate=candidate)
        moved.append(replace(result.trades, candidate=rows[result.trades.candidate]))
    trades = concatenate(moved) if len(moved) > 1 else moved[0]
    found = tuple(faults[candidate] for candidate in sorted(faults))
    if len(moved) == 1 and not faults and np.all(np.diff(trades.candidate) >= 0):
        return RunResult(trades, found, dict(divisions))
    stopped = np.zeros(n, dtype=np.bool_)
    stopped[list(faults)] = True
    order = np.lexsort((trades.buy_row, trades.candidate))
    order = order[~stopped[trades.candidate[order]]]
    ordered = Trades(**{name: np.ascontiguousarray(values[order]) for name, values in vars(trades).items()})
    return RunResult(ordered, found, dict(divisions))
