"""two-cores: the kernels on two threads against one, by the clock on the wall, turn by turn. Needs a quiet machine.

The medium product grid and 1,000 arbitrary rows on the simulated market, medians of TURNS; the value is the lower of the two
ratios. Beside them, in the same turns, stands what the machine itself gives: a loop of arithmetic that touches no memory.
Equality first: the sums of both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from benchmarks.planned import CODES, DAYS
from benchmarks.workloads import simulated, workload
from stom_ray.engine.planned.kernel import CpuKernel
from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.types import ParamMatrix
from stom_ray.machine_code import njit

TURNS = 15
PARTS, STEPS = 8, 5_000_000


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
    arithmetic(1)
    seconds = [(timed(kernel.totals, params, 1), timed(kernel.totals, params, 2)) for _ in range(TURNS)]
    machine = [(timed(arithmetic, 1), timed(arithmetic, 2)) for _ in range(TURNS)]
    one, two = (statistics.median(found) for found in zip(*seconds, strict=True))
    alone, both = (statistics.median(found) for found in zip(*machine, strict=True))
    return {"ratio": one / two, "machine": alone / both, "one_s": one, "two_s": two, "equal": equal}


def timed(work: Callable[..., object], *arguments: object) -> float:
    started = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - started


def arithmetic(threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(multiply, [STEPS] * PARTS))


@njit(cache=True, error_model="numpy", nogil=True)
def multiply(steps: int) -> int:
    """A chain of integer multiplications."""
    state = np.uint64(1)
    for _ in range(steps):
        state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
    return state


def same(left: Totals, right: Totals) -> bool:
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in ("trades", "wins", "held_s", "daily_profit"))
