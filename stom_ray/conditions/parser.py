"""Recursive descent over the tokens: text in, syntax tree out. Nothing is handed to Python's own compiler.

Precedence is Python's: ternary, or, and, not, comparisons (chained), + -, * / // %, unary - +, **.
"""

from __future__ import annotations

from typing import Literal, NoReturn, cast

from stom_ray.conditions.diagnostics import ScriptError
from stom_ray.conditions.ir import Span
from stom_ray.conditions.syntax import (
    Attribute,
    BinaryOp,
    Branch,
    CallNode,
    Conditional,
    Constant,
    Indicator,
    Infix,
    Junction,
    Name,
    Node,
    Pass,
    Prefix,
    Relation,
    RelationOp,
    Sequence,
    Set,
    StmtNode,
    Subscript,
    Ternary,
    depth_exceeds,
)
from stom_ray.conditions.text import Source
from stom_ray.conditions.tokens import Token, tokenize

MAX_NESTING = 90
MAX_DEPTH = 100
MAX_BRANCHES = 200

OR, AND, NOT, RELATION, SUM, PRODUCT = 1, 2, 3, 4, 5, 6
PRECEDENCE = {"or": OR, "and": AND, "+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "//": PRODUCT, "%": PRODUCT} | dict.fromkeys(
    ("<", "<=", ">", ">=", "==", "!=", "in", "not", "is"), RELATION
)
AUGMENTED = {"+=": "+", "-=": "-", "*=": "*", "/=": "/"}
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


def parse_script(source: Source) -> tuple[StmtNode, ...]:
    """Statements of a text without its trailer. Raises ScriptError."""
    return Parser(source, tokenize(source)).script()


def parse_expression(source: Source) -> Node:
    """A text that is one expression. Raises ScriptError."""
    return Parser(source, tokenize(source, expression=True)).single_expression()


class Parser:
    def __init__(self, source: Source, tokens: list[Token]) -> None:
        self.source = source
        self.tokens = tokens
        self.position = 0
        self.nesting = 0
        self.branches = 0

    # Tokens

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

    # Statements

    def script(self) -> tuple[StmtNode, ...]:
        statements: list[StmtNode] = []
        while self.token.kind != "end":
            statements.append(self.statement())
        return tuple(statements)

    def single_expression(self) -> Node:
        node = self.whole_expression()
        if self.token.kind != "end":
            self.expected_operator()
        return node

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

    # Expressions

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


STATEMENT_HINT = "a line is `name = value`, `if condition:`, `elif condition:`, `else:` or `pass`"
FOREIGN_HINT = "scripts only set names and test conditions"
