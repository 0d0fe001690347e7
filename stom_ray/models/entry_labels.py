"""Labels that the engine decides: what a buy on each row comes to, by its fills, costs and forced sale (`engine.entries`).

Every label is that of a whole trade, equal to the one a backtest makes whose buy text holds on just that row. Known at the row of
the sale. There is none on a session's last row, on rows whose asks do not fill the order, and on rows left out by `rows`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.ir import Strategy
from stom_ray.engine.entries import EVERY_ROW, trades_by_block
from stom_ray.engine.types import EngineConfig, Floats, ParamMatrix, Trades
from stom_ray.errors import ConfigError
from stom_ray.models.labels import DOWN, FLAT, UP, Kind, Labels
from stom_ray.store.panel import Selection

Bools = NDArray[np.bool_]
BARRIERS = """\
if 수익률 >= self.vars[0]:
    매도 = True
elif 수익률 <= self.vars[1]:
    매도 = True
elif 보유시간 >= self.vars[2]:
    매도 = True
if 매도:
    self.Sell()
"""
CLASSES = np.array([FLAT, UP, DOWN, FLAT])  # of a forced sale and of the three reasons above


def entry_pays(
    strategy: Strategy,
    selection: Selection,
    params: ParamMatrix,
    config: EngineConfig,
    *,
    rows: Bools | None = None,
    threads: int = 1,
) -> Labels:
    """수익률 in % (two digits) of a buy on every row, sold as the strategy's sell text says with one row of parameters.

    rows: (n_rows,) entries that are wanted, all without. Raises as `engine.entries.trades_by_block`.
    """
    return _labels("entry_pays", "return", _pct, (strategy, selection, params, config), rows, threads)


def triple_barrier(
    selection: Selection,
    config: EngineConfig,
    *,
    take_pct: float,
    stop_pct: float,
    limit_s: int,
    rows: Bools | None = None,
    threads: int = 1,
) -> Labels:
    """Which barrier a buy on every row is sold at: 1 take-profit, -1 stop, 0 time limit or forced sale at the session's end.

    The barriers are 수익률 >= take_pct, else 수익률 <= -stop_pct, else 보유시간 >= limit_s seconds, asked on every row after the
    entry: 수익률 is net of costs, of the whole holding at 현재가. Where the bids do not take it all it is held on, and the
    barrier is that of the row on which it is sold. Raises ConfigError for barriers that are not positive, else as `entry_pays`.
    """
    trade = barrier_trade(selection, config, take_pct, stop_pct, limit_s)
    return _labels(_barrier_name("barrier", take_pct, stop_pct, limit_s), "class", _barrier, trade, rows, threads)


def barrier_return(
    selection: Selection,
    config: EngineConfig,
    *,
    take_pct: float,
    stop_pct: float,
    limit_s: int,
    rows: Bools | None = None,
    threads: int = 1,
) -> Labels:
    """수익률 in % of the trades of `triple_barrier`, sales by time and by force with what they brought. Raises as it does."""
    trade = barrier_trade(selection, config, take_pct, stop_pct, limit_s)
    return _labels(_barrier_name("barrier_return", take_pct, stop_pct, limit_s), "return", _pct, trade, rows, threads)


Trade = tuple[Strategy, Selection, ParamMatrix, EngineConfig]


def barrier_trade(selection: Selection, config: EngineConfig, take_pct: float, stop_pct: float, limit_s: int) -> Trade:
    """The strategy behind `triple_barrier` with its parameter row, as `trades_by_block` and the engine take them."""
    for name, value in (("take_pct", take_pct), ("stop_pct", stop_pct), ("limit_s", limit_s)):
        if not value > 0:
            raise ConfigError(f"{name} is {value}: expected a positive number")
    strategy = compile_strategy(EVERY_ROW, BARRIERS, profile=config.profile, layout=selection.selected.layout)
    return strategy, selection, ParamMatrix.from_rows([[float(take_pct), -float(stop_pct), limit_s]]), config


def _barrier_name(what: str, take_pct: float, stop_pct: float, limit_s: int) -> str:
    return f"{what}_{take_pct:g}_{stop_pct:g}_{limit_s}s"


def _pct(trades: Trades) -> Floats:
    return trades.profit_pct


def _barrier(trades: Trades) -> Floats:
    return CLASSES[trades.label]


def _labels(
    name: str, kind: Kind, value_of: Callable[[Trades], Floats], trade: Trade, rows: Bools | None, threads: int
) -> Labels:
    n_rows = trade[1].selected.n_rows
    value, end_row = np.full(n_rows, np.nan), np.arange(n_rows)
    for trades in trades_by_block(*trade, rows=rows, threads=threads):
        value[trades.buy_row] = value_of(trades)
        end_row[trades.buy_row] = trades.sell_row
    return Labels(name, value, end_row, kind)
