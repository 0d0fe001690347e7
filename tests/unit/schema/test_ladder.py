import numba
import numpy as np
import pytest

from stom_ray.schema.ladder import tick_unit, tick_units, vi_below5, vi_below5s

OLD, NEW = 20230124, 20230125


@pytest.mark.parametrize(
    ("price", "old", "new"),
    [(999, 1, 1), (1_000, 5, 1), (1_999, 5, 1), (2_000, 5, 5), (4_999, 5, 5), (5_000, 10, 10), (9_999, 10, 10), (10_000, 50, 10),
     (19_999, 50, 10), (20_000, 50, 50), (49_999, 50, 50), (50_000, 100, 100), (199_999, 100, 100), (200_000, 100, 500),
     (499_999, 100, 500), (500_000, 100, 1_000)],
)  # fmt: skip
def test_unit_at_each_step_before_and_after_the_change(price, old, new):
    assert (tick_unit(price, OLD), tick_unit(price, NEW)) == (old, new)


def test_array_form_equals_scalar_form_row_by_row():
    prices = np.concatenate([np.arange(0, 600_000, 499), [np.nan, np.inf, -5]]).astype(np.float64)
    days = np.where(np.arange(len(prices)) % 2, OLD, NEW)
    assert tick_units(prices, days).tolist() == [tick_unit(p, d) for p, d in zip(prices, days, strict=True)]


@pytest.mark.parametrize(
    ("price", "unit", "day", "below"),
    [
        (11_000, 50, OLD, 10_750),
        (10_100, 50, OLD, 9_970),
        (10_000, 50, OLD, 9_950),
        (2_005, 5, NEW, 1_996),
        (3_000, 5, NEW, 2_975),
    ],
)
def test_five_ticks_below_a_vi_price_steps_down_the_ladder_once(price, unit, day, below):
    assert vi_below5(price, unit, day) == below


def test_vi_array_form_equals_scalar_form_also_for_units_that_fit_nowhere():
    rng = np.random.default_rng(1)
    prices = rng.integers(0, 600_000, 4_000).astype(np.float64)
    units = np.where(rng.random(4_000) < 0.2, 7, tick_units(prices, NEW)).astype(np.float64)
    assert vi_below5s(prices, units, NEW).tolist() == [vi_below5(p, u, NEW) for p, u in zip(prices, units, strict=True)]


def test_scalar_forms_compile_as_they_stand_inside_a_kernel():
    compiled = numba.njit(tick_unit)
    assert [compiled(float(price), OLD) for price in (999, 1_000, 60_000)] == [1, 5, 100]
