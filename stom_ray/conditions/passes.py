"""Passes over the IR, run in order with the verifier between them, and what a strategy reads. A pass never changes meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from stom_ray.conditions.fold import fold_node
from stom_ray.conditions.ir import Column, Const, Expr, If, Lag, Moment, Program, State, Stmt, Strategy, Var, Window
from stom_ray.conditions.names import MOMENT_NAME, STATE_SOURCES
from stom_ray.conditions.traversal import expressions, programs_of, rewrite_program
from stom_ray.conditions.verifier import verify_program
from stom_ray.schema.windows import WINDOW_SOURCE


class Pass(NamedTuple):
    """A rewriting of one program."""

    name: str
    apply: Callable[[Program], Program]


def fold_constants(program: Program) -> Program:
    """Computes what is the same on every row; see `fold`."""
    return rewrite_program(program, fold_node)


def drop_dead_branches(program: Program) -> Program:
    """An `if` on a literal becomes the statements that run."""
    return replace(program, body=live(program.body))


def live(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    found: list[Stmt] = []
    for statement in body:
        if not isinstance(statement, If):
            found.append(statement)
        elif isinstance(statement.test, Const):
            found.extend(live(statement.then if statement.test.value else statement.orelse))
        else:
            found.append(replace(statement, then=live(statement.then), orelse=live(statement.orelse)))
    return tuple(found)


PASSES = (Pass("fold constants", fold_constants), Pass("drop dead branches", drop_dead_branches))


def run_passes(program: Program) -> Program:
    """Every pass in order; the IR is verified before the first and after each."""
    verify_program(program)
    for step in PASSES:
        program = step.apply(program)
        verify_program(program, after=step.name)
    return program


@dataclass(frozen=True)
class Reads:
    """What a strategy reads of a panel.

    columns: base columns, sorted, also those behind look-backs, windows, states and times; the engine's own needs (fills,
    sale, weights) come on top. windows: (function, length, pre), each once, in text order. vars: indices of `self.vars`, sorted.
    """

    columns: tuple[str, ...]
    windows: tuple[tuple[str, Expr, Expr], ...]
    vars: tuple[int, ...]


def reads(strategy: Strategy) -> Reads:
    """What the strategy's programs read, dead branches apart."""
    columns: set[str] = set()
    windows: dict[tuple[str, Expr, Expr], None] = {}
    for program in programs_of(strategy):
        for node in expressions(program):
            columns.update(columns_behind(node))
            if isinstance(node, Window):
                windows[node.function, node.length, node.pre] = None
    return Reads(tuple(sorted(columns)), tuple(windows), tuple(sorted(parameters_read(*programs_of(strategy)))))


def columns_behind(node: Expr) -> tuple[str, ...]:
    """The base columns one node reads, its operands apart."""
    match node:
        case Column(name=name) | Lag(name=name):
            return (name,)
        case Window():
            return (WINDOW_SOURCE[node.function],)
        case State(name=name):
            return STATE_SOURCES.get(name, ())
        case Moment(base="vi"):
            return (MOMENT_NAME,)
        case _:
            return ()


def parameters_read(*programs: Program) -> set[int]:
    """Indices of `self.vars` the programs read."""
    return {node.index for program in programs for node in expressions(program) if isinstance(node, Var)}
