"""A backtest the way STOM runs one, as a peer to measure against: `exec` of the compiled texts on every row.

Only this benchmark runs user text as Python; the project never does. As in STOM, a row's columns become local names of a method,
once for all candidates, and a bare `exec` there copies those locals before each text. `lean` is the fastest such loop that one
could write instead: plain Python floats in one dict that is never copied.
"""

# ruff: noqa: N802, N806, F841, RUF059 - the names are those of the texts, which read them where no tool sees it

from __future__ import annotations

from typing import Any

from stom_ray.engine import costing, fills
from stom_ray.engine.bind import bind
from stom_ray.engine.types import EngineConfig, Floats, ParamMatrix
from stom_ray.schema.columns import LAYOUTS
from stom_ray.store.panel import Selection

FORCED = 0
Row = tuple[int, int, int, int, int, int]  # candidate, buy row, sell row, buy price, sell price, label


class Slot:
    """One candidate's variables and position."""

    def __init__(self, number: int, variables: list[float]) -> None:
        self.number, self.vars = number, variables
        self.buy_row = -1
        self.quantity = self.price = self.bought = self.best = 0.0


class ExecLoop:
    """The rows of a selection, and the loop over them. windows: functions of the texts, all of loaded lengths."""

    def __init__(
        self, selection: Selection, config: EngineConfig, buy: str, sell: str, windows: tuple[str, ...], *, lean: bool
    ) -> None:
        panel = selection.selected
        assert panel.layout == "tick_v1"
        self.config, self.offsets, self.lean = config, panel.offsets.tolist(), lean
        self.book = bind(selection, config)
        rows = self.book.rows
        self.names = LAYOUTS[panel.layout].columns[1:]
        columns: list[Any] = [panel.column(name) for name in self.names]
        self.rows: list[tuple[float, ...]] = list(zip(*(one.tolist() if lean else one for one in columns), strict=True))
        self.seconds, self.watched = rows.seconds.tolist(), self.book.watched.tolist()
        keys = [(name, n) for name in windows for n in config.loaded_lengths]
        self.windows: dict[tuple[str, int], Any] = {
            key: rows.window(*key).tolist() if lean else rows.window(*key) for key in keys
        }
        self.space: dict[str, Any] = {name: self.window(name) for name in windows} | {"self": self}
        self.buy = compile(buy + "\nif 매수:\n    self.Buy()", "buy", "exec")
        self.sell = compile(numbered(sell) + "\nif 매도:\n    self.Sell(이유)", "sell", "exec")
        self.at = 0

    def run(self, params: ParamMatrix) -> list[Row]:
        slots = [Slot(number, values) for number, values in enumerate(params.values.tolist())]
        self.trades: list[Row] = []
        tick = self.tick_of_dict if self.lean else self.tick_of_locals
        for first, stop in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            for at in range(first + self.config.avgtime - 1, stop - 1):
                self.at = at
                tick(slots)
            self.at = stop - 1
            for self.slot in slots:
                if self.slot.buy_row >= 0:
                    self.close()
        return self.trades

    def window(self, name: str) -> Any:
        return lambda length, pre=0: self.windows[name, length][self.at - pre]

    # One row, all candidates

    def tick_of_dict(self, slots: list[Slot]) -> None:
        space = self.space
        space.update(zip(self.names, self.rows[self.at], strict=True))
        price = space["현재가"]
        watched = self.watched[self.at]
        for slot in slots:
            self.take(slot, price)
            if slot.buy_row >= 0:
                space["수익률"], space["최고수익률"], space["보유시간"] = self.position(price)
                exec(self.sell, space)
            elif watched:
                exec(self.buy, space)

    def tick_of_locals(self, slots: list[Slot]) -> None:
        (
            현재가, 시가, 고가, 저가, 등락율, 당일거래대금, 체결강도, 거래대금증감, 전일비, 회전율, 전일동시간비, 시가총액,
            라운드피겨위5호가이내, 초당매수수량, 초당매도수량, VI해제시간, VI가격, VI호가단위, 초당거래대금, 고저평균대비등락율,
            매도총잔량, 매수총잔량, 매도호가5, 매도호가4, 매도호가3, 매도호가2, 매도호가1, 매수호가1, 매수호가2, 매수호가3,
            매수호가4, 매수호가5, 매도잔량5, 매도잔량4, 매도잔량3, 매도잔량2, 매도잔량1, 매수잔량1, 매수잔량2, 매수잔량3,
            매수잔량4, 매수잔량5, 매도수5호가잔량합, 관심종목,
        ) = self.rows[self.at]  # fmt: skip
        등락율각도, 체결강도평균 = self.space["등락율각도"], self.space["체결강도평균"]
        for slot in slots:
            self.take(slot, 현재가)
            if slot.buy_row >= 0:
                수익률, 최고수익률, 보유시간 = self.position(현재가)
                exec(self.sell)
            elif 관심종목 > 0:
                exec(self.buy)

    def take(self, slot: Slot, price: float) -> None:
        """The candidate whose turn it is. STOM sets the order's quantity before it asks the text."""
        self.slot, self.vars = slot, slot.vars
        if slot.buy_row < 0:
            slot.quantity = int(self.config.betting / price)

    def position(self, price: float) -> tuple[float, float, float]:
        """수익률, 최고수익률, 보유시간."""
        slot, cost = self.slot, self.book.costs[0]
        net = costing.net_amount(slot.bought, slot.quantity * price, cost.tax_rate, cost.fee_rate, float(cost.fee_rounding_krw))
        pct = costing.profit_pct(slot.bought, net)
        slot.best = max(slot.best, pct)
        return pct, slot.best, self.seconds[self.at] - self.seconds[slot.buy_row]

    # Orders, called by the texts

    def Buy(self) -> None:
        slot, book = self.slot, self.book
        price = fills.fill_price(
            float(slot.quantity), self.config.ask_levels, self.levels(book.ask_prices), self.levels(book.ask_sizes)
        )
        if price > 0:
            slot.buy_row, slot.price, slot.bought, slot.best = self.at, price, slot.quantity * price, 0.0

    def Sell(self, label: int) -> None:
        slot, book = self.slot, self.book
        price = fills.fill_price(
            float(slot.quantity), self.config.bid_levels, self.levels(book.bid_prices), self.levels(book.bid_sizes)
        )
        if price > 0:
            self.note(price, label)

    def close(self) -> None:
        book = self.book
        last, levels = fills.last_price(book.price, self.at), (self.levels(book.bid_prices), self.levels(book.bid_sizes))
        self.note(fills.forced_price(float(self.slot.quantity), last, self.config.bid_levels, *levels), FORCED)

    def note(self, price: float, label: int) -> None:
        slot = self.slot
        self.trades.append((slot.number, slot.buy_row, self.at, int(slot.price), int(price), label))
        slot.buy_row = -1

    def levels(self, columns: tuple[Floats, ...]) -> tuple[float, ...]:
        return tuple(float(column[self.at]) for column in columns)


def numbered(sell: str) -> str:
    """The sell text with the number of the reason that sold, as STOM's own rewriting leaves it."""
    lines, number = [], 0
    for line in sell.splitlines():
        lines.append(line)
        if "매도 = True" in line:
            number += 1
            lines.append(line.replace("매도 = True", f"이유 = {number}"))
    return "\n".join(lines)
