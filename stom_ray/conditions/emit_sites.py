"""What a generated kernel needs from outside, collected while its text is written: columns, windows, fault and count sites.

The emitter asks for numbers; the binding step (`engine.kernel_bind`) fills the tables in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions.ir import Const, Expr, Span, TextTest


@dataclass(frozen=True)
class FaultSite:
    """A place where a candidate may stop. text: `buy`, `sell` or `elapsed:NAME`; kind and detail choose the message."""

    text: str
    kind: str
    detail: str
    at: Span


@dataclass(frozen=True)
class WindowSite:
    """A window whose length is the same on every row: FUNCTION(length). is_float: 60.0, which equals 60, is another length."""

    function: str
    length: Expr
    is_float: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_float", isinstance(self.length, Const) and isinstance(self.length.value, float))


@dataclass
class Sites:
    """Everything that the generated text refers to by number.

    columns: key -> row of the column matrix, a column name or `@name` for what the binding step derives. windows: site numbers.
    texts: tests on the instrument's code or name, constant in a session. zero_lines: "buy:12" -> counter. variables: indices of
    `self.vars` that are read. elapsed: name -> number. constants: repr of a float -> its place in an array that the compiler
    cannot look into. varying_functions: windows whose length changes from row to row.
    """

    columns: dict[str, int] = field(default_factory=dict)
    windows: dict[WindowSite, int] = field(default_factory=dict)
    texts: dict[TextTest, int] = field(default_factory=dict)
    faults: dict[FaultSite, int] = field(default_factory=dict)
    zero_lines: dict[str, int] = field(default_factory=dict)
    variables: set[int] = field(default_factory=set)
    elapsed: dict[str, int] = field(default_factory=dict)
    constants: dict[str, int] = field(default_factory=dict)
    varying_functions: dict[str, int] = field(default_factory=dict)

    def column(self, key: str) -> int:
        return self.columns.setdefault(key, len(self.columns))

    def window(self, site: WindowSite) -> int:
        return self.windows.setdefault(site, len(self.windows))

    def text(self, test: TextTest) -> int:
        return self.texts.setdefault(test, len(self.texts))

    def fault(self, site: FaultSite) -> int:
        return self.faults.setdefault(site, len(self.faults))

    @property
    def constant_values(self) -> NDArray[np.float64]:
        """The array behind `constants`, never empty."""
        return np.array([float(text) for text in self.constants] or [0.0], dtype=np.float64)

    def constant(self, number: float) -> int:
        return self.constants.setdefault(repr(number), len(self.constants))

    def varying(self, function: str) -> int:
        return self.varying_functions.setdefault(function, len(self.varying_functions))

    def zero_line(self, key: str) -> int:
        return self.zero_lines.setdefault(key, len(self.zero_lines))


class Lines:
    """Generated text under construction: lines with an indentation, and names that are used once."""

    def __init__(self, depth: int = 0, prefix: str = "") -> None:
        self.lines: list[str] = []
        self.depth = depth
        self.prefix = prefix
        self._fresh = 0

    def add(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def fresh(self, stem: str = "t") -> str:
        self._fresh += 1
        return f"{stem}{self.prefix}_{self._fresh}"

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        """`header:` and what is added meanwhile below it; an empty block becomes `pass`."""
        self.add(header + ":")
        start = len(self.lines)
        self.depth += 1
        yield
        if len(self.lines) == start:
            self.add("pass")
        self.depth -= 1

    @contextmanager
    def aside(self) -> Iterator[list[str]]:
        """Lines added meanwhile go to the yielded list instead, at the same depth."""
        kept, self.lines = self.lines, []
        try:
            yield self.lines
        finally:
            self.lines = kept
