"""What a term of a library does when its threshold moves, found by the analysis that the planned kernels use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stom_ray.conditions import ir
from stom_ray.conditions.compile import compile_one_expression
from stom_ray.conditions.diagnostics import Warnings
from stom_ray.conditions.ir import Expr
from stom_ray.conditions.lower import Context
from stom_ray.conditions.names import name_table
from stom_ray.conditions.printer import print_expr
from stom_ray.conditions.terms_buy import BuyCut
from stom_ray.conditions.terms_pool import Pool, Reads, Uncut
from stom_ray.conditions.terms_sell import SellCut
from stom_ray.conditions.terms_types import Atom, Threshold
from stom_ray.conditions.text import Source
from stom_ray.conditions.traversal import walk
from stom_ray.errors import ConfigError
from stom_ray.schema.windows import WINDOW_SOURCE
from stom_ray.search.library import HOLE, LibraryTerm, Number

# 호가단위 is a difference of quotes, and one side of the book may be empty.
SIGNED = (
    "등락율", "고저평균대비등락율", "저가대비고가등락율", "거래대금증감", "전일비", "호가단위", "VI아래5호가", "순매수금액",
    "수익률", "최저수익률", "수익금",
)  # fmt: skip
SIGNED_WINDOWS = ("등락율각도", "당일거래대금각도", "전일비각도")
DIRECT = ("pct", "peak", "trough", "drawdown", "held")
MOVED = "self.vars[1]"
HINT = "write `A >= {...}`, `A >= B + {...}`, `A >= B * {...}` with a B that is never negative, or the quotient `A / B >= {...}`"

Side = Literal["buy", "sell"]


@dataclass(frozen=True)
class CutTerm:
    """A term that was understood. values: loosest first, each of which implies those before it; () without a threshold.

    loosened: the sign of a huge threshold with which the term holds on every row (buy) or on none (sell), 0 where no threshold
    does so (a quotient may be infinite, a factor 0). compared: of a buy term where one does, `left op` of `left op threshold`;
    rows on which left is no number are left to whoever compares.
    """

    term: LibraryTerm
    values: tuple[Number, ...]
    loosened: int
    compared: tuple[str, str] | None = None


def cut_term(term: LibraryTerm, side: Side, layout: str, profile: str, elapsed: frozenset[str]) -> CutTerm:
    """Raises ConditionError, with the library's line, for what the language does not know or a threshold that orders nothing."""
    plain = _expression(term, str(term.values[0]) if term.values else "", side, layout, profile, elapsed)
    if any(isinstance(node, ir.Var) for node in walk(plain)):
        raise term.error("a term of a library reads no self.vars", "write what may be tried in braces, `{80..200 by 10}`")
    if HOLE not in term.pattern:
        return CutTerm(term, (), 0)
    compared = None
    pool = Pool(side, frozenset())
    try:
        node = pool.absorb(_expression(term, MOVED, side, layout, profile, elapsed), _no_temporary)
        if side == "buy":
            tighter, compared = _buy(pool, node)
        else:
            tighter, exact = _sell(pool, node)
    except (Uncut, ConfigError):
        raise term.error("more or less of this threshold is not simply tighter or looser", HINT) from None
    values = tuple(sorted(term.values, reverse=tighter < 0))
    if side == "buy":
        return CutTerm(term, values, -tighter if compared else 0, compared)
    return CutTerm(term, values, tighter if exact else 0)  # beyond the tight end it never fires


def _expression(term: LibraryTerm, value: str, side: Side, layout: str, profile: str, elapsed: frozenset[str]) -> Expr:
    text = term.text(value)
    source = Source(term.source.role, (text,), (text,), first_line=term.line)
    return compile_one_expression(Context(source, name_table(layout, side), profile, elapsed, Warnings()))


def _no_temporary(node: ir.Temp) -> Expr:
    raise Uncut(node.name)


def _buy(pool: Pool, node: Expr) -> tuple[int, tuple[str, str] | None]:
    """1 where a higher threshold is tighter, else -1; `compared` of a `CutTerm`."""
    cut = BuyCut(pool)
    clauses = cut.clauses(node, False)
    found: set[int] = set()
    compared: tuple[str, str] | None = None
    for clause in clauses:
        moving = [part for part in clause if not pool.of_row_only(part)]
        for part in moving:
            threshold = cut.threshold(part, ())
            if threshold is None:
                raise Uncut("no threshold")
            found.add(_tighter_upwards(threshold))
            bare = isinstance(threshold.right, ir.Var) and threshold.scale is None and threshold.offset is None
            if bare and not threshold.negated and _is_finite(threshold.left):
                compared = print_expr(threshold.left), threshold.op
    return _one(found), compared if len(clauses) == len(clauses[0]) == 1 else None


def _tighter_upwards(threshold: Threshold) -> int:
    rising = (threshold.op in (">", ">=")) != threshold.negated
    return (1 if rising else -1) * _sign(threshold.right, threshold.scale)


def _sell(pool: Pool, node: Expr) -> tuple[int, bool]:
    """As `_buy`, of a reason to sell, which is tighter where it fires less; and whether a huge threshold drops it."""
    cut = SellCut(pool, ratio=True)
    branches = cut.branches(node, False)
    found: set[int] = set()
    exact = len(branches) == 1 and len(branches[0]) == 1
    for branch in branches:
        for part in branch:
            if not pool.facts(part).reads & Reads.PARAMETERS:
                continue
            atom = cut.atom(part)
            if atom is None:
                raise Uncut("no atom")
            found.add(_fires_less_upwards(atom))
            of_row = atom.row is not None and atom.scale is None and _is_finite(atom.row) and _is_finite(atom.offset)
            exact &= not atom.passes_nan and (of_row or atom.quantity in DIRECT)
    return _one(found), exact


def _fires_less_upwards(atom: Atom) -> int:
    if atom.quantity == "ratio":
        return atom.sign * _sign(atom.value, None)
    if atom.quantity == "trail":
        return -atom.sign * _sign(atom.value, None)
    return _sign(atom.value, atom.scale)


def _one(found: set[int]) -> int:
    if len(found) != 1:
        raise Uncut("both ways")
    return found.pop()


def _sign(right: Expr, scale: Expr | None) -> int:
    """Whether the right side rises with the variable (1) or falls (-1), behind a factor that must never be negative."""
    if scale is not None and not _is_never_negative(scale):
        raise Uncut("a factor that may be negative")
    match right:
        case ir.Var():
            return 1
        case ir.Unary(op="-", operand=ir.Var()):
            return -1
    raise Uncut("the threshold is inside an expression")


def _is_never_negative(node: Expr) -> bool:
    match node:
        case ir.Const(value=bool() | int() | float() as value):
            return value >= 0
        case ir.Column(name=name) | ir.State(name=name) | ir.Lag(name=name):
            return name not in SIGNED
        case ir.Window(function=function):
            return function not in SIGNED_WINDOWS and WINDOW_SOURCE[function] not in SIGNED
        case ir.Binary(op="+" | "*" | "/", left=left, right=right):
            return _is_never_negative(left) and _is_never_negative(right)
        case ir.Call(function="abs"):
            return True
        case ir.Call(function="round" | "int" | "float" | "min", arguments=arguments):
            return all(_is_never_negative(argument) for argument in arguments)
        case ir.Call(function="max", arguments=arguments):
            return any(_is_never_negative(argument) for argument in arguments)
    return False


def _is_finite(node: Expr | None) -> bool:
    """Whether a row's value is a number far below the huge thresholds, however its columns are; None has none."""
    match node:
        case None | ir.Const() | ir.Column() | ir.State() | ir.Lag(pre=ir.Const()) | ir.Window(length=ir.Const(), pre=ir.Const()):
            return True
        case ir.Unary(op="-" | "+", operand=operand):
            return _is_finite(operand)
        case ir.Binary(op="+" | "-", left=left, right=right):
            return _is_finite(left) and _is_finite(right)
        case ir.Binary(op="*", left=left, right=right):
            return (isinstance(left, ir.Const) or isinstance(right, ir.Const)) and _is_finite(left) and _is_finite(right)
        case ir.Call(function="abs" | "round" | "int" | "float" | "min" | "max", arguments=arguments):
            return all(_is_finite(argument) for argument in arguments)
    return False
