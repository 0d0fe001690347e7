"""Look-backs and windows of the generated kernel (spec/engine.md §4).

A window whose length is the same on every row (a literal, self.vars[i], int(self.vars[i])) is a site: the binding step gives each
candidate its column, so that reading it is one load. Other lengths are computed on the spot.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from stom_ray.conditions import ir
from stom_ray.conditions.emit_arithmetic import ArithmeticEmitter, legal_rows, number_of
from stom_ray.conditions.emit_sites import WindowSite
from stom_ray.conditions.emit_values import LARGEST_INT, Fact, Value, both, inverse
from stom_ray.schema.windows import MOVING_AVERAGE_LENGTHS, RAW_WINDOW, WINDOW_SOURCE

TRADED_VALUE = "초당거래대금평균"  # the one window that is a Python int
FLOAT_WINDOW, EMPTY_WINDOW = 1, 2  # codes in the table of window faults


@dataclass(frozen=True)
class Rows:
    """Where a look-back points. has: whether there is history; at: text of the row, unsigned; at_buy: whether it is the buy row;
    near: whether it is that or the row itself."""

    has: Fact
    at: str
    at_buy: Fact
    near: Fact


class WindowEmitter(ArithmeticEmitter):
    """Adds look-backs and windows."""

    def lag(self, node: ir.Lag) -> Value:
        rows = self.look_back(f"{node.name}N", node.pre, self.value(node.pre), "1", node.at)
        text = f"cols[{self.sites.column(node.name)}, {rows.at}]"
        if rows.has is True:
            return Value(text, False, False, simple=True)
        missing = inverse(rows.has)
        return Value(f"({text} if {rows.has} else 0.0)", missing, missing, limit=0.0)

    def look_back(self, name: str, node: ir.Expr, value: Value, needed: str, at: ir.Span) -> Rows:
        """needed: text of the rows that must exist from the row looked at backwards: 1, or a raw window's length."""
        known = number_of(node)
        lowest = -1 if self.text == "sell" else 0
        if value.whole is True and known is not None and known >= lowest:
            back = int(known)
            if back == -1:
                return Rows(True if needed == "1" else f"({needed} - 1 <= n)", "ub", True, True)
            if back == 0 and needed == "1":
                return Rows(True, "u", False, True)
            row = f"np.uintp(i - {back})" if back else "u"
            return Rows(f"(n > {back})" if needed == "1" else f"({needed} + {back} <= n)", row, False, back == 0)
        kept = self.keep(value)
        self.stop_if(inverse(legal_rows(kept, self.strict)), "float_lookback", name, at)
        self.stop_if(f"{kept.text} < {lowest}.0", "future", name, at)
        back_name = self.out.fresh("k")
        self.out.add(f"{back_name} = rt.row_count({kept.text})")
        row = f"np.uintp(i - {back_name})"
        has, near = f"({needed} + {back_name} <= n)", f"({back_name} < 1)"
        if self.text != "sell":
            return Rows(has, row, False, near)
        return Rows(has, f"(ub if {back_name} == -1 else {row})", f"({back_name} == -1)", near)

    def window(self, node: ir.Window) -> Value:
        length = self.value(node.length)
        pre = self.value(node.pre)
        fixed = fixed_length(node.length)
        if fixed is None:
            return self.varying_window(node, length, pre)
        number = self.sites.window(WindowSite(node.function, fixed))
        constant = number_of(node.length)
        if constant is None or not length.whole or constant < 1:
            with self.out.block(f"if q{number} != 0"):
                self.stop_if(f"q{number} == {FLOAT_WINDOW}", "float_window", node.function, node.at)
                self.stop("empty_window", node.function, node.at)
        rows = self.look_back(node.function, node.pre, pre, f"m{number}", node.at)
        self.stop_before_data(node, rows, f"m{number}")
        value = f"cols[w{number}, {rows.at}]"
        if node.function == TRADED_VALUE:
            return self.traded_value(node, rows, value, f"(l{number})")
        missing = inverse(rows.has)
        return Value(f"({value} if {rows.has} else 0.0)", missing, missing, limit=0.0)

    def stop_before_data(self, node: ir.Window, rows: Rows, needed: str) -> None:
        """At the buy row a raw window may reach into the day before, but not before the instrument's first row."""
        self.stop_if(both(both(rows.at_buy, rows.has), f"b + 1 - {needed} < first"), "before_data", node.function, node.at)

    def traded_value(self, node: ir.Window, rows: Rows, text: str, loaded: str) -> Value:
        """An int; a precomputed nan stays on the row itself and at the buy row, and stops elsewhere."""
        name = self.out.fresh("v")
        self.out.add(f"{name} = 0.0")
        with self.out.block(f"if {rows.has}"):
            self.out.add(f"{name} = {text}")
            with self.out.block(f"if np.isfinite({name})"):
                self.out.add(f"{name} = np.trunc({name}) + 0.0")
            with self.out.block("else"):
                with self.out.block(f"if not {loaded}"):
                    self.stop("no_integer", node.function, node.at)
                self.stop_if(inverse(rows.near), "unfilled", node.function, node.at)
        return Value(name, f"np.isfinite({name})", f"(abs({name}) <= {LARGEST_INT!r})", simple=True)

    def varying_window(self, node: ir.Window, length: Value, pre: Value) -> Value:
        """A length that may change from row to row."""
        length = self.keep(length)
        self.stop_if(inverse(legal_rows(length, self.strict)), "float_window", node.function, node.at)
        self.stop_if(f"{length.text} < 1.0", "empty_window", node.function, node.at)
        rows_name, table, needed = self.out.fresh("k"), self.out.fresh("k"), self.out.fresh("k")
        function = self.sites.varying(node.function)
        self.out.add(f"{rows_name} = rt.row_count({length.text})")
        self.out.add(f"{table} = rt.find_length(loaded_lengths, {function}, {rows_name})")
        self.out.add(f"{needed} = 1 if {table} >= 0 else {rows_name}")
        rows = self.look_back(node.function, node.pre, pre, needed, node.at)
        self.stop_before_data(node, rows, needed)
        source = self.sites.column(WINDOW_SOURCE[node.function])
        raw = f"slices.{RAW_WINDOW[node.function]}(cols[{source}], np.int64({rows.at}), {rows_name})"
        value = f"(cols[loaded_columns[{function}, {table}], {rows.at}] if {table} >= 0 else {raw})"
        if node.function == TRADED_VALUE:
            return self.traded_value(node, rows, value, f"({table} >= 0)")
        kept = self.out.fresh("v")
        self.out.add(f"{kept} = 0.0")
        with self.out.block(f"if {rows.has}"):
            self.out.add(f"{kept} = {value}")
        missing = inverse(rows.has)
        return Value(kept, missing, missing, limit=0.0, simple=True)


def fixed_length(node: ir.Expr) -> ir.Expr | None:
    """The length without its place in the text, when it is the same on every row of a candidate."""
    match node:
        case ir.Const() | ir.Var():
            return replace(node, at=ir.NOWHERE)
        case ir.Call(function="int", arguments=(ir.Var() as variable,)):
            return ir.Call("int", (replace(variable, at=ir.NOWHERE),))
        case _:
            return None


def loadable_lengths(function: str, loaded_lengths: tuple[int, ...]) -> tuple[int, ...]:
    """Lengths of FUNCTION that have a precomputed column."""
    return MOVING_AVERAGE_LENGTHS if function == "이동평균" else loaded_lengths
