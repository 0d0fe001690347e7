"""What one account would have earned: cash and holdings are limited, and whoever comes first is bought.

A backtest lets every stock trade by itself with money of its own. Here the entries of all stocks are taken in the order of their
clock (in the same second sales come first, then buys in the order of codes) until slots or cash run out; a sale gives its net
amount and its slot back in the second of the sale, without settlement days. Orders are as large as the run made them and do not
grow with the account. Both fees are paid out of the sale, as the engine books them.

A refused entry leaves its stock free, so that the candidate may buy it on a later row, which the run without limits has not tried
because it held the stock. With a `Replay` these rows are walked and the result is exact. Without, a refused stock waits for the
next entry of the run: entries are missing, never wrong, and the slots and cash that they would have taken go to others. The
profit may be off either way: it flatters a candidate whose later entries are worse than its first, and wrongs one where they are
better.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.replay import Entry, Replay
from stom_ray.engine.trades import FIELDS, Trade, trades_from
from stom_ray.engine.types import Trades
from stom_ray.errors import ConfigError
from stom_ray.metrics.batch import trading_days
from stom_ray.metrics.returns import drawdown, max_drawdown
from stom_ray.store.panel import Panel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

UNLIMITED_CAPITAL = "unlimited capital: every signal is bought, whatever else is held"
SALE, BUY = 0, 1  # the order within a second
NO_SLOT, NO_CASH = "no free slot", "not enough cash"
CANDIDATE, SELL_ROW, SELL_CLOCK, BUY_AMOUNT, SELL_AMOUNT, PROFIT = (
    FIELDS.index(name) for name in ("candidate", "sell_row", "sell_clock", "buy_amount", "sell_amount", "profit")
)


@dataclass(frozen=True)
class Account:
    """cash: KRW at the start. max_holdings: stocks held at once."""

    cash: float
    max_holdings: int

    def __post_init__(self) -> None:
        if not self.cash > 0:
            raise ConfigError(f"cash is {self.cash}: expected a positive amount in KRW")
        if self.max_holdings < 1:
            raise ConfigError(f"max_holdings is {self.max_holdings}: expected at least 1")


@dataclass(frozen=True)
class AccountResult:
    """What the account did. trades: those taken, by code, then time. refused: reason -> entries not taken; with a replay an
    entry is tried again on every row that would buy it, and counted each time.

    days, equity: (n_days,) yyyymmdd, KRW at each day's end, when nothing is held. max_drawdown_krw, max_drawdown: deepest fall of
    the account below its peak, sale by sale, in KRW and as a fraction of that peak. peak_capital: most KRW in positions at once,
    at cost; peak_holdings: most stocks. unlimited_trades, unlimited_profit: of the run without limits.
    """

    account: Account
    trades: Trades
    refused: dict[str, int]
    days: Ints
    equity: Floats
    max_drawdown_krw: float
    max_drawdown: float
    peak_capital: int
    peak_holdings: int
    exact: bool
    unlimited_trades: int
    unlimited_profit: int

    @property
    def profit(self) -> int:
        """KRW."""
        return int(self.trades.profit.sum())

    @property
    def daily_profit(self) -> Floats:
        """(n_days,) KRW."""
        return np.diff(self.equity, prepend=self.account.cash)


def in_words(result: AccountResult | None) -> str:
    """What capital a result stands on; None is a result without an account."""
    if result is None:
        return UNLIMITED_CAPITAL
    account, refused = result.account, result.refused
    reasons = ", ".join(f"{count:,} refused: {reason}" for reason, count in refused.items() if count) or "none refused"
    form = "" if result.exact else "; what a refused stock would have bought later is left out"
    return (
        f"an account of {account.cash:,.0f} KRW with at most {_many(account.max_holdings, 'holding')}: "
        f"{_many(len(result.trades), 'trade')} ({result.unlimited_trades:,} with unlimited capital), {reasons}; profit "
        f"{result.profit:,} KRW ({result.unlimited_profit:,}), at most {result.peak_capital:,} KRW in "
        f"{_many(result.peak_holdings, 'stock')} at once{form}"
    )


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def simulate_account(account: Account, trades: Trades, selected: Panel, replay: Replay | None = None) -> AccountResult:
    """The account's way through the trades of one candidate.

    trades: of a run over `selected`, without limits, in its order. replay: of the same candidate over the same selection; makes
    the result exact. Raises ConfigError for trades of several candidates, and what the replay raises.
    """
    if len(np.unique(trades.candidate)) > 1:
        raise ConfigError("trades of several candidates: an account is of one, pass the trades of each by themselves")
    run = _Run(account, _Signals(trades, replay), selected)
    run.to_the_end()
    return run.result(replay is not None)


class _Signals:
    """The candidate's entries in a session, given when it is free."""

    def __init__(self, trades: Trades, replay: Replay | None) -> None:
        self.trades, self._replay = trades, replay
        self._columns = [getattr(trades, name) for name in FIELDS]

    def after(self, session: int, row: int) -> tuple[Entry, int] | None:
        """The first entry on or after `row`, if nothing is held then, and its place among the trades, -1 if it is none."""
        buys, sells = self.trades.buy_row, self.trades.sell_row
        first, last = np.searchsorted(self.trades.session, (session, session + 1))
        at = int(first + np.searchsorted(buys[first:last], row))
        if self._replay is not None and at > first and sells[at - 1] >= row:
            # The run held the stock here; where it held nothing it has tried every row.
            found = self._replay.entry(session, row, int(sells[at - 1]) + 1)
            if found is not None:
                return found, -1
        return (Entry(int(buys[at]), int(self.trades.buy_amount[at])), at) if at < last else None

    def trade(self, session: int, place: int) -> Trade:
        if place >= 0:
            return tuple(column[place].item() for column in self._columns)
        assert self._replay is not None
        found = list(self._replay.trade(session))
        found[CANDIDATE] = int(self.trades.candidate[0])
        return tuple(found)


class _Run:
    """The account from its first entry to its last sale."""

    def __init__(self, account: Account, signals: _Signals, selected: Panel) -> None:
        self._account, self._signals, self._selected = account, signals, selected
        self._events: list[tuple[int, int, int, int]] = []  # clock, SALE or BUY, code, session; one a session
        self._wanted: dict[int, tuple[Entry, int]] = {}
        self._held: dict[int, Trade] = {}
        self._sold: list[Trade] = []
        self._cash, self._in_use = account.cash, 0
        self._peak_capital = self._peak_holdings = 0
        self._refused = {NO_SLOT: 0, NO_CASH: 0}

    def to_the_end(self) -> None:
        for session in np.unique(self._signals.trades.session).tolist():
            self._look(session, int(self._selected.offsets[session]))
        while self._events:
            _, what, _, session = heapq.heappop(self._events)
            if what == SALE:
                self._sell(session)
            else:
                self._try_to_buy(session)

    def _look(self, session: int, row: int) -> None:
        found = self._signals.after(session, row)
        if found is not None:
            self._wanted[session] = found
            self._push(int(self._selected.clock[found[0].row]), BUY, session)

    def _push(self, clock: int, what: int, session: int) -> None:
        heapq.heappush(self._events, (clock, what, int(self._selected.session_code[session]), session))

    def _try_to_buy(self, session: int) -> None:
        entry, place = self._wanted.pop(session)
        reason = NO_SLOT if len(self._held) >= self._account.max_holdings else NO_CASH if entry.amount > self._cash else None
        if reason is not None:
            self._refused[reason] += 1
            self._look(session, entry.row + 1)
            return
        trade = self._signals.trade(session, place)
        self._held[session] = trade
        self._cash -= entry.amount
        self._in_use += entry.amount
        self._peak_capital = max(self._peak_capital, self._in_use)
        self._peak_holdings = max(self._peak_holdings, len(self._held))
        self._push(int(trade[SELL_CLOCK]), SALE, session)

    def _sell(self, session: int) -> None:
        trade = self._held.pop(session)
        self._sold.append(trade)
        self._cash += trade[SELL_AMOUNT]
        self._in_use -= int(trade[BUY_AMOUNT])
        self._look(session, int(trade[SELL_ROW]) + 1)

    def result(self, exact: bool) -> AccountResult:
        account, unlimited = self._account, self._signals.trades
        by_sale = account.cash + np.cumsum([0.0, *(trade[PROFIT] for trade in self._sold)])
        taken = trades_from(self._sold)
        order = np.lexsort((taken.buy_row, taken.session))
        taken = Trades(**{name: getattr(taken, name)[order] for name in FIELDS})
        days = trading_days(self._selected)
        daily = np.zeros(len(days))
        np.add.at(daily, np.searchsorted(days, self._selected.session_day[taken.session]), taken.profit)
        return AccountResult(
            account=account,
            trades=taken,
            refused=self._refused,
            days=days,
            equity=account.cash + np.cumsum(daily),
            max_drawdown_krw=abs(float(drawdown(by_sale).min())),
            max_drawdown=max_drawdown(by_sale),
            peak_capital=self._peak_capital,
            peak_holdings=self._peak_holdings,
            exact=exact,
            unlimited_trades=len(unlimited),
            unlimited_profit=int(unlimited.profit.sum()),
        )
