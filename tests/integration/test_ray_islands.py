"""A study over Ray Tune gives the table of a study in one process, also after SIGKILL."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.distributed.islands import run_islands
from stom_ray.distributed.optuna_search import run_optuna_search
from stom_ray.distributed.session import session
from stom_ray.distributed.tuning import Subject
from stom_ray.engine.types import EngineConfig, Weighting
from stom_ray.errors import ConfigError, LedgerError
from stom_ray.search.base import FIGURES
from stom_ray.search.goal import SeveralGoals, StomGoal
from stom_ray.search.halving import Halving
from stom_ray.search.ledger import Ledger
from stom_ray.search.space import Choice, Interval, Space
from stom_ray.search.study import Study, StudyConfig
from stom_ray.store.load import select

ROOT = Path(__file__).parents[2]
BUY = """매수 = True
if not (체결강도 > self.vars[1]):
    매수 = False
elif not (현재가 >= 최고현재가(60, 1)):
    매수 = False
if 매수:
    self.Buy()
"""
SELL = """매도 = False
if 수익률 >= self.vars[2]:
    매도 = True
elif 보유시간 > self.vars[3]:
    매도 = True
if 매도:
    self.Sell()
"""
SPACE = Space((Choice((30,), 30), Choice(tuple(range(80, 130, 5)), 100), Interval(0.2, 3.0, 1.0), Choice((30, 60, 120, 240), 60)))

pytestmark = pytest.mark.ray


def subject_over(panel):
    selection = select(panel, codes=("005930", "053444"), days=(20230118, 20230126))
    strategy = compile_strategy(BUY, SELL, profile="corrected")
    return Subject(strategy, selection, EngineConfig(gate_var0=True))


def config(**changes):
    settings = {
        "sampler": "tpe",
        "islands": 2,
        "batch_size": 10,
        "evaluations": 80,
        "options": {"startup": 10},
        "migrate_every": 2,
    }
    return StudyConfig(SPACE, StomGoal("TG"), {"data": "golden"}, **{**settings, **changes})


@pytest.fixture(scope="module")
def ray_session():
    with session(num_cpus=2, object_store_mib=120) as info:
        yield info


@pytest.fixture(scope="module")
def subject(golden_panel):
    return subject_over(golden_panel)


@pytest.fixture(scope="module")
def whole(subject, tmp_path_factory):
    return Study(config(), subject.evaluator(), tmp_path_factory.mktemp("whole") / "ledger.bin").run()


def same_table(one, other):
    assert one.keys == other.keys
    for name in ("figures", "objective", "aims", "sharpe", "failed", "pruned", "fell", "early", "island", "batch", "place"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.source == other.source


def test_islands_on_two_workers_give_the_table_of_one_process(ray_session, subject, whole, tmp_path):
    seen = []
    kept = threading.Lock()  # which cannot be pickled, as most of what a progress callback holds

    def watch(progress):
        with kept:
            seen.append(progress)

    result = run_islands(config(), subject, tmp_path / "ledger.bin", workers=2, progress=watch)
    same_table(result.table, whole.table)
    np.testing.assert_array_equal(result.daily[result.table.daily_row], whole.daily[whole.table.daily_row])
    assert result.ended == ("evaluations",) * 2
    assert result.stopped_by == "done"
    assert seen[-1].evaluations == len(whole.table)
    assert seen[-1].best == whole.table.objective.max()


def test_islands_that_weigh_several_objectives_share_them_and_resume_to_the_same_table(ray_session, subject, tmp_path):
    goal = SeveralGoals("TG", objectives=("TG", "-MDD"))
    several = replace(config(sampler="nsga2", options={"population": 15}, evaluations=60), goal=goal)
    result = run_islands(replace(several, evaluations=40), subject, tmp_path / "ledger.bin", workers=2)
    result = run_islands(several, subject, tmp_path / "ledger.bin", workers=2, resume=True)
    alone = Study(several, subject.evaluator(), tmp_path / "alone.bin").run()
    same_table(result.table, alone.table)
    assert result.table.aims.shape == (len(result.table), 3)
    np.testing.assert_array_equal(result.table.aims[:, 0], result.table.figures[:, FIGURES.index("tsg")])


def test_islands_choose_betting_weights_as_one_process_does(ray_session, subject, tmp_path):
    """By two columns that the scripts do not read and the workers need."""
    off, by_range, by_volume = (Weighting(mode, (0.0, 5.0, 10.0, 15.0), (0.5, 1.0, 1.5, 1.0, 3.0)) for mode in (0, 1, 4))
    weighed = replace(subject, engine=replace(subject.engine, weightings=(off, by_range, by_volume)))
    space = Space((*SPACE.variables, Choice.named(["off", "by range", "by volume"], "off")))
    free = replace(config(sampler="random", options={}, evaluations=30), space=space)
    result = run_islands(free, weighed, tmp_path / "ledger.bin", workers=2)
    alone = Study(free, weighed.evaluator(), tmp_path / "alone.bin").run()
    same_table(result.table, alone.table)
    assert set(alone.table.params.values[:, -1]) == {0, 1, 2}


@pytest.mark.parametrize("workers", [1, 2])
def test_islands_prune_as_one_process_does_on_any_number_of_workers_and_after_a_cut(ray_session, subject, tmp_path, workers):
    pruning = config(sampler="genetic", options={}, halving=Halving(keep=2, days=(1, 3), by="spread", controls=0.2))
    run_islands(replace(pruning, evaluations=40), subject, tmp_path / "ledger.bin", workers=workers)
    result = run_islands(pruning, subject, tmp_path / "ledger.bin", workers=workers, resume=True)
    alone = Study(pruning, subject.evaluator(), tmp_path / "alone.bin").run()
    same_table(result.table, alone.table)
    np.testing.assert_array_equal(result.daily[result.table.daily_row], alone.daily[alone.table.daily_row])
    assert set(alone.table.fell) == {0, 1, 2}
    assert 20 < alone.table.pruned.sum() < 60
    pruned = alone.table.rows(np.flatnonzero(alone.table.pruned & (alone.table.fell == 2)))
    (part,) = subject.evaluator().evaluate_days(pruned, [pruning.halving.rungs(subject.days)[1]])
    np.testing.assert_array_equal(part.figures, alone.table.figures[alone.table.pruned & (alone.table.fell == 2)])


def test_more_days_than_there_are_end_it_before_anything_is_scored(ray_session, subject, tmp_path):
    with pytest.raises(ConfigError, match=f"which are {len(subject.days)}"):
        run_islands(config(halving=Halving(days=(99,))), subject, tmp_path / "ledger.bin", workers=2)


def test_after_ctrl_c_nothing_runs_on_and_a_resumed_study_gives_the_same_table(ray_session, subject, whole, tmp_path):
    def press_ctrl_c(progress):
        if progress.evaluations > 15:
            os.kill(os.getpid(), signal.SIGINT)

    broken = run_islands(config(), subject, tmp_path / "ledger.bin", workers=2, progress=press_ctrl_c)
    assert broken.stopped_by == "interrupted"
    assert 15 < len(broken.table) < len(whole.table)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resumed = run_islands(config(), subject, tmp_path / "ledger.bin", workers=1, resume=True)
    assert resumed.scored_now == len(whole.table) - len(broken.table)
    same_table(resumed.table, whole.table)


def test_what_goes_wrong_at_the_driver_ends_the_study_as_itself(ray_session, subject, tmp_path):
    def full_disk(progress):
        if progress.evaluations > 1:
            raise LedgerError("no space left")

    with pytest.raises(LedgerError, match="no space left"):
        run_islands(config(), subject, tmp_path / "ledger.bin", workers=2, progress=full_disk)


def test_islands_that_have_nothing_left_to_ask_end_the_study(ray_session, subject, tmp_path):
    few = Space((SPACE.variables[0], Choice((90, 100), 100), Choice((1.0,), 1.0), Choice((60, 120), 60)))
    small = StudyConfig(few, StomGoal("TG"), {}, sampler="random", islands=2, batch_size=3, evaluations=100)
    result = run_islands(small, subject, tmp_path / "ledger.bin", workers=2)
    assert len(result.table) == 4
    assert result.ended == ("nothing left to ask",) * 2


def test_what_the_engine_refuses_ends_the_study_with_that_message(ray_session, subject, tmp_path):
    narrow = StudyConfig(Space(SPACE.variables[:2]), StomGoal("TG"), {}, evaluations=4, batch_size=2)
    with pytest.raises(ConfigError, match=r"self\.vars"):
        run_islands(narrow, subject, tmp_path / "ledger.bin", workers=1)


def test_plain_optuna_search_scores_one_candidate_a_trial_and_resumes(ray_session, subject, tmp_path):
    plain = config(sampler="optuna", islands=1, options={}, migrate_every=0, evaluations=6)
    first = run_optuna_search(plain, subject, tmp_path / "ledger.bin", workers=2)
    assert len(first.table) == 7
    more = run_optuna_search(
        config(**{**vars_of(plain), "evaluations": 9}), subject, tmp_path / "ledger.bin", workers=2, resume=True
    )
    assert more.scored_now == 3
    assert set(first.table.keys) < set(more.table.keys)
    assert set(more.table.source) == {"present", "optuna"}
    with pytest.raises(ConfigError, match="Ray"):
        Study(plain, subject.evaluator(), tmp_path / "other.bin").run()


def vars_of(study):
    return {name: getattr(study, name) for name in ("sampler", "islands", "options", "migrate_every", "batch_size")}


RUNNER = """
import importlib.util, sys
from stom_ray.store.load import load_panel
spec = importlib.util.spec_from_file_location("islands_test", sys.argv[1])
test = importlib.util.module_from_spec(spec)
spec.loader.exec_module(test)
subject = test.subject_over(load_panel(sys.argv[2], time=(90_000, 93_000)))
with test.session(num_cpus=2, object_store_mib=120):
    say = lambda progress: print(progress.evaluations, flush=True)
    test.run_islands(test.config(), subject, sys.argv[3], workers=2, resume=True, progress=say)
"""


def test_a_driver_killed_mid_search_loses_nothing_and_the_rest_gives_the_same_table(golden_db, subject, whole, tmp_path):
    ledger = tmp_path / "ledger.bin"
    command = [sys.executable, "-W", "ignore", "-c", RUNNER, __file__, str(golden_db), str(ledger)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True) as driver:
        reported = 0
        while reported < 30:
            line = driver.stdout.readline()
            assert line, "the driver ended by itself"
            reported = int(line)
        driver.send_signal(signal.SIGKILL)
    kept = len(Ledger.read(ledger))
    assert reported <= kept < len(whole.table)
    result = Study(config(), subject.evaluator(), ledger).run(resume=True)
    assert result.scored_now == len(whole.table) - kept
    same_table(result.table, whole.table)
