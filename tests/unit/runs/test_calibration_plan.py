"""Which studies a calibration has, and what is planted in them."""

import pytest

from stom_ray.errors import ConfigError
from stom_ray.runs.calibration.plan import FULL, REPORTED_SEED, RULES, SIZES, UNIT, Case, Plan


def test_the_whole_calibration_has_two_hundred_of_each_and_a_curve_of_five_sizes() -> None:
    cases = list(Plan().cases())
    assert sum(case.kind == "noise" for case in cases) == 200
    assert sum(case.free for case in cases) == 100
    assert sum(case.kind == "edge" and case.size == FULL for case in cases) == 200
    assert {case.size for case in cases if case.kind == "edge"} == set(SIZES)
    assert len(SIZES) == 5


def test_no_market_serves_two_studies_and_none_is_a_tuning_one() -> None:
    seeds = [case.seed for case in Plan().cases()]
    assert len(set(seeds)) == len(seeds)
    assert min(seeds) >= REPORTED_SEED
    assert max(case.seed for case in Plan(10, 10, 10, first_seed=0).cases()) < REPORTED_SEED


def test_a_small_calibration_is_the_beginning_of_a_large_one() -> None:
    assert {case.name for case in Plan(3, 4, 0).cases()} < {case.name for case in Plan(10, 10, 2).cases()}


def test_noise_has_no_edge_and_edges_pay_costs() -> None:
    noise, free, edge = Case("noise", 0, 0.0, 0), Case("noise", 1, 0.0, 0), Case("edge", 1, FULL, 0)
    assert noise.market().edge is None
    assert noise.market().spread
    assert free.market().edge is None
    assert not free.market().spread
    assert (noise.costs, free.costs, edge.costs) == ("stom", "custom:0,0", "stom")
    assert edge.market().edge is not None
    assert edge.market().spread


@pytest.mark.parametrize("rule", RULES)
def test_a_larger_size_plants_more_and_nothing_planted_is_a_loss(rule) -> None:
    strengths = [rule.strength(size * UNIT) for size in SIZES]
    assert strengths == sorted(strengths)
    assert rule.strength(rule.sharpe_at_40) == 40
    assert rule.strength(0.0) > 0


@pytest.mark.parametrize(("given", "told"), [({"noise": -1}, "noise is -1"), ({"first_seed": -1}, "seed is -1")])
def test_plans_that_cannot_be_run_are_refused(given, told) -> None:
    with pytest.raises(ConfigError, match=told):
        Plan(**given)
    with pytest.raises(ConfigError, match="no study"):
        Plan(0, 0, 0)
