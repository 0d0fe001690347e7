"""Random rows, drawn vectorised, none twice."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import numpy as np

from stom_ray.engine.types import Floats, ParamMatrix
from stom_ray.search.known_rows import unknown_rows
from stom_ray.search.samplers import batch_rng
from stom_ray.search.space import Space, parameter_keys, stack, take

MAX_DRAWS = 64


class RandomSampler:
    """Uniform over the space, without replacement within the island.

    Where few rows are left a batch may come short: after `MAX_DRAWS` draws without filling it, what was found is proposed.
    """

    source = "random"

    def __init__(self, space: Space, seed: int, island: int) -> None:
        self._space, self._seed, self._island = space, seed, island

    def ask(self, batch: int, n: int, seen: AbstractSet[bytes]) -> ParamMatrix:
        rng = batch_rng(self._seed, self._island, batch)
        return draw_unseen(self._space, rng, n, seen)

    def tell(self, batch: int, params: ParamMatrix, objective: Floats) -> None:
        """Random rows learn nothing."""

    def inform(self, params: ParamMatrix, objective: Floats) -> None:
        """Random rows learn nothing."""


def draw_unseen(
    space: Space, rng: np.random.Generator, n: int, seen: AbstractSet[bytes], fresh: set[bytes] | None = None
) -> ParamMatrix:
    """Up to n random rows, none twice and none in `seen` or `fresh`; their keys are added to `fresh`."""
    fresh = set() if fresh is None else fresh
    parts: list[ParamMatrix] = []
    left = n
    for _ in range(MAX_DRAWS):
        if left <= 0 or (space.size is not None and len(seen) + len(fresh) >= space.size and _is_full(space, seen, fresh)):
            break
        parts.append(unseen_rows(space.draw_random(rng, n), left, seen, fresh))
        left -= len(parts[-1])
    return stack(parts, len(space.variables))


def unseen_rows(params: ParamMatrix, limit: int, seen: AbstractSet[bytes], fresh: set[bytes]) -> ParamMatrix:
    """The first `limit` rows that are in neither set, each once; their keys are added to `fresh`."""
    rows: list[int] = []
    keys = parameter_keys(params)
    for row in unknown_rows(seen, keys):
        if keys[row] not in fresh and len(rows) < limit:
            fresh.add(keys[row])
            rows.append(row)
    return take(params, np.array(rows, dtype=np.int64))


def _is_full(space: Space, seen: AbstractSet[bytes], fresh: AbstractSet[bytes]) -> bool:
    # `seen` may hold rows off the lists (present values), so a count alone proves nothing; this is asked only near the end.
    assert space.size is not None
    return all(key in seen or key in fresh for key in parameter_keys(space.grid(0, space.size)))
