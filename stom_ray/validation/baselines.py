"""What random entries would have earned: as many trades, held as long, in random sessions, priced as the engine prices them.

A round trip buys on a row at what the asks ask, and sells on the first row at least so many seconds later on which the bids take
the whole holding; on the day's last row it is sold by force (spec/engine.md §6). The winner's own entries, priced so, give the
winner's own profit. What random entries cannot match is where and when the winner buys; how often it traded, how many of its
trades shared a session and how long it held are theirs as well.

Not in the same sessions: which those are is known only when the winner has bought. Of a rule that buys after a rise they are the
sessions with a rise, and random entries in them would earn it with hindsight (in a market without costs, in which every entry is
worth nothing, 1.6M KRW where the winner earned .7M).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.bind import FiveLevels, bind, day_counts
from stom_ray.engine.kernel_runtime import entry_table
from stom_ray.engine.types import EngineConfig, Floats, Ints, Trades
from stom_ray.errors import ConfigError
from stom_ray.store.panel import Selection
from stom_ray.validation.entry_kernel import Market, draw_all, price_all

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class RoundTrips:
    """A selection as round trips see it. All arrays (n_rows,) but for offsets (n_sessions + 1,), entry and costs.

    seconds: since 1970, rising within a session. allowed: rows that may be bought on; narrow it (`dataclasses.replace`) to the
    hours or rows that the script is meant for. entry: (2, n_rows) shares and KRW of a buy, as `entry_table`. price: 현재가.
    costs: (n_sessions, 3) tax rate, fee rate, KRW that fees are cut to.
    """

    offsets: Ints
    seconds: Floats
    allowed: Bools
    entry: Floats
    price: Floats
    bid_prices: FiveLevels
    bid_sizes: FiveLevels
    bid_levels: int
    costs: Floats

    @property
    def market(self) -> Market:
        """As the kernels take it."""
        return (
            self.offsets,
            self.seconds,
            self.entry,
            self.price,
            self.bid_prices,
            self.bid_sizes,
            self.bid_levels,
            self.costs,
        )


def round_trips(selection: Selection, config: EngineConfig, *, gate: int) -> RoundTrips:
    """Rows that may be bought on: watched, from the `gate`-th of the session on, not its last, and with asks that fill the order.

    gate: rows before the first decision, `config.avgtime` or in a sweep the winner's self.vars[0]. Raises as `bind`.
    """
    binding, panel, weighting = bind(selection, config), selection.selected, config.weighting
    entry = entry_table(
        binding.price,
        binding.criterion is not None,
        binding.criterion if binding.criterion is not None else binding.price,
        config.betting,
        weighting.limits,
        weighting.factors,
        config.ask_levels,
        binding.ask_prices,
        binding.ask_sizes,
    )
    allowed = binding.watched & (entry[1] > 0) & (day_counts(panel) >= gate)
    allowed[panel.offsets[1:] - 1] = False
    return RoundTrips(
        offsets=np.asarray(panel.offsets, dtype=np.int64),
        seconds=binding.rows.seconds,
        allowed=allowed,
        entry=entry,
        price=binding.price,
        bid_prices=binding.bid_prices,
        bid_sizes=binding.bid_sizes,
        bid_levels=config.bid_levels,
        costs=np.array([(one.tax_rate, one.fee_rate, float(one.fee_rounding_krw)) for one in binding.costs]).reshape(-1, 3),
    )


def priced(market: RoundTrips, sessions: Ints, buy_rows: Ints, hold_s: Ints) -> tuple[Ints, Ints]:
    """Row of the sale, and profit in whole KRW, of buys on these rows. All arrays (n,). hold_s: seconds after which to sell.

    Raises ConfigError for a row on which nothing can be bought, or that is not one of its session before the last.
    """
    fits = (market.offsets[sessions] <= buy_rows) & (buy_rows < market.offsets[sessions + 1] - 1)
    fits[fits] = market.entry[1][buy_rows[fits]] > 0
    if not fits.all():
        trade = int(np.argmin(fits))
        raise ConfigError(
            f"trade {trade}: row {buy_rows[trade]} of session {sessions[trade]}: expected one before the session's last row, "
            "with asks that fill the order"
        )
    sell_rows, profits = np.empty(len(buy_rows), dtype=np.int64), np.empty(len(buy_rows))
    price_all(market.market, sessions, buy_rows, hold_s, sell_rows, profits)
    return sell_rows, profits.astype(np.int64)


@dataclass(frozen=True)
class RandomEntries:
    """observed: KRW that the trades earned. profits: (draws,) KRW of random entries. unplaced: entries, over all draws, that
    found no room beside the others and were left out: when they are more than a few, the market was held nearly all the time and
    the comparison says little.
    """

    observed: float
    profits: Floats
    unplaced: int

    @property
    def p_value(self) -> float:
        """Chance that random entries earn at least as much: (1 + how many do) / (1 + draws)."""
        return float((1 + np.sum(self.profits >= self.observed)) / (1 + len(self.profits)))


def random_entries(market: RoundTrips, trades: Trades, *, draws: int = 1000, seed: int) -> RandomEntries:
    """Distribution of the profit of random entries in the place of one candidate's trades.

    The trades of a session become as many entries of another one, drawn at random from all that have allowed rows and room, none
    twice; their holding times come in random order. Rows are drawn from the allowed ones, so that no two are held at once and
    each can be sold in time. The same seed gives the same draws. Raises ConfigError: no trade, no draw, trades of several
    candidates.
    """
    if len(trades) == 0 or np.any(trades.candidate != trades.candidate[0]):
        raise ConfigError(
            f"{len(trades)} trades of {len(np.unique(trades.candidate))} candidates: expected trades of one candidate"
        )
    if draws < 1:
        raise ConfigError(f"draws is {draws}: expected at least 1")
    order = np.argsort(trades.session, kind="stable")
    traded, starts = np.unique(trades.session[order], return_index=True)
    first, last = market.offsets[:-1], market.offsets[1:]
    counts = np.concatenate([[0], np.cumsum(market.allowed)])
    sessions = np.union1d(np.flatnonzero(counts[last] > counts[first]), traded)
    allowed = np.flatnonzero(market.allowed)
    bounds = np.append(counts[first[sessions]], counts[last[sessions[-1]]])
    profits = np.zeros(draws)
    unplaced = draw_all(
        market.market,
        sessions,
        np.append(starts, len(order)),
        trades.hold_s[order],
        allowed,
        bounds,
        np.random.default_rng(seed),
        profits,
    )
    return RandomEntries(float(trades.profit.sum()), profits, int(unplaced))
