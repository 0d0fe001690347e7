"""The kernel's arithmetic is Python's and numpy's to the last bit, sign of zero included."""

import itertools
import math
import random

import numpy as np
import pytest

from stom_ray.engine.kernel_runtime import find_length, floor_divide, int_power, is_complex_power, next_open, power, remainder

SPECIAL = (0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 3.0, -3.0, np.inf, -np.inf, np.nan, 1e300, 1e-300, 5e-324, 0.1, 0.3, 1e16)


def numbers():
    chooser = random.Random(5)
    return [*SPECIAL, *(chooser.uniform(-1e4, 1e4) for _ in range(40)), *(float(chooser.randint(-100, 100)) for _ in range(40))]


def same(left, right):
    left, right = float(left), float(right)
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    return left == right and math.copysign(1.0, left) == math.copysign(1.0, right)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(floor_divide, lambda a, b: a // b), (remainder, lambda a, b: a % b), (power, lambda a, b: a**b)],
    ids=["floor_divide", "remainder", "power"],
)
def test_tick_numbers_divide_and_raise_as_numpy_scalars(ours, theirs):
    with np.errstate(all="ignore"):
        for a, b in itertools.product(numbers(), repeat=2):
            assert same(ours(a, b), theirs(np.float64(a), np.float64(b))), (a, b)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(floor_divide, lambda a, b: a // b), (remainder, lambda a, b: a % b)], ids=["floor_divide", "remainder"]
)
def test_plain_numbers_divide_as_python_floats(ours, theirs):
    for a, b in itertools.product(numbers(), repeat=2):
        if b != 0.0:
            assert same(ours(a, b), theirs(a, b)), (a, b)


def test_complex_powers_are_those_of_python():
    for a, b in itertools.product(numbers(), repeat=2):
        try:
            expected = isinstance(a**b, complex)
        except (ZeroDivisionError, OverflowError):
            continue
        assert is_complex_power(a, b) == expected, (a, b)


def test_powers_of_ints_are_exact_then_rounded_once():
    for a in (*range(-30, 40), 2**53, -(2**53), 10**15 + 1, 123456789):
        for b in range(20):
            try:
                expected = float(a**b)
            except OverflowError:
                expected = math.copysign(math.inf, a) if b % 2 else math.inf
            if abs(a).bit_length() * b <= 1_100:
                assert int_power(float(a), float(b)) == expected, (a, b)


def test_huge_powers_of_ints_are_those_of_floats():
    assert int_power(3.0, 600.0) == 3.0**600
    assert int_power(10.0, 400.0) == math.inf


def test_a_length_is_found_among_the_precomputed_ones():
    lengths = np.array([[60, 300, 0], [30, 0, 0]])
    assert [find_length(lengths, 0, 300), find_length(lengths, 1, 30), find_length(lengths, 1, 60)] == [1, 0, -1]


def test_the_next_open_row_stays_in_its_session():
    offsets = np.array([0, 4, 5, 8])
    allowed = np.array([False, True, False, True, True, False, False, True])
    assert next_open(offsets, allowed).tolist() == [1, 1, 3, 3, 4, 7, 7, 7]
