"""Lowering of calls: look-backs, windows, arithmetic functions, times and elapsed ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from stom_ray.conditions import ir, syntax
from stom_ray.conditions.diagnostics import ScriptError, did_you_mean
from stom_ray.conditions.fold import fold
from stom_ray.conditions.ir import Span
from stom_ray.conditions.names import ARITHMETIC, NameTable
from stom_ray.conditions.text import Source
from stom_ray.conditions.verifier import ARITY, LONGEST_SESSION, type_of

if TYPE_CHECKING:
    from stom_ray.conditions.lower import Context

BUY_ROW = -1


class CallLowering:
    """The part of `Lowering` that translates calls; it supplies the rest."""

    context: Context
    source: Source
    names: NameTable

    def error(self, at: Span, message: str, hint: str = "") -> ScriptError:
        raise NotImplementedError

    def number(self, node: syntax.Node) -> ir.Expr:
        raise NotImplementedError

    def expression(self, node: syntax.Node) -> ir.Expr:
        raise NotImplementedError

    def call(self, node: syntax.CallNode) -> ir.Expr:
        match node.function:
            case syntax.Attribute(name="total_seconds"):
                return self.seconds_between(node, node.function.owner)
            case syntax.Attribute(owner=syntax.Name(id="self"), name="Buy" | "Sell"):
                raise self.error(node.at, "an order is not a value", "orders stand only in the last lines of a text")
            case syntax.Name(id=name):
                return self.named_call(node, name)
        raise ScriptError.not_in_language(self.source, node.at, "this call", "functions are called by their own name")

    def named_call(self, node: syntax.CallNode, name: str) -> ir.Expr:
        if name in self.names.windows:
            return self.window(node, name)
        base = self.names.lag_base(name)
        if base is not None:
            return self.lag(node, base)
        if name in ARITHMETIC:
            return self.arithmetic(node, name)
        if name == "now":
            self.arity(node, name, 0, 0)
            return ir.Moment("now", None, node.at)
        if name == "timedelta_sec":
            return self.shifted(node)
        if name == "경과틱수":
            return self.elapsed(node)
        raise self.error(node.function.at, *self.names.explain_call(name))

    def arity(self, node: syntax.CallNode, name: str, low: int, high: int, example: str = "") -> None:
        count = len(node.arguments)
        if not low <= count <= high:
            wanted = str(low) if low == high else f"{low} to {high}"
            raise self.error(node.at, f"`{name}` takes {wanted} argument{'' if wanted == '1' else 's'}, not {count}", example)

    def window(self, node: syntax.CallNode, name: str) -> ir.Window:
        self.arity(node, name, 1, 2, f"write `{name}(30)` or `{name}(30, 1)`")
        length = fold(self.number(node.arguments[0]))
        pre = fold(self.number(node.arguments[1])) if len(node.arguments) == 2 else ir.Const(0, node.at)
        length = self.whole(length, f"the window length of `{name}`", 1)
        return ir.Window(name, length, self.look_back(pre, name), node.at)

    def lag(self, node: syntax.CallNode, base: str) -> ir.Lag:
        name = cast(syntax.Name, node.function).id
        self.arity(node, name, 1, 1, f"write `{name}(1)` for the value one row earlier")
        return ir.Lag(base, self.look_back(fold(self.number(node.arguments[0])), name), node.at)

    def look_back(self, pre: ir.Expr, name: str) -> ir.Expr:
        """A constant look-back is 0, 1, 2, ... or, in sell text, -1 for the buy row."""
        if isinstance(pre, ir.Const) and not isinstance(pre.value, (str, bool)):
            if pre.value < BUY_ROW or BUY_ROW < pre.value < 0:
                raise self.error(
                    pre.at, f"a look-back of {pre.value} would read the future", "rows earlier are 1, 2, ...; the buy row is -1"
                )
            if pre.value == BUY_ROW and self.names.side != "sell":
                raise self.error(
                    pre.at, f"`{name}` looks back to the buy row, and this text has none", "-1 belongs in the sell text"
                )
        return self.whole(pre, f"the look-back of `{name}`", BUY_ROW)

    def whole(self, value: ir.Expr, what: str, lowest: int) -> ir.Expr:
        """Checks a constant row count. `stom` keeps what STOM stops at when it is reached, with a warning."""
        if type_of(value) == "BOOL":
            raise self.error(value.at, f"{what} is a comparison", "a whole number is expected")
        if not isinstance(value, ir.Const):
            return value
        constant = value.value
        if isinstance(constant, (str, bool)):
            raise TypeError(f"{what} is {constant!r}")
        if constant > LONGEST_SESSION:
            raise self.error(value.at, f"{what} is {constant}: longer than any session ({LONGEST_SESSION:,} rows)")
        integral = isinstance(constant, int)
        if integral and constant >= lowest:
            return value
        whole_float = not integral and float(constant).is_integer() and constant >= lowest
        if self.context.profile == "stom" and constant >= 0:
            message = f"{what} is {constant}: STOM stops the run when it reaches this"
            self.context.warnings.at(self.source, value.at, message, "write a positive whole number")
            return value
        if whole_float:
            return ir.Const(int(constant), value.at)
        raise self.error(value.at, f"{what} is {constant}", f"a whole number from {max(lowest, 0)} is expected")

    def arithmetic(self, node: syntax.CallNode, name: str) -> ir.Call:
        low, high = ARITY[name]
        self.arity(node, name, low, high)
        arguments = tuple(self.number(argument) for argument in node.arguments)
        function = cast(Literal["int", "float", "abs", "round", "min", "max"], name)
        return ir.Call(function, arguments, node.at)

    def shifted(self, node: syntax.CallNode) -> ir.Moment:
        """`timedelta_sec(seconds[, time])`: that many seconds after the time, which is the row's when not given."""
        self.arity(node, "timedelta_sec", 1, 2, "write `timedelta_sec(30)` or `timedelta_sec(30, VI해제시간)`")
        seconds = self.number(node.arguments[0])
        if len(node.arguments) == 1:
            return ir.Moment("now", seconds, node.at)
        moment = self.moment(node.arguments[1])
        if moment.shift_s is not None:
            seconds = ir.Binary("+", moment.shift_s, seconds, node.at)
        return ir.Moment(moment.base, seconds, node.at)

    def moment(self, node: syntax.Node) -> ir.Moment:
        value = self.expression(node)
        if not isinstance(value, ir.Moment):
            raise self.error(node.at, "a time is expected here", "times are `now()`, `VI해제시간` and `timedelta_sec(...)`")
        return value

    def seconds_between(self, node: syntax.CallNode, owner: syntax.Node) -> ir.SecondsBetween:
        self.arity(node, "total_seconds", 0, 0)
        if not isinstance(owner, syntax.Infix) or owner.op != "-":
            raise self.error(
                node.at, "`total_seconds()` follows a difference of two times", "write `(now() - VI해제시간).total_seconds()`"
            )
        return ir.SecondsBetween(self.moment(owner.left), self.moment(owner.right), node.at)

    def elapsed(self, node: syntax.CallNode) -> ir.Elapsed:
        self.arity(node, "경과틱수", 1, 1, "write `경과틱수('name')`")
        argument = node.arguments[0]
        if not isinstance(argument, syntax.Constant) or not isinstance(argument.value, str):
            raise self.error(argument.at, "`경과틱수` takes a name in quotes", "write `경과틱수('name')`")
        name = argument.value
        if self.names.side == "expr":
            raise self.error(node.at, "`경과틱수` cannot stand in an elapsed-tick expression", "write the condition itself")
        if name not in self.context.elapsed:
            known = ", ".join(sorted(self.context.elapsed)) or "none"
            hint = did_you_mean(name, self.context.elapsed) or f"expressions that are set: {known}"
            self.context.warnings.at(
                self.source, argument.at, f"`경과틱수('{name}')` is always 0: no such expression is set", hint
            )
        return ir.Elapsed(name, node.at)
