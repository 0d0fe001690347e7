"""Strategies as the kernels read them: columns of terms, how reasons are searched."""

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.printer import print_expr
from stom_ray.conditions.terms import NotCut
from stom_ray.engine.planned.cut import Cut, buy_column, cut, script_of
from stom_ray.engine.planned.exits import FALL, PCT, PEAK, RETRACE, RISE, SCAN, TERM, TIME, TRAIL, TRUE, TRUTH


def plan_of(buy="매수 = True", sell="매도 = True", **options):
    plan = cut(compile_strategy(buy, sell, **options), frozenset())
    assert isinstance(plan, Cut), plan
    return plan


def sale(*conditions):
    lines = [f"{'elif' if number else 'if'} {text}:\n    매도 = True" for number, text in enumerate(conditions)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("condition", "sign", "strict", "for_nan"),
    [
        ("등락율 > self.vars[1]", 1, True, False),
        ("등락율 >= self.vars[1]", 1, False, False),
        ("등락율 < self.vars[1]", -1, True, False),
        ("self.vars[1] >= 등락율", -1, False, False),
        ("not 등락율 > self.vars[1]", -1, False, True),
        ("not 등락율 <= self.vars[1]", 1, True, True),
    ],
)
def test_every_order_of_a_threshold_is_a_column_that_is_at_least_its_value(condition, sign, strict, for_nan):
    column = buy_column(plan_of(f"매수 = {condition}").terms.thresholds[0])
    assert (column.sign, column.strict, column.for_nan, column.plain) == (sign, strict, for_nan, True)
    values = np.array([1.0])
    assert (column.levels(values) > 1.0) == strict


def test_a_column_behind_a_product_or_a_sum_is_strict_itself():
    for condition in ("현재가 > 시가 * self.vars[1]", "현재가 > 시가 + self.vars[1]"):
        column = buy_column(plan_of(f"매수 = {condition}").terms.thresholds[0])
        assert not column.plain
        assert column.levels(np.array([1.0])) == 1.0


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        ("수익률 >= self.vars[1]", RISE),
        ("수익률 < self.vars[1]", FALL),
        ("최고수익률 > self.vars[1]", RISE),
        ("최저수익률 <= self.vars[1]", FALL),
        ("최고수익률 - 수익률 > self.vars[1]", TRAIL),
        ("보유시간 >= self.vars[1]", TIME),
        ("체결강도 < self.vars[1]", TERM),
        ("체결강도 < 90", TRUE),
        ("self.vars[1]", TERM),
        ("수익률 <= 최고수익률 * self.vars[1]", RETRACE),
        ("수익률 <= 최고수익률 - self.vars[1]", RETRACE),
        ("최고수익률 > 3 and 최고수익률 - 수익률 > self.vars[1]", RETRACE),
        ("최고수익률 > 3 and 수익률 < 최고수익률 * self.vars[1]", RETRACE),
        ("수익률 >= 최고수익률 * self.vars[1]", SCAN),
        ("최고수익률 < self.vars[1]", SCAN),
        ("최고수익률 - 수익률 < self.vars[1]", SCAN),
        ("보유시간 < self.vars[1]", SCAN),
        ("수익률 > 1 and 체결강도 < 90", SCAN),
        ("True", SCAN),
    ],
)
def test_what_can_only_begin_to_hold_is_searched(condition, kind):
    script = script_of(plan_of(sell=sale(condition)))
    assert script.kinds.tolist() == [kind]
    assert script.searched.tolist() == ([0] if kind != SCAN else [])
    assert script.scans == (kind == SCAN)


def test_reasons_keep_their_order_and_are_searched_cheapest_first():
    script = script_of(plan_of(sell=sale("최고수익률 - 수익률 > 1", "수익률 > 2 and 등락율 > 3", "보유시간 > 9", "수익률 > 2")))
    assert script.labels.tolist() == [1, 2, 3, 4]
    assert script.starts.tolist() == [0, 1, 3, 4, 5]
    assert script.quantities.tolist()[1:3] == [PCT, TRUTH]
    assert script.searched.tolist() == [2, 3, 0]


def test_equal_tick_atoms_share_a_column():
    plan = plan_of(sell=sale("체결강도 > self.vars[1]", "체결강도 >= self.vars[2] and 수익률 > 1", "체결강도 < self.vars[3]"))
    assert [(print_expr(tick.left), tick.sign) for tick in plan.ticks] == [("체결강도", 1), ("체결강도", -1)]


def test_columns_behind_a_product_are_apart_by_scale_and_order():
    plan = plan_of(
        sell=sale(
            "체결강도 > 회전율 * self.vars[1]",
            "체결강도 >= 회전율 * self.vars[2]",
            "체결강도 > 회전율 * self.vars[3] + 1",
            "체결강도 > 회전율 * self.vars[4]",
        )
    )
    assert len(plan.ticks) == 3


def test_numbers_that_python_takes_for_equal_have_columns_of_their_own():
    divisions = [f"체결강도 / (회전율 * {zero}) > self.vars[1]" for zero in ("0.0", "-0.0")]
    averages = [f"이동평균({length}) > self.vars[1]" for length in ("30", "30.0")]
    assert len(plan_of(sell=sale(*divisions)).ticks) == 2
    assert len(plan_of(sell=sale(*averages), profile="stom").ticks) == 2


def test_a_sell_text_that_cannot_be_cut_leaves_the_buy_terms_and_says_why():
    plan = plan_of("매수 = 등락율 > self.vars[1]", sale("수익률 > 등락율"))
    assert plan.reasons is None
    assert "수익률 > 등락율" in plan.uncut
    assert len(plan.terms.thresholds) == 1
    assert script_of(plan).kinds.tolist() == []


def test_a_buy_text_that_cannot_be_cut_is_no_plan():
    text = "if 등락율 > 2.5:\n    과열 = 1\n매수 = 등락율 > 2.5 and 과열 == 1"
    assert isinstance(cut(compile_strategy(text, "매도 = True"), frozenset()), NotCut)


def test_peaks_are_atoms_of_their_own_quantity():
    assert script_of(plan_of(sell=sale("최고수익률 > 3 and 수익률 < 1"))).quantities.tolist() == [PEAK, PCT]
