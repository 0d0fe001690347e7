"""Searches along the exit index against the first row on which a reason holds, by its definition."""

from typing import NamedTuple

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.planned import exits, index
from stom_ray.engine.planned.candidates import candidates_of
from stom_ray.engine.planned.cut import cut, script_of
from stom_ray.engine.planned.prepared import set_bits
from stom_ray.engine.types import ParamMatrix

COST = (0.0018, 0.00015, 10.0)
N = 120
ENTRY, LAST, PAID = 3, N - 1, 1_001.0


class At(NamedTuple):
    """수익률, 최고수익률, 최저수익률, 보유시간 and 체결강도 on a row."""

    pct: float
    peak: float
    trough: float
    held: float
    tick: float


# A reason as written, and as a rule of a row and the value
SEARCHED = {
    "수익률 >= self.vars[1]": lambda at, v: at.pct >= v,
    "수익률 > self.vars[1]": lambda at, v: at.pct > v,
    "수익률 <= -self.vars[1]": lambda at, v: at.pct <= -v,
    "수익률 < -self.vars[1]": lambda at, v: at.pct < -v,
    "최고수익률 >= self.vars[1]": lambda at, v: at.peak >= v,
    "최저수익률 < -self.vars[1]": lambda at, v: at.trough < -v,
    "최고수익률 - 수익률 >= self.vars[1]": lambda at, v: at.peak - at.pct >= v,
    "최고수익률 - 수익률 > self.vars[1]": lambda at, v: at.peak - at.pct > v,
    "보유시간 >= self.vars[1] * 10": lambda at, v: at.held >= v * 10,
    "보유시간 > self.vars[1] * 10": lambda at, v: at.held > v * 10,
    "체결강도 > self.vars[1]": lambda at, v: at.tick > v,
    "체결강도 <= self.vars[1]": lambda at, v: at.tick <= v,
    "체결강도 < 1": lambda at, v: at.tick < 1,
    "수익률 <= 최고수익률 * self.vars[1]": lambda at, v: at.pct <= at.peak * v,
    "수익률 < 최고수익률 * self.vars[1]": lambda at, v: at.pct < at.peak * v,
    "수익률 < 최고수익률 - self.vars[1]": lambda at, v: at.pct < at.peak - v,
    "최고수익률 > 0.5 and 수익률 <= 최고수익률 * self.vars[1]": lambda at, v: at.peak > 0.5 and at.pct <= at.peak * v,
    "최고수익률 > 0.5 and 최고수익률 - 수익률 > self.vars[1]": lambda at, v: at.peak > 0.5 and at.peak - at.pct > v,
}
SCANNED = {
    "최고수익률 < self.vars[1] and 보유시간 > 9": lambda at, v: at.peak < v and at.held > 9,
    "보유시간 > 20 and 최고수익률 > self.vars[1] and 수익률 < 0.3": (lambda at, v: at.held > 20 and at.peak > v and at.pct < 0.3),
    "최고수익률 > self.vars[1] and 최저수익률 < -0.4": lambda at, v: at.peak > v and at.trough < -0.4,
    "수익률 >= 최고수익률 * self.vars[1] and 보유시간 > 15": lambda at, v: at.pct >= at.peak * v and at.held > 15,
    "수익률 > self.vars[1] and 체결강도 < 1": lambda at, v: at.pct > v and at.tick < 1,
}
VALUES = (-1, 0, 0.2, 0.37, 0.5, 1, 2, 50)


class Position:
    """A session, a position bought in it, and sell reasons for one candidate."""

    def __init__(self, seed, sell, value, quantity=100.0):
        rng = np.random.default_rng(seed)
        self.prices = 1_000.0 + rng.integers(-4, 5, N).cumsum()
        self.tick = rng.integers(-2, 4, N).astype(np.float64)
        self.seconds = np.cumsum(rng.choice([1.0, 1.0, 1.0, 6.0], N))
        plan = cut(compile_strategy("매수 = True", sell), frozenset())
        self.script = script_of(plan).kernel()
        self.values = candidates_of(plan, ParamMatrix.from_rows([[1, value]]), False).exits[0]
        self.quantity, self.bought = quantity, quantity * PAID
        self.scale = exits.estimate(self.bought, PAID, COST)
        ticks = np.array([tick.sign * self.tick for tick in plan.ticks]).reshape(len(plan.ticks), N)
        truths = np.zeros((len(plan.truths), (N + 63) >> 6), dtype=np.uint64)
        for bits in truths:  # 체결강도 < 1 is the only one
            set_bits(self.tick < 1.0, 0, bits)
        self.bids = np.full((11, N), 1_000.0)  # prices, shares, 현재가: the first rows of a block's matrix
        self.market = market_of(self.prices, self.seconds, ticks, self.bids, truths)

    def holds(self, rule, row, value):
        pct = [exits.pct_at(price, self.bought, self.quantity, COST) for price in self.prices[ENTRY + 1 : row + 1]]
        held = self.seconds[row] - self.seconds[ENTRY]
        return rule(At(pct[-1], max(0.0, *pct), min(0.0, *pct), held, self.tick[row]), value)

    def first(self, rule, value, bound=LAST):
        return next((row for row in range(ENTRY + 1, bound) if self.holds(rule, row, value)), bound)

    def searched(self, bound=LAST):
        at = (ENTRY, ENTRY + 1, bound, 0, self.values, self.bought, self.quantity, COST, self.scale, self.market, self.script)
        return exits.first_holding(*at)

    def listed(self, bound=LAST):
        """By the table of rows by level, among a lower and a higher one."""
        value = self.values[0]
        levels, one = np.array([[value - 0.5, value, value + 0.5]]), np.array([3])
        records = np.empty((1, N)), np.empty((1, N), dtype=np.int64), np.zeros(1, dtype=np.int64)
        at = (ENTRY, bound, self.bought, self.quantity, COST, self.scale, self.market, self.script)
        exits.list_records(*at, levels, one, records)
        values, rows, counts = records
        assert (np.diff(values[0, : counts[0]]) >= 0).all()
        out = np.empty(3, dtype=np.int32)
        exits.rows_by_level(levels[0], 3, values[0], rows[0], counts[0], out)
        exits.list_records(*at, levels[:, 1:2].copy(), np.array([1]), records)
        alone = np.empty(1, dtype=np.int32)
        exits.rows_by_level(levels[0, 1:2], 1, values[0], rows[0], counts[0], alone)
        assert alone[0] == out[1]
        return min(int(out[1]), bound)

    def scanned(self, exact, row=ENTRY + 1, bound=LAST):
        at = (
            ENTRY,
            row,
            bound,
            False,
            exact,
            self.bought,
            self.quantity,
            COST,
            self.scale,
            self.values,
            self.market,
            self.script,
        )
        return exits.scan(*at)


def market_of(prices, seconds, ticks, bids, truths):
    offsets = np.array([0, N])
    higher, lower = np.empty((2, N), dtype=np.int32)
    lows, tick_higher = np.empty(N), np.empty(ticks.shape, dtype=np.int32)
    index.next_higher(prices, offsets[:-1], offsets[1:], higher)
    index.next_lower(prices, offsets[:-1], offsets[1:], lower)
    index.low_before_higher(prices, offsets[:-1], offsets[1:], higher, lows)
    for number in range(len(ticks)):
        index.next_higher(ticks[number], offsets[:-1], offsets[1:], tick_higher[number])
    entry = np.full((2, N), 100.0)
    return prices, seconds, higher, lower, lows, tick_higher, ticks, bids, entry, truths


def sale(condition):
    return f"if {condition}:\n    매도 = True"


@pytest.mark.parametrize("condition", SEARCHED)
def test_a_search_finds_the_first_row_on_which_its_reason_holds(condition):
    found = set()
    for seed in range(8):
        for value in VALUES:
            position = Position(seed, sale(condition), value)
            assert position.script[3].tolist() != [exits.SCAN]
            for bound in (LAST, 30, ENTRY + 1):
                expected = position.first(SEARCHED[condition], value, bound)
                assert position.searched(bound) == expected
                if position.script[3][0] not in (exits.TIME, exits.RETRACE):
                    assert position.listed(bound) == expected
            expected = position.first(SEARCHED[condition], value)
            assert position.scanned(True) == position.scanned(False) == expected
            found.add(expected)
    assert len(found) > 2


@pytest.mark.parametrize("condition", SCANNED)
def test_a_scan_skips_no_row_on_which_its_reason_holds(condition):
    found = set()
    for seed in range(20):
        for value in VALUES:
            position = Position(seed, sale(condition), value)
            expected = position.first(SCANNED[condition], value)
            assert position.scanned(True) == position.scanned(False) == expected
            found.add(expected)
    assert len(found - {ENTRY + 1, LAST}) > 3


def test_a_scan_that_begins_later_still_knows_the_best_and_the_worst_gain_before():
    for seed in range(20):
        condition = "최고수익률 > self.vars[1] and 최저수익률 < -0.4"
        position = Position(seed, sale(condition), 0.5)
        for row in (20, 60, LAST):
            expected = next((at for at in range(row, LAST) if position.holds(SCANNED[condition], at, 0.5)), LAST)
            assert position.scanned(True, row) == position.scanned(False, row) == expected


def test_the_estimate_is_within_its_slack():
    for quantity in (1.0, 7.0, 100.0, 5_000.0):
        a, b, slack = exits.estimate(quantity * PAID, PAID, COST)
        for price in np.arange(700.0, 1_300.0):
            assert abs(a * price - b - exits.pct_at(price, quantity * PAID, quantity, COST)) <= slack


def test_the_reason_of_a_sale_is_the_first_in_the_order_of_the_text():
    sell = "\n".join(
        ["if 최저수익률 < 0:\n    매도 = True", "elif 보유시간 >= 5:\n    매도 = True", "elif 보유시간 >= 1:\n    매도 = True"]
    )
    for seed in range(10):
        position = Position(seed, sell, 0)
        for row in (ENTRY + 1, ENTRY + 4, ENTRY + 20):
            at = (ENTRY, row, position.bought, position.quantity, COST, position.values, position.market, position.script)
            rules = (
                lambda at, v: at.trough < 0,
                lambda at, v: at.held >= 5,
                lambda at, v: at.held >= 1,
            )
            expected = next(number for number, rule in enumerate(rules) if position.holds(rule, row, 0))
            assert exits.reason_at(*at) == expected


def test_a_sale_that_the_book_does_not_take_waits_for_the_next_row_on_which_a_reason_holds():
    position = Position(1, sale("체결강도 > self.vars[1]"), 1)
    wanted = [row for row in range(ENTRY + 1, LAST) if position.tick[row] > 1]
    position.bids[5:10, wanted[:3]] = 0.0
    at = (
        LAST,
        True,
        position.bought,
        position.quantity,
        5,
        COST,
        position.scale,
        position.values,
        position.market,
        position.script,
    )
    assert exits.sell_from(ENTRY, wanted[0], *at) == (wanted[3], 1_000.0)
    position.bids[5:10, wanted] = 0.0
    assert exits.sell_from(ENTRY, wanted[0], *at) == (LAST, 1_000.0)
