"""What can stop a script while it runs, and how it is told: one table for the interpreter and the kernels.

Each kind would have stopped STOM's run (spec/engine.md §2.2, §4, §5.3), so it stops the candidate here.
"""

from __future__ import annotations

from dataclasses import dataclass

from stom_ray.conditions.ir import Span
from stom_ray.errors import ScriptRuntimeError

# kind -> (what happened, what to do); {} is the detail: a function, a column or a temporary.
FAULTS: dict[str, tuple[str, str]] = {
    "zero_division": (
        "a plain number is divided by zero",
        "test the divisor first; in the corrected profile the result is nan, and every comparison with it false",
    ),
    "complex_power": ("a negative number to a fractional power is no real number", "test the sign first"),
    "overflow": ("the result is too large for a number", "test the operands first"),
    "no_integer": ("{}() of a number that is nan or infinite", "test the operands first"),
    "digits": ("round() to a number of digits that is no whole number from -22 to 22", "write the number of digits as it is"),
    "unset": ("the temporary `{}` was not set on this row", "set it before the branches"),
    "float_window": (
        "the window length of `{}` is no whole number: STOM takes 60, not 60.0",
        "wrap it in int(...), or write the variable's values without a decimal point",
    ),
    "empty_window": ("the window of `{}` has less than 1 row", "a window length is at least 1"),
    "float_lookback": ("the look-back of `{}` is no whole number: STOM takes 3, not 3.0", "wrap it in int(...)"),
    "future": ("the look-back of `{}` is negative and would read the future", "look back 0 or more rows; -1 only in sell text"),
    "before_data": (
        "the window of `{}` at the buy row begins before the instrument's first row",
        "shorten the window, raise avgtime, or load earlier days",
    ),
    "unfilled": (
        "`{}` looks back to a row where its window had not filled, and nan is no int",
        "look back less, raise avgtime, or load earlier days",
    ),
    "subscript": (
        "self.vars[{}][1] is no number while a run is going on, as STOM has it",
        "write self.vars[{}]; the corrected profile reads it so",
    ),
}


@dataclass(eq=False)
class FaultError(Exception):
    """Raised inside an evaluation; the caller knows instrument and time. kind: a key of FAULTS."""

    kind: str
    detail: str
    at: Span


def role(text: str) -> str:
    """`buy`, `sell`, `elapsed:NAME` as a person reads it."""
    return f"elapsed-tick expression `{text.removeprefix('elapsed:')}`" if text.startswith("elapsed:") else f"{text} text"


def fault_message(text: str, kind: str, detail: str, at: Span, code: str, clock: int) -> str:
    """text: `buy`, `sell` or `elapsed:NAME`; clock: yyyymmddhhmmss of the row."""
    what, remedy = (part.format(detail, detail) for part in FAULTS[kind])
    when = f"{clock // 1_000_000} {clock // 10_000 % 100:02d}:{clock // 100 % 100:02d}:{clock % 100:02d}"
    return f"{role(text)}, line {at.line}, column {at.start + 1}: {what} ({code}, {when})\n    hint: {remedy}"


def runtime_error(text: str, kind: str, detail: str, at: Span, code: str, clock: int) -> ScriptRuntimeError:
    """The located error of one row."""
    return ScriptRuntimeError(fault_message(text, kind, detail, at, code, clock))
