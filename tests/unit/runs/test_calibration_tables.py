"""Rates, their limits, and the table."""

import math

import pytest

from stom_ray.errors import ConfigError
from stom_ray.runs.calibration.plan import FULL
from stom_ray.runs.calibration.tables import Group, Rates, at_least, at_most, groups, rule_sharpe, table


def finding(kind="edge", number=0, *, standing="pass", earned=1.0, size=FULL, free=False, rule=(4, 4.0, 10.0), **more):
    edge = kind == "edge"
    return {
        "kind": kind, "number": number, "size": size if edge else 0.0, "free": free, "standing": standing, "profit": 1.0,
        "believed": standing == "pass", "earned": earned, "unit": 0.5, "rule": list(rule) if edge else None,
        "rule_number": 0 if edge else None, "checks": {"days": ["pass", 1.0], "pbo": ["weak", 0.3]}, **more,
    }  # fmt: skip


def test_limits_are_those_of_clopper_and_pearson() -> None:
    assert at_most(4, 200) == pytest.approx(0.0452, abs=5e-5)  # as the issue states it
    assert at_most(0, 60) == pytest.approx(1 - 0.05 ** (1 / 60))
    assert at_most(5, 5) == 1.0
    assert at_least(190, 200) == pytest.approx(1 - at_most(10, 200))
    with pytest.raises(ConfigError, match="6 of 5"):
        at_most(6, 5)


def test_an_edge_is_found_when_it_is_believed_and_earns_again() -> None:
    told = [
        finding(),
        finding(number=1, earned=-1.0),
        finding(number=2, standing="weak"),
        finding(number=3, size=0.3, standing="fail"),
        finding("noise"),
        finding("noise", 1, standing="fail", free=True),
    ]
    rates = Rates.of(told)
    assert (rates.noise_studies, rates.noise_believed) == (2, 0.5)
    assert (rates.edge_studies, rates.edge_found) == (3, pytest.approx(1 / 3))
    assert rates.render().startswith("noise believed in 1 of 2 studies")


def test_without_studies_of_a_kind_its_rate_is_no_number() -> None:
    assert math.isnan(Rates.of([finding()]).noise_believed)
    assert "noise" not in Rates.of([finding()]).render()


def test_the_rules_sharpe_is_that_of_all_days_put_together_rule_by_rule() -> None:
    # Daily profits 0, 0, 2, 2 of one rule in two studies, and 3, 1 of another.
    parts = [
        finding(rule=(2, 0.0, 0.0)),
        finding(number=1, rule=(2, 4.0, 8.0)),
        finding(number=2, rule=(2, 4.0, 10.0), rule_number=1),
    ]
    assert rule_sharpe(parts) == pytest.approx((1 / math.sqrt(4 / 3) + 2 / math.sqrt(2)) / 2)


def test_groups_stand_in_one_order_whatever_came_first() -> None:
    told = [finding(), finding("noise", 1, free=True), finding(size=0.3), finding("noise", standing="weak")]
    found = groups(told)
    assert [one.name for one in found] == ["noise, costs", "noise, free", "edge 0.3", f"edge {FULL:g}"]
    assert table(groups(told[::-1])) == table(found)  # NaN is not equal to itself
    assert isinstance(found[0], Group)
    assert found[0].stopped == {"pbo": 1}
    lines = table(found).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| noise, costs | 1 | 1 | 0 |")
