"""Speed of one GPU on a product grid and on arbitrary rows, as a multiple of the CPU kernel in the same run.

On a machine with a GPU: `python -m benchmarks --json OUT.json cuda-grid-medium cuda-rows-medium`.

Unit: G candidate-ticks a second, wall clock from parameters to sums on the host, median of 5. The CPU's is processor time of one
core. Before anything is timed, the sums of all candidates must be the CPU kernel's, and trades of some candidates too; those must
equal the reference simulator's on a part of the market.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np

from benchmarks.planned import BATCHES, CODES, COMPARED, DAYS, REPEATS, Batch, equals_reference, same
from benchmarks.workloads import Workload, matrix, real, simulated, workload
from stom_ray.engine.cuda_backtest import CudaBacktest
from stom_ray.engine.cuda_device import CupyDevice, Device, why_no_gpu
from stom_ray.engine.planned.kernel import CpuKernel
from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.types import ParamMatrix
from stom_ray.store.panel import Selection


def run(name: str) -> dict[str, Any]:
    """The record, without the machine; its `also` holds the real market, where that is. Ends the program where no GPU is."""
    missing = why_no_gpu()
    if missing:
        raise SystemExit(f"{name} needs a GPU: {missing}")
    density, batch = BATCHES[name.removeprefix("cuda-")]
    device = CupyDevice()
    found = measure(simulated(CODES, DAYS), density, batch, "simulated", device)
    market = real()
    also = [] if market is None else [measure(market, density, batch, "real", device)]
    return {
        "name": name,
        "value": found["speed"],
        "unit": "G candidate-ticks/s a GPU",
        "equal": all(one["equal"] for one in (found, *also)),
        "peer": "the CPU kernel, one core",
        "ratio": found["speed"] / found["cpu"],
        "command": f"python -m benchmarks {name}",
        "device": device.name,
        "date": date.today().isoformat(),
        **found,
        "also": also,
    }


def measure(selection: Selection, density: str, batch: Batch, market: str, device: Device) -> dict[str, Any]:
    rule = workload(selection, density, market)
    params = batch(rule)
    gpu = CudaBacktest(rule.strategy, selection, rule.config, device=device)
    cpu = CpuKernel(rule.strategy, selection, rule.config)
    started = time.perf_counter()
    sums = gpu.totals(params)
    first_s = time.perf_counter() - started
    equal = equal_sums(sums, cpu.totals(params)) and equal_trades(gpu, cpu, rule, params)
    work = selection.selected.n_rows * len(params) / 1e9
    return {
        "market": market,
        "speed": work / median_s(lambda: gpu.totals(params), time.perf_counter),
        "cpu": work / median_s(lambda: cpu.totals(params), time.thread_time),
        "equal": bool(equal),
        "first_s": first_s,  # compiled, bound and copied to the device
        "density": f"{sums.trades.sum() / len(params) / selection.selected.n_sessions:.2f} trades per candidate per session",
        "candidates": len(params),
        "rows": selection.selected.n_rows,
        "sessions": selection.selected.n_sessions,
    }


def equal_sums(left: Totals, right: Totals) -> bool:
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in vars(left))


def equal_trades(gpu: CudaBacktest, cpu: CpuKernel, rule: Workload, params: ParamMatrix) -> bool:
    """Of some candidates on both, and of the CPU and the reference on a part of the market."""
    some = matrix(params.values[np.linspace(0, len(params) - 1, min(COMPARED, len(params))).astype(np.int64)])
    return same(gpu.run(some).trades, cpu.run(some).trades) and equals_reference(rule, params)


def median_s(work: Callable[[], object], clock: Callable[[], float]) -> float:
    seconds = []
    for _ in range(REPEATS):
        started = clock()
        work()
        seconds.append(clock() - started)
    return statistics.median(seconds)
