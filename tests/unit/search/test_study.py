import itertools
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stom_ray.errors import ConfigError, LedgerError
from stom_ray.search.ledger import Ledger
from stom_ray.search.study import Study
from stom_ray.search.table import trial_table

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
TwoAims = runpy.run_path(str(HERE / "conftest.py"))["TwoAims"]


def same_daily(one, other):
    np.testing.assert_array_equal(one.daily[one.table.daily_row], other.daily[other.table.daily_row])
    np.testing.assert_array_equal(one.days, other.days)


def same_table(one, other):
    assert one.keys == other.keys
    np.testing.assert_array_equal(one.params.values, other.params.values)
    np.testing.assert_array_equal(one.figures, other.figures)
    np.testing.assert_array_equal(one.objective, other.objective)
    np.testing.assert_array_equal(one.aims, other.aims)
    np.testing.assert_array_equal(one.failed, other.failed)
    np.testing.assert_array_equal([one.island, one.batch, one.place], [other.island, other.batch, other.place])
    assert one.reasons == other.reasons


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.bin"


def test_the_present_values_are_evaluated_first_and_stand_in_the_table(path, evaluator, config_of):
    result = Study(config_of(), evaluator, path).run()
    assert evaluator.rows_seen[0] == (10.0, 10.0, 10.0, 10.0)
    assert result.table.island[0] == -1
    assert result.table.source[0] == "present"
    assert len(result.table) == 101
    assert result.ended == ("evaluations",)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_no_row_is_evaluated_twice_though_islands_may_ask_for_it_twice(path, evaluator, config_of, spaces, sampler):
    config = config_of(space=spaces["grid"](2, 12), sampler=sampler, islands=3, evaluations=300, batch_size=10)
    result = Study(config, evaluator, path).run()
    assert len(evaluator.rows_seen) == len(set(evaluator.rows_seen)) == len(result.table)
    assert len(result.table) < 301, "three islands of 100 rows each in a space of 144 must meet"


def test_the_whole_grid_is_scored_and_the_best_row_is_the_target(path, evaluator, config_of, spaces):
    config = config_of(space=spaces["grid"](3, 9), sampler="grid", evaluations=10_000, batch_size=100)
    result = Study(config, evaluator, path).run()
    assert len(result.table) == 9**3 + 1
    assert result.table.rows(result.table.best()).values.tolist() == [[3, 7, 2]]
    assert result.ended == ("nothing left to ask",)


def test_failed_rows_and_infinite_scores_are_failures_with_a_reason(path, evaluator, config_of, spaces):
    result = Study(config_of(space=spaces["grid"](2, 14), sampler="grid", evaluations=999), evaluator, path).run()
    table = result.table
    thirteen, eleven = table.params.values[:, 0] == 13, table.params.values[:, 1] == 11
    np.testing.assert_array_equal(table.failed, thirteen | eleven)
    assert np.isnan(table.objective[table.failed]).all()
    assert {table.reasons[int(row)] for row in np.flatnonzero(thirteen)} == {"vars[0] is 13"}
    assert "no finite number" in table.reasons[int(np.flatnonzero(eleven & ~thirteen)[0])]
    assert not np.isin(table.best(500), np.flatnonzero(table.failed)).any()


def test_daily_returns_of_every_trial_are_kept_and_those_of_failed_ones_are_unknown(path, evaluator, config_of, spaces):
    config = config_of(space=spaces["grid"](2, 14), sampler="grid", evaluations=999)
    result = Study(config, evaluator, path).run()
    table, daily = result.table, result.daily[result.table.daily_row]
    assert result.daily.dtype == np.float32
    assert result.daily.shape == (len(table), 3)
    assert not result.daily.flags.writeable
    assert result.days.tolist() == [20230118, 20230119, 20230120]
    assert np.isnan(daily[table.failed]).all()
    expected = type(evaluator)().evaluate(table.rows(np.flatnonzero(~table.failed))).daily_profit
    np.testing.assert_array_equal(daily[~table.failed], expected.astype(np.float32))


def test_several_aims_of_every_row_stand_in_the_table_and_a_sampler_that_wants_them_is_told(path, evaluator, config_of):
    config = config_of(sampler="nsga2", goal=TwoAims(), evaluations=600, options={"population": 30})
    table = Study(config, evaluator, path).run().table
    values = table.params.values
    expected = np.stack([table.objective, -values[:, 1], np.fmax(0, values[:, 2] - 10)], axis=1)
    np.testing.assert_array_equal(table.aims[~table.failed], expected[~table.failed])
    assert np.isnan(table.aims[table.failed]).all()
    assert table.failed.any()
    late = table.batch >= 15
    assert np.nanmean(table.aims[late, 1]) > np.nanmean(table.aims[~late, 1]), "children are not drawn towards the second aim"
    assert Ledger.read(path).header["aims"] == 3


def test_a_sampler_of_several_objectives_refuses_a_goal_of_one(path, evaluator, config_of):
    with pytest.raises(ConfigError, match="nsga2 weighs several objectives"):
        Study(config_of(sampler="nsga2"), evaluator, path).run()


SETTINGS = [
    {"sampler": "random", "islands": 2},
    {"sampler": "tpe", "islands": 2, "options": {"startup": 20}, "migrate_every": 2, "evaluations": 120},
    {"sampler": "qmc", "islands": 2},
    {"sampler": "genetic", "islands": 2, "options": {"population": 20}, "migrate_every": 2, "evaluations": 200},
    {"sampler": "cmaes", "islands": 2, "evaluations": 210},
    {"sampler": "two_stage", "islands": 2, "options": {"wide": 30}, "migrate_every": 2, "evaluations": 160},
    {"sampler": "coordinate", "evaluations": 5_000},
    {"sampler": "grid", "evaluations": 300},
    {
        "sampler": "nsga2",
        "islands": 2,
        "options": {"population": 20},
        "migrate_every": 2,
        "evaluations": 200,
        "goal": TwoAims(),
    },
]


class CrashError(Exception):
    pass


@pytest.mark.parametrize("settings", SETTINGS, ids=[settings["sampler"] for settings in SETTINGS])
def test_a_study_broken_off_after_any_batch_and_resumed_gives_the_same_table(tmp_path, evaluator, config_of, settings):
    config = config_of(**settings)
    whole = Study(config, evaluator, tmp_path / "whole.bin").run()
    evaluator.rows_seen.clear()

    def crash_every_other_batch(progress, state={"calls": 0}):  # noqa: B006
        state["calls"] += 1
        if state["calls"] % 2 == 0:
            raise CrashError

    path = tmp_path / "broken.bin"
    for _ in range(100):
        try:
            broken = Study(config, evaluator, path).run(resume=True, progress=crash_every_other_batch)
            break
        except CrashError:
            continue
    same_table(whole.table, broken.table)
    same_daily(whole, broken)
    assert len(evaluator.rows_seen) == len(set(evaluator.rows_seen)), "a finished evaluation was repeated"


def test_ctrl_c_keeps_what_was_scored_and_says_so(path, evaluator, config_of):
    def interrupt(progress):
        if progress.evaluations > 50:
            raise KeyboardInterrupt

    result = Study(config_of(), evaluator, path).run(progress=interrupt)
    assert result.stopped_by == "interrupted"
    assert 50 < len(result.table) < 101
    assert Study(config_of(), evaluator, path).run(resume=True).stopped_by == "done"


def test_a_larger_budget_continues_the_same_study(path, evaluator, config_of):
    Study(config_of(), evaluator, path).run()
    more = Study(config_of(evaluations=200), evaluator, path).run(resume=True)
    assert more.scored_now == 100
    fresh = Study(config_of(evaluations=200), evaluator, path.with_name("fresh.bin")).run()
    same_table(fresh.table, more.table)


def test_a_study_that_is_there_is_continued_only_when_asked_to(path, evaluator, config_of):
    Study(config_of(), evaluator, path).run()
    with pytest.raises(LedgerError, match="resume"):
        Study(config_of(), evaluator, path).run()
    with pytest.raises(LedgerError, match="seed was 0, is 1"):
        Study(config_of(seed=1), evaluator, path).run(resume=True)


def test_patience_ends_an_island_and_the_time_limit_the_study(path, evaluator, config_of):
    result = Study(config_of(evaluations=5_000, patience=3), evaluator, path).run()
    assert result.ended[0].startswith("patience")
    assert len(result.table) < 5_000
    stopped = Study(config_of(time_limit_s=1e-9), evaluator, path.with_name("b.bin")).run()
    assert stopped.stopped_by == "time"
    assert len(stopped.table) == 1
    assert stopped.daily.shape == (1, 3)


def test_migration_tells_every_island_the_best_row_of_all(path, evaluator, config_of):
    plain = config_of(sampler="tpe", islands=3, evaluations=360, options={"startup": 20})
    shared = replace(plain, migrate_every=1)
    alone = Study(plain, evaluator, path).run()
    together = Study(shared, evaluator, path.with_name("b.bin")).run()
    assert alone.study_id != together.study_id
    assert alone.table.keys[:61] == together.table.keys[:61], "the first batches are drawn before anything was shared"
    assert alone.table.keys != together.table.keys


def test_progress_counts_up_and_its_shares_are_of_the_whole_time(path, evaluator, config_of):
    seen = []
    Study(config_of(), evaluator, path).run(progress=seen.append)
    assert [progress.evaluations for progress in seen] == [21, 41, 61, 81, 101]
    assert seen[-1].planned == 101
    assert seen[-1].left_s == 0.0
    assert seen[-1].kernel + seen[-1].sampler + seen[-1].rest == pytest.approx(1.0)
    assert all(later.best >= earlier.best for earlier, later in itertools.pairwise(seen))
    assert "101/101 evaluations" in seen[-1].render()


def test_the_table_does_not_depend_on_the_order_in_which_batches_were_recorded(path, evaluator, config_of):
    config = config_of(islands=3, space=config_of().space)
    table = Study(config, evaluator, path).run().table
    batches = Ledger.read(path).batches
    shuffled = [batches[i] for i in np.random.default_rng(0).permutation(len(batches))]
    same_table(table, trial_table(shuffled, 4))


def test_settings_that_cannot_run_are_refused_at_construction(config_of):
    with pytest.raises(ConfigError, match="one sequence"):
        config_of(sampler="grid", islands=2)
    with pytest.raises(ConfigError, match="batch_size is 0"):
        config_of(batch_size=0)
    with pytest.raises(ConfigError, match="every island needs at least one"):
        config_of(islands=8, evaluations=7)


def test_stops_are_no_part_of_the_identity_and_everything_else_is(config_of):
    config = config_of()
    assert replace(config, evaluations=7, patience=1, time_limit_s=3.0).study_id == config.study_id
    for change in ({"seed": 1}, {"batch_size": 7}, {"sampler": "tpe"}, {"subject": {"data": "x"}}, {"migrate_every": 2}):
        assert replace(config, **change).study_id != config.study_id


RUNNER = """
import runpy, sys
from stom_ray.search.study import Study
made = runpy.run_path(sys.argv[1])
config = made["study_config"](sampler="tpe", islands=2, evaluations=200, batch_size=10, options={"startup": 30})
evaluator = made["AnalyticEvaluator"](pause_s=0.01)
Study(config, evaluator, sys.argv[2]).run(resume=True, progress=lambda p: print(p.evaluations, flush=True))
"""


def test_a_study_killed_five_times_and_resumed_gives_the_same_table_as_an_undisturbed_one(tmp_path):
    made = runpy.run_path(str(HERE / "conftest.py"))
    config = made["study_config"](sampler="tpe", islands=2, evaluations=200, batch_size=10, options={"startup": 30})
    whole = Study(config, made["AnalyticEvaluator"](), tmp_path / "whole.bin").run()
    command = [sys.executable, "-c", RUNNER, str(HERE / "conftest.py"), str(tmp_path / "killed.bin")]
    for kill in range(5):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as study:
            study.stdout.readline()
            time.sleep(0.02 + 0.013 * kill)
            study.send_signal(signal.SIGKILL)
    evaluator = made["AnalyticEvaluator"]()
    resumed = Study(config, evaluator, tmp_path / "killed.bin").run(resume=True)
    assert 0 < resumed.scored_now < len(whole.table)
    same_table(whole.table, resumed.table)
    same_daily(whole, resumed)
