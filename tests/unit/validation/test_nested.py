"""The whole search inside every fold: what it may see, what it chooses, what is counted."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.types import EngineConfig
from stom_ray.errors import ConfigError
from stom_ray.metrics.returns import sharpe
from stom_ray.search.evaluator import SerialEvaluator
from stom_ray.search.goal import StomGoal
from stom_ray.search.space import Choice, Space
from stom_ray.search.study import StudyConfig
from stom_ray.store.load import select
from stom_ray.validation.cpcv import CombinatorialPurgedCV
from stom_ray.validation.nested import Found, StudySearch, nested_search, serial_evaluators
from stom_ray.validation.path_scores import Distribution
from stom_ray.validation.splits import PurgedKFold, WalkForward

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
CONFIG = StudyConfig(SPACE, StomGoal("TG"), {"data": "golden"}, sampler="grid", evaluations=100, batch_size=5)
ENGINE = EngineConfig(gate_var0=True)
GRID = SPACE.grid(0, 12)


@pytest.fixture(scope="module")
def market(golden_panel):
    selection = select(golden_panel, codes=("005930", "053444"))
    return compile_strategy(BUY, SELL, profile="corrected"), selection


@pytest.fixture
def evaluator_on(market):
    """Remembers the days it was asked for."""
    strategy, selection = market
    made = serial_evaluators(strategy, selection, ENGINE)
    asked = []

    @contextmanager
    def remembering(days):
        asked.append(days.tolist())
        with made(days) as evaluator:
            yield evaluator

    remembering.asked = asked
    return remembering


@pytest.fixture(scope="module")
def every_row(market):
    """(12, 5) profit of each row of the grid on each day, from one run over all of them."""
    strategy, selection = market
    return SerialEvaluator(strategy, selection, ENGINE).evaluate(GRID).daily_profit


def row_of(best):
    return int(np.flatnonzero((GRID.values == best.values[0]).all(axis=1))[0])


def test_an_evaluator_over_days_that_are_not_consecutive_scores_them_as_a_run_over_all_does(market, evaluator_on):
    strategy, selection = market
    days = selection.selected.days[[0, 2, 4]]
    with evaluator_on(days) as evaluator:
        table = evaluator.evaluate(GRID)
    expected = SerialEvaluator(strategy, selection, ENGINE).evaluate_days(GRID, [days])[0]
    np.testing.assert_array_equal(table.figures, expected.figures)
    np.testing.assert_array_equal(table.daily_profit, expected.daily_profit)
    assert np.abs(table.daily_profit).sum() > 0


def test_every_fold_searches_anew_on_its_train_days_and_tests_its_choice_once(tmp_path, market, evaluator_on, every_row):
    days = market[1].selected.days
    folds = PurgedKFold(5).split(days)
    result = nested_search(folds, {"grid": StudySearch(CONFIG, evaluator_on)}, evaluator_on, tmp_path)
    for number, (fold, found) in enumerate(zip(folds, result.folds, strict=True)):
        train = np.isin(days, fold.train)
        best = every_row[:, train].sum(axis=1).max()
        assert every_row[row_of(found.best), train].sum() == best
        np.testing.assert_array_equal(found.test_profit, every_row[row_of(found.best), ~train])
        assert found.figures[8] == found.test_profit.sum()
        assert evaluator_on.asked[2 * number : 2 * number + 2] == [fold.train.tolist(), fold.test.tolist()]
    stitched_days, profit = result.stitched()
    np.testing.assert_array_equal(stitched_days, days)
    assert profit.sum() == sum(fold.test_profit.sum() for fold in result.folds)
    assert (result.trials, len(result.sharpes), result.stopped_by) == (60, 60, "done")


def test_profits_of_combinatorial_folds_go_together_along_their_paths(tmp_path, market, evaluator_on):
    splits = CombinatorialPurgedCV(5, 2).split(market[1].selected.days)
    result = nested_search(splits.folds(), {"grid": StudySearch(CONFIG, evaluator_on)}, evaluator_on, tmp_path)
    paths = splits.paths([fold.test_profit for fold in result.folds])
    assert paths.shape == (4, 5)
    assert Distribution.of(paths.sum(axis=1)).n == 4
    with pytest.raises(ConfigError, match="tested by several folds"):
        result.stitched()


def test_procedures_are_compared_on_inner_days_that_they_have_not_seen(tmp_path, market, evaluator_on, every_row):
    days = market[1].selected.days
    folds = PurgedKFold(5).split(days)[1:3]
    narrow = replace(CONFIG, space=Space((Choice((30,), 30), Choice((140,), 140), Choice((2.0,), 2.0))))
    searches = {"narrow": StudySearch(narrow, evaluator_on), "grid": StudySearch(CONFIG, evaluator_on)}
    result = nested_search(folds, searches, evaluator_on, tmp_path, inner=PurgedKFold(2).split)
    for fold, found in zip(folds, result.folds, strict=True):
        fixed = every_row[11][np.isin(days, fold.train)]
        assert found.inner["narrow"] == pytest.approx(float(sharpe(fixed)))
        chosen = []
        for part in PurgedKFold(2).split(fold.train):
            row = int(np.argmax(every_row[:, np.isin(days, part.train)].sum(axis=1)))
            chosen.append(every_row[row, np.isin(days, part.test)])
        assert found.inner["grid"] == pytest.approx(float(sharpe(np.concatenate(chosen))))
        assert found.search == max(found.inner, key=found.inner.get)
    assert {found.search for found in result.folds} <= set(searches)
    outer = [set(fold.test.tolist()) for fold in folds]
    per_fold = len(evaluator_on.asked) // 2
    for number, test in enumerate(outer):
        asked = evaluator_on.asked[number * per_fold : (number + 1) * per_fold]
        assert not any(test & set(some) for some in asked[:-1])
        assert set(asked[-1]) == test
    assert result.trials == sum(2 * (1 + 12) + {"narrow": 1, "grid": 12}[found.search] for found in result.folds)


def test_a_search_may_choose_on_its_last_days_as_walk_forward_does(tmp_path, market, evaluator_on, every_row):
    days = market[1].selected.days
    search = StudySearch(CONFIG, evaluator_on, valid_days=1, gap_days=1, top=3)
    found = search(days[:4], tmp_path)
    assert evaluator_on.asked == [days[:2].tolist(), days[3:4].tolist()]
    top = np.argsort(-every_row[:, :2].sum(axis=1), kind="stable")[:3]
    assert row_of(found.best) in top
    assert every_row[row_of(found.best), 3] == every_row[top, 3].max()
    with pytest.raises(ConfigError, match=r"2 train days: 1 valid \+ 1 gap leave none to search"):
        search(days[:2], tmp_path / "short")


def test_walk_forward_windows_are_folds_too(tmp_path, market, evaluator_on):
    days = market[1].selected.days
    folds = WalkForward(train_days=3, test_days=1).folds(days)
    result = nested_search(folds, {"grid": StudySearch(CONFIG, evaluator_on)}, evaluator_on, tmp_path)
    assert result.stitched()[0].tolist() == days[3:].tolist()
    with pytest.raises(ConfigError, match="valid_days is 1"):
        WalkForward(train_days=2, valid_days=1, test_days=1).folds(days)


def test_it_stops_where_a_search_is_interrupted_and_goes_on_from_the_ledgers(tmp_path, market, evaluator_on):
    folds = PurgedKFold(5).split(market[1].selected.days)
    calls = []

    def break_off(progress):
        calls.append(progress)
        if len(calls) > 4:
            raise KeyboardInterrupt

    broken = nested_search(
        folds, {"grid": StudySearch(CONFIG, evaluator_on, progress=break_off)}, evaluator_on, tmp_path / "broken"
    )
    assert broken.stopped_by == "interrupted"
    assert 0 < len(broken.folds) < 5
    search = StudySearch(CONFIG, evaluator_on, resume=True)
    resumed = nested_search(folds, {"grid": search}, evaluator_on, tmp_path / "broken")
    whole = nested_search(folds, {"grid": StudySearch(CONFIG, evaluator_on)}, evaluator_on, tmp_path / "whole")
    np.testing.assert_array_equal(resumed.stitched()[1], whole.stitched()[1])
    np.testing.assert_array_equal(resumed.sharpes, whole.sharpes)


def test_any_callable_may_search_and_the_first_stands_where_none_has_a_sharpe_ratio(tmp_path, market, evaluator_on):
    def fixed(row):
        params = SPACE.grid(row, 1)
        return lambda days, folder: Found(params, 1, np.array([np.nan]))

    never = Space((Choice((30,), 30), Choice((900,), 900), Choice((1.0,), 1.0))).present
    searches = {"never": lambda days, folder: Found(never, 1, np.array([np.nan])), "first": fixed(0)}
    folds = PurgedKFold(5).split(market[1].selected.days)[:1]
    result = nested_search(folds, searches, evaluator_on, tmp_path, inner=PurgedKFold(2).split)
    assert np.isnan(result.folds[0].inner["never"])
    assert result.folds[0].search == "first"
    both = {"a": searches["never"], "b": searches["never"]}
    assert nested_search(folds, both, evaluator_on, tmp_path, inner=PurgedKFold(2).split).folds[0].search == "a"


def test_several_searches_without_inner_folds_cannot_be_chosen_from(tmp_path, evaluator_on):
    with pytest.raises(ConfigError, match="2 searches"):
        nested_search([], {"a": None, "b": None}, evaluator_on, tmp_path)
    with pytest.raises(ConfigError, match="0 searches"):
        nested_search([], {}, evaluator_on, tmp_path)
