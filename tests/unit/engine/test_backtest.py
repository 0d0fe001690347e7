"""Choosing and running a backend."""

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.backtest import choose_backend, run, run_warnings
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.store.panel import Selection

STRATEGY = compile_strategy("매수 = 현재가 >= 최고현재가(30)", "if 수익률 > 1:\n    매도 = True")


def test_a_backend_comes_with_its_reason():
    assert choose_backend("auto", STRATEGY)[0] == "cpu"
    backend, reason = choose_backend("reference", STRATEGY)
    assert backend == "reference"
    assert reason


def test_an_unknown_backend_is_refused():
    with pytest.raises(ConfigError, match="backend 'gpu': expected one of auto, reference, cpu, cuda"):
        choose_backend("gpu", STRATEGY)


def test_threads_are_at_least_one(make_panel):
    panel = make_panel([("000001", 20230102, 40)])
    selection = Selection(panel, panel, np.arange(40))
    with pytest.raises(ConfigError, match="threads is 0"):
        run(STRATEGY, selection, ParamMatrix.from_rows([[]]), EngineConfig(), threads=0)


def test_warnings_of_a_run_are_told_without_running_it(make_panel):
    panel = make_panel([("000001", 20230102, 40)])
    selection = Selection(panel, panel, np.arange(40))
    config = EngineConfig(loaded_lengths=(30, 60, 90))
    (warning,) = run_warnings(STRATEGY, selection, ParamMatrix.from_rows([[]]), config)
    assert "several window lengths" in warning
