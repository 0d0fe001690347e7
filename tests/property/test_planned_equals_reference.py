"""Random scripts that can be cut, over random sessions: every plan's trades, faults and counts are the reference simulator's.

Each program is run over one market with three batches of parameter rows (of a grid, of their own, a single one), which makes the
kernel choose between its plans; the plans that it did not choose are forced. Sums without trades are those over the reference's
trades. The slow tests repeat this with more programs.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.entries import entry_trades
from stom_ray.engine.planned import transposed, walk
from stom_ray.engine.planned.kernel import CpuKernel
from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.reference import run_reference
from stom_ray.engine.types import EngineConfig, ParamMatrix, RunResult
from stom_ray.store.load import select
from stom_ray.store.panel import Selection

DAYS = (20230119, 20230120, 20230126)
COLUMNS = ("등락율", "체결강도", "초당매수수량", "초당매도수량", "회전율", "매도잔량1", "시가총액")
ROWS = (
    *COLUMNS[:5],
    "현재가",
    "현재가N(1)",
    "최고현재가(3)",
    "체결강도평균(3)",
    "등락율각도(3)",
    "초당매수수량 - 초당매도수량",
    "round(등락율 * 1.5, 1)",
    "데이터길이",
    "이동평균(3)",
)
GUARDS = ("시가총액 > 2", "체결강도 < 1", "not (회전율 > 2)", "데이터길이 % 2 == 0", "종목코드 == 'A'")
SCALES = ("초당매수수량", "현재가", "매도잔량1")
ORDERS = ("<", "<=", ">", ">=")
ODD = (0.0, -0.0, np.nan, np.inf, -np.inf, 0.5, 2.675, 1e300, 5e-324)


STYLES = ("plain", "plain", "uncut", "plain", "plain", "risky")  # of a program, by its seed; all but plain take longer


class Script:
    """Writes a buy and a sell text, and parameter rows for them.

    style: `risky` with divisions and lengths that may fail, `uncut` with a sell text that cannot be cut, `plain` without either.
    """

    def __init__(self, seed: int, style: str) -> None:
        self.random = random.Random(seed)
        self.risky, self.uncut = style == "risky", style == "uncut"
        self.kinds: list[str] = []  # of self.vars[1], self.vars[2], ...
        self.buy, self.sell = self.buy_text(), self.sell_text()

    def pick(self, *options):
        return self.random.choice(options)

    def var(self, kind: str) -> str:
        self.kinds.append(kind)
        return f"self.vars[{len(self.kinds)}]"

    # Texts

    def buy_text(self) -> str:
        return "\n".join(["매수 = True", *(self.exclusion() for _ in range(self.random.randint(1, 4)))])

    def exclusion(self) -> str:
        test, guard = self.comparison(), self.pick(*GUARDS)
        forms = (
            f"if not ({test}):\n    매수 = False",
            f"if {test}:\n    매수 = False",
            f"if {guard}:\n    if not ({test}):\n        매수 = False\nelif not ({self.comparison()}):\n    매수 = False",
            f"if not ({guard} or {test}):\n    매수 = False",
            f"if not ({guard}) or {test}:\n    매수 = False",
        )
        return self.pick(*forms)

    def comparison(self) -> str:
        row, order, kind = self.row(), self.pick(*ORDERS), self.random.random()
        if kind < 0.25:
            return f"{row} {order} {self.pick(-1, 0, 1, 2, 3.5, 1000, 1005)}"
        if kind < 0.6:
            return f"{row} {order} {self.var('row')}" if self.pick(True, False) else f"{self.var('row')} {order} {row}"
        if kind < 0.72:
            return f"{row} {order} {self.mark(self.var('scale'), self.var('row'))}"
        if kind < 0.8:
            return f"{row} {order} 1 + {self.var('row')} / 2"
        if kind < 0.85 and self.risky:
            return f"{row} {order} 1 / {self.var('divisor')}"
        return f"{self.pick('최고현재가', '체결강도평균')}(self.vars[0]) {order} {self.var('row')}"

    def mark(self, factor: str, term: str) -> str:
        """Row and parameters in one sum or product."""
        scale, row = self.pick(*SCALES), self.row()
        forms = (f"{scale} * {factor}", f"{row} + {term}", f"{term} - {row}", f"{row} - {term}", f"{factor} * {scale} + {row}")
        return self.pick(*forms, f"{scale} * {factor} - {row}", f"{row} - {scale} * {factor}", f"{term} + {row}")

    def row(self) -> str:
        risks = ("초당매수수량 / 초당매도수량", "등락율 % 회전율") if self.risky else ()
        return self.pick(*ROWS, *risks)

    def sell_text(self) -> str:
        if self.uncut:
            test = self.pick("수익률 > 등락율", "현재가 < 현재가N(-1)", "수익률 == 0.5", "최저수익률 + 1 < 수익률")
            return f"if {test} or 수익률 < {self.var('fall')}:\n    매도 = True\nelif 보유시간 >= 20:\n    매도 = True"
        lines = ["매도 = False"]
        for number in range(self.random.randint(1, 4)):
            lines.append(f"{'if' if number == 0 or self.pick(True, False) else 'elif'} {self.reason()}:\n    매도 = True")
        if self.random.random() < 0.1:
            lines.append(f"if {self.pick(*GUARDS)}:\n    매도 = False")
        return "\n".join(lines)

    def reason(self) -> str:
        held, rise, fall = f"보유시간 >= {self.var('held')}", self.var("rise"), self.var("fall")
        row, order = self.row(), self.pick(*ORDERS)
        forms = (
            f"수익률 >= {rise}",
            f"수익률 < {fall}",
            f"수익률 >= {rise} or 수익률 <= {fall}",
            held,
            f"최고수익률 - 수익률 {self.pick('>', '>=')} {rise}",
            f"최고수익률 > {rise}",
            f"최저수익률 <= {fall}",
            f"최고수익률 <= {rise} and 보유시간 > 5",
            f"수익률 {order} 최고수익률 * {self.var('scale')}",
            f"최고수익률 >= {rise} and 수익률 <= 최고수익률 - {self.var('rise')}",
            f"{row} {order} {self.var('row')}",
            f"{row} {order} {self.mark(self.var('scale'), self.var('row'))}",
            f"{self.mark(self.var('scale'), self.var('row'))} {order} {row} or {row} {order} 1",
            f"{row} {order} {self.pick(0, 1, 2.5, 1003)}",
            f"수익률 > {rise} and not ({row} {order} {self.var('row')})",
            f"보유시간 > {self.random.randint(0, 20)} and 수익률 < {fall}",
            f"보유시간 > {self.random.randint(0, 20)} and 최고수익률 > {rise} and 수익률 < {self.var('rise')}",
            f"최고수익률 > {rise} and 수익률 <= {self.var('rise')} and {self.pick(*GUARDS)}",
        )
        return self.pick(*forms)

    # Parameters

    def rows(self, count: int, shared: bool) -> ParamMatrix:
        """shared: few values of each variable, as in a grid; else each row its own."""
        sizes = [self.random.randint(1, 3) if shared else count for _ in self.kinds]
        pools = [[self.value(kind) for _ in range(size)] for kind, size in zip(self.kinds, sizes, strict=True)]
        lengths = self.pick((1, 3), (3,), (2, 3, 5)) if shared else self.pick((1,), (3,))
        lengths = (*lengths, 2.5) if self.risky and self.pick(True, False) else lengths
        return ParamMatrix.from_rows([[self.pick(*pool) for pool in (lengths, *pools)] for _ in range(count)])

    def value(self, kind: str) -> float:
        uniform = self.random.uniform
        match kind:
            case "row":
                return self.pick(-1, 0, 1, 2, 3, 1000, 1003, 995.5, uniform(-3, 8), self.random.randint(980, 1020))
            case "scale":
                return self.pick(0, 0.5, 1, 1.5, uniform(-0.5, 3))
            case "divisor":
                return self.pick(0, 0.5, 2)
            case "rise":
                return self.pick(0, 0.5, 1, uniform(-0.5, 2))
            case "fall":
                return self.pick(0, -0.5, -1, uniform(-2, 0.5))
        return self.pick(0, 1, 3, 10, 5.5, uniform(0, 30))


def market(make_panel, seed: int, odd: float, deep: bool = False):
    """Three instruments, sessions of 1 to 150 rows with gaps in time. odd: share of values that are no plain numbers.

    deep: whether the bids take any number of shares; else they are thin.
    """
    rng = np.random.default_rng(seed)
    sessions = [
        ("A", DAYS[0], 45),
        ("A", DAYS[1], 1),
        ("A", DAYS[2], 150),
        ("B", DAYS[0], 2),
        ("B", DAYS[1], 70),
        ("C", DAYS[2], 1),
    ]
    n = sum(rows for _, _, rows in sessions)

    def spoiled(values, share):
        return np.where(rng.random(n) < share, rng.choice(ODD, n), values)

    columns = {name: spoiled(rng.integers(-3, 9, n) * rng.choice([1.0, 0.5], n), odd) for name in COLUMNS}
    price = 1_000.0 + rng.integers(-6, 7, n).cumsum()
    columns |= {"현재가": np.where(rng.random(n) < odd / 4, np.nan, price), "관심종목": (rng.random(n) < 0.9).astype(float)}
    for level in range(1, 6):
        columns |= {f"매도호가{level}": price + level, f"매수호가{level}": price - level}
        columns |= {f"매도잔량{level}": rng.choice([0.0, 40.0, 300.0], n), f"매수잔량{level}": rng.choice([0.0, 30.0, 300.0], n)}
    if deep:
        columns |= {f"매수잔량{level}": 1e6 for level in range(1, 6)}
    panel = make_panel(sessions, **columns)
    return replace(panel, clock=later(panel, rng.choice([0, 0, 0, 1, 7], n)))


def later(panel, gaps):
    """The panel's clock with more seconds between the rows."""
    found = panel.clock.copy()
    for first, end in zip(panel.offsets[:-1], panel.offsets[1:], strict=True):
        seconds = 9 * 3_600 + np.arange(end - first) + gaps[first:end].cumsum()
        day = panel.clock[first] // 1_000_000
        found[first:end] = day * 1_000_000 + seconds // 3_600 * 10_000 + seconds // 60 % 60 * 100 + seconds % 60
    return found


@dataclass
class Reached:
    """What the programs came upon."""

    trades: int = 0
    plans: set[str] = field(default_factory=set)
    labels: set[int] = field(default_factory=set)
    outcomes: int = 0  # runs in which the generated sell text gave the outcomes
    mixed: int = 0  # runs in which a planned and a generated session were joined
    unfit: int = 0  # runs with parameters that no plan takes
    stopped: int = 0
    divisions: int = 0
    forced: int = 0
    delayed: int = 0  # sales that a deeper book would have made earlier
    small: int = 0  # trades of too few shares for the exit index
    listed: int = 0  # trades of candidates that enter together, whose exits are looked up in tables

    def add(self, other: Reached) -> None:
        for name, value in vars(other).items():
            if isinstance(value, set):
                getattr(self, name).update(value)
            else:
                setattr(self, name, getattr(self, name) + value)


def assert_equal(got, expected, *, counted: bool = True) -> None:
    assert got.faults == expected.faults
    if counted:
        assert got.zero_divisions == expected.zero_divisions
    for name, right in vars(expected.trades).items():
        left = getattr(got.trades, name)
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left.view(np.int64), right.view(np.int64), err_msg=name)


def assert_totals(got: Totals, expected: RunResult, n: int, selection: Selection) -> None:
    assert got.faults == expected.faults
    for name, right in vars(Totals.of(expected, n, selection.selected.session_day)).items():
        if name != "faults":
            np.testing.assert_array_equal(getattr(got, name), right, err_msg=name)


def settings_of(chooser: random.Random, profile: str) -> EngineConfig:
    return EngineConfig(
        profile=profile,
        betting=chooser.choice((50_000.0, 150_000.0, 2_000.0)),
        avgtime=chooser.choice((1, 3)),
        gate_var0=chooser.random() < 0.3,
        loaded_lengths=chooser.choice(((3,), (30,))),
        bid_levels=chooser.choice((1, 5)),
        costs=chooser.choice(("stom", "krx")),
    )


# FEW, SHARED and ROWS_AT_ONCE of the walk: as they are; candidates that share values; values of their own, together or in pieces
PLANS = ((walk.FEW, walk.SHARED, walk.ROWS_AT_ONCE), (1 << 40, 0, 1), (-1, 0, 24), (-1, 0, 5))


@cache
def checked(make_panel, seed: int) -> Reached:
    """Compares every plan of one program with the reference; what was reached."""
    style = STYLES[seed % 6]
    script, chooser, reached = Script(seed, style), random.Random(seed + 7), Reached()
    profile = ("stom", "corrected")[seed // 6 % 2]
    strategy = compile_strategy(script.buy, script.sell, profile=profile)
    config = settings_of(chooser, profile)
    part = {} if chooser.random() < 0.7 else {"days": DAYS[1:], "time": (90_000, 90_120)}
    selection = select(market(make_panel, seed, 0.02 if style == "risky" else 0.0), **part)
    kernel = CpuKernel(strategy, selection, config)
    by_instrument = CpuKernel(strategy, selection, config, memory_bytes=1)
    uncounted = CpuKernel(strategy, selection, config, counting=False)
    for rows in (script.rows(24, True), script.rows(9, False), script.rows(1, False)):
        expected = run_reference(strategy, selection, rows, config)
        for few, shared, at_once in (*PLANS[:2], PLANS[2 + seed % 2]):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(walk, "FEW", few)
                patch.setattr(walk, "SHARED", shared)
                patch.setattr(walk, "ROWS_AT_ONCE", at_once)
                assert_equal(kernel.run(rows), expected)
                reached.add(used(kernel))
                assert_equal(by_instrument.run(rows, threads=3), expected)
                assert_totals(kernel.totals(rows, threads=2), expected, len(rows), selection)
                assert_totals(by_instrument.totals(rows), expected, len(rows), selection)
        assert_equal(kernel.run(rows, threads=2), expected)
        assert_equal(uncounted.run(rows), expected, counted=False)
        reached.add(found_in(expected, selection, listed=seed % 2 == 0))
    if style == "plain":
        deep = CpuKernel(strategy, select(market(make_panel, seed, 0.0, deep=True), **part), config)
        reached.delayed += delayed(kernel, deep, script.rows(24, True))
    return reached


def delayed(kernel: CpuKernel, deep: CpuKernel, rows: ParamMatrix) -> int:
    """How many positions are sold later than in a market whose book takes any number of shares."""
    thin, thick = kernel.run(rows).trades, deep.run(rows).trades
    at_once = dict(zip(zip(thick.candidate, thick.buy_row, strict=True), thick.sell_row, strict=True))
    sales = zip(thin.candidate, thin.buy_row, thin.sell_row, strict=True)
    return sum(int(at_once.get((candidate, bought), sold) < sold) for candidate, bought, sold in sales)


def used(kernel: CpuKernel) -> Reached:
    return Reached(
        plans={plan.name for plan in kernel.plans},
        mixed=sum(0 < plan.generated_sessions < plan.sessions for plan in kernel.plans),
        unfit=sum("stops" in plan.reason for plan in kernel.plans),
        outcomes=sum("generated sell text" in plan.reason for plan in kernel.plans),
    )


def found_in(result: RunResult, selection: Selection, listed: bool) -> Reached:
    trades = result.trades
    _, together = np.unique(trades.buy_row, return_counts=True)
    lasts = selection.selected.offsets[1:] - 1
    return Reached(
        trades=len(trades),
        labels=set(trades.label.tolist()),
        stopped=len(result.faults),
        divisions=sum(result.zero_divisions.values()),
        forced=int((trades.sell_row == lasts[trades.session]).sum()),
        small=int((trades.buy_amount < 14 * trades.buy_price).sum()),
        listed=int(together[together >= transposed.LISTED].sum()) if listed else 0,
    )


SEEDS = range(24)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_plan_trades_and_faults_as_the_reference_does(seed, make_panel):
    checked(make_panel, seed)


def test_the_programs_reach_every_way_through_the_kernels(make_panel):
    reached = Reached()
    for seed in SEEDS:
        reached.add(checked(make_panel, seed))
    assert reached.trades > 5_000
    assert reached.plans == {"grid", "rows", "generated"}
    assert len(reached.labels) > 3
    assert min(reached.outcomes, reached.mixed, reached.unfit, reached.stopped) > 0
    assert min(reached.divisions, reached.forced, reached.delayed, reached.small, reached.listed) > 200


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 300))
def test_many_programs_trade_and_fault_as_the_reference_does(seed, make_panel):
    checked(make_panel, seed)


@pytest.mark.parametrize("seed", [2, 11])
def test_each_entry_is_the_trade_of_the_reference_that_buys_just_there(seed, make_panel):
    script, profile = Script(seed, STYLES[seed % 6]), ("stom", "corrected")[seed // 6 % 2]
    there = f"self.vars[{len(script.kinds) + 1}]"
    strategy = compile_strategy(f"if 데이터길이 != {there}:\n    매수 = False", script.sell, profile=profile)
    config = replace(settings_of(random.Random(seed + 7), profile), avgtime=1, gate_var0=False)
    selection = select(market(make_panel, seed, 0.02 if script.risky else 0.0))
    values = script.rows(1, False).values[0].tolist()
    every_row = ParamMatrix.from_rows([[*values, count] for count in range(1, 150)])
    expected = run_reference(strategy, selection, every_row, config)
    assert not expected.faults
    watched = selection.selected.column("관심종목") > 0  # the reference buys nothing else
    got = entry_trades(strategy, selection, ParamMatrix.from_rows([[*values, 0]]), config, rows=watched)
    order = np.argsort(expected.trades.buy_row)
    assert len(got) > 200
    for name in set(vars(got)) - {"candidate"}:
        np.testing.assert_array_equal(getattr(got, name), getattr(expected.trades, name)[order], err_msg=name)
