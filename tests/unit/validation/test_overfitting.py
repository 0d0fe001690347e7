"""The check values of the papers."""

import math

import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.metrics.returns import kurtosis, sharpe, skew
from stom_ray.validation.overfitting import (
    deflated_sharpe,
    deflated_sharpe_of,
    effective_trials,
    expected_max,
    min_backtest_length,
    min_track_record,
    probabilistic_sharpe,
)


@pytest.mark.parametrize(
    ("n_trials", "expected"), [(10, 1.574598), (45, 2.235640), (100, 2.530603), (1e3, 3.255122), (1e6, 4.867860)]
)
def test_expected_maximum_of_trials_without_skill(n_trials, expected):
    assert expected_max(n_trials) == pytest.approx(expected, abs=5e-7)


def test_a_single_trial_is_expected_to_show_nothing():
    assert expected_max(1) == 0.0
    assert expected_max(1.01) == 0.0


def test_45_trials_need_five_years_to_make_a_sharpe_of_one_unlikely():
    assert min_backtest_length(45, 1.0) == pytest.approx(4.998, abs=5e-4)


def test_probabilistic_sharpe_falls_with_fat_left_tails():
    assert probabilistic_sharpe(0.458, 24) == pytest.approx(0.9817, abs=5e-5)
    assert probabilistic_sharpe(0.458, 24, skew=-2.448, kurtosis=10.164) == pytest.approx(0.9134, abs=5e-5)


@pytest.mark.parametrize(("periods", "years"), [(252, 2.731), (52, 2.829), (12, 3.240)])
def test_track_record_to_tell_a_sharpe_of_two_from_one(periods, years):
    root = math.sqrt(periods)
    assert min_track_record(2 / root, 1 / root) / periods == pytest.approx(years, abs=5e-4)


def test_track_record_of_returns_that_are_not_normal():
    root = math.sqrt(12)
    assert min_track_record(2 / root, 1 / root, skew=-0.72, kurtosis=5.78) / 12 == pytest.approx(4.991, abs=5e-4)


def test_no_track_record_shows_what_is_not_there():
    assert min_track_record(0.1, 0.1) == math.inf


@pytest.mark.parametrize(
    ("n_trials", "moments", "probability"),
    [(100, (-3, 10), 0.900397), (46, (-3, 10), 0.950502), (88, (0, 3), 0.950491)],
)
def test_deflated_sharpe_counts_the_trials(n_trials, moments, probability):
    found = deflated_sharpe(
        2.5 / math.sqrt(250), 1250, n_trials=n_trials, trial_variance=0.5 / 250, skew=moments[0], kurtosis=moments[1]
    )
    assert found.probability == pytest.approx(probability, abs=5e-7)
    if n_trials == 100:
        assert found.benchmark == pytest.approx(0.113172, abs=5e-7)


def test_effective_trials_of_copies_is_one():
    assert effective_trials(1000, 1.0) == 1.0
    assert effective_trials(1000, 0.0) == 1000.0


def test_deflating_from_returns_counts_failed_trials_too():
    rng = np.random.default_rng(0)
    table = rng.normal(0.0, 0.01, (50, 250))
    sharpes = np.append(sharpe(table), [np.nan] * 50)
    best = table[np.nanargmax(sharpes)]
    found = deflated_sharpe_of(best, sharpes)
    by_hand = deflated_sharpe(
        float(sharpe(best)),
        250,
        n_trials=100,
        trial_variance=float(np.var(sharpe(table), ddof=1)),
        skew=float(skew(best)),
        kurtosis=float(kurtosis(best)),
    )
    assert found == by_hand
    assert found.probability < 0.95
    assert deflated_sharpe_of(best, sharpes, n_trials=1).benchmark == 0.0


def test_the_best_of_noise_is_not_believed_more_often_than_it_should_be():
    rng = np.random.default_rng(1)
    believed = 0
    for _ in range(200):
        table = rng.normal(0.0, 0.01, (40, 120))
        sharpes = sharpe(table)
        believed += deflated_sharpe_of(table[np.argmax(sharpes)], sharpes).probability > 0.95
    assert believed <= 4


def test_a_ratio_that_is_no_number_stays_none():
    assert math.isnan(probabilistic_sharpe(math.nan, 10))
    assert math.isnan(min_track_record(math.nan))
    assert math.isnan(deflated_sharpe(math.nan, 10, n_trials=5, trial_variance=0.1).probability)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: expected_max(0), "n_trials is 0"),
        (lambda: effective_trials(10, 1.5), "mean_correlation is 1.5"),
        (lambda: min_backtest_length(10, 0), "target_sharpe is 0"),
        (lambda: probabilistic_sharpe(0.1, 1), "needs at least 2"),
        (lambda: probabilistic_sharpe(1.0, 10, skew=3, kurtosis=3), "below 1 \\+ skew²"),
        (lambda: min_track_record(0.1, confidence=1.0), "confidence is 1.0"),
        (lambda: deflated_sharpe(0.1, 10, n_trials=5, trial_variance=-1), "trial_variance is -1"),
        (lambda: deflated_sharpe_of(np.array([0.1, 0.2]), [np.nan, 0.1]), "1 trials with a Sharpe ratio"),
    ],
)
def test_impossible_questions_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
