"""What is learned from train (a scaler, a model) must not move when rows outside of train do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from stom_ray.errors import ConfigError
from stom_ray.store.panel import Floats, Panel
from stom_ray.validation.audit.changes import HOW, Mask, Timeline
from stom_ray.validation.audit.cuts import Effort, first_cause, not_compared, same
from stom_ray.validation.audit.findings import Checked, Finding, shown
from stom_ray.validation.audit.splits import Split
from stom_ray.validation.audit.subjects import Function, StoppedError, called


class Fits:
    """A function of (panel, train) that gives what it learned: numbers, or a mapping of arrays of them. train: (n_rows,) bool."""

    def __init__(self, name: str, function: Function, panel: Panel, effort: Effort) -> None:
        self.name, self.function, self.effort = name, function, effort
        self.time = Timeline(panel, effort.seed)
        self.runs = 0
        self.stopped: list[str] = []

    def run(self, splits: tuple[Split, ...]) -> Checked:
        """Every fold. Raises ConfigError: no row in a fold's train, what is learned is no number or is another one every time."""
        found: list[Finding] = []
        values = 0
        for split in splits:
            train = split.train.rows(self.time.panel.clock)
            if not train.any():
                raise ConfigError(f"fold {split.number}: train has none of the {len(train):,} rows that are loaded")
            base = self._base(train)
            values += sum(len(column) for column in base.values())
            found += self._fold(split.number, train, base)
        notes = not_compared(self.name, self.stopped)
        return Checked("fit", self.name, values, self.runs, tuple(found), notes)

    def _base(self, train: Mask) -> dict[str, Floats]:
        try:
            base, again = (
                as_parameters(called(self.name, self.function, self._copy(), train.copy()), self.name) for _ in range(2)
            )
        except StoppedError as stopped:
            raise stopped.error from stopped
        if sizes(base) != sizes(again) or moved_parameter(base, again) is not None:
            raise ConfigError(f"{self.name} learns something else when it learns the same rows again: fix its seed")
        return base

    def _copy(self) -> Panel:
        return self.time.unchanged().panel

    def _fold(self, number: int, train: Mask, base: dict[str, Floats]) -> list[Finding]:
        outside = ~train
        for how in HOW if outside.any() else ():
            given = self._learned(how, outside, train)
            if given is None:
                continue
            if sizes(given) != sizes(base):
                counts = f"{sizes(base)} numbers, and {sizes(given)}"
                words = f"fold {number}: {self.name} learns {counts} with the rows outside of train {how}"
                return [Finding("full_sample", "fit", "size", words)]
            moved = moved_parameter(base, given, self.effort.tolerance)
            if moved is not None:
                return [self._finding(number, train, base, how, moved)]
        return []

    def _finding(self, number: int, train: Mask, base: dict[str, Floats], how: str, moved: tuple[str, int]) -> Finding:
        name, at = moved

        def value(rows: Mask) -> float | None:
            given = self._learned(how, rows, train)
            return None if given is None or sizes(given) != sizes(base) else float(given[name][at])

        before = base[name][at : at + 1]
        cause, after = first_cause(
            self.time, ~train, value, lambda v: bool(same(before, np.array([v]), self.effort.tolerance)[0])
        )
        place = self.time.place(cause)
        words = (
            f"fold {number}: {name}[{at}] that {self.name} learns is {shown(float(before[0]))}, and {shown(after)} with the row "
            f"{place} {how}, which is not in train"
        )
        return Finding("full_sample", "fit", f"{name}[{at}]", words, None, float(before[0]), after, place)

    def _learned(self, how: str, rows: Mask, train: Mask) -> dict[str, Floats] | None:
        view = self.time.changed(how, rows)
        self.runs += 1
        try:
            return as_parameters(called(self.name, self.function, view.panel, train[view.rows]), self.name)
        except StoppedError as stopped:
            self.stopped.append(str(stopped))
            return None


def as_parameters(given: Any, name: str) -> dict[str, Floats]:
    """Flat float64 arrays by name. Raises ConfigError for what is no number."""
    parts = given if isinstance(given, Mapping) else {"parameter": given}
    arrays = {str(key): np.asarray(value) for key, value in parts.items()}
    for key, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise ConfigError(f"{name}: {key} is {array.dtype}: expected numbers, or a mapping of arrays of numbers")
    if not sum(array.size for array in arrays.values()):
        raise ConfigError(f"{name} gives no number: expected what it learned, as numbers or a mapping of arrays of them")
    return {key: np.ascontiguousarray(array, dtype=np.float64).ravel() for key, array in arrays.items()}


def sizes(learned: dict[str, Floats]) -> dict[str, int]:
    return {key: len(column) for key, column in learned.items()}


def moved_parameter(base: dict[str, Floats], given: dict[str, Floats], tolerance: float = 0.0) -> tuple[str, int] | None:
    """(name, index) of the first one that differs; both have the same sizes."""
    for key, column in base.items():
        differ = ~same(column, given[key], tolerance)
        if differ.any():
            return key, int(np.argmax(differ))
    return None
