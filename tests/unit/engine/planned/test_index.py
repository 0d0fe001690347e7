"""The exit index against what its columns are defined as, row by row."""

import numpy as np
import pytest

from stom_ray.engine.planned import index
from stom_ray.engine.planned.exits import pct_at

OFFSETS = np.array([0, 40, 41, 43, 90])


def prices_of(seed, levels=6):
    return 1_000.0 + np.random.default_rng(seed).integers(0, levels, OFFSETS[-1])


def sessions():
    return list(zip(OFFSETS[:-1].tolist(), OFFSETS[1:].tolist(), strict=True))


def first_later(prices, better):
    """The first later row of the session whose price is better than the row's."""
    found = np.full(len(prices), index.NONE)
    for start, end in sessions():
        for row in range(start, end):
            found[row] = next((at for at in range(row + 1, end) if better(prices[at], prices[row])), index.NONE)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_the_next_higher_and_lower_rows_are_the_first_of_the_session_with_another_price(seed):
    prices = prices_of(seed)
    higher, lower = np.empty((2, len(prices)), dtype=np.int32)
    index.next_higher(prices, OFFSETS[:-1], OFFSETS[1:], higher)
    index.next_lower(prices, OFFSETS[:-1], OFFSETS[1:], lower)
    np.testing.assert_array_equal(higher, first_later(prices, lambda later, now: later > now))
    np.testing.assert_array_equal(lower, first_later(prices, lambda later, now: later < now))


def test_infinite_terms_have_an_order_too():
    terms = np.array([-np.inf, 0.0, -np.inf, np.inf, np.inf, 1.0])
    higher = np.empty(6, dtype=np.int32)
    index.next_higher(terms, np.array([0]), np.array([6]), higher)
    assert higher.tolist() == [1, 3, 3, index.NONE, index.NONE, index.NONE]


@pytest.mark.parametrize("seed", range(5))
def test_the_low_is_that_of_the_rows_before_the_next_higher_one(seed):
    prices = prices_of(seed)
    higher = np.empty(len(prices), dtype=np.int32)
    lows = np.empty(len(prices))
    index.next_higher(prices, OFFSETS[:-1], OFFSETS[1:], higher)
    index.low_before_higher(prices, OFFSETS[:-1], OFFSETS[1:], higher, lows)
    for start, end in sessions():
        for row in range(start, end):
            assert lows[row] == prices[row : min(higher[row], end)].min()


@pytest.mark.parametrize("costs", [(0.0018, 0.00015, 10.0), (0.0015, 0.00014, 1.0), (0.0, 0.0, 1.0)])
def test_from_the_exact_quantity_on_a_higher_price_never_earns_less(costs):
    prices = 1_000.0 + np.arange(400) * 0.5
    found = np.empty(1)
    index.exact_quantities(prices, np.array([0]), np.array([400]), np.array([costs]), found)
    for quantity in range(int(np.ceil(found[0])), int(np.ceil(found[0])) + 40):
        pct = [pct_at(price, quantity * 1_000.0, float(quantity), costs) for price in prices]
        assert (np.diff(pct) >= 0.0).all()


def test_below_the_exact_quantity_a_higher_price_can_earn_less():
    costs = (0.0018, 0.00015, 10.0)
    pct = [pct_at(price, 66_000.0, 1.0, costs) for price in 66_000.0 + np.arange(1_000)]  # the fee rises to 10 KRW at 66,667
    assert (np.diff(pct) < 0.0).any()


def test_a_session_of_one_price_needs_no_shares():
    found = np.empty(2)
    index.exact_quantities(np.array([5.0, 5.0, 7.0]), np.array([0, 2]), np.array([2, 3]), np.array([[0.1, 0.1, 10.0]] * 2), found)
    assert found.tolist() == [0.0, 0.0]
