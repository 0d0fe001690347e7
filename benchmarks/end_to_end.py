"""end-to-end-rare, end-to-end-medium: the strategy of benchmarks/real, 10,368 combinations, from ingested store to result table.

Everything that a user waits for after the interpreter is up: store opened, columns made, both texts compiled, every combination
run, the table made; in a fresh process with two threads, by the clock on the wall, median of PROCESSES after one that warms the
building blocks. Peer: the same combinations as STOM runs them, at the 185,000 tick-evaluations a second that its users measure
for one core.

Equality first: sums of two combinations over the first days of two instruments against the reference simulator's.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.data import tick_database
from stom_ray import api
from stom_ray.runs.choice import DataChoice
from stom_ray.store.ingest import ingest
from stom_ray.store.load import load_panel

BUY, SELL = (Path("benchmarks/real", name).read_bytes() for name in ("buy.txt", "sell.txt"))
PROCESSES = 5
COMPARED = 2  # combinations
STOM = 185_000  # tick-evaluations a second and core
VALUES: dict[str, list[list[float]]] = {  # of self.vars; 648 buys × 16 exits
    "rare": [[30], [-6.0, -3.0, -1.0], [5.0, 7.0, 9.0], [110, 120, 130], [2.0, 3.0], [1.0, 2.0, 4.0], [0.8, 1.0], [0, 10], [0.3]],
    "medium": [
        [30],
        [-6.0, -3.0, -1.0],
        [5.0, 7.0, 9.0],
        [90, 100, 110],
        [1.0, 2.0],
        [0.5, 1.0, 2.0],
        [0.5, 0.8],
        [-10, 0],
        [0.3],
    ],
}
EXITS: list[list[float]] = [[1.0, 2.0], [-2.0, -1.0], [0.5, 0.7], [300, 900]]


def run(name: str) -> dict[str, Any]:
    density = name.removeprefix("end-to-end-")
    with tempfile.TemporaryDirectory(prefix="stom_ray_") as temporary:
        folder = Path(temporary)
        path, what = tick_database(folder)
        ingest([path], folder / "store", workers=2)
        panel = load_panel(folder / "store")
        equal = equals_reference(folder / "store", density, tuple(panel.codes[:2]), int(panel.days[0]), int(panel.days[1]))
        found = [in_fresh_process(folder / "store", density) for _ in range(PROCESSES + 1)][1:]
    seconds = statistics.median(one["seconds"] for one in found)
    return {
        "name": name,
        "value": seconds,
        "unit": "s, store to table",
        "equal": equal,
        "peer": f"exec per tick at {STOM:,} tick-evaluations/s",
        "ratio": panel.n_rows * found[0]["candidates"] / STOM / seconds,
        "command": f"python -m benchmarks {name}",
        "candidates": found[0]["candidates"],
        "density": f"{found[0]['trades'] / found[0]['candidates'] / panel.n_sessions:.2f} trades per candidate per session",
        "plan": found[0]["plan"],
        "rows": panel.n_rows,
        "detail": what,
    }


def ranges(density: str) -> str:
    return "\n".join(f"self.vars[{i}] = [{some}, {some[0]}]" for i, some in enumerate([*VALUES[density], *EXITS]))


def totals(store: Path, density: str, **options: Any) -> Any:
    return api.sweep_totals(store, BUY, SELL, ranges=ranges(density), ranges_form="values", grid=True, **options)


def equals_reference(store: Path, density: str, codes: tuple[str, ...], first_day: int, last_day: int) -> bool:
    choice = DataChoice(days=f"{first_day}-{last_day}", codes=codes)
    all_rows = totals(store, density, choice=choice).totals
    columns = [name for name in all_rows.columns if name.startswith("vars_")]
    some = all_rows.iloc[:: len(all_rows) // COMPARED]
    rows = [[int(value) if value == int(value) else value for value in row] for row in some[columns].to_numpy().tolist()]
    expected = api.sweep_totals(store, BUY, SELL, rows=rows, choice=choice, backend="reference").totals
    sums = ["trades", "wins", "profit", "hold_s"]
    return bool(expected["trades"].sum() > 0 and (expected[sums].to_numpy() == some[sums].to_numpy()).all())


def in_fresh_process(store: Path, density: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.end_to_end", str(store), density]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return found


def timed(store: Path, density: str) -> dict[str, Any]:
    started = time.perf_counter()
    outcome = totals(store, density, threads=2)
    seconds = time.perf_counter() - started
    trades = int(outcome.totals["trades"].sum())
    return {"seconds": seconds, "trades": trades, "candidates": len(outcome.totals), "plan": outcome.how.plans[0].name}


if __name__ == "__main__":
    print(json.dumps(timed(Path(sys.argv[1]), sys.argv[2])))
