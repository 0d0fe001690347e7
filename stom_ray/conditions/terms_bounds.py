"""Whether two sets of conditions can hold on the same row: `시가총액 < 1000` and `시가총액 >= 3000` cannot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stom_ray.conditions import ir
from stom_ray.conditions.ir import Expr
from stom_ray.conditions.terms_pool import TURNED, Pool

OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


@dataclass(frozen=True, slots=True)
class Bound:
    """`quantity` is below (sign -1) or above (sign 1) a number. nan: a negated comparison, which NaN passes."""

    quantity: Expr
    sign: int
    number: float
    strict: bool
    nan: bool


def exclusive(pool: Pool, groups: Sequence[Sequence[Expr]]) -> bool:
    """Whether no two groups of kept truth values can hold together. False when that is not plain to see."""
    return all(excludes(pool, group, other) for place, group in enumerate(groups) for other in groups[place + 1 :])


def excludes(pool: Pool, left: Sequence[Expr], right: Sequence[Expr]) -> bool:
    if pool.conjunction([*left, *right]) is pool.false:
        return True
    bounds = [bound for literal in right for bound in bounds_of(literal)]
    return any(apart(one, other) for literal in left for one in bounds_of(literal) for other in bounds)


def apart(one: Bound, other: Bound) -> bool:
    """Whether no number is within both bounds, and NaN is not either."""
    if one.quantity is not other.quantity or one.sign == other.sign or (one.nan and other.nan):
        return False
    low, high = (one, other) if one.sign == 1 else (other, one)
    return low.number > high.number or (low.number == high.number and (low.strict or high.strict))


def bounds_of(literal: Expr) -> list[Bound]:
    """The bounds that a truth value sets where it holds."""
    negated = isinstance(literal, ir.Unary) and literal.op == "not"
    node = literal.operand if isinstance(literal, ir.Unary) else literal
    if not isinstance(node, ir.Compare) or (negated and len(node.rest) > 1):
        return []
    sides = [node.first, *(operand for _, operand in node.rest)]
    found: list[Bound] = []
    for left, (op, right) in zip(sides, node.rest, strict=False):
        if op == "==" and not negated:
            found += [*bound(left, "<=", right, False), *bound(left, ">=", right, False)]
        elif op in TURNED:
            found += bound(left, OPPOSITE[op] if negated else op, right, negated)
    return found


def bound(left: Expr, order: str, right: Expr, nan: bool) -> list[Bound]:
    for quantity, op, number in ((left, order, right), (right, TURNED.get(order, order), left)):
        if isinstance(number, ir.Const) and not isinstance(number.value, str) and math.isfinite(number.value):
            sign = 1 if op in (">", ">=") else -1
            return [Bound(quantity, sign, float(number.value), op in ("<", ">"), nan)]
    return []
