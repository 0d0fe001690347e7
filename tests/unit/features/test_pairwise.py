"""numpy's pairwise sum, of one window and of every window."""

import numpy as np
import pytest

from stom_ray.features.pairwise import BLOCK, TILE, halves, pairwise, pairwise_each_row

RNG = np.random.default_rng(11)
LENGTHS = [1, 3, 7, 8, 9, 16, 17, 127, 128, 129, 144, 200, 257, 1000, 1201]


@pytest.mark.parametrize("length", LENGTHS)
def test_sums_are_numpys_bit_for_bit(length):
    for _ in range(50):
        values = RNG.standard_normal(length) * 10.0 ** RNG.integers(-5, 9, length)
        assert pairwise(values, 0, length) == values.sum()


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("rows", [500, TILE + 1300])
def test_the_sum_at_every_row_is_that_windows_own(length, rows):
    values = RNG.standard_normal(rows) * 10.0 ** RNG.integers(-5, 9, rows)
    out = np.full(rows, 777.0)
    pairwise_each_row(values, length, halves(length), out)
    assert np.isnan(out[: length - 1]).all()
    expected = [values[end - length + 1 : end + 1].sum() for end in range(length - 1, rows)]
    assert out[length - 1 :].tolist() == expected


def test_a_missing_value_reaches_its_windows_and_no_others():
    values = RNG.random(600)
    values[250] = np.nan
    out = np.empty(600)
    pairwise_each_row(values, 200, halves(200), out)
    assert np.flatnonzero(np.isnan(out)).tolist() == [*range(199), *range(250, 450)]


def test_halves_are_multiples_of_eight_and_add_up():
    table = halves(1203)
    assert table[-1, 0] == 1203
    for length, left, right in table.tolist():
        if left < 0:
            assert length <= BLOCK
        else:
            assert table[left, 0] % 8 == 0
            assert table[left, 0] + table[right, 0] == length
