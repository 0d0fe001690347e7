"""Windows that are not precomputed: numpy's own reductions."""

import numpy as np
import pytest

from stom_ray.features import raw
from stom_ray.features.slices import RAW, highest, lowest, mean3, total, whole_mean
from stom_ray.schema.windows import WINDOW_SOURCE

RNG = np.random.default_rng(11)


@pytest.mark.parametrize("length", [1, 3, 8, 9, 128, 129, 257, 1000])
def test_means_round_and_truncate_like_numpys(length):
    values = RNG.uniform(-50, 400, 1500)
    for end in range(length - 1, 1500, 131):
        window = values[end - length + 1 : end + 1]
        assert mean3(values, end, length) == round(window.mean(), 3)
        assert whole_mean(values, end, length) == int(window.mean())


def test_extremes_of_a_window_with_nan_are_nan():
    values = np.array([1.0, np.nan, 3.0])
    assert np.isnan(highest(values, 2, 3))
    assert np.isnan(lowest(values, 2, 2))
    assert highest(values, 2, 1) == 3.0


@pytest.mark.parametrize("function", list(RAW))
@pytest.mark.parametrize("kind", ["whole", "fractional", "with nan", "with infinity"])
def test_the_column_form_equals_the_scalar_form(make_panel, function, kind):
    values = RNG.integers(0, 5000, 400).astype(np.float64)
    if kind != "whole":
        values += RNG.random(400)
    if kind == "with nan":
        values[[50, 51, 200]] = np.nan
    if kind == "with infinity":
        values[[50, 51, 200]] = np.inf
        values[300] = -np.inf
    panel = make_panel([("000001", 20230102, 400)], **{WINDOW_SOURCE[function]: values})
    for length in (1, 2, 9, 130):
        column = raw(panel, function, length)
        assert np.isnan(column[: length - 1]).all()
        scalar = [RAW[function](values, end, length) for end in range(length - 1, 400)]
        np.testing.assert_array_equal(column[length - 1 :], scalar)


def test_total_of_whole_numbers_is_their_sum():
    values = np.arange(50, dtype=np.float64)
    assert total(values, 49, 10) == sum(range(40, 50))
