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
from dataclasses import dataclass, field, replace

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
from stom_ray.engine.kernel_bind import Block, batch_windows, gate_rows
from stom_ray.engine.planned.candidates import Candidates, candidates_of, distinct_rows, unique_rows
from stom_ray.engine.planned.cut import Cut, cut
from stom_ray.engine.planned.memory import (
    Prediction,
    bytes_a_row,
    bytes_of_batch,
    bytes_of_walk,
    outcomes_of,
    predicted,
    refuse_trades,
)
from stom_ray.engine.planned.prepared import Prepared, prepare
from stom_ray.engine.planned.tabled import SellText
from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.planned.walk import Walk
from stom_ray.engine.plans import PlanUsed
from stom_ray.engine.results import by_candidate
from stom_ray.engine.trades import concatenate
from stom_ray.engine.types import EngineConfig, Fault, Ints, ParamMatrix, RunResult
from stom_ray.errors import ConfigError
from stom_ray.store.panel import Selection

Bools = NDArray[np.bool_]
MOST_GROUPS = 64
FEWEST_IN_GROUP = 8  # candidates; below, working out the terms of many groups costs more than the generated kernel


class CpuKernel:
    """A strategy bound to a selection, for many batches of parameter rows.

    memory_bytes: how large a block of instruments may be where there is no limit. max_memory: a limit in bytes for all that a run
    adds to the program and its data; a batch that cannot keep it is refused before it runs. Trades are counted first then, which
    costs a second walk. counting: whether `RunResult.zero_divisions` is wanted; without, divisions by zero of the corrected
    profile need no generated kernel. `plans` and `prediction` say how the last batch ran. Not for concurrent calls.
    """

    def __init__(
        self,
        strategy: ir.Strategy,
        selection: Selection,
        config: EngineConfig,
        *,
        memory_bytes: int = DEFAULT_MEMORY,
        max_memory: int | None = None,
        counting: bool = True,
    ) -> None:
        self.strategy, self.selection, self.config = strategy, selection, config
        self.memory_bytes, self.max_memory = memory_bytes, max_memory
        self.counting = counting
        self.plans: tuple[PlanUsed, ...] = ()
        self.prediction = Prediction(0, 0, 0, 0)
        self.generated = CompiledKernel(strategy, selection, config)
        self._longest = int(np.diff(selection.selected.offsets).max(initial=0))
        self._structural = structural(strategy)
        self._read = frozenset(parameters_read(*programs_of(strategy)))
        self._cuts: dict[frozenset[int], Cut | NotCut] = {}
        self._exits: EmittedKernel | None = None
        self._prepared: dict[tuple[object, ...], Prepared] = {}

    def run(self, params: ParamMatrix, threads: int = 1) -> RunResult:
        """Trades ordered by candidate, code, time; the first fault of each candidate that stopped; counts of the others.

        Raises ConfigError where max_memory cannot be kept; OutOfRoomError where only the trades are too many.
        """
        jobs = self._arrange(params, threads, summing=False)
        if self.max_memory is not None:
            walked = [self._walked(job, job.walk, threads, summing=True) for job in jobs if job.walk is not None]
            trades = sum(int(part.sums.trades.sum()) for part in walked if part.sums is not None)
            refuse_trades(trades, len(params), self.prediction, self.max_memory)
        parts = self._run(jobs, threads, summing=False)
        result = merged([(part.rows, result) for part in parts for result in part.results], len(params))
        if self.max_memory is not None:
            refuse_trades(len(result.trades), len(params), self.prediction, self.max_memory)
        return result

    def totals(self, params: ParamMatrix, threads: int = 1) -> Totals:
        """Each candidate's sums, added up while the kernels walk: no trade is kept, however many there are."""
        day = self.selection.selected.session_day
        totals = Totals.zeros(len(params), np.unique(day))
        faults: list[Fault] = []
        for part in self._run(self._arrange(params, threads, summing=True), threads, summing=True):
            if part.sums is not None:
                totals.add(part.sums, None if len(part.rows) == len(params) else part.rows)
            for result in part.results:
                totals.add(Totals.of(result, len(part.rows), day), part.rows)
                faults += [replace(fault, candidate=int(part.rows[fault.candidate])) for fault in result.faults]
        return totals.without(tuple(sorted(faults, key=lambda fault: fault.candidate)))

    def _arrange(self, params: ParamMatrix, threads: int, summing: bool) -> list[_Job]:
        """Who runs how; and `prediction`, which a limit is held against."""
        if threads < 1:
            raise ConfigError(f"threads is {threads}: expected at least 1")
        check_run(self.strategy, self.selection, params, self.config)
        jobs = list(self._jobs(params))
        if self.max_memory is not None:
            jobs = [one for job in jobs for one in self._smaller(job, threads)]
        # Sums are made before trades are, so that they have to fit as well.
        self.prediction = self._predict(jobs, params, threads, summing or self.max_memory is not None)
        self.generated.rows_per_block = self.prediction.rows
        return jobs

    def _run(self, jobs: list[_Job], threads: int, summing: bool) -> list[_Part]:
        parts = []
        for job in jobs:
            walk = job.walk
            parts.append(self._generated(job, threads) if walk is None else self._walked(job, walk, threads, summing))
        self.plans = tuple(part.used for part in parts)
        return parts

    # Memory

    def _predict(self, jobs: list[_Job], params: ParamMatrix, threads: int, summing: bool) -> Prediction:
        selected, sites = self.selection.selected, self.generated.emitted.sites
        a_row, kept, walking = 0, 0, 0
        for job in jobs:
            windows = batch_windows(self.generated.emitted, job.params, self.strategy.profile == "stom")
            columns = len(sites.columns) + len(self.generated.window_keys(windows))
            a_row = max(a_row, bytes_a_row(columns, len(sites.windows), job.plan))
            if job.walk is not None:
                more, working = bytes_of_walk(job.walk, self._longest, threads)
                kept, walking = kept + more, max(walking, working)
        batch = max(bytes_of_batch(params, job.plan, len(selected.days), summing) for job in jobs)
        return predicted(a_row, kept + walking + batch, selected.instrument_offsets, self.memory_bytes, self.max_memory)

    def _smaller(self, job: _Job, threads: int) -> list[_Job]:
        """The job in pieces of fewer exit values, when the tables of their outcomes would take more than half of the limit."""
        assert self.max_memory is not None
        if job.walk is None or job.plan is None or job.candidates is None or job.sell is not None:
            return [job]
        outcomes = outcomes_of(job.walk, self._longest, threads)
        pieces = -(-2 * outcomes // self.max_memory)
        values, which = unique_rows(job.candidates.exits)
        if pieces <= 1 or len(values) == 1:
            return [job]
        at_once = max(1, len(values) // pieces)
        return [self._part_of(job, np.flatnonzero(which // at_once == piece)) for piece in range(-(-len(values) // at_once))]

    # Plans

    def _jobs(self, params: ParamMatrix) -> Iterator[_Job]:
        bound, plan = self._plan(params)
        if isinstance(plan, NotCut):
            yield _Job(np.arange(len(params)), params, plan.reason)
            return
        groups = list(grouped(params, sorted(bound)))
        if len(groups) > 1 and (len(groups) > MOST_GROUPS or len(params) < FEWEST_IN_GROUP * len(groups)):
            reason = f"{len(groups)} combinations of the variables that decide windows, for {len(params)} candidates"
            yield _Job(np.arange(len(params)), params, reason)
            return
        for rows in groups:
            yield from self._group(rows, chosen(params, rows), bound, plan)

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

    def _group(self, rows: Ints, here: ParamMatrix, bound: frozenset[int], plan: Cut) -> Iterator[_Job]:
        """Candidates that differ in thresholds only. here: their parameters."""
        candidates = candidates_of(plan, here, self.strategy.profile == "stom")
        if candidates.unfit.any():
            reason = "an expression of the parameters stops, or is no finite number"
            yield _Job(rows[candidates.unfit], chosen(here, candidates.unfit), reason)
            if candidates.unfit.all():
                return
            fit = np.flatnonzero(~candidates.unfit)
            rows, here, candidates = rows[fit], chosen(here, fit), candidates.take(fit)
        sell = None
        if plan.reasons is None:
            sell, candidates = self._sell_text(here, candidates)
            if sell is None:
                yield _Job(rows, here, plan.uncut)
                return
        bindings = {index: (float(here.values[0, index]), bool(here.is_float[0, index])) for index in bound}
        walk = Walk(plan, candidates, self.config.bid_levels, sell)
        yield _Job(rows, here, walk.reason, plan, bindings, candidates, sell, walk)

    def _part_of(self, job: _Job, some: Ints) -> _Job:
        """The job for some of its candidates."""
        assert job.plan is not None
        assert job.candidates is not None
        candidates = job.candidates.take(some)
        walk = Walk(job.plan, candidates, self.config.bid_levels)
        return replace(job, rows=job.rows[some], params=chosen(job.params, some), candidates=candidates, walk=walk)

    def _generated(self, job: _Job, threads: int) -> _Part:
        self._forget()
        result = self.generated.run(job.params, threads)
        n = self.selection.selected.n_sessions
        return _Part(job.rows, PlanUsed("generated", len(job.rows), job.reason, n, n), (result,))

    def _walked(self, job: _Job, walk: Walk, threads: int, summing: bool) -> _Part:
        assert job.plan is not None
        session_day = self.selection.selected.session_day
        troubled = np.zeros(len(session_day), dtype=np.bool_)
        results: list[RunResult] = []
        sums = Totals.zeros(len(job.rows), np.unique(session_day)) if summing else None
        for block in self.generated.blocks(self.prediction.rows):
            block.threads = threads
            prepared = self._prepare(block, job.plan, job.bindings, job.params)
            if sums is not None:
                sums.add(walk.totals(block, prepared, threads))
            else:
                results.append(RunResult(walk.trades(block, prepared, threads)))
            troubled[block.session_from : block.session_from + block.panel.n_sessions] = prepared.troubled
            troubled[block.session_from + walk.faulted()] = True
            self._forget()
            del block, prepared  # before the next one is made
        if troubled.any():
            results.append(self.generated.run(job.params, threads, troubled))
        used = PlanUsed(walk.name, len(job.rows), walk.reason, len(troubled), int(troubled.sum()))
        return _Part(job.rows, used, tuple(results), sums)

    def _sell_text(self, params: ParamMatrix, candidates: Candidates) -> tuple[SellText | None, Candidates]:
        """The generated sell text for the combinations of what it reads, and candidates whose exit values are those.

        None where it pays nothing (nearly as many combinations as candidates) or positions depend on more than their entry.
        """
        if self._exits is None:
            self._exits = emit_exits(self.strategy, self.selection.selected.layout)
        read = sorted(parameters_read(self.strategy.sell))
        keys = np.concatenate([params.values[:, read], params.is_float[:, read].astype(np.float64)], axis=1)
        first, _ = distinct_rows(keys)
        counted = self.counting and any(line.startswith("sell:") for line in self.generated.emitted.sites.zero_lines)
        if self._exits is None or counted or len(first) > max(1, len(params) // FEWEST_IN_GROUP):
            return None, candidates
        examples = chosen(params, first)
        windows = batch_windows(self.generated.emitted, examples, self.strategy.profile == "stom")
        return SellText(self._exits, examples, windows, self.config.bid_levels), replace(candidates, exits=keys)

    # Blocks

    def _forget(self) -> None:
        """After a block and before the generated kernel makes its own; the whole selection is one that all use."""
        if self.prediction.blocks > 1:
            self._prepared.clear()

    def _prepare(self, block: Block, plan: Cut, bindings: dict[int, tuple[float, bool]], params: ParamMatrix) -> Prepared:
        first_gate = int(gate_rows(params, self.config).min())
        key = (block.row_from, id(plan), tuple(sorted(bindings.items())), first_gate)
        if key not in self._prepared:
            self._prepared.clear()
            windows = batch_windows(self.generated.emitted, params, self.strategy.profile == "stom")
            self._prepared[key] = prepare(block, self.strategy, plan, bindings, windows, first_gate, self.counting)
        return self._prepared[key]


@dataclass(frozen=True)
class _Job:
    """Rows of a batch that run alike. walk: None = the generated kernel. bindings: variables that are equal in all."""

    rows: Ints
    params: ParamMatrix
    reason: str
    plan: Cut | None = None
    bindings: dict[int, tuple[float, bool]] = field(default_factory=dict)
    candidates: Candidates | None = None
    sell: SellText | None = None
    walk: Walk | None = None


@dataclass(frozen=True)
class _Part:
    """Results of some rows of a batch, whose candidates are numbered among them. sums: when only those are wanted."""

    rows: Ints
    used: PlanUsed
    results: tuple[RunResult, ...]
    sums: Totals | None = None


def variables_in(node: ir.Expr) -> set[int]:
    return {one.index for one in walk(node) if isinstance(one, ir.Var)}


def grouped(params: ParamMatrix, bound: list[int]) -> Iterator[Ints]:
    """Rows of the batch with the same values of the bound variables, in the order of their first."""
    if not bound:
        yield np.arange(len(params))
        return
    keys = np.concatenate([params.values[:, bound], params.is_float[:, bound].astype(np.float64)], axis=1)
    first, which = distinct_rows(keys)
    for group in np.argsort(first, kind="stable"):
        yield np.flatnonzero(which == group)


def chosen(params: ParamMatrix, rows: Ints | Bools) -> ParamMatrix:
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
    stopped = np.zeros(n, dtype=np.bool_)
    stopped[list(faults)] = True
    trades = by_candidate(concatenate(moved) if len(moved) > 1 else moved[0], stopped)
    return RunResult(trades, tuple(faults[candidate] for candidate in sorted(faults)), dict(divisions))
