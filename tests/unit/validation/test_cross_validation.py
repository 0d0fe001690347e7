"""A cross-validated search: what its paths are made of, and what it refuses before it begins."""

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.types import EngineConfig
from stom_ray.errors import ConfigError
from stom_ray.search.evaluator import SerialEvaluator
from stom_ray.search.goal import StomGoal
from stom_ray.search.space import Choice, Space
from stom_ray.search.study import StudyConfig
from stom_ray.store.load import select
from stom_ray.validation.cpcv import CombinatorialPurgedCV
from stom_ray.validation.cross_validation import cross_validate
from stom_ray.validation.nested import serial_evaluators
from stom_ray.validation.splits import PurgedKFold

BUY = """매수 = True
if not (체결강도 > self.vars[1]):
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
CONFIG = StudyConfig(SPACE, StomGoal("TG"), {"data": "golden"}, sampler="grid", evaluations=100, batch_size=5)
ENGINE = EngineConfig(gate_var0=True)
GRID = SPACE.grid(0, 12)


@pytest.fixture(scope="module")
def market(golden_panel):
    """(days, evaluators over any of them, (12, 5) profit of each row of the grid on each day)"""
    selection = select(golden_panel, codes=("005930", "053444"))
    strategy = compile_strategy(BUY, SELL, profile="corrected")
    profit = SerialEvaluator(strategy, selection, ENGINE).evaluate(GRID).daily_profit
    return selection.selected.days, serial_evaluators(strategy, selection, ENGINE), profit


def best_on(profit, days):
    return int(np.argmax(profit[:, days].sum(axis=1)))


def test_purged_k_fold_is_one_path_of_choices_made_on_the_other_days(tmp_path, market):
    days, evaluator_on, profit = market
    found = cross_validate(CONFIG, days, PurgedKFold(5), evaluator_on, tmp_path)
    expected = [profit[best_on(profit, np.arange(5) != day), day] for day in range(5)]
    np.testing.assert_array_equal(found.paths, [expected])
    np.testing.assert_array_equal(found.tested, days)
    assert found.complete
    assert sorted(path.parent.name for path in tmp_path.glob("*/ledger.bin")) == [f"fold-{number:02d}" for number in range(1, 6)]
    for number, fold in enumerate(found.result.folds):
        assert fold.objective == profit[:, np.arange(5) != number].sum(axis=1).max()


def test_every_path_of_cpcv_takes_each_fold_from_a_split_that_did_not_train_on_it(tmp_path, market):
    days, evaluator_on, profit = market
    found = cross_validate(CONFIG, days, CombinatorialPurgedCV(5, 2, embargo_days=1), evaluator_on, tmp_path)
    assert found.paths.shape == (4, 5)
    for path, source in zip(found.paths, found.splits.source, strict=True):
        for day, split in enumerate(source):
            row = int(np.flatnonzero((GRID.values == found.result.folds[split].best.values[0]).all(axis=1))[0])
            train = found.splits.train[split]
            assert not train[day]
            assert profit[row, train].sum() == profit[:, train].sum(axis=1).max()
            assert path[day] == profit[row, day]


def test_there_is_no_path_before_every_fold_is_finished(tmp_path, market):
    days, evaluator_on, _ = market
    seen = []

    def break_off(progress):
        seen.append(progress)
        if len(seen) > 4:
            raise KeyboardInterrupt

    found = cross_validate(CONFIG, days, PurgedKFold(5), evaluator_on, tmp_path, progress=break_off)
    assert found.result.stopped_by == "interrupted"
    assert 0 < len(found.result.folds) < 5
    assert found.paths.shape == (0, 5)
    assert found.tested.tolist() == days[: len(found.result.folds)].tolist()


def test_folds_too_short_for_valid_days_are_refused_before_anything_is_searched(tmp_path, market):
    days, evaluator_on, _ = market
    with pytest.raises(ConfigError, match=r"3 train days: 2 valid \+ 1 gap leave none to search"):
        cross_validate(CONFIG, days, CombinatorialPurgedCV(5, 1, 0, 1), evaluator_on, tmp_path, valid_days=2)
    assert list(tmp_path.iterdir()) == []
