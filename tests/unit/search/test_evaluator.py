from dataclasses import fields

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.types import EngineConfig, ParamMatrix, Trades
from stom_ray.metrics.stom import Fold
from stom_ray.search import evaluator
from stom_ray.search.evaluator import SerialEvaluator, candidate_parts
from stom_ray.store.load import select

BUY = "매수 = True\nif not (체결강도 > self.vars[0]):\n    매수 = False\nif 매수:\n    self.Buy()\n"
SELL = (
    "매도 = False\nif 수익률 >= self.vars[1]:\n    매도 = True\nelif 보유시간 > 60:\n    매도 = True\nif 매도:\n    self.Sell()\n"
)
FOLDS = (Fold("TRAIN", 20230125, 20230126, 20230127, 3), Fold("VALID", 20230125, 20230126, 20230127, 2))


@pytest.fixture
def always_in_parts(monkeypatch):
    monkeypatch.setattr(evaluator, "TRADES_FOR_THREADS", 0)


@pytest.mark.parametrize("folds", [(), FOLDS], ids=["plain", "folds"])
def test_figures_on_two_threads_are_those_of_one_bit_for_bit(golden_panel, always_in_parts, folds):
    selection = select(golden_panel, codes=("005930", "045525"), days=(20230118, 20230126))
    strategy, config = compile_strategy(BUY, SELL, profile="corrected"), EngineConfig()
    rng = np.random.default_rng(2)
    # The first rows hardly trade and the last ones all the time, so that parts hold different numbers of candidates.
    values = np.column_stack([np.linspace(2_000, 60, 21), rng.uniform(0.3, 2.0, 21)])
    params = ParamMatrix(values, np.ones(values.shape, dtype=np.bool_))
    one = SerialEvaluator(strategy, selection, config, folds=folds).evaluate(params)
    two = SerialEvaluator(strategy, selection, config, folds=folds, threads=2).evaluate(params)
    assert one.figures[:, 0].max() > 10 * max(1.0, one.figures[0, 0])
    for name in ("figures", "daily_profit", "failed", *(["folds"] if folds else [])):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_parts_hold_every_candidate_and_every_trade_once_and_in_order(always_in_parts):
    rng = np.random.default_rng(0)
    for n, count in [(1, 9), (2, 9), (3, 500), (40, 0), (40, 30), (500, 900)]:
        candidate = np.sort(rng.integers(0, n, count))
        trades = Trades(**{field.name: candidate if field.name == "candidate" else np.arange(count) for field in fields(Trades)})
        parts = list(candidate_parts(trades, n, threads=2))
        starts = np.cumsum([0, *(size for _, size in parts)])
        assert starts[-1] == n
        joined = [part.candidate + start for (part, _), start in zip(parts, starts, strict=False)]
        np.testing.assert_array_equal(np.concatenate(joined), candidate)
        np.testing.assert_array_equal(np.concatenate([part.profit for part, _ in parts]), trades.profit)
        assert all((part.candidate >= 0).all() and (part.candidate < size).all() for part, size in parts)
