"""Parameter rows of STOM's sweeps, with the two numbers STOM names each by: vturn and vkey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stom_ray.conditions.ranges import Ranges
from stom_ray.engine.types import MAX_AVGTIME, Ints, ParamMatrix, short
from stom_ray.errors import ConfigError

ROWS_A_TURN = 20


@dataclass(frozen=True)
class SweepPlan:
    """Rows to run. vturn, vkey: (n_candidates,) as STOM numbers them. loaded_lengths: every value of self.vars[0], sorted."""

    params: ParamMatrix
    vturn: Ints
    vkey: Ints
    loaded_lengths: tuple[int, ...]


def one_at_a_time(ranges: Ranges) -> SweepPlan:
    """Each value of each variable with the others at their best: vturn is the variable, vkey the value's index.

    Variables with one value are skipped; when all have one, the bests are the only row (0, 0). Raises ConfigError when
    self.vars[0], STOM's avgtime, has a value that is no row count.
    """
    best = {variable.index: variable.best for variable in ranges.variables}
    width = max(best, default=-1) + 1
    rows: list[list[int | float]] = []
    turns: list[int] = []
    keys: list[int] = []
    for variable in ranges.variables:
        if len(variable.values) < 2:
            continue
        for key, value in enumerate(variable.values):
            rows.append([{**best, variable.index: value}.get(index, 0) for index in range(width)])
            turns.append(variable.index)
            keys.append(key)
    if not rows:
        rows, turns, keys = [[best.get(index, 0) for index in range(width)]], [0], [0]
    first = next((variable for variable in ranges.variables if variable.index == 0), None)
    lengths = (*first.values, first.best) if first is not None else ()
    return SweepPlan(ParamMatrix.from_rows(rows), _ints(turns), _ints(keys), loaded_lengths(lengths))


def explicit_rows(rows: Sequence[Sequence[int | float]]) -> SweepPlan:
    """The rows as given; row i is vturn i // 20, vkey i % 20. Raises ConfigError for no rows, or rows of different lengths."""
    if not rows or not rows[0]:
        raise ConfigError("no parameter rows: expected a list of rows, each with self.vars[0] (STOM's avgtime) and what follows")
    numbers = range(len(rows))
    params = ParamMatrix.from_rows(rows)
    turns, keys = _ints([i // ROWS_A_TURN for i in numbers]), _ints([i % ROWS_A_TURN for i in numbers])
    return SweepPlan(params, turns, keys, loaded_lengths([row[0] for row in rows]))


def loaded_lengths(values: Sequence[int | float]) -> tuple[int, ...]:
    """The window lengths that self.vars[0] makes STOM load: its distinct values, sorted."""
    for value in values:
        if not 1 <= value <= MAX_AVGTIME or value != int(value):
            raise ConfigError(
                f"self.vars[0] has the value {short(value)}: it is STOM's avgtime, a whole number of rows, 1 to {MAX_AVGTIME:,}"
            )
    return tuple(sorted({int(value) for value in values}))


def _ints(values: Sequence[int]) -> Ints:
    return np.array(values, dtype=np.int64)
