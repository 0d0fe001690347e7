"""Python's and numpy's arithmetic over rows (spec/engine.md §2), equal to the last bit to conditions.operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions.emit_arithmetic import LARGEST_DIGITS
from stom_ray.engine.row_values_known import Known, bounded, combine, constant, extreme, select, unknown_value
from stom_ray.engine.row_values_loops import floor_divided, powers, remainders, rounded, rounded_ticks
from stom_ray.engine.row_values_truth import (
    MAYBE,
    NO,
    YES,
    Mask,
    Truth,
    both,
    either,
    inverse,
    known_truth,
    mask,
    nowhere,
    truth_where,
)
from stom_ray.engine.types import Floats

NAN = constant(np.nan)
SAME = {"+": np.add, "-": np.subtract, "*": np.multiply}


class RowArithmetic:
    """Operators and functions of known values. `effects` collects the rows on which something could fault or be counted.

    strict: the profile `stom`. counting: whether a division by zero of the corrected profile is an effect.
    """

    strict: bool
    counting: bool
    effects: Mask

    def effect(self, where: Mask) -> None:
        if not nowhere(where):
            self.effects = either(self.effects, where)

    def unary(self, op: str, value: Known) -> Known:
        if op == "-":
            return bounded(replace(value, values=np.negative(value.number)))
        return replace(value, values=value.number)

    def binary(self, op: str, left: Known, right: Known, reach: Mask) -> Known:
        if op in SAME:
            return combine(SAME[op], left, right)
        return self.power(left, right, reach) if op == "**" else self.division(op, left, right, reach)

    def division(self, op: str, above: Known, below: Known, reach: Mask) -> Known:
        zero = partly(known_truth(mask(below.values == 0)), below.unknown)
        is_plain, whole = above.plain & below.plain, NO if op == "/" else above.whole & below.whole
        self.count_zero(zero, is_plain, reach)
        unknown = either(above.unknown, below.unknown)
        if unknown is True:
            return self.past_zero(unknown_value(is_plain, whole), zero)
        return self.past_zero(bounded(Known(quotient(op, above, below), unknown, is_plain, whole)), zero)

    def count_zero(self, zero: Truth, is_plain: Truth, reach: Mask) -> None:
        """A plain division by zero stops a run in `stom`; the corrected profile counts any."""
        if self.strict:
            self.effect(both(both(reach, is_plain.perhaps), zero.perhaps))
        elif self.counting:
            self.effect(both(reach, zero.perhaps))

    def past_zero(self, found: Known, zero: Truth) -> Known:
        """The corrected profile's division by zero is a plain nan."""
        if self.strict or zero is NO:
            return found
        result = select(known_truth(zero.surely), NAN, found)
        return result if zero.settled else replace(result, plain=truth_where(zero, YES, found.plain))

    def power(self, base: Known, exponent: Known, reach: Mask) -> Known:
        unknown = either(base.unknown, exponent.unknown)
        is_plain, upward = base.plain & exponent.plain, known_truth(mask(exponent.values >= 0))
        zero = partly(known_truth(mask((base.values == 0) & (exponent.values < 0))), unknown)
        self.count_zero(zero, is_plain, reach)
        if unknown is True:
            self.effect(both(reach, is_plain.perhaps))
            return self.past_zero(unknown_value(is_plain, base.whole & exponent.whole), zero)
        whole = base.whole & exponent.whole & partly(upward, unknown)
        values, unclear = raised(base, exponent, whole)
        low, high = base.number, exponent.number
        finite = np.isfinite(low) & np.isfinite(high)
        complex_power = mask(finite & (low < 0.0) & (high != np.floor(high)))
        overflow = mask(finite & np.isinf(values))
        self.effect(both(both(reach, is_plain.perhaps), either(either(complex_power, overflow), unknown)))
        return self.past_zero(bounded(Known(values, either(unknown, unclear), is_plain, whole)), zero)

    # Functions

    def call(self, function: str, parts: list[Known], reach: Mask) -> Known:
        first = parts[0]
        match function:
            case "float":
                return replace(first, values=first.number, plain=YES, whole=NO)
            case "abs":
                return replace(first, values=np.abs(first.number))
            case "min" | "max":
                return extreme(parts, np.less if function == "min" else np.greater)
            case "round" if len(parts) == 2:
                return self.round_to(first, parts[1], reach)
        return self.to_int(first, np.trunc if function == "int" else np.rint, reach)

    def to_int(self, value: Known, cut: Callable[[Floats], Floats], reach: Mask) -> Known:
        if value.whole.surely is True:
            return replace(value, values=value.number)
        if value.unknown is True:
            self.effect(reach)
            return unknown_value(YES, MAYBE)
        infinite = inverse(mask(np.isfinite(value.number)))
        self.effect(both(both(reach, either(value.unknown, infinite)), inverse(value.whole.surely)))
        return bounded(Known(np.asarray(cut(value.number)), value.unknown, YES, YES))

    def round_to(self, value: Known, digits: Known, reach: Mask) -> Known:
        if digits.unknown is True:
            self.effect(reach)
            return unknown_value(value.plain, value.whole)
        legal = both(both(digits.whole.surely, inverse(digits.unknown)), mask(np.abs(digits.number) <= LARGEST_DIGITS))
        self.effect(both(reach, inverse(legal)))
        unknown = either(value.unknown, inverse(legal))
        if unknown is True:
            return unknown_value(value.plain, value.whole)
        places = np.where(legal, digits.number, 0.0).astype(np.int64)
        found = round_as(value, places, value.plain.surely)
        if not value.plain.settled:
            other = round_as(value, places, value.plain.perhaps)
            unknown = either(unknown, both(value.plain.unknown, mask(found.view(np.int64) != other.view(np.int64))))
        return bounded(Known(found, unknown, value.plain, value.whole))


def partly(found: Truth, unknown: Mask) -> Truth:
    """A truth that is unknown on some rows."""
    if unknown is False:
        return found
    return Truth(both(found.surely, inverse(unknown)), either(found.perhaps, unknown))


def looped(loop: Callable[..., Floats], *parts: NDArray[Any]) -> Floats:
    """A loop over rows, of one row where all parts are the same on every row."""
    shape = np.broadcast_shapes(*(part.shape for part in parts))
    rows = [np.ascontiguousarray(np.broadcast_to(part, shape)).reshape(-1) for part in parts]
    return loop(*rows).reshape(shape)


def quotient(op: str, above: Known, below: Known) -> Floats:
    if op == "/":
        return np.asarray(np.divide(above.number, below.number))
    return looped(floor_divided if op == "//" else remainders, above.number, below.number)


def raised(base: Known, exponent: Known, whole: Truth) -> tuple[Floats, Mask]:
    """base ** exponent, and where it depends on whether both are ints, which is unknown."""
    values = looped(powers, base.number, exponent.number, np.asarray(whole.surely))
    if whole.settled:
        return values, False
    other = looped(powers, base.number, exponent.number, np.asarray(whole.perhaps))
    values, other = np.broadcast_arrays(values, other)
    return values, both(whole.unknown, mask(values != other))


def round_as(value: Known, places: NDArray[np.int64], is_plain: Mask) -> Floats:
    if is_plain is False and places.ndim == 0:
        shape = value.values.shape
        return rounded_ticks(np.ascontiguousarray(value.number).reshape(-1), int(places)).reshape(shape)
    return looped(rounded, value.number, places, np.asarray(is_plain))
