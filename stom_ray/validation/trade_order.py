"""The drawdowns that the same trades would have had in other orders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import ConfigError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def drawdowns_over_orders(profits: Ints | Floats, *, orders: int = 1000, seed: int) -> Floats:
    """(orders,) deepest fall of the summed profit below its running peak, KRW >= 0, of random orders of the trades.

    profits: (n_trades,) KRW; the sum starts at a peak of 0. A drawdown above most of these says that losses came together, which
    a plan for capital must expect again; the largest ones say what bad luck alone can do with these trades. Trades are exchanged
    one by one, so dependence between neighbours is gone on purpose. Raises ConfigError for NaN or infinite profits and no order.
    """
    values = np.asarray(profits, dtype=np.float64)
    if not np.isfinite(values).all():
        trade = int(np.argmin(np.isfinite(values)))
        raise ConfigError(f"the profit of trade {trade} is {values[trade]}: expected a number in KRW")
    if orders < 1:
        raise ConfigError(f"orders is {orders}: expected at least 1")
    rng = np.random.default_rng(seed)
    return np.array([deepest_fall(rng.permutation(values)) for _ in range(orders)])


def deepest_fall(profits: Ints | Floats) -> float:
    """KRW >= 0, in the order given; 0 without trades."""
    equity = np.concatenate([[0.0], np.cumsum(profits, dtype=np.float64)])
    return float(np.max(np.maximum.accumulate(equity) - equity))
