"""Expressions of the condition language, by precedence climbing over the tokens. Nothing is handed to Python's own compiler.

Precedence is Python's: ternary, or, and, not, comparisons (chained), + -, * / // %, unary - +, **.
"""

from __future__ import annotations

from typing import Literal, NoReturn, cast

from stom_ray.conditions.diagnostics import ScriptError
from stom_ray.conditions.ir import Span
from stom_ray.conditions.syntax import (
    Attribute,
    BinaryOp,
    CallNode,
    Constant,
    Infix,
    Junction,
    Name,
    Node,
    Prefix,
    Relation,
    RelationOp,
    Sequence,
    Subscript,
    Ternary,
    depth_exceeds,
)
from stom_ray.conditions.text import Source
from stom_ray.conditions.tokens import Token, tokenize

MAX_NESTING = 90
MAX_DEPTH = 100

OR, AND, NOT, RELATION, SUM, PRODUCT = 1, 2, 3, 4, 5, 6
PRECEDENCE = {"or": OR, "and": AND, "+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "//": PRODUCT, "%": PRODUCT} | dict.fromkeys(
    ("<", "<=", ">", ">=", "==", "!=", "in", "not", "is"), RELATION
)
KEYWORDS = frozenset(("if", "elif", "else", "and", "or", "not", "in", "is", "pass", "True", "False"))
FOREIGN = frozenset(
    (
        "None",
        "for",
        "while",
        "def",
        "class",
        "import",
        "from",
        "try",
        "except",
        "finally",
        "with",
        "return",
        "lambda",
        "global",
        "nonlocal",
        "del",
        "raise",
        "assert",
        "yield",
        "async",
        "await",
        "break",
        "continue",
        "as",
        "match",
        "case",
        "exec",
        "eval",
        "print",
    )
)


FOREIGN_HINT = "scripts only set names and test conditions"


def parse_expression(source: Source) -> Node:
    """A text that is one expression. Raises ScriptError."""
    return ExpressionParser(source, tokenize(source, expression=True)).single_expression()


class ExpressionParser:
    """Reads expressions from a list of tokens; `Parser` adds the statements."""

    def __init__(self, source: Source, tokens: list[Token]) -> None:
        self.source = source
        self.tokens = tokens
        self.position = 0
        self.nesting = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.position]

    def advance(self) -> Token:
        token = self.tokens[self.position]
        if token.kind != "end":
            self.position += 1
        return token

    def at(self, *texts: str) -> bool:
        return self.token.kind in ("op", "name") and self.token.text in texts

    def span(self, first: Token, last: Token | None = None) -> Span:
        last = last or self.tokens[max(0, self.position - 1)]
        if last.line == first.line:
            return self.source.span(first.line, first.start, max(first.end, last.end))
        return self.source.span(first.line, first.start, len(self.source.lines[first.line - 1].rstrip()))

    def error(self, message: str, hint: str = "", token: Token | None = None) -> ScriptError:
        return ScriptError.at(self.source, self.span(token or self.token, token or self.token), message, hint)

    def describe(self, token: Token) -> str:
        named = {
            "newline": "the end of the line",
            "end": "the end of the text",
            "indent": "an indented line",
            "dedent": "a line further left",
        }
        return named.get(token.kind, f"`{token.text}`")

    def single_expression(self) -> Node:
        node = self.whole_expression()
        if self.token.kind != "end":
            self.expected_operator()
        return node

    def expected_operator(self) -> NoReturn:
        token = self.token
        if self.at("="):
            raise self.error("`=` sets a name; it cannot compare", "write `==`")
        if self.at(":"):
            raise self.error("`:` belongs after `if`, `elif` and `else` only", "did you forget the `if`?")
        if token.kind == "name" and token.text in FOREIGN:
            raise ScriptError.not_in_language(self.source, self.span(token, token), f"`{token.text}`")
        if token.kind in ("name", "number", "string"):
            raise self.error(f"an operator is missing before {self.describe(token)}", "join conditions with `and` or `or`")
        raise self.error(f"expected the end of the line, found {self.describe(token)}")

    def whole_expression(self) -> Node:
        node = self.expression()
        if depth_exceeds(node, MAX_DEPTH):
            raise ScriptError.at(
                self.source, node.at, f"an expression deeper than {MAX_DEPTH} levels", "split it with temporaries"
            )
        return node

    def expression(self) -> Node:
        first = self.token
        arms: list[tuple[Node, Node]] = []
        node = self.binary(OR)
        while self.at("if"):
            self.advance()
            test = self.binary(OR)
            if not self.at("else"):
                raise self.error("a value with `if` needs an `else`", "write `a if condition else b`")
            self.advance()
            arms.append((test, node))
            node = self.binary(OR)
        for test, then in reversed(arms):
            node = Ternary(test, then, node, self.span(first))
        return node

    def binary(self, level: int) -> Node:
        first = self.token
        left = self.prefix(level)
        length = 0
        while self.token.kind in ("op", "name"):
            op = self.token.text
            precedence = PRECEDENCE.get(op, 0)
            if precedence < level or precedence == 0:
                break
            if precedence == RELATION:
                left = self.relation(left, first)
            elif op in ("and", "or"):
                left = self.junction(cast(Literal["and", "or"], op), left, first)
            else:
                self.advance()
                left = Infix(cast(BinaryOp, op), left, self.binary(precedence + 1), self.span(first))
                length += 1
                if length > MAX_DEPTH:
                    raise self.error(f"a chain of more than {MAX_DEPTH} operators", "split it with temporaries")
        return left

    def junction(self, op: Literal["and", "or"], left: Node, first: Token) -> Node:
        operands = [left]
        while self.at(op):
            self.advance()
            operands.append(self.binary(PRECEDENCE[op] + 1))
        return Junction(op, tuple(operands), self.span(first))

    def relation(self, left: Node, first: Token) -> Node:
        rest: list[tuple[RelationOp, Node]] = []
        while self.token.kind in ("op", "name") and PRECEDENCE.get(self.token.text) == RELATION:
            rest.append((self.relation_op(), self.binary(SUM)))
        return Relation(left, tuple(rest), self.span(first))

    def relation_op(self) -> RelationOp:
        token = self.advance()
        if token.text == "is":
            raise self.error("`is` is not part of the condition language", "write `==` or `!=`", token)
        if token.text == "not":
            if not self.at("in"):
                raise self.error("expected `in` after `not`", "a negated comparison is `not (a > b)`", token)
            self.advance()
            return "not in"
        return cast(RelationOp, token.text)

    def prefix(self, level: int) -> Node:
        token = self.token
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self.error(f"an expression nested more than {MAX_NESTING} times", "split it with temporaries")
        if self.at("not"):
            if level > NOT:
                raise self.error("`not` cannot follow this operator", "put it in brackets: `(not ...)`")
            self.advance()
            node: Node = Prefix("not", self.binary(NOT), self.span(token))
        elif self.at("-", "+"):
            self.advance()
            op = cast(Literal["-", "+"], token.text)
            node = Prefix(op, self.prefix(PRODUCT + 1), self.span(token))
        else:
            node = self.postfix()
            if self.token.kind == "op" and self.token.text == "**":
                self.advance()
                node = Infix("**", node, self.prefix(PRODUCT + 1), self.span(token))
        self.nesting -= 1
        return node

    def postfix(self) -> Node:
        first = self.token
        node = self.atom()
        while self.token.kind == "op" and self.token.text in ("(", "[", "."):
            opened = self.advance()
            if opened.text == ".":
                name = self.advance()
                if name.kind != "name":
                    raise self.error(f"expected a name after `.`, found {self.describe(name)}", token=name)
                node = Attribute(node, name.text, self.span(first))
            elif opened.text == "(":
                arguments = self.items(")")
                node = CallNode(node, arguments, self.span(first))
            else:
                index = self.expression()
                self.close("]")
                node = Subscript(node, index, self.span(first))
        return node

    def items(self, closing: str) -> tuple[Node, ...]:
        """Comma-separated expressions up to and including the closing bracket."""
        found: list[Node] = []
        while not self.at(closing):
            found.append(self.expression())
            if self.at("="):
                raise self.error("arguments have no names", "write only the value; a comparison is `==`")
            if not self.at(","):
                break
            self.advance()
        self.close(closing)
        return tuple(found)

    def close(self, closing: str) -> None:
        if self.at(closing):
            self.advance()
            return
        if self.at("="):
            raise self.error("`=` sets a name; it cannot compare", "write `==`")
        if self.token.kind in ("name", "number", "string"):
            raise self.error(
                f"an operator or `,` is missing before {self.describe(self.token)}", f"or close the bracket with `{closing}`"
            )
        raise self.error(f"expected `{closing}`, found {self.describe(self.token)}")

    def atom(self) -> Node:
        token = self.advance()
        if token.kind in ("number", "string"):
            return Constant(token.value, self.span(token, token))
        if token.kind == "name":
            return self.named(token)
        if token.kind == "op" and token.text == "(":
            return self.bracketed(token)
        if token.kind == "op" and token.text == "[":
            return Sequence(self.items("]"), self.span(token))
        if token.kind == "op" and token.text == "=":
            raise self.error("`=` stands where a value is expected", "a comparison is `==`, `>=` or `<=`", token)
        raise self.error(f"expected a value, found {self.describe(token)}", token=token)

    def bracketed(self, opened: Token) -> Node:
        if self.at(")"):
            raise self.error("empty brackets", "put a condition between them", opened)
        node = self.expression()
        if not self.at(","):
            self.close(")")
            return node
        self.advance()
        rest = self.items(")")
        return Sequence((node, *rest), self.span(opened))

    def named(self, token: Token) -> Node:
        at = self.span(token, token)
        if token.text in ("True", "False"):
            return Constant(token.text == "True", at)
        if token.text in FOREIGN:
            raise ScriptError.not_in_language(self.source, at, f"`{token.text}`", FOREIGN_HINT)
        if token.text in KEYWORDS:
            raise self.error(f"expected a value, found `{token.text}`", token=token)
        return Name(token.text, at)
