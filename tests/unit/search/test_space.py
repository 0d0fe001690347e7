import hashlib
import struct

import numpy as np
import pytest

from stom_ray.engine.types import ParamMatrix
from stom_ray.errors import RangeError
from stom_ray.search.space import Choice, Interval, Space, parameter_keys

SMALL = Space((Choice((60, 120), 60), Choice((0.5, 1.0, 1.5), 1.0), Choice((7,), 7)))


def test_the_grid_is_enumerated_in_order_with_the_last_variable_fastest():
    rows = SMALL.grid(0, 100).values.tolist()
    assert rows == [[60, 0.5, 7], [60, 1.0, 7], [60, 1.5, 7], [120, 0.5, 7], [120, 1.0, 7], [120, 1.5, 7]]
    assert SMALL.size == 6


def test_chunks_of_the_grid_join_to_the_whole():
    chunks = [SMALL.grid(start, 4).values for start in (0, 4, 8)]
    assert [len(chunk) for chunk in chunks] == [4, 2, 0]
    np.testing.assert_array_equal(np.concatenate(chunks), SMALL.grid(0, 6).values)


def test_a_grid_beyond_64_bits_is_still_enumerated_exactly():
    space = Space(tuple(Choice(tuple(range(20)), 0) for _ in range(16)))
    assert space.size == 20**16
    np.testing.assert_array_equal(space.grid(20**16 - 1, 5).values, np.full((1, 16), 19.0))


def test_ints_and_floats_stay_apart_in_rows():
    assert SMALL.grid(0, 1).is_float.tolist() == [[False, True, False]]
    assert SMALL.present.is_float.tolist() == [[False, True, False]]


def test_random_rows_are_reproducible_and_do_not_depend_on_how_many_are_drawn():
    many = SMALL.draw_random(np.random.default_rng(3), 50)
    few = SMALL.draw_random(np.random.default_rng(3), 10)
    np.testing.assert_array_equal(many.values[:10], few.values)


def test_every_value_of_a_list_is_drawn_and_intervals_are_not_left():
    space = Space((Choice((1, 2, 3), 1), Interval(-2.0, 5.0, 0.0)))
    drawn = space.draw_random(np.random.default_rng(0), 3_000).values
    counts = [int((drawn[:, 0] == value).sum()) for value in (1, 2, 3)]
    assert sum(counts) == 3_000
    assert min(counts) > 900
    assert drawn[:, 1].min() >= -2.0
    assert drawn[:, 1].max() <= 5.0


def test_encode_is_the_inverse_of_decode_and_marks_what_is_not_on_the_lists():
    space = Space((Choice((9, 3, 6), 9), Interval(0.0, 1.0, 0.5)))
    rows = space.draw_random(np.random.default_rng(1), 40)
    np.testing.assert_array_equal(space.decode(space.encode(rows)).values, rows.values)
    strange = space.encode(ParamMatrix.from_rows([[4, 0.5], [9, 1.5]]))
    assert np.isnan(strange).tolist() == [[True, False], [False, True]]


def test_keys_are_fixed_bytes_that_another_machine_can_recompute():
    key = parameter_keys(ParamMatrix.from_rows([[60, 1.5]]))[0]
    assert key == hashlib.blake2b(struct.pack("<dd", 60.0, 1.5) + b"\x00\x01", digest_size=16).digest()


def test_keys_tell_int_from_float_but_not_minus_zero_from_zero():
    keys = parameter_keys(ParamMatrix.from_rows([[60], [60.0], [0.0], [-0.0]]))
    assert keys[0] != keys[1]
    assert keys[2] == keys[3]


def test_keys_of_values_that_are_no_numbers_are_refused():
    with pytest.raises(RangeError, match="row 1"):
        parameter_keys(ParamMatrix(np.array([[1.0], [np.nan]]), np.ones((2, 1), dtype=np.bool_)))


def test_free_ranges_with_a_step_become_lists_and_without_one_intervals():
    space = Space.from_intervals({0: (10, 30, 10), 1: (0.1, 0.4, 0.1), 2: (-1, 1)}, present=[20, 0.2, 0.5])
    assert space.variables == (Choice((10, 20, 30), 20), Choice((0.1, 0.2, 0.3, 0.4), 0.2), Interval(-1.0, 1.0, 0.5))
    assert space.size is None


@pytest.mark.parametrize(
    ("intervals", "says"),
    [
        ({0: (1, 2), 2: (1, 2)}, "without a gap"),
        ({0: (1,)}, "no range"),
        ({0: (1, 2, -1)}, "step > 0"),
        ({0: (3.0, 3.0)}, "low < high"),
    ],
)
def test_bad_free_ranges_are_refused_with_the_reason(intervals, says):
    with pytest.raises(RangeError, match=says):
        Space.from_intervals(intervals)


def test_repeated_values_and_an_interval_s_grid_are_refused():
    with pytest.raises(RangeError, match="repeat"):
        Choice((1, 1.0), 1)
    with pytest.raises(RangeError, match="no grid"):
        Space((Interval(0.0, 1.0, 0.5),)).grid(0, 1)
