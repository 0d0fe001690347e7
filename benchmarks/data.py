"""The databases that the store's benchmarks measure on: real snapshots where they are, else generated rows of the same shape."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np

from stom_ray.schema.columns import LAYOUTS

REAL = Path("../shared/realdata")
PACKED = "cn_days00-39_packed.parquet"
CODES, DAYS, ROWS = 10, 8, 4_000


def tick_database(folder: Path, layout: str = "tick_v1") -> tuple[Path, str]:
    """(a tick database in `folder`, of 45 columns or, with layout tick_v2, of 54; what it is)."""
    path = folder / f"{layout}.db"
    if (REAL / PACKED).exists():
        command = [sys.executable, str(REAL / "make_tick_db.py"), str(REAL / PACKED), str(path), "--layout", layout[-2:]]
        subprocess.run(command, check=True, capture_output=True)
        return path, f"{REAL}/{PACKED}, 10 codes × 40 days"
    generate(path, layout)
    return path, f"generated, {CODES} codes × {DAYS} days × {ROWS} rows"


def generate(path: Path, layout: str = "tick_v1") -> None:
    """Numbers with the storage shapes of real ones: mostly whole, some with two decimals, some zero."""
    names = LAYOUTS[layout].values
    rng = np.random.default_rng(20240102)
    body = ", ".join(f'"{name}" REAL' for name in names)
    with closing(sqlite3.connect(path)) as connection:
        for number in range(CODES):
            code = f"{990_000 + number:06d}"
            connection.execute(f'CREATE TABLE "{code}" ("index" INTEGER, {body})')
            for day in range(DAYS):
                second = 32_400 + np.arange(ROWS)
                clock = (20240102 + day) * 1_000_000 + second // 3_600 * 10_000 + second // 60 % 60 * 100 + second % 60
                values = np.floor(rng.gamma(2.0, 20_000.0, (ROWS, len(names))))
                values[:, 4:14] = np.round(rng.normal(3.0, 2.0, (ROWS, 10)), 2)
                values[rng.random(values.shape) < 0.1] = 0.0
                rows = [[at, *row] for at, row in zip(clock.tolist(), values.tolist(), strict=True)]
                connection.executemany(f'INSERT INTO "{code}" VALUES ({",".join("?" * (1 + len(names)))})', rows)
            connection.execute(f'CREATE INDEX "ix_{code}_index" ON "{code}" ("index")')
        connection.commit()
