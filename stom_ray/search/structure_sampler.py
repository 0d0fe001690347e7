"""A search over structure: every single change first, pairs of the best, then a genetic algorithm with moves of its own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np

from stom_ray.engine.types import Floats, Ints, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.search.random_sampler import draw_unseen, unseen_rows
from stom_ray.search.samplers import batch_rng
from stom_ray.search.space import Choice, Space, stack
from stom_ray.search.structure_moves import Moves

PARTNERS = 40
LEVELS = 3
POPULATION = 200
MOST = 6
ALIKE = 4  # rows of the population that may use the same terms
MAX_BROODS = 16
CENTRES = 10  # best rows whose neighbours are asked for one by one


class StructureSampler:
    """Three stages, each a function of what was told.

    1. Every row that is one change away from the present values: each term alone with each of its thresholds.
    2. Pairs: the `partners` variables that were best alone, each with `levels` of its best values, all with all.
    3. Half of a batch: every row one change away from the best row, then from the next best. The rest: children
       (`structure_moves`) of the `population` best rows, of which at most `ALIKE` use the same terms. No row has more than `most`
       terms. What the broods leave open is filled with random terms, and at last with random rows.

    Without switches in the space all of this holds for its lists of values; intervals are moved in the third stage only.
    """

    source = "structure"

    def __init__(
        self,
        space: Space,
        seed: int,
        island: int,
        partners: int = PARTNERS,
        levels: int = LEVELS,
        population: int = POPULATION,
        most: int = MOST,
    ) -> None:
        """ConfigError for numbers that leave no search."""
        if min(partners, levels, most) < 1 or population < 2:
            raise ConfigError(
                f"structure partners is {partners}, levels {levels}, most {most}, population {population}: expected at least 1 "
                "of each, and a population of at least 2"
            )
        self._space, self._seed, self._island = space, seed, island
        self._partners, self._levels, self._population = partners, levels, population
        self._moves = Moves.of(space, most)
        self._present = np.where(np.isnan(space.encode(space.present)[0]), self._moves.low, space.encode(space.present)[0])
        self._alone = [
            np.full(len(item.values) if isinstance(item, Choice) else 0, np.nan) for item in space.variables
        ]  # objective of each single change
        self._pool: Floats = np.empty((0, len(space.variables)))
        self._scores: Floats = np.empty(0)
        self._singles = space.decode(self._changed([((column, place),) for column, place in self._single_changes()]))
        self._pairs: ParamMatrix | None = None
        self._surrounded: set[bytes] = set()  # rows whose neighbours were all asked for

    def ask(self, batch: int, n: int, seen: AbstractSet[bytes]) -> ParamMatrix:
        fresh: set[bytes] = set()
        asked = unseen_rows(self._singles, n, seen, fresh)
        if len(asked):
            return asked
        if self._pairs is None:
            self._pairs = self._space.decode(self._changed(self._best_pairs()))
        asked = unseen_rows(self._pairs, n, seen, fresh)
        return asked if len(asked) else self._bred(batch_rng(self._seed, self._island, batch), n, seen, fresh)

    def tell(self, batch: int, params: ParamMatrix, objective: Floats) -> None:
        self.inform(params, objective)

    def inform(self, params: ParamMatrix, objective: Floats) -> None:
        positions = self._space.encode(params)
        usable = ~np.isnan(positions).any(axis=1) & ~np.isnan(objective)
        positions, objective = positions[usable], objective[usable]
        changed = positions != self._present
        for row in np.flatnonzero(changed.sum(axis=1) == 1):
            column = int(np.argmax(changed[row]))
            if len(self._alone[column]):
                self._alone[column][int(positions[row, column])] = objective[row]
        self._keep(np.concatenate([self._pool, positions]), np.concatenate([self._scores, objective]))

    def _keep(self, pool: Floats, scores: Floats) -> None:
        """The best, earlier ones first among equals, each once and few of them alike."""
        alike: dict[bytes, int] = {}
        rows: set[bytes] = set()
        kept: list[int] = []
        used = self._moves.used(pool)
        for row in np.argsort(-scores, kind="stable").tolist():
            terms, key = used[row].tobytes(), pool[row].tobytes()
            if alike.get(terms, 0) < ALIKE and key not in rows:
                alike[terms] = alike.get(terms, 0) + 1
                rows.add(key)
                kept.append(row)
                if len(kept) == self._population:
                    break
        self._pool, self._scores = pool[kept], scores[kept]

    # The first two stages

    def _single_changes(self) -> list[tuple[int, int]]:
        return [
            (column, place)
            for column, scores in enumerate(self._alone)
            for place in range(len(scores))
            if place != self._present[column]
        ]

    def _best_pairs(self) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """Of the variables that were best alone, the best first."""
        best = [column for column in self._good_alone() if not np.isnan(self._alone[column]).all()]
        levels = {column: _best_places(self._alone[column], self._levels) for column in best}
        return [
            ((one, its), (other, place))
            for one, other in itertools.combinations(best, 2)
            for its, place in itertools.product(levels[one], levels[other])
        ]

    def _changed(self, changes: Sequence[Sequence[tuple[int, int]]]) -> Floats:
        """(n, n_vars) positions: the present values with some variables at other places."""
        rows = np.tile(self._present, (len(changes), 1))
        for row, places in zip(rows, changes, strict=True):
            for column, place in places:
                row[column] = place
        return rows

    def _good_alone(self) -> Ints:
        """The `partners` lists with the best single changes, best first."""
        best = np.array([np.nanmax(scores) if not np.isnan(scores).all() else -np.inf for scores in self._alone])
        return np.argsort(-best, kind="stable")[: self._partners]

    # The third stage

    def _bred(self, rng: np.random.Generator, n: int, seen: AbstractSet[bytes], fresh: set[bytes]) -> ParamMatrix:
        parts = self._beside(n // 2, seen, fresh)
        good = self._good_alone()
        for brood in range(MAX_BROODS + 1):
            if len(fresh) >= n:
                break
            if brood < MAX_BROODS and len(self._pool) > 1:
                children = self._moves.children(rng, self._pool, n, good)
            else:
                children = self._moves.random_rows(rng, self._present, n)
            parts.append(unseen_rows(self._space.decode(children), n - len(fresh), seen, fresh))
        parts.append(draw_unseen(self._space, rng, n - len(fresh), seen, fresh))
        return stack(parts, len(self._space.variables))

    def _beside(self, n: int, seen: AbstractSet[bytes], fresh: set[bytes]) -> list[ParamMatrix]:
        """Up to n neighbours of the best rows that were not asked for, the best row's first."""
        parts: list[ParamMatrix] = []
        for row in self._pool[:CENTRES]:
            if row.tobytes() in self._surrounded or len(fresh) >= n:
                continue
            found = unseen_rows(self._space.decode(self._moves.neighbours(row)), n - len(fresh), seen, fresh)
            if len(found) == 0:
                self._surrounded.add(row.tobytes())
            parts.append(found)
        return parts


def _best_places(scores: Floats, levels: int) -> list[int]:
    known = np.flatnonzero(~np.isnan(scores))
    found: list[int] = known[np.argsort(-scores[known], kind="stable")][:levels].tolist()
    return found
