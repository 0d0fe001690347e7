"""Profits along the paths of combinatorial splits, against the same thing written out."""

import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.metrics.returns import sharpe
from stom_ray.validation.cpcv import CombinatorialPurgedCV
from stom_ray.validation.path_scores import Distribution, choose_on_train, scores_on_test_days

DAYS = 20240101 + np.arange(26)
SPLITS = CombinatorialPurgedCV(5, 2, purge_days=1).split(DAYS)


@pytest.fixture
def profits():
    """Whole KRW, so that every sum is exact; most days of most trials without a trade."""
    rng = np.random.default_rng(5)
    return np.round(rng.normal(0, 1_000, (300, 26)) * (rng.random((300, 26)) < 0.4))


def written_out(profits, measure):
    """Split by split."""
    chosen, tested = [], []
    for train, test in zip(SPLITS.train, SPLITS.test, strict=True):
        scores = measure(profits[:, train])
        chosen.append(int(np.nanargmax(scores)))
        tested.append(profits[chosen[-1]][test])
    return chosen, SPLITS.paths(tested)


@pytest.mark.parametrize(("by", "measure"), [("sharpe", sharpe), ("profit", lambda days: days.sum(axis=1))])
def test_the_best_on_train_days_is_taken_on_test_days(profits, by, measure):
    found = choose_on_train(profits, SPLITS, by=by)
    chosen, paths = written_out(profits, measure)
    assert found.chosen.tolist() == chosen
    np.testing.assert_array_equal(found.daily, paths)
    assert found.sharpe == Distribution.of(sharpe(paths))
    assert found.profit.median == np.median(paths.sum(axis=1))


def test_trials_may_be_a_file_of_float32_larger_than_a_block(tmp_path, profits):
    many = np.concatenate([profits * 0.5 + shift for shift in range(8)]).astype(np.float32)
    path = tmp_path / "trials.f4"
    many.tofile(path)
    stored = np.memmap(path, dtype=np.float32, mode="r", shape=many.shape)
    whole = choose_on_train(stored, SPLITS)
    assert len(many) > 1024
    np.testing.assert_array_equal(whole.daily, choose_on_train(iter(np.split(many, 4)), SPLITS).daily)
    assert whole.chosen.tolist() == written_out(many.astype(np.float64), sharpe)[0]


def test_trials_that_failed_never_traded_or_do_not_vary_are_not_chosen(profits):
    profits[:3] = np.array([[np.nan], [0.0], [1e9 / 3]])
    profits[3, 5] = np.nan
    found = choose_on_train(profits, SPLITS)
    assert not set(found.chosen) & {0, 1, 2, 3}
    assert (found.n_trials, found.left_out) == (298, 2)
    with pytest.raises(ConfigError, match=r"split 0 has no trial to choose by sharpe: 2 of 3 trials"):
        choose_on_train(profits[:3], SPLITS)


def test_noise_loses_on_test_days_what_it_shows_on_train_days():
    noise = np.random.default_rng(1).normal(0, 1, (2_000, 120))
    splits = CombinatorialPurgedCV(6, 2).split(np.arange(120))
    best = sharpe(noise).max()
    found = choose_on_train(noise, splits)
    assert best > 0.25
    assert found.sharpe.median < best / 2
    edge = noise.copy()
    edge[77] += 0.9
    assert set(choose_on_train(edge, splits).chosen) == {77}
    assert choose_on_train(edge, splits).sharpe.share_negative == 0


def test_a_fixed_candidate_is_looked_at_on_the_test_days_of_every_split(profits):
    found = scores_on_test_days(profits, SPLITS)
    assert found.shape == (300, 10)
    assert found[7, 3] == sharpe(profits[7][SPLITS.test[3]])
    total = scores_on_test_days(profits[7], SPLITS, by="profit")
    assert total.sum() == pytest.approx(profits[7].sum() * 10 * 2 / 5)  # every day is in C(N,k)k/N splits' tests


def test_a_distribution_says_how_many_values_were_none():
    found = Distribution.of(np.array([np.nan, -1.0, 0.0, 1.0, 2.0]))
    assert found == Distribution(median=0.5, low=pytest.approx(-0.85), share_negative=0.25, n=4, undefined=1)
    assert np.isnan(Distribution.of(np.array([np.nan])).median)


def test_other_days_and_measures_are_refused(profits):
    with pytest.raises(ConfigError, match="profits of 25 days for splits of 26 days"):
        choose_on_train(profits[:, 1:], SPLITS)
    with pytest.raises(ConfigError, match="profits of 25 days for splits of 26 days"):
        scores_on_test_days(profits[:, 1:], SPLITS)
    with pytest.raises(ConfigError, match="by is 'calmar'"):
        choose_on_train(profits, SPLITS, by="calmar")
