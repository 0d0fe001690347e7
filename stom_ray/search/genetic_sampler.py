"""A genetic algorithm over lists of values: tournaments, uniform crossover, mutation by neighbouring steps; vectorised."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import numpy as np

from stom_ray.engine.types import Floats, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.search.random_sampler import draw_unseen, unseen_rows
from stom_ray.search.samplers import batch_rng
from stom_ray.search.space import Interval, Space, stack

POPULATION = 64
TOURNAMENT = 3
MAX_BROODS = 16
INTERVAL_STEP = 0.1  # standard deviation of a mutation, as a share of the interval


class GeneticSampler:
    """Random until `population` rows were told, then children of the `population` best rows so far.

    Each parent is the best of `tournament` drawn ones, each variable comes from either parent, and one variable of a child
    mutates on average: in a list by 1, 2, 3 … places with odds 1/2, 1/4, 1/8 …, in an interval by a normal step, reflected at
    the ends. What `MAX_BROODS` broods leave open, since their children were asked before, is filled with random rows.
    """

    source = "genetic"

    def __init__(self, space: Space, seed: int, island: int, population: int = POPULATION, tournament: int = TOURNAMENT) -> None:
        """ConfigError when two parents cannot be chosen."""
        if population < 2 or tournament < 1:
            raise ConfigError(
                f"genetic population is {population}, tournament {tournament}: expected at least 2 rows to choose parents from, "
                "and at least 1 drawn for each parent"
            )
        self._space, self._seed, self._island = space, seed, island
        self._population, self._tournament = population, tournament
        self._told = 0
        self._parents: Floats = np.empty((0, len(space.variables)))
        self._scores: Floats = np.empty(0)
        intervals = [(column, item) for column, item in enumerate(space.variables) if isinstance(item, Interval)]
        self._continuous = np.array([column for column, _ in intervals], dtype=np.int64)
        self._low, self._high = np.zeros(len(space.variables)), np.zeros(len(space.variables))
        for column, variable in enumerate(space.variables):
            self._low[column] = variable.low if isinstance(variable, Interval) else 0.0
            self._high[column] = variable.high if isinstance(variable, Interval) else len(variable.values) - 1

    def ask(self, batch: int, n: int, seen: AbstractSet[bytes]) -> ParamMatrix:
        rng = batch_rng(self._seed, self._island, batch)
        fresh: set[bytes] = set()
        parts: list[ParamMatrix] = []
        if self._told >= self._population and len(self._parents) > 1:
            for _ in range(MAX_BROODS):
                if len(fresh) >= n:
                    break
                parts.append(unseen_rows(self._space.decode(self._breed(rng, n)), n - len(fresh), seen, fresh))
        parts.append(draw_unseen(self._space, rng, n - len(fresh), seen, fresh))
        return stack(parts, len(self._space.variables))

    def tell(self, batch: int, params: ParamMatrix, objective: Floats) -> None:
        self.inform(params, objective)

    def inform(self, params: ParamMatrix, objective: Floats) -> None:
        positions = self._space.encode(params)
        usable = ~np.isnan(positions).any(axis=1) & ~np.isnan(objective)
        parents = np.concatenate([self._parents, positions[usable]])
        scores = np.concatenate([self._scores, objective[usable]])
        best = np.argsort(-scores, kind="stable")[: self._population]
        self._parents, self._scores = parents[best], scores[best]
        self._told += len(objective)

    def _breed(self, rng: np.random.Generator, n: int) -> Floats:
        """(n, n_vars) positions."""
        shape = (n, len(self._low))
        # Parents stand best first, so the lowest place wins a tournament.
        mother, father = self._parents[rng.integers(len(self._parents), size=(2, n, self._tournament)).min(axis=-1)]
        child = np.where(rng.random(shape) < 0.5, mother, father)
        step = rng.geometric(0.5, shape) * rng.choice([-1.0, 1.0], shape)
        spread = INTERVAL_STEP * (self._high - self._low)[self._continuous]
        step[:, self._continuous] = rng.standard_normal((n, len(self._continuous))) * spread
        movable = self._high > self._low
        moves = (rng.random(shape) < 1 / max(1, int(movable.sum()))) & movable
        moved = child + step
        moved = np.where(moved < self._low, 2 * self._low - moved, moved)
        moved = np.where(moved > self._high, 2 * self._high - moved, moved)
        children: Floats = np.where(moves, np.clip(moved, self._low, self._high), child)
        return children
