import math
from statistics import NormalDist

import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.metrics.returns import profit_factor, sharpe
from stom_ray.validation.bootstrap import optimal_block_length, stationary_indices
from stom_ray.validation.intervals import bootstrap_interval

MEASURES = {"mean": np.mean, "sharpe": lambda days: float(sharpe(days)), "profit_factor": profit_factor}


@pytest.fixture(scope="module")
def returns():
    return np.random.default_rng(5).standard_normal(80) + 0.1


@pytest.mark.parametrize("measure", MEASURES)
def test_the_percentile_interval_is_that_of_the_resampled_measure(returns, measure):
    found = bootstrap_interval(returns, measure, seed=9, method="percentile", reps=400, block_length=4)
    by_hand = np.sort([MEASURES[measure](returns[days]) for days in stationary_indices(80, 4, 400, 9)])
    assert found.estimate == pytest.approx(MEASURES[measure](returns))
    assert (found.low, found.high) == (pytest.approx(by_hand[9]), pytest.approx(by_hand[390]))
    assert (found.level, found.block_length) == (0.95, 4)


def test_the_percentile_interval_of_the_mean_is_that_of_arch(returns):
    """arch 8.0.0: StationaryBootstrap(4, x, seed=9).conf_int(np.mean, 1000, method="percentile"), but for interpolation."""
    found = bootstrap_interval(returns, "mean", seed=9, method="percentile", reps=1000, block_length=4)
    assert found.low == pytest.approx(-0.26015352, abs=2e-4)
    assert 0.16467662 <= found.high == pytest.approx(0.16990999, abs=1e-8)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("method", ["percentile", "studentised"])
def test_the_true_measure_lies_inside_as_often_as_promised(measure, method):
    rng = np.random.default_rng(1)
    normal = NormalDist()
    won, lost = normal.pdf(0.2) + 0.2 * normal.cdf(0.2), normal.pdf(0.2) - 0.2 * normal.cdf(-0.2)  # E[max(x, 0)], E[max(-x, 0)]
    true = {"mean": 0.2, "sharpe": 0.2, "profit_factor": won / lost}[measure]
    inside = 0
    for seed in range(100):
        days = rng.standard_normal(100) + 0.2
        found = bootstrap_interval(days, measure, seed=seed, method=method, reps=200, level=0.9)
        inside += found.low <= true <= found.high
    assert 81 <= inside <= 97


def test_an_interval_narrows_with_more_days_and_widens_with_dependence(returns):
    rng = np.random.default_rng(2)
    short, long = (bootstrap_interval(rng.standard_normal(n), "sharpe", seed=1, reps=500) for n in (50, 800))
    assert long.high - long.low < 0.5 * (short.high - short.low)
    slow = np.repeat(returns, 5)
    apart, together = (bootstrap_interval(slow, "mean", seed=1, reps=500, block_length=length) for length in (1, 20))
    assert together.high - together.low > 1.5 * (apart.high - apart.low)
    assert bootstrap_interval(slow, "mean", seed=1, reps=100).block_length == optimal_block_length(slow) > 3


def test_the_same_seed_gives_the_same_interval(returns):
    assert bootstrap_interval(returns, "sharpe", seed=4) == bootstrap_interval(returns, "sharpe", seed=4)
    assert bootstrap_interval(returns, "sharpe", seed=4) != bootstrap_interval(returns, "sharpe", seed=5)


def test_what_does_not_exist_has_no_interval():
    idle = np.zeros(40)
    for measure in ("sharpe", "profit_factor"):
        for method in ("percentile", "studentised"):
            found = bootstrap_interval(idle, measure, seed=1, method=method, reps=50)
            assert math.isnan(found.estimate)
            assert math.isnan(found.low)
            assert math.isnan(found.high)


def test_a_profit_factor_without_losses_is_infinite():
    days = np.tile([0.0, 1.0], 20)
    found = bootstrap_interval(days, "profit_factor", seed=1, method="percentile", reps=100)
    assert (found.estimate, found.low, found.high) == (math.inf, math.inf, math.inf)
    assert math.isnan(bootstrap_interval(days, "profit_factor", seed=1, reps=100).high)
    days[3] = -0.1  # some resamples have no loss
    assert bootstrap_interval(days, "profit_factor", seed=1, method="percentile", reps=100, block_length=1).high == math.inf
    assert 0 < bootstrap_interval(days, "profit_factor", seed=1, reps=100, block_length=1).low < 190


@pytest.mark.parametrize(
    ("returns", "settings", "message"),
    [
        (np.zeros(9), {}, "expected at least 10 days"),
        (np.full(20, np.inf), {}, "the return of day 0 is inf"),
        (np.zeros((2, 20)), {}, r"shape \(2, 20\)"),
        (np.zeros(20), {"level": 1.0}, "level is 1.0"),
        (np.zeros(20), {"block_length": 30}, "block_length is 30"),
    ],
)
def test_impossible_intervals_are_refused(returns, settings, message):
    with pytest.raises(ConfigError, match=message):
        bootstrap_interval(returns, "mean", seed=1, **settings)
