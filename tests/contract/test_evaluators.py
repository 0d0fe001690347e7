"""The evaluator contract (search/base.py), on every implementation."""

import os
import signal
from contextlib import contextmanager

import numpy as np
import pytest
import ray

from stom_ray.conditions.compile import compile_strategy
from stom_ray.distributed.evaluator import RayEvaluator
from stom_ray.distributed.session import session
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.errors import ConditionError, ConfigError
from stom_ray.metrics.stom import Fold
from stom_ray.search.evaluator import SerialEvaluator
from stom_ray.store.load import select

BUY = """매수 = True
if not (체결강도 > self.vars[1]):
    매수 = False
elif not (등락율각도(30) > self.vars[2]):
    매수 = False
elif not (현재가 >= 최고현재가(60, 1)):
    매수 = False
if 매수:
    self.Buy()
"""
SELL = """매도 = False
if 수익률 >= self.vars[3]:
    매도 = True
elif 수익률 <= -1.0:
    매도 = True
elif 보유시간 > 120:
    매도 = True
if 매도:
    self.Sell()
"""
FOLDS = (Fold("TRAIN", 20230125, 20230126, 20230127, 3), Fold("VALID", 20230125, 20230126, 20230127, 2))
CODES = ("005930", "045525", "053444")
CONFIG = EngineConfig(gate_var0=True, loaded_lengths=(30,), profile="stom")


def rows(n=37):
    rng = np.random.default_rng(4)
    return ParamMatrix.from_rows(
        [[30, int(rng.integers(80, 130)), float(rng.integers(0, 20)), float(rng.integers(2, 20)) / 10] for _ in range(n)]
    )


def strategy(sell=SELL):
    return compile_strategy(BUY, sell, profile="stom")


@pytest.fixture(scope="module")
def selection(golden_panel):
    return select(golden_panel, codes=CODES, days=(20230118, 20230126))


@pytest.fixture(scope="module")
def ray_session():
    with session(num_cpus=2, object_store_mib=120) as info:
        yield info


@contextmanager
def serial(selection, **settings):
    yield SerialEvaluator(settings.pop("strategy", None) or strategy(), selection, CONFIG, **settings)


@contextmanager
def on_ray(selection, **settings):
    with RayEvaluator(settings.pop("strategy", None) or strategy(), selection, CONFIG, **settings) as evaluator:
        yield evaluator


def bits_equal(one, other):
    for name in ("figures", "daily_profit", "failed"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.reasons == other.reasons


@pytest.fixture(scope="module")
def expected(selection):
    with serial(selection, backend="reference") as evaluator:
        return evaluator.evaluate(rows())


SERIAL = [{}, {"threads": 2}, {"backend": "reference"}]
RAY = [{"workers": 2, "block_rows": 5}, {"workers": 1, "n_shards": 3}]


class EvaluatorContract:
    def test_row_i_of_the_result_belongs_to_row_i_of_the_parameters(self, make, selection, expected):
        with make(selection) as evaluator:
            bits_equal(evaluator.evaluate(rows()), expected)
            order = np.random.default_rng(0).permutation(37)
            shuffled = evaluator.evaluate(ParamMatrix(rows().values[order], rows().is_float[order]))
        np.testing.assert_array_equal(shuffled.figures, expected.figures[order])

    def test_a_row_that_dies_is_failed_with_its_reason_and_the_others_are_not(self, make, selection):
        # 2.0 as a window is refused by STOM, but only in rows that get so far.
        dying = strategy(SELL.replace("보유시간 > 120", "최고현재가(self.vars[1]) > 0"))
        params = ParamMatrix.from_rows([[30, 95, 5.0, 1.0], [30, 95.0, 5.0, 1.0], [30, 500.0, 5.0, 1.0]])
        with make(selection, strategy=dying) as evaluator:
            table = evaluator.evaluate(params)
        assert table.failed.tolist() == [False, True, False]
        assert np.isnan(table.figures[1]).all()
        assert np.isnan(table.daily_profit[1]).all()
        assert list(table.reasons) == [1]
        assert "line" in table.reasons[1]

    def test_no_rows_give_an_empty_table(self, make, selection):
        with make(selection) as evaluator:
            table = evaluator.evaluate(ParamMatrix(np.empty((0, 4)), np.empty((0, 4), dtype=np.bool_)))
        assert table.figures.shape == (0, 15)
        assert table.daily_profit.shape == (0, 5)

    def test_folds_come_with_the_table(self, make, selection):
        with make(selection, folds=FOLDS) as evaluator:
            table = evaluator.evaluate(rows(9))
        with serial(selection, folds=FOLDS, backend="reference") as reference:
            np.testing.assert_array_equal(table.folds, reference.evaluate(rows(9)).folds)
        assert (table.folds[0, :, 0] + table.folds[1, :, 0] == table.figures[:, 0]).all()

    def test_it_says_what_it_sees_and_how_long_kernels_took(self, make, selection):
        with make(selection) as evaluator:
            assert evaluator.ticks == selection.selected.n_rows
            assert evaluator.days.tolist() == [20230118, 20230119, 20230120, 20230125, 20230126]
            evaluator.evaluate(rows(3))
            assert evaluator.kernel_s > 0

    def test_what_the_engine_refuses_is_refused(self, make, selection):
        with make(selection) as evaluator, pytest.raises((ConfigError, ConditionError), match=r"self\.vars"):
            evaluator.evaluate(ParamMatrix.from_rows([[30, 1]]))


@pytest.mark.parametrize("settings", SERIAL, ids=str)
class TestSerialEvaluator(EvaluatorContract):
    @pytest.fixture
    def make(self, settings):
        return lambda selection, **more: serial(selection, **settings, **more)


@pytest.mark.ray
@pytest.mark.parametrize("settings", RAY, ids=str)
class TestRayEvaluator(EvaluatorContract):
    @pytest.fixture
    def make(self, settings, ray_session):
        return lambda selection, **more: on_ray(selection, **settings, **more)


def test_scores_of_some_days_are_those_of_a_run_over_them_alone(golden_panel, selection):
    with serial(selection) as evaluator:
        first, last = evaluator.evaluate_days(rows(9), [evaluator.days[:2], evaluator.days[3:]])
    for table, days in ((first, (20230118, 20230119)), (last, (20230125, 20230126))):
        with serial(select(golden_panel, codes=CODES, days=days)) as alone:
            bits_equal(table, alone.evaluate(rows(9)))


@pytest.mark.ray
def test_a_worker_that_is_killed_changes_nothing(ray_session, selection, expected):
    with on_ray(selection, workers=2, block_rows=4) as evaluator:
        evaluator.evaluate(rows(4))
        pid = ray.get(evaluator._workers[0].__ray_call__.remote(lambda worker: os.getpid()))
        os.kill(pid, signal.SIGKILL)
        bits_equal(evaluator.evaluate(rows()), expected)


@pytest.mark.ray
def test_more_workers_than_processors_are_refused(ray_session, selection):
    with pytest.raises(ConfigError, match="2 processors"):
        RayEvaluator(strategy(), selection, CONFIG, workers=3)
