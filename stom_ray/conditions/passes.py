"""Passes over the IR, run in order, and what a strategy reads. A pass never changes meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from stom_ray.conditions.ir import (
    Assign,
    Binary,
    Call,
    Choose,
    Column,
    Compare,
    Expr,
    If,
    Lag,
    Logic,
    Moment,
    Program,
    SecondsBetween,
    State,
    Stmt,
    Strategy,
    Unary,
    Var,
    Window,
)
from stom_ray.conditions.names import MOMENT_NAME, STATE_SOURCES, WINDOW_SOURCE


class Pass(NamedTuple):
    name: str
    apply: Callable[[Program], Program]


PASSES: tuple[Pass, ...] = ()


def run_passes(program: Program) -> Program:
    for step in PASSES:
        program = step.apply(program)
    return program


@dataclass(frozen=True)
class Reads:
    """What a strategy reads of a panel.

    columns: base columns, sorted, also those behind look-backs, windows, states and times. windows: (function, length, pre)
    as written, each once. vars: indices of `self.vars`, sorted.
    """

    columns: tuple[str, ...]
    windows: tuple[tuple[str, Expr, Expr], ...]
    vars: tuple[int, ...]


def programs_of(strategy: Strategy) -> tuple[Program, ...]:
    return (strategy.buy, strategy.sell, *(program for _, program in strategy.elapsed))


def reads(strategy: Strategy) -> Reads:
    columns: set[str] = set()
    windows: list[tuple[str, Expr, Expr]] = []
    for program in programs_of(strategy):
        for node in expressions(program):
            match node:
                case Column(name=name) | Lag(name=name):
                    columns.add(name)
                case Window():
                    columns.add(WINDOW_SOURCE[node.function])
                    found = (node.function, node.length, node.pre)
                    if found not in windows:
                        windows.append(found)
                case State(name=name):
                    columns.update(STATE_SOURCES.get(name, ()))
                case Moment(base="vi"):
                    columns.add(MOMENT_NAME)
    return Reads(tuple(sorted(columns)), tuple(windows), tuple(sorted(parameters_read(*programs_of(strategy)))))


def parameters_read(*programs: Program) -> set[int]:
    """Indices of `self.vars` the programs read."""
    return {node.index for program in programs for node in expressions(program) if isinstance(node, Var)}


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
    """The direct operands of a node, in evaluation order."""
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
