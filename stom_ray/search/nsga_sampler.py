"""NSGA-II and NSGA-III: populations on the way to the front of several objectives, under limits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Set as AbstractSet

import numpy as np

from stom_ray.engine.types import Floats, Ints, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.search.breeding import Breeding
from stom_ray.search.samplers import batch_rng
from stom_ray.search.space import Space
from stom_ray.search.survival import by_crowding, by_directions, reference_directions

POPULATION = 50


class NsgaSampler(ABC):
    """Random until `population` rows were told, then a batch is children of the population; of it and of them, `population` rows
    live on. Each parent wins a tournament of two; children are made as the genetic sampler's.

    The population is a function of what was told, in order. Optuna's samplers of these names are not used: they keep
    generations and caches in attributes of numbered trials, which a ledger of rows cannot give back. Rows off the lists and
    failed rows are no parents.
    """

    source: str

    def __init__(self, space: Space, seed: int, island: int, population: int = POPULATION) -> None:
        """ConfigError when two parents cannot be chosen."""
        if population < 2:
            raise ConfigError(f"{self.source} population is {population}: expected at least 2 rows to choose parents from")
        self._space, self._seed, self._island, self._population = space, seed, island, population
        self._told = 0
        self._positions: Floats = np.empty((0, len(space.variables)))
        self._aims: Floats = np.empty((0, 0))
        self._breeding = Breeding(space)

    def ask(self, batch: int, n: int, seen: AbstractSet[bytes]) -> ParamMatrix:
        rng = batch_rng(self._seed, self._island, batch)
        if self._told < self._population or len(self._positions) < 2:
            return self._breeding.fill(rng, n, seen, None)
        place = self._places(self._aims)

        def pairs() -> tuple[Floats, Floats]:
            drawn = rng.integers(len(place), size=(2, n, 2))
            won = np.where(place[drawn[..., 0]] <= place[drawn[..., 1]], drawn[..., 0], drawn[..., 1])
            mother, father = self._positions[won]
            return mother, father

        return self._breeding.fill(rng, n, seen, pairs)

    def tell(self, batch: int, params: ParamMatrix, objective: Floats, aims: Floats) -> None:
        self.inform(params, objective, aims)
        if len(self._positions) > self._population:
            kept = self._survivors(self._aims, self._population, batch_rng(self._seed, self._island, batch))
            self._positions, self._aims = self._positions[kept], self._aims[kept]

    def inform(self, params: ParamMatrix, objective: Floats, aims: Floats) -> None:
        positions = self._space.encode(params)
        usable = ~np.isnan(positions).any(axis=1) & ~np.isnan(aims).any(axis=1)
        self._positions = np.concatenate([self._positions, positions[usable]])
        self._aims = np.concatenate([self._aims.reshape(len(self._aims), aims.shape[1]), aims[usable]])
        self._told += len(aims)

    @abstractmethod
    def _survivors(self, aims: Floats, n: int, rng: np.random.Generator) -> Ints:
        """n rows that live on."""

    @abstractmethod
    def _places(self, aims: Floats) -> Ints:
        """(n,) the lower one wins a tournament, the first drawn one among equals."""


class Nsga2Sampler(NsgaSampler):
    """Fronts, and within one the rows that are most alone. For two objectives.

    Source: Deb et al. (2002), doi:10.1109/4235.996017.
    """

    source = "nsga2"

    def _survivors(self, aims: Floats, n: int, rng: np.random.Generator) -> Ints:
        return by_crowding(aims, n)

    def _places(self, aims: Floats) -> Ints:
        places = np.empty(len(aims), dtype=np.int64)
        places[by_crowding(aims, len(aims))] = np.arange(len(aims))
        return places


class Nsga3Sampler(NsgaSampler):
    """Fronts, and within one the rows along directions that are evenly spread, `population` of them or a few less.

    For three objectives and more. Tournaments look at limits alone. Source: Deb and Jain (2014), doi:10.1109/TEVC.2013.2281535.
    """

    source = "nsga3"

    def _survivors(self, aims: Floats, n: int, rng: np.random.Generator) -> Ints:
        return by_directions(aims, n, reference_directions(aims.shape[1] - 1, n), rng)

    def _places(self, aims: Floats) -> Ints:
        return np.unique(aims[:, -1], return_inverse=True)[1]
