"""Does the winner stand on a plateau or on a needle: what its neighbours in the space score.

A neighbour differs in one variable by one step: the values before and after on a list, or a share of an interval. A rule that
found something in the market earns nearly as much a step away; one that found noise does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.types import Floats, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.search.space import Choice, Space, Variable

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Plateau:
    """neighbours: how many were scored; failed: those of them without a score. within: share of all neighbours, failed ones too,
    that stay within the tolerance of the winner. median_ratio: median of their score over the winner's, failed ones counting as
    -inf; NaN unless the winner's is positive. All NaN without neighbours. better: neighbours that score more than the winner.
    """

    neighbours: int
    failed: int
    within: float
    median_ratio: float
    better: int


def plateau(winner: float, neighbours: Floats, *, tolerance: float = 0.2) -> Plateau:
    """Scores beside the winner's. neighbours: (n,), higher is better, NaN failed. tolerance: fraction of the winner's size, >= 0.

    Raises ConfigError for a winner that is no number and a negative tolerance.
    """
    if not math.isfinite(winner):
        raise ConfigError(f"the winner scores {winner}: expected a number")
    if not tolerance >= 0:
        raise ConfigError(f"tolerance is {tolerance}: expected a fraction of the winner's score, at least 0")
    failed = np.isnan(neighbours)
    scores = np.where(failed, -np.inf, neighbours)
    if len(scores) == 0:
        return Plateau(0, 0, math.nan, math.nan, 0)
    return Plateau(
        neighbours=len(scores),
        failed=int(failed.sum()),
        within=float(np.mean(scores >= winner - tolerance * abs(winner))),
        median_ratio=float(np.quantile(scores, 0.5, method="lower")) / winner if winner > 0 else math.nan,
        better=int(np.sum(scores > winner)),
    )


def neighbour_rows(space: Space, winner: ParamMatrix, *, interval_step: float = 0.05) -> tuple[ParamMatrix, Ints]:
    """Rows (n, n_vars) one step from the winner, and (n,) the variable that each changes; variables in order, the step down
    first.

    winner: (1, n_vars). A step is one place on a list, any other value of a list without order, or interval_step
    × (high - low), of logarithms on a log scale. Variables at the end of their list or
    interval have one neighbour, fixed ones none; a value that is not on its list (the user's own) has the nearest listed values
    around it. Raises ConfigError: several winners, an interval_step outside 0..1.
    """
    if winner.values.shape != (1, len(space.variables)):
        raise ConfigError(f"the winner has shape {winner.values.shape}: expected one row of {len(space.variables)} values")
    if not 0 < interval_step < 1:
        raise ConfigError(f"interval_step is {interval_step}: expected a fraction of the interval, above 0 and below 1")
    changed: list[int] = []
    values, is_float = [], []
    for column, variable in enumerate(space.variables):
        for value in _steps(variable, float(winner.values[0, column]), interval_step):
            changed.append(column)
            values.append(winner.values[0].copy())
            is_float.append(winner.is_float[0].copy())
            values[-1][column], is_float[-1][column] = value, isinstance(value, float)
    width = len(space.variables)
    rows = ParamMatrix(np.array(values).reshape(-1, width), np.array(is_float, dtype=np.bool_).reshape(-1, width))
    return rows, np.array(changed, dtype=np.int64)


def _steps(variable: Variable, value: float, interval_step: float) -> list[int | float]:
    """The values one step down and one step up, where there are any."""
    if not isinstance(variable, Choice):
        first, last = variable.ends
        size, at = interval_step * (last - first), math.log(value) if variable.log else value
        ends = variable.values_at(np.array([max(first, at - size), min(last, at + size)]))
        return [end for end in ends.tolist() if end != value]
    if not variable.ordered:
        return [other for other in variable.values if other != value]
    if value in variable.values:
        place = variable.values.index(value)
        return [variable.values[at] for at in (place - 1, place + 1) if 0 <= at < len(variable.values)]
    below, above = ([one for one in variable.values if sign * one > sign * value] for sign in (-1, 1))
    return [*([max(below)] if below else []), *([min(above)] if above else [])]
