"""CMA-ES with margin, a generation a batch."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import numpy as np
from cmaes import CMAwM

from stom_ray.engine.types import Floats, ParamMatrix
from stom_ray.errors import ConfigError, RangeError
from stom_ray.search.samplers import batch_rng
from stom_ray.search.space import Choice, Interval, Space, stack, take

MIN_POPULATION = 4
FIRST_SIGMA = 0.25  # of a variable's whole range
DISTINCT_SHARE = 0.5
BEYOND_STEPS = 2  # nearer, and corners are missed; farther, and values within a list are found later


class CmaEsSampler:
    """The generation of batch b is a function of the distribution after batch b-1 and of the batch's seed.

    Variables are scaled to 0 … 1; in lists the margin keeps every neighbour possible. It starts in the middle, and anew at a
    random place once less than half of a generation are rows that differ. A generation is `batch_size` rows; a shorter batch,
    at the end of a budget, is not learned from. Rows repeat as it converges and then cost nothing. Failed rows rank last.
    The package `cmaes` is used without Optuna's sampler, whose state is pickled into trials and cannot be had from a ledger.
    Source: Hamano et al. (2022), arXiv:2205.13482.
    """

    source = "cmaes"

    def __init__(self, space: Space, seed: int, island: int, batch_size: int) -> None:
        """RangeError for a list without order and when fewer than two variables can move, ConfigError when a batch is too small
        for a generation.
        """
        for item, name in zip(space.variables, space.names, strict=True):
            if isinstance(item, Choice) and not item.ordered:
                raise RangeError(
                    f"{name} is one of {', '.join(item.labels)}, which have no order: cmaes needs one, use tpe or random"
                )
        sizes = [np.inf if isinstance(item, Interval) else len(item.values) for item in space.variables]
        self._free = np.array([column for column, size in enumerate(sizes) if size > 1], dtype=np.int64)
        if len(self._free) < 2:
            raise RangeError(f"cmaes searches two variables or more, {len(self._free)} can move: use grid, random or tpe")
        if batch_size < MIN_POPULATION:
            raise ConfigError(f"batch_size is {batch_size}: a batch is a generation of cmaes, expected at least {MIN_POPULATION}")
        self._space, self._seed, self._island, self._batch_size = space, seed, island, batch_size
        self._steps = np.array([0.0 if np.isinf(sizes[column]) else 1 / (sizes[column] - 1) for column in self._free])
        self._drawn: tuple[int, Floats, Floats] | None = None
        self._cma = self._started_at(np.full(len(self._free), 0.5))

    def ask(self, batch: int, n: int, seen: AbstractSet[bytes]) -> ParamMatrix:
        if n <= 0:
            return stack([], len(self._space.variables))
        rows, _ = self._generation(batch)
        return take(self._space.decode(self._positions(rows)), np.arange(min(n, len(rows))))

    def tell(self, batch: int, params: ParamMatrix, objective: Floats) -> None:
        failed = np.isnan(objective)
        if len(params) != self._batch_size or failed.all():
            return
        rows, raw = self._generation(batch)
        loss = np.where(failed, np.nextafter(-objective[~failed].min(), np.inf), -objective)
        self._cma.tell(list(zip(raw, loss.tolist(), strict=True)))
        if len(np.unique(rows, axis=0)) < DISTINCT_SHARE * len(rows) or self._cma.should_stop():
            self._cma = self._started_at(batch_rng(self._seed, self._island, batch).random(len(self._free)))

    def inform(self, params: ParamMatrix, objective: Floats) -> None:
        """A generation is drawn from its own distribution: rows from elsewhere have no place in it."""

    def _generation(self, batch: int) -> tuple[Floats, Floats]:
        """(batch_size, n_free) scaled rows as they are asked, and as they were drawn (at most `BEYOND_STEPS` beyond the ends).

        A resume draws them anew.
        """
        if self._drawn is None or self._drawn[0] != batch:
            self._cma.reseed_rng(int(batch_rng(self._seed, self._island, batch).integers(2**31)))
            pairs = [self._cma.ask() for _ in range(self._batch_size)]
            # Without a bound the mean of a list wanders off: everything beyond an end scores as the end does.
            raw = np.clip(np.array([pair[1] for pair in pairs]), -BEYOND_STEPS * self._steps, 1 + BEYOND_STEPS * self._steps)
            self._drawn = (batch, np.array([pair[0] for pair in pairs]), raw)
        return self._drawn[1], self._drawn[2]

    def _positions(self, rows: Floats) -> Floats:
        positions = np.zeros((len(rows), len(self._space.variables)))
        for place, column in enumerate(self._free):
            variable = self._space.variables[column]
            if isinstance(variable, Interval):
                low, high = variable.ends
                positions[:, column] = np.clip(low + rows[:, place] * (high - low), low, high)
            else:
                positions[:, column] = np.rint(rows[:, place] * (len(variable.values) - 1))
        return positions

    def _started_at(self, mean: Floats) -> CMAwM:
        bounds = np.tile([0.0, 1.0], (len(mean), 1))
        return CMAwM(mean=mean, sigma=FIRST_SIGMA, bounds=bounds, steps=self._steps, seed=0, population_size=self._batch_size)
