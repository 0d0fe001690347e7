"""What a sell text decides as a list of reasons: conjunctions of comparisons of the position, or of the row, with parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeVar

from stom_ray.conditions import ir
from stom_ray.conditions.fold import fold_node
from stom_ray.conditions.ir import Expr
from stom_ray.conditions.terms_bounds import OPPOSITE
from stom_ray.conditions.terms_mark import mark_of
from stom_ray.conditions.terms_pool import TURNED, Pool, Uncut
from stom_ray.conditions.terms_run import Arm
from stom_ray.conditions.terms_types import Atom, Quantity, Reason, SellTerms

MOST_REASONS = 64
MOST_ATOMS = 8
LARGEST_TERM = 2_000

QUANTITIES: dict[str, Quantity] = {"수익률": "pct", "최고수익률": "peak", "최저수익률": "trough", "보유시간": "held"}
PLAIN_TWICE = ("int", "float")  # what leaves 보유시간, whole seconds as a float, the same number

Branch = tuple[Expr, ...]  # truth values that must all hold
Branches = tuple[Branch, ...]  # one must hold
Many = TypeVar("Many", Branches, list[Reason])


class SellCut:
    """Cuts the outcome of one pool. ratio: whether comparisons of 수익률 with 최고수익률 * v and 최고수익률 - v are cut, too."""

    def __init__(self, pool: Pool, ratio: bool) -> None:
        self.pool = pool
        self.ratio = ratio

    def terms(self, arms: tuple[Arm, ...]) -> SellTerms:
        found: list[Reason] = []
        earlier: list[frozenset[int]] = []
        for when, label in self.sales(arms):
            for branch in self.branches(when, False):
                parts = frozenset(id(part) for part in branch)
                if not any(parts >= known for known in earlier):  # else an earlier reason holds wherever this one does
                    earlier.append(parts)
                    found.append(Reason(label, self.atoms(branch)))
            self.limited(found)
        return SellTerms(tuple(found))

    def sales(self, arms: tuple[Arm, ...]) -> list[tuple[Expr, int]]:
        """(truth, label) in order of priority: the text sells where one holds."""
        found: list[tuple[Expr, int]] = []
        keeps: list[Expr] = []  # where an earlier arm may decide not to sell
        for arm in arms:
            blocked = [self.pool.negation(keep) for keep in keeps if not self.exclude(keep, arm.when)]
            sells = self.pool.conjunction([arm.when, self.pool.truth(arm.value), *blocked])
            if sells is not self.pool.false:
                found.append((sells, arm.label))
            if not (isinstance(arm.value, ir.Const) and arm.value.value):
                keeps.append(arm.when)
        return found

    def exclude(self, left: Expr, right: Expr) -> bool:
        """Whether two conjunctions plainly never hold together."""
        return self.pool.conjunction([left, right]) is self.pool.false

    # Disjunctive normal form

    def branches(self, node: Expr, negated: bool) -> Branches:
        """The truth of `node`, or of `not node`, as conjunctions of what cannot be taken apart."""
        match node:
            case ir.Const(value=value):
                return ((),) if bool(value) != negated else ()
            case ir.Unary(op="not", operand=operand):
                return self.branches(operand, not negated)
        if self.pool.of_row_only(node) or self.pool.of_parameters_only(node):
            return ((self.literal(node, negated),),)
        match node:
            case ir.Logic(op=op, operands=parts) if (op == "and") != negated:
                return self.every([self.branches(part, negated) for part in parts])
            case ir.Logic(operands=parts):
                return self.any_of(parts, negated)
            case ir.Choose(test=test, then=then, orelse=orelse):
                first = self.every([self.branches(test, False), self.branches(then, negated)])
                return self.limited((*first, *self.every([self.branches(test, True), self.branches(orelse, negated)])))
            case ir.Compare() if len(node.rest) > 1:
                links = [self.branches(link, negated) for link in self.pool.links(node)]
                return self.limited(tuple(branch for link in links for branch in link)) if negated else self.every(links)
            case ir.Compare():
                return self.comparison(node, negated)
        raise Uncut(self.pool.at(node, "is a number of the position or of row and parameters that is tested for truth"))

    def literal(self, node: Expr, negated: bool) -> Expr:
        return self.pool.negation(node) if negated else self.pool.truth(node)

    def every(self, parts: list[Branches]) -> Branches:
        """All parts hold: each of the one with each of the other."""
        found: Branches = ((),)
        for part in parts:
            joined = (self.both(left, right) for left in found for right in part)
            found = self.limited(tuple(branch for branch in joined if branch is not None))
        return found

    def both(self, left: Branch, right: Branch) -> Branch | None:
        """The conjunction, None where it can never hold."""
        joined = self.pool.conjunction([*left, *right])
        if isinstance(joined, ir.Const):
            return () if joined.value else None
        return joined.operands if isinstance(joined, ir.Logic) and joined.op == "and" else (joined,)

    def any_of(self, parts: tuple[Expr, ...], negated: bool) -> Branches:
        """One part holds; those of the row only together."""
        fixed = [self.literal(part, negated) for part in parts if self.pool.of_row_only(part)]
        moving = [part for part in parts if not self.pool.of_row_only(part)]
        found = [branch for part in moving for branch in self.branches(part, negated)]
        if fixed:
            found.append((self.pool.disjunction(fixed),))
        return self.limited(tuple(found))

    def limited(self, found: Many) -> Many:
        if len(found) > MOST_REASONS:
            raise Uncut(f"sell text: more than {MOST_REASONS} reasons once every `or` is taken apart")
        return found

    def comparison(self, node: ir.Compare, negated: bool) -> Branches:
        tested = self.pool.same_truth(node)
        if tested is not None:
            return self.branches(tested, negated)
        literal = self.literal(node, negated)
        if self.atom(literal) is not None:
            return ((literal,),)
        cases = self.pool.by_cases(node)
        if cases is None:
            raise Uncut(self.pool.at(node, self.why_not(node)))
        return self.branches(cases, negated)

    def why_not(self, node: ir.Compare) -> str:
        ((op, _),) = node.rest
        if op in ("==", "!="):
            return f"tests with {op} what depends on the position or on parameters"
        known = "수익률, 최고수익률, 최저수익률, 보유시간, 최고수익률 - 수익률"
        return f"is no comparison with parameters alone of one of {known}, or of the row"

    # Atoms

    def atoms(self, branch: Branch) -> tuple[Atom, ...]:
        """A conjunction's atoms; what reads the row only is one."""
        fixed = [part for part in branch if self.pool.of_row_only(part)]
        found: list[Atom] = []
        for part in branch:
            atom = None if self.pool.of_row_only(part) else self.atom(part)
            found += [] if atom is None else [atom]
        if fixed:
            row = self.pool.conjunction(fixed)
            if self.pool.facts(row).size > LARGEST_TERM:
                raise Uncut(f"sell text, line {row.at.line}: too large once its temporaries are written out")
            found.append(Atom("truth", 1, ir.Const(1), False, row))
        if len(found) > MOST_ATOMS:
            raise Uncut(f"sell text, line {branch[0].at.line}: more than {MOST_ATOMS} conditions of one sale")
        return tuple(found)

    def atom(self, literal: Expr) -> Atom | None:
        """A single comparison, or its `not`, as an atom; None when it is none."""
        negated = isinstance(literal, ir.Unary)
        node = literal.operand if isinstance(literal, ir.Unary) else literal
        if self.pool.of_parameters_only(node):
            one, two = self.pool.add(ir.Const(1)), self.pool.add(ir.Const(2))
            return Atom("tick", 1, self.pool.choose(literal, one, two), False, one)
        if not isinstance(node, ir.Compare) or len(node.rest) != 1:
            return None
        ((op, right),) = node.rest
        if op not in TURNED:
            return None
        for left, order, other in ((node.first, op, right), (right, TURNED[op], node.first)):
            found = self.against(left, other)
            if found is not None:
                return turned(found, OPPOSITE[order] if negated else order, negated)
        return None

    def against(self, left: Expr, value: Expr) -> Atom | None:
        """`left >= value`."""
        if self.pool.of_row_only(left):
            mark = mark_of(self.pool, value)
            return None if mark is None else Atom("tick", 1, mark.right, False, left, scale=mark.scale, offset=mark.offset)
        if self.pool.of_parameters_only(value):
            quantity = quantity_of(left)
            return None if quantity is None else Atom(quantity[0], quantity[1], value, False)
        return self.trailing(value) if self.ratio and quantity_of(left) == ("pct", 1) else None

    def trailing(self, value: Expr) -> Atom | None:
        """`수익률 >= 최고수익률 * v`, `- v` or `+ v`."""
        if not isinstance(value, ir.Binary) or value.op not in ("*", "-", "+"):
            return None
        for peak, other in ((value.left, value.right), (value.right, value.left)):
            if quantity_of(peak) == ("peak", 1) and self.pool.of_parameters_only(other):
                if value.op == "-" and peak is not value.left:
                    return None
                return Atom("ratio" if value.op == "*" else "trail", 1, minus(other) if value.op == "+" else other, False)
        return None


def quantity_of(node: Expr) -> tuple[Quantity, Literal[1, -1]] | None:
    """What of the position an expression is, and with which sign."""
    match node:
        case ir.State(name=name) if name in QUANTITIES:
            return QUANTITIES[name], 1
        case ir.Unary(op="-", operand=operand):
            found = quantity_of(operand)
            return None if found is None else (found[0], -1 if found[1] == 1 else 1)
        case ir.Unary(op="+", operand=operand):
            return quantity_of(operand)
        case ir.Call(function=function, arguments=(ir.State(name="보유시간"),)) if function in PLAIN_TWICE:
            return "held", 1
        case ir.Binary(op="-", left=ir.State(name="최고수익률"), right=ir.State(name="수익률")):
            return "drawdown", 1
        case ir.Binary(op="-", left=ir.State(name="수익률"), right=ir.State(name="최고수익률")):
            return "drawdown", -1
    return None


def turned(atom: Atom, order: str, negated: bool) -> Atom:
    """The atom of `left >= value` for another order: below is above with both signs turned."""
    atom = replace(atom, strict=order in ("<", ">"), passes_nan=negated)
    if order in (">", ">="):
        return atom
    sign: Literal[1, -1] = -1 if atom.sign == 1 else 1
    # ratio and trail turn the sign of the whole product or difference, not of the value inside.
    return replace(atom, sign=sign, value=atom.value if atom.quantity in ("ratio", "trail") else minus(atom.value))


def minus(value: Expr) -> Expr:
    return fold_node(ir.Unary("-", value, value.at))
