"""Successive halving inside a batch, on a market whose days are known for every row."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from stom_ray.errors import ConfigError
from stom_ray.search.base import FIGURES, ScoreTable
from stom_ray.search.goal import SeveralGoals, StomGoal
from stom_ray.search.halving import Halving, _rank_correlation, prune_check, told_of
from stom_ray.search.ledger import Ledger
from stom_ray.search.space import Choice, Space
from stom_ray.search.study import Study, StudyConfig
from stom_ray.search.table import trial_table
from stom_ray.validation.effective_trials import correlated_trials

ANALYTIC = runpy.run_path(str(Path(__file__).parent / "conftest.py"))["AnalyticEvaluator"]
DAYS = np.arange(20230101, 20230121)
SPACE = Space((Choice(tuple(range(30)), 15), Choice(tuple(range(30)), 15)))
HALVING = Halving(keep=3, days=(5, 12), controls=0.1)


class NoisyMarket:
    """A row's profit of a day is noise of its own, and with an edge the more the nearer it is to (4, 20). Rows with vars[0] = 29
    fail from the tenth day on."""

    ticks, kernel_s, how = 1_000, 0.0, None

    def __init__(self, seed=0, edge=0.0, days=DAYS):
        self.days, self._seed, self._edge = days, seed, edge
        self.rows_run = 0

    def on_days(self, days):
        return NoisyMarket(self._seed, self._edge, days)

    def daily(self, params):
        noise = np.array([np.random.default_rng([self._seed, *map(int, row)]).normal(size=20) for row in params.values])
        near = self._edge * np.exp(-((params.values - [4, 20]) ** 2).sum(axis=1) / 40)
        return np.round((noise.reshape(-1, 20) + near[:, None]) * 1000)[:, self.days - DAYS[0]]

    def evaluate(self, params):
        self.rows_run += len(params)
        days, figures = self.daily(params), np.zeros((len(params), len(FIGURES)))
        figures[:, FIGURES.index("tsg")] = days.sum(axis=1)
        figures[:, FIGURES.index("tc")] = len(self.days)
        failed = (params.values[:, 0] == 29) & (self.days[-1] >= DAYS[9])
        figures[failed], days[failed] = np.nan, np.nan
        return ScoreTable(figures, days, failed, {int(row): "a fault on the tenth day" for row in np.flatnonzero(failed)})


def config(**changes):
    settings = {"sampler": "random", "halving": HALVING, "evaluations": 240, "batch_size": 60}
    return StudyConfig(SPACE, StomGoal("TG"), {}, **{**settings, **changes})


def run(folder, market=None, name="ledger.bin", **changes):
    return Study(config(**changes), market or NoisyMarket(), folder / name).run()


def same(one, other):
    assert one.table.keys == other.table.keys
    for name in ("figures", "objective", "sharpe", "failed", "pruned", "fell", "early", "island", "batch", "place"):
        np.testing.assert_array_equal(getattr(one.table, name), getattr(other.table, name), name)
    np.testing.assert_array_equal(one.daily[one.table.daily_row], other.daily[other.table.daily_row])


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return run(tmp_path_factory.mktemp("halving"))


def test_a_pruned_row_has_the_figures_of_the_days_it_was_run_on_and_nothing_of_the_others(result):
    table, daily = result.table, result.daily[result.table.daily_row]
    rows = np.flatnonzero(table.pruned)
    assert set(table.fell[rows]) == {1, 2}
    for row in rows:
        days = HALVING.days[table.fell[row] - 1]
        part = NoisyMarket(days=DAYS[:days]).evaluate(table.rows(np.array([row])))
        np.testing.assert_array_equal(daily[row, :days], part.daily_profit[0].astype(np.float32))
        np.testing.assert_array_equal(table.figures[row], part.figures[0])
        assert table.early[row, table.fell[row] - 1] == StomGoal("TG").searched(part, None)[0]
        assert np.isnan(daily[row, days:]).all()
    assert np.isnan(table.objective[rows]).all()
    assert not table.failed[rows].any()
    reasons = table.to_frame()["reason"]
    assert set(reasons[rows]) == {"pruned after 5 days", "pruned after 12 days"}


def test_who_is_not_pruned_has_the_scores_of_a_study_without_halving(result, tmp_path):
    table, full = result.table, run(tmp_path, halving=None).table
    assert table.keys == full.keys
    whole = ~table.pruned
    np.testing.assert_array_equal(table.objective[whole], full.objective[whole])
    np.testing.assert_array_equal(table.figures[whole & ~table.failed], full.figures[whole & ~table.failed])
    assert table.objective[table.best()] <= full.objective[full.best()]
    assert not table.pruned[table.best(500)].any()


def test_the_best_third_of_every_batch_goes_on_and_controls_go_to_the_end(result):
    table = result.table
    for batch in range(4):
        mine = (table.batch == batch) & (table.island == 0)
        fine = mine & ~np.isnan(table.early[:, 0])
        out = np.flatnonzero(fine & (table.fell == 1))
        on = np.flatnonzero(fine & (table.fell != 1))
        assert len(on) == -(-fine.sum() // 3)
        assert table.early[on, 0].min() >= table.early[out, 0].max()
        assert (mine & (table.fell == 0) & ~table.failed).sum() <= -(-len(on) // 3)
    controls = (table.fell > 0) & ~table.pruned
    assert 5 < controls.sum() < 40
    assert np.isfinite(table.objective[controls & ~table.failed]).all()
    assert table.failed.any()
    assert np.isnan(table.objective[table.failed]).all()


def test_the_present_values_are_never_pruned(tmp_path):
    table = run(tmp_path, NoisyMarket(edge=-9.0)).table
    assert table.island[0] == -1
    assert np.isfinite(table.objective[0])


def test_samplers_are_told_that_a_pruned_row_is_behind_every_one_that_passed():
    objective = np.array([5.0, np.nan, 7.0, np.nan, np.nan, np.nan, 1.0])
    fell = np.array([0, 1, 0, 2, 1, 0, 2])
    pruned = np.array([False, True, False, True, True, False, False])
    early = np.array([[9.0, 9], [3, np.nan], [8, 8], [7, 5], [4, np.nan], [np.nan, np.nan], [6, 1]])
    told = told_of(objective, fell, pruned, early)
    assert told[[0, 2, 6]].tolist() == [5.0, 7.0, 1.0]
    assert np.isnan(told[5])
    assert told[1] < told[4] < told[3] < 5.0
    nobody = np.where(fell == 0, np.nan, objective)
    assert np.isnan(told_of(nobody, fell, pruned, early)[pruned]).all()


def test_what_is_told_of_pruned_rows_is_recorded(tmp_path):
    run(tmp_path)
    for batch in Ledger.read(tmp_path / "ledger.bin").batches[1:]:
        pruned, passed = batch.scores.pruned, (batch.scores.fell == 0) & ~batch.scores.failed
        told = batch.marks[batch.scored, 0]
        assert told[pruned].max() < batch.scores.objective[passed].min()
        assert len(set(told[pruned])) == pruned.sum()


def test_controls_are_drawn_without_disturbing_the_sampler(tmp_path):
    none, many = run(tmp_path, halving=replace(HALVING, controls=0.0)), run(tmp_path, name="b", halving=HALVING)
    assert none.table.keys == many.table.keys
    assert ((none.table.fell > 0) & ~none.table.pruned).sum() == 0


class CrashError(Exception):
    pass


@pytest.mark.parametrize("sampler", ["random", "genetic", "cmaes"])
def test_a_study_broken_off_and_resumed_gives_the_same_table(tmp_path, sampler):
    changes = {"sampler": sampler, "islands": 2, "migrate_every": 2, "batch_size": 20, "options": {}}
    whole = run(tmp_path, **changes)

    def crash(progress, state={"calls": 0}):  # noqa: B006
        state["calls"] += 1
        if state["calls"] % 2 == 0:
            raise CrashError

    for _ in range(50):
        try:
            broken = Study(config(**changes), NoisyMarket(), tmp_path / "broken.bin").run(resume=True, progress=crash)
            break
        except CrashError:
            continue
    same(whole, broken)


def test_a_row_that_several_islands_asked_for_counts_once_with_what_it_reached_farthest(tmp_path):
    small = Space((Choice(tuple(range(9)), 4), Choice(tuple(range(9)), 4)))
    settings = replace(config(islands=3, batch_size=15, evaluations=180), space=small)
    result = Study(settings, NoisyMarket(), tmp_path / "ledger.bin").run()
    table, batches = result.table, Ledger.read(tmp_path / "ledger.bin").batches
    recorded = [(batch.keys[at], one) for batch in batches for one, at in zip(batch.scores.pruned, batch.scored, strict=True)]
    assert len(set(table.keys)) == len(table) < len(recorded)
    for key, pruned in zip(table.keys, table.pruned, strict=True):
        assert pruned == all(stopped for known, stopped in recorded if known == key)
    shuffled = [batches[i] for i in np.random.default_rng(0).permutation(len(batches))]
    same(result, replace(result, table=trial_table(shuffled, 2, 0, HALVING.days)))


def test_progress_says_how_many_were_pruned(tmp_path):
    seen = []
    result = Study(config(), NoisyMarket(), tmp_path / "ledger.bin").run(progress=seen.append)
    assert seen[-1].pruned == result.table.pruned.sum()
    assert f"({seen[-1].pruned:,} pruned)" in seen[-1].render()


def test_pruned_rows_count_as_trials_like_all_others(result, tmp_path):
    """The deflated Sharpe ratio divides by as many trials, and by no fewer independent ones, as if nothing were pruned."""
    full = run(tmp_path, halving=None)
    counted, all_days = (correlated_trials(one.daily) for one in (result, full))
    assert counted.n_trials == all_days.n_trials == 241
    assert counted.effective >= 0.98 * all_days.effective


def test_on_noise_halving_finds_nothing_better_and_on_an_edge_mostly_the_same(tmp_path):
    alike, daily_sharpe = 0, {True: [], False: []}
    for seed in range(10):
        found = {}
        for halving in (HALVING, None):
            for edge in (0.0, 2.0):
                name = f"{seed}-{halving is None}-{edge}"
                table = run(tmp_path, NoisyMarket(seed, edge), name, halving=halving, seed=seed).table
                found[halving is None, edge] = table.keys[table.best()[0]]
                if edge == 0.0:
                    daily_sharpe[halving is None].append(float(table.objective[table.best()[0]]))
        alike += found[True, 2.0] == found[False, 2.0]
    assert (np.array(daily_sharpe[False]) <= np.array(daily_sharpe[True])).all()
    assert alike >= 7


def test_days_are_the_first_or_evenly_spread():
    early, spread = Halving(days=(2, 5)), Halving(days=(2, 5), by="spread")
    assert [part.tolist() for part in early.rungs(DAYS)] == [DAYS[:2].tolist(), DAYS[:5].tolist()]
    assert [part.tolist() for part in spread.rungs(DAYS)] == [DAYS[[5, 15]].tolist(), DAYS[[2, 6, 10, 14, 18]].tolist()]


def test_the_check_finds_what_the_controls_say():
    rng = np.random.default_rng(3)
    one, other, times = rng.integers(0, 9, 40).astype(float), rng.normal(size=40), rng.integers(1, 4, 40)
    assert _rank_correlation(one, other, np.ones(40)) == pytest.approx(spearmanr(one, other).statistic)
    expected = spearmanr(np.repeat(one, times), np.repeat(other, times)).statistic
    assert _rank_correlation(one, other, times.astype(float)) == pytest.approx(expected)
    objective = np.array([*range(20), 18.5, 3.0, np.nan, np.nan])
    fell, pruned = np.array([0] * 20 + [1, 1, 1, 1]), np.array([False] * 22 + [True] * 2)
    check = prune_check(objective, fell, pruned, np.arange(24.0)[::-1, None])
    assert (check.pruned, check.controls, check.missed) == (2, 2, 1)
    assert check.correlation < 0


def test_settings_that_cannot_work_are_refused(tmp_path):
    for wrong, said in (
        ({"keep": 1}, "keep is 1"),
        ({"days": (5, 5)}, r"\[5, 5\]"),
        ({"days": ()}, r"\[\]"),
        ({"days": (0, 5)}, r"\[0, 5\]"),
        ({"by": "late"}, "late"),
        ({"controls": 1.0}, "controls is 1.0"),
    ):
        with pytest.raises(ConfigError, match=said):
            Halving(**wrong)
    with pytest.raises(ConfigError, match=r"on 20 days .* which are 20"):
        run(tmp_path, halving=Halving(days=(5, 20)))
    assert not (tmp_path / "ledger.bin").exists()
    with pytest.raises(ConfigError, match="AnalyticEvaluator does not"):
        run(tmp_path, ANALYTIC(), halving=Halving(days=(2,)))
    with pytest.raises(ConfigError, match="one at a time"):
        config(sampler="optuna")
    with pytest.raises(ConfigError, match="several"):
        StudyConfig(SPACE, SeveralGoals("TG", objectives=("TG", "-MDD")), {}, sampler="nsga2", halving=HALVING)


def test_halving_is_part_of_the_identity():
    assert config().study_id != config(halving=None).study_id != config(halving=replace(HALVING, keep=2)).study_id
