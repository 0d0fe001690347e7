import math

import numpy as np
import pytest

from stom_ray.engine.types import ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.search.space import Choice, Interval, Space
from stom_ray.validation.plateau import neighbour_rows, plateau

NAN = math.nan


def test_neighbours_within_the_tolerance_make_a_plateau():
    found = plateau(100.0, np.array([95.0, 80.0, 79.0, 110.0]))
    assert (found.neighbours, found.failed, found.within, found.better) == (4, 0, 0.75, 1)
    assert found.median_ratio == 0.8
    assert plateau(100.0, np.array([95.0, 80.0, 79.0, 110.0]), tolerance=0.0).within == 0.25


def test_a_needle_has_none():
    found = plateau(100.0, np.array([-20.0, 3.0, 0.0, -5.0]))
    assert found.within == 0.0
    assert found.median_ratio < 0


def test_failed_neighbours_are_no_support():
    found = plateau(100.0, np.array([NAN, 100.0, NAN, NAN]))
    assert (found.failed, found.within, found.median_ratio) == (3, 0.25, -math.inf)


def test_a_loss_has_a_tolerance_but_no_ratio():
    found = plateau(-100.0, np.array([-110.0, -130.0]))
    assert found.within == 0.5
    assert math.isnan(found.median_ratio)


def test_without_neighbours_nothing_is_said():
    found = plateau(1.0, np.empty(0))
    assert math.isnan(found.within)
    assert math.isnan(found.median_ratio)


SPACE = Space((Choice((10, 20, 30), 20), Choice((5,), 5), Interval(0.0, 10.0, 5.0), Choice((3.0, 1.0, 2.0), 2.5)))


def test_each_neighbour_is_one_step_away_in_one_variable():
    rows, changed = neighbour_rows(SPACE, ParamMatrix.from_rows([[20, 5, 4.0, 1.0]]), interval_step=0.1)
    assert changed.tolist() == [0, 0, 2, 2, 3, 3]
    assert rows.values.tolist() == [
        [10, 5, 4, 1],
        [30, 5, 4, 1],
        [20, 5, 3, 1],
        [20, 5, 5, 1],
        [20, 5, 4, 3],  # neighbours stand beside each other on the list
        [20, 5, 4, 2],
    ]
    assert rows.is_float.tolist() == [[False, False, True, True]] * 6


def test_at_the_end_of_a_list_or_an_interval_there_is_one_neighbour():
    rows, changed = neighbour_rows(SPACE, ParamMatrix.from_rows([[10, 5, 10.0, 2.0]]))
    assert changed.tolist() == [0, 2, 3]
    assert [row[column] for row, column in zip(rows.values.tolist(), changed, strict=True)] == [20, 9.5, 1]
    near, _ = neighbour_rows(Space((Interval(0.0, 10.0, 5.0),)), ParamMatrix.from_rows([[9.9]]))
    assert near.values[:, 0].tolist() == [9.4, 10.0]


def test_a_value_that_is_on_no_list_has_the_listed_ones_around_it():
    rows, changed = neighbour_rows(SPACE, ParamMatrix.from_rows([[25, 6, 5.0, 0.5]]))
    assert changed.tolist() == [0, 0, 1, 2, 2, 3]
    assert rows.values[[0, 1, 2, 5], [0, 0, 1, 3]].tolist() == [20, 30, 5, 1]
    assert not rows.is_float[0, 0]


def test_a_space_of_fixed_values_has_no_neighbours():
    rows, changed = neighbour_rows(Space((Choice((5,), 5),)), ParamMatrix.from_rows([[5]]))
    assert rows.values.shape == (0, 1)
    assert len(changed) == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: plateau(NAN, np.zeros(3)), "the winner scores nan"),
        (lambda: plateau(1.0, np.zeros(3), tolerance=-0.1), "tolerance is -0.1"),
        (lambda: neighbour_rows(SPACE, ParamMatrix.from_rows([[1, 2]])), r"shape \(1, 2\): expected one row of 4 values"),
        (lambda: neighbour_rows(SPACE, SPACE.present, interval_step=0.0), "interval_step is 0.0"),
    ],
)
def test_impossible_questions_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
