"""What candidates earned, added up on the emulated device: the sums of the reference's trades, and no trade brought back."""

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine import cuda_chunk
from stom_ray.engine.cuda_backtest import CudaBacktest
from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.reference import run_reference
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.store.load import select

CONFIG = EngineConfig(avgtime=3, loaded_lengths=(5,), profile="stom")
ROWS = ParamMatrix.from_rows([[length, limit] for length in (2, 3, 5) for limit in (0, 1, 2, 50)])
BUY = "매수 = 현재가 >= 최고현재가(self.vars[0]) and 체결강도 > self.vars[1]"
STRATEGY = compile_strategy(
    BUY, "매도 = False\nif 수익률 < -0.2 or 보유시간 >= self.vars[1] + 2:\n    매도 = True", profile="stom"
)
STOPPING = compile_strategy(
    "매수 = 현재가 > 1000\nif 체결강도 == 8:\n    매수 = 체결강도 > 1 / (self.vars[1] - 1)",
    "if 보유시간 > self.vars[0]:\n    매도 = True",
    profile="stom",
)


@pytest.fixture(scope="module")
def selection(make_panel):
    """Three instruments, of which one alone has a third day, on which prices rise, and one lacks the first."""
    rng = np.random.default_rng(3)
    days = {"A": (20230119, 20230120), "B": (20230120,), "C": (20230119, 20230120, 20230125)}
    sessions = [(code, day, 70 + day % 7) for code, own in days.items() for day in own]
    n = sum(rows for _, _, rows in sessions)
    price = 1000.0 + rng.integers(-9, 9, n)
    price[-sessions[-1][2] :] += 10.0 * np.arange(sessions[-1][2])
    book = {f"{side}호가{k}": price + sign * k for k in range(1, 6) for side, sign in (("매도", 1), ("매수", -1))}
    return select(make_panel(sessions, 현재가=price, 체결강도=rng.integers(0, 9, n), **book))


def assert_sums(got, strategy, selection, rows=ROWS, config=CONFIG):
    """Equal to those of the reference's trades; returns them."""
    result = run_reference(strategy, selection, rows, config)
    expected = Totals.of(result, len(rows), selection.selected.session_day).without(result.faults)
    for name, values in vars(expected).items():
        np.testing.assert_array_equal(getattr(got, name), values, err_msg=name)
    return expected


@pytest.fixture(params=["walk_sums", "walk_outcomes_sums"])
def walks(request, monkeypatch):
    """The kernel that adds up, with outcomes or without."""
    monkeypatch.setattr(cuda_chunk, "OUTCOMES_A_WALK", 0.0 if request.param == "walk_sums" else np.inf)
    return request.param


def test_sums_are_those_of_the_references_trades(walks, selection, cuda_emulation):
    device = cuda_emulation()
    totals = CudaBacktest(STRATEGY, selection, CONFIG, device=device).totals(ROWS)
    expected = assert_sums(totals, STRATEGY, selection)
    assert [launch for launch in device.launches if launch[0].startswith("walk")] == [(walks, 12 * 6)]
    assert expected.days.tolist() == [20230119, 20230120, 20230125]
    assert 0 < expected.wins.sum() < expected.trades.sum() / 2
    assert expected.daily_profit.min() < 0 < expected.daily_profit.max()
    assert ((expected.held_s > 0) == (expected.trades > 0)).all()


@pytest.mark.parametrize("memory_bytes", [1, 40_000])
def test_blocks_of_instruments_add_up_whatever_days_each_has(walks, memory_bytes, selection, cuda_emulation):
    device = cuda_emulation()
    assert_sums(
        CudaBacktest(STRATEGY, selection, CONFIG, device=device, memory_bytes=memory_bytes).totals(ROWS), STRATEGY, selection
    )
    assert len([name for name, _ in device.launches if name == "walk_sums" or name == walks]) >= 3


def test_every_launch_is_made_once_and_none_is_too_large(walks, selection, cuda_emulation, monkeypatch):
    monkeypatch.setattr(cuda_chunk, "LARGEST_LAUNCH", 20)
    monkeypatch.setattr(cuda_chunk, "LARGEST_BUFFER", 1)
    device = cuda_emulation()
    assert_sums(CudaBacktest(STRATEGY, selection, CONFIG, device=device).totals(ROWS), STRATEGY, selection)
    assert max(threads for _, threads in device.launches) <= 20
    assert sum(threads for name, threads in device.launches if name == walks) == 12 * 6


@pytest.mark.parametrize("memory_bytes", [1, 1 << 30])
def test_a_candidate_that_stops_has_no_sums_and_its_fault(memory_bytes, selection, cuda_emulation):
    kernel = CudaBacktest(STOPPING, selection, CONFIG, device=cuda_emulation(), memory_bytes=memory_bytes)
    expected = assert_sums(kernel.totals(ROWS), STOPPING, selection)
    assert [fault.candidate for fault in expected.faults] == [1, 5, 9]
    assert (expected.trades[[1, 5, 9]] == 0).all()
    assert expected.trades.sum() > 100


def test_trades_and_sums_are_asked_in_turn_of_the_same_block(selection, cuda_emulation):
    kernel = CudaBacktest(STRATEGY, selection, CONFIG, device=cuda_emulation())
    for lengths in ((2, 3), (7, 4, 9), (3, 12)):
        rows = ParamMatrix.from_rows([[length, 1] for length in lengths])
        expected = assert_sums(kernel.totals(rows), STRATEGY, selection, rows)
        assert len(kernel.run(rows).trades) == expected.trades.sum() > 0


def test_divisions_by_zero_change_no_sum(selection, cuda_emulation):
    config = EngineConfig(avgtime=3, loaded_lengths=(5,), profile="corrected")
    dividing = compile_strategy(
        "매수 = 현재가 / 체결강도 > 100 * self.vars[1]",
        "if 보유시간 / 체결강도 > self.vars[0]:\n    매도 = True",
        profile="corrected",
    )
    totals = CudaBacktest(dividing, selection, config, device=cuda_emulation()).totals(ROWS)
    assert assert_sums(totals, dividing, selection, ROWS, config).trades.sum() > 20


def test_the_days_last_row_adds_what_the_book_takes_there(selection, cuda_emulation):
    never = compile_strategy("매수 = 체결강도 > self.vars[0]", "매도 = 수익률 > 1000", profile="stom")
    expected = assert_sums(CudaBacktest(never, selection, CONFIG, device=cuda_emulation()).totals(ROWS), never, selection)
    assert expected.trades.tolist() == [6] * 12
