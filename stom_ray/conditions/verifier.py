"""Well-formed IR: what every pass must leave behind and every emitter may rely on. A violation is a bug, not a user's mistake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from stom_ray.conditions import ir
from stom_ray.conditions.names import DECISIONS, MOMENT_NAME
from stom_ray.conditions.traversal import expressions, operands, programs_of, statements, walk
from stom_ray.schema.windows import WINDOW_SOURCE

LONGEST_SESSION = 86_400
ExprType = Literal["NUM", "BOOL", "TEXT", "MOMENT"]
ARITY = {"int": (1, 1), "float": (1, 1), "abs": (1, 1), "round": (1, 2), "min": (2, 50), "max": (2, 50)}


class MalformedIR(ValueError):  # noqa: N818 - a state of the IR, raised only by a bug
    """The IR breaks its own rules; names the pass after which it does."""


def type_of(node: ir.Expr) -> ExprType:
    """NUM or BOOL for what conditions compute with, MOMENT for a time, TEXT for a bare string (nowhere legal)."""
    match node:
        case ir.Const(value=str()):
            return "TEXT"
        case ir.Const(value=bool()) | ir.Compare() | ir.TextTest() | ir.Unary(op="not"):
            return "BOOL"
        case ir.Moment():
            return "MOMENT"
        case ir.Logic():
            return "BOOL" if all(type_of(operand) == "BOOL" for operand in node.operands) else "NUM"
        case ir.Choose():
            return "BOOL" if type_of(node.then) == type_of(node.orelse) == "BOOL" else "NUM"
        case _:
            return "NUM"


def verify_strategy(strategy: ir.Strategy) -> None:
    """Every program, the labels, the parameters. Raises MalformedIR."""
    kinds = [program.kind for program in programs_of(strategy)]
    if kinds != ["buy", "sell", *("expr" for _ in strategy.elapsed)]:
        raise MalformedIR(f"program kinds {kinds}")
    for program in programs_of(strategy):
        verify_program(program)
        for statement in statements(program.body):
            if isinstance(statement, ir.SetLabel) and not 1 <= statement.number < len(strategy.labels):
                raise MalformedIR(f"sell reason {statement.number} of {len(strategy.labels) - 1}")
        for node in expressions(program):
            if isinstance(node, ir.Var) and node.index >= strategy.n_vars:
                raise MalformedIR(f"self.vars[{node.index}] of {strategy.n_vars}")


def verify_program(program: ir.Program, after: str = "lowering") -> None:
    """Types, arities, names and constants of one program. Raises MalformedIR naming the pass."""
    problem = next(problems(program), None)
    if problem:
        raise MalformedIR(f"after {after}, {program.kind} program: {problem}")


def problems(program: ir.Program) -> Iterator[str]:
    known = {statement.name for statement in statements(program.body) if isinstance(statement, ir.Assign)}
    known |= set(DECISIONS) if program.kind != "expr" else set()
    for statement in statements(program.body):
        if isinstance(statement, ir.SetLabel) and program.kind != "sell":
            yield f"a sell reason at {statement.at}"
        root = statement.value if isinstance(statement, ir.Assign) else statement.test if isinstance(statement, ir.If) else None
        if root is None:
            continue
        if type_of(root) not in ("NUM", "BOOL"):
            yield f"a {type_of(root)} where a number is needed at {root.at}"
        for node in walk(root):
            if isinstance(node, ir.Temp) and node.name not in known:
                yield f"`{node.name}` is never set, read at {node.at}"
            yield from node_problems(node, program.kind)


def node_problems(node: ir.Expr, kind: str) -> Iterator[str]:
    match node:
        case ir.Compare():
            types = {type_of(operand) for operand in operands(node)}
            if not node.rest or "TEXT" in types or ("MOMENT" in types and len(types) > 1):
                yield f"a comparison of {sorted(types)} at {node.at}"
            return
        case ir.SecondsBetween():
            return
        case ir.Logic() if len(node.operands) < 2:
            yield f"`{node.op}` of {len(node.operands)} at {node.at}"
        case ir.Call():
            low, high = ARITY[node.function]
            if not low <= len(node.arguments) <= high:
                yield f"{node.function} of {len(node.arguments)} at {node.at}"
        case ir.Lag():
            if node.name == MOMENT_NAME:
                yield f"a look-back of {node.name} at {node.at}"
            yield from row_count_problems(node.pre, kind)
        case ir.Window():
            if node.function not in WINDOW_SOURCE:
                yield f"window {node.function} at {node.at}"
            yield from row_count_problems(node.pre, kind)
            if isinstance(node.length, ir.Const) and (
                isinstance(node.length.value, (bool, str)) or not 0 <= node.length.value <= LONGEST_SESSION
            ):
                yield f"window length {node.length.value} at {node.at}"
        case ir.State() if kind != "sell" and node.name in ir.STATE_NAMES_SELL:
            yield f"{node.name} without a position at {node.at}"
        case ir.TextTest() if node.name not in ir.TEXT_NAMES or not node.choices:
            yield f"a test of {node.name} at {node.at}"
        case ir.Var() if node.index < 0:
            yield f"self.vars[{node.index}] at {node.at}"
    for operand in operands(node):
        if type_of(operand) not in ("NUM", "BOOL"):
            yield f"a {type_of(operand)} inside {type(node).__name__} at {node.at}"


def row_count_problems(pre: ir.Expr, kind: str) -> Iterator[str]:
    """A constant look-back is at least 0, or -1 where there is a buy row, and no longer than a session."""
    if isinstance(pre, ir.Const):
        lowest = -1 if kind == "sell" else 0
        if isinstance(pre.value, (bool, str)) or not lowest <= pre.value <= LONGEST_SESSION:
            yield f"look-back {pre.value} at {pre.at}"


def unset_reads(program: ir.Program) -> tuple[ir.Temp, ...]:
    """The first read of each temporary that some path through the text reaches without setting it."""
    found: dict[str, ir.Temp] = {}

    def read(node: ir.Expr, known: frozenset[str]) -> None:
        for part in walk(node):
            if isinstance(part, ir.Temp) and part.name not in known:
                found.setdefault(part.name, part)

    def run(body: tuple[ir.Stmt, ...], known: frozenset[str]) -> frozenset[str]:
        for statement in body:
            if isinstance(statement, ir.Assign):
                read(statement.value, known)
                known |= {statement.name}
            elif isinstance(statement, ir.If):
                read(statement.test, known)
                known |= run(statement.then, known) & run(statement.orelse, known)
        return known

    run(program.body, frozenset(DECISIONS))
    return tuple(found.values())
