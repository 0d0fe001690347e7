"""The loader's rolling sums and extremes."""

import math

import numpy as np
import pytest

from stom_ray.features.rolling import (
    MIXED,
    POSITIVE,
    WHOLE,
    kind_of_sums,
    online_sum,
    online_sum_positive,
    rolling_extreme,
    rolling_sum,
    running_total,
)


def sums(values, length, divide=False, way=rolling_sum):
    out = np.full(len(values), 777.0)
    way(np.asarray(values, dtype=np.float64), length, divide, out)
    return out


def extremes(values, length, sign, finite=True):
    out = np.full(len(values), 777.0)
    rolling_extreme(np.asarray(values, dtype=np.float64), length, sign, finite, out)
    return out


def bits(values):
    """Bit patterns; every NaN the same."""
    values = np.asarray(values, dtype=np.float64)
    return np.where(np.isnan(values), np.nan, values).view(np.int64).tolist()


def test_a_window_is_nan_until_it_has_filled():
    means = sums([1, 2, 3, 4], 3, True)
    assert np.isnan(means[:2]).all()
    assert means[2:].tolist() == [2.0, 3.0]


@pytest.mark.parametrize("values", [[1, 2], [0.5, 0.25], [-0.5, 1]])
def test_a_window_longer_than_the_instrument_never_fills(values):
    assert np.isnan(sums(values, 3)).all()
    assert np.isnan(extremes(values, 3, 1.0)).all()


def test_identical_values_give_exactly_that_value():
    for first in (1e16, -1e16):
        values = [first, 3.3, 0.1, 0.1, 0.1]
        assert sums(values, 3, True)[-1] == 0.1
        assert sums(values, 3)[-1] == 0.1 * 3


def test_drift_never_turns_non_negative_values_into_a_negative_mean():
    means = sums([1e17, 0.0, 1e-3, 0.0, 0.0, 1e-9, 0.0], 2, True)
    assert (means[1:] >= 0).all()


def test_drift_never_turns_negative_values_into_a_positive_mean():
    means = sums([-1e17, -1e-9, -1e-3, -1e-9, -1e-9, -1e-9, -1e-12], 2, True)
    assert (means[1:] <= 0).all()


def test_a_missing_value_makes_its_windows_nan_and_no_others():
    values = [1.0, 2.0, np.nan, 4.0, 5.0, 6.0]
    assert np.isnan(sums(values, 2)).tolist() == [True, False, True, True, False, False]
    assert np.isnan(extremes(values, 2, 1.0)).tolist() == [True, False, True, True, False, False]
    assert extremes(values, 2, -1.0)[5] == 5.0


def test_an_infinity_counts_as_missing():
    values = [1.0, math.inf, 2.0, 3.0]
    assert np.isnan(sums(values, 2, True)).tolist() == [True, True, True, False]
    assert np.isnan(extremes(values, 2, -1.0)).tolist() == [True, True, True, False]


def test_an_infinity_is_a_value_of_a_raw_window():
    assert extremes([1.0, math.inf, 2.0, math.nan], 2, 1.0, finite=False)[1:3].tolist() == [math.inf, math.inf]


def test_extremes_follow_the_window():
    values = [3.0, 1.0, 2.0, 5.0, 4.0]
    assert extremes(values, 2, 1.0)[1:].tolist() == [3.0, 2.0, 5.0, 5.0]
    assert extremes(values, 2, -1.0)[1:].tolist() == [1.0, 1.0, 2.0, 4.0]
    assert extremes(values, 1, 1.0).tolist() == values


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_first_of_equal_zeros_wins(sign):
    values = [0.0, -0.0, 0.0, -0.0, -0.0, 0.0, 0.0]
    for length in (2, 3):
        assert bits(extremes(values, length, sign)[length - 1 :]) == bits(values[: len(values) - length + 1])


def test_sums_are_whole_only_for_numbers_that_stay_small():
    assert kind_of_sums(np.array([1.0, 2.0, -3e9]), 3) == WHOLE
    assert kind_of_sums(np.array([1.0, 0.5]), 2) == POSITIVE
    assert kind_of_sums(np.array([2.0**51, 2.0**52]), 2) == POSITIVE
    assert kind_of_sums(np.array([0.5, -1.0]), 2) == MIXED
    for odd in (math.nan, math.inf, -0.0):
        assert kind_of_sums(np.array([1.0, odd]), 2) == MIXED


@pytest.mark.parametrize("divide", [False, True])
@pytest.mark.parametrize("length", [1, 2, 7, 30, 500])
def test_the_short_ways_give_the_long_ways_bits(divide, length):
    rng = np.random.default_rng(length)
    whole = rng.integers(0, 1000, 400).astype(np.float64)
    whole[100:180] = 7.0
    prices = np.round(rng.uniform(0, 500, 400), 2)
    prices[100:180] = 3.3
    prices[200:] *= 1e-12
    for values, kind in ((whole, WHOLE), (-whole + 1.0, WHOLE), (prices, POSITIVE)):
        assert kind_of_sums(values, length) == kind
        assert bits(sums(values, length, divide)) == bits(sums(values, length, divide, online_sum))
    assert bits(sums(prices, length, divide, online_sum_positive)) == bits(sums(prices, length, divide))


def test_a_running_total_of_whole_numbers_is_their_sum():
    out = np.empty(50)
    running_total(np.arange(50, dtype=np.float64), 10, out)
    assert out[49] == sum(range(40, 50))
