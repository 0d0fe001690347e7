"""Arithmetic of the generated kernel: what divides, rounds and overflows differently for tick and plain numbers."""

from __future__ import annotations

import math

from stom_ray.conditions import ir
from stom_ray.conditions.emit_expr import ExpressionEmitter
from stom_ray.conditions.emit_values import LARGEST_INT, Fact, Value, both, either_way, inverse, literal

LARGEST_DIGITS = 22


def number_of(node: ir.Expr) -> float | None:
    """The value of a literal."""
    return float(node.value) if isinstance(node, ir.Const) and not isinstance(node.value, str) else None


class ArithmeticEmitter(ExpressionEmitter):
    """Adds operators and the functions int, float, abs, round, min, max."""

    def binary(self, node: ir.Binary) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if node.op == "**":
            return self.power(node, left, right)
        if node.op in ("/", "//", "%"):
            return self.division(node, left, right)
        value = Value(f"({left.number} {node.op} {right.number})", both(left.plain, right.plain), both(left.whole, right.whole))
        if node.op == "*":
            limit = left.limit * right.limit
            return self.bounded(value, math.inf if math.isnan(limit) else limit)
        return self.bounded(value, left.limit + right.limit, signed_zero=False)

    # Division

    def division(self, node: ir.Binary, left: Value, right: Value) -> Value:
        plain, whole = both(left.plain, right.plain), False if node.op == "/" else both(left.whole, right.whole)
        limit = left.limit + 1.0 if node.op == "//" else right.limit
        if not number_of(node.right):
            if self.strict and plain is False:
                return Value(self.quotient(node.op, left, right), False, False)
            right = self.keep(right)
            if not self.strict:
                return self.bounded(self.counted_division(node, left, right, plain, whole), limit)
            self.stop_if(both(plain, f"{right.text} == 0.0"), "zero_division", "", node.at)
        return self.bounded(Value(self.quotient(node.op, left, right), plain, whole), limit)

    def quotient(self, op: str, left: Value, right: Value) -> str:
        if op == "/":
            return f"({left.number} / {right.number})"
        return f"rt.{'floor_divide' if op == '//' else 'remainder'}({left.number}, {right.number})"

    def counted_division(self, node: ir.Binary, left: Value, right: Value, plain: Fact, whole: Fact) -> Value:
        """The corrected profile's: a plain nan for a zero divisor, counted."""
        name = self.out.fresh("d")
        zero = f"({right.text} == 0.0)"
        with self.out.block(f"if {zero}"):
            self.count_zero(node.at)
            self.out.add(f"{name} = np.nan")
        with self.out.block("else"):
            self.out.add(f"{name} = {self.quotient(node.op, left, right)}")
        return Value(name, either_way(zero, True, plain), either_way(zero, False, whole), simple=True)

    # Powers

    def power(self, node: ir.Binary, left: Value, right: Value) -> Value:
        base, exponent = self.opaque(node.left, left), self.opaque(node.right, right)
        plain, whole = both(left.plain, right.plain), both(left.whole, right.whole)
        known = number_of(node.right)
        if whole is not False:
            whole = both(whole, True if known is not None and known >= 0.0 else f"({exponent} >= 0.0)")
        name = self.out.fresh("d")
        zero = f"({base} == 0.0 and {exponent} < 0.0)"
        needs_zero = known is None or known < 0.0
        if needs_zero and self.strict:
            self.stop_if(both(plain, zero), "zero_division", "", node.at)
        if known is None or known != math.floor(known):
            self.stop_if(both(plain, f"rt.is_complex_power({base}, {exponent})"), "complex_power", "", node.at)
        raised = f"rt.power({base}, {exponent})"
        if whole is True:
            raised = f"rt.int_power({base}, {exponent})"
        elif whole is not False:
            raised = f"(rt.int_power({base}, {exponent}) if {whole} else {raised})"
        if needs_zero and not self.strict:
            with self.out.block(f"if {zero}"):
                self.count_zero(node.at)
                self.out.add(f"{name} = np.nan")
            with self.out.block("else"):
                self.out.add(f"{name} = {raised}")
            plain, whole = either_way(zero, True, plain), both(whole, f"(not {zero})")
        else:
            self.out.add(f"{name} = {raised}")
        overflow = f"(np.isinf({name}) and np.isfinite({base}) and np.isfinite({exponent}))"
        self.stop_if(both(plain, overflow), "overflow", "", node.at)
        return self.bounded(Value(name, plain, whole, simple=True), math.inf)

    def opaque(self, node: ir.Expr, value: Value) -> str:
        """A name the compiler cannot see through: LLVM turns pow(x, 2.0) into x * x, which is not libm's last bit."""
        known = number_of(node)
        if known is None:
            return self.keep(value).text
        return f"constants[{self.sites.constant(known)}]"

    # Functions

    def call(self, node: ir.Call) -> Value:
        values = [self.value(argument) for argument in node.arguments]
        first = values[0]
        match node.function:
            case "float":
                return Value(first.number, True, False, simple=first.simple)
            case "abs":
                return Value(f"abs({first.number})", first.plain, first.whole, limit=first.limit)
            case "int":
                return self.to_int(node, first, "np.trunc")
            case "round" if len(values) == 1:
                return self.to_int(node, first, "np.rint")
            case "round":
                return self.round_to(node, first, values[1])
            case "min" | "max":
                return self.extreme(values, "<" if node.function == "min" else ">")

    def to_int(self, node: ir.Call, value: Value, cut: str) -> Value:
        if value.whole is True:
            return Value(value.number, True, True, limit=value.limit, simple=value.simple)
        kept = self.keep(value)
        self.stop_if(f"not np.isfinite({kept.text})", "no_integer", node.function, node.at)
        return self.bounded(Value(f"{cut}({kept.text})", True, True), math.inf)

    def round_to(self, node: ir.Call, value: Value, digits: Value) -> Value:
        known = number_of(node.arguments[1])
        legal = digits.whole is True and known is not None and abs(known) <= LARGEST_DIGITS
        kept = self.keep(value)
        if legal:
            assert known is not None
            places = str(int(known))
        else:
            digits = self.keep(digits)
            allowed = both(digits.whole, f"(-{LARGEST_DIGITS}.0 <= {digits.text} <= {LARGEST_DIGITS}.0)")
            self.stop_if(inverse(allowed), "digits", "", node.at)
            if allowed is False:
                return Value(kept.text, kept.plain, kept.whole, simple=True)
            places = f"int({digits.text})"
        decimal, scaled = f"rt.round_decimal({kept.text}, {places})", f"rt.round_tick({kept.text}, {places})"
        if kept.plain is True:
            text = decimal
        elif kept.plain is False:
            text = scaled
        else:
            text = f"({decimal} if {kept.plain} else {scaled})"
        limit = kept.limit if known is not None and known >= 0 else math.inf
        return self.bounded(Value(text, kept.plain, kept.whole), limit)

    def extreme(self, values: list[Value], sign: str) -> Value:
        """Python's min and max: the first of equals, and what a NaN does depends on where it stands."""
        kept = [self.keep(value) for value in values]
        name = self.out.fresh("h")
        facts = {}
        for letter, found in (("p", [value.plain for value in kept]), ("w", [value.whole for value in kept])):
            same = len(set(found)) == 1 and isinstance(found[0], bool)
            facts[letter] = (found[0] if same else f"{name}_{letter}", found, same)
        self.out.add(f"{name} = {kept[0].text}")
        self.note(facts, 0)
        for position, value in enumerate(kept[1:], 1):
            with self.out.block(f"if {value.text} {sign} {name}"):
                self.out.add(f"{name} = {value.text}")
                self.note(facts, position)
        plain, whole = facts["p"][0], facts["w"][0]
        return Value(name, plain, whole, limit=max(value.limit for value in kept), simple=True)

    def note(self, facts: dict[str, tuple[Fact, list[Fact], bool]], position: int) -> None:
        for variable, found, same in facts.values():
            if not same:
                self.out.add(f"{variable} = {found[position]}")


def legal_rows(value: Value, strict: bool) -> Fact:
    """Whether a kept value may count rows: an int, or in the corrected profile a whole float."""
    if strict or value.whole is True:
        return value.whole
    as_float = f"({value.text} == np.floor({value.text}) and abs({value.text}) <= {literal(LARGEST_INT)})"
    return as_float if value.whole is False else f"({value.whole} or {as_float})"
