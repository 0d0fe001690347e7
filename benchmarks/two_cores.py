"""two-cores: the kernels on two threads against one, by the clock on the wall, turn by turn. Needs a quiet machine.

The medium product grid and 1,000 arbitrary rows on the simulated market, medians of TURNS; the value is the lower of the two
ratios. Equality first: the sums of both.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np

from benchmarks.planned import CODES, DAYS
from benchmarks.workloads import simulated, workload
from stom_ray.engine.planned.kernel import CpuKernel
from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.types import ParamMatrix

TURNS = 15


def run(name: str) -> dict[str, Any]:
    selection = simulated(CODES, DAYS)
    rule = workload(selection, "medium")
    kernel = CpuKernel(rule.strategy, selection, rule.config)
    found = {kind: measure(kernel, params) for kind, params in (("grid", rule.grid()), ("rows", rule.rows(1_000, 1)))}
    worst = min(found.values(), key=lambda one: one["ratio"])
    return {
        "name": name,
        "value": worst["ratio"],
        "unit": "x one core",
        "equal": all(one["equal"] for one in found.values()),
        "peer": "the same on one thread",
        "ratio": worst["ratio"],
        "command": f"python -m benchmarks {name}",
        "kinds": found,
    }


def measure(kernel: CpuKernel, params: ParamMatrix) -> dict[str, Any]:
    equal = same(kernel.totals(params, 1), kernel.totals(params, 2))
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(TURNS):
        for threads, found in seconds.items():
            started = time.perf_counter()
            kernel.totals(params, threads)
            found.append(time.perf_counter() - started)
    one, two = (statistics.median(seconds[threads]) for threads in (1, 2))
    return {"ratio": one / two, "one_s": one, "two_s": two, "equal": equal}


def same(left: Totals, right: Totals) -> bool:
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in ("trades", "wins", "held_s", "daily_profit"))
