"""The sell reason of recorded trades for which the walk did not tell it."""

from __future__ import annotations

from typing import Any

from stom_ray.engine.planned.exits import reason_at
from stom_ray.machine_code import njit


@njit(cache=True, error_model="numpy", nogil=True)
def find_reasons(trades: Any, values: Any, lasts: Any, market: Any, script: Any, costs: Any) -> None:
    """Fills in column 5 of trades (n, 6) that were not forced. values: (n_candidates, n_atoms). lasts: (n_sessions,)."""
    for i in range(len(trades)):
        session, candidate, entry, row = trades[i, 0], trades[i, 1], trades[i, 2], trades[i, 3]
        if trades[i, 5] >= 0 or row >= lasts[session]:
            continue
        quantity = market[8][0, entry]
        bought = quantity * market[8][1, entry]
        cost = (costs[session, 0], costs[session, 1], costs[session, 2])
        trades[i, 5] = reason_at(entry, row, bought, quantity, cost, values[candidate], market, script)
