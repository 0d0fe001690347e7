"""The contract of everything that proposes parameter rows.

A sampler belongs to one island and works in batches. What it proposes is a function of (space, study seed, island, what it was
told so far, batch number) and of nothing else: no clock, no state of an earlier process. So a sampler rebuilt from the ledger
continues the stream of the one that was killed, on any number of workers.

What is known of rows are their marks, (n, 1 + m): the objective that ranks, higher is better, NaN = the row failed; then the m
aims of a goal that has several (`search.front` says what they are; m = 0 for one objective).
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Protocol

import numpy as np

from stom_ray.engine.types import Floats, ParamMatrix


class Sampler(Protocol):
    """Proposes rows for one island.

    `source` names it in the ledger. `ask(batch, n, seen)` gives at most n rows (a sampler whose batches have a size of their own
    says so), and an empty matrix when it has nothing left; rows it asks for again are not evaluated again. `seen`: the keys this
    island was told. `tell` comes once per batch, in order, with every row of it, also when no `ask` came before it (the batch
    was in the ledger); objective (n,): higher is better, NaN = the row failed. `inform` brings rows that the island did not ask
    for (the present values, another island's best), which need not be on its lists.
    """

    source: str

    def ask(self, batch: int, n: int, seen: AbstractSet[bytes]) -> ParamMatrix: ...

    def tell(self, batch: int, params: ParamMatrix, objective: Floats) -> None: ...

    def inform(self, params: ParamMatrix, objective: Floats) -> None: ...


class SeveralSampler(Protocol):
    """A `Sampler` that is told the aims (n, m) too; NaN = the row failed."""

    source: str

    def ask(self, batch: int, n: int, seen: AbstractSet[bytes]) -> ParamMatrix: ...

    def tell(self, batch: int, params: ParamMatrix, objective: Floats, aims: Floats) -> None: ...

    def inform(self, params: ParamMatrix, objective: Floats, aims: Floats) -> None: ...


class OfOne:
    """A `Sampler` where a `SeveralSampler` is expected: it passes over the aims."""

    def __init__(self, sampler: Sampler) -> None:
        self.source = sampler.source
        self.ask = sampler.ask
        self._sampler = sampler

    def tell(self, batch: int, params: ParamMatrix, objective: Floats, aims: Floats) -> None:
        self._sampler.tell(batch, params, objective)

    def inform(self, params: ParamMatrix, objective: Floats, aims: Floats) -> None:
        self._sampler.inform(params, objective)


def batch_rng(seed: int, island: int, batch: int) -> np.random.Generator:
    """The one source of randomness of a batch."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, island, batch])))
