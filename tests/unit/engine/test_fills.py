"""Order size and walks through the book."""

import math

import numpy as np
import pytest

from stom_ray.engine.fills import fill_price, forced_price, last_price, order_quantity, walk, weighted_betting

PRICES = (100.0, 101.0, 102.0, 103.0, 104.0)
SIZES = (10.0, 20.0, 30.0, 40.0, 50.0)


def test_quantity_is_cut_down_to_whole_shares():
    assert order_quantity(1_000_000.0, 3270.0) == 305


@pytest.mark.parametrize("price", [0.0, -5.0, math.nan, 1e-300])
def test_a_price_that_is_not_positive_or_absurd_gives_no_order(price):
    assert order_quantity(1_000_000.0, price) == 0


def test_an_order_walks_level_by_level():
    assert walk(35.0, 5, PRICES, SIZES) == (35.0, 10 * 100.0 + 20 * 101.0 + 5 * 102.0)


def test_an_order_that_fits_the_first_level_exactly_takes_nothing_more():
    assert walk(10.0, 5, PRICES, SIZES) == (10.0, 1000.0)


def test_only_the_allowed_levels_are_walked():
    assert walk(35.0, 2, PRICES, SIZES) == (30.0, 10 * 100.0 + 20 * 101.0)


def test_levels_without_price_or_size_offer_nothing():
    prices = (0.0, math.nan, 102.0, 103.0, 104.0)
    sizes = (9.0, 9.0, math.nan, 0.0, 50.0)
    assert walk(20.0, 5, prices, sizes) == (20.0, 20 * 104.0)


def test_a_fill_price_rounds_half_to_even():
    assert fill_price(2.0, 2, (100.0, 101.0, 0.0, 0.0, 0.0), (1.0, 1.0, 0.0, 0.0, 0.0)) == 100
    assert fill_price(2.0, 2, (101.0, 102.0, 0.0, 0.0, 0.0), (1.0, 1.0, 0.0, 0.0, 0.0)) == 102


def test_an_order_larger_than_the_levels_is_no_trade():
    assert fill_price(151.0, 5, PRICES, SIZES) == 0
    assert fill_price(150.0, 5, PRICES, SIZES) > 0


def test_an_empty_order_is_no_trade():
    assert fill_price(0.0, 5, PRICES, SIZES) == 0


def test_a_forced_sale_averages_what_the_bids_take():
    assert forced_price(1000.0, 99.0, 1, PRICES, SIZES) == 100


def test_a_forced_sale_into_an_empty_book_takes_the_last_price():
    assert forced_price(10.0, 99.0, 5, PRICES, (0.0,) * 5) == 99


def test_the_last_price_looks_back_over_rows_without_one():
    assert last_price(np.array([50.0, 51.0, math.nan, 0.0]), 3) == 51


def test_the_first_limit_above_the_criterion_chooses_the_factor():
    limits, factors = (5.0, 10.0, 20.0, 30.0), (0.5, 0.8, 1.0, 1.3, 2.0)
    weights = [weighted_betting(100.0, x, limits, factors) for x in (4.9, 5.0, 19.9, 29.0, 30.0, math.nan)]
    assert weights == [50.0, 80.0, 100.0, 130.0, 200.0, 200.0]


def test_compiled_and_plain_python_agree_bit_for_bit():
    rng = np.random.default_rng(7)
    for _ in range(200):
        prices = tuple(float(p) for p in rng.integers(0, 5000, 5))
        sizes = tuple(float(s) for s in rng.integers(0, 300, 5))
        quantity, levels = float(rng.integers(0, 900)), int(rng.integers(1, 6))
        assert fill_price(quantity, levels, prices, sizes) == fill_price.py_func(quantity, levels, prices, sizes)
        assert forced_price(quantity, 7.0, levels, prices, sizes) == forced_price.py_func(quantity, 7.0, levels, prices, sizes)
