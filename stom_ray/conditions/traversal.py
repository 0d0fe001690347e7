"""Walking and rebuilding the IR."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from stom_ray.conditions.ir import (
    Assign,
    Binary,
    Call,
    Choose,
    Compare,
    Expr,
    If,
    Lag,
    Logic,
    Moment,
    Program,
    SecondsBetween,
    Stmt,
    Strategy,
    Unary,
    Window,
)


def programs_of(strategy: Strategy) -> tuple[Program, ...]:
    return (strategy.buy, strategy.sell, *(program for _, program in strategy.elapsed))


def expressions(program: Program) -> Iterator[Expr]:
    """Every expression node of a program, outer before inner, in text order."""
    for statement in statements(program.body):
        if isinstance(statement, Assign):
            yield from walk(statement.value)
        elif isinstance(statement, If):
            yield from walk(statement.test)


def statements(body: tuple[Stmt, ...]) -> Iterator[Stmt]:
    """Every statement, outer before inner."""
    for statement in body:
        yield statement
        if isinstance(statement, If):
            yield from statements(statement.then)
            yield from statements(statement.orelse)


def walk(node: Expr) -> Iterator[Expr]:
    yield node
    for operand in operands(node):
        yield from walk(operand)


def operands(node: Expr) -> tuple[Expr, ...]:
    """The direct operands of a node, in evaluation order (a Choose evaluates its test first)."""
    match node:
        case Lag():
            return (node.pre,)
        case Window():
            return (node.length, node.pre)
        case Unary():
            return (node.operand,)
        case Binary():
            return (node.left, node.right)
        case Compare():
            return (node.first, *(operand for _, operand in node.rest))
        case Logic():
            return node.operands
        case Choose():
            return (node.test, node.then, node.orelse)
        case Call():
            return node.arguments
        case Moment():
            return () if node.shift_s is None else (node.shift_s,)
        case SecondsBetween():
            return (node.later, node.earlier)
        case _:
            return ()


def rewrite(node: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """The tree with `change` applied to every node, inner before outer."""
    match node:
        case Lag():
            node = replace(node, pre=rewrite(node.pre, change))
        case Window():
            node = replace(node, length=rewrite(node.length, change), pre=rewrite(node.pre, change))
        case Unary():
            node = replace(node, operand=rewrite(node.operand, change))
        case Binary():
            node = replace(node, left=rewrite(node.left, change), right=rewrite(node.right, change))
        case Compare():
            rest = tuple((op, rewrite(operand, change)) for op, operand in node.rest)
            node = replace(node, first=rewrite(node.first, change), rest=rest)
        case Logic():
            node = replace(node, operands=tuple(rewrite(operand, change) for operand in node.operands))
        case Choose():
            test, then, orelse = (rewrite(part, change) for part in (node.test, node.then, node.orelse))
            node = replace(node, test=test, then=then, orelse=orelse)
        case Call():
            node = replace(node, arguments=tuple(rewrite(argument, change) for argument in node.arguments))
        case Moment():
            node = rewrite_moment(node, change)
        case SecondsBetween():
            later, earlier = rewrite_moment(node.later, change), rewrite_moment(node.earlier, change)
            node = replace(node, later=later, earlier=earlier)
        case _:
            pass
    return change(node)


def rewrite_moment(node: Moment, change: Callable[[Expr], Expr]) -> Moment:
    """A time's seconds rewritten; the time itself stays one."""
    return node if node.shift_s is None else replace(node, shift_s=rewrite(node.shift_s, change))


def rewrite_program(program: Program, change: Callable[[Expr], Expr]) -> Program:
    """The program with every expression rewritten."""
    return replace(program, body=rewrite_body(program.body, change))


def rewrite_body(body: tuple[Stmt, ...], change: Callable[[Expr], Expr]) -> tuple[Stmt, ...]:
    found: list[Stmt] = []
    for statement in body:
        if isinstance(statement, Assign):
            statement = replace(statement, value=rewrite(statement.value, change))
        elif isinstance(statement, If):
            then, orelse = rewrite_body(statement.then, change), rewrite_body(statement.orelse, change)
            statement = replace(statement, test=rewrite(statement.test, change), then=then, orelse=orelse)
        found.append(statement)
    return tuple(found)
