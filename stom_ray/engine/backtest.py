"""Running a strategy: which backend, why, and the run itself."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Literal

import numpy as np

from stom_ray.conditions.emit_cuda import refuse_inexact
from stom_ray.conditions.ir import Strategy
from stom_ray.engine.bind import check_run
from stom_ray.engine.cuda_backtest import CudaBacktest
from stom_ray.engine.cuda_device import why_no_gpu
from stom_ray.engine.kernel import DEFAULT_MEMORY
from stom_ray.engine.planned.kernel import CpuKernel, chosen, merged
from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.plans import HowRun, PlanUsed, added
from stom_ray.engine.reference import run_reference
from stom_ray.engine.types import EngineConfig, Ints, ParamMatrix, RunResult
from stom_ray.errors import ConfigError
from stom_ray.store.panel import Selection

Backend = Literal["cpu", "cuda", "reference"]
BACKENDS = ("auto", "reference", "cpu", "cuda")


def choose_backend(backend: str, strategy: Strategy) -> tuple[Backend, str]:
    """The backend that will run, and the reason in words; never another one than was asked for.

    Raises ConfigError for a name that is none, for cuda without cupy or a GPU (what is missing, what to install), and for cuda
    with a script that a GPU cannot run bit for bit.
    """
    if backend == "auto":
        return "cpu", "chosen by auto: compiles every script, equal to the reference; a GPU is used when cuda is asked for"
    if backend == "cpu":
        return "cpu", "asked for"
    if backend == "reference":
        return "reference", "asked for; it interprets the script row by row"
    if backend == "cuda":
        refuse_inexact(strategy)
        missing = why_no_gpu()
        if missing:
            raise ConfigError(f"backend 'cuda': {missing}; or use backend cpu")
        return "cuda", "asked for; a GPU is here"
    raise ConfigError(f"backend {backend!r}: expected one of {', '.join(BACKENDS)}")


class Engine:
    """A strategy over a selection on one backend, for many batches of parameter rows; compiled and bound on first use.

    backend: as `choose_backend`. max_memory: bytes that a run may add to the program and its data (cpu only; `CpuKernel`).
    memory_bytes: as `CpuKernel`. counting: whether `RunResult.zero_divisions` is wanted. `how` says how the last batch ran. Where
    the config has betting weights to choose from, every row runs with its own, each of them on an engine that shares the data and
    has its part of the memory. Not for concurrent calls.
    Raises ConfigError: no such backend or none here, fewer than one thread, a limit on a backend that keeps none.
    """

    def __init__(
        self,
        strategy: Strategy,
        selection: Selection,
        config: EngineConfig,
        *,
        backend: str = "auto",
        threads: int = 1,
        max_memory: int | None = None,
        memory_bytes: int = DEFAULT_MEMORY,
        counting: bool = True,
    ) -> None:
        if threads < 1:
            raise ConfigError(f"threads is {threads}: expected at least 1")
        able, reason = choose_backend(backend, strategy)
        if max_memory is not None and able != "cpu":
            raise ConfigError(f"max_memory is a limit of backend cpu; {able} keeps none: leave one of the two out")
        self.strategy, self.selection, self.config = strategy, selection, config
        self.threads, self.counting = threads, counting
        self._asked, self._memory_bytes = backend, memory_bytes
        self.how = HowRun(able, reason, max_memory=max_memory)
        self._alone: dict[int, Engine] = {}  # by place in config.weightings

    def run(self, params: ParamMatrix) -> RunResult:
        """Trades, faults and counts of every parameter row; the same bits whatever the backend and threads.

        Raises ConfigError, ConditionError (`engine.bind.check_run`), SchemaError for a column that the data lacks, OutOfRoomError
        where max_memory has room for a smaller batch only.
        """
        if self.config.weightings:
            parts = self._by_weighting(params)
            results = [(rows, engine.run(chosen(params, rows))) for rows, engine in parts]
            self._note_all([engine for _, engine in parts])
            return merged(results, len(params))
        if self.how.backend == "cpu":
            result = self._cpu.run(params, self.threads)
            self._note(self._cpu.plans)
            return result
        if self.how.backend == "cuda":
            result = self._cuda.run(params)
        else:
            result = run_reference(self.strategy, self.selection, params, self.config)
        self._note(self._one_plan(params))
        return result

    def totals(self, params: ParamMatrix) -> Totals:
        """Sums of every parameter row; only the reference keeps trades for them. Raises as `run`."""
        if self.config.weightings:
            return self._totals_by_weighting(params)
        if self.how.backend == "cpu":
            totals = self._cpu.totals(params, self.threads)
            self._note(self._cpu.plans)
            return totals
        if self.how.backend == "cuda":
            totals = self._cuda.totals(params)
        else:
            result = run_reference(self.strategy, self.selection, params, self.config)
            totals = Totals.of(result, len(params), self.selection.selected.session_day).without(result.faults)
        self._note(self._one_plan(params))
        return totals

    def _totals_by_weighting(self, params: ParamMatrix) -> Totals:
        totals, faults = Totals.zeros(len(params), np.unique(self.selection.selected.session_day)), []
        parts = self._by_weighting(params)
        for rows, engine in parts:
            part = engine.totals(chosen(params, rows))
            totals.add(part, rows)
            faults += [replace(fault, candidate=int(rows[fault.candidate])) for fault in part.faults]
        self._note_all([engine for _, engine in parts])
        return totals.without(tuple(sorted(faults, key=lambda fault: fault.candidate)))

    def _by_weighting(self, params: ParamMatrix) -> list[tuple[Ints, Engine]]:
        """The rows of each weighting that has any, and its engine."""
        check_run(self.strategy, self.selection, params, self.config)
        places = self.config.places(params)
        return [(np.flatnonzero(places == place), self._engine(place)) for place in np.unique(places).tolist()]

    def _engine(self, place: int) -> Engine:
        if place not in self._alone:
            n, limit = len(self.config.weightings), self.how.max_memory
            self._alone[place] = Engine(
                self.strategy,
                self.selection,
                self.config.alone[place],
                backend=self._asked,
                threads=self.threads,
                max_memory=None if limit is None else limit // n,
                memory_bytes=self._memory_bytes // n,
                counting=self.counting,
            )
        return self._alone[place]

    def _note_all(self, ran: list[Engine]) -> None:
        """Of the batch the plans; of every engine the memory, since all of them are kept."""
        plans = added(plan for engine in ran for plan in engine.how.plans)
        kept = [engine.how for engine in self._alone.values()]
        predicted, blocks = sum(how.predicted_bytes for how in kept), max(how.blocks for how in kept)
        self.how = replace(self.how, plans=plans, predicted_bytes=predicted, blocks=blocks)

    def _one_plan(self, params: ParamMatrix) -> tuple[PlanUsed, ...]:
        """Of a backend that has no choice."""
        return (PlanUsed(self.how.backend, len(params), self.how.reason, self.selection.selected.n_sessions),)

    @cached_property
    def _cpu(self) -> CpuKernel:
        limit = self.how.max_memory
        return CpuKernel(
            self.strategy,
            self.selection,
            self.config,
            memory_bytes=self._memory_bytes,
            max_memory=limit,
            counting=self.counting,
        )

    @cached_property
    def _cuda(self) -> CudaBacktest:
        return CudaBacktest(self.strategy, self.selection, self.config)

    def _note(self, plans: tuple[PlanUsed, ...]) -> None:
        self.how = replace(self.how, plans=added(plans))
        if self.how.backend == "cpu":
            prediction = self._cpu.prediction
            self.how = replace(self.how, predicted_bytes=prediction.total, blocks=prediction.blocks)


def run(
    strategy: Strategy,
    selection: Selection,
    params: ParamMatrix,
    config: EngineConfig,
    *,
    backend: str = "auto",
    threads: int = 1,
) -> RunResult:
    """One batch of an `Engine`."""
    return Engine(strategy, selection, config, backend=backend, threads=threads).run(params)


def run_warnings(strategy: Strategy, selection: Selection, params: ParamMatrix, config: EngineConfig) -> tuple[str, ...]:
    """What a user should know of this run besides the strategy's own warnings. Raises as `run`."""
    return check_run(strategy, selection, params, config)
