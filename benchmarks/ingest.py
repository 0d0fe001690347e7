"""Rows per second from a SQLite database into a finished, synced store, 45 columns, two processes."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.data import tick_database
from stom_ray.schema.columns import TICK_V1_COLUMNS
from stom_ray.store.ingest import ingest
from stom_ray.store.load import load_panel

WORKERS = 2
REPEATS = 3


def run() -> dict[str, Any]:
    """Best of REPEATS. Equality first: every cell against Python's own sqlite3. Peer: pandas.read_sql, one process."""
    with tempfile.TemporaryDirectory(prefix="stom_ray_") as name:
        folder = Path(name)
        path, what = tick_database(folder)
        report = ingest(path, folder / "warm", workers=WORKERS)
        equal = equal_to_sqlite(path, folder / "warm")
        seconds = []
        for repeat in range(REPEATS):
            start = time.perf_counter()
            ingest(path, folder / f"store{repeat}", workers=WORKERS)
            seconds.append(time.perf_counter() - start)
        peer = pandas_rate(path)
    value = report.rows / min(seconds)
    return {
        "name": "ingest",
        "value": value,
        "unit": "rows/s",
        "equal": equal,
        "peer": "pandas.read_sql, one process, nothing written",
        "ratio": value / peer,
        "command": "python -m benchmarks ingest",
        "detail": f"{report.rows:,} rows of {what}; {WORKERS} processes started, data and manifests synced to disk",
    }


def equal_to_sqlite(path: Path, store: Path) -> bool:
    """Every clock and cell of the store is what sqlite3 reads, bit for bit."""
    columns = ", ".join(f'"{name}"' for name in TICK_V1_COLUMNS)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        for (code,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB '[0-9]*'"
        ).fetchall():
            rows = connection.execute(f'SELECT {columns} FROM "{code}" ORDER BY rowid').fetchall()
            table = np.array([row[1:] for row in rows], dtype=np.float64)
            panel = load_panel(store, codes=[code])
            if panel.clock.tolist() != [row[0] for row in rows]:
                return False
            for at, name in enumerate(TICK_V1_COLUMNS[1:]):
                if not np.array_equal(panel.column(name).view(np.int64), np.ascontiguousarray(table[:, at]).view(np.int64)):
                    return False
    return True


def pandas_rate(path: Path) -> float:
    """Rows per second of pandas.read_sql over two tables."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        codes = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB '[0-9]*'").fetchall()[:2]
        start = time.perf_counter()
        rows = sum(len(pd.read_sql(f'SELECT * FROM "{code}"', connection)) for (code,) in codes)
        return rows / (time.perf_counter() - start)
