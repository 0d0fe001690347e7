"""Random programs: printed and compiled again they are the same, and constants are computed as Python computes them."""

from __future__ import annotations

import ast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stom_ray.conditions import ir
from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.ir import Expr, Program, Stmt
from stom_ray.conditions.passes import run_passes
from stom_ray.conditions.printer import print_expr, print_program

COLUMNS = ("현재가", "시가", "체결강도", "초당매수수량", "VI가격", "관심종목")
LAGGED = COLUMNS[:4]
TEMPORARIES = ("점수", "기준")

numbers = st.one_of(
    st.booleans(),
    st.integers(-1_000_000, 1_000_000),
    st.floats(-1e6, 1e6, allow_nan=False, allow_infinity=False).filter(
        lambda value: "e" not in repr(value) and len(repr(value)) < 17
    ),
)
row_counts = st.one_of(st.integers(0, 1_200).map(ir.Const), st.integers(0, 8).map(ir.Var))
lengths = st.one_of(st.integers(1, 1_200).map(ir.Const), st.integers(0, 8).map(ir.Var))
leaves = st.one_of(
    numbers.map(ir.Const),
    st.sampled_from(COLUMNS).map(ir.Column),
    st.sampled_from(TEMPORARIES).map(ir.Temp),
    st.sampled_from(("데이터길이", "시분초", "호가단위")).map(ir.State),
    st.builds(ir.Var, st.integers(0, 8), st.booleans()),
    st.builds(ir.Lag, st.sampled_from(LAGGED), row_counts),
    st.builds(ir.Window, st.sampled_from(ir.WINDOW_FUNCTIONS), lengths, row_counts),
    st.builds(ir.TextTest, st.sampled_from(ir.TEXT_NAMES), st.tuples(st.sampled_from(("005930", "삼성's"))), st.booleans()),
    st.builds(ir.Elapsed, st.just("급등")),
)


def moments(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[ir.Moment]:
    return st.builds(ir.Moment, st.sampled_from(("now", "vi")), st.none() | inner)


def compound(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    relations = st.sampled_from(("<", "<=", ">", ">=", "==", "!="))
    calls = [st.builds(ir.Call, st.sampled_from(("int", "float", "abs", "round")), st.tuples(inner))]
    calls += [st.builds(ir.Call, st.just("round"), st.tuples(inner, st.integers(0, 3).map(ir.Const)))]
    calls += [st.builds(ir.Call, st.sampled_from(("min", "max")), st.lists(inner, min_size=2, max_size=3).map(tuple))]
    return st.one_of(
        st.builds(ir.Unary, st.sampled_from(("-", "+", "not")), inner),
        st.builds(ir.Binary, st.sampled_from(("+", "-", "*", "/", "//", "%", "**")), inner, inner),
        st.builds(ir.Compare, inner, st.lists(st.tuples(relations, inner), min_size=1, max_size=2).map(tuple)),
        st.builds(ir.Compare, moments(inner), st.tuples(st.tuples(relations, moments(inner)))),
        st.builds(ir.SecondsBetween, moments(inner), moments(inner)),
        st.builds(ir.Logic, st.sampled_from(("and", "or")), st.lists(inner, min_size=2, max_size=4).map(tuple)),
        st.builds(ir.Choose, inner, inner, inner),
        *calls,
    )


expressions: st.SearchStrategy[Expr] = st.recursive(leaves, compound, max_leaves=12)
assigns = st.builds(ir.Assign, st.sampled_from(("매수", *TEMPORARIES)), expressions)


def branches(inner: st.SearchStrategy[Stmt]) -> st.SearchStrategy[Stmt]:
    body = st.lists(inner, max_size=2).map(tuple)
    return st.builds(ir.If, expressions, body, body)


statements: st.SearchStrategy[Stmt] = st.recursive(assigns, branches, max_leaves=4)
START: tuple[Stmt, ...] = tuple(ir.Assign(name, ir.Const(0)) for name in TEMPORARIES)
programs = st.lists(statements, max_size=4).map(lambda body: Program("buy", START + tuple(body)))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(programs)
def test_a_printed_program_compiles_back_to_itself(program: Program) -> None:
    expected = run_passes(program)
    compiled = compile_strategy(print_program(program), "매도 = False", elapsed="급등;현재가 > 1").buy
    assert print_program(compiled) == print_program(expected)
    again = compile_strategy(print_program(compiled), "매도 = False", elapsed="급등;현재가 > 1").buy
    assert again == compiled


constants: st.SearchStrategy[Expr] = st.recursive(
    st.one_of(st.integers(0, 9), st.sampled_from((0.5, 2.5)), st.booleans()).map(ir.Const), compound, max_leaves=8
).filter(lambda node: "now()" not in print_expr(node) and "VI" not in print_expr(node) and "timedelta" not in print_expr(node))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(constants)
def test_a_constant_expression_is_read_as_python_reads_it(node: Expr) -> None:
    text = print_expr(node)
    (assign,) = compile_strategy(f"x = {text}", "매도 = False").buy.body
    assert isinstance(assign, ir.Assign)
    folded = print_expr(assign.value)
    assert folded == print_expr(run_passes(Program("buy", (ir.Assign("x", node),))).body[0].value)  # type: ignore[union-attr]
    if isinstance(assign.value, ir.Const):
        # Python's own compiler and arithmetic, on a text made of numbers and operators that this test wrote.
        functions = {"int": int, "float": float, "abs": abs, "round": round, "min": min, "max": max}
        value = eval(compile(ast.parse(text, mode="eval"), "constant", "eval"), {"__builtins__": functions})
        assert (type(value), value) == (type(assign.value.value), assign.value.value)
