"""How a verdict card calls the statistics: one study's table of daily returns on disk, its winner, and what may be believed."""

import numpy as np
import pytest

from stom_ray.metrics.returns import sharpe
from stom_ray.validation.bootstrap import optimal_block_length
from stom_ray.validation.cscv import cscv
from stom_ray.validation.effective_trials import behaviour_clusters, correlated_trials, sampled_trials
from stom_ray.validation.intervals import bootstrap_interval
from stom_ray.validation.overfitting import deflated_sharpe_of, expected_max, min_backtest_length, min_track_record
from stom_ray.validation.reality_check import reality_check

N_TRIALS, N_DAYS = 1500, 120


def study(tmp_path, edge):
    """300 ideas with 5 settings each on a common market; the last idea has an edge. Some trials were pruned or failed."""
    rng = np.random.default_rng(7)
    ideas = np.repeat(rng.standard_normal((N_TRIALS // 5, N_DAYS)), 5, axis=0)
    daily = 0.4 * rng.standard_normal(N_DAYS) + 0.9 * ideas + 0.3 * rng.standard_normal((N_TRIALS, N_DAYS)) - 0.1
    daily[-5:] += edge + 0.1
    daily[::50, 60:] = np.nan  # pruned half-way
    daily[1::100] = np.nan
    table = np.memmap(tmp_path / "daily.f32", dtype=np.float32, mode="w+", shape=daily.shape)
    table[:] = 0.01 * daily
    return table


def card(table):
    trial_sharpes = sharpe(table)  # NaN of those that did not run to the end, which count as trials all the same
    best = int(np.nanargmax(trial_sharpes))
    winner = np.asarray(table[best], dtype=np.float64)
    length = optimal_block_length(winner)
    trials = correlated_trials(table)
    numbers, rows = sampled_trials(table, 400, seed=1)
    check = reality_check(table, block_length=length, seed=1, reps=500)
    deflated = deflated_sharpe_of(winner, trial_sharpes, n_trials=trials.effective)
    return {
        "best": best,
        "trials": trials,
        "ideas": len(np.unique(behaviour_clusters(rows))),
        "sampled": len(numbers),
        "deflated": deflated,
        "pbo": cscv(table.T, 8).pbo,
        "check": check,
        "interval": bootstrap_interval(winner, "sharpe", seed=1, reps=500),
        "needed_years": min_backtest_length(trials.effective, float(sharpe(winner)) * np.sqrt(250)),
        "needed_days": min_track_record(float(sharpe(winner)), deflated.benchmark),
    }


def test_the_best_of_many_settings_without_an_edge_is_not_believed(tmp_path):
    found = card(study(tmp_path, 0.0))
    assert found["interval"].estimate > 0.15  # 2.4 a year: it looks like something
    assert found["check"].p_consistent > 0.05
    assert len(found["check"].superior) == 0
    assert found["deflated"].probability < 0.95
    assert found["pbo"] > 0.2
    assert found["needed_days"] > N_DAYS


def test_a_planted_edge_is_believed(tmp_path):
    found = card(study(tmp_path, 0.7))
    assert found["best"] >= N_TRIALS - 5
    assert found["best"] in found["check"].superior
    assert set(found["check"].superior) <= set(range(N_TRIALS - 5, N_TRIALS))
    assert found["check"].p_upper < 0.01
    assert found["deflated"].probability > 0.95
    assert found["pbo"] < 0.05
    assert found["interval"].low > 0
    assert found["needed_days"] < N_DAYS
    assert found["needed_years"] < N_DAYS / 250


def test_every_trial_counts_and_similar_settings_count_less(tmp_path):
    found = card(study(tmp_path, 0.0))
    trials = found["trials"]
    assert (trials.n_trials, trials.failed, found["check"].n_trials) == (N_TRIALS, 15, N_TRIALS)
    assert 300 < trials.effective < N_TRIALS
    assert 100 < found["ideas"] < found["sampled"] == 400
    assert found["deflated"].benchmark == pytest.approx(
        expected_max(trials.effective) * np.nanstd(sharpe(study(tmp_path, 0.0)), ddof=1)
    )
