"""매수 as a conjunction: every conjunct a disjunction of which at most one part reads parameters, where the text allows it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from stom_ray.conditions import ir
from stom_ray.conditions.ir import Expr
from stom_ray.conditions.terms_bounds import exclusive
from stom_ray.conditions.terms_mark import mark_of
from stom_ray.conditions.terms_pool import TURNED, Pool, Uncut
from stom_ray.conditions.terms_types import BuyTerms, Order, Threshold

MOST_TERMS = 1_000
LARGEST_TERM = 2_000
LARGEST_TERMS = 20_000

Clause = tuple[Expr, ...]  # truth values of which one must hold; () never holds
Clauses = tuple[Clause, ...]  # all must hold


class BuyCut:
    """Cuts the truth values of one pool."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._known: dict[tuple[int, bool], Clauses] = {}

    def terms(self, decision: Expr) -> BuyTerms:
        clauses = self.reduced(self.clauses(decision, False))
        gates: list[Expr] = []
        thresholds: list[Threshold] = []
        others: list[Expr] = []
        for clause in sorted(clauses, key=place):
            guards = tuple(part for part in clause if self.pool.of_row_only(part))
            moving = [part for part in clause if not self.pool.of_row_only(part)]
            threshold = self.threshold(moving[0], guards) if len(moving) == 1 else None
            if threshold is not None:
                thresholds.append(threshold)
            else:
                (others if moving else gates).append(self.pool.disjunction(clause))
        sizes = [self.pool.facts(part).size for clause in clauses for part in clause]
        if len(clauses) > MOST_TERMS or max(sizes, default=0) > LARGEST_TERM or sum(sizes) > LARGEST_TERMS:
            raise Uncut("buy text: too large once its temporaries are written out")
        return BuyTerms(tuple(gates), tuple(thresholds), tuple(others))

    def reduced(self, clauses: Clauses) -> Clauses:
        """Without what the clauses of a single part settle: that part, and its opposite, inside the others."""
        while True:
            alone = {id(clause[0]) for clause in clauses if len(clause) == 1}
            kept = [clause for clause in clauses if len(clause) == 1 or not any(id(part) in alone for part in clause)]
            left = unique(tuple(part for part in clause if id(self.pool.negation(part)) not in alone) for clause in kept)
            if [len(clause) for clause in left] == [len(clause) for clause in clauses]:
                return left
            clauses = left

    # Truth values as clauses

    def clauses(self, node: Expr, negated: bool) -> Clauses:
        """The truth of `node`, or of `not node`, as clauses."""
        key = (id(node), negated)
        if key not in self._known:
            self._known[key] = self._clauses(node, negated)
        return self._known[key]

    def _clauses(self, node: Expr, negated: bool) -> Clauses:
        match node:
            case ir.Const(value=value):
                return () if bool(value) != negated else ((),)
            case ir.Unary(op="not", operand=operand):
                return self.clauses(operand, not negated)
            case ir.Logic(op=op, operands=parts) if (op == "and") != negated:
                return unique(clause for part in parts for clause in self.clauses(part, negated))
            case ir.Compare() if not negated and len(node.rest) > 1:
                return unique(clause for link in self.pool.links(node) for clause in self.clauses(link, False))
        if self.pool.of_row_only(node):
            return ((self.literal(node, negated),),)
        match node:
            case ir.Logic(operands=parts):
                return self.either([self.clauses(part, negated) for part in parts])
            case ir.Choose():
                return self.chosen(node, negated)
            case ir.Compare() if len(node.rest) > 1:
                return self.either([self.clauses(link, True) for link in self.pool.links(node)])
            case ir.Compare():
                return self.comparison(node, negated)
        return ((self.literal(node, negated),),)

    def literal(self, node: Expr, negated: bool) -> Expr:
        return self.pool.negation(node) if negated else self.pool.truth(node)

    def comparison(self, node: ir.Compare, negated: bool) -> Clauses:
        """One comparison that reads parameters."""
        tested = self.pool.same_truth(node)
        if tested is not None:
            return self.clauses(tested, negated)
        whole = self.literal(node, negated)
        if self.threshold(whole, ()) is not None:
            return ((whole,),)
        ((op, right),) = node.rest
        if op == "==" and not negated:
            bounds = [self.pool.add(ir.Compare(node.first, ((bound, right),), node.at)) for bound in (">=", "<=")]
            if all(self.threshold(bound, ()) is not None for bound in bounds):
                return tuple((bound,) for bound in bounds)
        cases = self.pool.by_cases(node)
        if cases is not None:
            found = self.clauses(cases, negated)
            if all(self.is_cut(clause) for clause in found):
                return found
        return ((whole,),)

    def is_cut(self, clause: Clause) -> bool:
        moving = [part for part in clause if not self.pool.of_row_only(part)]
        return not moving or (len(moving) == 1 and self.threshold(moving[0], ()) is not None)

    def chosen(self, node: ir.Choose, negated: bool) -> Clauses:
        """`then if test else orelse`: each side holds, or the test says that the other counts."""
        then, orelse = self.clauses(node.then, negated), self.clauses(node.orelse, negated)
        shared, (then, orelse) = common([then, orelse])
        test, otherwise = self.clauses(node.test, False), self.clauses(node.test, True)
        return unique((*shared, *self.either([otherwise, then]), *self.either([test, orelse])))

    def either(self, parts: list[Clauses]) -> Clauses:
        """At least one of the parts holds."""
        parts = [part for part in parts if part != ((),)]
        if any(part == () for part in parts):
            return ()
        shared, parts = common(parts)
        if any(part == () for part in parts):
            return shared
        fixed: list[Clauses] = []
        moving: list[Clauses] = []
        for part in parts:
            (fixed if all(self.is_still(clause) for clause in part) else moving).append(part)
        guard = self.alternatives(self.whole(part) for part in fixed)
        if guard is None:
            return shared
        if len(moving) == 1:
            return unique((*shared, *self.joined(moving[0], guard)))
        apart = self.classes(moving)
        if apart is not None:
            return unique((*shared, *self.joined(apart, guard)))
        # Several parts that read parameters: one clause, which only the parts themselves can decide.
        return unique((*shared, *self.joined((tuple(self.whole(part) for part in moving),), guard)))

    def classes(self, parts: list[Clauses]) -> Clauses | None:
        """`(g and x) or (h and y)` where g and h, of the row only, exclude each other: one of them holds, x unless not g, ..."""
        guards = [
            self.pool.conjunction(self.pool.disjunction(clause) for clause in part if self.is_still(clause)) for part in parts
        ]
        if not exclusive(self.pool, [self.pool.conjuncts(guard) for guard in guards]):
            return None
        found = [self.alternatives(guards)]
        for part, guard in zip(parts, guards, strict=True):
            found += [self.alternatives((*clause, self.pool.negation(guard))) for clause in part if not self.is_still(clause)]
        return tuple(clause for clause in found if clause is not None)

    def is_still(self, clause: Clause) -> bool:
        return all(self.pool.of_row_only(part) for part in clause)

    def whole(self, part: Clauses) -> Expr:
        """A part as one truth value."""
        return self.pool.conjunction(self.pool.disjunction(clause) for clause in part)

    def alternatives(self, parts: Iterable[Expr]) -> Clause | None:
        """The parts of a disjunction as a clause; None where it always holds."""
        joined = self.pool.disjunction(parts)
        if isinstance(joined, ir.Const):
            return None if joined.value else ()
        return joined.operands if isinstance(joined, ir.Logic) and joined.op == "or" else (joined,)

    def joined(self, clauses: Clauses, guard: Clause) -> Clauses:
        """Each clause, or any of the guards."""
        found = [self.alternatives((*guard, *clause)) for clause in clauses]
        return tuple(clause for clause in found if clause is not None)

    # Thresholds

    def threshold(self, literal: Expr, unless: tuple[Expr, ...]) -> Threshold | None:
        """The literal as a threshold; None when it is none."""
        negated = isinstance(literal, ir.Unary)
        node = literal.operand if isinstance(literal, ir.Unary) else literal
        if self.pool.of_parameters_only(node):
            return self.switch(literal, unless)
        if not isinstance(node, ir.Compare) or len(node.rest) != 1 or node.rest[0][0] not in TURNED:
            return None
        ((op, right),) = node.rest
        for left, order, other in ((node.first, cast(Order, op), right), (right, TURNED[op], node.first)):
            mark = mark_of(self.pool, other) if self.pool.of_row_only(left) else None
            if mark is not None:
                return Threshold(left, order, mark.right, mark.scale, negated, unless, mark.offset)
        return None

    def switch(self, literal: Expr, unless: tuple[Expr, ...]) -> Threshold:
        """A truth of parameters only: `1 >= (1 if it holds else 2)`, or the comparison itself where one side is a number."""
        if isinstance(literal, ir.Compare) and len(literal.rest) == 1 and literal.rest[0][0] in TURNED:
            ((op, right),) = literal.rest
            if isinstance(literal.first, ir.Const):
                return Threshold(literal.first, cast(Order, op), right, None, False, unless)
            if isinstance(right, ir.Const):
                return Threshold(right, TURNED[op], literal.first, None, False, unless)
        one, two = self.pool.add(ir.Const(1)), self.pool.add(ir.Const(2))
        return Threshold(one, ">=", self.pool.choose(literal, one, two), None, False, unless)


def common(parts: list[Clauses]) -> tuple[Clauses, list[Clauses]]:
    """The clauses that every part has, and the parts without them."""
    keys = [{identity(clause) for clause in part} for part in parts]
    shared = set.intersection(*keys) if keys else set()
    first = parts[0] if parts else ()
    kept = tuple(clause for clause in first if identity(clause) in shared)
    return kept, [tuple(clause for clause in part if identity(clause) not in shared) for part in parts]


def unique(clauses: Iterable[Clause]) -> Clauses:
    found: dict[frozenset[int], Clause] = {}
    for clause in clauses:
        found.setdefault(identity(clause), clause)
    return ((),) if frozenset() in found else tuple(found.values())


def identity(clause: Clause) -> frozenset[int]:
    """Clauses of the same parts are the same; the parts are kept expressions."""
    return frozenset(id(part) for part in clause)


def place(clause: Clause) -> tuple[int, int]:
    """Where a clause stands in the text: its last part, because guards come before what they guard."""
    return max(((part.at.line, part.at.start) for part in clause), default=(0, 0))
