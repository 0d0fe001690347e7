"""Rows that no other is better than: domination between several objectives, under limits.

`aims`: (n, k + 1) float64, k objectives, higher is better, and last how far a row is outside the limits, >= 0 (0: inside). A row
dominates another when it is at least as good in every objective and better in one; inside the limits goes before outside, and
outside them less goes before more (Deb et al. 2002, doi:10.1109/4235.996017). Rows that are equal do not dominate each other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.types import Floats, Ints


def front(aims: Floats) -> Ints:
    """Rows inside the limits that no row inside them dominates, in the order of the table. Rows with a NaN failed: never."""
    usable = np.flatnonzero(~np.isnan(aims).any(axis=1) & (aims[:, -1] <= 0))
    return usable[non_dominated(aims[usable, :-1])]


def non_dominated(objectives: Floats) -> NDArray[np.bool_]:
    """(n,) of rows (n, k), without NaN: those that no other dominates. n log n for k = 2, else n × rows of the front."""
    order = np.lexsort(-objectives.T[::-1])
    ranked = objectives[order]
    new = np.ones(len(ranked), dtype=np.bool_)
    new[1:] = (ranked[1:] != ranked[:-1]).any(axis=1)
    distinct = ranked[new]
    # Sorted so, no row is dominated by a later one: the first that is left is always on the front.
    on = np.zeros(len(distinct), dtype=np.bool_)
    if objectives.shape[1] == 2 and len(distinct):
        on[0] = True
        on[1:] = distinct[1:, 1] > np.maximum.accumulate(distinct[:, 1])[:-1]
    else:
        left = np.arange(len(distinct))
        while len(left):
            on[left[0]] = True
            left = left[(distinct[left] > distinct[left[0]]).any(axis=1)]
    found = np.empty(len(order), dtype=np.bool_)
    found[order] = on[np.cumsum(new) - 1]
    return found


def domination_ranks(aims: Floats, enough: int | None = None) -> Ints:
    """(n,) 0 for the front, 1 for the front of the others, and so on; aims without NaN.

    Outside the limits every violation is a rank of its own. enough: once so many rows have ranks, the others inside the limits
    get the next one together.
    """
    ranks, rank, known = np.zeros(len(aims), dtype=np.int64), 0, 0
    left, outside = np.flatnonzero(aims[:, -1] <= 0), np.flatnonzero(aims[:, -1] > 0)
    while len(left):
        on = non_dominated(aims[left, :-1]) if enough is None or known < enough else np.ones(len(left), dtype=np.bool_)
        ranks[left[on]] = rank
        rank, known, left = rank + 1, known + int(on.sum()), left[~on]
    ranks[outside] = rank + np.unique(aims[outside, -1], return_inverse=True)[1]
    return ranks


def crowding(objectives: Floats) -> Floats:
    """(n,) how alone each row of a front (n, k) is: over the objectives, the gap between its two neighbours as a share of the
    whole range; inf at the ends. An objective that is the same for all says nothing.
    """
    distance = np.zeros(len(objectives))
    for column in objectives.T:
        order = np.argsort(column, kind="stable")
        ordered = np.concatenate([[-np.inf], column[order], [np.inf]])
        span = np.ptp(column) if len(column) else 0.0
        if span > 0:
            distance[order] += (ordered[2:] - ordered[:-2]) / span
    return distance
