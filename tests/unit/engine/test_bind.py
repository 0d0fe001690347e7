"""What a run refuses, warns of and binds."""

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.bind import bind, check_run, day_counts, weighting_criterion
from stom_ray.engine.types import EngineConfig, ParamMatrix, Weighting
from stom_ray.errors import ConditionError, ConfigError
from stom_ray.store.panel import Selection

SELL = "if 수익률 > 1:\n    매도 = True"
ONE_ROW = ParamMatrix.from_rows([[]])


@pytest.fixture
def selection(make_panel):
    panel = make_panel([("000001", 20230102, 40), ("000001", 20230103, 30)], 등락율=np.arange(70.0), 고가=1010.0, 회전율=7.0)
    return Selection(panel, panel, np.arange(70))


def check(selection, buy="매수 = True", *, params=ONE_ROW, profile="corrected", **config):
    strategy = compile_strategy(buy, SELL, profile=profile)
    return check_run(strategy, selection, params, EngineConfig(profile=profile, **config))


def test_a_plain_run_has_no_warnings(selection):
    assert check(selection) == ()


def test_minute_panels_are_refused(make_panel):
    panel = make_panel([("000001", 20230102, 3)], layout="minute_v1")
    with pytest.raises(ConfigError, match="minute"):
        check(Selection(panel, panel, np.arange(3)))


def test_profiles_must_agree(selection):
    strategy = compile_strategy("매수 = True", SELL, profile="stom")
    with pytest.raises(ConfigError, match="compiled for profile stom, the run is corrected"):
        check_run(strategy, selection, ONE_ROW, EngineConfig(profile="corrected"))


def test_rows_must_hold_every_variable_that_is_read(selection):
    buy = "매수 = 현재가 > self.vars[2]"
    with pytest.raises(ConfigError, match=r"read self.vars\[0\] to self.vars\[2\], but parameter rows have 2 values"):
        check(selection, buy, params=ParamMatrix.from_rows([[1, 2]]))
    with pytest.raises(ConfigError, match="no parameter row"):
        check(selection, params=ParamMatrix.from_rows([]))


def test_the_gate_is_a_row_count(selection):
    with pytest.raises(ConfigError, match=r"self.vars\[0\] is 0 in parameter row 1"):
        check(selection, params=ParamMatrix.from_rows([[30], [0]]), gate_var0=True)


@pytest.mark.parametrize(
    ("expression", "rows"), [("현재가N(40)", 41), ("최고현재가(41)", 41), ("최고현재가(30, 40)", 41), ("이동평균(60, 40)", 41)]
)
def test_what_no_session_is_long_enough_for_is_an_error_and_in_stom_a_warning(selection, expression, rows):
    buy = f"매수 = 현재가 > {expression}"
    with pytest.raises(ConditionError, match=rf"buy text, line 1, column 12: .* needs {rows} rows of one day.* has 40"):
        check(selection, buy)
    (warning,) = check(selection, buy, profile="stom")
    assert warning.endswith("it is always 0")


@pytest.mark.parametrize("expression", ["현재가N(39)", "최고현재가(40)", "이동평균(1200)", "최고현재가(30, 39)"])
def test_what_a_session_or_the_loader_holds_is_accepted(selection, expression):
    assert check(selection, f"매수 = 현재가 > {expression}") == ()


def test_several_lengths_are_warned_of_where_stom_would_differ(selection):
    (warning,) = check(selection, "매수 = 현재가 > 최고현재가(30) + 등락율각도(35)", loaded_lengths=(30, 35))
    assert "최고현재가" in warning
    assert "등락율각도" in warning
    assert check(selection, "매수 = 현재가 > 최고현재가(20) + 이동평균(60)", loaded_lengths=(30, 35)) == ()
    gate = {"params": ParamMatrix.from_rows([[30], [35]]), "gate_var0": True, "loaded_lengths": (30, 35)}
    assert check(selection, "매수 = 현재가 > 최고현재가(self.vars[0])", **gate) == ()
    assert len(check(selection, "매수 = 현재가 > 등락율각도(self.vars[0])", **gate)) == 1


def test_day_counts_restart_every_day(selection):
    assert day_counts(selection.selected)[[0, 39, 40, 69]].tolist() == [1, 40, 1, 30]


def test_a_missing_ranking_flag_is_not_watched(make_panel):
    panel = make_panel([("000001", 20230102, 3)], 관심종목=[1.0, 0.0, np.nan])
    assert bind(Selection(panel, panel, np.arange(3)), EngineConfig()).watched.tolist() == [True, False, False]


def test_betting_criteria_are_the_days_range_angles_or_columns(selection):
    rows = bind(selection, EngineConfig(weighting=Weighting(mode=1))).rows
    assert weighting_criterion(rows, 1)[0] == 1.0
    assert weighting_criterion(rows, 5)[0] == 7.0
    assert weighting_criterion(rows, 4)[0] == 0.0
    raw_angles = weighting_criterion(bind(selection, EngineConfig(loaded_lengths=(20,))).rows, 2)
    assert raw_angles[[28, 40, 68]].tolist() == [0.0, 0.0, 0.0]
    assert raw_angles[29] == raw_angles[69] > 70
    loaded_angles = weighting_criterion(bind(selection, EngineConfig(loaded_lengths=(30,))).rows, 2)
    assert np.isnan(loaded_angles[28])
    assert loaded_angles[40] == loaded_angles[29]
