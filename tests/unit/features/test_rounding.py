"""Rounding of tick and plain numbers."""

import math
from fractions import Fraction

import numpy as np
import pytest

from stom_ray.features.rounding import product_error, round_decimal, round_tick


def test_a_plain_number_rounds_to_the_decimal_a_tick_number_by_scaling():
    assert round_decimal(2.675, 2) == 2.67
    assert round_tick(2.675, 2) == 2.68


@pytest.mark.parametrize(("x", "digits", "expected"), [(0.5, 0, 0.0), (1.5, 0, 2.0), (0.125, 2, 0.12), (25.0, -1, 20.0)])
def test_ties_go_to_the_even_digit(x, digits, expected):
    assert round_decimal(x, digits) == expected


def test_the_sign_of_zero_survives():
    assert math.copysign(1.0, round_decimal(-0.001, 2)) == -1.0
    assert math.copysign(1.0, round_decimal(-3.0, -2)) == -1.0


@pytest.mark.parametrize("x", [math.inf, -math.inf])
def test_infinities_stay(x):
    assert round_decimal(x, 2) == x
    assert round_tick(x, 2) == x


def test_nan_stays():
    assert math.isnan(round_decimal(math.nan, 2))
    assert math.isnan(round_tick(math.nan, -2))


def test_numbers_too_large_to_have_decimals_stay():
    assert round_decimal(1e300, 15) == 1e300
    assert round_decimal(2.0**60 + 256.0, 3) == 2.0**60 + 256.0


@pytest.mark.parametrize(("a", "b"), [(1.1, 1e22), (2.675, 100.0), (12345.678, 1e15), (3.0, 7.0)])
def test_the_product_error_is_what_the_product_lost(a, b):
    assert Fraction(product_error(a, b, a * b)) == Fraction(a) * Fraction(b) - Fraction(a * b)


def test_compiled_and_plain_python_agree():
    for x in (2.675, -0.5, 1e17, 12345.678, math.pi):
        for digits in range(-5, 6):
            assert round_decimal(x, digits) == round_decimal.py_func(x, digits)
            assert round_tick(x, digits) == round_tick.py_func(np.float64(x), digits)
