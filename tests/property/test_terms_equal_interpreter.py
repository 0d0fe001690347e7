"""Random scripts, rows and parameters: what the terms and reasons decide is what the interpreter decides, labels too.

Every expression of a term is evaluated by the interpreter itself, alone. Rows on which the script or one of its terms faults are
left out: their sessions are not the planned kernels' business.
"""

from __future__ import annotations

import math
import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stom_ray.conditions import ir
from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.faults import FaultError
from stom_ray.conditions.frame import Frame
from stom_ray.conditions.interpreter import Interpreter, _Walker
from stom_ray.conditions.rows import Rows
from stom_ray.conditions.terms import Atom, BuyTerms, NotCut, SellTerms, Threshold, buy_terms, sell_terms, structural
from stom_ray.store.panel import Selection

COLUMNS = ("등락율", "체결강도", "초당매수수량", "초당매도수량", "회전율")
POSITION = ("수익률", "최고수익률", "최저수익률", "보유시간", "최고수익률 - 수익률")
ORDERS = ("<", "<=", ">", ">=")
N_VARS = 5
N_ROWS = 24
HOLDS = {"<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b}
ELAPSED = "급등;등락율 > self.vars[4]"


class Script:
    """Writes random scripts out of the forms that people use, and some that they do not."""

    def __init__(self, seed: int, side: str) -> None:
        self.random = random.Random(seed)
        self.side = side
        self.decision = "매수" if side == "buy" else "매도"
        self.numbers: list[str] = []
        self.truths: list[str] = []

    def text(self) -> str:
        lines = [f"{self.decision} = {self.side == 'buy'}"]
        for _ in range(self.random.randint(2, 6)):
            lines += self.statement(2, "")
        return "\n".join(lines)

    def pick(self, *options):
        return self.random.choice(options)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    # Statements

    def statement(self, depth: int, indent: str) -> list[str]:
        kind = self.random.random()
        if kind < 0.15:
            name = f"수{len(self.numbers)}"
            lines = [f"{indent}{name} = {self.number(2)}"]
            if self.chance(0.3):
                lines += [f"{indent}if {self.truth(1)}:", f"{indent}    {name} {self.pick('=', '+=', '*=')} {self.number(1)}"]
            self.numbers += [] if indent else [name]
            return lines
        if kind < 0.25:
            name = f"참{len(self.truths)}"
            line = f"{indent}{name} = {self.truth(2)}"
            self.truths += [] if indent else [name]
            return [line]
        if kind < 0.32:
            return self.assignment(indent)
        return self.branch(depth, indent)

    def assignment(self, indent: str) -> list[str]:
        if self.side == "buy":
            return [f"{indent}매수 = {self.pick(self.truth(2), f'매수 and {self.truth(1)}', 'False', self.truth(1))}"]
        return [f"{indent}매도 = {self.pick('True', 'False', self.truth(1), f'매도 or {self.truth(1)}')}"]

    def branch(self, depth: int, indent: str) -> list[str]:
        lines = [f"{indent}if {self.guarded(2)}:", *self.suite(depth, indent)]
        for _ in range(self.pick(0, 0, 1, 2)):
            lines += [f"{indent}elif {self.guarded(2)}:", *self.suite(depth, indent)]
        if self.chance(0.2):
            lines += [f"{indent}else:", *self.suite(depth, indent)]
        return lines

    def guarded(self, depth: int) -> str:
        """Sometimes a test of the decision itself."""
        text = self.truth(depth)
        return self.pick(f"{self.decision} and {text}", f"not {self.decision} and {text}") if self.chance(0.08) else text

    def suite(self, depth: int, indent: str) -> list[str]:
        inner = f"{indent}    "
        if depth and self.chance(0.3):
            return self.statement(depth - 1, inner)
        if self.chance(0.08):
            return [f"{inner}pass"]
        return [f"{inner}{self.decision} = {'False' if self.side == 'buy' else 'True'}"]

    # Expressions

    def truth(self, depth: int) -> str:
        kind = self.random.random()
        if depth and kind < 0.3:
            joined = f" {self.pick('and', 'or')} ".join(self.truth(depth - 1) for _ in range(self.pick(2, 2, 3)))
            return f"({joined})"
        if depth and kind < 0.45:
            return f"not ({self.truth(depth - 1)})"
        if depth and kind < 0.5:
            return f"({self.truth(depth - 1)} if {self.truth(0)} else {self.truth(depth - 1)})"
        if kind < 0.54 and self.truths:
            return self.pick(*self.truths)
        if depth and kind < 0.56:
            column, order, other = self.pick(*COLUMNS), self.pick("<", "<="), self.pick(">", ">=")
            first, second = (
                f"{column} {order} 1",
                self.pick(f"{column} {other} 1", f"not {column} {order} 1", f"not {column} < 0"),
            )
            return f"(({first} and {self.truth(0)}) or ({second} and {self.truth(0)}))"
        if kind < 0.6:
            return self.pick("관심종목", "종목코드 == '000001'", "self.vars[4]", "경과틱수('급등') > 1", "now() > VI해제시간")
        return self.comparison()

    def comparison(self) -> str:
        order, other = self.pick(*ORDERS), self.pick(*ORDERS)
        if self.side == "sell" and self.chance(0.6):
            quantity = self.pick(*POSITION, "-수익률", "int(보유시간)", "수익률 - 최고수익률")
            forms = [f"{quantity} {order} {self.level()}"] * 3
            forms += [f"{self.level()} {order} {quantity}", f"{self.level()} {order} {quantity} {other} {self.level()}"]
            trailing = (f"최고수익률 * {self.level()}", f"최고수익률 - {self.level()}", f"{self.level()} + 최고수익률")
            forms += [f"수익률 {order} {self.pick(*trailing)}"]
            return self.pick(*forms)
        row, scale = self.row(1), self.row(0)
        forms = [f"{row} {order} {self.level()}"] * 3
        forms += [
            f"{self.level()} {order} {row}",
            f"{self.level()} {order} {row} {other} {self.level()}",
            f"{row} {order} {scale}",
        ]
        forms += [f"{row} {order} {scale} * {self.level()}", f"{self.level()} * {scale} {order} {row}"]
        forms += [f"{row} {order} {scale} + {self.level()}", f"{self.row(0)} - {scale} * {self.level()} {order} {row}"]
        forms += [f"{row} {order} {self.level()} - {scale}", f"{scale} - {self.level()} {order} {row}"]
        if self.side == "buy" or self.chance(0.1):
            forms += [f"{row} == {self.level()}", f"{row} != {self.level()}"]
        return self.pick(*forms)

    def level(self) -> str:
        if self.numbers and self.chance(0.3):
            return self.pick(*self.numbers)
        index = self.random.randrange(1, N_VARS)
        return self.pick(f"self.vars[{index}]", f"(1 + self.vars[{index}] / 2)", f"-self.vars[{index}]", "1", "2.0", "-1")

    def row(self, depth: int) -> str:
        if depth and self.chance(0.25):
            return f"({self.row(0)} {self.pick('+', '-', '*', '/')} {self.row(0)})"
        if self.chance(0.2):
            return self.pick(
                "체결강도N(2)", "최고현재가(self.vars[0], 1) - 현재가", "이동평균(4)", "데이터길이", "체결강도N(self.vars[0])"
            )
        if self.side == "sell" and self.chance(0.03):
            return "체결강도N(-1)"
        return self.pick(*COLUMNS)

    def number(self, depth: int) -> str:
        if depth and self.chance(0.3):
            return f"({self.number(depth - 1)} if {self.truth(0)} else {self.number(depth - 1)})"
        return self.pick(self.level(), self.level(), self.row(1))


class Rig:
    """One panel, and the interpreter's evaluation of single expressions on its rows."""

    def __init__(self, make_panel, seed: int) -> None:
        self.chooser = np.random.default_rng(seed)
        sessions = [("000001", 20230119, N_ROWS // 2), ("000002", 20230119, N_ROWS // 2)]
        odd = (np.nan, np.inf, -np.inf, 0.0)
        columns = {name: self.values(odd) for name in COLUMNS} | {"관심종목": self.values((0.0, 1.0, 2.0, np.nan))}
        columns |= {"현재가": self.values(()) + 1000.0, "VI해제시간": self.chooser.choice([0.0, 20230119090005.0], N_ROWS)}
        self.panel = make_panel(sessions, **columns)
        self.rows = Rows(Selection(self.panel, self.panel, np.arange(N_ROWS)), (3,))

    def values(self, odd):
        found = self.chooser.choice([-2.0, -1.0, 0.0, 1.0, 1.5, 2.0, 3.0], N_ROWS)
        return np.where(self.chooser.random(N_ROWS) < 0.1, self.chooser.choice(odd, N_ROWS), found) if odd else found

    def frame(self, row: int, variables: tuple[float, ...]) -> Frame:
        start = row - row % (N_ROWS // 2)
        pct, peak = (
            self.chooser.choice([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, np.nan]),
            self.chooser.choice([0.0, 0.5, 1.5, 2.0]),
        )
        frame = Frame(variables, self.panel.codes[start > 0], "가", 20230119, start, row, row - start + 1)
        frame.profit_pct, frame.best_pct, frame.worst_pct = float(pct), float(peak), float(self.chooser.choice([0.0, -1.0, -2.0]))
        frame.buy_row, frame.hold_s, frame.quantity = start, float(row - start), 3
        frame.elapsed_row = (
            {"급등": start + int(self.chooser.integers(0, row - start + 1))} if self.chooser.random() < 0.7 else {}
        )
        return frame

    def frames(self) -> list[Frame]:
        found = []
        for _ in range(4):
            variables = (
                int(self.chooser.integers(1, 4)),
                *(self.chooser.choice([-1, 0, 1, 2, 0.5, 1.5]) for _ in range(1, N_VARS)),
            )
            plain = tuple(int(value) if value == int(value) else float(value) for value in variables)
            found += [self.frame(row, plain) for row in range(N_ROWS)]
        return found


class Evaluator:
    """Terms, each expression evaluated by the interpreter alone."""

    def __init__(self, rows: Rows, side: str, profile: str) -> None:
        self.walker = _Walker(side, profile, rows)
        self.known: dict[int, object] = {}

    def value(self, node: ir.Expr, frame: Frame):
        if id(node) not in self.known:
            self.known[id(node)] = self.walker.expression(node)
        return self.known[id(node)](frame)

    def buys(self, terms: BuyTerms, frame: Frame) -> bool:
        truths = [self.value(node, frame) for node in (*terms.gates, *terms.others)]
        assert all(value in (0, 1) for value in truths)
        return all([*(bool(value) for value in truths), *(self.passes(threshold, frame) for threshold in terms.thresholds)])

    def passes(self, threshold: Threshold, frame: Frame) -> bool:
        left, right = self.value(threshold.left, frame), self.value(threshold.right, frame)
        right = self.mark(right, threshold.scale, threshold.offset, 1, frame)
        unless = any(bool(self.value(node, frame)) for node in threshold.unless)
        return unless or bool(HOLDS[threshold.op](left, right)) != threshold.negated

    def mark(self, value, scale: ir.Expr | None, offset: ir.Expr | None, sign: int, frame: Frame):
        if scale is not None:
            value = self.value(scale, frame) * value
        return value if offset is None else value + sign * self.value(offset, frame)

    def label(self, terms: SellTerms, frame: Frame) -> int | None:
        found = [reason.label for reason in terms.reasons if all(self.holds(atom, frame) for atom in reason.atoms)]
        return found[0] if found else None

    def holds(self, atom: Atom, frame: Frame) -> bool:
        value, pct = self.value(atom.value, frame), frame.profit_pct
        match atom.quantity:
            case "tick":
                quantity = self.value(atom.row, frame)
                value = self.mark(value, atom.scale, atom.offset, atom.sign, frame)
            case "truth":
                quantity = self.value(atom.row, frame)
                assert quantity in (0, 1)
                assert value == 1
            case "ratio":
                quantity, value = pct, atom.sign * (frame.best_pct * value)
            case "trail":
                quantity, value = pct, atom.sign * (frame.best_pct - value)
            case "drawdown":
                quantity = frame.best_pct - pct
            case name:
                quantity = {"pct": pct, "peak": frame.best_pct, "trough": frame.worst_pct, "held": frame.hold_s}[name]
        if math.isnan(quantity) or math.isnan(value):
            return atom.passes_nan
        return bool(atom.sign * quantity > value if atom.strict else atom.sign * quantity >= value)


def decided(decide, frame: Frame):
    """(the decision,), or nothing where something faults."""
    try:
        return (decide(frame),)
    except FaultError:
        return ()


def compare(strategy: ir.Strategy, rig: Rig) -> tuple[BuyTerms | NotCut, SellTerms | NotCut, int]:
    """Checks every frame; returns the terms and how many decisions were compared."""
    bound = structural(strategy)
    bought, sold = buy_terms(strategy.buy, bound), sell_terms(strategy.sell, bound, ratio=True)
    interpreter = Interpreter(strategy, rig.rows)
    buying, selling = Evaluator(rig.rows, "buy", strategy.profile), Evaluator(rig.rows, "sell", strategy.profile)

    def sells(frame: Frame) -> int | None:
        return frame.label if interpreter.sells(frame) else None

    compared = 0
    with np.errstate(all="ignore"):
        for frame in rig.frames():
            pairs = []
            if isinstance(bought, BuyTerms):
                pairs.append((interpreter.buys, lambda frame: buying.buys(bought, frame)))
            if isinstance(sold, SellTerms):
                pairs.append((sells, lambda frame: selling.label(sold, frame)))
            for expected, got in pairs:
                wanted, found = decided(expected, frame), decided(got, frame)
                if wanted and found:
                    assert wanted == found, (strategy.buy_text, strategy.sell_text, bought, sold, frame)
                    compared += 1
    return bought, sold, compared


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), profile=st.sampled_from(("stom", "corrected")))
def test_terms_decide_as_the_interpreter_does(seed, profile, make_panel):
    buy, sell = Script(seed, "buy").text(), Script(seed + 1, "sell").text()
    strategy = compile_strategy(buy, sell, profile=profile, elapsed=ELAPSED)
    compare(strategy, Rig(make_panel, seed))


def test_random_scripts_reach_every_kind_of_term(make_panel):
    rig, compared, cut = Rig(make_panel, 1), 0, 0
    thresholds, atoms, others = [], [], 0
    for seed in range(80):
        strategy = compile_strategy(Script(seed, "buy").text(), Script(seed, "sell").text(), elapsed=ELAPSED)
        bought, sold, count = compare(strategy, rig)
        compared += count
        cut += isinstance(bought, BuyTerms) + isinstance(sold, SellTerms)
        thresholds += bought.thresholds if isinstance(bought, BuyTerms) else ()
        others += len(bought.others) if isinstance(bought, BuyTerms) else 0
        atoms += [atom for reason in sold.reasons for atom in reason.atoms] if isinstance(sold, SellTerms) else []
    assert compared > 10_000
    assert cut > 100
    assert others > 30
    for terms in (thresholds, atoms):
        assert {(term.scale is None, term.offset is None) for term in terms} == {
            (scale, offset) for scale in (True, False) for offset in (True, False)
        }
    assert any(term.unless for term in thresholds)
    assert {term.negated for term in thresholds} == {True, False}
    assert {atom.quantity for atom in atoms} == {"pct", "peak", "trough", "drawdown", "held", "tick", "truth", "ratio", "trail"}
    assert {(atom.sign, atom.strict, atom.passes_nan) for atom in atoms} == {
        (sign, strict, nan) for sign in (1, -1) for strict in (True, False) for nan in (True, False)
    }
