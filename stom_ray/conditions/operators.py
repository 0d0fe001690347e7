"""Operators and functions of the reference interpreter: Python's own, on numpy's and Python's numbers (spec/engine.md §2)."""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np

from stom_ray.conditions import ir
from stom_ray.conditions.faults import FaultError
from stom_ray.conditions.frame import Frame, Number

Evaluate = Callable[[Frame], Number]

LARGEST_INT = 2**53
LARGEST_POWER_BITS = 1_100
LARGEST_DIGITS = 22

COMPARE: dict[str, Callable[[Number, Number], Number]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
ARITHMETIC: dict[str, Callable[[Number, Number], Number]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}
DIVISION: dict[str, Callable[[Number, Number], Number]] = {"/": operator.truediv, "//": operator.floordiv, "%": operator.mod}


def bounded(value: Number) -> Number:
    """Plain integers stay within what a float64 holds exactly."""
    if type(value) is int and not -LARGEST_INT <= value <= LARGEST_INT:
        return float(value)
    return value


class Operators:
    """The part of the interpreter that computes; it supplies the closures of operands.

    text: `buy`, `sell` or `elapsed:NAME`. strict: the profile `stom`.
    """

    text: str
    strict: bool

    def expression(self, node: ir.Expr) -> Evaluate:
        raise NotImplementedError

    def unary(self, node: ir.Unary) -> Evaluate:
        operand = self.expression(node.operand)
        if node.op == "not":
            return lambda frame: not operand(frame)
        if node.op == "-":
            return lambda frame: -operand(frame)
        return lambda frame: +operand(frame)

    def binary(self, node: ir.Binary) -> Evaluate:
        if node.op in DIVISION:
            return self.division(node)
        left, right, at = self.expression(node.left), self.expression(node.right), node.at
        if node.op == "**":
            return lambda frame: self.power(left(frame), right(frame), frame, at)
        apply = ARITHMETIC[node.op]
        return lambda frame: bounded(apply(left(frame), right(frame)))

    def division(self, node: ir.Binary) -> Evaluate:
        left, right, apply, at = self.expression(node.left), self.expression(node.right), DIVISION[node.op], node.at

        def divide(frame: Frame) -> Number:
            above, below = left(frame), right(frame)
            if below == 0 and not self.strict:
                return self.zero_division(frame, at)
            try:
                return bounded(apply(above, below))
            except ZeroDivisionError:
                raise FaultError("zero_division", "", at) from None

        return divide

    def zero_division(self, frame: Frame, at: ir.Span) -> float:
        """The corrected profile's division by zero: nan, counted per line."""
        place = f"{self.text}:{at.line}"
        frame.zero_divisions[place] = frame.zero_divisions.get(place, 0) + 1
        return np.nan

    def power(self, base: Number, exponent: Number, frame: Frame, at: ir.Span) -> Number:
        """base ** exponent. Zero to a negative power is a division by zero."""
        if base == 0 and exponent < 0 and not self.strict:
            return self.zero_division(frame, at)
        if isinstance(base, int) and isinstance(exponent, int) and int(base).bit_length() * exponent > LARGEST_POWER_BITS:
            base = float(base)  # no integers of unbounded size
        try:
            value = bounded(base**exponent)
        except ZeroDivisionError:
            raise FaultError("zero_division", "", at) from None
        except OverflowError:
            raise FaultError("overflow", "", at) from None
        if isinstance(value, complex):
            raise FaultError("complex_power", "", at)
        return value

    def compare(self, node: ir.Compare) -> Evaluate:
        first = self.expression(node.first)
        rest = [(COMPARE[op], self.expression(operand)) for op, operand in node.rest]
        if len(rest) == 1:
            ((holds, second),) = rest
            return lambda frame: bool(holds(first(frame), second(frame)))

        def chain(frame: Frame) -> bool:
            left = first(frame)
            for holds, operand in rest:
                right = operand(frame)
                if not holds(left, right):
                    return False
                left = right
            return True

        return chain

    def text_test(self, node: ir.TextTest) -> Evaluate:
        by_code = node.name == "종목코드"
        return lambda frame: ((frame.code if by_code else frame.name) in node.choices) != node.negated

    def logic(self, node: ir.Logic) -> Evaluate:
        operands = [self.expression(operand) for operand in node.operands]
        decides = node.op == "or"

        def evaluate(frame: Frame) -> Number:
            value: Number = False
            for operand in operands:
                value = operand(frame)
                if bool(value) == decides:
                    break
            return value

        return evaluate

    def choose(self, node: ir.Choose) -> Evaluate:
        test, then, orelse = self.expression(node.test), self.expression(node.then), self.expression(node.orelse)
        return lambda frame: then(frame) if test(frame) else orelse(frame)

    def call(self, node: ir.Call) -> Evaluate:
        arguments, at = [self.expression(argument) for argument in node.arguments], node.at
        match node.function:
            case "int":
                return lambda frame: _to_int(int, "int", arguments[0](frame), at)
            case "float":
                return lambda frame: float(arguments[0](frame))
            case "abs":
                return lambda frame: abs(arguments[0](frame))
            case "round" if len(arguments) == 1:
                return lambda frame: _to_int(round, "round", arguments[0](frame), at)
            case "round":
                return lambda frame: _round(arguments[0](frame), arguments[1](frame), at)
            case "min":
                return lambda frame: min([argument(frame) for argument in arguments])
            case "max":
                return lambda frame: max([argument(frame) for argument in arguments])


def _to_int(convert: Callable[[Number], int], name: str, value: Number, at: ir.Span) -> Number:
    try:
        return bounded(convert(value))
    except (ValueError, OverflowError):
        raise FaultError("no_integer", name, at) from None


def _round(value: Number, digits: Number, at: ir.Span) -> Number:
    if not isinstance(digits, int) or not -LARGEST_DIGITS <= digits <= LARGEST_DIGITS:
        raise FaultError("digits", "", at)
    return bounded(round(value, digits))
