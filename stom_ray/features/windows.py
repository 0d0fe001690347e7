"""The windows of the condition language as columns: 이동평균, 최고현재가 … 전일비각도 (spec/engine.md §1.2-1.6, §2.3, §4).

`precomputed` is what STOM's loader puts beside the table, rolling over an instrument's loaded rows across days. `raw` is what a
window of any other length computes on the spot, over the rows of the selection. `raw_value` is one value of `raw`. Several
columns at once come from `features.columns.fill`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stom_ray.features.columns import WindowColumn, over_panel
from stom_ray.features.slices import RAW
from stom_ray.schema.windows import WINDOW_SOURCE
from stom_ray.store.panel import Panel

Floats = NDArray[np.float64]

SOURCE = WINDOW_SOURCE


def precomputed(panel: Panel, function: str, length: int) -> Floats:
    """The loader's column for (function, length) over every row of `panel`.

    Returns: (n_rows,) float64; NaN before the window has filled, counted from the instrument's first row, and while it holds a
    NaN. Raises ConfigError for 이동평균 of a length that STOM does not precompute.
    """
    return over_panel(panel, WindowColumn(function, length, True))


def raw(panel: Panel, function: str, length: int) -> Floats:
    """The window of `length` rows that ends at each row, over the instrument's rows of the selected `panel`, across days.

    Returns: (n_rows,) float64, equal bit for bit to `raw_value` row by row; NaN where the window would begin before the
    instrument's first row.
    """
    return over_panel(panel, WindowColumn(function, length, False))


def raw_value(function: str, values: Floats, end: int, length: int) -> float:
    """One value of `raw`: the window over values[end - length + 1 .. end], which must exist. numba code calls RAW[function]."""
    return RAW[function](values, end, length)
