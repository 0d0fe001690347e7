"""From the syntax tree to the IR: names get their meaning, everything the language does not name is refused."""

from __future__ import annotations

from dataclasses import dataclass

from stom_ray.conditions import ir, labels, syntax
from stom_ray.conditions.diagnostics import ScriptError, Warnings, did_you_mean
from stom_ray.conditions.ir import Span
from stom_ray.conditions.lower_calls import CallLowering
from stom_ray.conditions.names import DECISIONS, MOMENT_NAME, NameTable
from stom_ray.conditions.text import Source

MAX_VARS = 1_000


@dataclass(frozen=True)
class Context:
    """What lowering needs to know besides the text. elapsed: names of the elapsed-tick expressions."""

    source: Source
    names: NameTable
    profile: str
    elapsed: frozenset[str]
    warnings: Warnings
    reasons: labels.SellReasons | None = None


class Lowering(CallLowering):
    """One text's translation. temporaries: every name the text sets anywhere; sales: lines that set 매도 for a reason."""

    def __init__(self, context: Context, statements: tuple[syntax.StmtNode, ...] = ()) -> None:
        self.context = context
        self.source = context.source
        self.names = context.names
        self.sales: set[int] = set()
        self.temporaries = frozenset(assigned(statements))
        self.set_plainly = frozenset(assigned(statements, plainly=True)) | frozenset(DECISIONS)
        self.readable = self.temporaries | (frozenset(DECISIONS) if context.names.side != "expr" else frozenset())

    def error(self, at: Span, message: str, hint: str = "") -> ScriptError:
        return ScriptError.at(self.source, at, message, hint)

    # Statements

    def suite(self, statements: tuple[syntax.StmtNode, ...], one_line: str | None = None) -> tuple[ir.Stmt, ...]:
        found: list[ir.Stmt] = []
        for statement in statements:
            found.extend(self.statement(statement, one_line))
        return tuple(found)

    def statement(self, statement: syntax.StmtNode, one_line: str | None) -> tuple[ir.Stmt, ...]:
        match statement:
            case syntax.Pass():
                return ()
            case syntax.Indicator():
                return self.indicator(statement)
            case syntax.Set():
                return self.set(statement, one_line)
            case syntax.Conditional():
                return self.conditional(statement)

    def indicator(self, statement: syntax.Indicator) -> tuple[ir.Stmt, ...]:
        if self.names.side != "buy":
            raise self.error(statement.at, "indicator periods are set in the buy text", "move the line there")
        self.number(statement.value)
        minute = self.names.layout.startswith("minute")
        why = "minute scripts are checked, not run" if minute else f"layout {self.names.layout} has no indicators"
        self.context.warnings.at(self.source, statement.at, f"this indicator period has no effect: {why}")
        return ()

    def set(self, statement: syntax.Set, one_line: str | None) -> tuple[ir.Stmt, ...]:
        refused = self.names.refuse_temporary(statement.name)
        if refused:
            raise self.error(statement.at, *refused)
        value = self.number(statement.value)
        if statement.op is not None:
            if statement.name not in self.set_plainly:
                hint = f"write `{statement.name} = 0` above"
                raise self.error(statement.at, f"`{statement.name}` is never set before it is changed", hint)
            value = ir.Binary(statement.op, self.name(syntax.Name(statement.name, statement.at)), value, statement.at)
        assign = ir.Assign(statement.name, value, statement.at)
        if statement.name != "매도" or self.context.reasons is None:
            return (assign,)
        return self.sale(assign, one_line)

    def sale(self, assign: ir.Assign, one_line: str | None) -> tuple[ir.Stmt, ...]:
        """A line that sets 매도 in sell text, with its reason."""
        reasons = self.context.reasons
        line = assign.at.line
        number = reasons.numbers.get(line) if reasons else None
        if number is None:
            labels.warn_unlabelled(self.source, line, assign.at, self.context.warnings)
            return (assign,)
        self.sales.add(line)
        label = ir.SetLabel(number, assign.at)
        if self.context.profile == "stom":
            effect = labels.stom_effect(self.source, line, one_line, assign.at, self.context.warnings)
            if effect == "label only":
                return (label,)
        return (label, assign)

    def conditional(self, statement: syntax.Conditional) -> tuple[ir.Stmt, ...]:
        arms: list[tuple[ir.Expr, tuple[ir.Stmt, ...], Span]] = []
        orelse: tuple[ir.Stmt, ...] = ()
        for branch in statement.branches:
            one_line = branch.word if branch.one_line else None
            if branch.test is None:
                orelse = self.suite(branch.body, one_line)
            else:
                arms.append((self.number(branch.test), self.suite(branch.body, one_line), branch.at))
        for test, then, at in reversed(arms):
            orelse = (ir.If(test, then, orelse, at),)
        return orelse

    # Expressions. `number` is every value a condition computes with; `expression` may also be a moment.

    def number(self, node: syntax.Node) -> ir.Expr:
        value = self.expression(node)
        if isinstance(value, ir.Moment):
            raise self.error(value.at, "a time is not a number", TIME_HINT)
        return value

    def expression(self, node: syntax.Node) -> ir.Expr:
        match node:
            case syntax.Constant(value=str()):
                raise self.error(node.at, "a string stands only beside 종목코드 or 종목명", "write `종목코드 == '005930'`")
            case syntax.Constant():
                return ir.Const(node.value, node.at)
            case syntax.Name():
                return self.name(node)
            case syntax.Subscript() | syntax.Attribute():
                return self.parameter(node)
            case syntax.CallNode():
                return self.call(node)
            case syntax.Sequence():
                raise self.error(
                    node.at, "a list stands only after `종목코드 in` or `종목명 in`", "write `a <= x <= b` for a range"
                )
            case syntax.Prefix():
                return self.prefix(node)
            case syntax.Infix():
                return ir.Binary(node.op, self.number(node.left), self.number(node.right), node.at)
            case syntax.Relation():
                return self.relation(node)
            case syntax.Junction():
                return ir.Logic(node.op, tuple(self.number(operand) for operand in node.operands), node.at)
            case syntax.Ternary():
                return ir.Choose(self.number(node.test), self.number(node.then), self.number(node.orelse), node.at)

    def prefix(self, node: syntax.Prefix) -> ir.Expr:
        operand = self.number(node.operand)
        if node.op == "-" and isinstance(operand, ir.Const) and not isinstance(operand.value, (bool, str)):
            return ir.Const(-operand.value, node.at)
        return ir.Unary(node.op, operand, node.at)

    def name(self, node: syntax.Name) -> ir.Expr:
        name, at = node.id, node.at
        if name in self.names.columns:
            return ir.Column(name, at)
        if name in self.names.states:
            return ir.State(name, at)
        if name == MOMENT_NAME:
            return ir.Moment("vi", None, at)
        if name in ir.TEXT_NAMES:
            raise self.error(at, f"`{name}` is text", f"compare it: `{name} == '...'`")
        if name in self.readable:
            return ir.Temp(name, at)
        if name == "self":
            raise self.error(at, "`self` alone has no value", "parameters are `self.vars[1]`")
        raise self.error(at, *self.names.explain_value(name, self.readable))

    def parameter(self, node: syntax.Subscript | syntax.Attribute) -> ir.Expr:
        """`self.vars[i]` and `self.vars[i][1]`; nothing else of self, and no other subscript."""
        match node:
            case syntax.Subscript(owner=syntax.Attribute(owner=syntax.Name(id="self"), name="vars"), index=index):
                return ir.Var(self.var_index(index), False, node.at)
            case syntax.Subscript(
                owner=syntax.Subscript(owner=syntax.Attribute(owner=syntax.Name(id="self"), name="vars"), index=index),
                index=syntax.Constant(value=1),
            ):
                return ir.Var(self.var_index(index), True, node.at)
            case syntax.Attribute(owner=syntax.Name(id="self"), name=name):
                hint = (
                    "write `self.vars[1]`" if name == "vars" else did_you_mean(name, ("vars",)) or "parameters are `self.vars[1]`"
                )
                raise self.error(node.at, f"`self.{name}` has no value here", hint)
            case syntax.Attribute(name="total_seconds"):
                raise self.error(node.at, "`total_seconds` is a function", "write `.total_seconds()`")
        raise ScriptError.not_in_language(self.source, node.at, "this access", "only `self.vars[1]` is read with `.` and `[ ]`")

    def var_index(self, index: syntax.Node) -> int:
        if not isinstance(index, syntax.Constant) or isinstance(index.value, bool) or not isinstance(index.value, int):
            raise self.error(index.at, "the number in `self.vars[...]` is a whole constant", "write `self.vars[1]`")
        if index.value >= MAX_VARS:
            raise self.error(index.at, f"`self.vars[{index.value}]`: at most {MAX_VARS} parameters")
        return index.value

    def relation(self, node: syntax.Relation) -> ir.Expr:
        text = self.text_test(node)
        if text is not None:
            return text
        first = self.expression(node.first)
        rest: list[tuple[ir.CompareOp, ir.Expr]] = []
        for op, operand in node.rest:
            if op == "in" or op == "not in":
                raise self.error(operand.at, f"`{op}` works only for 종목코드 and 종목명", "compare numbers with == and `or`")
            rest.append((op, self.expression(operand)))
        moments = [isinstance(operand, ir.Moment) for operand in (first, *(operand for _, operand in rest))]
        if any(moments) and not all(moments):
            raise self.error(node.at, "a time is compared with a number", TIME_HINT)
        return ir.Compare(first, tuple(rest), node.at)

    def text_test(self, node: syntax.Relation) -> ir.TextTest | None:
        """`종목코드 == '005930'`, either way round, and `종목코드 in ['005930', ...]`; None when no text is compared."""
        operands = (node.first, *(operand for _, operand in node.rest))
        named = [operand for operand in operands if isinstance(operand, syntax.Name) and operand.id in ir.TEXT_NAMES]
        if not named:
            return None
        name = named[0]
        if len(node.rest) != 1:
            raise self.error(node.at, f"a chain of comparisons with `{name.id}`", "join single comparisons with `and`")
        op, right = node.rest[0]
        other = right if node.first is name else node.first
        if op in ("==", "!=") and isinstance(other, syntax.Constant) and isinstance(other.value, str):
            return ir.TextTest(name.id, (other.value,), op == "!=", node.at)
        if op in ("in", "not in") and other is right and isinstance(other, syntax.Sequence):
            choices = tuple(
                item.value for item in other.items if isinstance(item, syntax.Constant) and isinstance(item.value, str)
            )
            if choices and len(choices) == len(other.items):
                return ir.TextTest(name.id, choices, op == "not in", node.at)
        raise self.error(
            node.at, f"`{name.id}` is compared with == or != to a string, or with `in` to a list of strings", TEXT_HINT
        )


def assigned(statements: tuple[syntax.StmtNode, ...], *, plainly: bool = False) -> set[str]:
    """Every name the statements set, on any path; plainly: by `=` only."""
    found: set[str] = set()
    for statement in statements:
        if isinstance(statement, syntax.Set) and not (plainly and statement.op):
            found.add(statement.name)
        elif isinstance(statement, syntax.Conditional):
            for branch in statement.branches:
                found |= assigned(branch.body, plainly=plainly)
    return found


TIME_HINT = (
    "write `(now() - VI해제시간).total_seconds()` for seconds, or compare two times; the time of day as a number is `시분초`"
)
TEXT_HINT = "write `종목코드 in ['005930', '000660']`"
