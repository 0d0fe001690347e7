"""Structure as thresholds: one generated script in which every term of a library has a variable that can drop it.

A buy term has two variables, for itself and for its opposite; a sell term and a line of a condition list have one. Position 0 of
a variable drops it, further ones are tighter, so that add, drop, swap, negate and change are moves in an ordinary space. Where a
huge threshold drops a term, the variable is the threshold. Otherwise a buy term is first made a grade (how many of its
thresholds hold; each implies the one before), which its variable is compared with, and a sell term is guarded by its variable.
The planned kernels cut all of these forms.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stom_ray.conditions.diagnostics import Warnings
from stom_ray.conditions.text import cut_at_trailer, read_source
from stom_ray.engine.types import Ints, ParamMatrix
from stom_ray.search.library import LibraryTerm, Number
from stom_ray.search.space import Choice, Space
from stom_ray.search.term_cut import CutTerm, Side, cut_term

HUGE = 10**17  # beyond every column, and a number that a script may have
VARIABLE = re.compile(r"self\s*\.\s*vars\s*\[\s*([0-9]+)\s*\](?:\s*\[\s*1\s*\])?")
GRADE = "등급"
ORDERS: dict[Side, tuple[str, str, str]] = {"buy": ("매수", "Buy", "False"), "sell": ("매도", "Sell", "True")}

Role = Literal["term", "line"]


@dataclass(frozen=True)
class Switch(Choice):
    """The variable of a term. term: its number in the structure. negated: the variable of the opposite.

    values[0] drops it. `present` of a line of the user's own is its use, of a library's term its absence.
    """

    term: int = 0
    negated: bool = False


@dataclass(frozen=True)
class Rule:
    """What one variable switches. conditions: (n_values - 1,) the plain condition at position 1, 2, … of the variable."""

    side: Side
    conditions: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """A parameter row as plain scripts. rules: the active terms' conditions, buy before sell."""

    buy: str
    sell: str
    rules: tuple[str, ...]


@dataclass(frozen=True)
class Structure:
    """buy, sell: the generated scripts. first: the library's first variable; rules: from that on. bases: the user's texts."""

    buy: str
    sell: str
    first: int
    switches: tuple[Switch, ...]
    rules: tuple[Rule, ...]
    bases: dict[Side, str]

    def space(self, base: Space) -> Space:
        """The user's own variables, then the library's."""
        names = (f"vars[{self.first + place}]" for place in range(len(self.switches)))
        return Space((*base.variables, *self.switches), (*base.names, *names))

    def found(self, row: Sequence[Number]) -> Found:
        """row: (n_vars,) one value a variable, ints and floats as they are in the space."""
        active: dict[Side, list[str]] = {"buy": [], "sell": []}
        for switch, rule, value in zip(self.switches, self.rules, row[self.first :], strict=True):
            if value != switch.values[0]:
                active[rule.side].append(rule.conditions[switch.values.index(value) - 1])
        texts = {side: filled(extended(self.bases[side], side, plain_lines(side, active[side])), row) for side in active}
        return Found(texts["buy"], texts["sell"], (*active["buy"], *active["sell"]))


def active_terms(space: Space, params: ParamMatrix) -> Ints:
    """(n,) how many terms each row uses."""
    count = np.zeros(len(params), dtype=np.int64)
    for column, variable in enumerate(space.variables):
        if isinstance(variable, Switch):
            count += params.values[:, column] != variable.values[0]
    return count


def build_structure(
    bases: dict[Side, str],
    first: int,
    *,
    terms: dict[Side, Sequence[LibraryTerm]],
    lines: dict[Side, Sequence[LibraryTerm]],
    layout: str,
    profile: str,
    elapsed: frozenset[str] = frozenset(),
) -> Structure:
    """The generated scripts of the user's texts and what may be added to them.

    first: the number of the user's own variables. terms: of a library, absent at first. lines: of the user's condition lists,
    present at first; a buy line excludes, a sell line triggers. Raises ConditionError for a term that cannot be one.
    """
    grade = GRADE
    while grade in bases["buy"]:
        grade += "_"
    builder = _Builder(first, grade)
    for side in ORDERS:
        for role, given in (("term", terms.get(side, ())), ("line", lines.get(side, ()))):
            for term in given:
                builder.add(cut_term(term, side, layout, profile, elapsed), side, "line" if role == "line" else "term")
    texts = {side: extended(bases[side], side, builder.lines[side]) for side in ORDERS}
    return Structure(texts["buy"], texts["sell"], first, tuple(builder.switches), tuple(builder.rules), bases)


class _Builder:
    """Variables, rules and lines of the generated scripts, term after term."""

    def __init__(self, first: int, grade: str) -> None:
        self.first, self.grade = first, grade
        self.count = 0
        self.switches: list[Switch] = []
        self.rules: list[Rule] = []
        self.lines: dict[Side, list[str]] = {"buy": [], "sell": []}

    def add(self, cut: CutTerm, side: Side, role: Role) -> None:
        if side == "sell":
            self._sell_term(cut, role)
        elif role == "line":
            self._buy_line(cut)
        else:
            self._buy_term(cut)
        self.count += 1

    def _variable(self, side: Side, values: Sequence[Number], conditions: Sequence[str], negated: bool, present: int) -> str:
        self.switches.append(Switch(tuple(values), values[present], term=self.count, negated=negated))
        self.rules.append(Rule(side, tuple(conditions)))
        return f"self.vars[{self.first + len(self.switches) - 1}]"

    def _buy_term(self, cut: CutTerm) -> None:
        plain = _conditions(cut)
        opposite = [f"not ({condition})" for condition in reversed(plain)]
        grade, most = f"{self.grade}{self.count}", len(plain)
        if cut.compared is not None:
            left, op = cut.compared
            loosest = cut.loosened * HUGE
            own = self._variable("buy", [loosest, *cut.values], plain, False, 0)
            other = self._variable("buy", [-loosest, *reversed(cut.values)], opposite, True, 0)
            # What is no number fails every threshold but the one that drops the term.
            self.lines["buy"].append(f"{grade} = {left} if {left} == {left} else {_number(loosest // 2)}")
            self.lines["buy"] += plain_lines("buy", [f"{grade} {op} {own}", f"not ({grade} {op} {other})"])
            return
        at_least = self._variable("buy", list(range(most + 1)), plain, False, 0)
        at_most = self._variable("buy", list(range(most, -1, -1)), opposite, True, 0)
        steps = "".join(f"{place} if {plain[place - 1]} else " for place in range(most, 0, -1))
        self.lines["buy"] += [f"{grade} = {steps}0", *plain_lines("buy", [f"{at_least} <= {grade} <= {at_most}"])]

    def _buy_line(self, cut: CutTerm) -> None:
        """A line excludes: it is the opposite that must hold."""
        used = f"not ({cut.term.text()})"
        grade = f"{self.grade}{self.count}"
        variable = self._variable("buy", [0, 1], [used], True, 1)
        self.lines["buy"] += [f"{grade} = 1 if {used} else 0", *plain_lines("buy", [f"{grade} >= {variable}"])]

    def _sell_term(self, cut: CutTerm, role: Role) -> None:
        term, plain = cut.term, _conditions(cut)
        if not cut.values:
            switch = self._variable("sell", [0, 1], plain, False, int(role == "line"))
            self.lines["sell"] += plain_lines("sell", [f"{switch} == 1 and ({term.text()})"])
            return
        # From a reason that never fires to the one that fires most: what is dropped lies beyond the tightest.
        dropped = (cut.loosened or 1) * HUGE
        variable = self._variable("sell", [dropped, *reversed(cut.values)], list(reversed(plain)), False, 0)
        guard = "" if cut.loosened else f"{variable} != {HUGE} and "
        self.lines["sell"] += plain_lines("sell", [f"{guard}({term.text(variable)})" if guard else term.text(variable)])


def _conditions(cut: CutTerm) -> list[str]:
    return [cut.term.text(_number(value)) for value in cut.values] or [cut.term.text()]


def plain_lines(side: Side, conditions: Sequence[str]) -> list[str]:
    """Lines of a script: every buy condition must hold, any sell condition sells."""
    name, _, outcome = ORDERS[side]
    tests = [f"not ({condition})" if side == "buy" else condition for condition in conditions]
    return [line for test in tests for line in (f"if {test}:", f"    {name} = {outcome}")]


def extended(base: str, side: Side, lines: Sequence[str]) -> str:
    """The user's text with lines before its order."""
    name, order, _ = ORDERS[side]
    source = cut_at_trailer(read_source(base, f"{side} text"), name, order, "corrected", Warnings())
    return "\n".join([*source.raw_lines, *lines, f"if {name}:", f"    self.{order}()", ""])


def filled(text: str, row: Sequence[Number]) -> str:
    """The text with numbers for its variables."""
    return VARIABLE.sub(lambda variable: _number(row[int(variable[1])]), text)


def _number(value: Number) -> str:
    """As it may stand anywhere in an expression."""
    return f"({value!r})" if value < 0 else repr(value)
