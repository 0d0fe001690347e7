"""What scripts mean, as IR."""

import pytest

from stom_ray.conditions import ir
from stom_ray.conditions.compile import compile_conditions, compile_strategy
from stom_ray.conditions.diagnostics import ScriptError
from stom_ray.conditions.ir import (
    Assign,
    Binary,
    Column,
    Compare,
    Const,
    If,
    Lag,
    Moment,
    State,
    Temp,
    TextTest,
    Unary,
    Var,
    Window,
)
from stom_ray.conditions.passes import reads
from stom_ray.conditions.printer import print_program, print_strategy, strategy_hash

SELL = "매도 = False"


def value(text: str, profile: str = "corrected", side: str = "buy") -> ir.Expr:
    """The expression that `결과 = text` compiles to."""
    script = f"결과 = {text}"
    strategy = (
        compile_strategy(script, SELL, profile=profile)
        if side == "buy"
        else compile_strategy("매수 = True", script, profile=profile)
    )
    (assign,) = strategy.buy.body if side == "buy" else strategy.sell.body
    assert isinstance(assign, Assign)
    return assign.value


def body(text: str) -> str:
    return print_program(compile_strategy(text, SELL).buy)


def test_precedence_is_pythons() -> None:
    assert value("-현재가 ** 2") == Unary("-", Binary("**", Column("현재가"), Const(2)))
    assert value("시가 - 고가 - 저가") == Binary("-", Binary("-", Column("시가"), Column("고가")), Column("저가"))
    assert value("2 ** 현재가 ** 2") == Binary("**", Const(2), Binary("**", Column("현재가"), Const(2)))
    assert value("not 시가 == 고가") == Unary("not", Compare(Column("시가"), (("==", Column("고가")),)))
    assert value("시가 or 고가 and 저가") == ir.Logic("or", (Column("시가"), ir.Logic("and", (Column("고가"), Column("저가")))))
    assert value("시가 if 고가 else 저가 if 현재가 else 1") == ir.Choose(
        Column("고가"), Column("시가"), ir.Choose(Column("현재가"), Column("저가"), Const(1))
    )


def test_comparisons_chain() -> None:
    assert value("1 < 등락율 <= 20") == Compare(Const(1), (("<", Column("등락율")), ("<=", Const(20))))
    assert value("(시가 < 고가) < 3") == Compare(Compare(Column("시가"), (("<", Column("고가")),)), (("<", Const(3)),))


def test_ints_and_floats_stay_apart() -> None:
    for text, expected in (
        ("3", int),
        ("3.0", float),
        ("3.", float),
        (".5", float),
        ("3e0", float),
        ("1_000", int),
        ("True", bool),
    ):
        constant = value(text)
        assert isinstance(constant, Const)
        assert type(constant.value) is expected


def test_names_find_their_kind() -> None:
    assert value("현재가") == Column("현재가")
    assert value("데이터길이") == State("데이터길이")
    assert value("현재가N(3)") == Lag("현재가", Const(3))
    assert value("이동평균(60)") == Window("이동평균", Const(60), Const(0))
    assert value("최고현재가(self.vars[2], 1)") == Window("최고현재가", Var(2), Const(1))
    assert value("self.vars[3][1]") == Var(3, subscripted=True)
    assert value("현재가N(int(보유시간))", side="sell") == Lag("현재가", ir.Call("int", (State("보유시간"),)))
    assert value("현재가N(-1)", side="sell") == Lag("현재가", Const(-1))


def test_decomposed_and_full_width_names_are_the_same_names() -> None:
    assert value("현재가") == value("현재가") == Column("현재가")
    assert value("ＶＩ가격") == Column("VI가격")


def test_times_are_compared_and_subtracted() -> None:
    assert value("(now() - VI해제시간).total_seconds()") == ir.SecondsBetween(Moment("now"), Moment("vi"))
    assert value("now() > timedelta_sec(30, VI해제시간)") == Compare(Moment("now"), ((">", Moment("vi", Const(30))),))
    assert value("timedelta_sec(1, timedelta_sec(2)) > VI해제시간") == Compare(Moment("now", Const(3)), ((">", Moment("vi")),))


def test_text_is_compared_either_way_round_and_in_lists() -> None:
    assert value("종목코드 == '005930'") == TextTest("종목코드", ("005930",))
    assert value('"005930" != 종목코드') == TextTest("종목코드", ("005930",), negated=True)
    assert value("종목명 not in ['가', \"나'\"]") == TextTest("종목명", ("가", "나'"), negated=True)
    assert value("종목명 in ('가', '나')") == TextTest("종목명", ("가", "나"))


def test_augmented_assignment_reads_the_temporary() -> None:
    text = "점수 = 0\n점수 += 현재가"
    assert compile_strategy(text, SELL).buy.body[1] == Assign("점수", Binary("+", Temp("점수"), Column("현재가")))


def test_elif_chains_nest_and_one_line_suites_are_blocks() -> None:
    one_line = "if 시가: 매수 = False\nelif 고가: pass\nelse: 매수 = True"
    blocks = "if 시가:\n    매수 = False\nelif 고가:\n    pass\nelse:\n    매수 = True"
    assert body(one_line) == body(blocks) == blocks + "\n"
    (chain,) = compile_strategy(blocks, SELL).buy.body
    assert isinstance(chain, If)
    assert isinstance(chain.orelse[0], If)


def test_brackets_and_backslashes_continue_a_line() -> None:
    plain = body("매수 = 시가 > 1 and 고가 > 2")
    assert body("매수 = (시가 > 1\n  # 설명\n\n and 고가 > 2)") == plain
    assert body("매수 = 시가 > 1 and \\\n        고가 > 2") == plain


def test_spans_count_characters_of_the_users_text() -> None:
    (_, chain) = compile_strategy("매수 = True\nif 현재가 > 시가N(3):\n    매수 = False", SELL).buy.body
    assert isinstance(chain, If)
    assert isinstance(chain.test, Compare)
    assert chain.test.at == ir.Span(2, 3, 15)
    assert chain.test.rest[0][1].at == ir.Span(2, 9, 15)


def test_the_text_ends_at_its_order_and_the_rest_is_warned_about() -> None:
    text = "매수 = 시가 > 1\nif 매수:\n    self.Buy(종목코드,\n        현재가)\n# 끝\n"
    assert compile_strategy(text, SELL).warnings == ()
    strategy = compile_strategy(text + "매수 = 없는이름 (\n", SELL)
    assert strategy.buy == compile_strategy(text, SELL).buy
    assert strategy.warnings[0].startswith("buy text, line 6, column 1: line 6 and what follows is never run")
    one_line = compile_strategy("매수 = 시가 > 1\nif 매수: self.Buy()\nx = 1", SELL)
    assert "line 3" in one_line.warnings[0]


def test_without_an_order_the_order_follows_the_last_line() -> None:
    assert (
        compile_strategy("매수 = 시가 > 1", SELL).buy == compile_strategy("매수 = 시가 > 1\nif 매수:\n    self.Buy()", SELL).buy
    )


def test_stom_cuts_at_these_words_wherever_they_stand() -> None:
    for sell in ("# if 매도:\n매도 = False", "매도 = False\nif 수익률 > 1:\n    if 매도:\n        x = 1"):
        with pytest.raises(ScriptError, match="STOM cuts the text"):
            compile_strategy("매수 = True", sell, profile="stom")
        compile_strategy("매수 = True", sell)


def test_a_text_that_never_decides_is_warned_about() -> None:
    warnings = compile_strategy("x = 1", "y = 1").warnings
    assert "every row buys" in warnings[0]
    assert "nothing sells" in warnings[1]


def test_a_temporary_that_some_path_leaves_unset_is_warned_about() -> None:
    text = "if 시가 > 1:\n    과열 = 1\nif 고가 > 1:\n    매수 = 과열 > 1"
    assert "`과열` is not set on every way" in compile_strategy(text, SELL).warnings[0]
    assert compile_strategy("과열 = 0\n" + text, SELL).warnings == ()
    both = "if 시가 > 1:\n    과열 = 1\nelse:\n    과열 = 2\n매수 = 과열 > 1"
    assert compile_strategy(both, SELL).warnings == ()


def test_windows_that_stop_stom_are_kept_and_warned_about() -> None:
    for length in ("60.0", "0", "60.5"):
        strategy = compile_strategy(f"매수 = 이동평균({length}) > 1", SELL, profile="stom")
        assert "STOM stops the run" in strategy.warnings[0]
    assert print_program(compile_strategy("매수 = 이동평균(60.0) > 1", SELL).buy) == "매수 = 이동평균(60) > 1\n"
    assert print_program(compile_strategy("매수 = 이동평균(60.0) > 1", SELL, profile="stom").buy) == "매수 = 이동평균(60.0) > 1\n"


def test_indicator_periods_are_read_and_have_no_effect_yet() -> None:
    text = "self.indicator['MACD'] = 12\n매수 = 시가 > 1"
    for layout in ("tick_v1", "minute_v1"):
        strategy = compile_strategy(text, SELL, layout=layout)
        assert len(strategy.buy.body) == 1
        assert "no effect" in strategy.warnings[0]
    with pytest.raises(ScriptError, match="set in the buy text"):
        compile_strategy("매수 = True", text)


def test_elapsed_expressions_pair_names_with_conditions() -> None:
    strategy = compile_strategy("매수 = 경과틱수('급등') > 0", SELL, elapsed="급등;고점;현재가N(1) > 2; 현재가 >= 고가")
    assert [name for name, _ in strategy.elapsed] == ["급등", "고점"]
    assert strategy.elapsed[1][1] == ir.Program("expr", (Assign("값", Compare(Column("현재가"), ((">=", Column("고가")),))),))
    assert strategy.warnings == ()
    unknown = compile_strategy("매수 = 경과틱수('급동') > 0", SELL, elapsed="급등;현재가 > 1")
    assert "always 0" in unknown.warnings[0]
    assert "did you mean `급등`" in unknown.warnings[0]


@pytest.mark.parametrize(
    ("elapsed", "column", "message"),
    [
        ("a;b;현재가 > 1", 1, "3 parts"),
        ("a;b;현재가 > 1;현재까 > 2", 13, "unknown name `현재까`"),
        ("a;a;현재가 > 1;현재가 > 2", 3, "used twice"),
        (" ;현재가 > 1", 1, "without a name"),
        ("a;수익률 > 1", 3, "while a position is held"),
        ("a;경과틱수('a') > 1", 3, "cannot stand in an elapsed-tick"),
        ("a;현재가N(-1) > 1", 8, "looks back to the buy row"),
        ("a;매수", 3, "unknown name"),
    ],
)
def test_a_mistake_in_the_elapsed_settings_is_located_there(elapsed: str, column: int, message: str) -> None:
    with pytest.raises(ScriptError) as caught:
        compile_strategy("매수 = True", SELL, elapsed=elapsed)
    assert (caught.value.line, caught.value.column) == (1, column)
    assert message in caught.value.summary
    assert elapsed in str(caught.value)


def test_condition_pairs_become_stoms_chains() -> None:
    strategy = compile_conditions(["등락율 < 1", "체결강도 < 100"], ["보유시간 > 90", "수익률 < -1.1"])
    assert strategy.labels == ("전략종료청산", "if 보유시간 > 90:", "elif 수익률 < -1.1:")
    whole = compile_strategy(strategy.buy_text, strategy.sell_text)
    assert print_strategy(whole).replace("    매수 = True\n", "").replace("    매도 = False\n", "") == print_strategy(strategy)


def test_a_mistaken_condition_line_is_named_by_its_place() -> None:
    with pytest.raises(ScriptError, match=r"sell condition, line 2, column 1: unknown name `현재까`"):
        compile_conditions([], ["수익률 > 1", "현재까 > 1"])
    for line in ("", "매도 = True", "a\nb", "if 현재가 > 1:", "현재가 > 1 #"):
        if line.endswith("#"):
            compile_conditions([line], [])
            continue
        with pytest.raises(ScriptError, match="buy condition, line 1"):
            compile_conditions([line], [])


def test_reads_lists_columns_behind_windows_look_backs_and_states() -> None:
    buy = (
        "매수 = 이동평균(60) > 1 and 체결강도N(3) > VI아래5호가 and now() > VI해제시간 and 누적초당매수수량(self.vars[4], 2) > 1"
    )
    found = reads(compile_strategy(buy, "매도 = 호가단위 > 수익률 or 이동평균(60) > self.vars[1]"))
    assert found.columns == tuple(
        sorted(("현재가", "체결강도", "VI가격", "VI호가단위", "VI해제시간", "초당매수수량", "매도호가1", "매도호가2"))
    )
    assert found.windows == (("이동평균", Const(60), Const(0)), ("누적초당매수수량", Var(4), Const(2)))
    assert found.vars == (1, 4)
    assert compile_strategy(buy, SELL).n_vars == 5


def test_the_hash_is_of_the_meaning_not_of_the_spelling() -> None:
    one = compile_strategy("매수 = True\nif (시가>1) : 매수=False # 설명", SELL)
    other = compile_strategy("\n매수 = True\nif 시가 > 1:\n    매수 = False\nif 매수:\n    self.Buy()", SELL)
    assert strategy_hash(one) == strategy_hash(other)
    assert len(strategy_hash(one)) == 64
    for different in (
        compile_strategy("매수 = True\nif 시가 > 1.0: 매수 = False", SELL),
        compile_strategy("매수 = True\nif (시가>1) : 매수=False", SELL, profile="stom"),
        compile_strategy("매수 = True\nif (시가>1) : 매수=False", "매도 = True"),
        compile_strategy("매수 = True\nif (시가>1) : 매수=False", SELL, elapsed="a;현재가 > 1"),
    ):
        assert strategy_hash(different) != strategy_hash(one)
