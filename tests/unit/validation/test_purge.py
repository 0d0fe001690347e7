"""How far days read into days before: by hand, with the reason in words."""

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.types import EngineConfig, Weighting
from stom_ray.errors import ConfigError
from stom_ray.search.space import Choice, Interval, Space
from stom_ray.store.load import select
from stom_ray.validation.purge import day_reach

DAYS = (20240102, 20240103, 20240104, 20240105)
SELL = "매도 = True\nif 매도:\n    self.Sell()"


def script(buy: str, sell: str = SELL, **settings):
    return compile_strategy(f"매수 = {buy}\nif 매수:\n    self.Buy()", sell, profile="corrected", **settings)


@pytest.fixture
def selection(make_panel):
    """A is there every day with 50 rows, B on the first and the last with 20."""
    sessions = [("A", day, 50) for day in DAYS] + [("B", DAYS[0], 20), ("B", DAYS[3], 20)]
    return select(make_panel(sessions))


def test_scripts_without_windows_need_no_purge_because_positions_end_with_the_day(selection):
    reach = day_reach(script("현재가 > 현재가N(10)"), selection, EngineConfig())
    assert reach.purge_days == 0
    assert not reach.reads.any()
    assert reach.reason == "0 days: positions never outlive their day, and no window is read before all its rows are of one day"


def test_a_stock_that_is_not_there_every_day_reaches_further_in_trading_days(selection):
    reach = day_reach(script("현재가 > 이동평균(60)"), selection, EngineConfig(avgtime=10))
    expected = np.eye(4, k=-1, dtype=bool)
    np.testing.assert_array_equal(reach.reads, expected)  # B's 40 rows do not fill a window of 60
    reach = day_reach(script("현재가 > 최고현재가(15)"), selection, EngineConfig(avgtime=10, loaded_lengths=(15,)))
    expected[3, 0] = True
    np.testing.assert_array_equal(reach.reads, expected)
    assert reach.purge_days == 3
    assert reach.reason == (
        "3 days: positions never outlive their day, but 최고현재가(15) of the buy text (line 1) may end on row 10 of a day; "
        "for B on 20240105 it then begins on 20240102"
    )


@pytest.mark.parametrize(
    ("buy", "lengths", "purge"),
    [
        ("최고현재가(30) > 0", (30,), 0),  # as long as the gate
        ("최고현재가(30, 1) > 0", (30,), 1),  # its last row may be the one before
        ("최고현재가(40) > 0", (30,), 0),  # not precomputed: within the day
        ("최고현재가(40) > 0", (30, 40), 1),
        ("현재가N(45) > 0", (30,), 0),
        ("최고현재가(40, 데이터길이 - 1) > 0", (30, 40), 1),  # a look-back that may be anything
    ],
)
def test_windows_reach_over_where_they_are_precomputed_and_longer_than_what_the_gate_leaves(selection, buy, lengths, purge):
    reach = day_reach(script(buy), selection, EngineConfig(avgtime=30, loaded_lengths=lengths))
    assert reach.purge_days == purge


def test_the_buy_row_s_own_window_in_the_sell_text_may_begin_before_the_day(selection):
    sell = "매도 = 최고현재가(25, -1) > 현재가\nif 매도:\n    self.Sell()"
    assert day_reach(script("True", sell), selection, EngineConfig(avgtime=30)).purge_days == 0
    reach = day_reach(script("True", sell), selection, EngineConfig(avgtime=10))
    assert reach.purge_days == 1
    assert "최고현재가(25, -1) of the sell text (line 1) may end on row 10 of a day" in reach.reason


def test_elapsed_tick_expressions_are_read_before_the_gate(selection):
    strategy = script("경과틱수('high') < 5", elapsed="high;최고현재가(30) > 0")
    reach = day_reach(strategy, selection, EngineConfig(avgtime=30))
    assert "elapsed-tick expression `high`" in reach.reason
    assert "row 1 of a day" in reach.reason


def test_windows_as_long_as_the_gate_variable_never_reach_over(selection):
    config = EngineConfig(gate_var0=True, loaded_lengths=(10, 20))
    space = Space((Choice((10, 20), 10), Choice((10, 20), 10)))
    assert day_reach(script("최고현재가(self.vars[0]) > self.vars[1]"), selection, config, space).purge_days == 0
    assert day_reach(script("최고현재가(self.vars[1]) > 0"), selection, config, space).purge_days == 3
    assert day_reach(script("최고현재가(int(self.vars[1])) > 0"), selection, config, space).purge_days == 3
    wide = Space((Choice((20,), 20), Interval(1.0, 30.0, 5.0)))
    assert day_reach(script("최고현재가(int(self.vars[1])) > 0"), selection, config, wide).purge_days == 0


def test_betting_weights_by_an_angle_read_over_too(selection):
    weighted = EngineConfig(avgtime=10, weighting=Weighting(mode=2))
    reach = day_reach(script("True"), selection, weighted)
    assert "the angle of 30 rows that betting weights go by may end on row 10" in reach.reason
    assert day_reach(script("True"), selection, EngineConfig(avgtime=30, weighting=Weighting(mode=2))).purge_days == 0


def test_days_outside_the_selection_count_as_long_as_they_are_loaded(selection):
    strategy, config = script("최고현재가(40) > 0"), EngineConfig(avgtime=30, loaded_lengths=(40,))
    reach = day_reach(strategy, select(selection.loaded, days=(DAYS[1], DAYS[1])), config)
    assert reach.days.tolist() == list(DAYS)
    assert np.argwhere(reach.reads).tolist() == [[1, 0]]


def test_a_space_that_is_missing_is_asked_for(selection):
    with pytest.raises(ConfigError, match="pass a space of at least 2 variables"):
        day_reach(script("현재가 > self.vars[1]"), selection, EngineConfig())


def test_days_that_touch_are_the_same_seen_from_either(selection):
    reach = day_reach(script("최고현재가(15) > 0"), selection, EngineConfig(avgtime=10, loaded_lengths=(15,)))
    touching = reach.touching(DAYS[1:])
    np.testing.assert_array_equal(touching, touching.T)
    assert np.argwhere(touching).tolist() == [[0, 1], [1, 0], [1, 2], [2, 1]]
    with pytest.raises(ConfigError, match="day 20240108 is none of the 4 days"):
        reach.touching([20240102, 20240108])
