"""Rows per second of every window function of the language, one length: 14 columns of 60 rows, on two threads.

Equality first, cell by cell: the loader's columns against pandas' rolling windows, which define them, and Python's atan2 and
round; the raw windows against numpy's reductions of a slice, at every SAMPLE-th row. A pass makes a fresh matrix of columns, so
the memory that it touches for the first time is part of it.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.data import tick_database
from stom_ray.features.columns import WindowColumn, fill
from stom_ray.schema.windows import WINDOW_SOURCE
from stom_ray.store.ingest import ingest
from stom_ray.store.load import load_panel, select
from stom_ray.store.panel import Panel, Selection

LENGTH = 60
THREADS = 2
REPEATS = 5
SAMPLE = 97
LOADED = [WindowColumn(function, LENGTH, True) for function in WINDOW_SOURCE]
RAW = [WindowColumn(function, LENGTH, False) for function in WINDOW_SOURCE]
ANGLE_FACTORS = {"등락율각도": (5.0, 5.0), "당일거래대금각도": (1 / 100, 0.01), "전일비각도": (1.0, 1.0)}


def run(name: str) -> dict[str, Any]:
    """Median of REPEATS. Peer: pandas' rolling windows, numpy's arctan2 for the angles, one thread."""
    with tempfile.TemporaryDirectory(prefix="stom_ray_") as temporary:
        folder = Path(temporary)
        path, what = tick_database(folder)
        ingest(path, folder / "store", workers=THREADS)
        selection = select(load_panel(folder / "store"))
        panel = selection.selected
        equal = equals_definition(panel, columns(selection, LOADED), columns(selection, RAW))
        value, per_core = rates(selection, LOADED)
        raw_value, raw_per_core = rates(selection, RAW)
        started = time.perf_counter()
        for column in LOADED:
            by_pandas(panel, column.function)
        peer = panel.n_rows / (time.perf_counter() - started)
    return {
        "name": name,
        "value": value,
        "unit": "rows/s",
        "equal": equal,
        "peer": "pandas rolling, one thread",
        "ratio": value / peer,
        "command": "python -m benchmarks features",
        "detail": f"{len(LOADED)} columns of {LENGTH} rows, {panel.n_rows:,} rows of {what}; {THREADS} threads",
        "rows per processor second": per_core,
        "raw": raw_value,
        "raw per processor second": raw_per_core,
    }


def columns(selection: Selection, wanted: list[WindowColumn]) -> np.ndarray:
    """(n_columns, n_rows)"""
    matrix = np.empty((len(wanted), selection.selected.n_rows))
    fill(selection, wanted, list(matrix), THREADS)
    return matrix


def rates(selection: Selection, wanted: list[WindowColumn]) -> tuple[float, float]:
    """Rows per second by the clock on the wall, and by the processor time of all threads: what others' work cannot disturb."""
    wall, processor = [], []
    for _ in range(REPEATS):
        started, used = time.perf_counter(), time.process_time()
        columns(selection, wanted)
        wall.append(time.perf_counter() - started)
        processor.append(time.process_time() - used)
    return selection.selected.n_rows / statistics.median(wall), selection.selected.n_rows / statistics.median(processor)


def equals_definition(panel: Panel, loaded: np.ndarray, raw: np.ndarray) -> bool:
    for column, values in zip(LOADED, loaded, strict=True):
        angle = column.function in ANGLE_FACTORS
        expected = by_atan2(panel, column.function) if angle else by_pandas(panel, column.function)
        if not np.array_equal(values, expected, equal_nan=True):
            return False
    return all(raw_equals_slices(panel, column.function, values) for column, values in zip(RAW, raw, strict=True))


def instruments(panel: Panel, function: str) -> Iterator[tuple[slice, np.ndarray]]:
    values = panel.column(WINDOW_SOURCE[function])
    for start, stop in pairwise(panel.instrument_offsets):
        yield slice(start, stop), values[start:stop]


def by_pandas(panel: Panel, function: str) -> np.ndarray:
    """The loader's column as STOM makes it; angles rounded by numpy, so not to the last hundredth."""
    out = np.empty(panel.n_rows)
    for rows, values in instruments(panel, function):
        if function in ANGLE_FACTORS:
            change = pd.Series(values).diff(LENGTH - 1).to_numpy() * ANGLE_FACTORS[function][0]
            out[rows] = np.round(np.arctan2(change, LENGTH) / (2 * np.pi) * 360, 2)
            continue
        rolling = pd.Series(values).rolling(LENGTH)
        if function.startswith("누적"):
            out[rows] = rolling.sum()
        elif function.startswith("최고"):
            out[rows] = rolling.max()
        elif function.startswith("최저"):
            out[rows] = rolling.min()
        else:
            out[rows] = rolling.mean().round(0 if function == "초당거래대금평균" else 3)
    return out


def by_atan2(panel: Panel, function: str) -> np.ndarray:
    """Angles of the loader's columns, each by Python's own atan2 and round."""
    out = np.full(panel.n_rows, np.nan)
    for rows, values in instruments(panel, function):
        changes = values[LENGTH - 1 :] - values[: len(values) - LENGTH + 1]
        changes = changes / 100 if function == "당일거래대금각도" else changes * ANGLE_FACTORS[function][0]
        out[rows.start + LENGTH - 1 : rows.stop] = [degrees(change) for change in changes.tolist()]
    return out


def degrees(opposite: float) -> float:
    return round(math.atan2(opposite, LENGTH) / (2 * math.pi) * 360, 2)


def raw_equals_slices(panel: Panel, function: str, column: np.ndarray) -> bool:
    for rows, values in instruments(panel, function):
        for end in range(LENGTH - 1, len(values), SAMPLE):
            window = values[end - LENGTH + 1 : end + 1]
            if function in ANGLE_FACTORS:
                expected = degrees(float(window[-1] - window[0]) * ANGLE_FACTORS[function][1])
            elif function.startswith("누적"):
                expected = window.sum()
            elif function.startswith(("최고", "최저")):
                expected = window.max() if function.startswith("최고") else window.min()
            else:
                expected = np.trunc(window.mean()) if function == "초당거래대금평균" else np.round(window.mean(), 3)
            if column[rows][end] != expected:
                return False
    return True
