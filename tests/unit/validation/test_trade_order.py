from itertools import permutations

import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.metrics.returns import drawdown
from stom_ray.validation.trade_order import deepest_fall, drawdowns_over_orders


def test_the_deepest_fall_starts_from_nothing_earned():
    assert deepest_fall(np.array([-5, 3, -4])) == 6.0
    assert deepest_fall(np.array([5, 3])) == 0.0
    assert deepest_fall(np.array([], dtype=np.int64)) == 0.0


def test_it_is_the_drawdown_of_the_equity():
    profits = np.random.default_rng(1).integers(-100, 100, 50)
    assert deepest_fall(profits) == -drawdown(np.concatenate([[0], np.cumsum(profits)])).min()


def test_every_order_is_as_likely_as_any_other():
    profits = np.array([10, -4, -7, 2])
    falls = [deepest_fall(np.array(order)) for order in permutations(profits)]
    found = drawdowns_over_orders(profits, orders=6000, seed=1)
    for fall in set(falls):
        assert np.mean(found == fall) == pytest.approx(falls.count(fall) / 24, abs=0.025)
    assert set(found) == set(falls)


def test_losses_that_came_together_stand_out():
    profits = np.array([100] * 60 + [-100] * 40)
    found = drawdowns_over_orders(profits, orders=500, seed=2)
    assert deepest_fall(profits) == 4000
    assert found.max() < 3000
    assert np.array_equal(drawdowns_over_orders(profits, orders=20, seed=2), found[:20])


@pytest.mark.parametrize(
    ("profits", "orders", "message"), [([1.0, np.nan], 10, "the profit of trade 1 is nan"), ([1.0], 0, "orders is 0")]
)
def test_impossible_orders_are_refused(profits, orders, message):
    with pytest.raises(ConfigError, match=message):
        drawdowns_over_orders(np.array(profits), orders=orders, seed=1)
