"""A candidate under worse assumptions: each row of the report is the run it names."""

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.late import Delay, run_late
from stom_ray.engine.reference import run_reference
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.store.load import select
from stom_ray.validation.stress import Assumption, optimism_report, worse_assumptions

BUY = """매수 = True
if not (체결강도 > self.vars[1]):
    매수 = False
elif not (현재가 >= 최고현재가(60, 1)):
    매수 = False
if 매수:
    self.Buy()
"""
SELL = "매도 = 수익률 >= 1.0 or 보유시간 > 60\nif 매도:\n    self.Sell()"
ROW = ParamMatrix.from_rows([[30, 100]])
CONFIG = EngineConfig(gate_var0=True, betting=20_000_000.0)


@pytest.fixture(scope="module")
def market(golden_panel):
    return compile_strategy(BUY, SELL, profile="corrected"), select(golden_panel, days=(20230118, 20230120))


def test_every_row_of_the_report_is_the_run_it_names(market):
    strategy, selection = market
    frame = optimism_report(strategy, selection, CONFIG, ROW).set_index("assumption")
    assert list(frame.index) == [
        "as searched",
        "entry one row later",
        "entry and exit one row later",
        "3 ask levels",
        "half the size",
        "costs custom:0.23,0.015",
        "all at once",
    ]
    runs = {
        "as searched": run_reference(strategy, selection, ROW, CONFIG),
        "entry one row later": run_late(strategy, selection, ROW, CONFIG, Delay(1, 0)),
        "entry and exit one row later": run_late(strategy, selection, ROW, CONFIG, Delay(1, 1)),
        "3 ask levels": run_reference(strategy, selection, ROW, EngineConfig(gate_var0=True, betting=20e6, ask_levels=3)),
        "half the size": run_reference(strategy, selection, ROW, EngineConfig(gate_var0=True, betting=10e6)),
        "costs custom:0.23,0.015": run_reference(
            strategy, selection, ROW, EngineConfig(gate_var0=True, betting=20e6, costs="custom:0.23,0.015")
        ),
        "all at once": run_late(
            strategy,
            selection,
            ROW,
            EngineConfig(gate_var0=True, betting=10e6, ask_levels=3, costs="custom:0.23,0.015"),
            Delay(1, 1),
        ),
    }
    for name, run in runs.items():
        assert (frame.loc[name, "trades"], frame.loc[name, "profit"]) == (len(run.trades), run.trades.profit.sum()), name
    assert len({(row.trades, row.profit) for row in frame.itertuples()}) == len(frame)
    assert frame.loc["half the size", "profit_pct"] == pytest.approx(frame.loc["half the size", "profit"] / 10e6 * 100)
    assert (frame["failed"] == "").all()


def test_what_is_kept_is_a_share_of_the_profit_by_betting(market):
    strategy, selection = market
    free = EngineConfig(gate_var0=True, costs="custom:0,0")
    half = Assumption("half", EngineConfig(gate_var0=True, costs="custom:0,0", betting=500_000.0))
    frame = optimism_report(strategy, selection, free, ROW, assumptions=[half, Assumption("late", free, Delay(1, 1))])
    first = frame["profit"].iloc[0]
    assert first > 0
    assert frame["kept"].tolist() == [1.0, *(frame["profit"].iloc[1:] * np.array([2, 1]) / first)]
    losing = optimism_report(strategy, selection, EngineConfig(gate_var0=True, costs="custom:9,1"), ROW, assumptions=[])
    assert losing["profit"].iloc[0] < 0
    assert np.isnan(losing["kept"].iloc[0])


def test_ask_levels_become_fewer_than_they_are():
    def names(levels):
        return [a.name for a in worse_assumptions(EngineConfig(ask_levels=levels), costs=("krx", "custom:0.5,0.1"))]

    assert names(3)[2:] == ["2 ask levels", "half the size", "costs krx", "costs custom:0.5,0.1", "all at once"]
    assert names(2)[2] == "1 ask level"
    assert names(1)[2] == "half the size"
    worst = worse_assumptions(EngineConfig(ask_levels=5), costs=("krx", "custom:0.5,0.1"))[-1]
    assert (worst.config.ask_levels, worst.config.costs, worst.delay) == (3, "custom:0.5,0.1", Delay(1, 1))


def test_a_run_that_stops_says_why(make_panel):
    strategy = compile_strategy("매수 = 1 / (데이터길이 - 5) > 0\nif 매수:\n    self.Buy()", SELL, profile="stom")
    selection, config = select(make_panel([("A", 20240102, 20)])), EngineConfig(avgtime=1, profile="stom")
    frame = optimism_report(
        strategy, selection, config, ParamMatrix.from_rows([[]]), assumptions=[Assumption("late", config, Delay())]
    )
    assert np.isnan(frame["profit"]).all()
    assert frame["failed"].str.contains("divided by zero").all()


def test_one_row_at_a_time(market):
    with pytest.raises(ConfigError, match="2 parameter rows"):
        optimism_report(*market, CONFIG, ParamMatrix.from_rows([[30, 100], [30, 120]]))
