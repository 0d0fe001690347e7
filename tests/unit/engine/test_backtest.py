"""Choosing and running a backend."""

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.backtest import Engine, choose_backend, run, run_warnings
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.store.load import select
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


def test_a_window_length_that_the_text_keeps_in_a_variable_runs_as_in_the_reference(make_panel):
    strength = np.random.default_rng(0).integers(0, 9, 200)
    selection = select(make_panel([("000001", 20230102, 200)], 체결강도=strength))
    rows, config = ParamMatrix.from_rows([[k / 10] for k in range(40)]), EngineConfig(profile="stom", loaded_lengths=(5,))
    buy = "길이 = 7\n매수 = 체결강도평균(길이) > self.vars[0]"
    kept = compile_strategy(buy, "매도 = 보유시간 > 5", profile="stom")
    expected = Engine(kept, selection, config, backend="reference").totals(rows)
    got = Engine(kept, selection, config, backend="cpu").totals(rows)
    assert expected.trades.sum() > 100
    np.testing.assert_array_equal(got.trades, expected.trades)
    np.testing.assert_array_equal(got.daily_profit, expected.daily_profit)


def test_warnings_of_a_run_are_told_without_running_it(make_panel):
    panel = make_panel([("000001", 20230102, 40)])
    selection = Selection(panel, panel, np.arange(40))
    config = EngineConfig(loaded_lengths=(30, 60, 90))
    (warning,) = run_warnings(STRATEGY, selection, ParamMatrix.from_rows([[]]), config)
    assert "several window lengths" in warning
