"""Trades as a table with the columns that STOM's users know, and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from stom_ray.conditions.ir import Strategy
from stom_ray.engine.types import Floats, Ints, Trades
from stom_ray.errors import ConfigError
from stom_ray.store.panel import Panel

COLUMNS = (
    "code", "buy_time", "sell_time", "hold_s", "buy_price", "sell_price", "buy_amount", "sell_amount", "profit_pct",
    "profit_krw", "label", "market_cap",
)  # fmt: skip


def trades_frame(
    trades: Trades,
    strategy: Strategy | Sequence[Strategy],
    panel: Panel,
    *,
    labels: tuple[Sequence[int], Sequence[int]] | None = None,
) -> pd.DataFrame:
    """One row a trade, in the order of `trades`; columns COLUMNS, with `labels` vturn and vkey in front.

    strategy: one for all candidates, or one a candidate. panel: the selected one that the rows refer to. labels: (vturn, vkey)
    of each candidate. Times are yyyymmddhhmmss, amounts KRW, market_cap 100 million KRW.
    """
    codes = np.array(panel.codes, dtype=object)
    frame = pd.DataFrame(
        {
            "code": codes[panel.session_code[trades.session]],
            "buy_time": trades.buy_clock,
            "sell_time": trades.sell_clock,
            "hold_s": trades.hold_s,
            "buy_price": trades.buy_price,
            "sell_price": trades.sell_price,
            "buy_amount": trades.buy_amount,
            "sell_amount": trades.sell_amount,
            "profit_pct": trades.profit_pct,
            "profit_krw": trades.profit,
            "label": _label_texts(trades, strategy),
            "market_cap": _whole_where_possible(trades.market_cap),
        },
        columns=list(COLUMNS),
    )
    if labels is not None:
        for place, (name, values) in enumerate(zip(("vturn", "vkey"), labels, strict=True)):
            frame.insert(place, name, np.asarray(values, dtype=np.int64)[trades.candidate])
    return frame


def _label_texts(trades: Trades, strategy: Strategy | Sequence[Strategy]) -> list[str]:
    if isinstance(strategy, Strategy):
        return [strategy.labels[number] for number in trades.label]
    return [strategy[candidate].labels[number] for candidate, number in zip(trades.candidate, trades.label, strict=True)]


def _whole_where_possible(values: Floats) -> Floats | Ints:
    """int64 when every value is whole, so that a table shows 1101 and not 1101.0."""
    return values.astype(np.int64) if np.all(np.isfinite(values)) and np.all(values == np.floor(values)) else values


def write_csv(frame: pd.DataFrame, path: str | Path) -> None:
    """The table as CSV, UTF-8, without an index. Raises ConfigError when the place cannot be written."""
    try:
        frame.to_csv(path, index=False, lineterminator="\n")
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written ({error.strerror or error}). Choose a folder that exists and has room"
        ) from error
