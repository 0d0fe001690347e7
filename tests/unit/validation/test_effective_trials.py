import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.validation.effective_trials import behaviour_clusters, correlated_trials, sampled_trials
from stom_ray.validation.overfitting import effective_trials, expected_max


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(1)


def families(rng, n_families, n_each, n_days, likeness):
    """Trials of some families; within one they correlate by `likeness`, in order of the families."""
    common = np.repeat(rng.standard_normal((n_families, n_days)), n_each, axis=0)
    own = rng.standard_normal((n_families * n_each, n_days))
    return np.sqrt(likeness) * common + np.sqrt(1 - likeness) * own


def test_the_mean_correlation_is_that_of_all_pairs(rng):
    returns = families(rng, 1, 30, 100, 0.4) * rng.uniform(0.1, 9, (30, 1))
    pairs = np.corrcoef(returns)[np.triu_indices(30, 1)]
    found = correlated_trials(returns)
    assert found.mean_correlation == pytest.approx(pairs.mean())
    assert found.effective == pytest.approx(effective_trials(30, float(pairs.mean())))


def test_independent_trials_count_in_full_and_copies_once(rng):
    noise = rng.standard_normal((500, 250))
    assert correlated_trials(noise).effective > 490
    copies = np.repeat(noise[:1], 500, axis=0)
    assert correlated_trials(copies).effective == pytest.approx(1.0)
    assert correlated_trials(copies).distinct == 1
    scaled = copies * np.arange(1, 501)[:, np.newaxis]  # correlated by 1, but of different size
    assert correlated_trials(scaled).effective == pytest.approx(1.0)


def test_copies_of_a_few_count_as_these_few(rng):
    returns = np.repeat(rng.standard_normal((8, 100)), 100, axis=0)
    found = correlated_trials(returns)
    assert (found.distinct, found.effective) == (8, 8.0)


def test_the_count_is_never_more_than_all_and_never_less_than_one(rng):
    mirrored = rng.standard_normal((20, 60))
    mirrored = np.concatenate([mirrored, -mirrored])
    assert correlated_trials(mirrored).mean_correlation == 0.0
    assert correlated_trials(mirrored).effective == 40
    assert correlated_trials(mirrored[:1]).effective == 1


def test_failed_trials_count_each_and_idle_ones_together(rng):
    returns = np.zeros((30, 40))
    returns[:10] = rng.standard_normal((10, 40))
    returns[10:15] = np.nan
    found = correlated_trials(returns)
    assert (found.n_trials, found.failed, found.constant, found.distinct) == (30, 5, 15, 16)
    assert found.effective == 16
    assert correlated_trials(returns[10:15]).effective == 5
    assert correlated_trials(returns[15:]).effective == 1


def test_pruned_trials_correlate_over_their_known_days(rng):
    returns = families(rng, 1, 40, 400, 0.5)
    returns[::2, 200:] = np.nan
    assert 0.3 < correlated_trials(returns).mean_correlation < 0.5


def test_blocks_and_studies_do_not_show(rng):
    returns = families(rng, 3, 700, 50, 0.5).astype(np.float32)
    whole = correlated_trials(returns)
    parts = correlated_trials([returns[:5], returns[5:1500], returns[1500:]])
    assert (parts.n_trials, parts.distinct) == (whole.n_trials, whole.distinct)
    assert parts.mean_correlation == pytest.approx(whole.mean_correlation)


def test_the_correlated_count_does_not_understate_the_best_of_noise(rng):
    """What it is for: the best Sharpe ratio of correlated noise is no higher than is expected of so many trials."""
    higher = []
    for _ in range(40):
        returns = families(rng, 20, 20, 120, 0.6)
        ratios = returns.mean(axis=1) / returns.std(axis=1, ddof=1)
        higher.append(ratios.max() / ratios.std(ddof=1) - expected_max(correlated_trials(returns).effective))
    assert np.mean(higher) < 0


def test_clusters_are_the_families(rng):
    labels = behaviour_clusters(families(rng, 5, 12, 300, 0.8))
    assert np.array_equal(labels, np.repeat(np.arange(5), 12))


def test_noise_has_no_clusters_and_copies_are_one(rng):
    noise = rng.standard_normal((60, 250))
    assert np.array_equal(behaviour_clusters(noise), np.arange(60))
    assert np.array_equal(behaviour_clusters(np.repeat(noise[:1], 60, axis=0) * 3), np.zeros(60))


def test_what_counts_as_alike_can_be_chosen(rng):
    returns = families(rng, 4, 10, 400, 0.6)
    assert len(np.unique(behaviour_clusters(returns, alike=0.3))) == 4
    assert len(np.unique(behaviour_clusters(returns, alike=0.9))) == 40


def test_idle_trials_are_one_cluster_and_failed_ones_each_their_own(rng):
    returns = np.zeros((6, 50))
    returns[1] = returns[4] = rng.standard_normal(50)
    returns[2] = returns[5] = np.nan
    assert behaviour_clusters(returns).tolist() == [0, 1, 2, 0, 1, 3]
    assert behaviour_clusters(returns[[0, 3]]).tolist() == [0, 0]
    assert behaviour_clusters(returns[:1]).tolist() == [0]


def test_a_sample_is_drawn_in_one_pass_and_does_not_depend_on_blocks(rng):
    returns = np.arange(3000.0)[:, np.newaxis] * np.ones(4)
    numbers, rows = sampled_trials(returns, 50, seed=1)
    assert len(numbers) == 50
    assert np.all(np.diff(numbers) > 0)
    assert np.array_equal(rows, returns[numbers])
    parts, _ = sampled_trials(iter([returns[:7], returns[7:2000], returns[2000:]]), 50, seed=1)
    assert np.array_equal(parts, numbers)
    assert np.array_equal(sampled_trials(returns, 5000, seed=1)[0], np.arange(3000))
    often = np.bincount(np.concatenate([sampled_trials(returns[:10], 3, seed=seed)[0] for seed in range(2000)]))
    assert often / 2000 == pytest.approx(np.full(10, 0.3), abs=0.04)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: behaviour_clusters(np.zeros((4001, 2))), "4,001 trials are too many to cluster: expected at most 4,000"),
        (lambda: behaviour_clusters(np.zeros((3, 5)), alike=1.0), "alike is 1.0"),
        (lambda: correlated_trials(np.zeros((0, 5))), "there is no trial"),
    ],
)
def test_impossible_counts_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
