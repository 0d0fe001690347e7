"""A genetic algorithm over lists of values: tournaments among the best rows, children by `breeding`."""

from __future__ import annotations

import math
from collections.abc import Set as AbstractSet

import numpy as np

from stom_ray.engine.types import Floats, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.search.breeding import Breeding
from stom_ray.search.samplers import batch_rng
from stom_ray.search.space import Space

FEWEST = 64
GROWTH = 2
TOURNAMENT = 3


class GeneticSampler:
    """Random until `population` rows were told, then children of the `population` best rows so far.

    Without a number the population grows with the study, 2 √(rows told) and never below 64: a small one is soon of one family and
    stays at the nearest top, a large one wastes the rows of a short study. Each parent is the best of `tournament` drawn ones.
    What broods leave open is filled with random rows (`Breeding`).
    """

    source = "genetic"

    def __init__(self, space: Space, seed: int, island: int, population: int | None = None, tournament: int = TOURNAMENT) -> None:
        """ConfigError when two parents cannot be chosen."""
        if (population is not None and population < 2) or tournament < 1:
            raise ConfigError(
                f"genetic population is {population}, tournament {tournament}: expected at least 2 rows to choose parents from, "
                "and at least 1 drawn for each parent"
            )
        self._space, self._seed, self._island = space, seed, island
        self._population, self._tournament = population, tournament
        self._told = 0
        self._parents: Floats = np.empty((0, len(space.variables)))
        self._scores: Floats = np.empty(0)
        self._breeding = Breeding(space)

    def ask(self, batch: int, n: int, seen: AbstractSet[bytes]) -> ParamMatrix:
        rng = batch_rng(self._seed, self._island, batch)

        def pairs() -> tuple[Floats, Floats]:
            # Parents stand best first, so the lowest place wins a tournament.
            mother, father = self._parents[rng.integers(len(self._parents), size=(2, n, self._tournament)).min(axis=-1)]
            return mother, father

        ready = self._told >= (self._population or FEWEST) and len(self._parents) > 1
        return self._breeding.fill(rng, n, seen, pairs if ready else None)

    def tell(self, batch: int, params: ParamMatrix, objective: Floats) -> None:
        self.inform(params, objective)

    def inform(self, params: ParamMatrix, objective: Floats) -> None:
        positions = self._space.encode(params)
        usable = ~np.isnan(positions).any(axis=1) & ~np.isnan(objective)
        parents = np.concatenate([self._parents, positions[usable]])
        scores = np.concatenate([self._scores, objective[usable]])
        self._told += len(objective)
        room = self._population or max(FEWEST, GROWTH * math.isqrt(self._told))
        best = np.argsort(-scores, kind="stable")[:room]
        self._parents, self._scores = parents[best], scores[best]
