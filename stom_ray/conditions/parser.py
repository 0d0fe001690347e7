"""Statements of the condition language: text in, syntax tree out."""

from __future__ import annotations

from typing import Literal, NoReturn, cast

from stom_ray.conditions.diagnostics import ScriptError
from stom_ray.conditions.expressions import FOREIGN, FOREIGN_HINT, KEYWORDS, ExpressionParser
from stom_ray.conditions.syntax import (
    Attribute,
    BinaryOp,
    Branch,
    CallNode,
    Conditional,
    Constant,
    Indicator,
    Name,
    Pass,
    Set,
    StmtNode,
    Subscript,
)
from stom_ray.conditions.text import Source
from stom_ray.conditions.tokens import Token, tokenize

MAX_BRANCHES = 200
AUGMENTED = {"+=": "+", "-=": "-", "*=": "*", "/=": "/"}
STATEMENT_HINT = "a line is `name = value`, `if condition:`, `elif condition:`, `else:` or `pass`"


def parse_script(source: Source) -> tuple[StmtNode, ...]:
    """Statements of a text without its trailer. Raises ScriptError."""
    return Parser(source, tokenize(source)).script()


class Parser(ExpressionParser):
    """Recursive descent over the statements of one text."""

    def __init__(self, source: Source, tokens: list[Token]) -> None:
        super().__init__(source, tokens)
        self.branches = 0

    def script(self) -> tuple[StmtNode, ...]:
        statements: list[StmtNode] = []
        while self.token.kind != "end":
            statements.append(self.statement())
        return tuple(statements)

    def statement(self) -> StmtNode:
        token = self.token
        if token.kind == "indent":
            raise self.error(
                "this line is indented, but no block starts above it", "move it left, or put `:` after the line above"
            )
        if self.at("if"):
            return self.conditional()
        if self.at("elif", "else"):
            self.dangling()
        return self.simple_statement()

    def dangling(self) -> NoReturn:
        word = self.token.text
        hint = (
            "write `if`, or indent the statement above into its block"
            if word == "elif"
            else "it must follow the block of an `if`"
        )
        raise self.error(f"`{word}` has no `if`: a statement at its indentation ended the chain above", hint)

    def simple_statement(self) -> StmtNode:
        token = self.token
        if self.at("pass"):
            self.advance()
            self.end_of_statement()
            return Pass(self.span(token, token))
        if token.kind == "name" and token.text == "self":
            return self.indicator()
        if token.kind != "name" or token.text in KEYWORDS or token.text in FOREIGN:
            self.no_statement()
        following = self.tokens[self.position + 1]
        if following.kind != "op" or following.text not in ("=", *AUGMENTED):
            self.no_assignment(following)
        self.position += 2
        value = self.whole_expression()
        if self.at("="):
            raise self.error("one name a line can be set", "a comparison is `==`")
        self.end_of_statement()
        op = cast(BinaryOp | None, AUGMENTED.get(following.text))
        return Set(token.text, op, value, self.span(token, token))

    def no_statement(self) -> NoReturn:
        token = self.token
        if token.kind == "name" and token.text in FOREIGN:
            raise ScriptError.not_in_language(self.source, self.span(token, token), f"`{token.text}`", FOREIGN_HINT)
        if token.text in ("-", "*") and token.kind == "op":
            raise self.error(f"a line cannot start with `{token.text}`", "remove the Markdown around the script")
        raise self.error(f"expected a statement, found {self.describe(token)}", STATEMENT_HINT)

    def no_assignment(self, following: Token) -> NoReturn:
        token = self.token
        if following.kind == "op" and following.text == "==":
            raise self.error("`==` compares; nothing is set here", f"write `{token.text} = ...`", following)
        if following.kind == "op" and following.text in ("//=", "%=", "**="):
            raise self.error(
                f"`{following.text}` is not part of the condition language", f"write `{token.text} = {token.text} ...`", following
            )
        if following.kind == "op" and following.text in (",", ":"):
            raise self.error("one name a line can be set", "write one `name = value` a line", following)
        raise self.error(f"`{token.text}` alone does nothing", STATEMENT_HINT)

    def indicator(self) -> StmtNode:
        """`self.indicator['KEY'] = expr`; any other use of self as a statement is refused."""
        first = self.token
        target = self.postfix()
        match target:
            case CallNode(function=Attribute(owner=Name(id="self"), name="Buy" | "Sell" as order)):
                decision = "매수" if order == "Buy" else "매도"
                hint = f"end the text with `if {decision}:` and `    self.{order}()`"
                raise ScriptError.at(self.source, target.at, "an order stands only in the last lines of a text", hint)
            case Subscript(owner=Attribute(owner=Name(id="self"), name="indicator"), index=Constant(value=str() as key)):
                if not self.at("="):
                    raise self.error(f"expected `=`, found {self.describe(self.token)}")
                self.advance()
                value = self.whole_expression()
                self.end_of_statement()
                return Indicator(key, value, self.span(first))
        raise ScriptError.not_in_language(
            self.source, target.at, "setting this", "parameters are read as `self.vars[1]`, never set"
        )

    def end_of_statement(self) -> None:
        if self.token.kind == "newline":
            self.advance()
        elif self.token.kind != "end":
            self.expected_operator()

    def conditional(self) -> Conditional:
        first = self.token
        branches = [self.branch("if")]
        while self.at("elif", "else"):
            word = cast(Literal["elif", "else"], self.token.text)
            branches.append(self.branch(word))
            if word == "else":
                break
        self.branches -= len(branches)
        return Conditional(tuple(branches), self.span(first, first))

    def branch(self, word: Literal["if", "elif", "else"]) -> Branch:
        header = self.advance()
        self.branches += 1
        if self.branches > MAX_BRANCHES:
            raise self.error(f"more than {MAX_BRANCHES} branches inside each other", "join them with `or`", header)
        test = None if word == "else" else self.whole_expression()
        at = self.span(header)
        if not self.at(":"):
            self.no_colon(word)
        self.advance()
        if self.token.kind != "newline":
            if self.at("if"):
                raise self.error("an `if` cannot stand on the line of another", "put it on the next line, indented")
            return Branch(word, test, (self.simple_statement(),), True, at)
        self.advance()
        return Branch(word, test, self.block(word), False, at)

    def no_colon(self, word: str) -> NoReturn:
        token = self.token
        if self.at("="):
            raise self.error("`=` sets a name; it cannot compare", "write `==`")
        if token.kind in ("newline", "end"):
            raise self.error(f"`:` is missing at the end of the `{word}`", "add `:`")
        if word == "else" and token.kind == "name":
            raise self.error("`else` takes no condition", "write `elif`")
        self.expected_operator()

    def block(self, word: str) -> tuple[StmtNode, ...]:
        if self.token.kind != "indent":
            raise self.error(
                f"expected an indented block after the `{word}`, found {self.describe(self.token)}",
                "indent its lines by four spaces",
            )
        self.advance()
        statements = [self.statement()]
        while self.token.kind not in ("dedent", "end"):
            statements.append(self.statement())
        if self.token.kind == "dedent":
            self.advance()
        return tuple(statements)
