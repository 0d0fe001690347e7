"""A user's text before it is parsed: its limits, its characters, and where its order follows.

Everything later counts in the normalised lines; `Source.span` leads back to the characters the user typed.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache

from stom_ray.conditions.diagnostics import ScriptError, Warnings
from stom_ray.conditions.ir import Span

MAX_BYTES = 64 * 1024
MAX_LINES = 2_000
LONGEST_PIECE = 200
BYTE_ORDER_MARK = "\ufeff"
FORBIDDEN_CATEGORIES = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


@dataclass(frozen=True, slots=True)
class Source:
    """One text under its role ("buy text", "sell text", "elapsed expression `급등`", ...), as typed and NFKC-normalised.

    raw_lines and lines have the same length. Spans count characters of raw_lines.
    """

    role: str
    raw_lines: tuple[str, ...]
    lines: tuple[str, ...]
    first_line: int = 1
    shown: tuple[str, ...] = field(default=())

    def span(self, line: int, start: int, end: int) -> Span:
        """Span of the normalised columns [start, end) of 1-based `line`, in the user's characters."""
        number = line + self.first_line - 1
        if not 1 <= line <= len(self.lines) or self.lines[line - 1] == self.raw_lines[line - 1]:
            return Span(number, start, end)
        raw = self.raw_lines[line - 1]
        return Span(number, raw_column(raw, start), max(raw_column(raw, end), raw_column(raw, start) + 1))

    def shown_line(self, number: int) -> str:
        """The line an error shows, by the number a Span carries."""
        lines = self.shown or self.raw_lines
        position = number - self.first_line
        return lines[position] if 0 <= position < len(lines) else ""

    def raw_text(self) -> str:
        return "\n".join(self.raw_lines)


def raw_column(raw: str, column: int) -> int:
    """The column of `raw` behind a column of its normalised form."""
    columns = raw_columns(raw)
    return columns[column] if column < len(columns) else len(raw) + column - len(columns)


@lru_cache(maxsize=256)
def raw_columns(raw: str) -> tuple[int, ...]:
    """For each character of the normalised line the raw column it comes from.

    No normalisation reaches across the left side of an ASCII character, so the line is mapped piece by piece; a piece too long
    to be a word is mapped to its start.
    """
    columns: list[int] = []
    for piece in re.finditer(r"[\x00-\x7f]?[^\x00-\x7f]*", raw):
        text, start = piece.group(), piece.start()
        whole = len(unicodedata.normalize("NFKC", text))
        position = 0
        for length in range(1, len(text) + 1 if len(text) <= LONGEST_PIECE else 1):
            reached = min(whole, len(unicodedata.normalize("NFKC", text[:length])))
            columns.extend([start + length - 1] * (reached - position))
            position = max(position, reached)
        columns.extend([start] * (whole - position))
    return tuple(columns)


def read_source(text: str | bytes, role: str) -> Source:
    """Checks every limit that holds before parsing and normalises. Raises ScriptError."""
    decoded = decode(text, role)
    # A pathological text is refused before anything walks it.
    if len(decoded) > MAX_BYTES or len(decoded.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ScriptError.too_large(role, f"more than {MAX_BYTES // 1024} KiB of text")
    raw_lines = tuple(decoded.replace("\r\n", "\n").split("\n"))
    if len(raw_lines) > MAX_LINES:
        raise ScriptError.too_large(role, f"{len(raw_lines):,} lines, more than {MAX_LINES:,}")
    source = Source(role, raw_lines, raw_lines)
    for number, line in enumerate(raw_lines, 1):
        check_characters(source, number, line)
    return Source(role, raw_lines, tuple(unicodedata.normalize("NFKC", line) for line in raw_lines))


def decode(text: str | bytes, role: str) -> str:
    """Strict UTF-8 for bytes; one leading byte order mark is dropped."""
    if isinstance(text, bytes):
        if len(text) > MAX_BYTES + 3:
            raise ScriptError.too_large(role, f"more than {MAX_BYTES // 1024} KiB of text")
        try:
            decoded = text.decode("utf-8")
        except UnicodeDecodeError as error:
            before = text[: error.start].decode("utf-8")
            line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1)
            raise ScriptError.not_utf8(role, line, column, text[error.start]) from error
        return decoded.removeprefix(BYTE_ORDER_MARK)
    return text.removeprefix(BYTE_ORDER_MARK)


def check_characters(source: Source, number: int, line: str) -> None:
    """No control, format or unassigned characters anywhere; no superscripts or circled digits outside comments."""
    if line.isascii() and line.isprintable():
        return
    code_end = line.find("#") if "#" in line else len(line)
    for column, character in enumerate(line):
        category = unicodedata.category(character)
        if category in FORBIDDEN_CATEGORIES and character != "\t":
            raise ScriptError.forbidden_character(source, Span(number, column, column + 1), character)
        # NFKC would turn 10² into 102.
        if category == "No" and column < code_end:
            raise ScriptError.unexpected_character(source, Span(number, column, column + 1), character)


def cut_at_trailer(source: Source, decision: str, order: str, profile: str, warnings: Warnings) -> Source:
    """The text before its first `if DECISION:` at column 0; the order follows there.

    decision: 매수 or 매도; order: Buy or Sell. What comes after the order call is never run: a warning names its line. STOM cuts
    at these characters wherever they stand, which no script survives: profile `stom` refuses them elsewhere.
    """
    trailer = re.compile(rf"if[ \t]+{decision}[ \t]*:(?P<rest>.*)")
    for number, line in enumerate(source.lines, 1):
        match = trailer.match(line)
        if match:
            warn_what_follows(source, number, match["rest"], order, warnings)
            kept = number - 1
            return Source(source.role, source.raw_lines[:kept], source.lines[:kept], shown=source.raw_lines)
        inside = line.find(f"if {decision}:")
        if inside >= 0 and profile == "stom":
            span = source.span(number, inside, inside + len(f"if {decision}:"))
            message = f"STOM cuts the text at `if {decision}:`, also here"
            raise ScriptError.at(source, span, message, f"write `if {decision} == True:`, or use the profile `corrected`")
    return source


def warn_what_follows(source: Source, number: int, rest: str, order: str, warnings: Warnings) -> None:
    """Warns of the first line after the trailer's own order call."""
    call = re.compile(rf"\s*self\.{order}\s*\(")
    depth = 0
    ordered = False
    for line_number, line in enumerate((rest, *source.lines[number:]), number):
        code = line.split("#", 1)[0]
        if not code.strip():
            continue
        if not ordered and call.match(code):
            ordered = True
        elif depth <= 0:
            warnings.ignored_after_trailer(source, line_number)
            return
        depth += code.count("(") - code.count(")")
