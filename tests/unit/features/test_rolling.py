"""The loader's rolling columns."""

import math

import numpy as np

from stom_ray.features.rolling import angle, rolling_angle, rolling_extreme, rolling_sum


def test_a_window_is_nan_until_it_has_filled():
    means = rolling_sum(np.array([1.0, 2.0, 3.0, 4.0]), 3, True)
    assert np.isnan(means[:2]).all()
    assert means[2:].tolist() == [2.0, 3.0]


def test_identical_values_give_exactly_that_value():
    values = np.array([1e16, 3.3, 0.1, 0.1, 0.1])
    assert rolling_sum(values, 3, True)[-1] == 0.1
    assert rolling_sum(values, 3, False)[-1] == 0.1 * 3


def test_drift_never_turns_non_negative_values_into_a_negative_mean():
    values = np.array([1e17, 0.0, 1e-3, 0.0, 0.0, 1e-9, 0.0])
    means = rolling_sum(values, 2, True)
    assert (means[1:] >= 0).all()


def test_a_missing_value_makes_its_windows_nan_and_no_others():
    values = np.array([1.0, 2.0, np.nan, 4.0, 5.0, 6.0])
    assert np.isnan(rolling_sum(values, 2, False)).tolist() == [True, False, True, True, False, False]
    assert np.isnan(rolling_extreme(values, 2, 1.0)).tolist() == [True, False, True, True, False, False]
    assert rolling_extreme(values, 2, -1.0)[5] == 5.0


def test_an_infinity_counts_as_missing():
    values = np.array([1.0, math.inf, 2.0, 3.0])
    assert np.isnan(rolling_sum(values, 2, True)).tolist() == [True, True, True, False]


def test_extremes_follow_the_window():
    values = np.array([3.0, 1.0, 2.0, 5.0, 4.0])
    assert rolling_extreme(values, 2, 1.0)[1:].tolist() == [3.0, 2.0, 5.0, 5.0]
    assert rolling_extreme(values, 2, -1.0)[1:].tolist() == [1.0, 1.0, 2.0, 4.0]


def test_an_angle_is_the_librarys_atan2_rounded_to_two_digits():
    for opposite in np.linspace(-300, 300, 997):
        assert angle(opposite, 30) == round(math.atan2(opposite, 30) / (2 * math.pi) * 360, 2)


def test_an_angle_spans_length_minus_one_steps():
    values = np.array([0.0, 1.0, 3.0])
    assert rolling_angle(values, 3, 5.0, 1.0)[2] == angle(15.0, 3)
    assert rolling_angle(values, 3, 1.0, 100.0)[2] == angle(0.03, 3)
