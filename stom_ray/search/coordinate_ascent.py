"""STOM's own search, which it calls grid: one variable at a time, all moved together at the end of a pass (spec/metrics.md)."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np

from stom_ray.engine.types import Floats, ParamMatrix
from stom_ray.errors import RangeError
from stom_ray.search.space import Choice, Space, stack

MAX_PASSES = 100


@dataclass(frozen=True)
class Probe:
    """One evaluation of a pass: `self.vars[variable]` at its value number `place`, the others at their best. NaN: it failed."""

    variable: int
    place: int
    score: float


@dataclass(frozen=True)
class Round:
    """A pass that was scored. number: 0 is the user's own values alone (probe 0, 0). best: the values it started from."""

    number: int
    best: tuple[int | float, ...]
    probes: tuple[Probe, ...]


class CoordinateAscent:
    """A batch is a pass: every value of every variable that has more than one, the others at their best.

    passes: STOM's `ccount`, the most passes; 0 = until nothing moves, at most 100. A pass is asked whole, whatever n is. `rounds`
    is the trajectory. A failed row never becomes the best.
    """

    source = "coordinate"

    def __init__(self, space: Space, passes: int = 0) -> None:
        """RangeError when the space has an interval."""
        if space.size is None:
            raise RangeError("coordinate ascent needs lists of values: give every interval a step, or use tpe or random")
        self._choices = tuple(variable for variable in space.variables if isinstance(variable, Choice))
        self._passes = passes or MAX_PASSES
        self.best: tuple[int | float, ...] = tuple(choice.present for choice in self._choices)
        self.rounds: list[Round] = []
        self._moved = True
        self._best_score = -np.inf

    def ask(self, batch: int, n: int, seen: AbstractSet[bytes]) -> ParamMatrix:
        if not self._moved or len(self.rounds) > self._passes:
            return stack([], len(self._choices))
        return ParamMatrix.from_rows([self._row(probe) for probe in self._probes()])

    def tell(self, batch: int, params: ParamMatrix, objective: Floats) -> None:
        probes = [replace(probe, score=float(score)) for probe, score in zip(self._probes(), objective, strict=True)]
        start = self._best_score
        self.rounds.append(Round(len(self.rounds), self.best, tuple(probes)))
        self._best_score = max([start, *(probe.score for probe in probes if not np.isnan(probe.score))])
        if len(self.rounds) == 1:
            return
        moved = tuple(self._moved_to(variable, probes, start) for variable in range(len(self._choices)))
        self._moved = moved != self.best
        self.best = moved

    def inform(self, params: ParamMatrix, objective: Floats) -> None:
        """STOM's search looks at nothing but its own rounds."""

    def _probes(self) -> list[Probe]:
        if not self.rounds:
            return [Probe(0, 0, np.nan)]
        return [
            Probe(variable, place, np.nan)
            for variable, choice in enumerate(self._choices)
            if len(choice.values) > 1
            for place in range(len(choice.values))
        ]

    def _row(self, probe: Probe) -> list[int | float]:
        row = list(self.best)
        if self.rounds:
            row[probe.variable] = self._choices[probe.variable].values[probe.place]
        return row

    def _moved_to(self, variable: int, probes: list[Probe], start: float) -> int | float:
        """The value that beats `start`, or equals the best so far from further along the range."""
        values = self._choices[variable].values
        best, score = self.best[variable], start
        at = values.index(best) if best in values else -1
        for probe in probes:
            if probe.variable == variable and (probe.score > score or (probe.score == score and probe.place > at)):
                at, score = probe.place, probe.score
        return values[at] if at >= 0 else best
