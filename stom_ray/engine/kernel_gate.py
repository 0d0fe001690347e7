"""Which rows no candidate can buy on: the buy text over many rows at once, with parameters unknown.

Every expression becomes an array of values and a mask of where they are unknown, because a parameter decides or because the
kernel's exact arithmetic is not repeated here. A row is closed when 매수 is known to be false, or the book cannot fill the order,
and nothing on the way could fault or count a division by zero. Open rows are evaluated in full by the kernel, so everything
here may err on that side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions import ir
from stom_ray.conditions.emit_arithmetic import number_of
from stom_ray.conditions.emit_sites import Sites, WindowSite
from stom_ray.conditions.emit_windows import TRADED_VALUE, fixed_length
from stom_ray.conditions.traversal import operands
from stom_ray.conditions.verifier import type_of
from stom_ray.engine.types import Floats, Ints

Bools = NDArray[np.bool_]
DECISION = "매수"
LARGEST_DIGITS = 22
COMPARE: dict[str, Callable[[Floats, Floats], Bools]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


@dataclass(frozen=True)
class Known:
    """values: (n,) float64, or one for all rows; unknown: where they may be anything, likewise."""

    values: Floats
    unknown: Bools

    @property
    def surely(self) -> Bools:
        """Where the value is known and true."""
        return np.asarray(~self.unknown & (self.values != 0.0))

    @property
    def perhaps(self) -> Bools:
        """Where the value is not known to be false."""
        return np.asarray(self.unknown | (self.values != 0.0))


NOTHING = Known(np.zeros(()), np.ones((), dtype=np.bool_))


def exactly(values: Floats | Ints | Bools | float) -> Known:
    return Known(np.asarray(values, dtype=np.float64), np.zeros((), dtype=np.bool_))


@dataclass(frozen=True)
class GateRows:
    """Whole sessions of a block, rows [start, stop) of `matrix`.

    count: (stop - start,) 데이터길이. windows: (4, n_windows) column, rows needed, fault, precomputed; right for windows of
    constant length. trouble: (n_windows,) where some candidate's length faults. texts: test number -> (stop - start,).
    traded_gaps: whether 초당거래대금 holds anything but finite numbers. gap_rows: rows from the instrument's first on which a
    precomputed 초당거래대금평균 may not have filled; from_first: (stop - start,) rows since the instrument's first.
    """

    matrix: Floats
    start: int
    stop: int
    count: Ints
    windows: Ints
    trouble: Bools
    texts: Bools
    traded_gaps: bool
    gap_rows: int
    from_first: Ints

    def column(self, number: int, back: int = 0) -> Floats:
        """The values `back` rows earlier; anything where there is no such row in the block."""
        if back == 0:
            return np.asarray(self.matrix[number, self.start : self.stop])
        return np.asarray(self.matrix[number].take(np.arange(self.start - back, self.stop - back), mode="clip"))


class RowGate:
    """Evaluates a buy text over rows. `effects` collects the rows on which something could fault or be counted."""

    def __init__(self, sites: Sites, rows: GateRows, strict: bool, layout: str) -> None:
        self.sites = sites
        self.rows = rows
        self.strict = strict
        self.layout = layout
        self.effects: Bools = np.zeros(rows.stop - rows.start, dtype=np.bool_)
        self.temporaries: dict[str, Known] = {}

    def open_rows(self, program: ir.Program, fillable: Bools) -> Bools:
        """(n,) rows that have to be evaluated in full. fillable: (n,) rows whose book can fill the order."""
        self.temporaries = {DECISION: exactly(np.ones(()))}
        with np.errstate(all="ignore"):
            self.body(program.body, np.ones(len(self.effects), dtype=np.bool_))
        buys: Bools = (self.temporaries[DECISION].perhaps & fillable) | self.effects
        return buys

    # Statements. `reach`: rows on which the statement or expression may be evaluated.

    def body(self, body: tuple[ir.Stmt, ...], reach: Bools) -> None:
        for statement in body:
            if isinstance(statement, ir.Assign):
                self.temporaries[statement.name] = self.value(statement.value, reach)
            elif isinstance(statement, ir.If):
                self.branch(statement, reach)

    def branch(self, statement: ir.If, reach: Bools) -> None:
        test = self.truth(statement.test, reach)
        before = self.temporaries
        self.temporaries = dict(before)
        self.body(statement.then, reach & test.perhaps)
        after_then, self.temporaries = self.temporaries, dict(before)
        self.body(statement.orelse, reach & ~test.surely)
        after_else = self.temporaries
        both = after_then.keys() & after_else.keys()  # one that only one way sets is like one never set: a read is an effect
        self.temporaries = {name: select(test, after_then[name], after_else[name]) for name in both}

    # Expressions

    def effect(self, where: Bools) -> None:
        self.effects |= where

    def value(self, node: ir.Expr, reach: Bools) -> Known:
        match node:
            case ir.Const(value=number) if not isinstance(number, str):
                return exactly(float(number))
            case ir.Column(name=name):
                return exactly(self.rows.column(self.sites.columns[name]))
            case ir.State(name="데이터길이"):
                return exactly(self.rows.count)
            case ir.State(name=name):
                return exactly(self.rows.column(self.sites.columns[f"@{name}"]))
            case ir.TextTest():
                return exactly(self.rows.texts[self.sites.texts[node]])
            case ir.Temp(name=name) if name in self.temporaries:
                return self.temporaries[name]
            case ir.Var(subscripted=subscripted) if not (subscripted and self.strict):
                return NOTHING
            case ir.Elapsed(name=name):
                return NOTHING if name in self.sites.elapsed else exactly(np.zeros(()))
            case ir.Lag(pre=ir.Const(value=back)) if type(back) is int and back >= 0:
                return self.look_back(self.sites.columns[node.name], 1, back)
            case ir.Window():
                return self.window(node, reach)
            case ir.Logic():
                found = self.logic(node, reach)
                return found if type_of(node) == "BOOL" else Known(found.values, found.perhaps)
            case ir.Compare():
                return self.compare(node, reach)
            case ir.Choose():
                test = self.truth(node.test, reach)
                then = self.value(node.then, reach & test.perhaps)
                return select(test, then, self.value(node.orelse, reach & ~test.surely))
            case ir.Unary(op="not"):
                test = self.truth(node.operand, reach)
                return Known(np.where(test.values == 0.0, 1.0, 0.0), test.unknown)
            case ir.Unary() | ir.Binary() | ir.Call() | ir.SecondsBetween() | ir.Moment():
                return self.computed(node, [self.value(operand, reach) for operand in operands(node)], reach)
        self.effect(reach)  # a temporary that may not be set, a look-back that may be none
        return NOTHING

    def computed(self, node: ir.Expr, parts: list[Known], reach: Bools) -> Known:
        match node:
            case ir.Moment(base=base):
                seconds = exactly(self.rows.column(self.sites.columns["@seconds" if base == "now" else "@release_seconds"]))
                return combine(np.add, seconds, parts[0]) if parts else seconds
            case ir.SecondsBetween() | ir.Binary(op="-"):
                return combine(np.subtract, *parts)
            case ir.Binary(op="+"):
                return combine(np.add, *parts)
            case ir.Binary(op="*"):
                return combine(np.multiply, *parts)
            case ir.Binary(op="**"):
                return self.power(node, reach)
            case ir.Binary():
                return self.division(node, parts[0], parts[1], reach)
            case ir.Unary(op=op):
                return Known(-parts[0].values if op == "-" else parts[0].values, parts[0].unknown)
            case ir.Call():
                return self.call(node, parts, reach)
        raise TypeError(f"{type(node).__name__} is not computed from parts")

    def division(self, node: ir.Binary, above: Known, below: Known, reach: Bools) -> Known:
        """What a zero divisor gives, and // and %, are left unknown."""
        zero = below.unknown | (below.values == 0.0)
        if not (self.strict and (self.is_tick(node.left) or self.is_tick(node.right))):
            self.effect(reach & zero)
        if node.op != "/":
            return NOTHING
        return Known(above.values / below.values, above.unknown | zero)

    def power(self, node: ir.Binary, reach: Bools) -> Known:
        exponent = number_of(node.right)
        if not self.is_tick(node.left) or not (self.strict or (exponent is not None and exponent >= 0.0)):
            self.effect(reach)
        return NOTHING

    def call(self, node: ir.Call, parts: list[Known], reach: Bools) -> Known:
        first = parts[0]
        match node.function:
            case "float":
                return first
            case "abs":
                return Known(np.abs(first.values), first.unknown)
            case "min" | "max":
                return extreme(parts, np.less if node.function == "min" else np.greater)
            case "round" if len(parts) == 2:
                return self.round_to(node, first, reach)
        self.effect(reach & (first.unknown | ~np.isfinite(first.values)))
        return Known(np.trunc(first.values) if node.function == "int" else np.rint(first.values), first.unknown)

    def round_to(self, node: ir.Call, value: Known, reach: Bools) -> Known:
        digits = node.arguments[1]
        if not isinstance(digits, ir.Const) or not isinstance(digits.value, int) or abs(digits.value) > LARGEST_DIGITS:
            self.effect(reach)
            return NOTHING
        if digits.value < 0 or not self.is_tick(node.arguments[0]):
            return NOTHING
        scale = 10.0**digits.value
        return Known(np.rint(value.values * scale) / scale, value.unknown)

    def is_tick(self, node: ir.Expr) -> bool:
        """Whether the value is a tick number on every row, so that dividing by zero raises nothing and round() is numpy's."""
        match node:
            case ir.Column() | ir.State(name="VI아래5호가" | "순매수금액"):
                return True
            case ir.State(name="호가단위"):
                return self.layout == "tick_v1"
            case ir.Unary(op="-" | "+"):
                return self.is_tick(node.operand)
            case ir.Binary(op="+" | "-" | "*") | ir.Binary(op="/") if self.strict or node.op != "/":
                return self.is_tick(node.left) or self.is_tick(node.right)
            case ir.Call(function="abs" | "round") if node.function == "abs" or len(node.arguments) == 2:
                return self.is_tick(node.arguments[0])
        return False

    # Look-backs and windows

    def look_back(self, column: int, needed: int, back: int) -> Known:
        return exactly(np.where(self.rows.count >= needed + back, self.rows.column(column, back), 0.0))

    def window(self, node: ir.Window, reach: Bools) -> Known:
        length = fixed_length(node.length)
        back = node.pre.value if isinstance(node.pre, ir.Const) else None
        if length is None or type(back) is not int or back < 0:
            self.effect(reach)
            return NOTHING
        number = self.sites.windows[WindowSite(node.function, length)]
        if self.rows.trouble[number]:
            self.effect(reach)
        if node.function == TRADED_VALUE:
            self.traded_value_effects(back, reach)
        if not isinstance(length, ir.Const):
            return NOTHING
        column, needed, _, _ = (int(entry) for entry in self.rows.windows[:, number])
        found = self.look_back(column, needed, back)
        return exactly(np.trunc(found.values)) if node.function == TRADED_VALUE else found

    def traded_value_effects(self, back: int, reach: Bools) -> None:
        """It stops at a NaN, but not at a precomputed one of the row itself."""
        if self.rows.traded_gaps:
            self.effect(reach)
        elif back > 0:
            self.effect(reach & (self.rows.from_first < self.rows.gap_rows + back))

    # Truth

    def compare(self, node: ir.Compare, reach: Bools) -> Known:
        left = self.value(node.first, reach)
        result = exactly(np.ones(()))
        for op, operand in node.rest:
            right = self.value(operand, reach & result.perhaps)
            link = Known(COMPARE[op](left.values, right.values).astype(np.float64), left.unknown | right.unknown)
            result = decided(result, link, False)
            left = right
        return result

    def truth(self, node: ir.Expr, reach: Bools) -> Known:
        """A value of which only the truth will be looked at."""
        return self.logic(node, reach) if isinstance(node, ir.Logic) else self.value(node, reach)

    def logic(self, node: ir.Logic, reach: Bools) -> Known:
        """The truth value; the deciding operand behind it may be another number."""
        decides = node.op == "or"
        result = exactly(np.zeros(()) if decides else np.ones(()))
        for operand in node.operands:
            going_on = ~result.surely if decides else result.perhaps
            part = self.truth(operand, reach & going_on)
            result = decided(result, Known(np.where(part.values != 0.0, 1.0, 0.0), part.unknown), decides)
        return result


def combine(operation: Callable[[Floats, Floats], Floats], left: Known, right: Known) -> Known:
    return Known(operation(left.values, right.values), left.unknown | right.unknown)


def select(test: Known, yes: Known, no: Known) -> Known:
    """`yes if test else no`; where the test is unknown, the value is known only if both ways agree."""
    values = np.where(test.values != 0.0, yes.values, no.values)
    unknown = np.where(test.values != 0.0, yes.unknown, no.unknown)
    agree = (yes.values == no.values) & ~yes.unknown & ~no.unknown
    return Known(np.where(test.unknown, yes.values, values), np.where(test.unknown, ~agree, unknown))


def decided(so_far: Known, part: Known, decides: bool) -> Known:
    """`so_far or part` (decides) or `so_far and part`, of truth values: either may decide, known or not the other."""
    settled = part.surely | so_far.surely if decides else ~part.perhaps | ~so_far.perhaps
    return Known(np.where(settled, float(decides), float(not decides)), ~settled & (so_far.unknown | part.unknown))


def extreme(parts: list[Known], better: Callable[[Floats, Floats], Bools]) -> Known:
    """Python's min and max."""
    best = parts[0]
    for part in parts[1:]:
        values = np.where(better(part.values, best.values), part.values, best.values)
        best = Known(values, best.unknown | part.unknown)
    return best
