"""A table as it is shown: cells with their text, the value they sort by and, where it helps, a bar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """hint: what the column means, shown on hovering. numeric: right-aligned, sorted by value, largest first."""

    title: str
    hint: str = ""
    numeric: bool = True


@dataclass(frozen=True)
class Cell:
    """order: what the column sorts by. bar: % of the track it fills, from
    the middle and at most ±50 (from the left and at most 100 where css is "single"); None for no bar. css: extra class names."""

    text: str
    order: str = ""
    bar: float | None = None
    css: str = ""


@dataclass(frozen=True)
class Grid:
    """name: id in the page. note: said below, e.g. that rows are left out. group: titles over columns with their spans.
    wraps: long code may break into lines."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    group: tuple[tuple[str, int], ...] = ()
    sortable: bool = True
    wraps: bool = False

    @property
    def bar_text(self) -> int:
        """Longest text beside a bar, so that bars of a column stand in line."""
        return max((len(cell.text) for row in self.rows for cell in row if cell.bar is not None), default=0)


def text(value: str, css: str = "") -> Cell:
    """A cell of words."""
    return Cell(value, value, css=css)


def number(shown: str, value: float | None, css: str = "") -> Cell:
    """A cell of a number; what is not finite sorts last."""
    known = value is not None and math.isfinite(value)
    return Cell(shown, repr(float(value)) if known and value is not None else "", css=css)


def bar(shown: str, value: float, most: float) -> Cell:
    """A number with a bar from the middle: to the right for gains; `most` fills the half."""
    if not math.isfinite(value):
        return Cell(shown)
    return Cell(shown, repr(float(value)), bar=50.0 * value / most if most > 0 else 0.0)


def largest(values: Sequence[float]) -> float:
    """Largest distance from zero among the finite values; 0 when there is none."""
    return max((abs(value) for value in values if math.isfinite(value)), default=0.0)
