"""The evaluator contract on Ray: shards of instruments × blocks of rows, on processors or one GPU a worker."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import ray
from ray.exceptions import RayActorError

from stom_ray.conditions.ir import Strategy
from stom_ray.distributed.mailbox import Failed
from stom_ray.distributed.session import cpus_of_session, gpus_of_session
from stom_ray.distributed.shipping import portable, shards
from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.plans import HowRun
from stom_ray.engine.types import EngineConfig, Fault, Ints, ParamMatrix, RunResult
from stom_ray.errors import ConfigError, StomError, WorkerError
from stom_ray.metrics.batch import trading_days
from stom_ray.metrics.stom import Fold
from stom_ray.search.base import ScoreTable
from stom_ray.search.evaluator import Backend, Scoring, SerialEvaluator, join_tables, merge_shards
from stom_ray.search.space import take
from stom_ray.store.panel import Selection

BLOCK_ROWS = 128
IN_FLIGHT_PER_WORKER = 2
RESTARTS = 3


@ray.remote(num_cpus=1, max_restarts=RESTARTS, max_task_retries=RESTARTS)
class Worker:
    """Holds the shards it has been asked for and runs blocks of rows over them."""

    def __init__(self, refs: list[Any]) -> None:
        """refs: to (strategy, config, backend, folds), then to each shard; in a list, so that they are fetched here."""
        self._shards = refs[1:]
        self._strategy, self._config, self._backend, self._folds = ray.get(refs[0])
        self._held: dict[int, SerialEvaluator] = {}

    def score(self, shard: int, params: ParamMatrix) -> tuple[ScoreTable | Failed, float, HowRun]:
        """Scores over a shard, kernel seconds, and how it was run."""
        return self._done(shard, SerialEvaluator.evaluate, params)

    def run(self, shard: int, params: ParamMatrix) -> tuple[RunResult | Failed, float, HowRun]:
        """Trades of a shard, kernel seconds, and how it was run."""
        return self._done(shard, SerialEvaluator.run, params)

    def totals(self, shard: int, params: ParamMatrix) -> tuple[Totals | Failed, float, HowRun]:
        """Sums over a shard, kernel seconds, and how it was run."""
        return self._done(shard, SerialEvaluator.totals, params)

    def _done(
        self, shard: int, work: Callable[[SerialEvaluator, ParamMatrix], Any], params: ParamMatrix
    ) -> tuple[Any, float, HowRun]:
        evaluator = self._evaluator(shard)
        before = evaluator.kernel_s
        try:
            # What comes out of the object store is read-only; kernels are compiled for arrays that are not.
            mine = ParamMatrix(params.values.copy(), params.is_float.copy())
            return work(evaluator, mine), evaluator.kernel_s - before, evaluator.take_how()
        except StomError as error:
            return Failed.of(error), 0.0, evaluator.take_how()

    def _evaluator(self, shard: int) -> SerialEvaluator:
        if shard not in self._held:
            selection: Selection = ray.get(self._shards[shard])
            self._held[shard] = SerialEvaluator(self._strategy, selection, self._config, backend=self._backend, folds=self._folds)
        return self._held[shard]


class RayEvaluator:
    """The contract of search/base.py over workers of a Ray session (`distributed.session`), bit-equal to `SerialEvaluator`.

    n_shards 1: every worker holds the whole selection, shared through the object store, and scores blocks of rows. More: the
    selection is cut into whole instruments; workers run blocks over shards and the figures, which need all instruments
    of a candidate, are made here. With backend cuda every worker has a GPU of its own. At most `IN_FLIGHT_PER_WORKER` blocks wait
    at each worker. A lost worker is restarted and its blocks repeated up to `RESTARTS` times. Close it, or use it in a `with`, to
    give the workers back.
    """

    def __init__(
        self,
        strategy: Strategy,
        selection: Selection,
        config: EngineConfig,
        *,
        workers: int,
        n_shards: int = 1,
        block_rows: int = BLOCK_ROWS,
        backend: Backend = "auto",
        folds: Sequence[Fold] = (),
    ) -> None:
        """Raises ConfigError for counts below 1 and more workers than the session's processors or GPUs; SchemaError as a run."""
        for name, value in (("workers", workers), ("n_shards", n_shards), ("block_rows", block_rows)):
            if value < 1:
                raise ConfigError(f"{name} is {value}: expected at least 1")
        cpus = cpus_of_session()
        if workers > cpus:
            raise ConfigError(f"{workers} workers on {cpus} processors of the Ray session: take fewer, or start a larger session")
        gpus = gpus_of_session()
        if backend == "cuda" and workers > gpus:
            raise ConfigError(
                f"{workers} workers with backend cuda on {gpus} GPUs of the Ray session: take at most one a GPU, or backend cpu"
            )
        self._selected = selection.selected
        self._scoring = Scoring(config.betting, tuple(folds))
        parts = shards(portable(selection, strategy, config), n_shards)
        self._sessions = [part.selected.n_sessions for part in parts]
        self._rows = [part.selected.n_rows for part in parts]
        self._block_rows = block_rows
        self._kernel_s = 0.0
        self._how: HowRun | None = None
        # Held as long as the workers, since a restarted one reads them again.
        self._refs = [ray.put(item) for item in ((strategy, config, backend, tuple(folds)), *parts)]
        self._workers = [
            Worker.options(num_gpus=int(backend == "cuda")).remote(self._refs)  # type: ignore[attr-defined]
            for _ in range(workers)
        ]

    @property
    def ticks(self) -> int:
        return self._selected.n_rows

    @property
    def kernel_s(self) -> float:
        return self._kernel_s

    @property
    def how(self) -> HowRun | None:
        """How everything so far was run; None before the first."""
        return self._how

    @property
    def days(self) -> Ints:
        """Trading days of the selection, the columns of `daily_profit`."""
        return trading_days(self._selected)

    def evaluate(self, params: ParamMatrix) -> ScoreTable:
        """Raises WorkerError when workers are lost again and again, and what the engine raises."""
        blocks = [np.arange(at, min(at + self._block_rows, len(params))) for at in range(0, len(params), self._block_rows)]
        parts: dict[int, dict[int, Any]] = {number: {} for number in range(len(blocks))}
        tables: dict[int, ScoreTable] = {}
        for number, shard, found in self._results("score" if len(self._rows) == 1 else "run", params, blocks):
            parts[number][shard] = found
            if len(parts[number]) == len(self._rows):
                tables[number] = self._table(parts.pop(number), len(blocks[number]))
        return join_tables([tables[number] for number in range(len(blocks))], len(self.days), len(self._scoring.folds))

    def totals(self, params: ParamMatrix) -> Totals:
        """Sums of every row, those of `Engine.totals`: no trade travels. Raises as `evaluate`."""
        pieces = np.array_split(np.arange(len(params)), -(-len(self._workers) // len(self._rows)))
        blocks = [rows for rows in pieces if len(rows)]
        totals = Totals.zeros(len(params), np.unique(self._selected.session_day))
        first_row = np.cumsum([0, *self._rows])
        faults: dict[int, Fault] = {}
        for number, shard, found in self._results("totals", params, blocks):
            totals.add(found, blocks[number])
            for fault in found.faults:
                candidate, row = int(blocks[number][fault.candidate]), fault.row + int(first_row[shard])
                if candidate not in faults or row < faults[candidate].row:
                    faults[candidate] = replace(fault, candidate=candidate, row=row)
        return totals.without(tuple(faults[candidate] for candidate in sorted(faults)))

    def close(self) -> None:
        for worker in self._workers:
            ray.kill(worker)
        self._workers = []

    def __enter__(self) -> RayEvaluator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _table(self, found: dict[int, Any], n: int) -> ScoreTable:
        if len(self._rows) == 1:
            table: ScoreTable = found[0]
            return table
        merged = merge_shards([found[shard] for shard in range(len(self._rows))], self._sessions, self._rows)
        return self._scoring.table(merged, n, self._selected)

    def _results(self, method: str, params: ParamMatrix, blocks: Sequence[Ints]) -> Iterator[tuple[int, int, Any]]:
        """(block, shard, result) of a method of `Worker`, in the order in which they come in."""
        waiting = deque((number, shard) for number in range(len(blocks)) for shard in range(len(self._rows)))
        running: dict[Any, tuple[int, int, int]] = {}
        free = deque(range(len(self._workers))) * IN_FLIGHT_PER_WORKER
        while waiting or running:
            while waiting and free:
                # A worker keeps to its shards where it can, so that it need not hold all of them.
                worker = free.popleft()
                task = next((task for task in waiting if task[1] % len(self._workers) == worker % len(self._rows)), waiting[0])
                waiting.remove(task)
                ref = getattr(self._workers[worker], method).remote(task[1], take(params, blocks[task[0]]))
                running[ref] = (*task, worker)
            done, _ = ray.wait(list(running), num_returns=1)
            number, shard, worker = running.pop(done[0])
            free.append(worker)
            found, kernel_s, how = _fetch(done[0])
            self._kernel_s += kernel_s / len(self._workers)
            self._how = how if self._how is None else self._how.and_then(how)
            yield number, shard, found


def _fetch(ref: Any) -> Any:
    """Result, kernel seconds and how it was run; raises what the engine raised in the worker."""
    try:
        found, kernel_s, how = ray.get(ref)
    except RayActorError as error:
        raise WorkerError(
            f"a worker was lost {RESTARTS + 1} times over the same rows ({error}): look for a lack of memory, take fewer workers "
            "or a smaller batch, and resume; what was scored is in the ledger"
        ) from error
    if isinstance(found, Failed):
        raise found.to_error()
    return found, kernel_s, how
