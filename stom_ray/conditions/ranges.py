"""`self.vars` ranges in STOM's own format, read with `ast.literal_eval` only, and their lints (spec/metrics.md, "Ranges").

Step form `self.vars[i] = [[low, high, gap], best]`; value form `self.vars[i] = [[v1, v2, ...], best]`. A text can fit both, so
the caller says which it is.
"""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass
from typing import Literal

from stom_ray.conditions.diagnostics import ScriptError, Warnings, render
from stom_ray.conditions.ir import Span, Strategy
from stom_ray.conditions.passes import reads
from stom_ray.conditions.text import Source, read_source
from stom_ray.conditions.tokens import MAX_DIGITS
from stom_ray.errors import ConfigError, RangeError

MAX_VALUES = 20
MAX_VARIABLES = 1_000
FORMS = ("step", "values")
Number = int | float

ENTRY = re.compile(r"\s*self\s*\.\s*vars\s*\[\s*(?P<index>[0-9]{1,6})\s*\]\s*=\s*(?P<value>[^#]*?)\s*(?:#.*)?")
# Only lists of plain numbers in this shape reach literal_eval.
NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
NUMBERS_ONLY = re.compile(r"[0-9eE\s\[\].,+\-]*")
SHAPE = re.compile(rf"\[\s*\[\s*(?:{NUMBER}\s*(?:,\s*{NUMBER}\s*)*,?\s*)?\]\s*,\s*{NUMBER}\s*,?\s*\]")


class LocatedRangeError(RangeError):
    """A refused range. line and column: 1-based, in characters."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.line = line
        self.column = column

    @classmethod
    def at(cls, source: Source, span: Span, message: str, hint: str = "") -> LocatedRangeError:
        return cls(render(source, span, message, hint), span.line, span.start + 1)


@dataclass(frozen=True)
class RangeVar:
    """`self.vars[index]`: the values it may take, in the range's order, and the best known. ints and floats as written."""

    index: int
    values: tuple[Number, ...]
    best: Number

    @property
    def is_fixed(self) -> bool:
        return len(self.values) == 1


@dataclass(frozen=True)
class Ranges:
    """All variables, index 0 (avgtime) first and without gaps. warnings: rendered, for the user."""

    variables: tuple[RangeVar, ...]
    warnings: tuple[str, ...] = ()

    @property
    def bests(self) -> tuple[Number, ...]:
        """The parameter row of the best known values."""
        return tuple(variable.best for variable in self.variables)

    def lint_against(self, strategy: Strategy) -> tuple[str, ...]:
        """Compares with what the scripts read. Raises RangeError for a missing index; returns warnings for unused ones."""
        used = set(reads(strategy).vars)
        missing = sorted(used - {variable.index for variable in self.variables})
        if missing:
            named = ", ".join(f"self.vars[{index}]" for index in missing)
            raise RangeError(
                f"ranges: the scripts read {named}, which has no range\n    hint: add `self.vars[{missing[0]}] = [[...], ...]`"
            )
        unused = [variable.index for variable in self.variables if variable.index and variable.index not in used]
        return tuple(f"ranges: self.vars[{index}] has a range, but no script reads it" for index in unused)


def parse_ranges(text: str | bytes, form: Literal["step", "values"] | str = "step") -> Ranges:
    """Reads ranges, one variable a line; blank lines and `#` comments are skipped.

    Raises RangeError with line, column and remedy for every lint: wrong length, sign of the gap, more than 20 values, best off
    the grid, low = high with a gap, a skipped index. ConfigError for an unknown form.
    """
    if form not in FORMS:
        raise ConfigError(f"ranges form is {form!r}: expected one of {', '.join(FORMS)}")
    try:
        source = read_source(text, "ranges")
    except ScriptError as error:
        raise LocatedRangeError(str(error), error.line, error.column) from error
    warnings = Warnings()
    variables: list[RangeVar] = []
    for number, line in enumerate(source.lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            variables.append(read_line(source, number, line, form, len(variables), warnings))
    if not variables:
        raise LocatedRangeError("ranges, line 1, column 1: no range\n    hint: write `self.vars[0] = [[30, 30, 0], 30]`", 1, 1)
    return Ranges(tuple(variables), warnings.texts)


def read_line(source: Source, number: int, line: str, form: str, expected: int, warnings: Warnings) -> RangeVar:
    whole = source.span(number, len(line) - len(line.lstrip()), len(line.rstrip()))
    example = "[[low, high, gap], best]" if form == "step" else "[[value, value, ...], best]"
    entry = ENTRY.fullmatch(line)
    if entry is None:
        raise LocatedRangeError.at(source, whole, "not a range", f"write `self.vars[{expected}] = {example}`")
    index = int(entry["index"])
    at_index = source.span(number, *entry.span("index"))
    if index >= MAX_VARIABLES:
        raise LocatedRangeError.at(source, at_index, f"self.vars[{index}]: at most {MAX_VARIABLES:,} variables")
    if index != expected:
        hint = f"write self.vars[{expected}]; STOM counts positions, so a skipped or repeated index shifts the rest"
        raise LocatedRangeError.at(source, at_index, f"self.vars[{index}] stands where self.vars[{expected}] is expected", hint)
    at = source.span(number, *entry.span("value"))
    listed, best = read_value(source, at, entry["value"], example)
    values = step_values(source, at, listed) if form == "step" else given_values(source, at, listed)
    check_best(source, at, values, best)
    if index == 0:
        check_avgtime(source, at, values, warnings)
    if form == "step" and len(values) > 1 and values[-1] != listed[1]:
        warnings.at(source, at, f"the last value is {values[-1]}: {listed[2]} does not lead to {listed[1]}")
    return RangeVar(index, values, best)


def read_value(source: Source, at: Span, text: str, example: str) -> tuple[list[Number], Number]:
    """`[[numbers], best]`."""
    if not NUMBERS_ONLY.fullmatch(text):
        raise LocatedRangeError.at(source, at, "only numbers are read in a range", f"write `{example}`")
    if not SHAPE.fullmatch(text):
        raise LocatedRangeError.at(source, at, "a list of numbers and one best value are expected", f"write `{example}`")
    if any(len(digits) > MAX_DIGITS for digits in re.findall(r"[0-9]+", text)):
        raise LocatedRangeError.at(source, at, f"a number of more than {MAX_DIGITS} digits", "write fewer digits")
    try:
        listed, best = ast.literal_eval(text)
    except SyntaxError as error:
        raise LocatedRangeError.at(source, at, "a whole number cannot start with 0", f"write `{example}`") from error
    if not all(math.isfinite(value) and abs(value) < 10**MAX_DIGITS for value in (*listed, best)):
        raise LocatedRangeError.at(source, at, "a number too large to search", f"write `{example}`")
    return listed, best


def step_values(source: Source, at: Span, listed: list[Number]) -> tuple[Number, ...]:
    """low + k*gap until past high; rounded to 2 digits when the gap is a float."""
    if len(listed) != 3:
        hint = "if these are the values themselves, say that the form is `values`"
        raise LocatedRangeError.at(source, at, f"{len(listed)} numbers where low, high, gap are expected", hint)
    low, high, gap = listed
    if gap == 0:
        if low != high:
            raise LocatedRangeError.at(
                source, at, f"a gap of 0 fixes the value, but low {low} is not high {high}", f"write [[{low}, {low}, 0], {low}]"
            )
        return (low,)
    if low == high:
        raise LocatedRangeError.at(source, at, f"low = high = {low} with a gap of {gap}", f"write [[{low}, {low}, 0], {low}]")
    if (high > low) != (gap > 0):
        raise LocatedRangeError.at(source, at, f"a gap of {gap} never leads from {low} to {high}", f"write a gap of {-gap}")
    count = (high - low) / gap
    if count >= MAX_VALUES + 1:
        raise too_many(source, at, int(count) + 1)
    values: list[Number] = []
    while True:
        value = low + len(values) * gap
        value = round(value * 100) / 100 if isinstance(gap, float) else value
        if (value > high) if gap > 0 else (value < high):
            break
        values.append(value)
        if len(values) > MAX_VALUES or values[:-1].count(value):
            raise too_many(source, at, len(values))
    return tuple(values)


def given_values(source: Source, at: Span, listed: list[Number]) -> tuple[Number, ...]:
    if not listed:
        raise LocatedRangeError.at(source, at, "no values", "write at least one value")
    if len(listed) > MAX_VALUES:
        raise too_many(source, at, len(listed))
    twice = next((value for position, value in enumerate(listed) if value in listed[:position]), None)
    if twice is not None:
        raise LocatedRangeError.at(source, at, f"the value {twice} stands there twice", "delete one")
    return tuple(listed)


def too_many(source: Source, at: Span, count: int) -> LocatedRangeError:
    message = f"{count} values or more: STOM searches at most {MAX_VALUES} values of a variable"
    return LocatedRangeError.at(source, at, message, "widen the gap or narrow the range")


def check_best(source: Source, at: Span, values: tuple[Number, ...], best: Number) -> None:
    if best not in values:
        nearest = min(values, key=lambda value: abs(value - best))
        message = f"best {best} is none of the {len(values)} values {values[0]} ... {values[-1]}"
        raise LocatedRangeError.at(source, at, message, f"the nearest is {nearest}")


def check_avgtime(source: Source, at: Span, values: tuple[Number, ...], warnings: Warnings) -> None:
    """self.vars[0] is avgtime (평균값계산틱수): rows, so positive whole numbers."""
    odd = next((value for value in values if value < 1 or value != int(value)), None)
    if odd is not None:
        raise LocatedRangeError.at(
            source, at, f"self.vars[0] is avgtime, a number of rows; {odd} is none", "write positive whole numbers"
        )
    if any(isinstance(value, float) for value in values):
        warnings.at(source, at, "self.vars[0] is avgtime; STOM stops at a window of 60.0", "write 60, not 60.0")
