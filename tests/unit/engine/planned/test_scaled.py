"""Boundaries of parameters behind a product and a sum: the neighbours on both sides say that they are the boundaries."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stom_ray.engine.planned.scaled import boundaries, number_at, place_of

NUMBERS = st.floats(allow_nan=False) | st.sampled_from((0.0, -0.0, 1.0, 1e-300, 5e-324, 1e300, -1e300, 1e16, 0.1))
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SCALES = NUMBERS.map(abs).filter(math.isfinite)


def boundary_of(left, scale, offset, strict):
    out, unknown = np.empty(1), np.empty(1, dtype=np.bool_)
    boundaries(np.array([left]), np.array([scale]), np.array([offset]), strict, out, unknown)
    return float(out[0]), bool(unknown[0])


def passes(left, scale, offset, parameter, strict):
    with np.errstate(all="ignore"):
        right = np.float64(scale) * np.float64(parameter) + np.float64(offset)
    return bool(left > right if strict else left >= right)


@settings(deadline=None)  # the first example compiles
@given(left=NUMBERS, scale=SCALES, offset=NUMBERS, strict=st.booleans())
def test_the_boundary_passes_and_the_next_parameter_does_not(left, scale, offset, strict):
    found, unknown = boundary_of(left, scale, offset, strict)
    if unknown:
        assert math.isinf(offset)
        assert scale > 1.0
        return
    lowest, highest = -np.finfo(np.float64).max, np.finfo(np.float64).max
    if found == -np.inf:
        assert not passes(left, scale, offset, lowest, strict)
    elif found == np.inf:
        assert passes(left, scale, offset, highest, strict)
    else:
        assert passes(left, scale, offset, found, strict)
        assert not passes(left, scale, offset, np.nextafter(found, np.inf), strict)


@settings(deadline=None)
@given(left=NUMBERS, scale=SCALES, offset=NUMBERS, strict=st.booleans(), parameter=FINITE)
def test_a_parameter_passes_where_the_column_is_at_least_it(left, scale, offset, strict, parameter):
    found, unknown = boundary_of(left, scale, offset, strict)
    if not unknown:
        assert (found >= parameter) == passes(left, scale, offset, parameter, strict)


@pytest.mark.parametrize("side", range(3))
def test_nothing_passes_where_a_side_is_not_a_number(side):
    sides = [1.0, 2.0, 3.0]
    sides[side] = np.nan
    assert boundary_of(*sides, False) == (-np.inf, False)


@pytest.mark.parametrize(("scale", "offset"), [(-1.0, 0.0), (-5e-324, 0.0), (np.inf, 0.0), (2.0, np.inf), (2.0, -np.inf)])
def test_rows_without_a_boundary_are_named(scale, offset):
    assert boundary_of(1.0, scale, offset, False)[1]


@pytest.mark.parametrize(
    ("left", "scale", "offset", "strict", "expected"),
    [
        (0.3, 0.1, 0.0, False, np.nextafter(3.0, 0.0)),  # 0.1 * 3 is above 0.3
        (3.0, 1.0, 0.0, True, np.nextafter(3.0, 0.0)),
        (1e16, 1.0, 1e16, False, 1.0),  # 1e16 + 1 is 1e16: ties go to the even
        (0.0, 0.0, 0.0, False, np.inf),
        (0.0, 0.0, 0.0, True, -np.inf),
        (np.inf, 1e300, 0.0, True, 1.7976931348623157e8),  # what the product does not overflow with
        (-np.inf, 1.0, 0.0, False, -np.inf),
    ],
)
def test_boundaries_by_example(left, scale, offset, strict, expected):
    assert boundary_of(left, scale, offset, strict) == (expected, False)


def test_the_column_may_be_written_over_its_left_side():
    left, unknown = np.array([4.0, 9.0]), np.empty(2, dtype=np.bool_)
    boundaries(left, np.array([2.0, 3.0]), np.zeros(2), False, left, unknown)
    assert left.tolist() == [2.0, 3.0]


@settings(deadline=None)
@given(FINITE.filter(lambda number: number < 1.7e308))
def test_places_count_numbers_upwards(number):
    above = math.nextafter(number, math.inf)
    assert number_at(place_of(number)) == number
    assert place_of(above) == place_of(number) + 1
    assert number_at(place_of(number) + 1) == above
