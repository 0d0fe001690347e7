"""Tokens of a condition text, with Python's rules for indentation, brackets and line continuation."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from stom_ray.conditions.diagnostics import CHARACTER_HINTS, ScriptError
from stom_ray.conditions.ir import Span
from stom_ray.conditions.text import Source

MAX_BRACKETS = 64
MAX_DIGITS = 18
MAX_INDENTS = 24
MAX_IDENTIFIER = 200
KOREAN_UNITS = {"십": 10, "백": 100, "천": 1_000, "만": 10_000, "억": 100_000_000, "조": 1_000_000_000_000}

TokenKind = Literal["name", "number", "string", "op", "newline", "indent", "dedent", "end"]

NUMBER = r"(?:[0-9]+(?:_[0-9]+)*(?:\.(?:[0-9]+(?:_[0-9]+)*)?)?|\.[0-9]+(?:_[0-9]+)*)(?:[eE][+-]?[0-9]+)?"
TOKEN = re.compile(
    rf"""(?P<space>[ \t]+)|(?P<comment>\#.*)|(?P<string>'[^'\\]*'|"[^"\\]*")|(?P<number>{NUMBER})|(?P<name>[^\W\d]\w*)"""
    r"""|(?P<op>\*\*=|//=|===|!==|\*\*|//|<=|>=|==|!=|=>|=<|<>|\+=|-=|\*=|/=|%=|&&|\|\||:=|->|[-+*/%<>=()\[\]:,.])"""
)
FOREIGN_OPS = {
    "===": "write `==`",
    "!==": "write `!=`",
    "=>": "write `>=`",
    "=<": "write `<=`",
    "<>": "write `!=`",
    "&&": "write `and`",
    "||": "write `or`",
    ":=": "set the name on a line of its own",
    "->": "",
}
CLOSES = {")": "(", "]": "["}


@dataclass(frozen=True, slots=True)
class Token:
    """`line`, `start`, `end` count the normalised text; line starts at 1."""

    kind: TokenKind
    text: str
    line: int
    start: int
    end: int
    value: int | float | str = 0


def tokenize(source: Source, *, expression: bool = False) -> list[Token]:
    """All tokens; ends with `end`. expression: the text is one expression, indentation and line ends mean nothing."""
    return list(Scanner(source, expression).tokens())


class Scanner:
    """One pass over the lines; keeps the open brackets and the indentation stack."""

    def __init__(self, source: Source, expression: bool) -> None:
        self.source = source
        self.expression = expression
        self.brackets: list[Token] = []
        self.indents: list[tuple[int, int]] = [(0, 0)]

    def tokens(self) -> Iterator[Token]:
        continued = False
        pending = False
        for number, line in enumerate(self.source.lines, 1):
            code = line.rstrip(" \t")
            if not continued and not self.brackets:
                if not code.strip(" \t") or code.lstrip(" \t").startswith("#"):
                    continue
                if not self.expression:
                    yield from self.indentation(number, line)
            continued = code.endswith("\\") and "#" not in code
            for token in self.line_tokens(number, line[: len(code) - 1] if continued else line):
                pending = True
                yield token
            if pending and not continued and not self.brackets and not self.expression:
                yield Token("newline", "", number, len(code), len(code) + 1)
                pending = False
        yield from self.finish(pending)

    def finish(self, pending: bool) -> Iterator[Token]:
        last = max(1, len(self.source.lines))
        end = len(self.source.lines[last - 1]) if self.source.lines else 0
        if self.brackets:
            opened = self.brackets[0]
            raise self.error(opened, f"`{opened.text}` is never closed", "count the brackets from here on")
        if pending and not self.expression:
            yield Token("newline", "", last, end, end + 1)
        for _ in self.indents[1:]:
            yield Token("dedent", "", last, end, end + 1)
        yield Token("end", "", last, end, end + 1)

    def indentation(self, number: int, line: str) -> Iterator[Token]:
        """Indent and dedent tokens by Python's rule; a width that depends on the tab size is refused."""
        width = len(line) - len(line.lstrip(" \t"))
        columns, alternative = 0, 0
        for character in line[:width]:
            columns = (columns // 8 + 1) * 8 if character == "\t" else columns + 1
            alternative += 1
        token = Token("indent", "", number, 0, max(1, width))
        top, top_alternative = self.indents[-1]
        if (columns > top) != (alternative > top_alternative) or (columns < top) != (alternative < top_alternative):
            raise self.error(token, "indentation mixes tabs and spaces", "indent with four spaces everywhere")
        if columns > top:
            if len(self.indents) > MAX_INDENTS:
                raise self.error(token, f"more than {MAX_INDENTS} levels of indentation", "use `and` or a temporary instead")
            self.indents.append((columns, alternative))
            yield token
        while columns < self.indents[-1][0]:
            self.indents.pop()
            yield Token("dedent", "", number, width, width + 1)
        if columns != self.indents[-1][0]:
            outer = self.indents[-1][0]
            raise self.error(token, "this indentation matches no block above", f"the nearest block starts after {outer} spaces")
        if alternative != self.indents[-1][1]:
            raise self.error(token, "indentation mixes tabs and spaces", "indent with four spaces everywhere")

    def line_tokens(self, number: int, line: str) -> Iterator[Token]:
        position = 0
        while position < len(line):
            match = TOKEN.match(line, position)
            if match is None:
                raise self.unexpected(number, line, position)
            kind, text = match.lastgroup, match.group()
            token = Token("op", text, number, position, match.end())
            position = match.end()
            if kind == "number":
                yield self.number(token, line)
            elif kind == "string":
                yield self.string(token, line)
            elif kind == "name":
                yield self.name(token, line)
            elif kind == "op":
                yield self.operator(token)

    def operator(self, token: Token) -> Token:
        if token.text in FOREIGN_OPS:
            raise self.error(token, f"`{token.text}` is not part of the condition language", FOREIGN_OPS[token.text])
        if token.text in "([":
            if len(self.brackets) >= MAX_BRACKETS:
                raise self.error(token, f"more than {MAX_BRACKETS} brackets inside each other", "split it with temporaries")
            self.brackets.append(token)
        elif token.text in CLOSES:
            if not self.brackets:
                raise self.error(token, f"`{token.text}` closes no bracket", "delete it, or open one before")
            opened = self.brackets.pop()
            if opened.text != CLOSES[token.text]:
                raise self.error(token, f"`{token.text}` does not close the `{opened.text}` of line {self.line(opened)}")
        return token

    def number(self, token: Token, line: str) -> Token:
        following = re.match(r"[\w.]+", line[token.end :])
        digits = re.sub(r"[eE].*|[._]", "", token.text).lstrip("0")
        if following:
            raise self.number_suffix(token, following.group())
        if len(digits) > MAX_DIGITS:
            raise self.error(token, f"a number of {len(digits)} digits; at most {MAX_DIGITS} are read exactly")
        plain = token.text.replace("_", "")
        if plain.isdigit():
            if len(plain) > 1 and plain.startswith("0") and int(plain) > 0:
                raise self.error(token, "a whole number cannot start with 0", f"write {int(plain)}")
            return Token("number", token.text, token.line, token.start, token.end, int(plain))
        value = float(plain)
        if not math.isfinite(value):
            raise self.error(token, f"`{token.text}` is larger than any number here")
        return Token("number", token.text, token.line, token.start, token.end, value)

    def number_suffix(self, token: Token, suffix: str) -> ScriptError:
        whole = Token("number", token.text + suffix, token.line, token.start, token.end + len(suffix))
        if token.text.isdigit() and suffix[0] in KOREAN_UNITS and all(unit in KOREAN_UNITS for unit in suffix):
            value = int(token.text[:MAX_DIGITS])
            for unit in suffix:
                value *= KOREAN_UNITS[unit]
            hint = f"write {value}; 당일거래대금 and 초당거래대금 count million KRW, 시가총액 100 million"
            return self.error(whole, f"`{whole.text}` is not a number", hint)
        hint = "only decimal numbers are read" if suffix[0] in "xXoObBjJ" else "a name cannot start with a digit"
        return self.error(whole, f"`{whole.text[:MAX_IDENTIFIER]}` is not a number", hint)

    def string(self, token: Token, line: str) -> Token:
        if line.startswith(token.text[0] * 3, token.start):
            raise self.error(token, "triple-quoted text is not part of the condition language", "a comment starts with `#`")
        if len(token.text) > MAX_IDENTIFIER:
            raise self.error(token, f"a string of {len(token.text)} characters; at most {MAX_IDENTIFIER}")
        return Token("string", token.text, token.line, token.start, token.end, token.text[1:-1])

    def name(self, token: Token, line: str) -> Token:
        if line[token.end : token.end + 1] in ("'", '"'):
            raise self.error(
                token, f"a `{token.text}` before a string is not part of the condition language", "write only the string"
            )
        if len(token.text) > MAX_IDENTIFIER:
            raise self.error(token, f"a name of {len(token.text)} characters; at most {MAX_IDENTIFIER}")
        if not token.text.isidentifier():
            raise self.error(token, f"`{token.text}` is not a name", "names are letters, digits and `_`")
        return Token("name", token.text, token.line, token.start, token.end)

    def unexpected(self, number: int, line: str, position: int) -> ScriptError:
        character = line[position]
        token = Token("op", character, number, position, position + 1)
        if line.lstrip().startswith(("```", "~~~")):
            hint = "remove the Markdown around the script; only its lines belong here"
            return self.error(token, "a Markdown fence is not part of the condition language", hint)
        if character in "'\"":
            if "\\" in line[position:]:
                return self.error(token, "a backslash in a string is not part of the condition language")
            return self.error(token, "this string is not closed on its line", f"close it with {character}")
        if character == "\\":
            return self.error(token, "`\\` continues a line only as its last character", "put the expression in ( ) instead")
        return self.error(token, f"unexpected character `{character}`", CHARACTER_HINTS.get(character, ""))

    def line(self, token: Token) -> int:
        return self.source.span(token.line, token.start, token.end).line

    def error(self, token: Token, message: str, hint: str = "") -> ScriptError:
        return ScriptError.at(self.source, self.span(token), message, hint)

    def span(self, token: Token) -> Span:
        return self.source.span(token.line, token.start, token.end)
