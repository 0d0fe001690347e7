"""A strategy cut for a batch: which texts became terms, what parameters they read, and how sell reasons are searched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions import ir
from stom_ray.conditions.terms import Atom, BuyTerms, NotCut, SellTerms, Threshold, buy_terms, sell_terms
from stom_ray.engine.planned.exits import (
    DRAWDOWN,
    FALL,
    GAP,
    HELD,
    PCT,
    PEAK,
    RATIO,
    RETRACE,
    RISE,
    SCAN,
    TERM,
    TICK,
    TIME,
    TRAIL,
    TROUGH,
    TRUE,
    TRUTH,
)
from stom_ray.engine.types import Floats, Ints

QUANTITIES = {"pct": PCT, "peak": PEAK, "trough": TROUGH, "drawdown": DRAWDOWN, "held": HELD, "ratio": RATIO, "trail": GAP}
SEARCHED = {(PCT, 1): RISE, (PCT, -1): FALL, (PEAK, 1): RISE, (TROUGH, -1): FALL, (DRAWDOWN, 1): TRAIL, (HELD, 1): TIME}
RETRACES = ((DRAWDOWN, 1), (RATIO, -1), (GAP, -1))
SEARCH_ORDER = (TIME, RISE, FALL, TRUE, TERM, TRAIL, RETRACE)  # cheapest first: each is bounded by what those before it found


@dataclass(frozen=True)
class RowTerm:
    """A comparison of the row with parameters as a column c: it holds where `c >= sign * parameter`.

    The comparison is `sign * left >= sign * (scale * parameter + offset)`, above when strict. Without scale and offset c is
    sign * left, and being strict is a matter of the parameter. for_nan: whether it holds where a side is NaN.
    """

    left: ir.Expr
    sign: int
    strict: bool
    for_nan: bool
    scale: ir.Expr | None
    offset: ir.Expr | None

    @property
    def plain(self) -> bool:
        return self.scale is None and self.offset is None

    def levels(self, values: Floats) -> Floats:
        """What the column is compared with. values: sign * parameter."""
        return np.nextafter(values, np.inf) if self.plain and self.strict else values

    def same_column(self, other: RowTerm) -> bool:
        """Both of one text, which keeps equal expressions once: what only Python takes for equal (1 and True) is told apart."""
        same = self.left is other.left and self.scale is other.scale and self.offset is other.offset
        how = (self.sign, self.for_nan, self.plain or self.strict)
        return same and how == (other.sign, other.for_nan, other.plain or other.strict)


def buy_column(threshold: Threshold) -> RowTerm:
    """A threshold's column, but for its guards."""
    rising, strict = threshold.op in (">", ">="), threshold.op in ("<", ">")
    if threshold.negated:
        rising, strict = not rising, not strict
    return RowTerm(threshold.left, 1 if rising else -1, strict, threshold.negated, threshold.scale, threshold.offset)


def tick_column(atom: Atom) -> RowTerm | None:
    """A tick atom's column; None for any other."""
    if atom.quantity != "tick":
        return None
    assert atom.row is not None
    return RowTerm(atom.row, atom.sign, atom.strict, atom.passes_nan, atom.scale, atom.offset)


@dataclass(frozen=True)
class Cut:
    """terms, reasons: of the texts; reasons None where only the buy text could be cut, and `uncut` says why. ticks: the columns
    of the reasons' tick atoms, each once. truths: what their truth atoms ask of the row, each once.
    """

    terms: BuyTerms
    reasons: SellTerms | None
    ticks: tuple[RowTerm, ...]
    truths: tuple[ir.Expr, ...]
    uncut: str = ""

    def tick(self, column: RowTerm) -> int:
        """The number of a tick column."""
        return next(number for number, tick in enumerate(self.ticks) if tick.same_column(column))

    def truth(self, row: ir.Expr) -> int:
        """The number of a truth."""
        return next(number for number, truth in enumerate(self.truths) if truth is row)


def cut(strategy: ir.Strategy, bound: frozenset[int]) -> Cut | NotCut:
    """bound: variables that count as constants. The reason, in words, when a text cannot be cut."""
    terms = buy_terms(strategy.buy, bound)
    if isinstance(terms, NotCut):
        return terms
    reasons = sell_terms(strategy.sell, bound, ratio=True)
    if isinstance(reasons, NotCut):
        return Cut(terms, None, (), (), reasons.reason)
    ticks: list[RowTerm] = []
    truths: list[ir.Expr] = []
    for atom in (atom for reason in reasons.reasons for atom in reason.atoms):
        column = tick_column(atom)
        if column is not None and not any(tick.same_column(column) for tick in ticks):
            ticks.append(column)
        if atom.quantity == "truth" and atom.row is not None and not any(truth is atom.row for truth in truths):
            truths.append(atom.row)
    return Cut(terms, reasons, tuple(ticks), tuple(truths))


@dataclass(frozen=True)
class Script:
    """The sell reasons as kernels read them.

    starts: (n_reasons + 1,) first atom. quantities, signs: (n_atoms,). kinds, labels: (n_reasons,) how it is searched, its label.
    searched: reasons that are searched, cheapest first. scans: whether any has to be looked for row by row. strict: (n_atoms,)
    above instead of at least, where the value cannot say so (RATIO, GAP).
    """

    starts: Ints
    quantities: Ints
    signs: Floats
    kinds: Ints
    labels: Ints
    searched: Ints
    scans: bool
    strict: NDArray[np.bool_]

    def kernel(self) -> tuple[Ints, Ints, Floats, Ints, Ints, Ints, bool, NDArray[np.bool_]]:
        return self.starts, self.quantities, self.signs, self.kinds, self.labels, self.searched, self.scans, self.strict


def script_of(plan: Cut) -> Script:
    reasons = plan.reasons.reasons if plan.reasons is not None else ()
    atoms = [atom for reason in reasons for atom in reason.atoms]
    starts = np.cumsum([0, *(len(reason.atoms) for reason in reasons)]).astype(np.int64)
    codes = [code(plan, atom) for atom in atoms]
    kinds = []
    for number, reason in enumerate(reasons):
        kinds.append(search_of(codes[starts[number] : starts[number] + len(reason.atoms)]))
    searched = sorted((number for number, kind in enumerate(kinds) if kind != SCAN), key=lambda k: SEARCH_ORDER.index(kinds[k]))
    return Script(
        starts,
        _ints([quantity for quantity, _ in codes]),
        np.array([float(sign) for _, sign in codes], dtype=np.float64),
        _ints(kinds),
        _ints([reason.label for reason in reasons]),
        _ints(searched),
        SCAN in kinds,
        np.array([atom.strict for atom in atoms], dtype=np.bool_),
    )


def search_of(atoms: list[tuple[int, int]]) -> int:
    """How a reason of these (quantity, sign) is searched."""
    if len(atoms) == 1 and atoms[0] not in RETRACES[1:]:
        quantity, _ = atoms[0]
        if quantity <= TRUTH:
            return TRUE
        return TERM if quantity >= TICK else SEARCHED.get(atoms[0], SCAN)
    rest = [atom for atom in atoms if atom != (PEAK, 1)]
    if len(atoms) <= 2 and len(rest) == 1 and rest[0] in RETRACES:
        return RETRACE
    return SCAN


def code(plan: Cut, atom: Atom) -> tuple[int, int]:
    """(quantity, sign) of an atom; the sign of a tick term is part of the term."""
    if atom.quantity == "truth":
        assert atom.row is not None
        return TRUTH - plan.truth(atom.row), 1
    column = tick_column(atom)
    return (QUANTITIES[atom.quantity], atom.sign) if column is None else (TICK + plan.tick(column), 1)


def _ints(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)
