"""Who of a population lives on when there are several objectives: NSGA-II by crowding, NSGA-III by reference directions.

aims: as in `search.front`, without NaN. Both keep whole fronts while they fit and choose from the first that does not. Rows
outside the limits are kept by how little they are outside, the first told first.
"""

from __future__ import annotations

from itertools import combinations_with_replacement
from math import comb

import numpy as np

from stom_ray.engine.types import Floats, Ints
from stom_ray.search.front import crowding, domination_ranks

ASF_WEIGHT = 1e6  # of the other objectives, where the extreme row of one is looked for
ROUNDING = 1e-12  # determinants below belong to extreme rows that span no plane


def by_crowding(aims: Floats, n: int) -> Ints:
    """At most n rows, best first: by rank, within it the more alone first (NSGA-II, Deb et al. 2002)."""
    ranks = domination_ranks(aims, n)
    alone = np.zeros(len(aims))
    for rank in np.unique(ranks[np.argsort(ranks, kind="stable")[:n]]):
        row = np.flatnonzero(ranks == rank)
        alone[row] = crowding(aims[row, :-1]) if (aims[row, -1] <= 0).all() else 0.0
    return np.lexsort((-alone, ranks))[:n]


def by_directions(aims: Floats, n: int, directions: Floats, rng: np.random.Generator) -> Ints:
    """At most n rows, whole fronts first; of the last one those near directions that few rows have (NSGA-III, Deb and Jain 2014,
    doi:10.1109/TEVC.2013.2281535). directions: (m, k), `reference_directions`.
    """
    ranks = domination_ranks(aims, n)
    order = np.argsort(ranks, kind="stable")
    if len(order) <= n:
        return order
    last = ranks[order[n - 1]]
    kept, torn = order[ranks[order] < last], order[ranks[order] == last]
    if len(kept) + len(torn) == n or (aims[torn, -1] > 0).any():
        return order[:n]
    nearest, distance = _nearest(_scaled(-aims[np.concatenate([kept, torn]), :-1]), directions)
    taken = np.bincount(nearest[: len(kept)], minlength=len(directions))
    return np.concatenate([kept, torn[_fill(nearest[len(kept) :], distance[len(kept) :], taken, n - len(kept), rng)]])


def reference_directions(objectives: int, most: int) -> Floats:
    """(m, k) with m <= most where that is possible: points whose parts are multiples of 1/p and add up to 1, for the largest
    such p (Das and Dennis 1998); at least p = 1, one direction an objective.
    """
    parts = 1
    while comb(objectives + parts, parts + 1) <= most:
        parts += 1
    chosen = np.array(list(combinations_with_replacement(range(objectives), parts)), dtype=np.int64)
    return np.stack([(chosen == objective).sum(axis=1) for objective in range(objectives)], axis=1) / parts


def _scaled(loss: Floats) -> Floats:
    """(n, k) smaller is better: 0 is the best of each objective, 1 where the plane through the extreme rows meets its axis.

    Where extreme rows span no plane that meets the axes at positive places, 1 is the worst of each.
    """
    loss = loss - loss.min(axis=0)
    k = loss.shape[1]
    weights = np.where(np.eye(k) == 1, 1.0, ASF_WEIGHT)
    extreme = loss[np.argmin((loss[None, :, :] * weights[:, None, :]).max(axis=2), axis=1)]
    worst = loss.max(axis=0)
    ends = np.where(worst > 0, worst, 1.0)
    if abs(np.linalg.det(extreme / ends)) > ROUNDING:
        inverse = np.linalg.solve(extreme, np.ones(k))
        if (inverse > 0).all():
            ends = 1 / inverse
    scaled: Floats = loss / ends
    return scaled


def _nearest(scaled: Floats, directions: Floats) -> tuple[Ints, Floats]:
    """(n,) each row's nearest direction, and how far the row is from that line."""
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    along = scaled @ unit.T
    apart = np.sqrt(np.maximum((scaled**2).sum(axis=1, keepdims=True) - along**2, 0.0))
    nearest = np.argmin(apart, axis=1)
    return nearest, apart[np.arange(len(scaled)), nearest]


def _fill(nearest: Ints, distance: Floats, taken: Ints, n: int, rng: np.random.Generator) -> Ints:
    """n of the rows, one after the other: of a direction that the fewest have, by lot; its nearest row where none has it yet,
    else any. taken: (m,) how many rows each direction has; changed.
    """
    waiting = {int(direction): np.flatnonzero(nearest == direction).tolist() for direction in np.unique(nearest)}
    chosen: list[int] = []
    while len(chosen) < n:
        fewest = min(taken[direction] for direction in waiting)
        direction = int(rng.choice([one for one in waiting if taken[one] == fewest]))
        rows = waiting[direction]
        row = min(rows, key=distance.__getitem__) if taken[direction] == 0 else rows[int(rng.integers(len(rows)))]
        rows.remove(row)
        if not rows:
            del waiting[direction]
        taken[direction] += 1
        chosen.append(row)
    return np.array(chosen, dtype=np.int64)
