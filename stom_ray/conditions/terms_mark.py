"""A side of a comparison as `scale * right + offset`, with every rounding as written: what a threshold can be found behind."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stom_ray.conditions import ir
from stom_ray.conditions.ir import Expr
from stom_ray.conditions.terms_pool import Pool


@dataclass(frozen=True)
class Mark:
    """right: of parameters only. scale, offset: of the row only, None where there is no product, no sum."""

    right: Expr
    scale: Expr | None = None
    offset: Expr | None = None


def mark_of(pool: Pool, node: Expr) -> Mark | None:
    """The expression as a mark; None where it is none.

    `a - b` is `a + -b` to the last bit, and `a - s * p` is `s * -p + a`.
    """
    found = product_of(pool, node)
    if found is not None or not isinstance(node, ir.Binary) or node.op not in ("+", "-"):
        return found
    if pool.of_row_only(node.right):
        found = product_of(pool, node.left)
        offset = node.right if node.op == "+" else negative(pool, node.right)
    elif pool.of_row_only(node.left):
        found = product_of(pool, node.right)
        offset = node.left
        if found is not None and node.op == "-":
            found = replace(found, right=negative(pool, found.right))
    return None if found is None else replace(found, offset=offset)


def product_of(pool: Pool, node: Expr) -> Mark | None:
    """A mark without offset."""
    if pool.of_parameters_only(node):
        return Mark(node)
    if isinstance(node, ir.Binary) and node.op == "*":
        for scale, right in ((node.left, node.right), (node.right, node.left)):
            if pool.of_row_only(scale) and pool.of_parameters_only(right):
                return Mark(right, scale)
    return None


def negative(pool: Pool, node: Expr) -> Expr:
    return pool.folded(ir.Unary("-", node, node.at))
