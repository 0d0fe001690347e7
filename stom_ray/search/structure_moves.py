"""Moves of a search over structure: add, drop, swap, negate, nudge, and crossover, on positions of a space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.types import Floats, Ints
from stom_ray.search.space import Choice, Interval, Space
from stom_ray.search.structure import Switch

CROSSOVER = 0.3
MORE_MOVES = 0.4  # odds of a further move
GUIDED = 0.5  # share of added terms that were good alone
TOURNAMENT = 3
INTERVAL_STEP = 0.1  # standard deviation of a nudge, as a share of the interval
MOVES = ("add", "drop", "swap", "negate", "nudge")
ODDS = np.cumsum([0.25, 0.15, 0.2, 0.05, 0.35])


@dataclass(frozen=True)
class Moves:
    """low, high: (n_vars,) ends of each variable's positions; a switch is off at 0. is_switch, is_interval: (n_vars,).

    opposite: (n_vars,) the variable of the opposite of a switch's term, -1 without. most: terms a row may have.
    """

    low: Floats
    high: Floats
    is_switch: NDArray[np.bool_]
    is_interval: NDArray[np.bool_]
    opposite: Ints
    most: int

    @classmethod
    def of(cls, space: Space, most: int) -> Moves:
        variables = space.variables
        places = {(item.term, item.negated): place for place, item in enumerate(variables) if isinstance(item, Switch)}
        opposite = [places.get((item.term, not item.negated), -1) if isinstance(item, Switch) else -1 for item in variables]
        return cls(
            low=np.array([0.0 if isinstance(item, Choice) else item.ends[0] for item in variables]),
            high=np.array([len(item.values) - 1.0 if isinstance(item, Choice) else item.ends[1] for item in variables]),
            is_switch=np.array([isinstance(item, Switch) for item in variables], dtype=np.bool_),
            is_interval=np.array([isinstance(item, Interval) for item in variables], dtype=np.bool_),
            opposite=np.array(opposite, dtype=np.int64),
            most=most,
        )

    def used(self, positions: Floats) -> NDArray[np.bool_]:
        """Which terms each row uses; without switches the positions themselves tell rows apart. positions: (n, n_vars)."""
        if not self.is_switch.any():
            return np.ascontiguousarray(positions).view(np.bool_)
        return np.ascontiguousarray(positions[:, self.is_switch] != 0)

    def children(self, rng: np.random.Generator, pool: Floats, n: int, good: Ints) -> Floats:
        """(n, n_vars). pool: rows, the best first. good: variables that were good alone."""
        found = np.empty((n, len(self.low)))
        parents = rng.integers(len(pool), size=(n, 2, TOURNAMENT)).min(axis=2)
        for child, (mother, father) in zip(found, parents, strict=True):
            child[:] = pool[mother]
            if rng.random() < CROSSOVER:
                child[:] = np.where(rng.random(len(child)) < 0.5, child, pool[father])
            more = True
            while more:
                self._move(rng, child, MOVES[int(np.searchsorted(ODDS, rng.random()))], good)
                more = rng.random() < MORE_MOVES
            self._trim(rng, child)
        return found

    def neighbours(self, row: Floats) -> Floats:
        """(n, n_vars): every row with one list at another place, and no more than `most` terms."""
        counts = np.where(self.is_interval, 0, self.high + 1).astype(np.int64)
        columns = np.repeat(np.arange(len(row)), counts)
        places = np.concatenate([np.arange(count) for count in counts])
        other = places != row[columns]
        found = np.tile(row, (int(other.sum()), 1))
        found[np.arange(len(found)), columns[other]] = places[other]
        few: Floats = found[(found[:, self.is_switch] != 0).sum(axis=1) <= self.most]
        return few

    def random_rows(self, rng: np.random.Generator, present: Floats, n: int) -> Floats:
        """(n, n_vars): 1 to `most` random terms each, all else at the present position."""
        found = np.tile(present, (n, 1))
        found[:, self.is_switch] = 0.0
        every = np.arange(len(present))
        for row in found:
            for _ in range(int(rng.integers(1, self.most + 1))):
                self._add(rng, row, every)
        return found

    def _move(self, rng: np.random.Generator, child: Floats, move: str, good: Ints) -> None:
        """Changes the row in place; a move that cannot be made is none."""
        active = np.flatnonzero(self.is_switch & (child != 0))
        if move in ("drop", "swap") and len(active):
            child[_one_of(rng, active)] = 0
        if move in ("add", "swap"):
            self._add(rng, child, good if rng.random() < GUIDED else np.arange(len(child)))
        able = active[self.opposite[active] >= 0]
        if move == "negate" and len(able):
            column = _one_of(rng, able)
            # Not the p-th threshold is the p-th from the other end.
            child[self.opposite[column]] = self.high[column] + 1 - child[column]
            child[column] = 0
        if move == "nudge":
            self._nudge(rng, child, active)

    def _add(self, rng: np.random.Generator, child: Floats, among: Ints) -> None:
        free = among[self.is_switch[among] & (child[among] == 0)]
        if len(free):
            column = _one_of(rng, free)
            child[column] = 1 + rng.integers(int(self.high[column]))

    def _nudge(self, rng: np.random.Generator, child: Floats, active: Ints) -> None:
        movable = np.concatenate([active, np.flatnonzero(~self.is_switch & (self.high > self.low))])
        if len(movable) == 0:
            return
        column = _one_of(rng, movable)
        if self.is_interval[column]:
            step = rng.standard_normal() * INTERVAL_STEP * (self.high[column] - self.low[column])
        else:
            step = float(rng.geometric(0.5)) * (1 if rng.random() < 0.5 else -1)
        low = 1.0 if self.is_switch[column] else self.low[column]
        child[column] = min(max(child[column] + step, low), self.high[column])

    def _trim(self, rng: np.random.Generator, child: Floats) -> None:
        active = np.flatnonzero(self.is_switch & (child != 0))
        if len(active) > self.most:
            child[rng.permutation(active)[self.most :]] = 0


def _one_of(rng: np.random.Generator, columns: Ints) -> int:
    return int(columns[int(rng.integers(len(columns)))])
