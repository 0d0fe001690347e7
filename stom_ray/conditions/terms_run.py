"""A text run with unknown rows and parameters: branches become choices, temporaries become the expressions they stand for.

What a buy text decides comes out as one truth value, what a sell text decides as arms, of which the first that holds counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from stom_ray.conditions import ir
from stom_ray.conditions.ir import Expr
from stom_ray.conditions.terms_pool import Pool, Uncut

BUYS, SELLS = "매수", "매도"
MOST_ARMS = 400


@dataclass(frozen=True, slots=True)
class Arm:
    """One outcome of a sell text: where `when` is the first truth to hold, 매도 is `value` and the last reason set is `label`."""

    when: Expr
    value: Expr
    label: int


@dataclass(frozen=True, slots=True)
class State:
    """What the names hold after some statements. The last arm always holds."""

    names: dict[str, Expr]
    arms: tuple[Arm, ...]


class Run:
    """Runs the texts of one pool."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def decision(self, program: ir.Program) -> Expr:
        """매수 at the end of a buy text."""
        start = State({BUYS: self.pool.true}, ())
        return self.body(program.body, start).names[BUYS]

    def outcome(self, program: ir.Program) -> tuple[Arm, ...]:
        """매도 and the reason at the end of a sell text."""
        start = State({}, (Arm(self.pool.true, self.pool.false, 0),))
        return self.body(program.body, start).arms

    def body(self, statements: tuple[ir.Stmt, ...], state: State) -> State:
        for statement in statements:
            match statement:
                case ir.Assign(name=name, value=value) if name == SELLS and state.arms:
                    state = replace(state, arms=self.sold(value, state))
                case ir.Assign(name=name, value=value):
                    state = replace(state, names=state.names | {name: self.value(value, state)})
                case ir.SetLabel(number=number):
                    state = replace(state, arms=tidy(tuple(replace(arm, label=number) for arm in state.arms)))
                case ir.If():
                    state = self.branch(statement, state)
        return state

    def value(self, node: Expr, state: State, sold: Expr | None = None) -> Expr:
        """An expression with its temporaries written out. sold: what 매도 holds."""

        def read(part: ir.Temp) -> Expr:
            if part.name == SELLS and state.arms:
                return sold if sold is not None else self.held_truth(state.arms)
            if part.name not in state.names:
                raise Uncut(f"{self.pool.kind} text, line {part.at.line}: `{part.name}` is not set on every way there")
            return state.names[part.name]

        return self.pool.absorb(node, read)

    def held_truth(self, arms: tuple[Arm, ...]) -> Expr:
        """What 매도 holds, as one expression."""
        found = arms[-1].value
        for arm in reversed(arms[:-1]):
            found = self.pool.choose(arm.when, arm.value, found)
        return found

    def sold(self, value: Expr, state: State) -> tuple[Arm, ...]:
        """The arms after `매도 = value`: each keeps its reason."""
        return tidy(tuple(replace(arm, value=self.value(value, state, arm.value)) for arm in state.arms))

    def branch(self, statement: ir.If, state: State) -> State:
        test = self.value(statement.test, state)
        if isinstance(test, ir.Const):
            return self.body(statement.then if test.value else statement.orelse, state)
        then, orelse = self.body(statement.then, state), self.body(statement.orelse, state)
        names = {
            name: self.pool.choose(test, value, orelse.names[name]) for name, value in then.names.items() if name in orelse.names
        }
        return State(names, self.joined(test, then.arms, orelse.arms))

    def joined(self, test: Expr, then: tuple[Arm, ...], orelse: tuple[Arm, ...]) -> tuple[Arm, ...]:
        """`then` where the test holds, `orelse` elsewhere; what both end in stays as it is, after the rest."""
        shared = 0
        while shared < min(len(then), len(orelse)) and same_arm(then[-1 - shared], orelse[-1 - shared]):
            shared += 1
        tail = then[len(then) - shared :]
        found = [replace(arm, when=self.pool.conjunction([test, arm.when])) for arm in then[: len(then) - shared]]
        # Without a shared end, one of the arms above holds wherever the test does: the rest is reached only where it does not.
        elsewhere = [] if shared == 0 else [self.pool.negation(test)]
        rest = orelse[: len(orelse) - shared]
        found += [replace(arm, when=self.pool.conjunction([*elsewhere, arm.when])) for arm in rest]
        if len(found) + shared > MOST_ARMS:
            raise Uncut(f"{self.pool.kind} text, line {test.at.line}: more than {MOST_ARMS} ways through the branches")
        return (*found, *tail)


def same_arm(left: Arm, right: Arm) -> bool:
    return left.when is right.when and left.value is right.value and left.label == right.label


def tidy(arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
    """Without arms that do what the last one does anyway."""
    end = len(arms)
    while end > 1 and arms[end - 2].value is arms[-1].value and arms[end - 2].label == arms[-1].label:
        end -= 1
    return (*arms[: end - 1], *arms[-1:])
