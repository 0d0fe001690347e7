"""Values of the emitter: the text of a number together with what Python would know about it.

Every number of a script is a float64 in the kernel. Two facts that Python keeps in the type travel beside it: is it *plain*
(then it divides and rounds as Python's own numbers do) and is it *whole*, a Python int (then it may be a window length).
A fact is True or False when the emitter knows it, else the text of a boolean expression of the generated code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

Fact = bool | str

LARGEST_INT = 2.0**53  # beyond it plain integers continue as floats, as in the interpreter


@dataclass(frozen=True)
class Value:
    """A number or truth value of the generated code.

    text: an expression without effects, of a float64 or, when `boolean`, of a truth value. limit: no |value| is above it (inf
    when unknown); only kept for whole values. simple: the text is a name or a literal, cheap to repeat.
    """

    text: str
    plain: Fact
    whole: Fact
    boolean: bool = False
    limit: float = math.inf
    simple: bool = False

    @property
    def number(self) -> str:
        """The text as a float64."""
        return f"(1.0 if {self.text} else 0.0)" if self.boolean else self.text

    @property
    def truth(self) -> str:
        """The text as a truth value; NaN is true, as in Python."""
        return self.text if self.boolean else f"({self.text} != 0.0)"

    def named(self, name: str) -> Value:
        return replace(self, text=name, boolean=False, simple=True)


def truth_value(text: str) -> Value:
    """A Python bool."""
    return Value(text, True, True, boolean=True, limit=1.0)


def tick(text: str, simple: bool = False) -> Value:
    return Value(text, False, False, simple=simple)


def both(left: Fact, right: Fact) -> Fact:
    if left is False or right is False:
        return False
    if left is True:
        return right
    if right is True or left == right:
        return left
    return f"({left} and {right})"


def either_way(test: str, yes: Fact, no: Fact) -> Fact:
    """The fact of `yes if test else no`."""
    if yes == no:
        return yes
    if yes is True and no is False:
        return f"({test})"
    if yes is False and no is True:
        return f"(not {test})"
    if yes is False or no is False:
        return f"({test} and {yes})" if no is False else f"(not {test} and {no})"
    return f"({test} or {no})" if yes is True else f"(not {test} or {yes})" if no is True else f"({yes} if {test} else {no})"


def inverse(fact: Fact) -> Fact:
    return not fact if isinstance(fact, bool) else f"(not {fact})"


def literal(number: bool | int | float) -> str:
    """A float64 literal of the generated language."""
    value = float(number)
    if math.isnan(value):
        return "np.nan"
    if math.isinf(value):
        return "np.inf" if value > 0 else "(-np.inf)"
    return f"({value!r})" if math.copysign(1.0, value) < 0.0 else repr(value)


def constant(number: bool | int | float) -> Value:
    if isinstance(number, int) and abs(number) > LARGEST_INT:
        number = float(number)
    whole = isinstance(number, int)
    return Value(literal(number), True, whole, limit=abs(float(number)) if whole else math.inf, simple=True)
