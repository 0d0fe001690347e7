"""Scoring parameter rows in this process: engine, then figures."""

from __future__ import annotations

import functools
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions.ir import Strategy
from stom_ray.engine.backtest import Engine
from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.plans import HowRun
from stom_ray.engine.types import EngineConfig, Fault, Floats, Ints, ParamMatrix, RunResult, Trades
from stom_ray.errors import OutOfRoomError
from stom_ray.metrics.batch import score, score_folds, trading_days
from stom_ray.metrics.stom import Fold
from stom_ray.search.base import FIGURES, ScoreTable
from stom_ray.search.space import take
from stom_ray.store.panel import Panel, Selection
from stom_ray.store.selection import on_days

# A block of rows is sized so that its trades fit in about half a gigabyte.
TRADES_PER_BLOCK = 4_000_000
FIRST_BLOCK_ROWS = 128
MOST_BLOCK_ROWS = 1_024
TRADES_FOR_THREADS = 20_000
PARTS_PER_THREAD = 4

T = TypeVar("T")

Backend = Literal["auto", "reference", "cpu", "cuda"]


@dataclass(frozen=True)
class FoldedTable(ScoreTable):
    """With the figures of STOM's folds: folds (2 × n_folds, n, 15), train and valid of each fold in turn; NaN for failed rows."""

    folds: Floats


@dataclass(frozen=True)
class Scoring:
    """How trades become figures. betting: KRW an entry. folds: train and valid side of each fold in turn, empty = none.

    threads: among which candidates are divided; that changes no bit, because each one's figures are its own.
    """

    betting: float
    folds: tuple[Fold, ...] = ()
    threads: int = 1

    def table(self, result: RunResult, n: int, selected: Panel, days: Ints | None = None) -> ScoreTable:
        """Figures of n candidates; those with a fault are failed. days: as if only these trading days had been run."""
        failed = np.zeros(n, dtype=np.bool_)
        reasons = {fault.candidate: fault.message for fault in result.faults}
        failed[list(reasons)] = True
        parts = list(candidate_parts(result.trades, n, self.threads))

        def scored(part: tuple[Trades, int]) -> tuple[Floats, Floats]:
            return score(*part, selected, betting=self.betting, days=days)

        def folded(part: tuple[Trades, int]) -> Floats:
            return score_folds(*part, selected, self.folds, betting=self.betting)

        found = self._each(scored, parts)
        figures, daily = np.concatenate([one[0] for one in found]), np.concatenate([one[1] for one in found])
        figures[failed], daily[failed] = np.nan, np.nan
        if not self.folds:
            return ScoreTable(figures, daily, failed, reasons)
        folds = np.concatenate(self._each(folded, parts), axis=1)
        folds[:, failed] = np.nan
        return FoldedTable(figures, daily, failed, reasons, folds)

    def _each(self, work: Callable[[tuple[Trades, int]], T], parts: Sequence[tuple[Trades, int]]) -> list[T]:
        if len(parts) == 1:
            return [work(parts[0])]
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(work, parts))


class SerialEvaluator:
    """The contract of search/base.py, in this process. Backend, threads, blocks and memory change no score; `how` says how.

    The kernel is compiled and bound on first use and kept. Figures are over the whole selection; with `folds` the table also has
    those of each fold's sides. max_memory: bytes that scoring may add to the program and its data.
    """

    def __init__(
        self,
        strategy: Strategy,
        selection: Selection,
        config: EngineConfig,
        *,
        threads: int = 1,
        backend: Backend = "auto",
        folds: Sequence[Fold] = (),
        max_memory: int | None = None,
    ) -> None:
        self._selection, self._parts = selection, list[SerialEvaluator]()
        self._part_of = partial(SerialEvaluator, strategy, config=config, threads=threads, backend=backend, max_memory=max_memory)
        self._engine = Engine(
            strategy, selection, config, backend=backend, threads=threads, max_memory=max_memory, counting=False
        )
        self._how = self._engine.how
        self._scoring = Scoring(config.betting, tuple(folds), threads)
        self._block_rows = FIRST_BLOCK_ROWS
        self._kernel_s = 0.0

    @property
    def how(self) -> HowRun:
        """How everything so far was run, or since `take_how`; what `on_days` gave included."""
        return functools.reduce(HowRun.and_then, (part.how for part in self._parts), self._how)

    def take_how(self) -> HowRun:
        """`how`, which then begins anew."""
        how, self._how = self.how, replace(self._how, plans=(), predicted_bytes=0, blocks=0)
        for part in self._parts:
            part.take_how()
        return how

    @property
    def ticks(self) -> int:
        return self._selection.selected.n_rows

    @property
    def kernel_s(self) -> float:
        """Of what `on_days` gave, too."""
        return self._kernel_s + sum(part.kernel_s for part in self._parts)

    @property
    def days(self) -> Ints:
        """Trading days of the selection, the columns of `daily_profit`."""
        return trading_days(self._selection.selected)

    def on_days(self, days: Ints) -> SerialEvaluator:
        """Over these trading days (yyyymmdd) only, without folds: exact, because no position outlives its day.

        Raises SelectionError as `store.selection.on_days`.
        """
        part = self._part_of(on_days(self._selection, days))
        self._parts.append(part)
        return part

    def evaluate(self, params: ParamMatrix) -> ScoreTable:
        selected = self._selection.selected
        tables = [self._scoring.table(result, n, selected) for n, result in self._runs(params)]
        return join_tables(tables, len(self.days), len(self._scoring.folds))

    def evaluate_days(self, params: ParamMatrix, parts: Sequence[Ints]) -> list[ScoreTable]:
        """One table per set of trading days, from a single run: exact, because no position outlives its day."""
        selected = self._selection.selected
        plain = replace(self._scoring, folds=())
        found: list[list[ScoreTable]] = [[] for _ in parts]
        for n, result in self._runs(params):
            for tables, days in zip(found, parts, strict=True):
                tables.append(plain.table(result, n, selected, days))
        return [join_tables(tables, len(days), 0) for tables, days in zip(found, parts, strict=True)]

    def run(self, params: ParamMatrix) -> RunResult:
        start = time.perf_counter()
        result = self._engine.run(params)
        self._kernel_s += time.perf_counter() - start
        self._how = self._how.and_then(self._engine.how)
        return result

    def totals(self, params: ParamMatrix) -> Totals:
        """Sums only: on the CPU and on a GPU no trade is kept for them."""
        start = time.perf_counter()
        totals = self._engine.totals(params)
        self._kernel_s += time.perf_counter() - start
        self._how = self._how.and_then(self._engine.how)
        return totals

    def _runs(self, params: ParamMatrix) -> Iterator[tuple[int, RunResult]]:
        at = 0
        while at < len(params):
            rows = np.arange(at, min(at + self._block_rows, len(params)))
            try:
                result = self.run(take(params, rows))
            except OutOfRoomError:
                if len(rows) == 1:
                    raise
                self._block_rows = len(rows) // 2
                continue
            self._block_rows = min(block_rows(len(result.trades), len(rows)), self._most_rows(len(rows)))
            at += len(rows)
            yield len(rows), result

    def _most_rows(self, rows: int) -> int:
        """Under a limit no more than twice the rows that fitted."""
        return MOST_BLOCK_ROWS if self._how.max_memory is None else 2 * rows


def candidate_parts(trades: Trades, n: int, threads: int) -> Iterator[tuple[Trades, int]]:
    """Consecutive candidates with their trades and how many they are; a few parts a thread, one part where that does not pay."""
    n_parts = min(n, PARTS_PER_THREAD * threads) if threads > 1 and len(trades) > TRADES_FOR_THREADS else 1
    if n_parts <= 1:
        yield trades, n
        return
    # By trades, not by candidates: those decide the time.
    at = np.searchsorted(np.linspace(0, len(trades), n_parts + 1)[1:-1], np.bincount(trades.candidate, minlength=n).cumsum())
    firsts = np.searchsorted(at, np.arange(n_parts + 1))
    for first, last in itertools.pairwise(firsts.tolist()):
        if last > first:
            start, end = np.searchsorted(trades.candidate, [first, last])
            mine = {name: values[start:end] for name, values in vars(trades).items()}
            yield replace(Trades(**mine), candidate=mine["candidate"] - first), last - first


def block_rows(trades: int, rows: int) -> int:
    """How many rows to run at once, given what the last block traded."""
    fitting = TRADES_PER_BLOCK * rows // max(1, trades)
    return max(1, min(MOST_BLOCK_ROWS, fitting))


def join_tables(tables: Sequence[ScoreTable], n_days: int, n_folds: int) -> ScoreTable:
    """The rows of all tables below each other."""
    if len(tables) == 1:
        return tables[0]
    starts = np.cumsum([0, *(len(table.failed) for table in tables)])
    reasons = {int(starts[k]) + row: text for k, table in enumerate(tables) for row, text in table.reasons.items()}
    figures = np.concatenate([np.empty((0, len(FIGURES))), *(table.figures for table in tables)])
    daily = np.concatenate([np.empty((0, n_days)), *(table.daily_profit for table in tables)])
    failed: NDArray[np.bool_] = np.concatenate([np.empty(0, dtype=np.bool_), *(table.failed for table in tables)])
    if not n_folds:
        return ScoreTable(figures, daily, failed, reasons)
    empty = np.empty((n_folds, 0, len(FIGURES)))
    folds = np.concatenate([empty, *(table.folds for table in tables if isinstance(table, FoldedTable))], axis=1)
    return FoldedTable(figures, daily, failed, reasons, folds)


def merge_shards(parts: Sequence[RunResult], sessions: Sequence[int], rows: Sequence[int]) -> RunResult:
    """The run of the whole selection from those of shards that hold whole instruments, in the order of their codes.

    sessions, rows: how many of each every shard has; session and row numbers become those of the whole. A candidate's fault is
    that of the first shard where it has one, and it then has no trades, as in an undivided run.
    """
    first_session, first_row = np.cumsum([0, *sessions]), np.cumsum([0, *rows])
    faults: dict[int, Fault] = {}
    for k, part in enumerate(parts):
        for fault in part.faults:
            faults.setdefault(fault.candidate, replace(fault, row=fault.row + int(first_row[k])))
    moved = [
        replace(
            part.trades,
            session=part.trades.session + first_session[k],
            buy_row=part.trades.buy_row + first_row[k],
            sell_row=part.trades.sell_row + first_row[k],
        )
        for k, part in enumerate(parts)
    ]
    candidate = np.concatenate([trades.candidate for trades in moved])
    order = np.argsort(candidate, kind="stable")
    order = order[~np.isin(candidate[order], list(faults))]
    joined = {name: np.concatenate([getattr(trades, name) for trades in moved])[order] for name in vars(moved[0])}
    divisions: Counter[str] = Counter()
    for part in parts:
        divisions.update(part.zero_divisions)
    return RunResult(Trades(**joined), tuple(faults[candidate] for candidate in sorted(faults)), dict(divisions))
