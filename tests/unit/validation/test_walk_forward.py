from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.types import EngineConfig
from stom_ray.errors import ConfigError, LedgerError
from stom_ray.metrics.objectives import Limits
from stom_ray.search.evaluator import SerialEvaluator
from stom_ray.search.goal import StomGoal
from stom_ray.search.ledger import Ledger
from stom_ray.search.space import Choice, Space
from stom_ray.search.study import StudyConfig
from stom_ray.store.load import select
from stom_ray.validation.overfitting import deflated_sharpe_of
from stom_ray.validation.splits import WalkForward
from stom_ray.validation.stom_splits import DayRange, StomSplit
from stom_ray.validation.walk_forward import stom_walk_forward, walk_forward

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
elif 보유시간 > 120:
    매도 = True
if 매도:
    self.Sell()
"""
SPACE = Space((Choice((30,), 30), Choice((80, 100, 120, 140), 100), Choice((0.5, 1.0, 2.0), 1.0)))
ENGINE = EngineConfig(gate_var0=True)


@pytest.fixture(scope="module")
def panel(golden_panel):
    return select(golden_panel, codes=("005930", "053444")).selected


@pytest.fixture(scope="module")
def evaluator_for(panel):
    strategy = compile_strategy(BUY, SELL, profile="corrected")
    asked = []

    @contextmanager
    def make(days, folds=()):
        asked.append(days)
        yield SerialEvaluator(strategy, select(panel, days=days), ENGINE, folds=folds)

    make.asked = asked
    return make


@pytest.fixture
def config():
    return StudyConfig(SPACE, StomGoal("TG"), {"data": "golden"}, sampler="grid", evaluations=100, batch_size=5)


@pytest.fixture(scope="module")
def windows(panel):
    return WalkForward(train_days=2, valid_days=1, test_days=1).split(panel.days)


def whole_grid(evaluator_for, days):
    with evaluator_for((int(days[0]), int(days[-1]))) as evaluator:
        table = evaluator.evaluate(SPACE.grid(0, 12))
    return StomGoal("TG").score(table), table


def test_the_best_of_train_on_valid_is_scored_on_test(tmp_path, config, windows, evaluator_for):
    result = walk_forward(config, windows, evaluator_for, tmp_path, top=3)
    assert len(result.windows) == len(windows) == 2
    for window in result.windows:
        train, _ = whole_grid(evaluator_for, window.window.train)
        valid, _ = whole_grid(evaluator_for, window.window.valid)
        test, table = whole_grid(evaluator_for, window.window.test)
        top = np.argsort(-train, kind="stable")[:3]
        row = int(np.flatnonzero((SPACE.grid(0, 12).values == window.best.values[0]).all(axis=1))[0])
        assert row in top
        assert valid[row] == valid[top].max() == window.valid.objective
        assert (window.train.objective, window.test.objective) == (train[row], test[row])
        np.testing.assert_array_equal(window.test.daily_profit, table.daily_profit[row])
        assert window.trials == 12


def test_test_days_are_looked_at_by_one_row_only_and_after_everything_else(tmp_path, config, windows, evaluator_for):
    evaluator_for.asked.clear()
    walk_forward(config, windows, evaluator_for, tmp_path)
    spans = [(int(days[0]), int(days[-1])) for w in windows for days in (w.train, w.valid, w.test)]
    assert evaluator_for.asked == spans


def test_out_of_sample_profit_is_stitched_and_deflated_by_all_trials(tmp_path, config, windows, evaluator_for):
    result = walk_forward(config, windows, evaluator_for, tmp_path)
    np.testing.assert_array_equal(result.days, np.concatenate([window.test for window in windows]))
    np.testing.assert_array_equal(result.daily_profit, np.concatenate([w.test.daily_profit for w in result.windows]))
    assert result.trials == 24
    sharpes = np.concatenate([window.sharpes for window in result.windows])
    assert result.deflated == deflated_sharpe_of(result.daily_profit, sharpes)
    assert result.sharpe == pytest.approx(result.daily_profit.mean() / result.daily_profit.std(ddof=1))


def test_without_valid_days_the_best_of_train_goes_to_test(tmp_path, config, panel, evaluator_for):
    windows = WalkForward(train_days=3, test_days=1, anchored=True).split(panel.days)
    result = walk_forward(config, windows, evaluator_for, tmp_path, scheme="anchored")
    for window in result.windows:
        train, _ = whole_grid(evaluator_for, window.window.train)
        assert window.valid is None
        assert window.train.objective == train.max()
        assert window.rank == 0


def test_rows_outside_the_limits_are_not_carried_to_valid(tmp_path, config, windows, evaluator_for):
    _, table = whole_grid(evaluator_for, windows[-1].train)
    allowed = float(np.median(table.figures[:, 4]))
    strict = replace(config, goal=StomGoal("TG", Limits(wr=(allowed, 100.0))))
    result = walk_forward(strict, windows[-1:], evaluator_for, tmp_path, top=12)
    assert result.windows[0].train.figures[4] >= allowed


def test_it_resumes_from_the_ledgers_of_its_windows(tmp_path, config, windows, evaluator_for):
    whole = walk_forward(config, windows, evaluator_for, tmp_path / "whole")

    def break_off(progress):
        raise KeyboardInterrupt

    broken = walk_forward(config, windows, evaluator_for, tmp_path / "broken", progress=break_off)
    assert broken.stopped_by == "interrupted"
    assert broken.windows == ()
    assert broken.deflated is None
    resumed = walk_forward(config, windows, evaluator_for, tmp_path / "broken", resume=True)
    np.testing.assert_array_equal(resumed.daily_profit, whole.daily_profit)
    assert [w.best.values.tolist() for w in resumed.windows] == [w.best.values.tolist() for w in whole.windows]
    with pytest.raises(LedgerError, match="resume"):
        walk_forward(config, windows, evaluator_for, tmp_path / "broken")


def test_stom_s_own_way_replays_one_row_over_all_windows_and_warns(tmp_path, config, panel, evaluator_for):
    days = [int(day) for day in panel.days]

    def span(first: int, last: int) -> DayRange:
        return DayRange(days[first], days[last], last - first + 1)

    splits = [StomSplit(span(a, a + 2), (span(a + 2, a + 2),), span(a + 3, a + 3)) for a in (0, 1)]
    result = stom_walk_forward(config, splits, panel.days, evaluator_for, tmp_path)
    assert "leaks" in result.warnings[0]
    assert result.windows[0].best.values.tolist() == result.windows[1].best.values.tolist()
    assert set(result.windows[0].window.valid) <= set(result.windows[0].window.train)
    assert result.trials == 12
    assert len(Ledger.read(tmp_path / "stom" / "ledger.bin")) == 12


def test_settings_that_make_no_sense_are_refused(tmp_path, config, windows, evaluator_for):
    with pytest.raises(ConfigError, match="top is 0"):
        walk_forward(config, windows, evaluator_for, tmp_path, top=0)
