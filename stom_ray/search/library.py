"""A library of terms, as text: one condition a line, with what may be tried in braces.

`체결강도 >= {80..200 by 10}` has a threshold from 80 to 200 in steps of 10, `등락율 <= {5, 10, 20}` one of three, and
`이동평균({60 | 300}) < 현재가` is two terms, each without a threshold. A `#` begins a comment.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass

from stom_ray.conditions.diagnostics import ScriptError
from stom_ray.conditions.text import Source, read_source

MOST_TERMS = 300
MOST_VALUES = 60
HOLE = "{}"  # where the threshold stands in a pattern
BRACES = re.compile(r"\{([^{}]*)\}")
CODE = re.compile(r"""(?:'[^']*'|"[^"]*"|[^#'"])*""")
NUMBER = r"[+-]?(?:[0-9]{1,15}\.?[0-9]{0,10}|\.[0-9]{1,10})"
STEPS = re.compile(rf"\s*({NUMBER}?)\s*\.\.\s*({NUMBER})\s+by\s+({NUMBER})\s*")
LIST = re.compile(rf"\s*{NUMBER}\s*(?:,\s*{NUMBER}\s*)*")
EXAMPLE = "write `{80..200 by 10}`, `{80, 100, 120}`, or `{60 | 300}` for terms of their own"

Number = int | float


@dataclass(frozen=True)
class LibraryTerm:
    """pattern: the condition, `HOLE` where its threshold stands. values: to be tried there, as listed; none without a hole.

    source, line: where it was written, for messages.
    """

    pattern: str
    values: tuple[Number, ...]
    source: Source
    line: int

    def text(self, value: str = "") -> str:
        """The condition with a value, or the text of one, for the hole."""
        return self.pattern.replace(HOLE, value)

    def error(self, message: str, hint: str) -> ScriptError:
        """About the whole term."""
        code = self.source.lines[self.line - 1]
        return ScriptError.at(self.source, self.source.span(self.line, len(code) - len(code.lstrip()), len(code)), message, hint)


def parse_library(text: str | bytes, name: str) -> tuple[LibraryTerm, ...]:
    """The terms of a library called `name` (its file). ConditionError with line, column and remedy for what cannot be read."""
    source = read_source(text, name)
    found: list[LibraryTerm] = []
    lines: dict[str, int] = {}
    for number, line in enumerate(source.lines, 1):
        code = CODE.match(line)
        for term in _terms(source, number, code[0].rstrip() if code else ""):
            if term.pattern in lines:
                raise term.error(f"`{term.pattern}` stands in line {lines[term.pattern]} already", "delete one")
            lines[term.pattern] = number
            found.append(term)
    if not found:
        raise ScriptError.at(source, source.span(1, 0, 1), "no term", "write one condition a line: `체결강도 >= {80..200 by 10}`")
    if len(found) > MOST_TERMS:
        message = f"{len(found)} terms, more than {MOST_TERMS}"
        raise found[MOST_TERMS].error(message, "delete terms, or alternatives between `|`")
    return tuple(found)


def _terms(source: Source, number: int, code: str) -> list[LibraryTerm]:
    """What one line says: nothing, a term, or one for each combination of alternatives."""
    if not code.strip():
        return []
    pieces: list[list[str]] = []
    values: tuple[Number, ...] | None = None
    end = 0
    for brace in BRACES.finditer(code):
        pieces.append([code[end : brace.start()]])
        end = brace.end()
        inside = brace[1]
        if "|" in inside:
            pieces.append([part.strip() for part in inside.split("|")])
            if not all(pieces[-1]):
                raise ScriptError.at(source, source.span(number, *brace.span()), "an alternative is empty", EXAMPLE)
            continue
        if values is not None:
            message = "a second threshold in one term"
            raise ScriptError.at(source, source.span(number, *brace.span()), message, "a term has one: write two terms")
        try:
            values = _values(inside)
        except ValueError as error:
            raise ScriptError.at(source, source.span(number, *brace.span()), str(error), EXAMPLE) from None
        pieces.append([HOLE])
    pieces.append([code[end:]])
    for stray in "{}":
        outside = BRACES.sub(lambda brace: " " * len(brace[0]), code).find(stray)
        if outside >= 0:
            at = source.span(number, outside, outside + 1)
            raise ScriptError.at(source, at, f"a `{stray}` without its other half", EXAMPLE)
    patterns = ["".join(parts).strip() for parts in itertools.product(*pieces)]
    return [LibraryTerm(pattern, values or (), source, number) for pattern in patterns]


def _values(text: str) -> tuple[Number, ...]:
    """`low..high by step` or `a, b, c`. Raises ValueError."""
    steps = STEPS.fullmatch(text)
    if steps is not None:
        low, high, step = map(_number, steps.groups())
        if step <= 0 or high < low:
            raise ValueError(f"{{{text}}}: expected low <= high and a step above 0")
        count = math.floor((high - low) / step + 1e-9) + 1
        values = [low + k * step for k in range(min(count, MOST_VALUES + 1))]
        found = tuple(round(value, 10) if isinstance(value, float) else value for value in values)
    elif LIST.fullmatch(text):
        found = tuple(_number(part) for part in text.split(","))
    else:
        raise ValueError(f"{{{text}}} is no list of thresholds")
    if len(set(found)) != len(found):
        raise ValueError(f"{{{text}}} has a value twice")
    if len(found) > MOST_VALUES:
        raise ValueError(f"{{{text}}} has more than {MOST_VALUES} values")
    return found


def _number(text: str) -> Number:
    return float(text) if "." in text else int(text)
