"""Angles: libm's atan2, correctly rounded to hundredths of a degree."""

import math

import numpy as np
import pytest

from stom_ray.features.angles import SURE, TILE, angle, rolling_angle, sure_angles


def by_definition(opposite, length):
    return round(math.atan2(opposite, length) / (2 * math.pi) * 360, 2)


def angles(values, length, times=1.0, over=1.0):
    out = np.full(len(values), 777.0)
    rolling_angle(np.asarray(values, dtype=np.float64), length, times, over, out)
    return out


def test_an_angle_is_the_librarys_atan2_rounded_to_two_digits():
    for opposite in np.linspace(-300, 300, 997):
        assert angle(opposite, 30) == by_definition(opposite, 30)


def test_an_angle_spans_length_minus_one_steps():
    assert angles([0.0, 1.0, 3.0], 3, 5.0)[2] == angle(15.0, 3)
    assert angles([0.0, 1.0, 3.0], 3, 1.0, 100.0)[2] == angle(0.03, 3)


@pytest.mark.parametrize("length", [1, 30, 1200])
def test_a_column_of_angles_is_each_of_them(length):
    """Across several tiles, steep and flat, of either sign."""
    rng = np.random.default_rng(length)
    values = rng.normal(0, 1, 3 * TILE) * 10.0 ** rng.integers(-6, 7, 3 * TILE) * length
    column = angles(values, length, 5.0, 3.0)
    assert np.isnan(column[: length - 1]).all()
    expected = [by_definition((values[i] - values[i - length + 1]) * 5.0 / 3.0, length) for i in range(length - 1, len(values))]
    assert column[length - 1 :].tobytes() == np.array(expected).tobytes()


@pytest.mark.parametrize("length", [1, 60, 300])
def test_the_middle_between_two_hundredths_goes_where_the_library_puts_it(length):
    hundredths = np.arange(-8999, 9000) + 0.5
    middles = np.tan(hundredths / 100 * np.pi / 180) * length
    near = np.concatenate([middles, np.nextafter(middles, np.inf), np.nextafter(middles, -np.inf)])
    unsure = near.copy()
    assert sure_angles(unsure, length) == len(near)
    values = np.zeros((len(near), length))
    values[:, -1] += near
    column = angles(values.ravel(), length)[length - 1 :: length] if length > 1 else [angle(x, 1) for x in near]
    assert list(column) == [by_definition(x, length) for x in near]


def test_the_polynomial_is_far_closer_than_the_margin_it_is_trusted_with():
    """The first opposites that are sure stand at the margin, give or take the polynomial's error."""
    margin = 0.5 - SURE
    for hundredths in np.arange(5, 9000, 30) + 0.5:
        for side in (-1, 1):
            for share, is_sure in ((0.98, False), (1.02, True)):
                opposite = np.array([math.tan(math.radians((hundredths + side * margin * share) / 100)) * 60.0])
                assert (sure_angles(opposite, 60) == 0) == is_sure


def test_no_change_keeps_the_sign_of_its_zero():
    assert math.copysign(1.0, angles([0.0, 0.0], 2)[1]) == 1.0
    assert math.copysign(1.0, angles([0.0, -0.0], 2)[1]) == -1.0
    assert math.copysign(1.0, angles([1e-9, 0.0], 2)[1]) == -1.0


def test_missing_and_infinite_ends():
    column = angles([1.0, math.nan, 2.0, math.inf, -math.inf, 0.0], 2)
    assert np.isnan(column[[0, 1, 2]]).all()
    assert column[3:].tolist() == [90.0, -90.0, 90.0]
    assert np.isnan(angles([math.inf, math.inf], 2)[1])
