"""Sell reasons: which lines they are, what they are called, and what STOM's own way of numbering them does.

STOM puts a line before each line that sells: that line's own text up to its first 매도, then the reason's number. A one-line
`elif c: 매도 = True` so gets an `elif c:` before it that takes its place: it sets the reason and never sells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from stom_ray.conditions.diagnostics import ScriptError, Warnings
from stom_ray.conditions.ir import Span
from stom_ray.conditions.text import Source

FORCED_SALE = "전략종료청산"
SELLS = re.compile(r"매도\s*=\s*True")
Effect = Literal["sell", "label only"]


@dataclass(frozen=True, slots=True)
class SellReasons:
    """numbers: line number -> reason (1-based). labels[n]: the raw line before reason n; labels[0] is the forced sale."""

    numbers: dict[int, int]
    labels: tuple[str, ...]


def sell_reasons(source: Source) -> SellReasons:
    """Each line without `#` that contains `매도 = True`, whatever its spacing; the label is the line before, verbatim."""
    numbers: dict[int, int] = {}
    labels = [FORCED_SALE]
    for number, line in enumerate(source.lines, 1):
        if "#" not in line and SELLS.search(line):
            numbers[number] = len(labels)
            labels.append(source.raw_lines[number - 2] if number > 1 else "")
    return SellReasons(numbers, tuple(labels))


def stom_effect(source: Source, number: int, one_line_word: str | None, at: Span, warnings: Warnings) -> Effect:
    """What STOM's inserted line makes of the sale on this line.

    one_line_word: the if/elif/else the sale shares its line with, None when it stands alone. Raises ScriptError where STOM's
    inserted line is no valid script.
    """
    line = source.lines[number - 1]
    before = line[: line.find("매도")]
    own_line = SELLS.match(line, len(before)) is not None
    continued = number > 1 and source.lines[number - 2].rstrip().endswith("\\")
    header = before.strip()
    if not own_line or continued:
        raise ScriptError.at(
            source,
            at,
            "STOM cannot run this line: it inserts the text before the line's first 매도",
            "put `매도 = True` on a line of its own",
        )
    if one_line_word is None and not header:
        return "sell"
    if one_line_word == "else" or not header.startswith(one_line_word or " "):
        raise ScriptError.at(source, at, "STOM cannot run a sale on this line", "put `매도 = True` on a line of its own")
    if one_line_word == "elif":
        message = "this line sets a sell reason and never sells: STOM's inserted line takes its place"
        warnings.at(source, at, message, "put `매도 = True` on the next line, or use the profile `corrected`")
        return "label only"
    return "sell"


def refuse_stray_reasons(source: Source, reasons: SellReasons, sales: set[int]) -> None:
    """A line that only looks like a sale (`강매도 = True`) gets STOM's inserted line too, and then cannot run."""
    for number in sorted(set(reasons.numbers) - sales):
        at = source.span(number, 0, len(source.lines[number - 1]))
        raise ScriptError.at(
            source, at, "STOM takes this line for a sale and cannot run what it makes of it", "choose another name"
        )


def warn_unlabelled(source: Source, number: int, at: Span, warnings: Warnings) -> None:
    """A `#` on the line of a sale takes its reason away."""
    if SELLS.search(source.lines[number - 1]) and "#" in source.lines[number - 1]:
        warnings.at(
            source, at, "this sale has no reason of its own because its line holds a `#`", "move the comment to another line"
        )
