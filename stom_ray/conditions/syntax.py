"""The syntax tree: what was written, before names mean anything. Closed grammar of frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stom_ray.conditions.ir import CompareOp, Span

BinaryOp = Literal["+", "-", "*", "/", "//", "%", "**"]
RelationOp = CompareOp | Literal["in", "not in"]


@dataclass(frozen=True, slots=True)
class Constant:
    """Number, True, False or string."""

    value: bool | int | float | str
    at: Span


@dataclass(frozen=True, slots=True)
class Name:
    id: str
    at: Span


@dataclass(frozen=True, slots=True)
class Attribute:
    owner: Node
    name: str
    at: Span


@dataclass(frozen=True, slots=True)
class Subscript:
    owner: Node
    index: Node
    at: Span


@dataclass(frozen=True, slots=True)
class CallNode:
    function: Node
    arguments: tuple[Node, ...]
    at: Span


@dataclass(frozen=True, slots=True)
class Sequence:
    """`[a, b]` or `(a, b)`."""

    items: tuple[Node, ...]
    at: Span


@dataclass(frozen=True, slots=True)
class Prefix:
    op: Literal["-", "+", "not"]
    operand: Node
    at: Span


@dataclass(frozen=True, slots=True)
class Infix:
    op: BinaryOp
    left: Node
    right: Node
    at: Span


@dataclass(frozen=True, slots=True)
class Relation:
    """Chained comparison: first op operand op operand ..."""

    first: Node
    rest: tuple[tuple[RelationOp, Node], ...]
    at: Span


@dataclass(frozen=True, slots=True)
class Junction:
    op: Literal["and", "or"]
    operands: tuple[Node, ...]
    at: Span


@dataclass(frozen=True, slots=True)
class Ternary:
    test: Node
    then: Node
    orelse: Node
    at: Span


Node = Constant | Name | Attribute | Subscript | CallNode | Sequence | Prefix | Infix | Relation | Junction | Ternary


@dataclass(frozen=True, slots=True)
class Set:
    """`name = value`, or `name op= value` with op set. `at` is the name."""

    name: str
    op: BinaryOp | None
    value: Node
    at: Span


@dataclass(frozen=True, slots=True)
class Indicator:
    """`self.indicator['KEY'] = value`."""

    key: str
    value: Node
    at: Span


@dataclass(frozen=True, slots=True)
class Pass:
    at: Span


@dataclass(frozen=True, slots=True)
class Branch:
    """One arm of an if statement; test is None for `else`. one_line: its suite stands on the header's line."""

    word: Literal["if", "elif", "else"]
    test: Node | None
    body: tuple[StmtNode, ...]
    one_line: bool
    at: Span


@dataclass(frozen=True, slots=True)
class Conditional:
    branches: tuple[Branch, ...]
    at: Span


StmtNode = Set | Indicator | Pass | Conditional


def children(node: Node) -> tuple[Node, ...]:
    """The direct operands of a node."""
    match node:
        case Constant() | Name():
            return ()
        case Attribute():
            return (node.owner,)
        case Subscript():
            return (node.owner, node.index)
        case CallNode():
            return (node.function, *node.arguments)
        case Sequence():
            return node.items
        case Prefix():
            return (node.operand,)
        case Infix():
            return (node.left, node.right)
        case Relation():
            return (node.first, *(operand for _, operand in node.rest))
        case Junction():
            return node.operands
        case Ternary():
            return (node.test, node.then, node.orelse)


def depth_exceeds(node: Node, limit: int) -> bool:
    """Whether the tree is deeper than `limit`; does not recurse."""
    level: list[Node] = [node]
    for _ in range(limit):
        level = [child for parent in level for child in children(parent)]
        if not level:
            return False
    return True
