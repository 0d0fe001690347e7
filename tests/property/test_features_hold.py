"""Properties of rounding and rolling columns."""

import math
import struct
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stom_ray.features.angles import rolling_angle
from stom_ray.features.rolling import rolling_extreme, rolling_sum
from stom_ray.features.rounding import round_decimal, round_tick

digits = st.integers(-15, 15)
finite = st.floats(allow_nan=False, allow_infinity=False)


def filled(compute, values, *arguments):
    out = np.empty(len(values))
    compute(values, *arguments, out)
    return out


def bits(x):
    return struct.pack("d", x)


@st.composite
def near_ties(draw):
    """Numbers within an ulp of a half at some number of digits."""
    n = draw(digits)
    whole = draw(st.integers(0, 2**53))
    x = (whole + 0.5) / 10.0**n if n >= 0 else (whole + 0.5) * 10.0**-n
    x = draw(st.sampled_from([x, math.nextafter(x, math.inf), math.nextafter(x, 0.0)]))
    return draw(st.sampled_from([x, -x])), n


@given(finite, digits)
@settings(max_examples=1000)
def test_round_decimal_is_pythons_round(x, n):
    try:
        expected = round(x, n)
    except OverflowError:
        return
    assert bits(round_decimal(x, n)) == bits(expected)


@given(near_ties())
@settings(max_examples=1000)
def test_round_decimal_is_pythons_round_next_to_ties(case):
    x, n = case
    assert bits(round_decimal(x, n)) == bits(round(x, n))


@given(finite, digits)
def test_round_tick_is_numpys_round(x, n):
    with np.errstate(all="ignore"):
        assert bits(round_tick(x, n)) == bits(float(round(np.float64(x), n)))


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=60), st.integers(1, 20))
def test_means_and_sums_of_whole_numbers_are_exact(numbers, length):
    values = np.array(numbers, dtype=np.float64)
    sums, means = filled(rolling_sum, values, length, False), filled(rolling_sum, values, length, True)
    for i in range(len(numbers)):
        if i < length - 1:
            assert math.isnan(sums[i])
            continue
        exact = sum(numbers[i - length + 1 : i + 1])
        assert sums[i] == exact
        assert means[i] == float(Fraction(exact, length))


@given(
    st.lists(st.floats(-1e6, 1e6) | st.just(math.nan), min_size=2, max_size=40),
    st.integers(1, 10),
    st.data(),
)
def test_what_follows_never_changes_a_rolling_value(numbers, length, data):
    values = np.array(numbers)
    cut = data.draw(st.integers(1, len(numbers)))
    changed = values.copy()
    changed[cut:] = data.draw(st.floats(-1e9, 1e9))
    for compute in (
        lambda x: filled(rolling_sum, x, length, True),
        lambda x: filled(rolling_sum, x, length, False),
        lambda x: filled(rolling_extreme, x, length, 1.0, True),
        lambda x: filled(rolling_angle, x, length, 5.0, 1.0),
    ):
        np.testing.assert_array_equal(compute(values)[:cut], compute(changed)[:cut])
