"""Sums over shards of instruments, a worker each: those of one process, on processors and on GPUs (emulated, one a worker)."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import ray

from stom_ray.conditions.compile import compile_strategy
from stom_ray.distributed.evaluator import RayEvaluator
from stom_ray.distributed.session import session
from stom_ray.engine.backtest import Engine
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.store.load import select

pytestmark = pytest.mark.ray

EMULATION = Path(__file__).parents[1] / "cuda_emulation" / "device.py"
CODES = ("005930", "045525", "053444")
CONFIG = EngineConfig(loaded_lengths=(30,), profile="stom")
SELL = """매도 = False
if 수익률 >= self.vars[1] or 보유시간 > 120:
    매도 = True
if 보유시간 > 60 and 체결강도 > 150:
    매도 = 1 / (self.vars[1] - 1) > 0
if 보유시간 > 60 and 종목코드 in ['053444']:
    매도 = 1 / (self.vars[1] - 2.5) > 0
"""
STRATEGY = compile_strategy("매수 = 체결강도 > self.vars[0] and 현재가 >= 최고현재가(60, 1)", SELL, profile="stom")
ROWS = ParamMatrix.from_rows([[strength, gain] for strength in (90, 105, 120) for gain in (0.4, 1, 2.5)])


@pytest.fixture(scope="module")
def ray_session():
    """Two processors, and two GPUs as far as Ray is told."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray, "init", partial(ray.init, num_gpus=2))
        with session(num_cpus=2, object_store_mib=120):
            yield


@pytest.fixture(scope="module")
def selection(golden_panel):
    return select(golden_panel, codes=CODES, days=(20230118, 20230126))


@pytest.fixture(scope="module")
def expected(selection):
    """Of the second in three parameter rows every instrument has a fault, of the third only the last one."""
    totals = Engine(STRATEGY, selection, CONFIG, backend="reference").totals(ROWS)
    last = selection.selected.instrument_offsets[-2]
    assert [(fault.candidate, bool(fault.row >= last)) for fault in totals.faults] == [
        (row, row % 3 == 2) for row in range(9) if row % 3
    ]
    assert totals.trades.sum() > 50
    return totals


def assert_same(got, expected):
    for name, values in vars(expected).items():
        np.testing.assert_array_equal(getattr(got, name), values, err_msg=name)


@pytest.mark.parametrize("n_shards", [1, 3])
def test_sums_over_workers_are_those_of_one_process(n_shards, ray_session, selection, expected):
    with RayEvaluator(STRATEGY, selection, CONFIG, workers=2, n_shards=n_shards) as evaluator:
        assert_same(evaluator.totals(ROWS), expected)


def emulating(folder):
    """What makes a worker find an emulated GPU, which it keeps as `device`."""

    def emulate(worker):
        import importlib.util

        from stom_ray.engine import backtest, cuda_backtest

        spec = importlib.util.spec_from_file_location("emulation", EMULATION)
        emulation = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(emulation)
        worker.device = emulation.EmulatedDevice(folder)
        backtest.why_no_gpu = lambda: ""
        cuda_backtest.CupyDevice = lambda: worker.device

    return emulate


def test_every_gpu_adds_up_its_shard(ray_session, selection, expected, cuda_emulation, tmp_path):
    with RayEvaluator(STRATEGY, selection, CONFIG, workers=2, n_shards=2, backend="cuda") as evaluator:
        for worker in evaluator._workers:
            ray.get(worker.__ray_call__.remote(emulating(tmp_path)))
        assert_same(evaluator.totals(ROWS), expected)
        assert evaluator.how.backend == "cuda"
        told = [
            ray.get(worker.__ray_call__.remote(lambda worker: (ray.get_gpu_ids(), worker.device.launches)))
            for worker in evaluator._workers
        ]
    assert sorted(gpus for gpus, _ in told) == [[0], [1]]
    assert all([name for name, _ in launches] == ["walk_sums"] for _, launches in told)


def test_more_workers_than_gpus_are_refused(ray_session, selection, monkeypatch):
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 4.0, "GPU": 1.0})
    with pytest.raises(ConfigError, match="2 workers with backend cuda on 1 GPUs of the Ray session"):
        RayEvaluator(STRATEGY, selection, CONFIG, workers=2, backend="cuda")
