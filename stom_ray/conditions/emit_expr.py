"""Expressions of the IR as text of the generated kernel, equal bit for bit to `conditions.interpreter`.

An expression becomes a `Value`: text without effects, after the lines that its effects needed. Effects are faults (the candidate
stops at this row) and counted divisions by zero; the lines keep Python's order of evaluation and its short-circuits.

Names of the generated code: `i` row, `u` the same unsigned, `n` 데이터길이, `lo` the session's first row, `first` the
instrument's, `b` and `ub` the buy row, `c` candidate, `cols` the column matrix, `p3` self.vars[3], `f3` whether it is a float,
`x4` a temporary; `w2` `m2` `q2` `l2` of window site 2: its column, the rows it needs, its fault, whether it is precomputed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from stom_ray.conditions import ir
from stom_ray.conditions.emit_sites import FaultSite, Lines, Sites
from stom_ray.conditions.emit_values import LARGEST_INT, Fact, Value, both, constant, either_way, tick, truth_value

LONGEST_SESSION = 86_400.0
PLAIN_STATES = {
    "데이터길이": Value("float(n)", True, True, limit=LONGEST_SESSION),
    "수익률": Value("pct", True, False, simple=True),
    "최고수익률": Value("best", True, False, simple=True),
    "최저수익률": Value("worst", True, False, simple=True),
    "보유시간": Value("held", True, False, simple=True),
    "매수틱번호": Value("float(b - first)", True, True, limit=LARGEST_INT),
    "보유수량": Value("quantity", True, True, limit=1e12, simple=True),
    "수익금": Value("gain", True, "np.isfinite(gain)", limit=LARGEST_INT, simple=True),
}


@dataclass
class Temporary:
    """What the emitter knows of a temporary at this point of the text. is_set None: depends on the row."""

    number: int
    is_set: bool | None = False
    plain: bool | None = True
    whole: bool | None = True
    limit: float = 0.0


class ExpressionEmitter:
    """Emits the expressions of one text: `buy`, `sell` or `elapsed:NAME`.

    tracked: (temporary's number, "s" | "p" | "w") of the facts that generated code has to keep in a variable; it only grows, and
    the text is emitted again until it does not.
    """

    def __init__(self, text: str, profile: str, layout: str, sites: Sites, out: Lines, tracked: set[tuple[int, str]]) -> None:
        self.text = text
        self.strict = profile == "stom"
        self.layout = layout
        self.sites = sites
        self.out = out
        self.tracked = tracked
        self.temporaries: dict[str, Temporary] = {}

    # Effects

    def stop(self, kind: str, detail: str, at: ir.Span) -> None:
        """Ends the candidate here."""
        self.out.add(f"fault = {self.sites.fault(FaultSite(self.text, kind, detail, at))}")
        self.out.add("break")

    def stop_if(self, test: Fact, kind: str, detail: str, at: ir.Span) -> None:
        if test is False:
            return
        with self.out.block(f"if {test}"):
            self.stop(kind, detail, at)

    def count_zero(self, at: ir.Span) -> None:
        self.out.add(f"zeros[c, {self.sites.zero_line(f'{self.text}:{at.line}')}] += 1")

    # Small tools

    def keep(self, value: Value, stem: str = "t") -> Value:
        """The value under a name of its own, as a float64."""
        if value.simple and not value.boolean:
            return value
        name = self.out.fresh(stem)
        self.out.add(f"{name} = {value.number}")
        return value.named(name)

    def keep_fact(self, fact: Fact, stem: str) -> Fact:
        if isinstance(fact, bool):
            return fact
        name = self.out.fresh(stem)
        self.out.add(f"{name} = {fact}")
        return name

    def column(self, key: str) -> str:
        return f"cols[{self.sites.column(key)}, u]"

    def bounded(self, value: Value, limit: float, signed_zero: bool = True) -> Value:
        """A result that is an int when `value.whole`: an int has no negative zero, and beyond 2**53 it is a float.

        limit: no |result| is above it. signed_zero: whether the float arithmetic could make a negative zero of whole operands.
        """
        if value.whole is False:
            return value
        if limit <= LARGEST_INT and not signed_zero:
            return replace(value, limit=limit)
        if value.whole is True and limit <= LARGEST_INT:
            return replace(value, text=f"({value.text} + 0.0)", limit=limit, simple=False)
        kept = self.keep(value)
        if value.whole is True:
            self.out.add(f"{kept.text} += 0.0")
        else:
            with self.out.block(f"if {value.whole}"):
                self.out.add(f"{kept.text} += 0.0")
        if limit <= LARGEST_INT:
            return replace(kept, limit=limit)
        return replace(kept, whole=both(value.whole, f"(abs({kept.text}) <= {LARGEST_INT!r})"), limit=math.inf)

    # Expressions

    def value(self, node: ir.Expr) -> Value:
        match node:
            case ir.Const(value=number) if not isinstance(number, str):
                return constant(number)
            case ir.Column(name=name):
                return tick(self.column(name), simple=True)
            case ir.Lag():
                return self.lag(node)
            case ir.State(name=name):
                return self.state(name)
            case ir.Temp():
                return self.temporary(node)
            case ir.Var():
                return self.variable(node)
            case ir.Window():
                return self.window(node)
            case ir.Elapsed(name=name):
                return self.elapsed(name)
            case ir.Unary():
                return self.unary(node)
            case ir.Binary():
                return self.binary(node)
            case ir.Compare():
                return self.compare(node)
            case ir.TextTest():
                return truth_value(f"y{self.sites.text(node)}")
            case ir.Logic():
                return self.logic(node)
            case ir.Choose():
                return self.choose(node)
            case ir.Call():
                return self.call(node)
            case ir.SecondsBetween(later=later, earlier=earlier):
                end, start = self.moment(later), self.moment(earlier)
                return Value(f"({end} - {start})", True, False)
        raise TypeError(f"{type(node).__name__} has no value")

    def lag(self, node: ir.Lag) -> Value:
        raise NotImplementedError

    def window(self, node: ir.Window) -> Value:
        raise NotImplementedError

    def call(self, node: ir.Call) -> Value:
        raise NotImplementedError

    def binary(self, node: ir.Binary) -> Value:
        raise NotImplementedError

    def state(self, name: str) -> Value:
        if name in PLAIN_STATES:
            return PLAIN_STATES[name]
        text = self.column(f"@{name}")
        if name == "시분초" or (name == "호가단위" and self.layout != "tick_v1"):
            return Value(text, True, True, limit=235_959.0, simple=True)
        return tick(text, simple=True)

    def temporary(self, node: ir.Temp) -> Value:
        known = self.temporaries[node.name]
        name = f"x{known.number}"
        if known.is_set is not True:
            self.stop_if("True" if known.is_set is False else f"not {self.track(known, 's')}", "unset", node.name, node.at)
        plain = self.track(known, "p") if known.plain is None else known.plain
        whole = self.track(known, "w") if known.whole is None else known.whole
        return Value(name, plain, whole, limit=known.limit, simple=True)

    def track(self, known: Temporary, fact: str) -> str:
        self.tracked.add((known.number, fact))
        return f"x{known.number}_{fact}"

    def variable(self, node: ir.Var) -> Value:
        self.sites.variables.add(node.index)
        if node.subscripted and self.strict:
            self.stop_if("True", "subscript", str(node.index), node.at)
        return Value(f"p{node.index}", True, f"(not f{node.index})", simple=True)

    def elapsed(self, name: str) -> Value:
        if name not in self.sites.elapsed:
            return constant(0)
        return Value(f"elapsed[{self.sites.elapsed[name]}, i - lo]", True, True, limit=LONGEST_SESSION, simple=True)

    def moment(self, node: ir.Expr) -> str:
        """Seconds since 1970, NaN where VI해제시간 holds no time."""
        assert isinstance(node, ir.Moment)
        seconds = self.column("@seconds" if node.base == "now" else "@release_seconds")
        if node.shift_s is None:
            return seconds
        return f"({seconds} + {self.value(node.shift_s).number})"

    def unary(self, node: ir.Unary) -> Value:
        operand = self.value(node.operand)
        if node.op == "not":
            return truth_value(f"(not {operand.truth})")
        if node.op == "+":
            return Value(operand.number, operand.plain, operand.whole, limit=operand.limit, simple=operand.simple)
        return self.bounded(Value(f"(-{operand.number})", operand.plain, operand.whole), operand.limit)

    # Truth and choice

    def operand(self, node: ir.Expr) -> Value:
        return Value(self.moment(node), True, False) if isinstance(node, ir.Moment) else self.value(node)

    def compare(self, node: ir.Compare) -> Value:
        left = self.operand(node.first)
        if len(node.rest) == 1:
            ((op, operand),) = node.rest
            right = self.operand(operand)
            return truth_value(f"({left.number} {op} {right.number})")
        return self.junction("and", self.links(left, node))

    def links(self, left: Value, node: ir.Compare) -> list[tuple[list[str], Value]]:
        """Each link of a chained comparison with the lines it needs."""
        found: list[tuple[list[str], Value]] = []
        last = len(node.rest) - 1
        for position, (op, operand) in enumerate(node.rest):
            with self.out.aside() as lines:
                right = self.operand(operand)
                if position < last:
                    right = self.keep(right)
                link = truth_value(f"({left.number} {op} {right.number})")
            found.append((lines, link))
            left = right
        return found

    def logic(self, node: ir.Logic) -> Value:
        parts: list[tuple[list[str], Value]] = []
        for operand in node.operands:
            with self.out.aside() as lines:
                value = self.value(operand)
            parts.append((lines, value))
        return self.junction(node.op, parts)

    def junction(self, op: str, parts: list[tuple[list[str], Value]]) -> Value:
        """`and`/`or` over values that are each ready after their lines: the deciding operand's value."""
        if all(value.boolean for _, value in parts) and not any(lines for lines, _ in parts[1:]):
            self.out.lines.extend(parts[0][0])
            return truth_value("(" + f" {op} ".join(value.text for _, value in parts) + ")")
        return self.junction_in_steps(op, parts)

    def junction_in_steps(self, op: str, parts: list[tuple[list[str], Value]]) -> Value:
        truths = all(value.boolean for _, value in parts)
        name = self.out.fresh("j")
        plains, wholes = [value.plain for _, value in parts], [value.whole for _, value in parts]
        plain = plains[0] if len(set(plains)) == 1 and isinstance(plains[0], bool) else f"{name}_p"
        whole = wholes[0] if len(set(wholes)) == 1 and isinstance(wholes[0], bool) else f"{name}_w"
        depth = self.out.depth
        for position, (lines, value) in enumerate(parts):
            if position:
                goes_on = name if truths else f"({name} != 0.0)"
                self.out.add(f"if {goes_on if op == 'and' else 'not ' + goes_on}:")
                self.out.depth += 1
            shift = "    " * (self.out.depth - depth)
            self.out.lines.extend(shift + line for line in lines)
            self.out.add(f"{name} = {value.text if truths else value.number}")
            if plain == f"{name}_p":
                self.out.add(f"{plain} = {value.plain}")
            if whole == f"{name}_w":
                self.out.add(f"{whole} = {value.whole}")
        self.out.depth = depth
        if truths:
            return truth_value(name)
        return Value(name, plain, whole, limit=max(value.limit for _, value in parts), simple=True)

    def choose(self, node: ir.Choose) -> Value:
        test = self.value(node.test).truth
        with self.out.aside() as yes_lines:
            yes = self.value(node.then)
        with self.out.aside() as no_lines:
            no = self.value(node.orelse)
        limit = max(yes.limit, no.limit)
        if not yes_lines and not no_lines:
            if yes.boolean and no.boolean:
                return truth_value(f"({yes.text} if {test} else {no.text})")
            plain, whole = either_way(test, yes.plain, no.plain), either_way(test, yes.whole, no.whole)
            return Value(f"({yes.number} if {test} else {no.number})", plain, whole, limit=limit)
        name = self.out.fresh("h")
        plain = yes.plain if yes.plain == no.plain and isinstance(yes.plain, bool) else f"{name}_p"
        whole = yes.whole if yes.whole == no.whole and isinstance(yes.whole, bool) else f"{name}_w"
        for header, lines, value in ((f"if {test}:", yes_lines, yes), ("else:", no_lines, no)):
            self.out.add(header)
            self.out.depth += 1
            self.out.lines.extend("    " + line for line in lines)
            self.out.add(f"{name} = {value.number}")
            if plain == f"{name}_p":
                self.out.add(f"{plain} = {value.plain}")
            if whole == f"{name}_w":
                self.out.add(f"{whole} = {value.whole}")
            self.out.depth -= 1
        return Value(name, plain, whole, limit=limit, simple=True)
