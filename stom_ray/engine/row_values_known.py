"""Values over rows, with what Python would know of each: whether it is a plain number and whether it is an int."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions.emit_values import LARGEST_INT
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
    placed,
    taken,
    truth_where,
)
from stom_ray.engine.types import Floats, Ints

Values = NDArray[Any]  # float64, or bool where all are Python bools


@dataclass(frozen=True, slots=True)
class Known:
    """values: (n,) or () for all rows alike; anything where `unknown`.

    plain, whole: as in conditions.emit_values, for each row. false: rows on which the value is unknown but known to be false.
    """

    values: Values
    unknown: Mask
    plain: Truth
    whole: Truth
    false: Mask = False

    @property
    def number(self) -> Floats:
        """The values as float64."""
        return self.values if self.values.dtype == np.float64 else self.values.astype(np.float64)

    @property
    def truth(self) -> Truth:
        """NaN is true, as in Python."""
        if self.unknown is True:
            return Truth(False, inverse(self.false))
        holds = mask(self.values if self.values.dtype == np.bool_ else self.values != 0.0)
        if self.unknown is False:
            return known_truth(holds)
        return Truth(both(holds, inverse(self.unknown)), both(either(holds, self.unknown), inverse(self.false)))

    def take(self, index: Ints) -> Known:
        values = self.values.take(index) if self.values.ndim else self.values
        unknown, false = taken(self.unknown, index), taken(self.false, index)
        return Known(values, unknown, self.plain.take(index), self.whole.take(index), false)

    def place(self, index: Ints, size: int) -> Known:
        """The values of some rows as values of all; the others are anything."""
        values = self.values
        if values.ndim:
            values = np.zeros(size, dtype=values.dtype)
            values[index] = self.values
        unknown, false = placed(self.unknown, index, size), placed(self.false, index, size)
        return Known(values, unknown, self.plain.place(index, size), self.whole.place(index, size), false)


ZERO = np.zeros(())


def unknown_value(plain: Truth, whole: Truth) -> Known:
    return Known(ZERO, True, plain, Truth(False, whole.perhaps))


NOTHING = unknown_value(MAYBE, MAYBE)
PARAMETER = unknown_value(YES, MAYBE)


def tick(values: Floats) -> Known:
    return Known(values, False, NO, NO)


def plain(values: Floats, whole: Truth = NO) -> Known:
    return Known(values, False, YES, whole)


def constant(number: bool | int | float) -> Known:
    if isinstance(number, bool):
        return Known(np.asarray(number), False, YES, YES)
    return plain(np.asarray(float(number)), YES if isinstance(number, int) and abs(number) <= LARGEST_INT else NO)


def boolean(truth: Truth) -> Known:
    """A Python bool."""
    return Known(np.asarray(truth.surely), truth.unknown, YES, YES)


def bounded(found: Known) -> Known:
    """A result that is an int where `whole`: an int has no negative zero, and beyond 2**53 it is a float."""
    whole, unknown = found.whole, found.unknown
    if whole.perhaps is False:
        return found
    if unknown is True:
        return unknown_value(found.plain, whole)
    values = found.number
    if whole.surely is True:
        values = values + 0.0
    else:
        if not whole.settled:
            negative_zero = mask((values == 0.0) & np.signbit(values))
            unknown = either(unknown, both(whole.unknown, negative_zero))
        if whole.surely is not False:
            values = np.where(whole.surely, values + 0.0, values)
    size = np.abs(values)
    small = mask(size < LARGEST_INT)
    if small is not True or unknown is not False:
        edge = mask(size == LARGEST_INT)  # 2**53 itself, or 2**53 + 1 that rounded to it and is a float in Python
        surely = both(both(whole.surely, small), inverse(unknown))
        settled = whole.settled and unknown is False and edge is False
        whole = Truth(surely, surely if settled else both(whole.perhaps, either(either(small, edge), unknown)))
    return Known(values, unknown, found.plain, whole)


def combine(operation: Callable[[Floats, Floats], Floats], left: Known, right: Known) -> Known:
    """left + right and the like."""
    unknown = either(left.unknown, right.unknown)
    is_plain, whole = left.plain & right.plain, left.whole & right.whole
    if unknown is True:
        return unknown_value(is_plain, whole)
    return bounded(Known(np.asarray(operation(left.number, right.number)), unknown, is_plain, whole))


def select(test: Truth, yes: Known, no: Known) -> Known:
    """`yes if test else no`; where the test is unknown, the value is known only if both ways agree."""
    if test.settled and isinstance(test.surely, bool):
        return yes if test.surely else no
    plain_there = truth_where(test, yes.plain, no.plain)
    whole = truth_where(test, yes.whole, no.whole)
    open_rows = test.unknown
    unknown = either(both(test.perhaps, yes.unknown), both(inverse(test.surely), no.unknown))
    if not test.settled:
        unknown = either(unknown, both(open_rows, inverse(agreeing(yes, no))))
    false: Mask = False
    if unknown is not False:
        false = both(unknown, inverse(truth_where(test, yes.truth, no.truth).perhaps))
    return Known(chosen(test.perhaps, yes, no), unknown, plain_there, whole, false)


def agreeing(yes: Known, no: Known) -> Mask:
    """Where both values are the same, signs of zeros too."""
    if yes.unknown is True or no.unknown is True:
        return False
    left, right = yes.number, no.number
    return mask((left == right) & (np.signbit(left) == np.signbit(right)) | np.isnan(left) & np.isnan(right))


def chosen(test: Mask, yes: Known, no: Known) -> Values:
    if isinstance(test, bool):
        return yes.values if test else no.values
    if yes.values.dtype == no.values.dtype == np.bool_:
        left, right = mask_of(yes.values), mask_of(no.values)
        return np.asarray(either(both(test, left), both(inverse(test), right)))
    return np.where(test, yes.number, no.number)


def mask_of(values: Values) -> Mask:
    return bool(values) if values.ndim == 0 else values


def extreme(parts: list[Known], better: Callable[[Floats, Floats], Bools]) -> Known:
    """Python's min and max: the first of equals, and what a NaN does depends on where it stands."""
    best = parts[0]
    for part in parts[1:]:
        unknown = either(part.unknown, best.unknown)
        wins = NO if unknown is True else known_truth(mask(better(part.number, best.number)))
        if unknown is not False:
            wins = Truth(both(wins.surely, inverse(unknown)), either(wins.perhaps, unknown))
        found = select(wins, part, best)
        best = replace(found, unknown=either(found.unknown, unknown), false=False)
    return best
