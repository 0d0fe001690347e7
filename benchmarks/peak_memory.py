"""peak-memory-gb: most memory of a fresh process over 1 million ticks × 10,000 candidates, interpreter and data included.

Product grid and arbitrary rows, each as sums a candidate (`CpuKernel.totals`) and as the table that a search keeps
(`SerialEvaluator`), at medium density; the record's value is the worst. Equality first: both ways of a batch must have counted
the same trades for every candidate. The same processes time batches of 10 to 10,000 candidates over all rows, and all candidates
over 1,000 to 1 million rows: `cost` has the seconds, and how they grow from one decade to the next (10 = linear).
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workloads import Workload, matrix, workload
from stom_ray.engine.planned.kernel import CpuKernel
from stom_ray.engine.types import ParamMatrix
from stom_ray.search.base import FIGURES
from stom_ray.search.evaluator import SerialEvaluator
from stom_ray.simulate import SimulateConfig, simulate
from stom_ray.store.ingest import ingest
from stom_ray.store.load import load_panel, select
from stom_ray.store.panel import Panel, Selection

COMMAND = "python -m benchmarks peak-memory-gb"
CODES, DAYS = 36, 20
CANDIDATES = 10_000
DECADES = (1_000, 100, 10, 1)
REPEATS = 3
BATCHES, WAYS = ("grid", "rows"), ("totals", "table")


def run(name: str) -> dict[str, Any]:
    """The record, without the machine. Peer: one byte for each tick of each candidate."""
    with tempfile.TemporaryDirectory(prefix="stom_ray_") as temporary:
        folder = Path(temporary)
        simulate(folder / "market.db", SimulateConfig(codes=CODES, days=DAYS, seed=3))
        ingest(folder / "market.db", folder / "store", workers=2)
        found = {(batch, way): in_fresh_process(folder, batch, way) for batch in BATCHES for way in WAYS}
        counts = {key: np.load(folder / f"{'-'.join(key)}.npy") for key in found}
    worst = max(found, key=lambda key: found[key]["gb"])
    value = found[worst]["gb"]
    ticks = found[worst]["ticks"]
    return {
        "name": name,
        "value": value,
        "unit": "GB",
        "equal": all(bool(np.array_equal(counts[batch, "totals"], counts[batch, "table"])) for batch in BATCHES),
        "peer": "a byte for each tick of each candidate",
        "ratio": ticks * CANDIDATES / 1e9 / value,
        "command": COMMAND,
        "worst": " ".join(worst),
        "rows": ticks,
        "candidates": CANDIDATES,
        "gb": {" ".join(key): one["gb"] for key, one in found.items()},
        "gb_before_the_batch": {" ".join(key): one["before"] for key, one in found.items()},
        "density": found["grid", "totals"]["density"],
        "cost": {batch: found[batch, "totals"]["cost"] for batch in BATCHES},
    }


def in_fresh_process(folder: Path, batch: str, way: str) -> dict[str, Any]:
    """Its counts of trades go to a file of the folder."""
    command = [sys.executable, "-m", "benchmarks.peak_memory", str(folder), batch, way]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


# In the fresh process


def measured(folder: Path, batch: str, way: str) -> dict[str, Any]:
    selection = select(load_panel(folder / "store"))
    rule = workload(selection, "medium", "simulated")
    params = batch_of(rule, batch)
    before = peak_gb()
    trades = trades_by(rule, params, way)
    found = {"gb": peak_gb(), "before": before, "ticks": selection.selected.n_rows}
    np.save(folder / f"{batch}-{way}.npy", trades)
    found["density"] = f"{trades.mean() / selection.selected.n_sessions:.2f} trades per candidate per session"
    if way == "totals":
        found["cost"] = {"by candidates": by_candidates(rule, params), "by ticks": by_ticks(rule, params)}
    return found


def batch_of(rule: Workload, batch: str) -> ParamMatrix:
    """CANDIDATES rows: of the grid, those in whole multiples of its last variables' values, so that it stays a product."""
    if batch == "rows":
        return rule.rows(CANDIDATES, 1)
    grid = rule.grid()
    return matrix(grid.values[:CANDIDATES])


def trades_by(rule: Workload, params: ParamMatrix, way: str) -> np.ndarray:
    """(n_candidates,) number of trades."""
    if way == "totals":
        return CpuKernel(rule.strategy, rule.selection, rule.config).totals(params).trades
    table = SerialEvaluator(rule.strategy, rule.selection, rule.config).evaluate(params)
    return table.figures[:, FIGURES.index("tc")].astype(np.int64)  # tc: trades


def peak_gb() -> float:
    """Of this program alone: what getrusage says begins with the peak of the process that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def by_candidates(rule: Workload, params: ParamMatrix) -> dict[str, Any]:
    """Seconds of batches that are every 1,000th to every candidate, over all rows, once the block is bound."""
    kernel = CpuKernel(rule.strategy, rule.selection, rule.config)
    kernel.totals(params)
    batches = [matrix(params.values[::every]) for every in DECADES]
    return grown([len(batch) for batch in batches], [seconds(lambda batch=batch: kernel.totals(batch)) for batch in batches])


def by_ticks(rule: Workload, params: ParamMatrix) -> dict[str, Any]:
    """Seconds of all candidates over about every thousandth row to all rows, binding included."""
    parts = [share(rule.selection.selected, every) for every in DECADES]
    taken = [seconds(lambda part=part: CpuKernel(rule.strategy, part, rule.config).totals(params)) for part in parts]
    return grown([part.selected.n_rows for part in parts], taken)


def share(panel: Panel, every: int) -> Selection:
    """About n_rows / every: whole instruments, or fewer days of one, or fewer minutes."""
    if every == 1:
        return select(panel)
    codes = max(1, len(panel.codes) // every)
    days = panel.days[: max(1, min(len(panel.days), round(len(panel.days) * len(panel.codes) / codes / every)))]
    wanted = panel.n_rows // every
    part = select(panel, codes=panel.codes[:codes], days=(int(days[0]), int(days[-1])))
    if part.selected.n_rows < 1.5 * wanted:
        return part
    last = int(part.selected.clock[wanted - 1]) % 1_000_000
    return select(panel, codes=panel.codes[:codes], days=(int(days[0]), int(days[-1])), time=(90_000, last))


def seconds(work: Callable[[], object]) -> float:
    """Median of REPEATS."""
    taken = []
    for _ in range(REPEATS):
        started = time.thread_time()
        work()
        taken.append(time.thread_time() - started)
    return statistics.median(taken)


def grown(sizes: list[int], taken: list[float]) -> dict[str, Any]:
    """growth: how many times the seconds for ten times as much, from each size to the next; `overall` of all decades."""
    growth = 10 ** (np.diff(np.log10(taken)) / np.diff(np.log10(sizes)))
    overall = 10 ** (np.log10(taken[-1] / taken[0]) / np.log10(sizes[-1] / sizes[0]))
    return {"sizes": sizes, "seconds": taken, "growth": growth.tolist(), "overall": float(overall)}


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]), sys.argv[2], sys.argv[3])))
