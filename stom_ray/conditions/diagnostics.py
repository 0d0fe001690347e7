"""Errors and warnings that point at a place in a user's text.

Columns in messages count characters from 1; the caret line counts terminal cells, in which Hangul is two wide.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Protocol

from stom_ray.conditions.ir import Span
from stom_ray.errors import ConditionError

TAB_CELLS = 4
SHOWN_CELLS = 110


class Located(Protocol):
    """A text that can show its lines: `stom_ray.conditions.text.Source`."""

    @property
    def role(self) -> str: ...

    def shown_line(self, number: int) -> str: ...


def cells(text: str) -> int:
    """Terminal cells of a text: Hangul and full-width characters two, combining marks none, a tab TAB_CELLS."""
    return sum(character_cells(character) for character in text)


def character_cells(character: str) -> int:
    if character == "\t":
        return TAB_CELLS
    if not character.isprintable() and unicodedata.category(character) != "Zs":
        return 1
    # Vowels and finals of decomposed Hangul join the initial before them.
    if "\u1160" <= character <= "\u11ff" or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def printable(character: str) -> str:
    """What a terminal can show in the character's cells: spaces for spaces and tabs, a mark for what has no shape."""
    if character.isprintable():
        return character
    if character == "\t" or unicodedata.category(character) == "Zs":
        return " " * character_cells(character)
    return "\ufffd"


def excerpt(line: str, start: int, end: int) -> tuple[str, str]:
    """The line and its caret line; a long line is cut around the place."""
    start = min(start, len(line))
    end = max(start + 1, min(end, len(line)))
    first = start
    while first > 0 and cells(line[first - 1 : start]) < SHOWN_CELLS // 2:
        first -= 1
    last = start
    while last < len(line) and cells(line[start : last + 1]) < SHOWN_CELLS // 2:
        last += 1
    lead = "…" if first > 0 else ""
    shown = lead + "".join(printable(character) for character in line[first:last]) + ("…" if last < len(line) else "")
    before = len(lead) + cells(line[first:start])
    width = max(1, cells(line[start : min(end, last)]))
    return shown, " " * before + "^" * width


def render(source: Located, at: Span, message: str, hint: str = "") -> str:
    """The whole message: role, line, column, what is wrong, the line with a caret, the hint."""
    shown, caret = excerpt(source.shown_line(at.line), at.start, at.end)
    parts = [f"{source.role}, line {at.line}, column {at.start + 1}: {message}", f"    {shown}", f"    {caret}"]
    if hint:
        parts.append(f"    hint: {hint}")
    return "\n".join(parts)


def closest(name: str, known: Iterable[str], cutoff: float = 0.65) -> str | None:
    """The known name most like `name`, or None; ties go to the first in sorted order.

    Compared letter by letter (ㅎㅕㄴ, not 현): one wrong vowel is a small mistake also in a name of two syllables.
    """
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(unicodedata.normalize("NFD", name))
    best, best_ratio = None, cutoff
    for candidate in sorted(set(known)):
        matcher.set_seq1(unicodedata.normalize("NFD", candidate))
        if matcher.real_quick_ratio() > best_ratio and matcher.quick_ratio() > best_ratio and matcher.ratio() > best_ratio:
            best, best_ratio = candidate, matcher.ratio()
    return best


def did_you_mean(name: str, known: Iterable[str]) -> str:
    found = closest(name, known)
    return f"did you mean `{found}`?" if found else ""


class ScriptError(ConditionError):
    """A refused script. line: 1-based; column: 1-based character column; hint: what to do, or ""."""

    def __init__(self, message: str, *, role: str, line: int, column: int, summary: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.role = role
        self.line = line
        self.column = column
        self.summary = summary or message
        self.hint = hint

    @classmethod
    def at(cls, source: Located, span: Span, message: str, hint: str = "") -> ScriptError:
        text = render(source, span, message, hint)
        return cls(text, role=source.role, line=span.line, column=span.start + 1, summary=message, hint=hint)

    @classmethod
    def too_large(cls, role: str, what: str) -> ScriptError:
        hint = "split it: a text has at most 64 KiB and 2,000 lines, a choice at most 200 branches"
        return cls(f"{role}, line 1, column 1: {what}\n    hint: {hint}", role=role, line=1, column=1, summary=what, hint=hint)

    @classmethod
    def not_utf8(cls, role: str, line: int, column: int, byte: int) -> ScriptError:
        what, hint = f"byte 0x{byte:02x} is not UTF-8", "save the text as UTF-8"
        where = f"{role}, line {line}, column {column + 1}"
        return cls(f"{where}: {what}\n    hint: {hint}", role=role, line=line, column=column + 1, summary=what, hint=hint)

    @classmethod
    def forbidden_character(cls, source: Located, span: Span, character: str) -> ScriptError:
        name = unicodedata.name(character, "a control character")
        return cls.at(source, span, f"invisible character U+{ord(character):04X} ({name})", "delete it and type the line again")

    @classmethod
    def unexpected_character(cls, source: Located, span: Span, character: str) -> ScriptError:
        return cls.at(source, span, f"unexpected character `{character}`", CHARACTER_HINTS.get(character, ""))

    @classmethod
    def unknown_name(cls, source: Located, span: Span, name: str, hint: str) -> ScriptError:
        return cls.at(source, span, f"unknown name `{name}`", hint)

    @classmethod
    def not_in_language(cls, source: Located, span: Span, what: str, hint: str = "") -> ScriptError:
        return cls.at(source, span, f"{what} is not part of the condition language", hint)


CHARACTER_HINTS = {
    "≥": "write `>=`",
    "≤": "write `<=`",
    "≠": "write `!=`",
    "×": "write `*`",
    "÷": "write `/`",
    "−": "write `-`",
    "–": "write `-`",
    "—": "write `-`",
    "‘": "write a straight quote '",
    "’": "write a straight quote '",
    "“": 'write a straight quote "',
    "”": 'write a straight quote "',
    "`": "remove the Markdown around the script; only its lines belong here",
    "&": "write `and`",
    "|": "write `or`",
    "!": "write `not`",
    "^": "a power is `**`",
    ";": "one statement a line",
    "{": "only ( ) and [ ] are brackets here",
    "}": "only ( ) and [ ] are brackets here",
    "²": "a square is `** 2`",
    "³": "a cube is `** 3`",
}


class Warnings:
    """Collects rendered warnings, each once, in the order they arose."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(self._texts)

    def at(self, source: Located, span: Span, message: str, hint: str = "") -> None:
        self.add(render(source, span, message, hint))

    def add(self, text: str) -> None:
        if text not in self._texts:
            self._texts.append(text)

    def extend(self, texts: Sequence[str]) -> None:
        for text in texts:
            self.add(text)

    def ignored_after_trailer(self, source: Located, line: int) -> None:
        shown = source.shown_line(line)
        start = len(shown) - len(shown.lstrip())
        message = f"line {line} and what follows is never run: STOM cuts the text at its order"
        self.at(source, Span(line, start, len(shown.rstrip())), message, "move it above the order, or delete it")
