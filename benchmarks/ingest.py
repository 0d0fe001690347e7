"""Rows per second from a SQLite database into a finished, synced store, 45 and 54 columns, two workers."""

from __future__ import annotations

import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.data import tick_database
from stom_ray.schema.columns import LAYOUTS
from stom_ray.store.ingest import ingest
from stom_ray.store.load import load_panel

WORKERS = 2
REPEATS = 7
COLUMNS = {"tick_v1": 45, "tick_v2": 54}


def run(name: str) -> dict[str, Any]:
    """Median of REPEATS for each layout; the record's value is the slower one.

    Equality first: every cell against Python's own sqlite3. Peer: pandas.read_sql on the same 45 columns, one process.
    """
    rates: dict[int, float] = {}
    spread: list[str] = []
    equal = True
    with tempfile.TemporaryDirectory(prefix="stom_ray_") as temporary:
        for layout, n_columns in COLUMNS.items():
            folder = Path(temporary) / layout
            folder.mkdir()
            path, what = tick_database(folder, layout)
            report = ingest(path, folder / "warm", workers=WORKERS)
            equal = equal and equal_to_sqlite(path, folder / "warm", LAYOUTS[layout].columns)
            seconds = timed(path, folder)
            rates[n_columns] = report.rows / statistics.median(seconds)
            spread.append(
                f"{n_columns} columns {rates[n_columns] / 1e6:.2f}M rows/s (best {report.rows / min(seconds) / 1e6:.2f}M)"
            )
            if layout == "tick_v1":
                peer = pandas_rate(path)
            shutil.rmtree(folder)
    value = min(rates.values())
    return {
        "name": name,
        "value": value,
        "unit": "rows/s",
        "equal": equal,
        "peer": "pandas.read_sql, 45 columns, one process, nothing written",
        "ratio": value / peer,
        "rows_per_second": {str(columns): rate for columns, rate in rates.items()},
        "command": "python -m benchmarks ingest",
        "detail": f"{'; '.join(spread)}; {report.rows:,} rows of {what}; {WORKERS} workers, data and manifests synced to disk",
    }


def timed(path: Path, folder: Path) -> list[float]:
    """Seconds of REPEATS ingests into new stores."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        ingest(path, folder / "store", workers=WORKERS)
        seconds.append(time.perf_counter() - start)
        shutil.rmtree(folder / "store")
    return seconds


def equal_to_sqlite(path: Path, store: Path, names: Sequence[str]) -> bool:
    """Every clock and cell of the store is what sqlite3 reads, bit for bit. names: of the columns, the clock first."""
    columns = ", ".join(f'"{name}"' for name in names)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        for (code,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB '[0-9]*'"
        ).fetchall():
            rows = connection.execute(f'SELECT {columns} FROM "{code}" ORDER BY rowid').fetchall()
            table = np.array([row[1:] for row in rows], dtype=np.float64)
            panel = load_panel(store, codes=[code])
            if panel.clock.tolist() != [row[0] for row in rows]:
                return False
            for at, name in enumerate(names[1:]):
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
