"""Random programs over random sessions: the kernel's trades, faults and counts are the reference simulator's, bit for bit.

One program compiles in seconds, so there are few and they are big: each is run over several panels, parameter rows, thread counts
and memory limits. The slow tests repeat this with more programs, and once with numba's bounds checks.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stom_ray.conditions import ir
from stom_ray.conditions.verifier import verify_strategy
from stom_ray.engine.kernel import CompiledKernel
from stom_ray.engine.reference import run_reference
from stom_ray.engine.types import EngineConfig, ParamMatrix, Weighting
from stom_ray.store.load import select

N_VARS = 6
COLUMNS = (
    "현재가",
    "등락율",
    "체결강도",
    "초당매수수량",
    "초당매도수량",
    "초당거래대금",
    "당일거래대금",
    "전일비",
    "회전율",
    "매도잔량1",
)
LAGS = ("현재가", "체결강도", "초당매수수량", "관심종목")
NUMBERS = (0, 1, 2, 3, 7, -1, -4, 0.0, -0.0, 0.5, 1.5, 2.675, -2.5, 100.0, 1e16, 2**53 - 1, True)
NO_PRICE = (0.0, -0.0, np.nan, -5.0)
ODD = (0.0, -0.0, np.nan, np.inf, -np.inf, 0.5, -0.5, 2.675, 1e300, 5e-324)
VALUES = (1, 2, 3, 5, 9, 30, 2.0, 3.0, 2.5, 0, 0.0, -1, -2.5, 1e12)
DAYS = (20230119, 20230120, 20230126)


class Writer:
    """Writes random programs. hazard: chance, per place, of something that may stop the candidate."""

    def __init__(self, seed: int, profile: str, hazard: float, size: int) -> None:
        self.size = size
        self.random = random.Random(seed)
        self.profile = profile
        self.hazard = hazard
        self.variables = 0.12 if seed % 2 else 0.02  # the fewer, the more rows are closed to all candidates
        self.line = 0
        self.side = "buy"
        self.known: list[str] = []
        self.maybe: list[str] = []

    def strategy(self) -> ir.Strategy:
        elapsed = tuple((name, self.elapsed_program()) for name in ("가", "나")[: self.random.randint(0, 2)])
        buy, sell = self.program("buy"), self.program("sell")
        strategy = ir.Strategy(buy, sell, ("전략종료청산", "하나", "둘"), elapsed, N_VARS, self.profile)
        verify_strategy(strategy)
        return strategy

    def at(self) -> ir.Span:
        self.line += 1
        return ir.Span(self.line, self.line % 7, self.line % 7 + 1)

    def pick(self, *options):
        return self.random.choice(options)

    def risks(self) -> bool:
        return self.random.random() < self.hazard

    # Statements

    def elapsed_program(self) -> ir.Program:
        self.side, self.known, self.maybe = "expr", [], []
        return ir.Program("expr", (ir.Assign("값", self.truth(2), self.at()),))

    def program(self, side) -> ir.Program:
        decision = "매수" if side == "buy" else "매도"
        self.side, self.known, self.maybe = side, [decision], []
        body = [statement for _ in range(self.size) for statement in self.statement(2)]
        if side == "buy":
            often = ir.Compare(ir.Binary("%", ir.State("데이터길이"), ir.Const(self.pick(2, 3, 5))), (("==", ir.Const(1)),))
            body.append(ir.If(self.truth(2), (ir.Assign("매수", often),), (ir.Assign("매수", self.number(2)),)))
        else:
            body.append(ir.If(self.truth(3), (ir.SetLabel(2), ir.Assign("매도", ir.Const(True)))))
        return ir.Program(side, tuple(body))

    def statement(self, depth: int) -> list[ir.Stmt]:
        if depth and self.random.random() < 0.45:
            return [self.branch(depth)]
        if self.side == "sell" and self.random.random() < 0.15:
            return [ir.SetLabel(1), ir.Assign("매도", self.truth(1), self.at())]
        name = self.pick("가나", "다라", "마바", "사아")
        value = self.number(3) if self.random.random() < 0.7 else self.truth(2)
        self.known = [*self.known, name]
        return [ir.Assign(name, value, self.at())]

    def branch(self, depth: int) -> ir.If:
        test, before = self.truth(2), self.known
        then = tuple(s for _ in range(self.random.randint(1, 2)) for s in self.statement(depth - 1))
        after_then, self.known = self.known, before
        orelse = tuple(s for _ in range(self.random.randint(0, 2)) for s in self.statement(depth - 1))
        self.maybe = [*self.maybe, *after_then, *self.known]
        self.known = [name for name in after_then if name in self.known]
        return ir.If(test, then, orelse, self.at())

    def odd_count(self) -> ir.Expr:
        """A row count that may be anything but an illegal literal, which the compiler refuses."""
        found = self.number(1)
        return ir.Var(2, False, self.at()) if isinstance(found, ir.Const) else found

    # Expressions

    def truth(self, depth: int) -> ir.Expr:
        kind = self.random.random()
        if depth and kind < 0.3:
            operands = tuple(self.truth(depth - 1) for _ in range(self.random.randint(2, 3)))
            return ir.Logic(self.pick("and", "or"), operands, self.at())
        if depth and kind < 0.38:
            return ir.Unary("not", self.truth(depth - 1), self.at())
        if kind < 0.42:
            return ir.TextTest(self.pick("종목코드", "종목명"), ("A", "비"), self.pick(True, False), self.at())
        if kind < 0.48:
            return ir.Compare(self.moment(), ((self.pick("<", ">="), self.moment()),), self.at())
        if kind < 0.52:
            return self.number(depth)
        rest = tuple((self.pick("<", "<=", ">", ">=", "==", "!="), self.number(depth)) for _ in range(self.pick(1, 1, 1, 2)))
        return ir.Compare(self.number(depth), rest, self.at())

    def moment(self) -> ir.Moment:
        return ir.Moment(self.pick("now", "vi"), self.pick(None, self.number(1)), self.at())

    def number(self, depth: int) -> ir.Expr:
        if depth and self.random.random() < 0.6:
            return self.compound(depth)
        kind = self.random.random()
        if kind < 0.3:
            return ir.Column(self.pick(*COLUMNS), self.at())
        if kind < 0.42:
            return ir.Const(self.pick(*NUMBERS), self.at())
        if kind < 0.42 + self.variables:
            return ir.Var(self.random.randrange(N_VARS), self.risks() and self.pick(True, False), self.at())
        if kind < 0.66:
            return self.state()
        if kind < 0.8 and self.known:
            return ir.Temp(self.pick(*self.known), self.at())
        if kind < 0.82 and self.maybe and self.risks():
            return ir.Temp(self.pick(*self.maybe), self.at())
        if kind < 0.86 and self.side != "expr":
            return ir.Elapsed(self.pick("가", "나", "없음"), self.at())
        return ir.Lag(self.pick(*LAGS), self.look_back(), self.at())

    def state(self) -> ir.State:
        names = ["데이터길이", "시분초", "호가단위", "VI아래5호가"]
        if self.side == "sell":
            names += ["수익률", "최고수익률", "최저수익률", "보유시간", "매수틱번호", "보유수량", "수익금"]
        return ir.State(self.pick(*names), self.at())

    def compound(self, depth: int) -> ir.Expr:
        kind = self.random.random()
        if kind < 0.3:
            return self.binary(depth)
        if kind < 0.52:
            return ir.Window(self.pick(*ir.WINDOW_FUNCTIONS), self.length(), self.look_back(), self.at())
        if kind < 0.66:
            function = self.pick("min", "max")
            return ir.Call(function, tuple(self.number(depth - 1) for _ in range(self.pick(2, 2, 3))), self.at())
        if kind < 0.76:
            digits = (ir.Const(self.pick(-2, 0, 1, 2)),) if not self.risks() else (self.number(1),)
            return ir.Call("round", (self.number(depth - 1), *digits), self.at())
        if kind < 0.82:
            return ir.Call(self.pick("float", "abs"), (self.number(depth - 1),), self.at())
        if kind < 0.86:
            function = self.pick("int", "round") if self.risks() else "abs"
            return ir.Call(function, (self.number(depth - 1),), self.at())
        if kind < 0.92:
            return ir.Choose(self.truth(1), self.number(depth - 1), self.number(depth - 1), self.at())
        if kind < 0.95:
            return ir.SecondsBetween(self.moment(), self.moment(), self.at())
        if kind < 0.97:
            return ir.Logic(self.pick("and", "or"), (self.number(depth - 1), self.number(depth - 1)), self.at())
        return ir.Unary(self.pick("-", "+"), self.number(depth - 1), self.at())

    def binary(self, depth: int) -> ir.Expr:
        op = self.pick("+", "-", "*", "+", "-", "*", "/", "//", "%", "**")
        left, right = self.number(depth - 1), self.number(depth - 1)
        if op in ("/", "//", "%") and not self.risks():
            if self.pick(True, False):
                left = ir.Column(self.pick(*COLUMNS), self.at())
            else:
                right = ir.Const(self.pick(3, -2, 2.5, 0.1), self.at())
        if op == "**" and not self.risks():
            left = ir.Column(self.pick(*COLUMNS), self.at())
            right = ir.Const(self.pick(2, 0.5, 3, -1), self.at())
        return ir.Binary(op, left, right, self.at())

    def length(self) -> ir.Expr:
        kind = self.random.random()
        if self.risks():
            return self.pick(ir.Const(2.0), ir.Const(0), self.odd_count(), ir.Call("int", (ir.Var(1),), self.at()))
        if kind < 0.6:
            return ir.Const(self.pick(1, 2, 3, 5, 8, 9, 17, 30), self.at())
        if kind < 0.8:
            return ir.Var(0, False, self.at())
        longer = ir.Binary("+", ir.Binary("%", ir.State("데이터길이"), ir.Const(5)), ir.Const(1))
        return self.pick(longer, ir.Call("max", (ir.Const(1), ir.Const(2))))

    def look_back(self) -> ir.Expr:
        kind = self.random.random()
        if self.risks():
            return self.pick(ir.Var(2, False, self.at()), self.odd_count(), ir.Const(1.0))
        if self.side == "sell" and kind < 0.2:
            return ir.Const(-1, self.at())
        if kind < 0.8:
            return ir.Const(self.pick(0, 0, 1, 2, 6), self.at())
        if self.side == "sell":
            return ir.Call("max", (ir.Const(-1), ir.Binary("-", ir.State("데이터길이"), ir.Const(self.pick(4, 30)))))
        return ir.Binary("%", ir.State("시분초"), ir.Const(4))


def random_panel(make_panel, seed: int, odd: float):
    """Short sessions of three instruments, one of a single row. odd: share of values that are NaN, infinite or tiny."""
    rng = np.random.default_rng(seed)
    sessions = [
        ("A", DAYS[0], 45),
        ("A", DAYS[1], 1),
        ("A", DAYS[2], 30),
        ("B", DAYS[0], 2),
        ("B", DAYS[1], 25),
        ("C", DAYS[2], 1),
    ]
    n = sum(rows for _, _, rows in sessions)

    def spoiled(values, share, by=ODD):
        return np.where(rng.random(n) < share, rng.choice(by, n), values)

    columns = {name: spoiled(rng.integers(-3, 9, n) * rng.choice([1.0, 0.5, 100.0], n), odd) for name in COLUMNS}
    price = 1_000.0 + rng.integers(-20, 20, n).cumsum()
    columns |= {"현재가": spoiled(price, odd / 4, NO_PRICE), "관심종목": (rng.random(n) < 0.9).astype(float)}
    for level in range(1, 6):
        columns |= {f"매도호가{level}": spoiled(price + level, odd / 4, NO_PRICE)}
        columns |= {f"매수호가{level}": spoiled(price - level, odd / 4, NO_PRICE)}
        columns |= {f"매도잔량{level}": rng.choice([0.0, 40.0, 300.0], n), f"매수잔량{level}": rng.choice([0.0, 30.0, 300.0], n)}
    columns |= {
        "VI가격": price + 50.0,
        "VI호가단위": rng.choice([1.0, 5.0], n),
        "VI해제시간": rng.choice([0.0, 20230119090010.0], n),
    }
    columns |= {"고가": price + 9.0, "저가": price - 9.0}
    return make_panel(sessions, names={"B": "비"}, **columns)


def random_rows(seed: int, count: int, calm: bool) -> ParamMatrix:
    chooser = random.Random(seed)
    rows = [[chooser.choice(VALUES[:6] if calm else VALUES) for _ in range(N_VARS)] for _ in range(count)]
    for row in rows[: count // 2]:
        row[0] = chooser.choice((1, 2, 3, 5, 9))
    return ParamMatrix.from_rows(rows)


def assert_equal(got, expected):
    assert got.faults == expected.faults
    assert got.zero_divisions == expected.zero_divisions
    for name in vars(expected.trades):
        left, right = getattr(got.trades, name), getattr(expected.trades, name)
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left.view(np.int64), right.view(np.int64), err_msg=name)


def configuration(seed: int, profile: str) -> EngineConfig:
    chooser = random.Random(seed)
    return EngineConfig(
        betting=chooser.choice((50_000.0, 150_000.0)),
        avgtime=chooser.choice((1, 2, 5)),
        loaded_lengths=chooser.choice(((5,), (3, 8), (30,))),
        ask_levels=chooser.choice((2, 5)),
        bid_levels=chooser.choice((1, 5)),
        weighting=Weighting(chooser.choice((0, 1, 3)), (0.0, 1.0, 2.0, 5.0), (1.0, 0.5, 2.0, 1.0, 1.5)),
        costs=chooser.choice(("stom", "krx")),
        profile=profile,
    )


def check_program(make_panel, seed: int, profile: str, hazard: float, size: int = 6) -> int:
    """One program over several panels; returns how many trades were compared."""
    strategy = Writer(seed, profile, hazard, size).strategy()
    compared = 0
    for part, (odd, calm) in enumerate(((0.0, True), (0.02, True), (0.15, False))):
        panel = random_panel(make_panel, seed * 10 + part, odd)
        selection = select(panel) if part != 1 else select(panel, days=(DAYS[1], DAYS[2]), time=(90_000, 90_028))
        config = configuration(seed + part, profile)
        params = random_rows(seed + part, 6, calm)
        expected = run_reference(strategy, selection, params, config)
        kernel = CompiledKernel(strategy, selection, config)
        assert_equal(kernel.run(params), expected)
        for threads in (2, 3):
            assert_equal(kernel.run(params, threads), expected)
        by_instrument = CompiledKernel(strategy, selection, config, memory_bytes=1)
        assert_equal(by_instrument.run(params, 2), expected)
        compared += len(expected.trades)
    return compared


# profile, hazard, seed: small programs with trades, with faults, with divisions by zero, with different rows for each candidate
PROGRAMS = [("stom", 0.0, 5), ("stom", 0.015, 10), ("corrected", 0.0, 2), ("corrected", 0.15, 8)]


@pytest.mark.parametrize(("profile", "hazard", "seed"), PROGRAMS)
def test_random_programs_trade_and_fault_as_in_the_reference(profile, hazard, seed, make_panel):
    assert check_program(make_panel, seed, profile, hazard, size=3) > 20


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 130))
def test_many_random_programs_trade_and_fault_as_in_the_reference(seed, make_panel):
    for profile, hazard, _ in PROGRAMS:
        check_program(make_panel, seed, profile, hazard)


@pytest.mark.slow
def test_no_kernel_reads_outside_its_arrays(tmp_path):
    """The same programs with numba's bounds checks, which only a fresh process can switch on."""
    environment = os.environ | {
        "NUMBA_BOUNDSCHECK": "1",
        "STOM_RAY_CACHE": str(tmp_path / "kernels"),
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    name = f"{Path(__file__)}::{test_random_programs_trade_and_fault_as_in_the_reference.__name__}"
    done = subprocess.run([sys.executable, "-m", "pytest", "-x", name], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
