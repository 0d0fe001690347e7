"""Memory of a batch: said before it runs, kept under a limit, refused in numbers."""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.planned.kernel import CpuKernel
from stom_ray.engine.planned.memory import BYTES_A_TRADE, cut_into, predicted, spelt
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.errors import ConfigError, OutOfRoomError
from stom_ray.store.load import select

ROOT = Path(__file__).parents[4]
BUY = "매수 = 등락율 > self.vars[1] and 체결강도 > self.vars[2] and 초당거래대금 > 이동평균(60)"
SELL = """\
매도 = False
if 수익률 >= self.vars[3]:
    매도 = True
elif 수익률 <= -self.vars[4]:
    매도 = True
elif 보유시간 > 300:
    매도 = True
if 매도:
    self.Sell()
"""
STRATEGY = compile_strategy(BUY, SELL)
CONFIG = EngineConfig()


def market(make_panel, codes, rows):
    rng = np.random.default_rng(7)
    sessions = [(f"{code:06d}", 20230110 + day, rows) for code in range(codes) for day in range(2)]
    n = 2 * codes * rows
    price = 10_000.0 + 10.0 * np.cumsum(rng.integers(-1, 2, n))
    levels = {f"매도호가{k}": price + 10 * k for k in range(1, 6)} | {f"매수호가{k}": price - 10 * k for k in range(1, 6)}
    values = {"등락율": rng.random(n) * 20, "체결강도": rng.random(n) * 200, "초당거래대금": rng.random(n) * 30_000}
    return select(make_panel(sessions, 현재가=price, **levels, **values))


def grid():
    values = itertools.product((30,), (15.0, 18.0), (100.0, 150.0, 180.0), (0.2, 0.4, 0.8, 1.6), (0.2, 0.5, 1.0))
    return ParamMatrix.from_rows(list(values))


def arbitrary(n=120):
    rng = np.random.default_rng(8)
    rows = [[30, *map(float, rng.uniform((15, 100, 0.2, 0.2), (19, 190, 2, 2)))] for _ in range(n)]
    return ParamMatrix.from_rows(rows)


def assert_same(result, expected):
    for name, values in vars(expected.trades).items():
        np.testing.assert_array_equal(getattr(result.trades, name), values, err_msg=name)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("params", [grid(), arbitrary()], ids=["grid", "rows"])
def test_a_small_limit_gives_the_same_trades_in_blocks(make_panel, params, threads):
    selection = market(make_panel, codes=6, rows=400)
    free = CpuKernel(STRATEGY, selection, CONFIG)
    expected, sums = free.run(params), free.totals(params)
    assert free.prediction.blocks == 1
    assert len(expected.trades) > 100
    least = free.prediction.candidates * threads + 2 * free.prediction.a_row * 800 + BYTES_A_TRADE * len(expected.trades)
    tight = CpuKernel(STRATEGY, selection, CONFIG, max_memory=least + 2_000_000 * threads)
    wide = CpuKernel(STRATEGY, selection, CONFIG, memory_bytes=1)
    for kernel in (tight, wide):
        assert_same(kernel.run(params, threads), expected)
        found = kernel.totals(params, threads)
        assert found.trades.tolist() == sums.trades.tolist()
        assert found.daily_profit.tolist() == sums.daily_profit.tolist()
    assert wide.prediction.blocks == 6
    assert tight.prediction.total <= tight.max_memory


def test_many_exit_values_are_run_a_part_at_a_time_where_their_outcomes_would_not_fit(make_panel):
    selection = market(make_panel, codes=2, rows=400)
    values = itertools.product(
        (30,), (15.0, 16.0), (100.0, 120.0), np.linspace(0.2, 2, 40).tolist(), np.linspace(0.2, 2, 10).tolist()
    )
    params = ParamMatrix.from_rows(list(values))
    free = CpuKernel(STRATEGY, selection, CONFIG)
    sums = free.totals(params)
    tight = CpuKernel(STRATEGY, selection, CONFIG, max_memory=8_000_000)
    assert free.prediction.total > tight.max_memory
    found = tight.totals(params)
    assert found.daily_profit.tolist() == sums.daily_profit.tolist()
    assert tight.prediction.total <= tight.max_memory
    assert len(tight.plans) > 1
    assert sum(plan.candidates for plan in tight.plans) == len(params)


def test_one_instrument_that_cannot_fit_is_refused_in_numbers(make_panel):
    kernel = CpuKernel(STRATEGY, market(make_panel, codes=3, rows=5_000), CONFIG, max_memory=2_000_000)
    with pytest.raises(
        ConfigError, match=r"max_memory is 2\.0 MB, but one instrument at a time needs .* MB: 10,000 rows of the longest"
    ):
        kernel.run(grid())


def test_trades_that_do_not_fit_are_refused_before_they_are_kept_and_their_sums_are_not(make_panel):
    selection = market(make_panel, codes=6, rows=400)
    free = CpuKernel(STRATEGY, selection, CONFIG)
    trades = free.totals(grid()).trades.sum()
    room = free.prediction.total + BYTES_A_TRADE * int(trades) // 2
    tight = CpuKernel(STRATEGY, selection, CONFIG, max_memory=room)
    with pytest.raises(OutOfRoomError, match=f"{len(grid())} parameter rows make {trades:,} trades"):
        tight.run(grid())
    assert tight.totals(grid()).trades.sum() == trades


def test_blocks_are_whole_instruments():
    starts = np.array([0, 10, 30, 35, 40])
    assert cut_into(starts, 40) == (40, 1)
    assert cut_into(starts, 30) == (30, 2)
    assert cut_into(starts, 25) == (25, 3)
    assert cut_into(starts, 1) == (20, 4)


def test_what_is_left_beside_the_candidates_goes_to_rows():
    starts = np.array([0, 100, 200, 300])
    assert predicted(10, 500, starts, 1, 2_500).rows == 200
    assert predicted(10, 500, starts, 1, 2_500).total == 2_500
    assert predicted(10, 500, starts, 1, 1_500).blocks == 3
    with pytest.raises(ConfigError, match=r"one instrument at a time needs 1\.5 kB: 100 rows"):
        predicted(10, 500, starts, 1, 1_499)


def test_amounts_are_spelt_for_people():
    assert [spelt(n) for n in (12, 1_500, 2_000_000, 3_400_000_000)] == ["12 bytes", "1.5 kB", "2.0 MB", "3.4 GB"]


MEASURED = """
import ctypes, gc, sys
from pathlib import Path
sys.path[:0] = [{tests!r}, {here!r}]
import conftest
import test_memory as case
from stom_ray.engine.planned.kernel import CpuKernel

def resident(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))

params = getattr(case, {params!r})()
kernel = CpuKernel(case.STRATEGY, case.market(conftest.build_panel, 2, 300), case.CONFIG)
kernel.totals(params)
kernel.generated.run(params)
selection = case.market(conftest.build_panel, 20, 10_000)
gc.collect()
ctypes.CDLL(None).malloc_trim(0)
before = resident("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
kernel = CpuKernel(case.STRATEGY, selection, case.CONFIG, max_memory={limit})
kernel.totals(params)
print(resident("VmHWM") - before, kernel.prediction.total, kernel.prediction.blocks)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures by Linux's /proc")
@pytest.mark.parametrize(("limit", "blocks"), [(None, 1), (40_000_000, 4)])
@pytest.mark.parametrize("params", ["grid", "arbitrary"])
def test_a_run_grows_by_no_more_than_was_predicted(params, limit, blocks):
    code = MEASURED.format(tests=str(ROOT / "tests"), here=str(Path(__file__).parent), params=params, limit=limit)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    grown, said, cut = map(int, done.stdout.split())
    assert grown <= 1.2 * said
    assert grown >= said / 4  # a prediction of everything would predict nothing
    assert cut >= blocks
    assert limit is None or said <= limit
