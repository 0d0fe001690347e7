"""Folding never changes meaning, dead branches go, the verifier catches broken IR."""

import pytest

from stom_ray.conditions import ir
from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.fold import fold
from stom_ray.conditions.ir import Assign, Binary, Call, Column, Compare, Const, If, Logic, Program, Temp, Unary, Window
from stom_ray.conditions.passes import PASSES, drop_dead_branches, run_passes
from stom_ray.conditions.printer import print_expr, print_program
from stom_ray.conditions.verifier import MalformedIR, verify_program, verify_strategy
from stom_ray.schema.windows import WINDOW_SOURCE

PRICE = Column("현재가")


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("2 + 3 * 4", "14"),
        ("7 // 2", "3"),
        ("7 / 2", "3.5"),
        ("-7 % 3", "2"),
        ("2 ** 10", "1024"),
        ("2 ** -1", "0.5"),
        ("1 / 0", "1 / 0"),
        ("1 % 0", "1 % 0"),
        ("1 // 0.0", "1 // 0.0"),
        ("(-8) ** 0.5", "-8 ** 0.5"),
        ("10 ** 60", "10 ** 60"),
        ("999999999 ** 999999999", "999999999 ** 999999999"),
        ("10.0 ** 64 ** 9", "10.0 ** 64 ** 9"),
        ("int(3.9)", "3"),
        ("int(-3.9)", "-3"),
        ("round(2.675, 2)", "2.67"),
        ("round(2.5)", "2"),
        ("round(2.5, 0)", "2.0"),
        ("min(3, 1.0)", "1.0"),
        ("abs(-3)", "3"),
        ("float(3)", "3.0"),
        ("1 < 2 < 3", "True"),
        ("1 < 2 > 3", "False"),
        ("not 0", "True"),
        ("True + True", "2"),
        ("-True", "-1"),
        ("현재가 if 1 else 시가", "현재가"),
        ("현재가 if 0.0 else 시가", "시가"),
        ("1 and 현재가", "현재가"),
        ("현재가 and 1", "현재가 and 1"),
        ("현재가 and 0 and 시가", "현재가 and 0"),
        ("0 or 현재가", "현재가"),
        ("현재가 or 1 or 시가", "현재가 or 1"),
        ("0 and 현재가", "0"),
        ("(현재가 and 시가) and 고가", "현재가 and 시가 and 고가"),
        ("현재가 and (시가 or 고가)", "현재가 and (시가 or 고가)"),
        ("현재가 * 0", "현재가 * 0"),
        ("현재가 + 1 + 2", "현재가 + 1 + 2"),
        ("round(2.5, 0.5)", "round(2.5, 0.5)"),
    ],
)
def test_constants_fold_as_python_computes_them_and_what_raises_stays(text: str, folded: str) -> None:
    (assign,) = compile_strategy(f"x = {text}", "매도 = False").buy.body
    assert isinstance(assign, Assign)
    expected = folded.replace("-8 **", "(-8) **")
    assert print_expr(assign.value) == expected


def test_folding_reaches_into_every_kind_of_node() -> None:
    text = "x = abs(이동평균(30 + 30, 2 - 1)) if 현재가N(1 + 1) > 1 + 1 else (timedelta_sec(1 + 1) - VI해제시간).total_seconds()"
    assert print_program(compile_strategy(text, "매도 = False").buy) == (
        "x = abs(이동평균(60, 1)) if 현재가N(2) > 2 else (timedelta_sec(2) - VI해제시간).total_seconds()\n"
    )


def test_a_tick_number_is_never_folded_away() -> None:
    node = Binary("/", PRICE, Const(0))
    assert fold(node) is node or fold(node) == node


def test_dead_branches_go_and_the_live_ones_stay_in_place() -> None:
    text = "x = 1\nif 1 > 2:\n    x = 2\nelif 현재가:\n    x = 3\nif True:\n    x = 4\nelse:\n    x = 5"
    expected = "x = 1\nif 현재가:\n    x = 3\nx = 4\n"
    assert print_program(compile_strategy(text, "매도 = False").buy) == expected


def test_an_if_without_statements_still_evaluates_its_test() -> None:
    program = Program("buy", (If(Binary("/", Const(1), Const(0)), (), ()),))
    assert drop_dead_branches(program) == program


def test_the_passes_are_named_and_reach_a_fixed_point() -> None:
    assert [step.name for step in PASSES] == ["fold constants", "drop dead branches"]
    program = Program("buy", (If(Compare(Const(1), (("<", Const(2)),)), (Assign("x", Unary("-", Const(2))),)),))
    once = run_passes(program)
    assert once == Program("buy", (Assign("x", Const(-2)),)) == run_passes(once)


@pytest.mark.parametrize(
    ("node", "problem"),
    [
        (Temp("없음"), "never set"),
        (Const("글"), "TEXT"),
        (ir.Moment("now"), "MOMENT"),
        (Binary("+", ir.Moment("now"), Const(1)), "MOMENT"),
        (Compare(ir.Moment("now"), ((">", PRICE),)), "comparison"),
        (Compare(PRICE, ()), "comparison"),
        (Logic("and", (PRICE,)), "`and` of 1"),
        (Call("round", ()), "round of 0"),
        (ir.Lag("VI해제시간", Const(1)), "look-back of VI해제시간"),
        (ir.Lag("현재가", Const(-1)), "look-back -1"),
        (Window("이동평균", Const(60), Const(-2)), "look-back -2"),
        (Window("이동평균", Const(100_000), Const(0)), "window length"),
        (Window("모름", Const(10), Const(0)), "window 모름"),
        (ir.State("수익률"), "without a position"),
        (ir.TextTest("종목코드", ()), "a test of"),
        (ir.Var(-1), "self.vars[-1]"),
    ],
)
def test_the_verifier_names_what_is_broken(node: ir.Expr, problem: str) -> None:
    with pytest.raises(MalformedIR) as caught:
        verify_program(Program("buy", (Assign("x", node),)), after="a pass")
    assert problem in str(caught.value)
    assert "after a pass, buy program" in str(caught.value)


def test_the_verifier_checks_reasons_and_parameters_of_a_strategy() -> None:
    buy, sell = Program("buy", ()), Program("sell", (ir.SetLabel(2),))
    with pytest.raises(MalformedIR, match="sell reason 2 of 1"):
        verify_strategy(ir.Strategy(buy, sell, ("", "a")))
    with pytest.raises(MalformedIR, match="sell reason"):
        verify_program(Program("buy", (ir.SetLabel(1),)))
    with pytest.raises(MalformedIR, match=r"self.vars\[3\] of 1"):
        verify_strategy(ir.Strategy(Program("buy", (Assign("x", ir.Var(3)),)), Program("sell", ()), ("",), n_vars=1))
    with pytest.raises(MalformedIR, match="kinds"):
        verify_strategy(ir.Strategy(sell, buy, ("",)))


def test_every_window_function_has_its_base_column() -> None:
    assert set(WINDOW_SOURCE) == set(ir.WINDOW_FUNCTIONS)
