"""Random texts over random rows: what is known of many rows at once is what the interpreter finds on each, to the last bit.

Rows on which the interpreter stops, or counts a division by zero, are always among the effects.
"""

from __future__ import annotations

import random

import numpy as np
import pytest

from stom_ray.conditions import ir
from stom_ray.conditions.emit_cpu import emit_kernel
from stom_ray.conditions.faults import FaultError
from stom_ray.conditions.frame import Frame
from stom_ray.conditions.interpreter import Interpreter
from stom_ray.conditions.verifier import verify_strategy
from stom_ray.engine import row_values, row_values_block
from stom_ray.engine.kernel_bind import Block, batch_windows
from stom_ray.engine.row_values_block import BlockValues
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.store.load import select

N_VARS = 6
COLUMNS = ("현재가", "등락율", "체결강도", "초당매수수량", "초당매도수량", "초당거래대금", "당일거래대금", "전일비", "회전율")
NUMBERS = (0, 1, 2, 3, 7, -1, -4, 0.0, -0.0, 0.5, 1.5, 2.675, -2.5, 100.0, 1e16, 2**53 - 1, True, False)
ODD = (0.0, -0.0, np.nan, np.inf, -np.inf, 0.5, -0.5, 2.675, 1e300, 5e-324, 2.0**53)
VALUES = (1, 2, 3, 5, 9, 2.0, 3.0, 2.5, 0, 0.0, -1, -2.5, 1e12)
NAMES = ("가나", "다라", "마바")
DAYS = (20230119, 20230120, 20230126)


class Writer:
    """Writes random buy texts. hazard: chance, per place, of something that stops more often than not."""

    def __init__(self, seed: int, hazard: float) -> None:
        self.random = random.Random(seed)
        self.hazard = hazard
        self.known: list[str] = ["매수"]
        self.maybe: list[str] = []

    def pick(self, *options):
        return self.random.choice(options)

    def risks(self) -> bool:
        return self.random.random() < self.hazard

    def strategy(self, profile: str) -> ir.Strategy:
        buy = ir.Program("buy", tuple(statement for _ in range(6) for statement in self.statement(2)))
        self.known, self.maybe, self.in_elapsed = [], [], True
        elapsed = tuple((name, ir.Program("expr", (ir.Assign("값", self.truth(2)),))) for name in ("가", "나"))
        strategy = ir.Strategy(buy, ir.Program("sell", ()), ("전략종료청산",), elapsed, N_VARS, profile)
        verify_strategy(strategy)
        return strategy

    # Statements

    def statement(self, depth: int) -> list[ir.Stmt]:
        kind = self.random.random()
        if depth and kind < 0.3:
            return [self.branch(depth)]
        if depth and kind < 0.4:
            return [self.chain()]
        name = self.pick(*NAMES, "매수")
        value = self.number(3) if self.random.random() < 0.7 else self.truth(2)
        self.known = [*self.known, name]
        return [ir.Assign(name, value)]

    def branch(self, depth: int) -> ir.If:
        test, before = self.truth(2), self.known
        then = tuple(s for _ in range(self.random.randint(1, 2)) for s in self.statement(depth - 1))
        after_then, self.known = self.known, before
        orelse = tuple(s for _ in range(self.random.randint(0, 2)) for s in self.statement(depth - 1))
        self.maybe = [*self.maybe, *after_then, *self.known]
        self.known = [name for name in after_then if name in self.known]
        return ir.If(test, then, orelse)

    def chain(self) -> ir.If:
        """if not (...): 매수 = False elif not (...): ..."""
        tests = [ir.Unary("not", self.truth(1)) if self.pick(True, False) else self.truth(1) for _ in range(self.pick(2, 4, 8))]
        found: tuple[ir.Stmt, ...] = ()
        for test in reversed(tests):
            found = (ir.If(test, (ir.Assign("매수", ir.Const(False)),), found),)
        (outermost,) = found
        return outermost

    # Expressions

    def truth(self, depth: int) -> ir.Expr:
        kind = self.random.random()
        if depth and kind < 0.3:
            operands = tuple(self.truth(depth - 1) for _ in range(self.random.randint(2, 4)))
            return ir.Logic(self.pick("and", "or"), operands)
        if depth and kind < 0.38:
            return ir.Unary("not", self.truth(depth - 1))
        if kind < 0.42:
            return ir.TextTest(self.pick("종목코드", "종목명"), ("A", "비"), self.pick(True, False))
        if kind < 0.48:
            return ir.Compare(self.moment(), ((self.pick("<", ">="), self.moment()),))
        if kind < 0.54:
            return self.number(depth)
        rest = tuple((self.pick("<", "<=", ">", ">=", "==", "!="), self.number(depth)) for _ in range(self.pick(1, 1, 1, 2)))
        return ir.Compare(self.number(depth), rest)

    def moment(self) -> ir.Moment:
        return ir.Moment(self.pick("now", "vi"), self.pick(None, self.number(1)))

    def number(self, depth: int) -> ir.Expr:
        if depth and self.random.random() < 0.65:
            return self.compound(depth)
        kind = self.random.random()
        if kind < 0.3:
            return ir.Column(self.pick(*COLUMNS))
        if kind < 0.42:
            return ir.Const(self.pick(*NUMBERS))
        if kind < 0.52:
            return ir.Var(self.random.randrange(N_VARS), self.risks() and self.pick(True, False))
        if kind < 0.66:
            return ir.State(self.pick("데이터길이", "시분초", "호가단위", "VI아래5호가"))
        if kind < 0.8 and self.known:
            return ir.Temp(self.pick(*self.known))
        if kind < 0.84 and self.maybe and self.risks():
            return ir.Temp(self.pick(*self.maybe))
        if kind < 0.9 and self.known:
            return ir.Elapsed(self.pick("가", "나", "없음"))
        return ir.Lag(self.pick(*COLUMNS), self.look_back())

    def compound(self, depth: int) -> ir.Expr:
        kind = self.random.random()
        if kind < 0.4:
            return ir.Binary(self.pick("+", "-", "*", "/", "//", "%", "**"), self.number(depth - 1), self.number(depth - 1))
        if kind < 0.5:
            length = self.pick(ir.Const(self.pick(1, 2, 5, 8, 9)), ir.Var(0), ir.Call("int", (ir.Var(1),)), self.length())
            return ir.Window(self.pick(*ir.WINDOW_FUNCTIONS), length, self.look_back())
        if kind < 0.6:
            return ir.Call(self.pick("min", "max"), tuple(self.number(depth - 1) for _ in range(self.pick(2, 3))))
        if kind < 0.72:
            digits = ir.Const(self.pick(-2, 0, 1, 2)) if not self.risks() else self.number(1)
            return ir.Call("round", (self.number(depth - 1), digits))
        if kind < 0.84:
            return ir.Call(self.pick("float", "abs", "int", "round"), (self.number(depth - 1),))
        if kind < 0.9:
            return ir.Choose(self.truth(1), self.number(depth - 1), self.number(depth - 1))
        if kind < 0.93:
            return ir.SecondsBetween(self.moment(), self.moment())
        if kind < 0.97:
            return ir.Logic(self.pick("and", "or"), (self.number(depth - 1), self.number(depth - 1)))
        return ir.Unary(self.pick("-", "+", "not"), self.number(depth - 1))

    def length(self) -> ir.Expr:
        if not self.risks():
            return ir.Const(3)
        return self.pick(ir.Const(2.0), ir.Const(0), ir.Binary("+", ir.State("데이터길이"), ir.Const(1)))

    def look_back(self) -> ir.Expr:
        if self.risks():
            return self.pick(ir.Var(2), ir.Const(1.0), ir.Binary("-", self.number(0), ir.Const(0)))
        if self.pick(True, True, False):
            return ir.Const(self.pick(0, 0, 1, 2, 6))
        return ir.Binary("%", ir.State(self.pick("시분초", "데이터길이")), ir.Const(self.pick(4, 30)))


def random_market(make_panel, seed: int, odd: float):
    """Short sessions of three instruments. odd: share of values that are NaN, infinite, tiny or huge."""
    rng = np.random.default_rng(seed)
    sessions = [("A", DAYS[0], 40), ("A", DAYS[1], 2), ("A", DAYS[2], 25), ("B", DAYS[0], 12), ("C", DAYS[2], 30)]
    n = sum(rows for _, _, rows in sessions)

    def spoiled(values):
        return np.where(rng.random(n) < odd, rng.choice(ODD, n), values)

    columns = {name: spoiled(rng.integers(-3, 9, n) * rng.choice([1.0, 0.5, 100.0], n)) for name in COLUMNS}
    price = 1_000.0 + rng.integers(-20, 20, n).cumsum()
    columns |= {"현재가": spoiled(price), "VI가격": price + 50.0, "VI호가단위": rng.choice([1.0, 5.0], n)}
    columns |= {"VI해제시간": rng.choice([0.0, 20230119090010.0], n), "매도호가2": spoiled(price), "매도호가1": price}
    return select(make_panel(sessions, names={"B": "비"}, **columns))


def frames(market, interpreter, values):
    """A frame of every row but each session's last, or the fault that stopped it; elapsed faults end a session."""
    panel = market.selected
    for session in range(panel.n_sessions):
        code = panel.codes[int(panel.session_code[session])]
        first = int(panel.instrument_offsets[panel.session_code[session]])
        frame = Frame(values, code, panel.names.get(code, code), int(panel.session_day[session]), first)
        start, last = int(panel.offsets[session]), int(panel.offsets[session + 1]) - 1
        for frame.row in range(start, last):
            frame.count = frame.row - start + 1
            frame.zero_divisions = {}
            try:
                for name in interpreter.elapsed_names:
                    interpreter.note_elapsed(frame, name)
            except FaultError:
                yield frame, "elapsed"
                break
            if frame.zero_divisions:
                yield frame, "counted in elapsed"
            frame.zero_divisions = {}
            try:
                interpreter.buys(frame)
            except FaultError as fault:
                yield frame, fault.kind
                continue
            yield frame, "counted" if frame.zero_divisions else ""


def bits(value) -> tuple[bool, bytes]:
    return (True, b"") if np.isnan(value) else (False, np.float64(value).tobytes())


def check_value(found, row: int, expected, where: str) -> int:
    """Compares a temporary on one row with what the interpreter has; returns whether it was known."""

    def at(one):
        return bool(one) if isinstance(one, bool) else bool(one[row])

    plain, whole = not isinstance(expected, np.floating), isinstance(expected, int)
    for fact, holds in ((found.plain, plain), (found.whole, whole)):
        assert at(fact.surely) <= holds <= at(fact.perhaps), where
    truth = found.truth
    assert at(truth.surely) <= bool(expected) <= at(truth.perhaps), where
    if at(found.unknown):
        return 0
    value = found.values[row] if found.values.ndim else found.values[()]
    assert bits(value) == bits(expected), f"{where}: {value} is not {expected}"
    return 1


def check(make_panel, seed: int, profile: str, hazard: float, layout_odd: float, counting: bool = True) -> tuple[int, int]:
    """One text over one market: bound, half bound and unbound; returns how many values were known, of how many."""
    chooser = random.Random(seed)
    market = random_market(make_panel, seed, layout_odd)
    strategy = Writer(seed, hazard).strategy(profile)
    config = EngineConfig(profile=profile, loaded_lengths=chooser.choice(((5,), (3, 8))))
    params = [[chooser.choice(VALUES) for _ in range(N_VARS)] for _ in range(3)]
    emitted = emit_kernel(strategy, market.selected.layout)
    block = Block(market, emitted, config, 0, 0)
    known = total = 0
    for bound in (N_VARS, N_VARS // 2, 0):
        rows = [[*params[0][:bound], *row[bound:]] for row in params]
        batch = batch_windows(emitted, ParamMatrix.from_rows(rows), profile == "stom")
        windows = block.window_table(batch)
        bindings = {index: (float(params[0][index]), isinstance(params[0][index], float)) for index in range(bound)}
        values = BlockValues(
            block, windows[0], (batch.faults != 0).any(axis=0), bindings=bindings, elapsed=strategy.elapsed, counting=counting
        )
        reach = values.buying_rows(1)
        if seed % 4 == 3:
            reach &= np.random.default_rng(seed).random(len(reach)) < 0.2
        elapsed = values.elapsed_effects()
        gates, effects = {}, values.effects_of(strategy.buy, reach)
        for places, gate, within in values._groups(reach, 30):
            gate.run(strategy.buy, within)
            here = np.arange(values.n_rows)[places]
            gates |= {int(row): (gate, position) for position, row in enumerate(here)}
            assert np.array_equal(effects[here], reach[here] & gate.effects)
        for candidate in rows:
            interpreter = Interpreter(strategy, block.rows)
            for frame, fault in frames(market, interpreter, tuple(candidate)):
                where = f"seed {seed}, {profile}, {bound} bound, row {frame.row}, {fault or 'no fault'}"
                if "elapsed" in fault:
                    assert elapsed[frame.row] or not (counting or fault == "elapsed"), where
                    continue
                if not reach[frame.row]:
                    continue
                if fault and (counting or fault != "counted"):
                    assert effects[frame.row], where
                if fault not in ("", "counted"):
                    continue
                for name, expected in frame.temporaries.items():
                    gate, position = gates[frame.row]
                    is_known = check_value(gate.temporary(name).value, position, expected, f"{where}, {name}")
                    assert is_known or hazard or bound < N_VARS, f"{where}, {name} is not known"
                    known += is_known
                    total += 1
    return known, total


@pytest.fixture(autouse=True)
def _few_rows_are_taken_apart(monkeypatch):
    monkeypatch.setattr(row_values, "FEWEST", 2)
    monkeypatch.setattr(row_values_block, "RUN_ROWS", 30)
    monkeypatch.setattr(row_values_block, "TEXT_ROWS", 40)


@pytest.mark.parametrize("profile", ["stom", "corrected"])
@pytest.mark.parametrize("seed", range(12))
def test_what_is_known_of_rows_is_what_the_interpreter_finds(make_panel, seed, profile):
    with np.errstate(all="ignore"):
        for part in range(3):
            hazard = (0.0, 0.05, 0.2)[part]
            check(make_panel, 100 * part + seed, profile, hazard, (0.0, 0.1, 0.3)[seed % 3], counting=seed % 2 == 0)


@pytest.mark.parametrize("profile", ["stom", "corrected"])
@pytest.mark.parametrize("seed", range(8))
def test_expressions_over_a_block_are_the_interpreters(make_panel, seed, profile):
    market = random_market(make_panel, seed, 0.1)
    writer = Writer(500 + seed, 0.0)
    parts, number = tuple(writer.truth(2) for _ in range(4)), writer.number(3)
    body = (ir.Assign("가나", number), ir.Assign("매수", ir.Logic("and", parts)))
    strategy = ir.Strategy(ir.Program("buy", body), ir.Program("sell", ()), ("전략종료청산",), (), N_VARS, profile)
    candidate = [5, 3, 2.5, 0, -1, 1e12]
    emitted, config = emit_kernel(strategy, "tick_v1"), EngineConfig(profile=profile, loaded_lengths=(5,))
    block = Block(market, emitted, config, 0, 0)
    batch = batch_windows(emitted, ParamMatrix.from_rows([candidate]), profile == "stom")
    bindings = {index: (float(value), isinstance(value, float)) for index, value in enumerate(candidate)}
    values = BlockValues(block, block.window_table(batch)[0], (batch.faults != 0).any(axis=0), bindings=bindings)
    some = np.random.default_rng(seed).random(values.n_rows) < 0.2
    for reach in (None, some):
        numbers, number_unknown = values.numbers(number, reach)
        truth, unknown = values.truth(ir.Logic("and", parts), reach)
        if reach is not None:
            assert np.isnan(numbers[~reach]).all()
            assert not truth[~reach].any()
        with np.errstate(all="ignore"):
            for frame, fault in frames(market, Interpreter(strategy, block.rows), tuple(candidate)):
                if fault not in ("", "counted") or not (reach is None or reach[frame.row]):
                    continue
                if not number_unknown[frame.row]:
                    assert bits(numbers[frame.row]) == bits(frame.temporaries["가나"])
                if not unknown[frame.row]:
                    assert truth[frame.row] == bool(frame.temporaries["매수"])
