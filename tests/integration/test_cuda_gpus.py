"""Sums over shards of instruments, a worker each: those of one process, on processors and on GPUs (emulated, one a worker)."""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import ray

from stom_ray.conditions.compile import compile_strategy
from stom_ray.distributed.evaluator import RayEvaluator
from stom_ray.distributed.islands import run_islands
from stom_ray.distributed.session import session
from stom_ray.distributed.tuning import Subject
from stom_ray.engine.backtest import Engine
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.search.evaluator import SerialEvaluator
from stom_ray.search.goal import StomGoal
from stom_ray.search.space import Space
from stom_ray.search.study import Study, StudyConfig
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


@dataclass(frozen=True)
class OnEmulatedGpus(Subject):
    """Its trials find an emulated GPU, and leave a note of the one that Ray gave them."""

    folder: str = ""

    def evaluator(self):
        if self.backend == "cuda":
            emulating(Path(self.folder))(SimpleNamespace())
            Path(self.folder, f"gpu-{ray.get_gpu_ids()[0]}").touch()
        return super().evaluator()


def test_islands_on_gpus_find_what_one_process_finds(ray_session, selection, cuda_emulation, tmp_path):
    space = Space.from_intervals({0: (80, 130, 5), 1: (0.4, 2.5, 0.1)})
    config = StudyConfig(space, StomGoal(), {"data": "golden"}, seed=3, islands=2, batch_size=20, evaluations=80)
    expected = Study(config, SerialEvaluator(STRATEGY, selection, CONFIG), tmp_path / "serial.bin").run()
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    subject = OnEmulatedGpus(STRATEGY, selection, CONFIG, "cuda", folder=str(tmp_path))
    found = run_islands(config, subject, tmp_path / "gpus.bin", workers=2)
    pd.testing.assert_frame_equal(found.table.to_frame(), expected.table.to_frame())
    assert sorted(path.name for path in tmp_path.glob("gpu-*")) == ["gpu-0", "gpu-1"]
    assert found.how.backend == "cuda"


def test_islands_on_gpus_without_one_are_refused(ray_session, selection, monkeypatch, tmp_path):
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 4.0})
    config = StudyConfig(Space.from_intervals({0: (80, 130), 1: (0.4, 2.5)}), StomGoal(), {})
    with pytest.raises(ConfigError, match="kernel cuda: no node of the Ray session has a GPU"):
        run_islands(config, Subject(STRATEGY, selection, CONFIG, "cuda"), tmp_path / "ledger.bin", workers=2)
