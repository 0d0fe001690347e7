"""Rows per second of loading a store and touching every number of every column, by mapping its files."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.data import tick_database
from stom_ray.schema.columns import TICK_V1_COLUMNS
from stom_ray.store.ingest import ingest
from stom_ray.store.load import iter_blocks, load_panel

REPEATS = 3
NAMES = TICK_V1_COLUMNS[1:]


def run(name: str) -> dict[str, Any]:
    """Best of REPEATS. Equality first: store against a fresh read of the database. Peer: the columns from Parquet."""
    with tempfile.TemporaryDirectory(prefix="stom_ray_") as temporary:
        folder = Path(temporary)
        path, what = tick_database(folder)
        ingest(path, folder / "store", workers=2)
        panel, fresh = load_panel(folder / "store"), load_panel(path)
        equal = (
            all(panel.column(one).tobytes() == fresh.column(one).tobytes() for one in NAMES)
            and (panel.clock == fresh.clock).all()
        )
        n_rows = panel.n_rows
        write_parquet(folder, fresh.clock, {one: fresh.column(one) for one in NAMES})
        del panel, fresh
        value = n_rows / best(lambda: touch_store(folder / "store"))
        peer = n_rows / best(lambda: touch_parquet(folder))
    return {
        "name": name,
        "value": value,
        "unit": "rows/s",
        "equal": bool(equal),
        "peer": "pyarrow.parquet, zstd, one thread",
        "ratio": value / peer,
        "command": "python -m benchmarks reload",
        "detail": f"{n_rows:,} rows × {len(NAMES)} columns of {what}; opened anew, every number read once, one thread",
    }


def best(work: Any) -> float:
    """Seconds of the fastest of REPEATS runs."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def touch_store(store: Path) -> float:
    """Maps each instrument and takes the largest value of each column."""
    return max(float(np.max(block.column(one))) for block in iter_blocks(store, max_rows=1) for one in NAMES)


def write_parquet(folder: Path, clock: Any, columns: dict[str, Any]) -> None:
    pq.write_table(pa.table({"index": clock, **columns}), folder / "ticks.parquet", compression="zstd")


def touch_parquet(folder: Path) -> float:
    """Reads the columns and takes the largest value of each."""
    table = pq.read_table(folder / "ticks.parquet", use_threads=False)
    return max(float(np.max(table.column(one).to_numpy())) for one in NAMES)
