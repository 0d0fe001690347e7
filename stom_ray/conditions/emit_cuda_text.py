"""The lines of an emitted text as CUDA C.

The emitters write the numba language. This module reads their lines as a syntax tree and prints C: one emitter, hence one
meaning, for both backends. Only what the emitters write is known here (names, literals, arithmetic, comparisons, choices, a
fixed set of calls and arrays); anything else is a TypeError. Evaluation order and NaN behaviour are those of the numba text:
`a < b < c` becomes two comparisons, `not x > y` stays a negation.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

# Kinds of a variable: a truth value, an integer, a number of the script.
TRUTH, WHOLE, NUMBER = "bool", "whole", "double"

# What the kernel around the text has declared.
SURROUNDING = {
    **dict.fromkeys(("i", "n", "lo", "first", "b", "c"), WHOLE),
    **dict.fromkeys(("pct", "best", "worst", "held", "gain", "quantity"), NUMBER),
}
NUMBERED = ((re.compile(r"[fly]\d+"), TRUTH), (re.compile(r"[mqw]\d+"), WHOLE), (re.compile(r"p\d+"), NUMBER))
SAME_ROW = {"u": "i", "ub": "b"}  # unsigned twins of the numba text
ASSIGNED_OUTSIDE = ("fault", "label")

# Calls: name -> (C function, kind of the result). Arguments are passed on as they are.
FUNCTIONS = {
    "float": ("(double)", NUMBER),
    "int": ("(whole)", WHOLE),
    "np.int64": ("(whole)", WHOLE),
    "np.uintp": ("(whole)", WHOLE),
    "abs": ("fabs", NUMBER),
    "np.trunc": ("trunc", NUMBER),
    "np.rint": ("rint", NUMBER),
    "np.floor": ("floor", NUMBER),
    "np.isfinite": ("is_finite", TRUTH),
    "rt.round_tick": ("round_tick", NUMBER),
    "rt.round_decimal": ("round_decimal", NUMBER),
    "rt.floor_divide": ("floor_divide", NUMBER),
    "rt.remainder": ("remainder_of", NUMBER),
    "rt.row_count": ("(whole)", WHOLE),
    "rt.find_length": ("find_length", WHOLE),
    **{f"slices.{name}": (name, NUMBER) for name in ("total", "mean3", "whole_mean", "highest", "lowest")},
}
CONSTANTS = {"np.nan": "QUIET_NAN", "np.inf": "POSITIVE_INFINITY"}
ARITHMETIC: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip

Typed = tuple[str, str]  # an expression of C, its kind


@dataclass
class TextTranslator:
    """One text. variables: name -> kind of everything that the text assigns and the kernel has to declare."""

    variables: dict[str, str] = field(default_factory=dict)

    def lines(self, source: Iterable[str], depth: int = 0) -> list[str]:
        """C for lines of the numba text, `break` and all."""
        return self.suite(ast.parse("\n".join(source)).body, depth)

    def truth(self, source: str) -> str:
        """C for one expression of the numba text that is a truth value."""
        tree = ast.parse(source, mode="eval")
        return self.of_kind(tree.body, TRUTH)

    # Statements

    def suite(self, statements: list[ast.stmt], depth: int) -> list[str]:
        return [line for statement in statements for line in self.statement(statement, depth)]

    def statement(self, node: ast.stmt, depth: int) -> list[str]:
        indent = "    " * depth
        match node:
            case ast.If(test=test, body=body, orelse=orelse):
                lines = [f"{indent}if ({self.of_kind(test, TRUTH)}) {{", *self.suite(body, depth + 1)]
                if orelse:
                    lines += [f"{indent}}} else {{", *self.suite(orelse, depth + 1)]
                return [*lines, f"{indent}}}"]
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                return [f"{indent}{name} = {self.assigned(name, value)};"]
            case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=value):
                return [f"{indent}{name} += {self.of_kind(value, self.variables[name])};"]
            case ast.AugAssign(target=ast.Subscript(value=ast.Name(id="zeros"), slice=ast.Tuple(elts=[_, line])), op=ast.Add()):
                return [f"{indent}COUNT_ZERO({self.of_kind(line, WHOLE)});"]
            case ast.Break():
                return [f"{indent}break;"]
            case ast.Pass():
                return []
        raise TypeError(f"no statement of an emitted text: {ast.unparse(node)}")

    def assigned(self, name: str, value: ast.expr) -> str:
        text, kind = self.expression(value)
        if name in ASSIGNED_OUTSIDE:
            return text
        known = self.variables.setdefault(name, kind)
        if known != kind:
            raise TypeError(f"{name} is a {known} and becomes a {kind}: {ast.unparse(value)}")
        return text

    # Expressions

    def of_kind(self, node: ast.expr, kind: str) -> str:
        text, found = self.expression(node)
        if found != kind:
            raise TypeError(f"a {found} where a {kind} belongs: {ast.unparse(node)}")
        return text

    def expression(self, node: ast.expr) -> Typed:
        match node:
            case ast.Constant(value=value):
                return literal(value)
            case ast.Name(id=name):
                return self.name(name)
            case ast.Attribute():
                return CONSTANTS[ast.unparse(node)], NUMBER
            case ast.Subscript():
                return self.element(node)
            case ast.Call():
                return self.call(node)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"(!{self.of_kind(operand, TRUTH)})", TRUTH
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                text, kind = self.expression(operand)
                return f"(-{text})", kind
            case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
                return self.arithmetic(left, type(op), right)
            case ast.BoolOp(op=op, values=values):
                sign = " && " if isinstance(op, ast.And) else " || "
                return "(" + sign.join(self.of_kind(value, TRUTH) for value in values) + ")", TRUTH
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                texts = [self.expression(operand)[0] for operand in (left, *comparators)]
                signs = [COMPARISONS[type(op)] for op in ops]
                links = [f"({a} {sign} {b})" for a, sign, b in zip(texts, signs, texts[1:], strict=False)]
                return (links[0] if len(links) == 1 else "(" + " && ".join(links) + ")"), TRUTH
            case ast.IfExp(test=test, body=body, orelse=orelse):
                yes, kind = self.expression(body)
                return f"({self.of_kind(test, TRUTH)} ? {yes} : {self.of_kind(orelse, kind)})", kind
        raise TypeError(f"no expression of an emitted text: {ast.unparse(node)}")

    def name(self, name: str) -> Typed:
        name = SAME_ROW.get(name, name)
        if name in SURROUNDING:
            return name, SURROUNDING[name]
        if name in self.variables:
            return name, self.variables[name]
        for pattern, kind in NUMBERED:
            if pattern.fullmatch(name):
                return name, kind
        raise TypeError(f"an emitted text reads {name}, which nothing has set")

    def arithmetic(self, left: ast.expr, op: type[ast.operator], right: ast.expr) -> Typed:
        text, kind = self.expression(left)
        other = self.of_kind(right, kind)
        if kind == TRUTH or (op is ast.Div and kind == WHOLE):
            raise TypeError(f"`{ARITHMETIC[op]}` of {kind}s: {text}, {other}")
        return f"({text} {ARITHMETIC[op]} {other})", kind

    def element(self, node: ast.Subscript) -> Typed:
        match node:
            case ast.Subscript(value=ast.Name(id="cols"), slice=ast.Tuple(elts=[column, row])):
                return f"COLUMN({self.of_kind(column, WHOLE)}, {self.of_kind(row, WHOLE)})", NUMBER
            case ast.Subscript(value=ast.Name(id="elapsed"), slice=ast.Tuple(elts=[number, _])):
                return f"ELAPSED({self.of_kind(number, WHOLE)})", NUMBER
            case ast.Subscript(value=ast.Name(id="loaded_columns"), slice=ast.Tuple(elts=[function, place])):
                return f"loaded_columns[{self.of_kind(function, WHOLE)} * n_lengths + {self.of_kind(place, WHOLE)}]", WHOLE
        raise TypeError(f"no array of an emitted text: {ast.unparse(node)}")

    def call(self, node: ast.Call) -> Typed:
        name = ast.unparse(node.func)
        if name not in FUNCTIONS:
            raise TypeError(f"`{name}` is no function of CUDA kernels")
        function, kind = FUNCTIONS[name]
        return f"{function}({', '.join(self.argument(argument) for argument in node.args)})", kind

    def argument(self, node: ast.expr) -> str:
        match node:
            case ast.Subscript(value=ast.Name(id="cols"), slice=ast.Constant() as number):
                return f"WHOLE_COLUMN({self.of_kind(number, WHOLE)})"
            case ast.Name(id="loaded_lengths"):
                return "loaded_lengths, n_lengths"
        return self.expression(node)[0]


def literal(value: object) -> Typed:
    if isinstance(value, bool):
        return ("true" if value else "false"), TRUTH
    if isinstance(value, int):
        return str(value), WHOLE
    if isinstance(value, float):
        return repr(value), NUMBER
    raise TypeError(f"no literal of an emitted text: {value!r}")
