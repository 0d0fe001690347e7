"""Parameter rows of STOM's sweeps."""

import pytest

from stom_ray.conditions.ranges import parse_ranges
from stom_ray.engine.sweeps import explicit_rows, loaded_lengths, one_at_a_time
from stom_ray.errors import ConfigError

RANGES = """self.vars[0] = [[30, 60], 30]
self.vars[1] = [[5], 5]
self.vars[2] = [[0.5, 1.0, 1.5], 1.0]"""


def test_each_value_of_each_variable_runs_with_the_others_at_their_best():
    plan = one_at_a_time(parse_ranges(RANGES, form="values"))
    assert plan.params.values.tolist() == [[30, 5, 1.0], [60, 5, 1.0], [30, 5, 0.5], [30, 5, 1.0], [30, 5, 1.5]]
    assert plan.vturn.tolist() == [0, 0, 2, 2, 2]
    assert plan.vkey.tolist() == [0, 1, 0, 1, 2]
    assert plan.loaded_lengths == (30, 60)


def test_whole_and_fractional_values_stay_as_written():
    plan = one_at_a_time(parse_ranges(RANGES, form="values"))
    assert plan.params.is_float[0].tolist() == [False, False, True]


def test_a_sweep_without_choices_runs_the_bests_once():
    plan = one_at_a_time(parse_ranges("self.vars[0] = [[30], 30]", form="values"))
    assert (plan.params.values.tolist(), plan.vturn.tolist(), plan.vkey.tolist()) == ([[30]], [0], [0])


def test_row_i_is_turn_i_over_twenty():
    plan = explicit_rows([[30 + i % 2, i] for i in range(45)])
    assert plan.vturn[[0, 19, 20, 44]].tolist() == [0, 0, 1, 2]
    assert plan.vkey[[0, 19, 20, 44]].tolist() == [0, 19, 0, 4]
    assert plan.loaded_lengths == (30, 31)


@pytest.mark.parametrize("rows", [[], [[]]])
def test_no_rows_are_refused(rows):
    with pytest.raises(ConfigError, match="no parameter rows"):
        explicit_rows(rows)


@pytest.mark.parametrize("value", [30.5, 0, -1])
def test_the_first_variable_is_a_row_count(value):
    with pytest.raises(ConfigError, match="whole number of rows"):
        loaded_lengths([30, value])
