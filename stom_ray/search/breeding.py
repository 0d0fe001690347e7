"""Children of two parents, on positions: uniform crossover, mutation by neighbouring steps; vectorised."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet

import numpy as np

from stom_ray.engine.types import Floats, ParamMatrix
from stom_ray.search.random_sampler import draw_unseen, unseen_rows
from stom_ray.search.space import Choice, Interval, Space, stack

MAX_BROODS = 16
INTERVAL_STEP = 0.1  # standard deviation of a mutation, as a share of the interval


class Breeding:
    """Each variable of a child comes from either parent, and one variable of a child mutates on average: in a list by 1, 2, 3 …
    places with odds 1/2, 1/4, 1/8 …, to any place of a list without order, in an interval by a normal step, reflected at the
    ends.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        intervals = [(column, item) for column, item in enumerate(space.variables) if isinstance(item, Interval)]
        self._continuous = np.array([column for column, _ in intervals], dtype=np.int64)
        self._low, self._high = np.zeros(len(space.variables)), np.zeros(len(space.variables))
        for column, variable in enumerate(space.variables):
            ends = variable.ends if isinstance(variable, Interval) else (0.0, len(variable.values) - 1)
            self._low[column], self._high[column] = ends
        unordered = [column for column, item in enumerate(space.variables) if isinstance(item, Choice) and not item.ordered]
        self._unordered = np.array(unordered, dtype=np.int64)

    def children(self, rng: np.random.Generator, mother: Floats, father: Floats) -> Floats:
        """(n, n_vars) positions of one child a pair."""
        shape = mother.shape
        child = np.where(rng.random(shape) < 0.5, mother, father)
        step = rng.geometric(0.5, shape) * rng.choice([-1.0, 1.0], shape)
        spread = INTERVAL_STEP * (self._high - self._low)[self._continuous]
        step[:, self._continuous] = rng.standard_normal((len(mother), len(self._continuous))) * spread
        movable = self._high > self._low
        moves = (rng.random(shape) < 1 / max(1, int(movable.sum()))) & movable
        moved = child + step
        sizes = self._high[self._unordered].astype(np.int64) + 1
        away = 1 + rng.integers(np.maximum(sizes - 1, 1), size=(len(mother), len(sizes)))
        moved[:, self._unordered] = (child[:, self._unordered] + away) % sizes
        moved = np.where(moved < self._low, 2 * self._low - moved, moved)
        moved = np.where(moved > self._high, 2 * self._high - moved, moved)
        children: Floats = np.where(moves, np.clip(moved, self._low, self._high), child)
        return children

    def fill(
        self, rng: np.random.Generator, n: int, seen: AbstractSet[bytes], parents: Callable[[], tuple[Floats, Floats]] | None
    ) -> ParamMatrix:
        """n rows not asked for before (fewer where there are none left): children of the pairs that `parents` draws, n at a time.

        What `MAX_BROODS` broods leave open, since their children were asked before, is filled with random rows; so is
        everything without parents.
        """
        fresh: set[bytes] = set()
        parts: list[ParamMatrix] = []
        if parents is not None:
            for _ in range(MAX_BROODS):
                if len(fresh) >= n:
                    break
                brood = self._space.decode(self.children(rng, *parents()))
                parts.append(unseen_rows(brood, n - len(fresh), seen, fresh))
        parts.append(draw_unseen(self._space, rng, n - len(fresh), seen, fresh))
        return stack(parts, len(self._space.variables))
