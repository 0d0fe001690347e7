"""Rows of several betting weights in one batch: each is what a run with its weights alone makes of it."""

from dataclasses import replace

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.distributed.shipping import portable
from stom_ray.engine.backtest import Engine, run, run_warnings
from stom_ray.engine.late import Delay, run_late
from stom_ray.engine.replay import Replay
from stom_ray.engine.types import MOST_WEIGHTINGS, EngineConfig, ParamMatrix, Weighting
from stom_ray.errors import ConfigError
from stom_ray.store.load import select
from stom_ray.validation.stress import optimism_report, worse_assumptions

LIMITS = (2.0, 4.0, 6.0, 8.0)
WEIGHTINGS = (
    Weighting(),
    Weighting(5, LIMITS, (0.5, 1.0, 1.5, 2.0, 2.5)),
    Weighting(4, LIMITS, (3.0, 0.0, 1.0, 2.0, 0.5)),
    Weighting(1, LIMITS, (1.0, 2.0, 1.0, 2.0, 1.0)),
)
CONFIG = EngineConfig(avgtime=2, weightings=WEIGHTINGS)
BUY = "매수 = 체결강도 > self.vars[0] and 등락율 > 5 / self.vars[1]"
SELLS = {"cut": "if 보유시간 > self.vars[1]:\n    매도 = True", "uncut": "매도 = 보유시간 * self.vars[1] > 체결강도"}


@pytest.fixture
def selection(make_panel):
    rng, n = np.random.default_rng(4), 240
    columns = {name: rng.integers(0, 10, n) for name in ("체결강도", "회전율", "전일비")}
    price = {"현재가": rng.integers(990, 1010, n), "고가": rng.integers(1010, 1090, n), "저가": np.full(n, 1000)}
    sessions = [("000001", 20230102, 80), ("000001", 20230103, 80), ("000002", 20230102, 80)]
    return select(make_panel(sessions, **columns, **price, 등락율=rng.integers(0, 30, n)))


def rows(plan):
    rng = np.random.default_rng(1)
    first = {
        "grid": [(a, b, k) for a in range(2, 8) for b in range(1, 8) for k in range(4)],
        "rows": [(a, b, k % 4) for k, (a, b) in enumerate(rng.random((90, 2)) * 7 + 0.5)],
        "single": [(3, 4, 2), (3, 4, 1)],
        "some": [(0, 0, 3), (5, 2, 1), (5, 2, 3), (0, 0, 1)],
    }[plan]
    return ParamMatrix.from_rows([first[at] for at in rng.permutation(len(first))])


def equal(one, other):
    for name, values in vars(one).items():
        np.testing.assert_array_equal(values, getattr(other, name), err_msg=name)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("profile", ["corrected", "stom"])
@pytest.mark.parametrize("sell", SELLS)
@pytest.mark.parametrize("plan", ["grid", "rows", "single", "some"])
def test_a_batch_of_several_weightings_is_each_row_alone(selection, plan, sell, profile, backend):
    if backend == "reference" and plan in ("grid", "rows"):
        pytest.skip("interpreted row by row: the small batches tell as much")
    strategy, params = compile_strategy(BUY, SELLS[sell], profile=profile), rows(plan)
    config = replace(CONFIG, profile=profile)
    engine = Engine(strategy, selection, config, backend=backend)
    got, totals = engine.run(params), engine.totals(params)
    assert sum(used.candidates for used in engine.how.plans) == len(params)
    amounts, divisions, n_faults = set(), dict.fromkeys(got.zero_divisions, 0), 0
    for place, weighting in enumerate(WEIGHTINGS):
        mine = np.flatnonzero(params.values[:, -1] == place)
        if not len(mine):
            continue
        own = ParamMatrix(params.values[mine, :-1], params.is_float[mine, :-1])
        alone = Engine(strategy, selection, replace(config, weighting=weighting, weightings=()), backend=backend)
        expected, sums = alone.run(own), alone.totals(own)
        here = np.isin(got.trades.candidate, mine)
        cut = {name: values[here] for name, values in vars(got.trades).items()}
        for name, values in vars(expected.trades).items():
            np.testing.assert_array_equal(cut[name], mine[values] if name == "candidate" else values, err_msg=name)
        faults = tuple(replace(fault, candidate=int(mine[fault.candidate])) for fault in expected.faults)
        assert tuple(fault for fault in got.faults if fault.candidate in mine) == faults
        assert tuple(fault for fault in totals.faults if fault.candidate in mine) == faults
        for name in ("trades", "wins", "held_s", "daily_profit"):
            np.testing.assert_array_equal(getattr(totals, name)[mine], getattr(sums, name), err_msg=name)
        for line, count in expected.zero_divisions.items():
            divisions[line] += count
        amounts.add(int(expected.trades.buy_amount.sum()))
        n_faults += len(faults)
    assert len(amounts) > 1
    assert got.zero_divisions == divisions
    assert len(got.faults) == n_faults
    if plan == "some":
        assert got.faults if profile == "stom" else got.zero_divisions
    assert np.all(np.diff(got.trades.candidate) >= 0)


@pytest.mark.parametrize("place", range(len(WEIGHTINGS)))
def test_what_follows_a_row_goes_by_its_own_weights(selection, place):
    strategy = compile_strategy(BUY, SELLS["cut"])
    row, bare = ParamMatrix.from_rows([[3, 4, place]]), ParamMatrix.from_rows([[3, 4]])
    own = CONFIG.of_row(row)
    assert own == replace(CONFIG, weighting=WEIGHTINGS[place], weightings=())
    late = run_late(strategy, selection, row, CONFIG, Delay(1, 1)).trades
    assert len(late)
    equal(late, run_late(strategy, selection, bare, own, Delay(1, 1)).trades)
    entries = [Replay(strategy, selection, *given).entry(0, 0, 80) for given in ((row, CONFIG), (bare, own))]
    assert entries[0] is not None
    assert entries[0] == entries[1]
    reports = [
        optimism_report(strategy, selection, config, params, assumptions=worse_assumptions(config))
        for params, config in ((row, CONFIG), (bare, own))
    ]
    assert reports[0].equals(reports[1])
    shipped = portable(selection, strategy, CONFIG)
    equal(run(strategy, shipped, row, CONFIG).trades, run(strategy, selection, bare, own).trades)


def test_late_orders_of_several_weightings_are_each_alone(selection):
    strategy = compile_strategy(BUY, SELLS["cut"])
    both = run_late(strategy, selection, ParamMatrix.from_rows([[3, 4, 1], [3, 4, 2]]), CONFIG, Delay())
    for candidate in (0, 1):
        own = run_late(strategy, selection, ParamMatrix.from_rows([[3, 4]]), CONFIG.alone[1 + candidate], Delay())
        assert both.trades.buy_amount[both.trades.candidate == candidate].tolist() == own.trades.buy_amount.tolist()


def test_a_memory_limit_is_shared_and_changes_nothing(selection):
    strategy, params = compile_strategy(BUY, SELLS["cut"]), rows("grid")
    limited = Engine(strategy, selection, CONFIG, backend="cpu", max_memory=80_000_000)
    equal(limited.run(params).trades, run(strategy, selection, params, CONFIG).trades)
    assert 0 < limited.how.predicted_bytes <= 80_000_000


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([3, 4, 4], "parameter row 1: its last value is 4: expected the place of its betting weights, 0 to 3"),
        ([3, 4, 0.5], "its last value is 0.5"),
        ([3, 4, -1], "its last value is -1"),
    ],
)
def test_a_place_that_is_none_is_refused(selection, row, message):
    strategy = compile_strategy(BUY, SELLS["cut"])
    with pytest.raises(ConfigError, match=message):
        run_warnings(strategy, selection, ParamMatrix.from_rows([[3, 4, 0], row]), CONFIG)


def test_a_row_without_a_place_and_too_many_weights_are_refused(selection):
    with pytest.raises(ConfigError, match="have 2 values: expected the place of their betting weights behind 2"):
        run(compile_strategy(BUY, SELLS["cut"]), selection, ParamMatrix.from_rows([[3, 1]]), CONFIG)
    with pytest.raises(ConfigError, match="17 betting weights to choose from: expected at most 16"):
        EngineConfig(weightings=(Weighting(),) * (MOST_WEIGHTINGS + 1))
