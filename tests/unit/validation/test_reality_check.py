"""Against the library `arch`, and what is done with failed, pruned and idle trials and with tables larger than memory.

The figures of arch 8.0.0 were recorded with `table` below, days = table.shape[1] and L, R, s the block length, reps and seed:

    spa = SPA(np.zeros(days), -table.T, block_size=L, reps=R, seed=s); spa.compute(); spa.pvalues
    step = StepM(np.zeros(days), -table.T, block_size=L, reps=R, seed=s); step.compute(); step.superior_models

which is not studentised, whatever `studentize` says. Studentised p-values have tests/property/test_validation_statistics.py.
"""

import tracemalloc

import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.validation.reality_check import reality_check

EVEN = list(range(0, 40, 2))


def table(n_trials, n_days, seed, edges=()):
    """Autocorrelated returns with a common factor and very different sizes; edges: (trial, daily Sharpe ratio to add)."""
    rng = np.random.default_rng(seed)
    shocks = rng.standard_normal((n_trials + 1, n_days))
    paths = np.zeros_like(shocks)
    for day in range(n_days):
        paths[:, day] = shocks[:, day] + (0.2 * paths[:, day - 1] if day else 0.0)
    found = (paths[1:] + 0.7 * paths[0]) * rng.uniform(0.2, 3, (n_trials, 1)) - 0.05
    for trial, edge in edges:
        found[trial] += edge * found[trial].std()
    return found


def with_sharpe(returns, sharpe):
    """The same days, moved and scaled to this Sharpe ratio per day."""
    return (returns - returns.mean(axis=1, keepdims=True)) / returns.std(axis=1, keepdims=True) + sharpe


CASES = {
    "noise": ((50, 120, 1), 5, 1000),
    "weak": ((200, 250, 2, ((3, 0.2), (9, 0.15), (50, 0.1))), 7, 1000),
    "some": ((300, 250, 3, ((5, 0.35), (6, 0.5), (7, 0.3), (8, 0.3), (9, 0.25), (10, 0.4), (11, 0.3))), 10, 500),
    "short": ((30, 60, 4, ((0, 0.3),)), 1, 2000),
    "many": ((2000, 250, 5, ((5, 0.2), (6, 0.22))), 10, 300),
    "steps": ((40, 250, 6, tuple((trial, 0.45) for trial in EVEN)), 4, 1000),
}


@pytest.mark.parametrize(
    ("case", "p_values", "superior"),
    [
        ("noise", (0.647, 0.827, 0.839), []),
        ("weak", (0.12, 0.211, 0.212), []),
        ("some", (0.0, 0.0, 0.0), [5, 10]),
        ("short", (0.103, 0.1645, 0.1695), []),
        ("many", (0.4033, 0.5533, 0.56), []),
        ("steps", (0.0, 0.0, 0.0), [0, 6, 8, 10, 14, 16, 18, 22, 24, 28, 30, 38]),
    ],
)
def test_p_values_and_superior_trials_are_those_of_arch(case, p_values, superior):
    arguments, block_length, reps = CASES[case]
    found = reality_check(table(*arguments), block_length=block_length, seed=arguments[2] + 10, reps=reps, studentised=False)
    assert np.round((found.p_lower, found.p_consistent, found.p_upper), 4).tolist() == list(p_values)
    assert found.superior.tolist() == superior


def test_the_statistic_is_the_best_mean_in_units_of_its_deviation():
    returns = table(*CASES["weak"][0])
    plain = reality_check(returns, block_length=7, seed=1, reps=50, studentised=False)
    assert plain.best == returns.mean(axis=1).argmax()
    assert plain.statistic == pytest.approx(np.sqrt(250) * returns.mean(axis=1).max())
    ratios = np.sqrt(250) * returns.mean(axis=1) / returns.std(axis=1)
    scaled = reality_check(returns, block_length=7, seed=1, reps=50)
    assert (scaled.best, scaled.statistic) == (ratios.argmax(), pytest.approx(ratios.max()))


def test_later_steps_find_what_the_first_cannot():
    arguments, block_length, reps = CASES["steps"]
    returns = table(*arguments)
    found = reality_check(returns, block_length=block_length, seed=16, reps=reps, studentised=False)
    statistics = np.sqrt(250) * returns.mean(axis=1)
    assert np.array_equal(np.flatnonzero(statistics > found.critical_value), found.superior)
    alone = reality_check(np.delete(returns, found.superior, axis=0), block_length=4, seed=16, reps=reps, studentised=False)
    assert alone.critical_value == pytest.approx(found.critical_value)
    assert len(alone.superior) == 0


@pytest.mark.parametrize("kept", [1, 3, 19, 20, 21])
def test_superior_trials_do_not_depend_on_how_many_are_held(kept):
    arguments, block_length, reps = CASES["steps"]
    for studentised in (False, True):
        settings = {"block_length": block_length, "seed": 16, "reps": reps, "studentised": studentised}
        held = reality_check(table(*arguments), **settings)
        found = reality_check(table(*arguments), **settings, kept=kept)
        assert np.array_equal(found.superior, held.superior)
        assert found.critical_value == pytest.approx(held.critical_value)
        assert (found.p_consistent, found.best, found.n_trials) == (held.p_consistent, held.best, held.n_trials)


def test_tables_of_several_studies_files_and_iterators_are_one_table(tmp_path):
    returns = table(*CASES["some"][0]).astype(np.float32)
    whole = reality_check(returns, block_length=10, seed=3, reps=200)
    stored = np.memmap(tmp_path / "daily.f32", dtype=np.float32, mode="w+", shape=returns.shape)
    stored[:] = returns
    for parts in (stored, [stored[:100], stored[100:101], stored[101:]], (stored[k : k + 90] for k in range(0, 300, 90))):
        found = reality_check(parts, block_length=10, seed=3, reps=200)
        assert (found.p_lower, found.p_consistent, found.p_upper) == (whole.p_lower, whole.p_consistent, whole.p_upper)
        assert (found.best, found.superior.tolist()) == (whole.best, whole.superior.tolist())


def test_an_iterator_is_refused_only_when_it_would_have_to_be_read_again():
    arguments, block_length, reps = CASES["steps"]
    settings = {"block_length": block_length, "seed": 16, "reps": reps}
    returns = table(*arguments)
    assert reality_check(iter([returns]), **settings, kept=21).superior.tolist() == EVEN
    with pytest.raises(ConfigError, match="more than 3 trials are superior and an iterator is read once"):
        reality_check(iter([returns]), **settings, kept=3)


def test_memory_does_not_grow_with_the_trials(tmp_path):
    returns = np.memmap(tmp_path / "daily.f32", dtype=np.float32, mode="w+", shape=(20_000, 40))
    returns[:] = np.random.default_rng(1).standard_normal(returns.shape)
    peaks = []
    for n_trials in (2_048, 20_000):
        tracemalloc.start()
        reality_check(returns[:n_trials], block_length=3, seed=1, reps=100, kept=64)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_noise_is_superior_no_more_often_than_the_level_allows():
    rng = np.random.default_rng(2)
    found = [reality_check(rng.standard_normal((40, 60)), block_length=1, seed=seed, reps=200) for seed in range(100)]
    assert 2 <= sum(len(one.superior) > 0 for one in found) <= 11  # of 100 at a level of 0.05
    assert 0.4 < np.mean([one.p_upper for one in found]) < 0.6


def test_losing_trials_lower_the_upper_p_value_least():
    rng = np.random.default_rng(4)
    good = with_sharpe(rng.standard_normal((1, 250)), 0.18)
    bad = rng.standard_normal((300, 250)) - 1.0
    found = reality_check(np.concatenate([good, bad]), block_length=1, seed=1)
    alone = reality_check(good, block_length=1, seed=1)
    assert found.p_lower == found.p_consistent == alone.p_consistent
    assert found.p_consistent < 0.02 < 0.2 < found.p_upper


def test_where_nobody_earns_nothing_is_believed():
    found = reality_check(-np.abs(table(5, 30, 1)), block_length=2, seed=1, reps=50)
    assert (found.best, found.statistic, found.p_lower, found.p_upper, found.superior.tolist()) == (-1, 0.0, 1.0, 1.0, [])
    idle = reality_check(np.zeros((5, 30)), block_length=2, seed=1, reps=50)
    assert (idle.best, idle.p_consistent, idle.constant) == (-1, 1.0, 5)


def test_failed_and_idle_trials_are_counted_and_change_nothing_else():
    returns = table(*CASES["weak"][0])
    odd = np.zeros((4, 250))
    odd[1:3] = np.nan
    odd[3, 20:] = np.nan
    alone = reality_check(returns, block_length=7, seed=12)
    found = reality_check([returns[:100], odd, returns[100:]], block_length=7, seed=12)
    assert (found.n_trials, found.failed, found.constant) == (204, 2, 2)
    assert (found.p_lower, found.p_consistent, found.p_upper) == (alone.p_lower, alone.p_consistent, alone.p_upper)
    assert found.statistic == alone.statistic
    assert found.best == alone.best + 4 * (alone.best >= 100)


def test_the_statistic_of_a_pruned_trial_is_that_of_its_days():
    days = with_sharpe(np.random.default_rng(6).standard_normal((1, 60)), 0.3)
    pruned = np.concatenate([days, np.full((1, 60), np.nan)], axis=1)
    assert reality_check(days, block_length=1, seed=1).statistic == pytest.approx(0.3 * np.sqrt(60))
    assert reality_check(pruned, block_length=1, seed=1).statistic == pytest.approx(0.3 * np.sqrt(60), rel=0.05)


def test_a_pruned_trial_raises_the_bar_as_a_whole_one_does():
    rng = np.random.default_rng(5)
    winner = with_sharpe(rng.standard_normal((1, 200)), 0.2)
    others = rng.standard_normal((500, 200))
    pruned = others.copy()
    pruned[:, 50:] = np.nan
    p_alone = reality_check(winner, block_length=1, seed=1).p_upper
    p_whole, p_pruned = (
        reality_check(np.concatenate([winner, rows - np.nanmean(rows, axis=1, keepdims=True)]), block_length=1, seed=1).p_upper
        for rows in (others, pruned)
    )
    assert p_alone < 0.05 < 0.3 < p_pruned
    assert abs(p_pruned - p_whole) < 0.25


def test_better_than_what_the_user_has_now():
    rng = np.random.default_rng(3)
    market = rng.standard_normal(250)
    present = market + 0.3
    returns = market + 0.1 * rng.standard_normal((20, 250)) + 0.3
    returns[4] += 0.05
    assert len(reality_check(returns, block_length=1, seed=1).superior) == 20
    found = reality_check(returns, block_length=1, seed=1, benchmark=present)
    assert (found.best, found.superior.tolist()) == (4, [4])


def test_romano_and_wolfs_own_recentring_finds_no_more():
    rng = np.random.default_rng(8)
    returns = np.concatenate(
        [rng.standard_normal((10, 250)) + np.linspace(0.05, 0.4, 10)[:, None], rng.normal(-1, 1, (500, 250))]
    )
    settings = {"block_length": 1, "seed": 1}
    upper, consistent = (reality_check(returns, **settings, recentring=one) for one in ("upper", "consistent"))
    assert set(upper.superior) < set(consistent.superior)
    assert upper.p_consistent == consistent.p_consistent


@pytest.mark.parametrize(
    ("returns", "changed", "message"),
    [
        (np.zeros((3, 9)), {}, "returns have 9 days: expected at least 10"),
        (np.zeros((0, 20)), {}, "there is no trial"),
        (np.zeros((3, 20)), {"level": 1.0}, "level is 1.0"),
        (np.zeros((3, 20)), {"kept": 0}, "kept is 0"),
        (np.zeros((3, 20)), {"reps": 0}, "reps is 0"),
        (np.zeros((3, 20)), {"block_length": 0.5}, "block_length is 0.5: expected 1 to the number of days, 20"),
        (np.zeros((3, 20)), {"benchmark": np.zeros(19)}, r"benchmark has shape \(19,\): expected a number on each of 20 days"),
        (np.zeros((3, 20)), {"benchmark": np.full(20, np.nan)}, "the benchmark"),
        (
            [np.zeros((3, 20)), np.zeros((3, 21))],
            {},
            r"returns from trial 3 on have shape \(3, 21\): expected \(trials, 20 days\)",
        ),
    ],
)
def test_impossible_tests_are_refused(returns, changed, message):
    with pytest.raises(ConfigError, match=message):
        reality_check(returns, **({"block_length": 2, "seed": 1, "reps": 20} | changed))
