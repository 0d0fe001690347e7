"""against-exec, against-vectorbt: product grids of this project as a multiple of two other ways to run a rule, one core each.

against-exec: the medium grid of `planned`, ticks of candidates a second of `CpuKernel.totals`, over those of a loop that runs the
same texts by `exec` on every row as STOM does (`exec_loop`). Trades of its candidates must be the kernel's.

against-vectorbt: the rule in the form that `Portfolio.from_signals` can say. Buying is the same eight comparisons; selling is a
profit target, a stop and the session's last row. Left out on both sides, because from_signals has no word for them: the order
book (both fill every order in full at 현재가), costs, time held, trailing stop, the tick term. What is left is the same rule: the
rows of entry and exit of every trade must be equal. vectorbt runs in an interpreter of its own (`vectorbt_loop.py` runs there and
needs nothing of this project): `python -m venv VENV && VENV/bin/pip install vectorbt`, then
STOM_RAY_VECTORBT_PYTHON=VENV/bin/python.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.exec_loop import ExecLoop
from benchmarks.planned import CODES, DAYS
from benchmarks.workloads import BUY, BUY_TERMS, Workload, matrix, simulated, workload
from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.rows import Rows
from stom_ray.engine.bind import bind, day_counts
from stom_ray.engine.planned.kernel import CpuKernel
from stom_ray.engine.types import EngineConfig, ParamMatrix, Trades
from stom_ray.store.load import select
from stom_ray.store.panel import Panel, Selection

REPEATS = 5
EXEC_CANDIDATES, EXEC_DAYS, EXEC_REPEATS = 20, 3, 3
VECTORBT = "STOM_RAY_VECTORBT_PYTHON"
VECTORBT_CANDIDATES, VECTORBT_CODES = 48, 2
SIMPLE_SELL = "매도 = False\nif 수익률 >= self.vars[8]:\n    매도 = True\nelif 수익률 <= self.vars[9]:\n    매도 = True"
ROUNDING = 0.005  # 수익률 is rounded to whole hundredths of a percent


def run(name: str) -> dict[str, Any]:
    """The record, without the machine."""
    record = against_exec() if name == "against-exec" else against_vectorbt()
    return {"name": name, "unit": "x", "command": f"python -m benchmarks {name}", **record}


@cache
def simulated_market() -> Selection:
    return simulated(CODES, DAYS)


# exec


def against_exec() -> dict[str, Any]:
    selection = simulated_market()
    rule = workload(selection, "medium", "simulated")
    grid = rule.grid()
    some = chosen(grid, EXEC_CANDIDATES)
    part = busiest(rule, some)
    expected = listed(CpuKernel(rule.strategy, part, rule.config).run(some).trades)
    peers, equal = {}, len(expected) > 0
    for lean in (False, True):
        loop = ExecLoop(
            part, rule.config, rule.strategy.buy_text, rule.strategy.sell_text, ("등락율각도", "체결강도평균"), lean=lean
        )
        equal &= sorted(loop.run(some)) == expected
        seconds = []
        for _ in range(EXEC_REPEATS):
            started = time.thread_time()
            loop.run(some)
            seconds.append(time.thread_time() - started)
        peers[lean] = part.selected.n_rows * len(some) / statistics.median(seconds)
    peer = peers[False]
    ours, density = totals_speed(rule, grid)
    return {
        "value": ours / peer,
        "equal": equal,
        "peer": "exec of the texts on every row, names as locals of a method (as STOM)",
        "ratio": ours / peer,
        "candidate-ticks/s": ours,
        "exec tick-evaluations/s": peer,
        "lean exec tick-evaluations/s": peers[True],
        "ratio to lean exec": ours / peers[True],
        "density": density,
        "compared": f"{len(expected)} trades of {len(some)} candidates, {part.selected.n_rows:,} rows",
    }


def busiest(rule: Workload, params: ParamMatrix) -> Selection:
    """The first days of the instrument on which the candidates trade most."""
    panel = rule.selection.selected
    trades = CpuKernel(rule.strategy, rule.selection, rule.config).run(params).trades
    early = panel.session_day[trades.session] <= panel.days[EXEC_DAYS - 1]
    code = int(np.bincount(panel.session_code[trades.session[early]], minlength=len(panel.codes)).argmax())
    return select(panel, codes=[panel.codes[code]], days=(int(panel.days[0]), int(panel.days[EXEC_DAYS - 1])))


def listed(trades: Trades) -> list[tuple[int, ...]]:
    columns = (trades.candidate, trades.buy_row, trades.sell_row, trades.buy_price, trades.sell_price, trades.label)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def chosen(params: ParamMatrix, count: int) -> ParamMatrix:
    return matrix(params.values[np.linspace(0, len(params) - 1, count).astype(np.int64)])


def totals_speed(rule: Workload, params: ParamMatrix) -> tuple[float, str]:
    """(candidate-ticks a processor second of one thread, the density it is of)"""
    kernel = CpuKernel(rule.strategy, rule.selection, rule.config)
    sums = kernel.totals(params)
    seconds = []
    for _ in range(REPEATS):
        started = time.thread_time()
        kernel.totals(params)
        seconds.append(time.thread_time() - started)
    panel = rule.selection.selected
    density = sums.trades.sum() / len(params) / panel.n_sessions
    return panel.n_rows * len(params) / statistics.median(seconds), f"{density:.2f} trades per candidate per session"


# vectorbt


def against_vectorbt() -> dict[str, Any]:
    interpreter = os.environ.get(VECTORBT)
    if not interpreter:
        return {
            "skipped": f"{VECTORBT} is not set: make a virtual environment, `pip install vectorbt` in it, and set the variable "
            "to that environment's python"
        }
    rule = simple(workload(simulated_market(), "medium", "simulated"))
    grid = rule.grid()
    some = chosen(grid, VECTORBT_CANDIDATES)
    panel = rule.selection.selected
    part = select(panel, codes=panel.codes[:VECTORBT_CODES])
    found = in_vectorbt(interpreter, replace(rule, selection=part), some)
    trades = CpuKernel(rule.strategy, part, rule.config).run(some).trades
    ours = sorted(zip(trades.candidate.tolist(), trades.buy_row.tolist(), trades.sell_row.tolist(), strict=True))
    equal = len(ours) > 0 and sorted(map(tuple, found["trades"])) == ours
    peer = part.selected.n_rows * len(some) / statistics.median(found["seconds"])
    speed, density = totals_speed(rule, grid)
    return {
        "value": speed / peer,
        "equal": equal,
        "peer": f"vectorbt {found['version']} Portfolio.from_signals, signals made before",
        "ratio": speed / peer,
        "candidate-ticks/s": speed,
        "vectorbt candidate-ticks/s": peer,
        "density": density,
        "simplified": "orders filled in full at 현재가, no costs; target, stop and end of session only",
        "compared": f"{len(ours)} trades of {len(some)} candidates, {part.selected.n_rows:,} rows",
    }


def simple(rule: Workload) -> Workload:
    """The rule over a market whose book takes every order at 현재가, without costs, with target and stop alone."""
    strategy = compile_strategy(BUY, SIMPLE_SELL, profile="stom", layout=rule.selection.loaded.layout)
    config = EngineConfig(profile="stom", costs="custom:0,0")
    gains = np.round(np.linspace(*rule.density.gain, 4), 2)
    return replace(
        rule, selection=bookless(rule.selection), strategy=strategy, config=config, values=(*rule.values[:8], gains, -gains)
    )


def bookless(selection: Selection) -> Selection:
    panel = selection.loaded
    price = panel.column("현재가")
    plenty = np.full(panel.n_rows, 1e9)
    columns = {f"{side}호가1": price for side in ("매도", "매수")} | {f"{side}잔량1": plenty for side in ("매도", "매수")}

    def load(name: str) -> np.ndarray:
        return panel.column(name)

    changed: Panel = replace(panel, columns=columns, load=load, identity="")
    return select(changed)


def in_vectorbt(interpreter: str, rule: Workload, params: ParamMatrix) -> dict[str, Any]:
    """Seconds of each run, trades as (candidate, entry row, exit row), and vectorbt's version."""
    panel = rule.selection.selected
    price = panel.column("현재가")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "signals.npz"
        np.savez(
            path,
            close=price,
            entries=entries(rule, params),
            last=np.isin(np.arange(panel.n_rows), panel.offsets[1:] - 1),
            size=np.floor(rule.config.betting / price),
            target=(params.values[:, 8] - ROUNDING) / 100,
            stop=(-params.values[:, 9] - ROUNDING) / 100,
        )
        program = Path(__file__).with_name("vectorbt_loop.py")
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        done = subprocess.run(
            [interpreter, str(program), str(path), str(REPEATS)], check=True, stdout=subprocess.PIPE, text=True, env=environment
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def entries(rule: Workload, params: ParamMatrix) -> np.ndarray:
    """(n_rows, n_candidates) where the eight comparisons hold on a row that may buy."""
    selection, config = rule.selection, rule.config
    panel, binding, rows = selection.selected, bind(selection, config), Rows(selection, config.loaded_lengths)
    may = binding.watched & (day_counts(panel) >= config.avgtime)
    may[panel.offsets[1:] - 1] = False
    found = np.repeat(may[:, None], len(params), axis=1)
    for k, (name, sign) in enumerate(BUY_TERMS):
        function, _, length = name.partition("(")
        column = (rows.window(function, int(length[:-1])) if length else rows.column(name))[:, None]
        found &= column > params.values[:, k] if sign == ">" else column < params.values[:, k]
    return found
