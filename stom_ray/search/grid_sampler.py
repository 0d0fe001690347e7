"""Every row of the grid, in order."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from stom_ray.engine.types import Floats, ParamMatrix
from stom_ray.search.space import Space


class GridSampler:
    """The full grid, the last variable changing fastest; batch after batch until it is through."""

    source = "grid"

    def __init__(self, space: Space) -> None:
        """RangeError when the space has an interval."""
        space.grid(0, 0)
        self._space = space
        self._next = 0

    def ask(self, batch: int, n: int, seen: AbstractSet[bytes]) -> ParamMatrix:
        return self._space.grid(self._next, n)

    def tell(self, batch: int, params: ParamMatrix, objective: Floats) -> None:
        self._next += len(params)

    def inform(self, params: ParamMatrix, objective: Floats) -> None:
        """A grid learns nothing."""
