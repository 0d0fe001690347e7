"""Wide first, then close: a Sobol sequence over the whole space, then TPE and a genetic algorithm in the box around the best."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import numpy as np

from stom_ray.engine.types import Floats, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.search.genetic_sampler import GeneticSampler
from stom_ray.search.qmc_sampler import QmcSampler
from stom_ray.search.random_sampler import draw_unseen, unseen_rows
from stom_ray.search.samplers import batch_rng
from stom_ray.search.space import Choice, Interval, Space, Variable, stack
from stom_ray.search.tpe_sampler import TpeSampler

WIDE_ROWS = 500
SURVIVORS = 20
MODELLED_ROWS = 8
INTERVAL_MARGIN = 0.05


class TwoStageSampler:
    """`QmcSampler` until the island was told `wide` rows; then closer, in the box that holds the `survivors` best of them.

    There the first `modelled` rows of a batch are `TpeSampler`'s and the others `GeneticSampler`'s, since a row costs TPE as much
    as a thousand of the others. The box is one place (an interval: 5% of it) wider on every side; once it is searched through,
    random rows of the whole space follow. `wide` is a number of rows and no share of the budget, because the budget is no part
    of a study's identity: one that is resumed with a larger budget must continue the same stream.
    """

    source = "two_stage"

    def __init__(
        self,
        space: Space,
        seed: int,
        island: int,
        batch_size: int,
        wide: int = WIDE_ROWS,
        survivors: int = SURVIVORS,
        modelled: int = MODELLED_ROWS,
    ) -> None:
        """ConfigError when there cannot be so many survivors or modelled rows."""
        if not 1 <= survivors <= wide:
            raise ConfigError(f"two_stage survivors is {survivors}, wide {wide}: expected 1 or more survivors of the wide rows")
        if modelled < 0:
            raise ConfigError(f"two_stage modelled is {modelled}: expected 0 or more rows of a batch")
        self._space, self._seed, self._island = space, seed, island
        self._wide_rows, self._survivors, self._modelled = wide, survivors, modelled
        self._wide = QmcSampler(space, seed, island, batch_size)
        self._history: list[tuple[ParamMatrix, Floats]] = []
        self._told = 0
        self._close: tuple[TpeSampler, GeneticSampler] | None = None

    def ask(self, batch: int, n: int, seen: AbstractSet[bytes]) -> ParamMatrix:
        if self._close is None:
            return self._wide.ask(batch, n, seen)
        tpe, genetic = self._close
        fresh: set[bytes] = set()
        # Of TPE even no rows cost something: it would build its study.
        asked = tpe.ask(batch, min(n, self._modelled), seen) if self._modelled else stack([], len(self._space.variables))
        modelled = unseen_rows(asked, n, seen, fresh)
        bred = unseen_rows(genetic.ask(batch, n, seen), n - len(modelled), seen, fresh)
        # A child of the batch's seed, because the samplers of the box have used the seed's own stream.
        rng = batch_rng(self._seed, self._island, batch).spawn(1)[0]
        filling = draw_unseen(self._space, rng, n - len(fresh), seen, fresh)
        return stack([modelled, bred, filling], len(self._space.variables))

    def tell(self, batch: int, params: ParamMatrix, objective: Floats) -> None:
        self.inform(params, objective)
        self._told += len(params)
        if self._close is None and self._told >= self._wide_rows:
            self._come_close()

    def inform(self, params: ParamMatrix, objective: Floats) -> None:
        if self._close is None:
            self._history.append((params, objective))
        else:
            for sampler in self._close:
                sampler.inform(params, objective)

    def _come_close(self) -> None:
        params = stack([params for params, _ in self._history], len(self._space.variables))
        objective = np.concatenate([objective for _, objective in self._history])
        self._history.clear()
        box = survivors_box(self._space, params, objective, self._survivors)
        self._close = (TpeSampler(box, self._seed, self._island, startup=1), GeneticSampler(box, self._seed, self._island))
        self.inform(params, objective)


def survivors_box(space: Space, params: ParamMatrix, objective: Floats, survivors: int) -> Space:
    """The part of `space` around the `survivors` best rows; the whole of it when every row failed or is off the lists."""
    positions = space.encode(params)
    usable = np.flatnonzero(~np.isnan(positions).any(axis=1) & ~np.isnan(objective))
    best = positions[usable[np.argsort(-objective[usable], kind="stable")[:survivors]]]
    if len(best) == 0:
        return space
    bounds = zip(space.variables, best.min(axis=0).tolist(), best.max(axis=0).tolist(), strict=True)
    return Space(tuple(_narrowed(variable, low, high) for variable, low, high in bounds), space.names)


def _narrowed(variable: Variable, low: float, high: float) -> Variable:
    if isinstance(variable, Choice):
        if not variable.ordered:
            return variable
        return Choice(variable.values[max(0, int(low) - 1) : int(high) + 2], variable.present)
    first, last = variable.ends
    margin = INTERVAL_MARGIN * (last - first)
    ends = variable.values_at(np.array([max(first, low - margin), min(last, high + margin)]))
    return Interval(float(ends[0]), float(ends[1]), variable.present, variable.log)
