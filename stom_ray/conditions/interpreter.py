"""The reference interpreter: walks the IR with Python's own operators. It is the definition of what a script means.

Tick numbers are `np.float64`, plain numbers Python's int, float and bool, so division, rounding and truth are numpy's and
Python's (spec/engine.md §2). Every node becomes one closure over a `Frame`; what would stop STOM's run raises `FaultError`.
Plain integers beyond 2**53 continue as floats. Callers hold `np.errstate(all="ignore")` around evaluations.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stom_ray.conditions import ir
from stom_ray.conditions.faults import FaultError
from stom_ray.conditions.frame import Frame, Number
from stom_ray.conditions.operators import LARGEST_INT, Evaluate, Operators, bounded
from stom_ray.conditions.rows import Rows
from stom_ray.schema.ladder import tick_unit, vi_below5

Run = Callable[[Frame], None]

BUY_ROW = -1


class Interpreter:
    """A strategy over rows: decisions for frames. Raises FaultError where a candidate stops."""

    def __init__(self, strategy: ir.Strategy, rows: Rows) -> None:
        self._buy = _Walker("buy", strategy.profile, rows).body(strategy.buy.body)
        self._sell = _Walker("sell", strategy.profile, rows).body(strategy.sell.body)
        self._elapsed = {
            name: _Walker(f"elapsed:{name}", strategy.profile, rows).body(program.body) for name, program in strategy.elapsed
        }
        self.elapsed_names = tuple(self._elapsed)

    def buys(self, frame: Frame) -> bool:
        """Whether the buy text leaves 매수 true."""
        frame.temporaries = {"매수": True}
        self._buy(frame)
        return bool(frame.temporaries["매수"])

    def sells(self, frame: Frame) -> bool:
        """Whether the sell text leaves 매도 true; frame.label is then the reason's number."""
        frame.temporaries = {"매도": False}
        frame.label = 0
        self._sell(frame)
        return bool(frame.temporaries["매도"])

    def note_elapsed(self, frame: Frame, name: str) -> None:
        """Evaluates one of `elapsed_names` on this row and remembers the row when it is true."""
        frame.temporaries = {}
        self._elapsed[name](frame)
        if frame.temporaries["값"]:
            frame.elapsed_row[name] = frame.row


class _Walker(Operators):
    """Builds the closures of one text: `buy`, `sell` or `elapsed:NAME`."""

    def __init__(self, text: str, profile: str, rows: Rows) -> None:
        self.text = text
        self.strict = profile == "stom"
        self.rows = rows

    # Statements

    def body(self, statements: tuple[ir.Stmt, ...]) -> Run:
        runs = [self.statement(statement) for statement in statements]

        def run_all(frame: Frame) -> None:
            for run in runs:
                run(frame)

        return run_all

    def statement(self, statement: ir.Stmt) -> Run:
        match statement:
            case ir.Assign(name=name, value=value):
                return self.assign(name, self.expression(value))
            case ir.If():
                return self.branch(statement)
            case ir.SetLabel(number=number):
                return lambda frame: setattr(frame, "label", number)

    def assign(self, name: str, value: Evaluate) -> Run:
        def run(frame: Frame) -> None:
            frame.temporaries[name] = value(frame)

        return run

    def branch(self, statement: ir.If) -> Run:
        test, then, orelse = self.expression(statement.test), self.body(statement.then), self.body(statement.orelse)

        def run(frame: Frame) -> None:
            if test(frame):
                then(frame)
            else:
                orelse(frame)

        return run

    # Names

    def expression(self, node: ir.Expr) -> Evaluate:
        """The closure of a node; an evaluation order is always left to right."""
        match node:
            case ir.Const(value=value):
                constant = bounded(value)
                return lambda frame: constant
            case ir.Column(name=name):
                column = self.rows.column(name)
                return lambda frame: column[frame.row]
            case ir.Lag():
                return self.lag(node)
            case ir.State(name=name):
                return self.state(name)
            case ir.Temp():
                return self.temporary(node)
            case ir.Var():
                return self.variable(node)
            case ir.Window():
                return self.window(node)
            case ir.Elapsed(name=name):
                return lambda frame: frame.row - frame.elapsed_row[name] if name in frame.elapsed_row else 0
            case ir.Unary():
                return self.unary(node)
            case ir.Binary():
                return self.binary(node)
            case ir.Compare():
                return self.compare(node)
            case ir.TextTest():
                return self.text_test(node)
            case ir.Logic():
                return self.logic(node)
            case ir.Choose():
                return self.choose(node)
            case ir.Call():
                return self.call(node)
            case ir.Moment():
                return self.moment(node)
            case ir.SecondsBetween(later=later, earlier=earlier):
                end, start = self.moment(later), self.moment(earlier)
                return lambda frame: end(frame) - start(frame)

    def state(self, name: str) -> Evaluate:
        if name in SELL_STATES:
            return SELL_STATES[name]
        column = self.rows.column
        match name:
            case "데이터길이":
                return lambda frame: frame.count
            case "시분초":
                clock = self.rows.panel.clock
                return lambda frame: int(clock[frame.row] % 1_000_000)
            case "호가단위" if self.rows.panel.layout == "tick_v1":
                second, first = column("매도호가2"), column("매도호가1")
                return lambda frame: second[frame.row] - first[frame.row]
            case "호가단위":
                price = column("현재가")
                return lambda frame: tick_unit(price[frame.row], frame.day)
            case "VI아래5호가":
                trigger, unit = column("VI가격"), column("VI호가단위")
                return lambda frame: np.float64(vi_below5(trigger[frame.row], unit[frame.row], frame.day))
            case "순매수금액":
                bought, sold = column("초당매수금액"), column("초당매도금액")
                return lambda frame: bought[frame.row] - sold[frame.row]
        raise ValueError(f"{name} is no state of the row")

    def temporary(self, node: ir.Temp) -> Evaluate:
        name, at = node.name, node.at

        def read(frame: Frame) -> Number:
            try:
                return frame.temporaries[name]
            except KeyError:
                raise FaultError("unset", name, at) from None

        return read

    def variable(self, node: ir.Var) -> Evaluate:
        index = node.index
        if node.subscripted and self.strict:
            return self.always(FaultError("subscript", str(index), node.at))
        return lambda frame: frame.variables[index]

    def always(self, fault: FaultError) -> Evaluate:
        def stop(frame: Frame) -> Number:
            raise FaultError(fault.kind, fault.detail, fault.at)

        return stop

    # Look-backs and windows

    def rows_back(self, name: str, value: Number, at: ir.Span) -> int:
        """A look-back: whole, and not into the future. BUY_ROW in sell text only."""
        pre = self.whole(value, "float_lookback", name, at)
        if pre < (BUY_ROW if self.text == "sell" else 0):
            raise FaultError("future", name, at)
        return pre

    def whole(self, value: Number, kind: str, name: str, at: ir.Span) -> int:
        """An integer, or in the corrected profile a whole float; anything else is a fault of `kind`."""
        if isinstance(value, int):
            return int(value)
        if not self.strict and value == np.floor(value) and abs(value) <= LARGEST_INT:
            return int(value)
        raise FaultError(kind, name, at)

    def lag(self, node: ir.Lag) -> Evaluate:
        column, pre_of, name, at = self.rows.column(node.name), self.expression(node.pre), f"{node.name}N", node.at

        def look_back(frame: Frame) -> Number:
            pre = self.rows_back(name, pre_of(frame), at)
            if pre == BUY_ROW:
                return column[frame.buy_row]
            return column[frame.row - pre] if pre < frame.count else 0

        return look_back

    def window(self, node: ir.Window) -> Evaluate:
        function, at = node.function, node.at
        length_of, pre_of = self.expression(node.length), self.expression(node.pre)
        fixed = isinstance(node.length, ir.Const | ir.Var)
        is_int = function == "초당거래대금평균"

        def evaluate(frame: Frame) -> Number:
            length_value, pre_value = length_of(frame), pre_of(frame)
            length = self.whole(length_value, "float_window", function, at)
            if length < 1:
                raise FaultError("empty_window", function, at)
            pre = self.rows_back(function, pre_value, at)
            loaded = self.rows.is_loaded(function, length)
            end = _window_end(frame, length, pre, loaded)
            if end is None:
                return 0
            if not loaded and end - length + 1 < frame.first_row:
                raise FaultError("before_data", function, at)
            if loaded or fixed:
                value = self.rows.window(function, length)[end]
            else:
                value = np.float64(self.rows.raw_value(function, end, length))
            return _traded_value(value, pre, loaded, function, at) if is_int else value

        return evaluate

    def moment(self, node: ir.Moment) -> Evaluate:
        """A time as plain seconds; nan, with which every comparison is false, when VI해제시간 holds none."""
        seconds = self.rows.seconds if node.base == "now" else self.rows.release_seconds
        if node.shift_s is None:
            return lambda frame: float(seconds[frame.row])
        shift = self.expression(node.shift_s)
        return lambda frame: float(seconds[frame.row] + shift(frame))


SELL_STATES: dict[str, Evaluate] = {
    "수익률": lambda frame: frame.profit_pct,
    "최고수익률": lambda frame: frame.best_pct,
    "최저수익률": lambda frame: frame.worst_pct,
    "보유시간": lambda frame: frame.hold_s,
    "매수틱번호": lambda frame: frame.buy_row - frame.first_row,
    "보유수량": lambda frame: frame.quantity,
    "수익금": lambda frame: frame.profit_krw,
}


def _window_end(frame: Frame, length: int, pre: int, loaded: bool) -> int | None:
    """The last row of a window, or None without history: its value is then the plain 0 (spec/engine.md §4)."""
    if pre == BUY_ROW:
        return frame.buy_row if loaded or length - 1 <= frame.count else None
    enough = pre < frame.count if loaded else length + pre <= frame.count
    return frame.row - pre if enough else None


def _traded_value(value: Number, pre: int, loaded: bool, function: str, at: ir.Span) -> Number:
    """초당거래대금평균 is a plain int. A precomputed nan stays nan on the row itself and at the buy row, and stops elsewhere."""
    if np.isfinite(value):
        return bounded(int(value))
    if loaded and pre < 1:
        return value
    raise FaultError("unfilled" if loaded else "no_integer", function, at)
