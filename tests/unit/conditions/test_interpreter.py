"""What scripts mean, one row at a time."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.faults import FaultError
from stom_ray.conditions.frame import Frame
from stom_ray.conditions.interpreter import Interpreter
from stom_ray.conditions.rows import Rows
from stom_ray.store.panel import Selection

SELL = "if 수익률 > 1:\n    매도 = True"


@pytest.fixture
def evaluate(make_panel):
    """evaluate(expression, ...) -> the value on one row of an eight-row day after a five-row one."""

    def run(
        expression, *, profile="stom", row=10, variables=(), side="buy", loaded=(3,), layout="tick_v1", position=None, **columns
    ):
        defaults = {"현재가": np.arange(100.0, 113.0), "매도호가2": 1002.0, "매도호가1": 1001.0}
        panel = make_panel(
            [("000001", 20230102, 5), ("000001", 20230103, 8)], layout=layout, names={"000001": "가나"}, **(defaults | columns)
        )
        texts = {"buy": "매수 = True", "sell": SELL} | {side: f"결과 = {expression}"}
        strategy = compile_strategy(texts["buy"], texts["sell"], profile=profile, layout=layout)
        interpreter = Interpreter(strategy, Rows(Selection(panel, panel, np.arange(13)), loaded))
        frame = Frame(variables=variables, code="000001", name="가나", day=20230103, row=row, count=row - 4, buy_row=row - 2)
        for name, value in (position or {}).items():
            setattr(frame, name, value)
        with np.errstate(all="ignore"):
            (interpreter.buys if side == "buy" else interpreter.sells)(frame)
        return SimpleNamespace(value=frame.temporaries["결과"], zero_divisions=frame.zero_divisions)

    return run


def kind_of(evaluate, *arguments, **options):
    with pytest.raises(FaultError) as caught:
        evaluate(*arguments, **options)
    return caught.value.kind


class TestNumbers:
    def test_a_tick_number_divides_like_ieee(self, evaluate):
        assert evaluate("현재가 / 시가", 시가=0.0).value == math.inf
        assert math.isnan(evaluate("시가 / 시가", 시가=0.0).value)

    @pytest.mark.parametrize(
        "expression", ["1 / (데이터길이 - 6)", "1 // (데이터길이 - 6)", "1 % (데이터길이 - 6)", "0 ** (5 - 데이터길이)"]
    )
    def test_a_plain_number_stops_at_zero_as_stom_does(self, evaluate, expression):
        assert kind_of(evaluate, expression) == "zero_division"

    @pytest.mark.parametrize("expression", ["현재가 / 시가", "현재가 // 시가", "현재가 % 시가", "1 / (데이터길이 - 6)"])
    def test_the_corrected_profile_counts_divisions_by_zero_and_goes_on_with_nan(self, evaluate, expression):
        result = evaluate(expression, profile="corrected", 시가=0.0)
        assert math.isnan(result.value)
        assert result.zero_divisions == {"buy:1": 1}

    def test_a_tick_number_rounds_by_scaling_and_a_plain_one_to_the_decimal(self, evaluate):
        assert evaluate("round(등락율, 2)", 등락율=2.675).value == 2.68
        assert evaluate("round(self.vars[0], 2)", variables=(2.675,)).value == 2.67

    def test_float_makes_a_number_plain(self, evaluate):
        assert evaluate("round(float(등락율), 2)", 등락율=2.675).value == 2.67

    def test_round_without_digits_is_half_even_and_plain(self, evaluate):
        value = evaluate("round(등락율)", 등락율=2.5).value
        assert (value, type(value)) == (2, int)

    def test_int_truncates_towards_zero(self, evaluate):
        assert evaluate("int(등락율)", 등락율=-2.7).value == -2

    @pytest.mark.parametrize("function", ["int", "round"])
    @pytest.mark.parametrize("x", [math.nan, math.inf])
    def test_a_number_without_an_integer_stops(self, evaluate, function, x):
        assert kind_of(evaluate, f"{function}(등락율)", 등락율=x) == "no_integer"
        assert kind_of(evaluate, f"{function}(등락율)", profile="corrected", 등락율=x) == "no_integer"

    def test_a_fractional_power_of_a_negative_number_is_nan_for_ticks_and_stops_for_plain_numbers(self, evaluate):
        assert math.isnan(evaluate("등락율 ** 0.5", 등락율=-4.0).value)
        assert kind_of(evaluate, "(데이터길이 - 9) ** 0.5") == "complex_power"

    def test_a_power_without_bound_becomes_a_float_or_stops(self, evaluate):
        assert evaluate("(데이터길이 + 4) ** 20").value == 1e20
        assert kind_of(evaluate, "(데이터길이 + 4) ** 4000") == "overflow"

    def test_whole_numbers_beyond_exactness_continue_as_floats(self, evaluate):
        value = evaluate("(데이터길이 + 9999999999) * 9999999999").value
        assert (value, type(value)) == (float(10000000005 * 9999999999), float)

    def test_nan_fails_every_comparison_but_is_true(self, evaluate):
        for op in ("<", "<=", ">", ">=", "=="):
            assert evaluate(f"등락율 {op} 등락율", 등락율=math.nan).value is False
        assert evaluate("등락율 != 등락율", 등락율=math.nan).value is True
        assert evaluate("1 if 등락율 else 2", 등락율=math.nan).value == 1

    def test_comparisons_chain_and_stop_at_the_first_that_fails(self, evaluate):
        assert evaluate("5 < 데이터길이 < 7").value is True
        assert evaluate("7 < 데이터길이 < 1 / (데이터길이 - 6)").value is False

    def test_and_or_give_the_deciding_operand(self, evaluate):
        assert evaluate("데이터길이 and 7").value == 7
        assert evaluate("데이터길이 or 1 / (데이터길이 - 6)").value == 6
        assert evaluate("0 or 등락율", 등락율=3.0).value == 3.0

    def test_truth_values_count_as_numbers(self, evaluate):
        assert evaluate("(데이터길이 > 1) + (데이터길이 > 2)").value == 2

    def test_min_and_max_return_an_operand_as_it_is(self, evaluate):
        assert type(evaluate("max(데이터길이, 등락율)").value) is int
        assert type(evaluate("min(데이터길이, 등락율)").value) is np.float64

    def test_signs_not_and_abs(self, evaluate):
        assert evaluate("-현재가 + abs(-데이터길이) + +3").value == -101.0
        assert evaluate("not 현재가").value is False
        assert evaluate("not 현재가N(6)").value is True

    @pytest.mark.parametrize("digits", ["보유시간", "데이터길이 * 9"])
    def test_digits_that_are_no_small_whole_number_stop(self, evaluate, digits):
        assert kind_of(evaluate, f"round(현재가, {digits})", side="sell") == "digits"

    def test_zero_to_a_negative_power_is_a_division_by_zero(self, evaluate):
        result = evaluate("등락율 ** -1", profile="corrected", 등락율=0.0)
        assert math.isnan(result.value)
        assert result.zero_divisions == {"buy:1": 1}
        assert evaluate("등락율 ** -1", 등락율=0.0).value == math.inf


class TestNames:
    def test_states_of_the_row(self, evaluate):
        assert evaluate("데이터길이").value == 6
        assert evaluate("시분초").value == 90005
        assert evaluate("호가단위").value == 1.0
        assert evaluate("VI아래5호가", VI가격=5010.0, VI호가단위=10.0).value == 4980.0

    def test_the_tick_unit_of_the_wide_layout_is_the_ladders_and_plain(self, evaluate):
        value = evaluate("호가단위", layout="tick_v2", 현재가=3000.0).value
        assert (value, type(value)) == (5, int)
        assert evaluate("순매수금액", layout="tick_v2", 초당매수금액=7.0, 초당매도금액=9.0).value == -2.0

    def test_states_of_a_position(self, evaluate):
        held = {"profit_pct": 1.5, "best_pct": 2.0, "worst_pct": -1.0, "hold_s": 7.0, "quantity": 3, "profit_krw": 40}
        for name, value in (("수익률", 1.5), ("최고수익률", 2.0), ("최저수익률", -1.0), ("보유시간", 7.0), ("매수틱번호", 8)):
            assert evaluate(name, side="sell", position=held).value == value
        for name, value in (("보유수량", 3), ("수익금", 40)):
            assert evaluate(name, side="sell", layout="tick_v2", position=held).value == value

    def test_code_and_name_are_compared_with_texts(self, evaluate):
        assert evaluate("종목코드 == '000001'").value is True
        assert evaluate("종목명 not in ['가나', '다라']").value is False

    def test_times_are_compared_and_subtracted(self, evaluate):
        assert evaluate("(now() - VI해제시간).total_seconds()", VI해제시간=20230103085905.0).value == 60.0
        assert evaluate("now() > timedelta_sec(60, VI해제시간)", VI해제시간=20230103085905.0).value is False
        assert evaluate("now() > timedelta_sec(59, VI해제시간)", VI해제시간=20230103085905.0).value is True
        assert evaluate("timedelta_sec(-5) >= VI해제시간", VI해제시간=20230103090000.0).value is True

    def test_a_missing_release_time_fails_every_comparison(self, evaluate):
        assert evaluate("now() > VI해제시간", VI해제시간=0.0).value is False
        assert evaluate("(now() - VI해제시간).total_seconds() < 60", VI해제시간=math.nan).value is False

    def test_variables_are_ints_or_floats_as_written(self, evaluate):
        assert type(evaluate("self.vars[0]", variables=(60,)).value) is int
        assert type(evaluate("self.vars[0]", variables=(60.0,)).value) is float

    def test_a_subscripted_variable_stops_in_stom_and_is_the_variable_in_corrected(self, evaluate):
        assert kind_of(evaluate, "self.vars[0][1]", variables=(60,)) == "subscript"
        assert evaluate("self.vars[0][1]", variables=(60,), profile="corrected").value == 60


class TestLookBack:
    def test_rows_of_the_day_then_the_plain_zero(self, evaluate):
        assert evaluate("현재가N(0)").value == 110.0
        assert evaluate("현재가N(5)").value == 105.0
        value = evaluate("현재가N(6)").value
        assert (value, type(value)) == (0, int)

    def test_without_history_a_division_stops_and_with_it_not(self, evaluate):
        assert kind_of(evaluate, "1 / 현재가N(6)") == "zero_division"
        assert evaluate("1 / 등락율N(5)").value == math.inf

    def test_minus_one_is_the_buy_row(self, evaluate):
        assert evaluate("현재가N(-1)", side="sell").value == 108.0

    @pytest.mark.parametrize("profile", ["stom", "corrected"])
    def test_the_future_is_refused_when_it_depends_on_the_row(self, evaluate, profile):
        assert kind_of(evaluate, "현재가N(데이터길이 - 7)", profile=profile) == "future"
        assert kind_of(evaluate, "현재가N(데이터길이 - 8)", profile=profile, side="sell") == "future"
        assert evaluate("현재가N(데이터길이 - 7)", profile=profile, side="sell").value == 108.0

    def test_a_float_is_no_look_back_in_stom_and_a_whole_one_is_in_corrected(self, evaluate):
        held = {"hold_s": 2.0}
        assert kind_of(evaluate, "현재가N(보유시간)", side="sell", position=held) == "float_lookback"
        assert evaluate("현재가N(int(보유시간))", side="sell", position=held).value == 108.0
        assert evaluate("현재가N(보유시간)", side="sell", position=held, profile="corrected").value == 108.0
        assert kind_of(evaluate, "현재가N(보유시간 / 4)", side="sell", position=held, profile="corrected") == "float_lookback"


class TestWindows:
    def test_a_loaded_length_runs_across_days(self, evaluate):
        assert evaluate("최저현재가(3)", row=5).value == 103.0
        assert evaluate("최저현재가(3, 1)", row=5).value == 0

    def test_another_length_needs_its_rows_today(self, evaluate):
        assert evaluate("최저현재가(4)").value == 107.0
        assert evaluate("최저현재가(4, 2)").value == 105.0
        value = evaluate("최저현재가(4, 3)").value
        assert (value, type(value)) == (0, int)

    def test_at_the_buy_row_a_window_may_begin_the_day_before(self, evaluate):
        assert evaluate("최저현재가(5, -1)", side="sell").value == 104.0
        assert evaluate("최저현재가(7, -1)", side="sell").value == 102.0
        assert evaluate("최저현재가(8, -1)", side="sell").value == 0

    def test_a_window_that_begins_before_the_instrument_stops(self, evaluate):
        held = {"buy_row": 5, "first_row": 0, "count": 8}
        assert evaluate("최저현재가(6, -1)", side="sell", position=held).value == 100.0
        assert kind_of(evaluate, "최저현재가(7, -1)", side="sell", position=held) == "before_data"

    def test_a_length_may_change_from_row_to_row(self, evaluate):
        assert evaluate("최저현재가(데이터길이 - 2)").value == 107.0
        assert evaluate("최저현재가(데이터길이 - 3)").value == 108.0

    def test_averages_follow_the_table_or_the_rows(self, evaluate):
        assert evaluate("이동평균(4)").value == 108.5
        assert math.isnan(evaluate("이동평균(60)").value)
        assert evaluate("이동평균(60, 6)").value == 0

    def test_traded_value_is_a_plain_int(self, evaluate):
        for expression in ("초당거래대금평균(3)", "초당거래대금평균(4)"):
            value = evaluate(expression, 초당거래대금=[0.0] * 9 + [2.0, 3.0, 0.0, 0.0]).value
            assert type(value) is int
        assert kind_of(evaluate, "1 / 초당거래대금평균(3)") == "zero_division"

    def test_a_precomputed_traded_value_that_has_not_filled_stops_only_when_looked_back_to(self, evaluate):
        assert math.isnan(evaluate("초당거래대금평균(9)", row=7, loaded=(9,)).value)
        assert kind_of(evaluate, "초당거래대금평균(9, 1)", row=7, loaded=(9,)) == "unfilled"
        assert math.isnan(evaluate("초당거래대금평균(9, -1)", row=8, loaded=(9,), side="sell").value)

    def test_windows_of_no_row_or_a_float_stop(self, evaluate):
        assert kind_of(evaluate, "최고현재가(데이터길이 - 6)") == "empty_window"
        assert kind_of(evaluate, "최고현재가(self.vars[0])", variables=(3.0,)) == "float_window"
        assert evaluate("최고현재가(self.vars[0])", variables=(3.0,), profile="corrected").value == 110.0
        assert kind_of(evaluate, "최고현재가(self.vars[0])", variables=(3.5,), profile="corrected") == "float_window"


def test_a_temporary_that_this_row_did_not_set_stops(make_panel):
    panel = make_panel([("000001", 20230102, 5)])
    strategy = compile_strategy("if 등락율 > 1:\n    과열 = 1\nif 과열 == 1:\n    매수 = False", SELL)
    interpreter = Interpreter(strategy, Rows(Selection(panel, panel, np.arange(5)), [3]))
    with pytest.raises(FaultError) as caught:
        interpreter.buys(Frame(row=3, count=4))
    assert (caught.value.kind, caught.value.detail, caught.value.at.line) == ("unset", "과열", 3)


def test_the_last_reason_reached_is_the_label(make_panel):
    panel = make_panel([("000001", 20230102, 5)])
    sell = "if 수익률 > 0:\n    매도 = True\nif 수익률 > 1:\n    매도 = True"
    interpreter = Interpreter(compile_strategy("매수 = True", sell), Rows(Selection(panel, panel, np.arange(5)), [3]))
    labels = []
    for pct in (-1.0, 0.5, 2.0):
        frame = Frame(row=3, count=4, profit_pct=pct)
        labels.append((interpreter.sells(frame), frame.label))
    assert labels == [(False, 0), (True, 1), (True, 2)]


def test_elapsed_ticks_count_from_the_last_row_on_which_the_expression_was_true(make_panel):
    panel = make_panel([("000001", 20230102, 5)], 등락율=[0, 2, 0, 0, 2])
    strategy = compile_strategy("결과 = 경과틱수('급등')\n매수 = True", SELL, elapsed="급등;등락율 > 1")
    interpreter = Interpreter(strategy, Rows(Selection(panel, panel, np.arange(5)), [3]))
    frame, seen = Frame(), []
    for frame.row in range(5):
        frame.count += 1
        interpreter.note_elapsed(frame, "급등")
        interpreter.buys(frame)
        seen.append(frame.temporaries["결과"])
    assert seen == [0, 0, 1, 2, 0]
