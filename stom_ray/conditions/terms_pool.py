"""Expressions kept once each: equal ones are the same object, so that a temporary used twice costs nothing.

What an expression reads, how large it is written out and whether it is a truth value is known of each. The constructors of truth
values simplify what branches leave behind, and only where the value stays the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from enum import IntFlag
from typing import Any

from stom_ray.conditions import ir
from stom_ray.conditions.fold import fold_node
from stom_ray.conditions.ir import Expr
from stom_ray.conditions.printer import print_expr
from stom_ray.conditions.terms_types import Order
from stom_ray.conditions.traversal import operands, rewrite, walk
from stom_ray.conditions.verifier import type_of

MOST_NODES = 20_000
LARGEST_TREE = 50_000
LONGEST_QUOTE = 100
TURNED: dict[str, Order] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}  # the comparison read from the other side
TRUE, FALSE = ir.Const(True), ir.Const(False)


class Uncut(Exception):  # noqa: N818 - an outcome of the analysis, caught at its entry
    """The text cannot be cut into terms; the message says which expression and why."""


class Reads(IntFlag):
    """What an expression depends on."""

    NOTHING = 0
    ROW = 1
    PARAMETERS = 2
    POSITION = 4


@dataclass(frozen=True, slots=True)
class Facts:
    """size: nodes when written out as a tree. truth: a BOOL. choice: has a Choose inside."""

    reads: Reads
    size: int
    truth: bool
    choice: bool


class Pool:
    """Keeps the expressions of one text. bound: indices of Vars that count as constants."""

    def __init__(self, kind: str, bound: frozenset[int]) -> None:
        self.kind = kind
        self.bound = bound
        self.inside_windows: set[int] = set()
        self._nodes: dict[Any, Expr] = {}
        self._facts: dict[int, Facts] = {}
        self.true, self.false = self.add(TRUE), self.add(FALSE)

    def add(self, node: Expr) -> Expr:
        """The kept expression equal to `node`, whose operands are kept ones. 1, 1.0 and True are different."""
        if isinstance(node, ir.SecondsBetween):
            later, earlier = self.add(node.later), self.add(node.earlier)
            node = replace(node, later=later, earlier=earlier)  # type: ignore[arg-type]
        key = _key(node)
        kept = self._nodes.get(key)
        if kept is not None:
            return kept
        parts = [self._facts[id(operand)] for operand in operands(node)]
        size = 1 + sum(part.size for part in parts)
        if len(self._nodes) >= MOST_NODES or size > LARGEST_TREE:
            raise Uncut(f"{self.kind} text, line {node.at.line}: too large once its temporaries are written out")
        reads = self._own_reads(node)
        for part in parts:
            reads |= part.reads
        choice = isinstance(node, ir.Choose) or any(part.choice for part in parts)
        truth = type_of(node) == "BOOL" if not isinstance(node, ir.Logic | ir.Choose) else _joins_truths(node, parts)
        self._nodes[key] = node
        self._facts[id(node)] = Facts(reads, size, truth, choice)
        if isinstance(node, ir.Window | ir.Lag):
            counted = [found for operand in operands(node) for found in walk(operand)]
            self.inside_windows |= {found.index for found in counted if isinstance(found, ir.Var)}
        return node

    def absorb(self, node: Expr, value_of: Callable[[ir.Temp], Expr]) -> Expr:
        """The kept form of an expression of the text, its temporaries replaced by their (kept) values."""
        return rewrite(node, lambda part: value_of(part) if isinstance(part, ir.Temp) else self.folded(part))

    def folded(self, node: Expr) -> Expr:
        """One node of kept operands, computed where they are all literals; `매수 == True` is 매수."""
        if isinstance(node, ir.Logic):
            return self.add(node)
        kept = self.add(fold_node(node))
        return (self.same_truth(kept) or kept) if isinstance(kept, ir.Compare) else kept

    def _own_reads(self, node: Expr) -> Reads:
        match node:
            case ir.Var(index=index):
                return Reads.NOTHING if index in self.bound else Reads.PARAMETERS
            case ir.State(name=name) if name in ir.STATE_NAMES_SELL:
                return Reads.POSITION
            case ir.Window(pre=pre) | ir.Lag(pre=pre) if self.kind == "sell" and not _looks_back(pre):
                return Reads.ROW | Reads.POSITION  # may be the buy row
            case ir.Column() | ir.State() | ir.Lag() | ir.Window() | ir.Elapsed() | ir.TextTest() | ir.Moment():
                return Reads.ROW
        return Reads.NOTHING

    # What is known of a kept expression

    def facts(self, node: Expr) -> Facts:
        return self._facts[id(node)]

    def of_row_only(self, node: Expr) -> bool:
        return not self.facts(node).reads & (Reads.PARAMETERS | Reads.POSITION)

    def of_parameters_only(self, node: Expr) -> bool:
        return not self.facts(node).reads & (Reads.ROW | Reads.POSITION)

    def at(self, node: Expr, problem: str) -> str:
        """A sentence about an expression, with its line."""
        text = print_expr(node) if self.facts(node).size < LONGEST_QUOTE else "..."
        text = text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."
        return f"{self.kind} text, line {node.at.line}: `{text}` {problem}"

    # Truth values

    def truth(self, node: Expr) -> Expr:
        """The truth of a number as a BOOL."""
        return node if self.facts(node).truth else self.negation(self.negation(node))

    def negation(self, node: Expr) -> Expr:
        match node:
            case ir.Const(value=value):
                return self.false if value else self.true
            case ir.Unary(op="not", operand=operand) if self.facts(operand).truth:
                return operand
        return self.add(ir.Unary("not", node, node.at))

    def conjunction(self, parts: Iterable[Expr]) -> Expr:
        return self._joined("and", parts, self.true, self.false)

    def disjunction(self, parts: Iterable[Expr]) -> Expr:
        return self._joined("or", parts, self.false, self.true)

    def _joined(self, op: Any, parts: Iterable[Expr], neutral: Expr, deciding: Expr) -> Expr:
        """and/or of truths, flat, each once."""
        flat: dict[int, Expr] = {}
        for part in parts:
            part = self.truth(part)
            inner = part.operands if isinstance(part, ir.Logic) and part.op == op else (part,)
            flat |= {id(operand): operand for operand in inner if operand is not neutral}
        found = list(flat.values())
        if id(deciding) in flat or any(id(self.negation(part)) in flat for part in found):
            return deciding
        if len(found) < 2:
            return found[0] if found else neutral
        return self.add(ir.Logic(op, tuple(found), found[0].at))

    def choose(self, test: Expr, then: Expr, orelse: Expr) -> Expr:
        """`then if test else orelse`, as and/or where both are truth values and one is known."""
        match test:
            case ir.Const(value=value):
                return then if value else orelse
            case ir.Unary(op="not", operand=operand):
                return self.choose(operand, orelse, then)
        if isinstance(then, ir.Choose) and then.test is test:
            then = then.then
        if isinstance(orelse, ir.Choose) and orelse.test is test:
            orelse = orelse.orelse
        if then is orelse:
            return then
        if self.facts(then).truth and self.facts(orelse).truth:
            joined = self.choose_truth(test, then, orelse)
            if joined is not None:
                return joined
        return self.add(ir.Choose(test, then, orelse, test.at))

    def choose_truth(self, test: Expr, then: Expr, orelse: Expr) -> Expr | None:
        """A choice of two truths as and/or, None where that needs the test twice."""
        if then is self.false:
            return self.conjunction([self.negation(self.known(test, orelse)), orelse])
        if then is self.true or then is test:
            return self.disjunction([test, orelse])
        if orelse is self.false or orelse is test:
            return self.conjunction([test, then])
        if orelse is self.true:
            return self.disjunction([self.negation(test), then])
        return None

    def known(self, test: Expr, given: Expr) -> Expr:
        """The test where `given` holds: `if 매수 and c` after 매수 is c."""
        holds = {id(part) for part in self.conjuncts(given)}
        return self.conjunction(part for part in self.conjuncts(test) if id(part) not in holds)

    def conjuncts(self, node: Expr) -> list[Expr]:
        """The parts of an `and`, inner ones taken apart."""
        if not isinstance(node, ir.Logic) or node.op != "and":
            return [node]
        return [part for operand in node.operands for part in self.conjuncts(operand)]

    # Comparisons

    def links(self, node: ir.Compare) -> list[Expr]:
        """A chained comparison's single ones."""
        sides = [node.first, *(operand for _, operand in node.rest)]
        return [self.add(ir.Compare(left, ((op, right),), node.at)) for left, (op, right) in zip(sides, node.rest, strict=False)]

    def case_inside(self, node: Expr, of_rows: bool) -> ir.Choose | None:
        """The first Choose that reads more than the row or parameters; with of_rows, the first that reads the row."""
        if not self.facts(node).choice or self.of_parameters_only(node) or (self.of_row_only(node) and not of_rows):
            return None
        if isinstance(node, ir.Choose):
            return node
        found = (self.case_inside(operand, of_rows) for operand in operands(node))
        return next((case for case in found if case is not None), None)

    def assume(self, node: Expr, test: Expr, holds: bool) -> Expr:
        """The expression where `test` is known."""
        if not self.facts(node).choice:
            return node
        if isinstance(node, ir.Choose) and node.test is test:
            return self.assume(node.then if holds else node.orelse, test, holds)
        return self.folded(with_operands(node, [self.assume(operand, test, holds) for operand in operands(node)]))

    def by_cases(self, node: Expr) -> Expr | None:
        """A comparison with a Choose inside as a Choose of comparisons; None when there is none to take out."""
        case = self.case_inside(node, of_rows=False) or self.case_inside(node, of_rows=True)
        if case is None:
            return None
        return self.choose(case.test, self.assume(node, case.test, True), self.assume(node, case.test, False))

    def same_truth(self, node: ir.Compare) -> Expr | None:
        """`매수 == True` and the like as the truth value they test; None for any other comparison."""
        if len(node.rest) != 1 or node.rest[0][0] not in ("==", "!="):
            return None
        op, other = node.rest[0]
        left, right = (other, node.first) if isinstance(node.first, ir.Const) else (node.first, other)
        if not self.facts(left).truth or not isinstance(right, ir.Const) or right.value not in (0, 1):
            return None
        return left if (right.value == 1) == (op == "==") else self.negation(left)


def with_operands(node: Expr, parts: list[Expr]) -> Expr:
    """The node with other operands, in the order of `operands`."""
    remaining = iter(parts)
    return _with_operands(node, lambda old: next(remaining))


def _with_operands(node: Expr, take: Callable[[Expr], Expr]) -> Expr:
    match node:
        case ir.Lag():
            return replace(node, pre=take(node.pre))
        case ir.Window():
            return replace(node, length=take(node.length), pre=take(node.pre))
        case ir.Unary():
            return replace(node, operand=take(node.operand))
        case ir.Binary():
            return replace(node, left=take(node.left), right=take(node.right))
        case ir.Compare():
            return replace(node, first=take(node.first), rest=tuple((op, take(operand)) for op, operand in node.rest))
        case ir.Logic():
            return replace(node, operands=tuple(take(operand) for operand in node.operands))
        case ir.Choose():
            return replace(node, test=take(node.test), then=take(node.then), orelse=take(node.orelse))
        case ir.Call():
            return replace(node, arguments=tuple(take(argument) for argument in node.arguments))
        case ir.Moment() if node.shift_s is not None:
            return replace(node, shift_s=take(node.shift_s))
        case ir.SecondsBetween():
            return replace(node, later=take(node.later), earlier=take(node.earlier))  # type: ignore[arg-type]
    return node


def _looks_back(pre: Expr) -> bool:
    """Whether a look-back of sell text can never be the buy row."""
    return isinstance(pre, ir.Const) and not isinstance(pre.value, str) and pre.value >= 0


def _joins_truths(node: ir.Logic | ir.Choose, parts: list[Facts]) -> bool:
    return all(part.truth for part in (parts[1:] if isinstance(node, ir.Choose) else parts))


def _key(node: Expr) -> tuple[Any, ...]:
    return (type(node), *(_part(getattr(node, field.name)) for field in fields(node) if field.name != "at"))


def _part(value: Any) -> Any:
    """A field as part of a key: kept operands by identity, numbers with their type and sign."""
    if isinstance(value, tuple):
        return tuple(_part(part) for part in value)
    if isinstance(value, float):
        return (float, value.hex())
    if isinstance(value, bool | int | str) or value is None:
        return (type(value), value)
    return id(value)
