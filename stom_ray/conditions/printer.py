"""The IR as text: deterministic, readable, and (labels apart) the condition language itself, so that it parses back.

Positions are not printed: two texts with the same meaning print alike, whatever their comments and spacing.
"""

from __future__ import annotations

import hashlib

from stom_ray.conditions import ir
from stom_ray.conditions.names import INDICATORS

CHOOSE, OR, AND, NOT, RELATION, SUM, PRODUCT, SIGN, POWER, ATOM = range(10)
BINARY = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "//": PRODUCT, "%": PRODUCT}


def strategy_hash(strategy: ir.Strategy) -> str:
    """SHA-256 of the printed strategy, hex: the identity of its meaning."""
    return hashlib.sha256(print_strategy(strategy).encode()).hexdigest()


def print_strategy(strategy: ir.Strategy) -> str:
    """The whole strategy: profile, parameters, programs, sell reasons."""
    lines = [f"profile {strategy.profile}", f"parameters {strategy.n_vars}"]
    for name, program in strategy.elapsed:
        lines += [f"elapsed {quoted(name)}", *print_body(program.body, 1)]
    lines += ["buy", *print_body(strategy.buy.body, 1), "sell", *print_body(strategy.sell.body, 1)]
    lines += [f"reason {number} {label!r}" for number, label in enumerate(strategy.labels)]
    return "\n".join(lines) + "\n"


def print_program(program: ir.Program) -> str:
    """One program's statements, a line each."""
    return "".join(f"{line}\n" for line in print_body(program.body, 0))


def print_body(body: tuple[ir.Stmt, ...], level: int) -> list[str]:
    if not body:
        return ["    " * level + "pass"]
    return [line for statement in body for line in print_statement(statement, level)]


def print_statement(statement: ir.Stmt, level: int) -> list[str]:
    indent = "    " * level
    match statement:
        case ir.Assign():
            return [f"{indent}{statement.name} = {print_expr(statement.value)}"]
        case ir.SetLabel():
            return [f"{indent}# reason {statement.number}"]
        case ir.If():
            return print_chain(statement, level)


def print_chain(statement: ir.If, level: int) -> list[str]:
    """if/elif/else; an `else` that holds only an `if` is an elif."""
    indent = "    " * level
    lines = [f"{indent}if {print_expr(statement.test)}:", *print_body(statement.then, level + 1)]
    orelse = statement.orelse
    while len(orelse) == 1 and isinstance(orelse[0], ir.If):
        arm = orelse[0]
        lines += [f"{indent}elif {print_expr(arm.test)}:", *print_body(arm.then, level + 1)]
        orelse = arm.orelse
    if orelse:
        lines += [f"{indent}else:", *print_body(orelse, level + 1)]
    return lines


def print_expr(node: ir.Expr, least: int = CHOOSE) -> str:
    """The expression; in brackets when it binds weaker than `least`."""
    text, level = render(node)
    return f"({text})" if level < least else text


def render(node: ir.Expr) -> tuple[str, int]:
    """Text and how tightly its outermost operator binds."""
    match node:
        case ir.Const():
            return render_const(node)
        case ir.Unary(op="not"):
            return f"not {print_expr(node.operand, NOT)}", NOT
        case ir.Unary():
            return f"{node.op}{print_expr(node.operand, SIGN)}", SIGN
        case ir.Binary(op="**"):
            return f"{print_expr(node.left, ATOM)} ** {print_expr(node.right, SIGN)}", POWER
        case ir.Binary():
            level = BINARY[node.op]
            return f"{print_expr(node.left, level)} {node.op} {print_expr(node.right, level + 1)}", level
        case ir.Compare():
            rest = "".join(f" {op} {print_expr(operand, SUM)}" for op, operand in node.rest)
            return print_expr(node.first, SUM) + rest, RELATION
        case ir.TextTest():
            return render_text_test(node), RELATION
        case ir.Logic():
            level = OR if node.op == "or" else AND
            return f" {node.op} ".join(print_expr(operand, level + 1) for operand in node.operands), level
        case ir.Choose():
            then, test = print_expr(node.then, OR), print_expr(node.test, OR)
            return f"{then} if {test} else {print_expr(node.orelse, CHOOSE)}", CHOOSE
        case _:
            return render_atom(node), ATOM


def render_const(node: ir.Const) -> tuple[str, int]:
    if isinstance(node.value, str):
        return quoted(node.value), ATOM
    return repr(node.value), SIGN if repr(node.value).startswith("-") else ATOM


def render_text_test(node: ir.TextTest) -> str:
    if len(node.choices) == 1:
        return f"{node.name} {'!=' if node.negated else '=='} {quoted(node.choices[0])}"
    listed = ", ".join(quoted(choice) for choice in node.choices)
    return f"{node.name} {'not in' if node.negated else 'in'} [{listed}]"


def render_atom(node: ir.Expr) -> str:
    match node:
        case ir.Column() | ir.State() | ir.Temp():
            return node.name
        case ir.Lag():
            return f"{node.name}{'_N' if node.name in INDICATORS else 'N'}({print_expr(node.pre)})"
        case ir.Var():
            return f"self.vars[{node.index}]{'[1]' if node.subscripted else ''}"
        case ir.Window():
            pre = "" if node.pre == ir.Const(0) else f", {print_expr(node.pre)}"
            return f"{node.function}({print_expr(node.length)}{pre})"
        case ir.Elapsed():
            return f"경과틱수({quoted(node.name)})"
        case ir.Call():
            return f"{node.function}({', '.join(print_expr(argument) for argument in node.arguments)})"
        case ir.Moment():
            return render_moment(node)
        case ir.SecondsBetween():
            return f"({render_moment(node.later)} - {render_moment(node.earlier)}).total_seconds()"
    raise TypeError(f"no text for {type(node).__name__}")


def render_moment(node: ir.Moment) -> str:
    base = "now()" if node.base == "now" else "VI해제시간"
    if node.shift_s is None:
        return base
    shift = print_expr(node.shift_s)
    return f"timedelta_sec({shift})" if node.base == "now" else f"timedelta_sec({shift}, {base})"


def quoted(text: str) -> str:
    mark = '"' if "'" in text else "'"
    return f"{mark}{text}{mark}"
