"""single-backtest-seconds: a script of 400 lines over 1.5 million rows, one candidate, from a loaded panel to its trades.

The first run is a process's first: text compiled, machine code of the fixed kernels loaded from a warm cache of building blocks,
no generated kernel at hand. The second run is the same call again in that process.
Seconds are the main thread's processor time, one thread, median of PROCESSES; beside them stand those by the clock on the wall,
and what of the first run the system took: memory and mapped files touched for the first time.

Equality first: the trades of some instruments' first days against the reference simulator's on the same script.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import tick_database
from benchmarks.long_script import buy_text, sell_text
from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.planned.kernel import CpuKernel
from stom_ray.engine.reference import run_reference
from stom_ray.engine.types import EngineConfig, ParamMatrix, Trades
from stom_ray.store.ingest import ingest
from stom_ray.store.load import load_panel, select
from stom_ray.store.panel import Panel, Selection

COMMAND = "python -m benchmarks single-backtest-seconds"
PROCESSES = 3
PROFILE = "stom"
PARAMS = ParamMatrix.from_rows([[30, 0.6, -1.2, 300, 0.5]])
PART_CODES, PART_ROWS = 2, 8_000
COMPARED = ("buy_clock", "sell_clock", "buy_price", "sell_price", "profit", "profit_pct", "label")


def run(name: str) -> dict[str, Any]:
    """The record, without the machine. Peer: the reference simulator, its rows a second taken for all rows."""
    with tempfile.TemporaryDirectory(prefix="stom_ray_") as temporary:
        folder = Path(temporary)
        path, what = tick_database(folder)
        ingest(path, folder / "store", workers=2)
        panel = load_panel(folder / "store")
        found = [in_fresh_process(folder, number) for number in range(PROCESSES + 1)][1:]  # the first warms the building blocks
        equal, peer = against_reference(panel, folder)
        texts = script(panel)
    first = statistics.median(one["first"] for one in found)
    return {
        "name": name,
        "value": first,
        "unit": "s, first run",
        "equal": equal and all(one["same"] for one in found),
        "peer": "reference simulator (rows/s on a part)",
        "ratio": panel.n_rows / peer / first,
        "command": COMMAND,
        "second_run_s": statistics.median(one["second"] for one in found),
        "first_run_in_system_s": statistics.median(one["first_system"] for one in found),
        "first_run_wall_s": statistics.median(one["first_wall"] for one in found),
        "second_run_wall_s": statistics.median(one["second_wall"] for one in found),
        "stages_s": {key: statistics.median(one["stages"][key] for one in found) for key in found[0]["stages"]},
        "plans": found[0]["plans"],
        "density": f"{found[0]['trades'] / panel.n_sessions:.2f} trades per candidate per session",
        "rows": panel.n_rows,
        "detail": f"{sum(map(count_lines, texts))} lines, {sum(map(count_comparisons, texts))} comparisons; {what}",
    }


def script(panel: Panel) -> tuple[str, str]:
    return buy_text(panel), sell_text(panel)


def count_lines(text: str) -> int:
    return len(text.splitlines())


def count_comparisons(text: str) -> int:
    return sum(text.count(f" {sign} ") for sign in ("<", "<=", ">", ">=", "==", "!="))


def in_fresh_process(folder: Path, number: int) -> dict[str, Any]:
    environment = {**os.environ, "STOM_RAY_CACHE": str(folder / f"kernels{number}")}
    command = [sys.executable, "-m", "benchmarks.single_backtest", str(folder / "store"), str(folder / "trades.npz")]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def timed(store: Path, trades: Path) -> dict[str, Any]:
    """In the fresh process: two runs from the same loaded panel."""
    selection = select(load_panel(store))
    buy, sell = script(selection.selected)
    config = EngineConfig(profile=PROFILE)
    marks, clocks, system = [time.thread_time()], [time.perf_counter()], os.times().system
    strategy = compile_strategy(buy, sell, profile=PROFILE, layout=selection.loaded.layout)
    marks.append(time.thread_time())
    kernel = CpuKernel(strategy, selection, config)
    marks.append(time.thread_time())
    first = kernel.run(PARAMS)
    marks.append(time.thread_time())
    clocks.append(time.perf_counter())
    system = os.times().system - system
    second = kernel.run(PARAMS)
    marks.append(time.thread_time())
    clocks.append(time.perf_counter())
    np.savez(trades, code=selection.selected.session_code[first.trades.session], **vars(first.trades))
    stages = dict(zip(("compile", "bind", "first", "second"), np.diff(marks).tolist(), strict=True))
    return {
        "first": marks[3] - marks[0],
        "first_system": system,
        "second": marks[4] - marks[3],
        "first_wall": clocks[1] - clocks[0],
        "second_wall": clocks[2] - clocks[1],
        "stages": stages,
        "plans": [vars(plan) for plan in kernel.plans],
        "trades": len(first.trades),
        "same": same(first.trades, second.trades),
    }


def same(left: Trades, right: Trades) -> bool:
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in vars(left))


def against_reference(panel: Panel, folder: Path) -> tuple[bool, float]:
    """(whether the first days of some instruments have the reference's trades, the reference's rows per second)."""
    trades = np.load(folder / "trades.npz")
    strategy = compile_strategy(*script(panel), profile=PROFILE, layout=panel.layout)
    days = np.unique(panel.session_day)
    equal, rows, seconds = True, 0, 0.0
    for code in panel.codes[:PART_CODES]:
        enough = next(k for k in range(1, len(days) + 1) if part_of(panel, code, days[k - 1]).selected.n_rows >= PART_ROWS)
        part = part_of(panel, code, days[enough - 1])
        started = time.thread_time()
        expected = run_reference(strategy, part, PARAMS, EngineConfig(profile=PROFILE))
        seconds += time.thread_time() - started
        rows += part.selected.n_rows
        here = (trades["code"] == panel.codes.index(code)) & (trades["sell_clock"] // 1_000_000 <= days[enough - 1])
        equal &= not expected.faults and len(expected.trades) > 0
        equal &= all(np.array_equal(getattr(expected.trades, one), trades[one][here]) for one in COMPARED)
    return bool(equal), rows / seconds


def part_of(panel: Panel, code: str, last_day: int) -> Selection:
    return select(panel, codes=[code], days=(0, int(last_day)))


if __name__ == "__main__":
    print(json.dumps(timed(Path(sys.argv[1]), Path(sys.argv[2]))))
