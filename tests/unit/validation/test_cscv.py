"""The check values of design/science.md, and what is done with ties, idle trials and holes."""

import math

import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.validation import cscv as module
from stom_ray.validation.cscv import cscv


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).standard_normal((1000, 100))


@pytest.mark.parametrize(("n_blocks", "pbo"), [(8, 0.528571), (16, 0.531546)])
def test_the_best_of_noise_is_overfit_half_of_the_time(noise, n_blocks, pbo):
    assert cscv(noise, n_blocks).pbo == pytest.approx(pbo, abs=5e-7)


def test_sixteen_blocks_give_12870_splits_and_the_last_days_are_dropped(noise):
    found = cscv(noise, 16)
    assert len(found.logits) == len(found.chosen) == 12_870
    assert found.n_days == 992
    assert np.array_equal(cscv(noise[:992], 16).logits, found.logits)


@pytest.mark.parametrize(("n_blocks", "edge", "pbo"), [(8, 0.2, 0.0), (16, 0.1, 0.180264)])
def test_a_trial_with_an_edge_lowers_it(noise, n_blocks, edge, pbo):
    table = noise.copy()
    table[:, 0] += edge
    found = cscv(table, n_blocks)
    assert found.pbo == pytest.approx(pbo, abs=5e-7)
    assert np.bincount(found.chosen).argmax() == 0


def test_trials_that_earn_nothing_over_all_days_are_always_overfit(noise):
    table = noise - noise.mean(axis=0)
    assert cscv(table, 8).pbo == 1.0
    assert cscv(table, 16).pbo == 1.0


def test_figures_of_a_split_are_those_of_its_days(noise):
    found = cscv(noise, 4)
    first, last = noise[:500], noise[500:]  # the first split chooses on blocks 0 and 1
    ratio = first.mean(axis=0) / first.std(axis=0, ddof=1)
    assert found.chosen[0] == ratio.argmax()
    assert found.in_sample[0] == pytest.approx(ratio.max())
    other = last.mean(axis=0) / last.std(axis=0, ddof=1)
    assert found.out_of_sample[0] == pytest.approx(other[ratio.argmax()])
    share = (1 + np.sum(other < other[ratio.argmax()])) / 101
    assert found.logits[0] == pytest.approx(math.log(share / (1 - share)))
    assert found.loss_probability == np.mean(found.out_of_sample <= 0)


def test_the_table_on_disk_is_read_as_it_is(noise, tmp_path):
    table = np.memmap(tmp_path / "daily.f32", dtype=np.float32, mode="w+", shape=(100, 1000))
    table[:] = noise.T
    assert np.array_equal(cscv(table.T, 8).chosen, cscv(noise.astype(np.float32), 8).chosen)


def test_tiles_do_not_show(noise, monkeypatch):
    whole = cscv(noise, 8)
    monkeypatch.setattr(module, "TILE", 7)
    found = cscv(noise, 8)
    assert np.array_equal(found.logits, whole.logits)
    assert np.array_equal(found.chosen, whole.chosen)


def test_copies_of_one_trial_rank_in_the_middle_which_counts_as_overfit(noise):
    found = cscv(np.repeat(noise[:, :1], 5, axis=1), 8)
    assert np.all(found.logits == 0)
    assert found.pbo == 1.0


def test_trials_without_trades_score_nothing_and_beat_those_that_lose(noise):
    table = np.stack([np.zeros(1000), -np.abs(noise[:, 0])], axis=1)
    found = cscv(table, 8)
    assert np.all(found.chosen == 0)
    assert np.all(found.out_of_sample == 0.0)
    assert found.loss_probability == 1.0


def test_the_same_profit_every_day_has_an_infinite_ratio():
    table = np.stack([np.full(16, 0.1), np.full(16, -0.1), np.tile([1.0, -0.5], 8)], axis=1)
    found = cscv(table, 4)
    assert np.all(found.chosen == 0)
    assert np.all(found.in_sample == np.inf)
    assert cscv(-np.abs(table[:, :2]), 4).chosen.tolist() == [0] * 6


def test_trials_with_holes_are_left_out_and_numbers_stay_those_of_the_study(noise):
    table = noise.copy()
    table[:, 0] = np.nan
    table[600:, 1] = np.nan
    table[:, 7] += 1.0
    found = cscv(table, 8)
    assert (found.n_trials, found.left_out) == (98, 2)
    assert set(found.chosen) == {7}


def test_the_sum_prefers_large_stakes_where_the_ratio_does_not(noise):
    table = noise[:, :2] + 0.5
    table[:, 1] = table[:, 1] * 100 - 20
    assert set(cscv(table, 4).chosen) == {0}
    assert set(cscv(table, 4, "sum").chosen) == {1}


@pytest.mark.parametrize(
    ("table", "n_blocks", "message"),
    [
        (np.zeros((100, 3)), 7, "n_blocks is 7: expected an even number"),
        (np.zeros((100, 3)), 0, "n_blocks is 0"),
        (np.zeros((100, 3)), 22, "705,432 splits from n_blocks=22 exceed 200,000"),
        (np.zeros((15, 3)), 16, r"shape \(15, 3\): expected .* at least 16 days"),
        (np.zeros((3, 3)), 2, "at least 4 days"),
        (np.zeros(100), 4, "expected \\(days, trials\\)"),
        (np.full((100, 3), np.nan), 4, "0 of 3 trials have a number on every day"),
        (np.full((100, 3), np.inf), 4, "trial 0 has the return inf on day 0"),
    ],
)
def test_tables_that_cannot_be_split_are_refused(table, n_blocks, message):
    with pytest.raises(ConfigError, match=message):
        cscv(table, n_blocks)
