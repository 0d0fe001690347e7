"""Expressions over many rows at once: exact where nothing unknown decides, unknown elsewhere.

An expression becomes an array of values and a mask of where they are unknown, because a parameter or a position decides. Known
values are those of conditions.interpreter to the last bit, and so is whether each is plain and whole. Rows on which something
could fault or be counted are collected in `effects`; their values are anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from stom_ray.conditions import ir
from stom_ray.conditions.emit_sites import Sites, WindowSite
from stom_ray.conditions.emit_values import LARGEST_INT
from stom_ray.conditions.emit_windows import TRADED_VALUE, fixed_length
from stom_ray.conditions.traversal import operands
from stom_ray.conditions.verifier import type_of
from stom_ray.engine.row_values_arithmetic import RowArithmetic
from stom_ray.engine.row_values_known import (
    NOTHING,
    PARAMETER,
    ZERO,
    Known,
    boolean,
    combine,
    constant,
    plain,
    select,
    tick,
    unknown_value,
)
from stom_ray.engine.row_values_loops import rows_since
from stom_ray.engine.row_values_truth import (
    MAYBE,
    NO,
    YES,
    Bools,
    Mask,
    Truth,
    both,
    either,
    inverse,
    known_truth,
    mask,
    nowhere,
    spread,
    taken,
)
from stom_ray.engine.types import Floats, Ints

SPARSE = 4  # rows are compressed when fewer than one in so many are reached
FEWEST = 256  # rows; fewer are not worth it
SELL_STATES = {
    "수익률": unknown_value(YES, NO),
    "최고수익률": unknown_value(YES, NO),
    "최저수익률": unknown_value(YES, NO),
    "보유시간": unknown_value(YES, NO),
    "매수틱번호": unknown_value(YES, YES),
    "보유수량": unknown_value(YES, YES),
    "수익금": unknown_value(YES, MAYBE),
}
COMPARE = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}
Bindings = Mapping[int, tuple[float, bool]]


@dataclass(frozen=True)
class GateRows:
    """Whole sessions of a block, rows [start, stop) of it, or those at `local` places among them.

    column_of: (n_rows of the block,) a column by its number. count: (stop - start,) 데이터길이. windows: (4, n_windows) column,
    rows needed, fault, precomputed; right for windows whose length is constant or bound. trouble: (n_windows,) where some
    candidate's length faults. texts: (n_texts, stop - start). traded_gaps: whether 초당거래대금 holds anything but finite
    numbers. gap_rows: rows from the instrument's first on which a precomputed 초당거래대금평균 may not have filled; from_first:
    (stop - start,) rows since the instrument's first.
    """

    column_of: Callable[[int], Floats]
    start: int
    stop: int
    count: Ints
    windows: Ints
    trouble: Bools
    texts: Bools
    traded_gaps: bool
    gap_rows: int
    from_first: Ints
    local: Ints | None = None

    @property
    def size(self) -> int:
        return self.stop - self.start if self.local is None else len(self.local)

    def take(self, index: Ints) -> GateRows:
        """The rows at these places among these rows."""
        return replace(self, local=index if self.local is None else self.local.take(index))

    def part(self, rows: slice) -> GateRows:
        """Consecutive rows of a whole block: sessions that begin and end among them."""
        count, texts, from_first = self.count[rows], self.texts[:, rows], self.from_first[rows]
        return replace(self, start=rows.start, stop=rows.stop, count=count, texts=texts, from_first=from_first)

    def whole(self) -> GateRows:
        return self if self.local is None else replace(self, local=None)

    @cached_property
    def counts(self) -> Ints:
        return self.count if self.local is None else self.count.take(self.local)

    @cached_property
    def since_first(self) -> Ints:
        return self.from_first if self.local is None else self.from_first.take(self.local)

    @cached_property
    def places(self) -> Ints:
        """Rows of the block."""
        return np.arange(self.start, self.stop) if self.local is None else self.local + self.start

    def text(self, number: int) -> Bools:
        holds: Bools = self.texts[number]
        return holds if self.local is None else holds.take(self.local)

    def column(self, number: int, back: int | Ints = 0) -> Floats:
        """The values `back` rows earlier; anything where there is no such row in the block."""
        if self.local is None and isinstance(back, int) and back <= self.start:
            return np.asarray(self.column_of(number)[self.start - back : self.stop - back])
        return np.asarray(self.column_of(number).take(self.places - back, mode="clip"))


@dataclass(frozen=True, slots=True)
class Temporary:
    """A temporary of the script. unset: where it may not have been set; its value is the one it has if it was."""

    value: Known
    unset: Mask = False


class RowValues(RowArithmetic):
    """Evaluates expressions of a buy or sell text over rows.

    bindings: self.vars index -> (value, is a float) of those that are known; the others are unknown. elapsed: expressions of
    경과틱수, unknown without. counting: whether a division by zero that the corrected profile counts is an effect.

    `value` and `truth` take a `reach`: the rows on which the expression is evaluated. What is found elsewhere is anything, and
    only rows within reach are noted in `effects`. Callers hold `np.errstate(all="ignore")` around them.
    """

    def __init__(
        self,
        sites: Sites,
        rows: GateRows,
        strict: bool,
        layout: str,
        bindings: Bindings | None = None,
        elapsed: Mapping[str, ir.Program] | None = None,
        counting: bool = True,
    ) -> None:
        self.sites = sites
        self.rows = rows
        self.strict = strict
        self.layout = layout
        self.bindings = bindings or {}
        self.programs = elapsed or {}
        self.counting = counting
        self.effects: Mask = False
        self.temporaries: dict[str, Temporary] = {}
        self.since: dict[str, Known] = {}
        self._outer: Self | None = None
        self._inherited: dict[str, Temporary] = {}
        self._index: Ints = np.zeros(0, dtype=np.int64)

    # Fewer rows

    def take(self, index: Ints) -> Self:
        """The same evaluator over the rows at these places, with effects of its own. It reads this one's temporaries."""
        child = copy(self)
        child.rows = self.rows.take(index)
        child.effects = False
        child.temporaries, child._inherited = {}, {}
        child._outer, child._index = self, index
        return child

    def sparse(self, reach: Mask) -> Ints | None:
        """The rows reached, when they are so few that taking them apart pays."""
        if isinstance(reach, bool) or len(reach) < FEWEST or SPARSE * np.count_nonzero(reach) >= len(reach):
            return None
        return np.flatnonzero(reach)

    def note_effects(self, child: Self, index: Ints) -> None:
        if child.effects is not False:
            where = np.zeros(self.rows.size, dtype=np.bool_)
            where[index] = child.effects
            self.effects = either(self.effects, where)

    def temporary(self, name: str) -> Temporary | None:
        found = self.temporaries.get(name)
        return found if found is not None or self._outer is None else self.inherited(name)

    def inherited(self, name: str) -> Temporary | None:
        """What the evaluator of more rows has for these."""
        if name in self._inherited:
            return self._inherited[name]
        found = None if self._outer is None else self._outer.temporary(name)
        if found is None:
            return None
        self._inherited[name] = Temporary(found.value.take(self._index), taken(found.unset, self._index))
        return self._inherited[name]

    # Values

    def value(self, node: ir.Expr, reach: Mask = True) -> Known:
        match node:
            case ir.Const(value=number) if not isinstance(number, str):
                return constant(number)
            case ir.Column(name=name):
                return tick(self.rows.column(self.sites.columns[name]))
            case ir.State(name=name):
                return self.state(name)
            case ir.Temp(name=name):
                return self.read(name, reach)
            case ir.Var():
                return self.variable(node, reach)
            case ir.Binary():
                return self.binary(node.op, self.value(node.left, reach), self.value(node.right, reach), reach)
            case ir.Lag():
                return self.lag(node, reach)
            case ir.Window():
                return self.window(node, reach)
            case ir.Elapsed(name=name):
                return self.elapsed(name)
            case ir.Choose():
                test = self.truth(node.test, reach)
                then = self.value(node.then, both(reach, test.perhaps))
                return select(test, then, self.value(node.orelse, both(reach, inverse(test.surely))))
            case ir.Logic() if type_of(node) != "BOOL":
                return self.deciding(node, reach)
            case ir.Compare() | ir.Logic() | ir.TextTest() | ir.Unary(op="not"):
                return boolean(self.truth(node, reach))
            case ir.Unary():
                return self.unary(node.op, self.value(node.operand, reach))
            case ir.Call():
                return self.call(node.function, [self.value(argument, reach) for argument in node.arguments], reach)
            case ir.Moment():
                return self.moment(node, reach)
            case ir.SecondsBetween():
                return combine(np.subtract, self.moment(node.later, reach), self.moment(node.earlier, reach))
        raise TypeError(f"{type(node).__name__} has no value")

    def state(self, name: str) -> Known:
        if name in SELL_STATES:
            return SELL_STATES[name]
        if name == "데이터길이":
            return plain(self.rows.counts.astype(np.float64), YES)
        values = self.rows.column(self.sites.columns[f"@{name}"])
        return plain(values, YES) if name == "시분초" or (name == "호가단위" and self.layout != "tick_v1") else tick(values)

    def read(self, name: str, reach: Mask) -> Known:
        found = self.temporary(name)
        if found is None:
            self.effect(reach)
            return NOTHING
        self.effect(both(reach, found.unset))
        return found.value

    def variable(self, node: ir.Var, reach: Mask) -> Known:
        if node.subscripted and self.strict:
            self.effect(reach)
            return NOTHING
        if node.index not in self.bindings:
            return PARAMETER
        number, is_float = self.bindings[node.index]
        return plain(np.asarray(float(number)), NO if is_float else YES)

    def moment(self, node: ir.Moment, reach: Mask) -> Known:
        """Plain seconds since 1970, NaN where VI해제시간 holds no time."""
        seconds = plain(self.rows.column(self.sites.columns["@seconds" if node.base == "now" else "@release_seconds"]))
        if node.shift_s is None:
            return seconds
        return replace(combine(np.add, seconds, self.value(node.shift_s, reach)), plain=YES, whole=NO)

    def deciding(self, node: ir.Logic, reach: Mask) -> Known:
        """The deciding operand of `and` or `or`, which may be any number."""
        result = self.value(node.operands[0], reach)
        truth = result.truth
        for operand in node.operands[1:]:
            if node.op == "or":
                part = self.value(operand, both(reach, inverse(truth.surely)))
                result, after = select(truth, result, part), truth | part.truth
            else:
                part = self.value(operand, both(reach, truth.perhaps))
                result, after = select(truth, part, result), truth & part.truth
            result = replace(result, false=both(result.unknown, inverse(after.perhaps)))
            truth = after
        return result

    def elapsed(self, name: str) -> Known:
        """Rows since the expression was last true today."""
        if name not in self.sites.elapsed:
            return constant(0)
        if name not in self.programs:
            return unknown_value(YES, YES)
        if name not in self.since:
            self.since[name] = self.rows_since(name)
        found = self.since[name]
        return found if self.rows.local is None else found.take(self.rows.local)

    def rows_since(self, name: str) -> Known:
        """`elapsed` on all rows of the sessions."""
        rows = self.rows.whole()
        inner = RowValues(self.sites, rows, self.strict, self.layout, self.bindings)
        truth = inner.truth(decision_of(self.programs[name]))
        found, unknown = rows_since(rows.count, spread(truth.surely, rows.size), spread(truth.perhaps, rows.size))
        vague = mask(unknown)
        return unknown_value(YES, YES) if vague is True else Known(found, vague, YES, Truth(inverse(vague), True))

    # Look-backs and windows

    def rows_back(self, pre: Known, reach: Mask) -> tuple[int | Ints, Mask]:
        """Rows to look back, and where that is known; 0 elsewhere. An effect where it may be no number of rows."""
        if pre.unknown is True:
            self.effect(reach)
            return 0, False
        values, whole = pre.number, pre.whole.surely
        if not self.strict and whole is not True:
            whole = either(whole, mask((values == np.floor(values)) & (np.abs(values) <= LARGEST_INT)))
        known = both(both(whole, mask(values >= 0.0)), inverse(pre.unknown))
        self.effect(both(reach, inverse(known)))
        if known is False:
            return 0, False
        if values.ndim == 0 and known is True:
            return int(values), True
        return np.broadcast_to(np.where(known, values, 0.0).astype(np.int64), (self.rows.size,)), known

    def look_back(self, column: int, needed: int, back: int | Ints) -> tuple[Floats, Mask]:
        """The values `back` rows earlier, 0 without history; and where there is history."""
        history: Mask = True if needed <= 1 and isinstance(back, int) and back == 0 else mask(self.rows.counts >= needed + back)
        if history is False:
            return ZERO, False
        values = self.rows.column(column, back)
        return (values if history is True else np.where(history, values, 0.0)), history

    def lag(self, node: ir.Lag, reach: Mask) -> Known:
        back, known = self.rows_back(self.value(node.pre, reach), reach)
        if known is False:
            return NOTHING
        values, history = self.look_back(self.sites.columns[node.name], 1, back)
        return without(Known(values, False, known_truth(inverse(history)), known_truth(inverse(history))), known)

    def window(self, node: ir.Window, reach: Mask) -> Known:
        length = fixed_length(node.length)
        self.value(node.length, reach)
        pre = self.value(node.pre, reach)
        back, known = self.rows_back(pre, reach)
        number = None if length is None else self.sites.windows.get(WindowSite(node.function, length))
        if length is None or number is None:  # it changes from row to row, or the text keeps it in a variable
            self.effect(reach)
            return NOTHING
        if self.rows.trouble[number]:
            self.effect(reach)
        if not self.is_bound(length):
            if node.function == TRADED_VALUE:
                self.traded_value_effects(back, reach)
            return NOTHING
        column, needed, fault, loaded = (int(entry) for entry in self.rows.windows[:, number])
        if fault or known is False:
            return NOTHING
        values, history = self.look_back(column, needed, back)
        if node.function == TRADED_VALUE:
            return without(self.traded_value(values, bool(loaded), back, reach), known)
        return without(Known(values, False, known_truth(inverse(history)), known_truth(inverse(history))), known)

    def is_bound(self, length: ir.Expr) -> bool:
        """Whether the length is the same for all candidates."""
        if isinstance(length, ir.Var) and length.subscripted and self.strict:
            return False
        return all(node.index in self.bindings for node in (length, *operands(length)) if isinstance(node, ir.Var))

    def traded_value(self, values: Floats, loaded: bool, back: int | Ints, reach: Mask) -> Known:
        """An int. A precomputed nan stays nan on the row itself and stops elsewhere, as a raw one does."""
        finite = mask(np.isfinite(values))
        near: Mask = False if not loaded else back < 1 if isinstance(back, int) else mask(back < 1)
        self.effect(both(reach, inverse(either(finite, near))))
        whole = np.where(finite, np.trunc(values) + 0.0, values)
        return Known(whole, False, known_truth(finite), known_truth(both(finite, mask(np.abs(whole) <= LARGEST_INT))))

    def traded_value_effects(self, back: int | Ints, reach: Mask) -> None:
        """Where it may stop, of unknown length: at a NaN, but not at a precomputed one of the row itself."""
        if self.rows.traded_gaps:
            self.effect(reach)
        elif not isinstance(back, int) or back > 0:
            self.effect(both(reach, mask(self.rows.since_first < self.rows.gap_rows + back)))

    # Truth

    def truth(self, node: ir.Expr, reach: Mask = True) -> Truth:
        """Where the expression is true."""
        match node:
            case ir.Logic():
                return self.junction(node.op, node.operands, reach)
            case ir.Compare():
                return self.compare(node, reach)
            case ir.Unary(op="not"):
                return ~self.truth(node.operand, reach)
            case ir.TextTest():
                return known_truth(mask(self.rows.text(self.sites.texts[node])))
        return self.value(node, reach).truth

    def junction(self, op: str, parts: tuple[ir.Expr, ...], reach: Mask) -> Truth:
        """The truth of parts joined by `and` or `or`, each evaluated only where those before it leave it open."""
        result = NO if op == "or" else YES
        for position, part in enumerate(parts):
            going_on = both(reach, inverse(result.surely) if op == "or" else result.perhaps)
            if nowhere(going_on):
                break
            index = self.sparse(going_on)
            if index is None:
                found = self.truth(part, going_on)
                result = result | found if op == "or" else result & found
                continue
            child = self.take(index)
            found = child.junction(op, parts[position:], True).place(index, self.rows.size)
            self.note_effects(child, index)
            return result | found if op == "or" else result & found
        return result

    def compare(self, node: ir.Compare, reach: Mask) -> Truth:
        left = self.value(node.first, reach)
        result = YES
        for op, operand in node.rest:
            right = self.value(operand, both(reach, result.perhaps))
            result &= compared(op, left, right)
            left = right
        return result


def compared(op: str, left: Known, right: Known) -> Truth:
    unknown = either(left.unknown, right.unknown)
    if unknown is True:
        return MAYBE
    holds = mask(COMPARE[op](left.values, right.values))
    if unknown is False:
        return known_truth(holds)
    return Truth(both(holds, inverse(unknown)), either(holds, unknown))


def without(found: Known, known: Mask) -> Known:
    """The value where a look-back is known; unknown elsewhere."""
    if known is True:
        return found
    where = known_truth(known)
    return replace(
        found,
        unknown=inverse(known),
        plain=found.plain & where | Truth(False, inverse(known)),
        whole=found.whole & where | Truth(False, inverse(known)),
    )


def decision_of(program: ir.Program) -> ir.Expr:
    """The expression of an elapsed-tick program."""
    (statement,) = program.body
    assert isinstance(statement, ir.Assign)
    return statement.value
