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
from stom_ray.search.qmc_sampler import QmcSampler
from stom_ray.search.random_sampler import RandomSampler
from stom_ray.search.samplers import Sampler
from stom_ray.search.space import Space, parameter_keys, take
from stom_ray.search.structure_sampler import StructureSampler
from stom_ray.search.tpe_sampler import TpeSampler
from stom_ray.search.two_stage_sampler import TwoStageSampler

SamplerName = Literal["cmaes", "coordinate", "genetic", "grid", "optuna", "qmc", "random", "structure", "tpe", "two_stage"]
ONE_SEQUENCE = ("coordinate", "grid", "optuna")
LISTED: dict[str, Callable[..., Sampler]] = {"coordinate": CoordinateAscent, "grid": GridSampler}
SEEDED: dict[str, Callable[..., Sampler]] = {
    "genetic": GeneticSampler,
    "random": RandomSampler,
    "structure": StructureSampler,
    "tpe": TpeSampler,
}
BY_BATCH_SIZE: dict[str, Callable[..., Sampler]] = {"cmaes": CmaEsSampler, "qmc": QmcSampler, "two_stage": TwoStageSampler}
MAX_BARREN_BATCHES = 20


@dataclass(frozen=True)
class IslandPlan:
    """What makes an island's stream; it can be sent to another process.

    number: 0 … islands-1. evaluations: distinct rows it may ask for; patience: batches without a better objective after which
    it ends (None: never). options: of the sampler (tpe: startup, history; genetic: population, tournament; two_stage:
    wide, survivors, modelled; structure: partners, levels, population, most; coordinate: passes).
    """

    space: Space
    sampler: SamplerName
    seed: int
    number: int
    batch_size: int
    evaluations: int
    patience: int | None = None
    options: Mapping[str, int] = field(default_factory=dict)

    def make_sampler(self) -> Sampler:
        """ConfigError for an unknown sampler or option, RangeError for a space it cannot search."""
        if self.sampler == "optuna":
            raise ConfigError("sampler optuna asks one candidate a trial and runs over Ray only: use the ray backend, or tpe")
        if self.sampler not in get_args(SamplerName):
            raise ConfigError(f"sampler {self.sampler!r}: expected one of {', '.join(get_args(SamplerName))}")
        try:
            if self.sampler in LISTED:
                return LISTED[self.sampler](self.space, **self.options)
            if self.sampler in SEEDED:
                return SEEDED[self.sampler](self.space, self.seed, self.number, **self.options)
            return BY_BATCH_SIZE[self.sampler](self.space, self.seed, self.number, self.batch_size, **self.options)
        except TypeError as error:
            raise ConfigError(f"sampler {self.sampler} does not take the options {sorted(self.options)}: {error}") from error


@dataclass(frozen=True)
class Asked:
    """A batch to be scored. rows: (m,) the rows that the island has no objective for, each key once."""

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
        self._known = KnownRows()
        self._without_better = 0
        self._barren = 0

    def inform(self, params: ParamMatrix, objective: Floats) -> None:
        """Rows from elsewhere: the present values, another island's best. They cost no evaluation; known ones are passed over."""
        keys = parameter_keys(params)
        new = self._known.places(keys) < 0
        self._known.add(keys, objective)
        self.sampler.inform(take(params, new), objective[new])
        self.best = float(np.fmax.reduce(objective, initial=self.best))

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
        """(n,) objective of all asked rows, from those of `asked.rows` and what the island knew."""
        known = self._known.places(asked.keys) >= 0
        fresh = dict(zip((asked.keys[row] for row in asked.rows), scored.tolist(), strict=True))
        found = np.array([fresh.get(key, np.nan) for key in asked.keys], dtype=np.float64)
        found[known] = self._known.objective([asked.keys[row] for row in np.flatnonzero(known)])
        return found

    def tell(self, params: ParamMatrix, keys: list[bytes], objective: Floats) -> None:
        """The next batch, complete: just scored, or read from the ledger. objective: (n,), NaN = failed."""
        new = self._known.add(keys, objective)
        self.evaluations += new
        self.sampler.tell(self.next_batch, params, objective)
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
