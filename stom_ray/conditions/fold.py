"""Constant folding: what is the same on every row is computed once, with Python's own plain arithmetic.

Never changes meaning: only operations whose operands are all literals are computed (a literal is a plain number, and an operation
on plain numbers is plain). What raises, or leaves the range in which int and float64 agree, stays as written.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import replace

from stom_ray.conditions.ir import Binary, Call, Choose, Compare, Const, Expr, Logic, Unary
from stom_ray.conditions.traversal import rewrite

EXACT = 2**53
LARGEST_EXPONENT = 64
Number = bool | int | float

ARITHMETIC: dict[str, Callable[[Number, Number], Number]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
RELATIONS: dict[str, Callable[[Number, Number], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
FUNCTIONS: dict[str, Callable[..., Number]] = {"int": int, "float": float, "abs": abs, "round": round, "min": min, "max": max}


def fold(node: Expr) -> Expr:
    """The expression with its constant parts computed."""
    return rewrite(node, fold_node)


def fold_node(node: Expr) -> Expr:
    """One node whose operands are folded already."""
    match node:
        case Unary():
            return fold_unary(node)
        case Binary(left=Const(value=left), right=Const(value=right)) if not isinstance(left, str) and not isinstance(right, str):
            if node.op == "**" and (abs(right) > LARGEST_EXPONENT or abs(left) > EXACT):
                return node
            return computed(node, lambda: ARITHMETIC[node.op](left, right))
        case Compare():
            return fold_compare(node)
        case Logic():
            return fold_logic(node)
        case Choose(test=Const(value=value)):
            return node.then if value else node.orelse
        case Call():
            values = [literal(argument) for argument in node.arguments]
            if any(value is None for value in values):
                return node
            return computed(node, lambda: FUNCTIONS[node.function](*values))
        case _:
            return node


def literal(node: Expr) -> Number | None:
    """The number of a literal, None for anything else."""
    return node.value if isinstance(node, Const) and not isinstance(node.value, str) else None


def computed(node: Expr, compute: Callable[[], object]) -> Expr:
    """A literal in the node's place, or the node where Python raises or leaves the exact range."""
    try:
        value = compute()
    except (ArithmeticError, ValueError, TypeError):
        return node
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) <= EXACT):
        return Const(value, node.at)
    if isinstance(value, float) and math.isfinite(value):
        return Const(value, node.at)
    return node


def fold_unary(node: Unary) -> Expr:
    value = literal(node.operand)
    if value is None:
        return node
    if node.op == "not":
        return Const(not value, node.at)
    return computed(node, lambda: -value if node.op == "-" else +value)


def fold_compare(node: Compare) -> Expr:
    values = [literal(node.first), *(literal(operand) for _, operand in node.rest)]
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values):
        return node
    pairs = zip(node.rest, numbers, numbers[1:], strict=False)
    return Const(all(RELATIONS[op](left, right) for (op, _), left, right in pairs), node.at)


def fold_logic(node: Logic) -> Expr:
    """Flattens `(a and b) and c`, drops literals that do not decide, stops at the first that does."""
    flat: list[Expr] = []
    for operand in node.operands:
        flat.extend(operand.operands if isinstance(operand, Logic) and operand.op == node.op else (operand,))
    kept: list[Expr] = []
    for position, operand in enumerate(flat):
        value = literal(operand)
        if value is None:
            kept.append(operand)
            continue
        decides = bool(value) == (node.op == "or")
        if decides or position == len(flat) - 1:
            kept.append(operand)
        if decides:
            break
    return kept[0] if len(kept) == 1 else replace(node, operands=tuple(kept))
