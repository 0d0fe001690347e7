import math

import numpy as np
import pytest

from stom_ray.engine.trades import trades_from
from stom_ray.errors import ConfigError
from stom_ray.validation.stability import concentration, stability


def test_profit_is_added_up_by_group():
    found = concentration(np.array([30, -10, 50, 10]), np.array(["b", "a", "b", "c"]))
    assert found.groups.tolist() == ["a", "b", "c"]
    assert found.profit.tolist() == [-10, 80, 10]
    assert found.profitable == pytest.approx(2 / 3)
    assert (found.best_share, found.without_best) == (1.0, 0.0)
    assert found.herfindahl == pytest.approx((8 / 9) ** 2 + (1 / 9) ** 2)


def test_equal_groups_are_spread_evenly_and_one_group_is_all():
    assert concentration(np.ones(10), np.arange(10)).herfindahl == pytest.approx(0.1)
    assert concentration(np.ones(10), np.zeros(10)).herfindahl == 1.0
    assert concentration(np.ones(10), np.arange(10)).best_share == pytest.approx(0.1)


def test_the_best_group_can_be_more_than_the_whole():
    found = concentration(np.array([100, -60]), np.array([1, 2]))
    assert (found.best_share, found.without_best) == (2.5, -60)


def test_losses_have_neither_a_best_share_nor_a_concentration():
    found = concentration(np.array([-1, -2]), np.array([1, 2]))
    assert math.isnan(found.best_share)
    assert math.isnan(found.herfindahl)
    assert found.profitable == 0.0
    mixed = concentration(np.array([1, -2]), np.array([1, 2]))
    assert math.isnan(mixed.best_share)
    assert mixed.herfindahl == 1.0


def test_trades_are_grouped_by_stock_day_and_hour(make_panel):
    panel = make_panel([("000001", 20230102, 4), ("000001", 20230103, 4), ("000002", 20230103, 4)])
    rows = [
        (0, 20230102095959, 20230102100001, 5),
        (1, 20230103100000, 20230103100009, 7),
        (2, 20230103150000, 20230103150100, -2),
    ]
    trades = trades_from([(0, s, 0, 0, buy, sell, 1, 0, 0, 0, 0, profit, 0.0, 0, 0.0) for s, buy, sell, profit in rows])
    found = stability(trades, panel)
    assert dict(zip(found.stocks.groups, found.stocks.profit, strict=True)) == {"000001": 12, "000002": -2}
    assert dict(zip(found.days.groups, found.days.profit, strict=True)) == {20230102: 5, 20230103: 5}
    assert dict(zip(found.hours.groups, found.hours.profit, strict=True)) == {9: 5, 10: 7, 15: -2}


def test_nothing_and_several_candidates_are_refused(make_panel):
    panel = make_panel([("000001", 20230102, 4)])
    several = trades_from([(candidate, *[0] * 14) for candidate in (0, 1)])
    with pytest.raises(ConfigError, match="0 trades of 0 candidates"):
        stability(trades_from([]), panel)
    with pytest.raises(ConfigError, match="2 trades of 2 candidates"):
        stability(several, panel)
    with pytest.raises(ConfigError, match="1 profits in 2 groups"):
        concentration(np.ones(1), np.ones(2))
    with pytest.raises(ConfigError, match="numbers only"):
        concentration(np.array([np.nan]), np.ones(1))
