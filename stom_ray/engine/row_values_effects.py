"""The part of a text that can stop a candidate or count a division by zero: the rest need not be evaluated to know where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from stom_ray.conditions import ir
from stom_ray.conditions.emit_arithmetic import LARGEST_DIGITS, number_of
from stom_ray.conditions.emit_windows import fixed_length
from stom_ray.conditions.traversal import walk
from stom_ray.conditions.verifier import unset_reads

WHOLE_STATES = ("데이터길이", "시분초")
Live = frozenset[str]


@dataclass(frozen=True)
class Risks:
    """What could have an effect. calm_window: whether a window of constant or bound length, looking back `back` rows, cannot."""

    strict: bool
    counting: bool
    layout: str
    calm_window: Callable[[str, ir.Expr, int], bool]

    def part_of(self, program: ir.Program) -> ir.Program:
        """The program without the statements that have no effect and set nothing that a remaining one reads."""
        unset = frozenset(node.name for node in unset_reads(program))
        body, _ = self._body(program.body, frozenset(), unset)
        return replace(program, body=body)

    def _body(self, body: tuple[ir.Stmt, ...], live: Live, unset: Live) -> tuple[tuple[ir.Stmt, ...], Live]:
        """The statements that matter, last to first, and the temporaries that they read."""
        kept: list[ir.Stmt] = []
        for statement in reversed(body):
            if isinstance(statement, ir.Assign):
                if statement.name in live or self.has_effect(statement.value, unset):
                    live = (live - {statement.name}) | temporaries_of(statement.value)
                    kept.append(statement)
            elif isinstance(statement, ir.If):
                then, after_then = self._body(statement.then, live, unset)
                orelse, after_else = self._body(statement.orelse, live, unset)
                if then or orelse or self.has_effect(statement.test, unset):
                    live = after_then | after_else | temporaries_of(statement.test)
                    kept.append(replace(statement, then=then, orelse=orelse))
        return tuple(reversed(kept)), live

    def has_effect(self, node: ir.Expr, unset: Live) -> bool:
        """Whether evaluating the expression may have an effect on some row."""
        return any(self._risky(part, unset) for part in walk(node))

    def _risky(self, node: ir.Expr, unset: Live) -> bool:
        match node:
            case ir.Temp(name=name):
                return name in unset
            case ir.Var(subscripted=subscripted):
                return subscripted and self.strict
            case ir.Binary(op="/" | "//" | "%"):
                return not number_of(node.right) and not self._zero_is_calm(node)
            case ir.Binary(op="**"):
                return not self._tick_pair(node) or not (self._zero_is_calm(node) or (number_of(node.right) or -1.0) >= 0.0)
            case ir.Call(function="int" | "round", arguments=(argument,)):
                return not (isinstance(argument, ir.State) and argument.name in WHOLE_STATES)
            case ir.Call(function="round", arguments=(_, digits)):
                return not (isinstance(digits, ir.Const) and type(digits.value) is int and abs(digits.value) <= LARGEST_DIGITS)
            case ir.Lag(pre=pre):
                return rows_back(pre) is None
            case ir.Window(length=length, pre=pre):
                fixed, back = fixed_length(length), rows_back(pre)
                return fixed is None or back is None or not self.calm_window(node.function, fixed, back)
        return False

    def _zero_is_calm(self, node: ir.Binary) -> bool:
        """Whether a division by zero has no effect."""
        return self._tick_pair(node) if self.strict else not self.counting

    def _tick_pair(self, node: ir.Binary) -> bool:
        return self.is_tick(node.left) or self.is_tick(node.right)

    def is_tick(self, node: ir.Expr) -> bool:
        """Whether the value is a tick number on every row."""
        match node:
            case ir.Column() | ir.State(name="VI아래5호가" | "순매수금액"):
                return True
            case ir.State(name="호가단위"):
                return self.layout == "tick_v1"
            case ir.Unary(op="-" | "+"):
                return self.is_tick(node.operand)
            case ir.Binary(op="+" | "-" | "*"):
                return self._tick_pair(node)
            case ir.Binary():
                return self.strict and self._tick_pair(node)
            case ir.Call(function="abs" | "round") if node.function == "abs" or len(node.arguments) == 2:
                return self.is_tick(node.arguments[0])
        return False


def rows_back(pre: ir.Expr) -> int | None:
    """A look-back that is written as a number of rows."""
    return pre.value if isinstance(pre, ir.Const) and type(pre.value) is int and pre.value >= 0 else None


def temporaries_of(node: ir.Expr) -> Live:
    return frozenset(part.name for part in walk(node) if isinstance(part, ir.Temp))
