"""One stream of batches: a sampler, what it was told, and when it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from stom_ray.engine.types import Floats, Ints, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.search.cmaes_sampler import CmaEsSampler
from stom_ray.search.coordinate_ascent import CoordinateAscent
from stom_ray.search.genetic_sampler import GeneticSampler
from stom_ray.search.grid_sampler import GridSampler
from stom_ray.search.known_rows import KnownRows
from stom_ray.search.nsga_sampler import Nsga2Sampler, Nsga3Sampler
from stom_ray.search.qmc_sampler import QmcSampler
from stom_ray.search.random_sampler import RandomSampler
from stom_ray.search.samplers import OfOne, Sampler, SeveralSampler
from stom_ray.search.space import Space, parameter_keys, take
from stom_ray.search.structure_sampler import StructureSampler
from stom_ray.search.tpe_sampler import TpeSampler
from stom_ray.search.two_stage_sampler import TwoStageSampler

SamplerName = Literal[
    "cmaes", "coordinate", "genetic", "grid", "nsga2", "nsga3", "optuna", "qmc", "random", "structure", "tpe", "two_stage"
]
ONE_SEQUENCE = ("coordinate", "grid", "optuna")
LISTED: dict[str, Callable[..., Sampler]] = {"coordinate": CoordinateAscent, "grid": GridSampler}
SEEDED: dict[str, Callable[..., Sampler]] = {
    "genetic": GeneticSampler,
    "random": RandomSampler,
    "structure": StructureSampler,
    "tpe": TpeSampler,
}
BY_BATCH_SIZE: dict[str, Callable[..., Sampler]] = {"cmaes": CmaEsSampler, "qmc": QmcSampler, "two_stage": TwoStageSampler}
SEVERAL: dict[str, Callable[..., SeveralSampler]] = {"nsga2": Nsga2Sampler, "nsga3": Nsga3Sampler}
MAX_BARREN_BATCHES = 20


@dataclass(frozen=True)
class IslandPlan:
    """What makes an island's stream; it can be sent to another process.

    number: 0 … islands-1. aims: columns of the goal's aims. evaluations: distinct rows it may ask for; patience: batches without
    a better objective after which it ends (None: never). options: of the sampler (tpe: startup, history; genetic: population,
    tournament; nsga2, nsga3: population; two_stage: wide, survivors, modelled; structure: partners, levels, population, most;
    coordinate: passes).
    """

    space: Space
    sampler: SamplerName
    seed: int
    number: int
    batch_size: int
    evaluations: int
    patience: int | None = None
    options: Mapping[str, int] = field(default_factory=dict)
    aims: int = 0

    def make_sampler(self) -> SeveralSampler:
        """ConfigError for an unknown sampler or option, several aims that a sampler wants and the goal lacks, RangeError for a
        space it cannot search.
        """
        if self.sampler == "optuna":
            raise ConfigError("sampler optuna asks one candidate a trial and runs over Ray only: use the ray backend, or tpe")
        if self.sampler in SEVERAL and self.aims == 0:
            raise ConfigError(f"sampler {self.sampler} weighs several objectives, and the goal has one: give several, or genetic")
        if self.sampler not in get_args(SamplerName):
            raise ConfigError(f"sampler {self.sampler!r}: expected one of {', '.join(get_args(SamplerName))}")
        try:
            if self.sampler in SEVERAL:
                return SEVERAL[self.sampler](self.space, self.seed, self.number, **self.options)
            if self.sampler in LISTED:
                return OfOne(LISTED[self.sampler](self.space, **self.options))
            if self.sampler in SEEDED:
                return OfOne(SEEDED[self.sampler](self.space, self.seed, self.number, **self.options))
            return OfOne(BY_BATCH_SIZE[self.sampler](self.space, self.seed, self.number, self.batch_size, **self.options))
        except TypeError as error:
            raise ConfigError(f"sampler {self.sampler} does not take the options {sorted(self.options)}: {error}") from error


@dataclass(frozen=True)
class Asked:
    """A batch to be scored. rows: (m,) the rows that the island knows nothing of, each key once."""

    number: int
    params: ParamMatrix
    keys: list[bytes]
    rows: Ints


class Island:
    """Ask, evaluate (whoever does it), tell, until `ended` gives a reason; told from the ledger, it stands where it stood."""

    def __init__(self, plan: IslandPlan) -> None:
        self.plan = plan
        self.sampler = plan.make_sampler()
        self.next_batch = 0
        self.ended: str | None = None
        self.best = -np.inf
        self.evaluations = 0
        self._known = KnownRows(1 + plan.aims)
        self._without_better = 0
        self._barren = 0

    def inform(self, params: ParamMatrix, marks: Floats) -> None:
        """Rows from elsewhere: the present values, another island's best. They cost no evaluation; known ones are passed over.

        marks: (n, 1 + m), as everywhere here (`search.samplers`).
        """
        keys = parameter_keys(params)
        new = self._known.places(keys) < 0
        self._known.add(keys, marks)
        self.sampler.inform(take(params, new), marks[new, 0], marks[new, 1:])
        self.best = float(np.fmax.reduce(marks[:, 0], initial=self.best))

    def ask(self) -> Asked | None:
        """The next batch, None once the island has ended."""
        if self.ended is not None:
            return None
        remaining = min(self.plan.batch_size, self.plan.evaluations - self.evaluations)
        params = self.sampler.ask(self.next_batch, remaining, self._known)
        if len(params) == 0:
            self.ended = "nothing left to ask"
            return None
        keys = parameter_keys(params)
        fresh: dict[bytes, int] = {}
        for row in np.flatnonzero(self._known.places(keys) < 0).tolist():
            fresh.setdefault(keys[row], row)
        return Asked(self.next_batch, params, keys, np.array(list(fresh.values()), dtype=np.int64))

    def known(self, asked: Asked, scored: Floats) -> Floats:
        """(n, 1 + m) marks of all asked rows, from those of `asked.rows` and what the island knew."""
        places = self._known.places(asked.keys)
        fresh = {asked.keys[row]: at for at, row in enumerate(asked.rows)}
        new, old = np.flatnonzero(places < 0), np.flatnonzero(places >= 0)
        found = np.empty((len(asked.keys), scored.shape[1]))
        found[new] = scored[[fresh[asked.keys[row]] for row in new]]
        found[old] = self._known.marks([asked.keys[row] for row in old])
        return found

    def tell(self, params: ParamMatrix, keys: list[bytes], marks: Floats) -> None:
        """The next batch, complete: just scored, or read from the ledger."""
        objective = marks[:, 0]
        new = self._known.add(keys, marks)
        self.evaluations += new
        self.sampler.tell(self.next_batch, params, objective, marks[:, 1:])
        self.next_batch += 1
        best = float(np.fmax.reduce(objective, initial=-np.inf))
        self._without_better = 0 if best > self.best else self._without_better + 1
        self._barren = 0 if new else self._barren + 1
        self.best = max(self.best, best)
        self._check_end()

    def _check_end(self) -> None:
        plan = self.plan
        if self.evaluations >= plan.evaluations:
            self.ended = "evaluations"
        elif plan.patience is not None and self._without_better >= plan.patience:
            self.ended = f"patience: {plan.patience} batches without a better objective"
        elif self._barren >= MAX_BARREN_BATCHES:
            self.ended = f"{MAX_BARREN_BATCHES} batches without a new row"
