"""search-overhead: share of a random search's wall time spent neither in kernels nor in the sampler.

Data: the simulated market, 52 codes × 20 days (1.5 million rows). A study of batches of 1,000 random rows runs through evaluator,
figures, objective, ledger and table, on all cores; compiling, binding and the first batch are warm-up. Before anything is timed,
figures of some rows must equal those written to be read (`metrics.stom`). The peer is the same study with one row a batch.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.kernel import BUY, HIGH, LOW, SELL
from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.types import EngineConfig, ParamMatrix, Trades
from stom_ray.metrics.stom import figures
from stom_ray.search.evaluator import SerialEvaluator
from stom_ray.search.goal import StomGoal
from stom_ray.search.space import Space
from stom_ray.search.study import Study, StudyConfig, StudyResult
from stom_ray.search.table import TrialTable
from stom_ray.simulate import SimulateConfig, simulate
from stom_ray.store.load import load_panel, select
from stom_ray.store.panel import Selection

COMMAND = "python -m benchmarks search-overhead"
BATCH, BATCHES = 1_000, 4
PEER_ROWS = 30
SPACE = Space.from_intervals(dict(enumerate(zip(LOW, HIGH, strict=True))))


def run(name: str) -> dict[str, Any]:
    """The record, without the machine."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "market.db"
        simulate(path, SimulateConfig(codes=52, days=20, seed=3))
        return {"name": name, **measure(select(load_panel(path)), Path(folder))}


def measure(selection: Selection, folder: Path) -> dict[str, Any]:
    strategy = compile_strategy(BUY, SELL, profile="stom", layout=selection.loaded.layout)
    evaluator = SerialEvaluator(strategy, selection, EngineConfig(profile="stom"), threads=os.cpu_count() or 1)
    config = StudyConfig(SPACE, StomGoal("TG"), {"data": "simulated"}, evaluations=BATCH * BATCHES, batch_size=BATCH)
    warm_up = Study(replace(config, seed=9, evaluations=BATCH), evaluator, folder / "warm.bin").run()
    equal = figures_are_equal(evaluator, selection, warm_up.table)
    ours = Study(config, evaluator, folder / "ours.bin").run()
    peer = Study(replace(config, evaluations=PEER_ROWS, batch_size=1), evaluator, folder / "peer.bin").run()
    n = selection.selected.n_rows
    return {
        "value": rest(ours),
        "unit": "fraction",
        "equal": equal,
        "peer": "the same study, one row a batch",
        "ratio": rest(ours) / rest(peer),
        "command": COMMAND,
        "rows": n,
        "batch": BATCH,
        "sampler": ours.sampler,
        "candidate_ticks_per_s": ours.scored_now * n / ours.wall_s,
        "overhead_us_per_candidate": rest(ours) * ours.wall_s / ours.scored_now * 1e6,
        "trades_per_candidate": float(np.nanmean(ours.table.figures[:, 0])),
    }


def rest(result: StudyResult) -> float:
    return 1.0 - result.kernel - result.sampler


def figures_are_equal(evaluator: SerialEvaluator, selection: Selection, table: TrialTable, rows: int = 5) -> bool:
    """The study's figures of some rows, computed again one candidate at a time."""
    panel = selection.selected
    for row in np.linspace(0, len(table) - 1, rows).astype(np.int64):
        params = ParamMatrix(table.params.values[row : row + 1], table.params.is_float[row : row + 1])
        trades: Trades = evaluator.run(params).trades
        expected = figures(trades, panel.ranking_clock, len(evaluator.days), betting=1_000_000.0)
        if not np.array_equal(expected, table.figures[row]):
            return False
    return True
