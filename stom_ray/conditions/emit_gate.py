"""Which rows no candidate can buy on: the buy text evaluated without parameters.

The text is walked with three-valued truth: what reads no parameter is computed, the rest is unknown. A row is closed when 매수 is
false whatever the unknown is, or the book cannot fill the order, and nothing on the way could fault or count a division by
zero. Rows that stay open are evaluated in full, so the walk only has to err on that side.
"""

from __future__ import annotations

from stom_ray.conditions import ir
from stom_ray.conditions.emit_arithmetic import number_of
from stom_ray.conditions.emit_expr import Temporary
from stom_ray.conditions.emit_flow import FlowEmitter, elif_chain, join, temporary_names
from stom_ray.conditions.emit_sites import Lines, Sites, WindowSite
from stom_ray.conditions.emit_values import Fact, Value
from stom_ray.conditions.emit_windows import TRADED_VALUE, fixed_length
from stom_ray.conditions.traversal import operands, walk

FALSE, TRUE, UNKNOWN = 0, 1, 2
DECISION = "매수"

GATE_ARGUMENTS = (
    ("cols", "float64[:, ::1]"),
    ("offsets", "int64[::1]"),
    ("firsts", "int64[::1]"),
    ("tests", "boolean[:, ::1]"),
    ("windows", "int64[:, :, ::1]"),  # (1, 4, n_windows): windows of constant length, as for a candidate
    ("loaded_lengths", "int64[:, ::1]"),
    ("loaded_columns", "int64[:, ::1]"),
    ("constants", "float64[::1]"),
    ("trouble", "boolean[::1]"),  # (n_windows,): some candidate's length faults at this window
    ("fillable", "boolean[::1]"),  # (n_rows,)
    ("open_rows", "boolean[::1]"),  # (n_rows,) out
)


class GateEmitter(FlowEmitter):
    """Emits the buy text as a test of rows. unknown: temporaries whose value depends on parameters."""

    unknown: frozenset[str] = frozenset()

    # Every effect leaves the row open.

    def leave_open(self) -> None:
        self.out.add("break")

    def stop(self, kind: str, detail: str, at: ir.Span) -> None:
        self.leave_open()

    def count_zero(self, at: ir.Span) -> None:
        self.leave_open()

    # What is known

    def is_known(self, node: ir.Expr) -> bool:
        return all(not isinstance(part, ir.Var | ir.Elapsed) and not self._is_unknown(part) for part in walk(node))

    def _is_unknown(self, node: ir.Expr) -> bool:
        return isinstance(node, ir.Temp) and (node.name == DECISION or node.name in self.unknown)

    def find_unknown(self, body: tuple[ir.Stmt, ...], under_unknown: bool) -> set[str]:
        """Temporaries that some assignment makes unknown."""
        found: set[str] = set()
        for statement in body:
            if isinstance(statement, ir.Assign) and (under_unknown or not self.is_known(statement.value)):
                found.add(statement.name)
            elif isinstance(statement, ir.If):
                inside = under_unknown or not self.is_known(statement.test)
                found |= self.find_unknown(statement.then, inside) | self.find_unknown(statement.orelse, inside)
        return found

    def learn(self, body: tuple[ir.Stmt, ...]) -> None:
        """Sets `unknown`."""
        while True:
            found = self.unknown | self.find_unknown(body, False)
            if found == self.unknown:
                return
            self.unknown = frozenset(found)

    # Effects of what is not known

    def effects(self, node: ir.Expr) -> None:
        """Leaves the row open where evaluating the node could have an effect for some candidate."""
        if self.is_known(node):
            self.operand(node)
            return
        if isinstance(node, ir.Window):
            self.window_effects(node)
            return
        for operand in operands(node):
            self.effects(operand)
        match node:
            case ir.Temp(name=name) if name != DECISION and self.temporaries[name].is_set is not True:
                self.leave_open()
            case ir.Var(subscripted=True) if self.strict:
                self.leave_open()
            case ir.Binary(op="/" | "//" | "%"):
                self.division_effects(node)
            case ir.Binary(op="**") | ir.Lag():
                self.leave_open()
            case ir.Call(function="int" | "round") if len(node.arguments) == 1 or number_of(node.arguments[1]) is None:
                self.leave_open()

    def division_effects(self, node: ir.Binary) -> None:
        divisor = number_of(node.right)
        if divisor is not None and divisor != 0.0:
            return
        if self.strict and (self.plain(node.left) is False or self.plain(node.right) is False):
            return
        if self.is_known(node.right):
            self.stop_if(f"{self.value(node.right).number} == 0.0", "zero_division", "", node.at)
        else:
            self.leave_open()

    def plain(self, node: ir.Expr) -> Fact:
        with self.out.aside():
            return self.value(node).plain

    def window_effects(self, node: ir.Window) -> None:
        length = fixed_length(node.length)
        if length is None or number_of(node.pre) is None or node.function == TRADED_VALUE:
            self.leave_open()
            return
        number = self.sites.window(WindowSite(node.function, length))
        with self.out.block(f"if trouble[{number}]"):
            self.leave_open()

    # Three-valued truth

    def tri(self, node: ir.Expr) -> str:
        """Name of an integer: FALSE, TRUE or UNKNOWN."""
        name = self.out.fresh("z")
        if isinstance(node, ir.Logic) and not self.is_known(node):
            self.tri_logic(node, name)
        elif isinstance(node, ir.Unary) and node.op == "not" and not self.is_known(node):
            inner = self.tri(node.operand)
            self.out.add(f"{name} = {UNKNOWN} if {inner} == {UNKNOWN} else {TRUE} - {inner}")
        elif reads_decision(node):
            self.out.add(f"{name} = state")
        elif self.is_known(node):
            self.out.add(f"{name} = {TRUE} if {self.value(node).truth} else {FALSE}")
        else:
            self.effects(node)
            self.out.add(f"{name} = {UNKNOWN}")
        return name

    def tri_logic(self, node: ir.Logic, name: str) -> None:
        """An operand that decides whatever the unknown ones before it are; later ones are looked at until then."""
        decides = FALSE if node.op == "and" else TRUE
        self.out.add(f"{name} = {TRUE - decides}")
        for operand in node.operands:
            with self.out.block(f"if {name} != {decides}"):
                part = self.tri(operand)
                with self.out.block(f"if {part} == {decides}"):
                    self.out.add(f"{name} = {decides}")
                with self.out.block(f"elif {part} == {UNKNOWN}"):
                    self.out.add(f"{name} = {UNKNOWN}")

    # Statements

    def gate_body(self, body: tuple[ir.Stmt, ...]) -> None:
        for statement in body:
            if isinstance(statement, ir.Assign):
                self.gate_assign(statement)
            elif isinstance(statement, ir.If):
                self.gate_branch(statement)

    def gate_assign(self, statement: ir.Assign) -> None:
        if statement.name == DECISION:
            self.out.add(f"state = {self.tri(statement.value)}")
        elif statement.name in self.unknown:
            self.effects(statement.value)
            self.forget(statement)
        else:
            self.assign(statement.name, self.value(statement.value))

    def forget(self, statement: ir.Assign) -> None:
        """Notes the facts of an unknown temporary, without its value."""
        with self.out.aside():
            self.assign(statement.name, self.value(statement.value))

    def gate_branch(self, statement: ir.If) -> None:
        """An if/elif chain, its arms side by side. `waiting`: whether no arm has been taken yet."""
        arms, orelse = elif_chain(statement)
        waiting = self.out.fresh("g")
        self.out.add(f"{waiting} = {TRUE}")
        finished: list[dict[str, Temporary]] = []
        certain = True
        for arm in arms:
            certain = certain and self.is_known(arm.test)
            with self.out.block(f"if {waiting} != {FALSE}"):
                before = dict(self.temporaries)
                self.arm(arm, waiting, certain)
            finished.append(self.temporaries)
            self.temporaries = before
        with self.out.block(f"if {waiting} == {TRUE}"):
            self.gate_body(orelse)
        if not certain:
            with self.out.block(f"elif {waiting} == {UNKNOWN}"):
                self.perhaps(orelse)
        for other in finished:
            self.temporaries = {name: join(other[name], known) for name, known in self.temporaries.items()}

    def arm(self, arm: ir.If, waiting: str, certain: bool) -> None:
        """certain: neither this test nor those before it are unknown."""
        test = self.tri(arm.test)
        with self.out.block(f"if {waiting} == {TRUE} and {test} == {TRUE}"):
            self.gate_body(arm.then)
        if not certain:
            with self.out.block(f"elif {test} != {FALSE}"):
                self.perhaps(arm.then)
        with self.out.block(f"if {test} != {FALSE}"):
            self.out.add(f"{waiting} = {FALSE} if {test} == {TRUE} else {UNKNOWN}")

    def perhaps(self, body: tuple[ir.Stmt, ...]) -> None:
        """Statements that some candidates run and others do not."""
        before = dict(self.temporaries)
        self.effects_of_body(body)
        self.temporaries = {name: join(before[name], known) for name, known in self.temporaries.items()}
        values = decisions(body)
        if values and all(value == ir.Const(False) for value in values):
            with self.out.block(f"if state == {TRUE}"):
                self.out.add(f"state = {UNKNOWN}")
        elif values:
            self.out.add(f"state = {UNKNOWN}")

    def effects_of_body(self, body: tuple[ir.Stmt, ...]) -> None:
        for statement in body:
            if isinstance(statement, ir.Assign):
                self.effects(statement.value)
                self.forget(statement)
            elif isinstance(statement, ir.If):
                self.effects(statement.test)
                before = dict(self.temporaries)
                self.effects_of_body(statement.then)
                after_then, self.temporaries = self.temporaries, dict(before)
                self.effects_of_body(statement.orelse)
                self.temporaries = {name: join(after_then[name], known) for name, known in self.temporaries.items()}

    def value(self, node: ir.Expr) -> Value:
        if isinstance(node, ir.Temp) and node.name == DECISION:
            return Value("1.0", True, True, simple=True)  # only asked for facts, and these are the cautious ones
        return super().value(node)


def reads_decision(node: ir.Expr) -> bool:
    """`매수` alone, or `매수 == True`."""
    match node:
        case ir.Temp(name=name):
            return name == DECISION
        case ir.Compare(first=ir.Temp(name=name), rest=(("==", ir.Const(value=True)),)):
            return name == DECISION
    return False


def decisions(body: tuple[ir.Stmt, ...]) -> list[ir.Expr]:
    """Every value that the statements may give 매수."""
    found: list[ir.Expr] = []
    for statement in body:
        if isinstance(statement, ir.Assign) and statement.name == DECISION:
            found.append(statement.value)
        elif isinstance(statement, ir.If):
            found += decisions((*statement.then, *statement.orelse))
    return found


def emit_gate(program: ir.Program, profile: str, layout: str, sites: Sites) -> list[str]:
    """The function `gate`: clears `open_rows` where no candidate can buy. All sites are known from the buy text already."""
    names = temporary_names(program)
    tracked: set[tuple[int, str]] = set()
    while True:
        known = len(tracked)
        text = Lines(depth=4, prefix="g")
        emitter = GateEmitter("buy", profile, layout, sites, text, tracked)
        emitter.temporaries = {name: Temporary(number) for number, name in enumerate(names)}
        emitter.temporaries[DECISION].is_set = True
        emitter.learn(program.body)
        emitter.gate_body(program.body)
        if len(tracked) == known:
            break
    out = Lines()
    signature = ", ".join(kind for _, kind in GATE_ARGUMENTS)
    out.add(f'@njit("void({signature})", cache=True, nogil=True, error_model="numpy", fastmath=False)')
    with out.block(f"def gate({', '.join(name for name, _ in GATE_ARGUMENTS)})"):
        for number in range(len(names)):
            out.add(f"x{number} = 0.0")
        for number, fact in sorted(tracked):
            out.add(f"x{number}_{fact} = True")
        for number in sites.windows.values():
            out.add(f"w{number}, m{number} = np.uintp(windows[0, 0, {number}]), windows[0, 1, {number}]")
            out.add(f"q{number}, l{number} = windows[0, 2, {number}], windows[0, 3, {number}] != 0")
        with out.block("for s in range(len(offsets) - 1)"):
            out.add("lo, last, first = offsets[s], offsets[s + 1] - 1, firsts[s]")
            for number in sites.texts.values():
                out.add(f"y{number} = tests[s, {number}]")
            with out.block("for i in range(lo, last)"):
                rows(out, text, tracked)
    return out.lines


def rows(out: Lines, text: Lines, tracked: set[tuple[int, str]]) -> None:
    """One row: the text may leave by `break`, and then the row stays open."""
    with out.block("if not open_rows[i]"):
        out.add("continue")
    out.add("u, n = np.uintp(i), i - lo + 1")
    out.add(f"state = {TRUE}")
    for number, fact in sorted(tracked):
        if fact == "s":
            out.add(f"x{number}_s = False")
    with out.block("while True"):
        out.lines.extend(text.lines)
        out.add(f"open_rows[i] = state != {FALSE} and fillable[i]")
        out.add("break")
