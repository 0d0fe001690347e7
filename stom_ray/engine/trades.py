"""Collecting trades into arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stom_ray.engine.types import Trades

FIELDS = (
    "candidate", "session", "buy_row", "sell_row", "buy_clock", "sell_clock", "hold_s", "buy_price", "sell_price",
    "buy_amount", "sell_amount", "profit", "profit_pct", "label", "market_cap",
)  # fmt: skip
FLOAT_FIELDS = ("profit_pct", "market_cap")

Trade = tuple[int | float, ...]


def trades_from(rows: Sequence[Trade]) -> Trades:
    """One tuple a trade, in the order of FIELDS and of the result."""
    columns: list[Any] = list(zip(*rows, strict=True)) if rows else [() for _ in FIELDS]
    arrays: dict[str, Any] = {
        name: np.array(values, dtype=np.float64 if name in FLOAT_FIELDS else np.int64)
        for name, values in zip(FIELDS, columns, strict=True)
    }
    return Trades(**arrays)


def concatenate(parts: Sequence[Trades]) -> Trades:
    """Trades of several runs, one after the other."""
    if not parts:
        return trades_from([])
    return Trades(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in FIELDS})
