"""Days drawn and block lengths, against what the library `arch` 8.0.0 gave for the same data and seeds."""

import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.validation.bootstrap import (
    optimal_block_length,
    stationary_counts,
    stationary_indices,
    stationary_weights,
)


def test_the_days_drawn_are_those_of_arch():
    """`[day[0][0] for day in StationaryBootstrap(3, np.arange(12), seed=7).bootstrap(3)]`, and (2.5, np.arange(8), seed=1)."""
    assert stationary_indices(12, 3, 3, 7).tolist() == [
        [11, 0, 1, 2, 6, 9, 10, 11, 0, 1, 2, 3],
        [8, 9, 10, 11, 0, 1, 2, 1, 10, 7, 8, 0],
        [8, 9, 10, 11, 7, 8, 9, 10, 11, 0, 11, 0],
    ]
    assert stationary_indices(8, 2.5, 2, 1).tolist() == [[3, 4, 5, 6, 7, 1, 2, 3], [6, 7, 3, 6, 7, 2, 3, 4]]


def test_block_lengths_are_those_of_arch():
    """`optimal_block_length(x)["stationary"]` of six autoregressive series; never below 1, which arch allows."""
    rng = np.random.default_rng(3)
    found = []
    for phi, n_days in ((0, 100), (0.3, 250), (0.8, 500), (-0.4, 60), (0, 1000), (0.95, 40)):
        shocks = rng.standard_normal(n_days)
        series = np.zeros(n_days)
        for day in range(n_days):
            series[day] = (phi * series[day - 1] if day else 0.0) + shocks[day]
        found.append(optimal_block_length(series))
    assert found == pytest.approx([2.710552, 4.701666, 16.494952, 8.243079, 2.028853, 7.213172], abs=1e-6)


def test_blocks_have_the_length_asked_for_and_every_day_is_drawn_as_often():
    drawn = stationary_indices(50, 5, 4000, 1)
    goes_on = drawn[:, 1:] == (drawn[:, :-1] + 1) % 50
    assert 1 / (1 - goes_on.mean()) == pytest.approx(5, rel=0.03)  # a new block goes on by chance once in 50
    assert np.bincount(drawn.ravel()) / 4000 == pytest.approx(np.ones(50), abs=0.12)
    assert np.array_equal(stationary_indices(50, 5, 10, 1), drawn[:10])


def test_counts_and_weights_say_the_same_as_the_days():
    series = np.random.default_rng(2).standard_normal(30).cumsum()
    drawn, counts = stationary_indices(30, 4, 500, 3), stationary_counts(30, 4, 500, 3)
    assert np.all(counts.sum(axis=1) == 30)
    assert counts @ series / 30 == pytest.approx(series[drawn].mean(axis=1))
    centred = series - series.mean()
    variance = float(centred @ stationary_weights(30, 4) @ centred) / 30**2
    assert variance == pytest.approx(np.var(series[stationary_indices(30, 4, 20_000, 4)].mean(axis=1)), rel=0.04)


def test_blocks_of_one_day_are_independent_days():
    assert np.array_equal(stationary_weights(20, 1), np.eye(20))


def test_returns_without_spread_need_no_blocks():
    assert optimal_block_length(np.zeros(30)) == 1.0
    assert optimal_block_length(np.full(30, 0.1)) == 1.0
    assert optimal_block_length(np.eye(30)[4]) >= 1.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: stationary_indices(20, 0.9, 5, 1), "block_length is 0.9: expected 1 to the number of days, 20"),
        (lambda: stationary_indices(20, 21, 5, 1), "block_length is 21"),
        (lambda: stationary_indices(20, np.nan, 5, 1), "block_length is nan"),
        (lambda: stationary_indices(20, 2, 0, 1), "reps is 0"),
        (lambda: optimal_block_length(np.zeros(9)), r"returns have shape \(9,\): expected at least 10 days"),
        (lambda: optimal_block_length(np.array([0.0] * 10 + [np.nan])), "the return of day 10 is nan"),
    ],
)
def test_impossible_bootstraps_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
