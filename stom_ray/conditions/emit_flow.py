"""Statements of a text as lines of the generated kernel.

A text becomes the body of a `while True:` that ends in `break`, so that a fault can leave it from any depth. Temporaries are
float64 variables; whether one is set, plain or whole is known here, or kept in a boolean beside it where it depends on the row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from stom_ray.conditions import ir
from stom_ray.conditions.emit_expr import Temporary
from stom_ray.conditions.emit_sites import Lines, Sites
from stom_ray.conditions.emit_values import Value, constant
from stom_ray.conditions.emit_windows import WindowEmitter
from stom_ray.conditions.traversal import expressions, statements

LONGEST_NESTED_CHAIN = 8
DECISION = {"buy": ("매수", True), "sell": ("매도", False), "expr": ("값", None)}


class FlowEmitter(WindowEmitter):
    """Adds statements; `run` emits a whole text once."""

    def run(self, program: ir.Program, numbers: dict[str, int]) -> str:
        """Emits the text; returns the truth of its decision, to be read after its lines."""
        decision, start = DECISION[program.kind]
        self.temporaries = {name: Temporary(number) for name, number in numbers.items()}
        for number, fact in sorted(self.tracked):
            if fact == "s":
                self.out.add(f"x{number}_s = False")
        if start is not None:
            self.assign(decision, constant(start))
        self.body(program.body)
        return f"(x{numbers[decision]} != 0.0)"

    def body(self, body: tuple[ir.Stmt, ...]) -> None:
        for statement in body:
            match statement:
                case ir.Assign(name=name, value=value):
                    self.assign(name, self.value(value))
                case ir.If():
                    self.branch(statement)
                case ir.SetLabel(number=number):
                    self.out.add(f"label = {number}")

    def assign(self, name: str, value: Value) -> None:
        number = self.temporaries[name].number
        self.out.add(f"x{number} = {value.number}")
        for fact, text in (("p", value.plain), ("w", value.whole), ("s", True)):
            if (number, fact) in self.tracked:
                self.out.add(f"x{number}_{fact} = {text}")
        plain = value.plain if isinstance(value.plain, bool) else None
        whole = value.whole if isinstance(value.whole, bool) else None
        self.temporaries[name] = Temporary(number, True, plain, whole, value.limit)

    def branch(self, statement: ir.If) -> None:
        arms, orelse = elif_chain(statement)
        if len(arms) > LONGEST_NESTED_CHAIN:
            self.flat_chain(arms, orelse)
            return
        test = self.value(statement.test).truth
        before = {name: replace(known) for name, known in self.temporaries.items()}
        with self.out.block(f"if {test}"):
            self.body(statement.then)
        after_then, self.temporaries = self.temporaries, before
        if statement.orelse:
            with self.out.block("else"):
                self.body(statement.orelse)
        self.temporaries = {name: join(after_then[name], known) for name, known in self.temporaries.items()}

    def flat_chain(self, arms: list[ir.If], orelse: tuple[ir.Stmt, ...]) -> None:
        """A long elif chain side by side, since Python's source allows only 100 levels of indentation."""
        waiting = self.out.fresh("g")
        self.out.add(f"{waiting} = True")
        finished: list[dict[str, Temporary]] = []
        for arm in arms:
            with self.out.block(f"if {waiting}"):
                test = self.value(arm.test).truth
                before = {name: replace(known) for name, known in self.temporaries.items()}
                with self.out.block(f"if {test}"):
                    self.out.add(f"{waiting} = False")
                    self.body(arm.then)
            finished.append(self.temporaries)
            self.temporaries = before
        with self.out.block(f"if {waiting}"):
            self.body(orelse)
        for other in finished:
            self.temporaries = {name: join(other[name], known) for name, known in self.temporaries.items()}


def elif_chain(statement: ir.If) -> tuple[list[ir.If], tuple[ir.Stmt, ...]]:
    """The arms of an if/elif chain and its else."""
    arms = [statement]
    while len(arms[-1].orelse) == 1 and isinstance(arms[-1].orelse[0], ir.If):
        arms.append(arms[-1].orelse[0])
    return arms, arms[-1].orelse


def join(left: Temporary, right: Temporary) -> Temporary:
    """What is known after one of two ways. What an unset temporary holds is never read."""
    if left.is_set is False or right.is_set is False:
        known = right if left.is_set is False else left
        return replace(known, is_set=False if left.is_set is right.is_set else None)
    return Temporary(
        left.number,
        True if left.is_set and right.is_set else None,
        left.plain if left.plain is right.plain else None,
        left.whole if left.whole is right.whole else None,
        max(left.limit, right.limit),
    )


@dataclass(frozen=True)
class EmittedText:
    """lines: the text's body, without indentation. decision: its truth afterwards. declarations: run once, before any row."""

    lines: tuple[str, ...]
    decision: str
    declarations: tuple[str, ...]


def emit_text(
    text: str, program: ir.Program, profile: str, layout: str, sites: Sites, prefix: str, first_number: int
) -> EmittedText:
    """One text as lines. prefix: keeps the names of texts apart; first_number: of its temporaries."""
    numbers = {name: first_number + position for position, name in enumerate(temporary_names(program))}
    tracked: set[tuple[int, str]] = set()
    while True:
        known = len(tracked)
        out = Lines(prefix=prefix)
        decision = FlowEmitter(text, profile, layout, sites, out, tracked).run(program, numbers)
        if len(tracked) == known:
            break
    declarations = [f"x{number} = 0.0" for number in numbers.values()]
    declarations += [f"x{number}_{fact} = True" for number, fact in sorted(tracked)]
    return EmittedText(tuple(out.lines), decision, tuple(declarations))


def temporary_names(program: ir.Program) -> tuple[str, ...]:
    """Every temporary that the text sets or reads, its decision first."""
    written = [statement.name for statement in statements(program.body) if isinstance(statement, ir.Assign)]
    read = [node.name for node in expressions(program) if isinstance(node, ir.Temp)]
    return tuple(dict.fromkeys((DECISION[program.kind][0], *written, *read)))
