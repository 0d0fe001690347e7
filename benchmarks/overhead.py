"""overhead-us: microseconds a candidate of a search that go neither into kernels nor into the sampler.

Dispatch, merge, figures, keys and ledger of a random study in batches of 1,000 over the simulated market, 52 codes × 20 days
(1.5 million rows), on all cores. Figures read every trade, so the record names density: the value is that of the rare rule, and
`densities` has the medium one too, with processor time beside the wall's, what figures take of it, and the sampler apart. Before
anything is timed, figures of some rows must equal those written to be read. The peer is the same study with one row a batch.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search_overhead import figures_are_equal
from benchmarks.workloads import Workload, simulated, workload
from stom_ray.engine.types import ParamMatrix, RunResult
from stom_ray.search.base import FIGURES, ScoreTable
from stom_ray.search.evaluator import SerialEvaluator
from stom_ray.search.goal import StomGoal
from stom_ray.search.space import Space
from stom_ray.search.study import Study, StudyConfig, StudyResult

COMMAND = "python -m benchmarks overhead-us"
CODES, DAYS = 52, 20
BATCH, BATCHES = 1_000, 5
PEER_ROWS = 30
VALUES = 20  # a variable


class Watched(SerialEvaluator):
    """Knows the processor time that kernels took, and the wall time of whole evaluations."""

    kernel_cpu_s = 0.0
    evaluate_s = 0.0

    def evaluate(self, params: ParamMatrix) -> ScoreTable:
        start = time.perf_counter()
        table = super().evaluate(params)
        self.evaluate_s += time.perf_counter() - start
        return table

    def run(self, params: ParamMatrix) -> RunResult:
        start = time.process_time()
        result = super().run(params)
        self.kernel_cpu_s += time.process_time() - start
        return result


@dataclass(frozen=True)
class Spent:
    """Microseconds a candidate: all but kernel and sampler; of that the figures; all of it as processor time; the sampler."""

    overhead: float
    figures: float
    overhead_cpu: float
    sampler: float
    result: StudyResult


def run(name: str) -> dict[str, Any]:
    """The record, without the machine."""
    selection = simulated(CODES, DAYS)
    found = {density: measured(workload(selection, density)) for density in ("rare", "medium")}
    rare = found["rare"]
    return {
        "name": name,
        "value": rare["overhead_us"],
        "unit": "us a candidate",
        "equal": all(one.pop("equal") for one in found.values()),
        "peer": "the same study, one row a batch",
        "ratio": rare["overhead_us"] / rare["one_row_a_batch_us"],
        "command": COMMAND,
        "rows": selection.selected.n_rows,
        "batch": BATCH,
        "densities": found,
    }


def measured(rule: Workload) -> dict[str, Any]:
    config = StudyConfig(space_of(rule), StomGoal("TG"), {"data": "simulated"}, evaluations=BATCH * BATCHES, batch_size=BATCH)
    evaluator = Watched(rule.strategy, rule.selection, rule.config, threads=os.cpu_count() or 1)
    with tempfile.TemporaryDirectory(prefix="stom_ray_") as folder:
        warm_up = spent(replace(config, seed=9, evaluations=BATCH), evaluator, Path(folder) / "warm.bin")
        ours = spent(config, evaluator, Path(folder) / "ours.bin")
        peer = spent(replace(config, evaluations=PEER_ROWS, batch_size=1), evaluator, Path(folder) / "peer.bin")
    trades = float(np.nanmean(ours.result.table.figures[:, FIGURES.index("tc")]))
    return {
        "equal": figures_are_equal(evaluator, rule.selection, warm_up.result.table),
        "overhead_us": ours.overhead,
        "figures_us": ours.figures,
        "overhead_cpu_us": ours.overhead_cpu,
        "sampler_us": ours.sampler,
        "one_row_a_batch_us": peer.overhead,
        "trades_per_candidate": trades,
        "density": f"{trades / rule.selection.selected.n_sessions:.2f} trades per candidate per session",
    }


def spent(config: StudyConfig, evaluator: Watched, ledger: Path) -> Spent:
    kernel_cpu, kernel, evaluate, cpu = evaluator.kernel_cpu_s, evaluator.kernel_s, evaluator.evaluate_s, time.process_time()
    result = Study(config, evaluator, ledger).run()
    cpu = time.process_time() - cpu - (evaluator.kernel_cpu_s - kernel_cpu) - result.sampler * result.wall_s
    figures = evaluator.evaluate_s - evaluate - (evaluator.kernel_s - kernel)
    a_candidate = 1e6 / result.scored_now
    overhead = (1.0 - result.kernel - result.sampler) * result.wall_s
    sampler = result.sampler * result.wall_s * a_candidate
    return Spent(overhead * a_candidate, figures * a_candidate, cpu * a_candidate, sampler, result)


def space_of(rule: Workload) -> Space:
    """Every variable in steps between the loosest and the tightest value of the grid."""
    ends = [(float(values.min()), float(values.max()) + 1e-3) for values in rule.values]
    return Space.from_intervals({k: (low, high, (high - low) / (VALUES - 1)) for k, (low, high) in enumerate(ends)})
