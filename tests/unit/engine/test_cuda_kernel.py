"""The CUDA driver on the emulated device: launches, buffers, memory limits, columns that stay, and what it imports."""

import pickle
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.emit_cpu import EmittedKernel
from stom_ray.conditions.emit_cuda import LOT, emit_cuda
from stom_ray.engine import cuda_chunk, cuda_kernel
from stom_ray.engine.cuda_arrays import BatchArrays, BlockArrays, distinct_rows, in_lots
from stom_ray.engine.cuda_backtest import CudaBacktest
from stom_ray.engine.cuda_chunk import Tile
from stom_ray.engine.cuda_kernel import CudaDriver
from stom_ray.engine.kernel_bind import Block, batch_windows, gate_rows
from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.reference import run_reference
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.store.load import select

ROOT = Path(__file__).parents[3]
DAYS = (20230119, 20230120)
CONFIG = EngineConfig(avgtime=3, loaded_lengths=(5,), profile="stom")
ROWS = ParamMatrix.from_rows([[length, limit] for length in (2, 3, 5) for limit in (0, 1, 2, 50)])
STRATEGY = compile_strategy(
    "매수 = 현재가 >= 최고현재가(self.vars[0]) and 체결강도 > self.vars[1]",
    "매도 = False\nif 수익률 < -0.2 or 보유시간 >= self.vars[1] + 2:\n    매도 = True",
    profile="stom",
)


@pytest.fixture(scope="module")
def selection(make_panel):
    rng = np.random.default_rng(3)
    sessions = [(code, day, rows) for code, rows in (("A", 90), ("B", 60), ("C", 75)) for day in DAYS]
    n = sum(rows for _, _, rows in sessions)
    return select(make_panel(sessions, 현재가=1000.0 + rng.integers(-9, 9, n), 체결강도=rng.integers(0, 9, n)))


@pytest.fixture(scope="module")
def expected(selection):
    result = run_reference(STRATEGY, selection, ROWS, CONFIG)
    assert len(result.trades) > 300
    return result


def assert_equal(got, expected):
    assert got.faults == expected.faults
    assert got.zero_divisions == expected.zero_divisions
    for name, values in vars(expected.trades).items():
        np.testing.assert_array_equal(getattr(got.trades, name), values, err_msg=name)


@pytest.fixture(params=["walk", "walk_outcomes"])
def walks(request, monkeypatch):
    """The kernel that walks, with outcomes or without."""
    monkeypatch.setattr(cuda_chunk, "OUTCOMES_A_WALK", 0.0 if request.param == "walk" else np.inf)
    return request.param


def walked(device):
    """Threads of each launch that walked."""
    return [threads for name, threads in device.launches if name.startswith("walk")]


def test_trades_are_the_references(walks, selection, expected, cuda_emulation):
    device = cuda_emulation()
    assert_equal(CudaBacktest(STRATEGY, selection, CONFIG, device=device).run(ROWS), expected)
    assert device.launches[-1] == (walks, 12 * 6)
    assert walked(device) == [12 * 6]


def test_outcomes_are_shared_when_there_are_fewer_than_walks(selection, cuda_emulation):
    rows = ParamMatrix.from_rows([[2 + k % 9, 3 + k % 2] for k in range(900)])
    device = cuda_emulation()
    result = CudaBacktest(STRATEGY, selection, CONFIG, device=device).run(rows)
    assert_equal(result, run_reference(STRATEGY, selection, rows, CONFIG))
    (filled, outcomes), (walk, threads) = device.launches
    assert (filled, walk, threads) == ("fill_outcomes", "walk_outcomes", 900 * 6)
    assert 0 < outcomes <= threads
    assert outcomes % 2 == 0  # open rows times two values of what the sell text reads


def test_a_sale_that_may_stop_or_count_has_no_outcomes():
    calm, buy = "매도 = 보유시간 > self.vars[1] / 2 + self.vars[3]", "매수 = 체결강도 > self.vars[0]"
    assert emit_cuda(compile_strategy(buy, calm, profile="stom"), "tick_v1").sold_by == (1, 3)
    assert emit_cuda(compile_strategy(buy, "매도 = 수익률 / self.vars[1] > 1", profile="stom"), "tick_v1").sold_by is None
    assert emit_cuda(compile_strategy(buy, "매도 = 수익률 / self.vars[1] > 1"), "tick_v1").sold_by is None
    elapsed = {
        own: compile_strategy(buy, "매도 = 경과틱수('가') > 3", elapsed=f"가;체결강도 > {own}") for own in ("self.vars[2]", "5")
    }
    assert emit_cuda(elapsed["self.vars[2]"], "tick_v1").sold_by is None
    assert emit_cuda(elapsed["5"], "tick_v1").sold_by == ()


def test_a_selection_that_does_not_fit_is_streamed_in_blocks(walks, selection, expected, cuda_emulation):
    device = cuda_emulation()
    assert_equal(CudaBacktest(STRATEGY, selection, CONFIG, device=device, memory_bytes=40_000).run(ROWS), expected)
    assert len(walked(device)) >= 3
    assert max(walked(device)) < 12 * 6


def test_one_block_and_one_chunk_of_candidates_are_on_the_device_at_a_time(selection, expected, cuda_emulation, monkeypatch):
    alive, most = {}, {}

    def counted(kind):
        class Counted(kind):
            def __init__(self, *arguments):
                here = alive.setdefault(kind, weakref.WeakSet())
                here.add(self)
                most[kind] = max(most.get(kind, 0), len(here))
                super().__init__(*arguments)

        return Counted

    for kind in (cuda_kernel.ResidentBlock, cuda_kernel.RecordingChunk):
        monkeypatch.setattr(cuda_kernel, kind.__name__, counted(kind))
    result = CudaBacktest(STRATEGY, selection, CONFIG, device=cuda_emulation(), memory_bytes=1).run(ROWS)
    assert_equal(result, expected)
    assert list(most.values()) == [1, 1]


def test_signs_of_zero_are_different_values_of_a_sell_text(selection, cuda_emulation):
    signed = compile_strategy("매수 = 현재가 > 1000", "매도 = 체결강도 / self.vars[0] > 1", profile="stom")
    rows = ParamMatrix.from_rows([[zero] for zero in (0.0, -0.0) * 40])
    expected = run_reference(signed, selection, rows, CONFIG)
    device = cuda_emulation()
    assert_equal(CudaBacktest(signed, selection, CONFIG, device=device).run(rows), expected)
    assert device.launches[0][0] == "fill_outcomes"
    labels = expected.trades.candidate % 2
    assert (labels == 0).sum() > 3 * (labels == 1).sum() > 0


def test_free_memory_is_the_limit_unless_told_otherwise(selection, expected, cuda_emulation):
    device = cuda_emulation(memory=1)
    assert_equal(CudaBacktest(STRATEGY, selection, CONFIG, device=device).run(ROWS), expected)
    assert len(walked(device)) >= 3 * 12


def test_a_launch_that_trades_more_than_its_buffer_holds_is_made_again_in_halves(
    walks, selection, expected, cuda_emulation, monkeypatch
):
    monkeypatch.setattr(cuda_chunk, "LARGEST_BUFFER", 60)
    device = cuda_emulation()
    assert_equal(CudaBacktest(STRATEGY, selection, CONFIG, device=device).run(ROWS), expected)
    threads = walked(device)
    assert threads[0] == 72
    assert threads[1] == 36
    assert 1 < len(threads) < 72


def test_counts_of_a_launch_that_is_made_again_are_counted_once(selection, cuda_emulation, monkeypatch):
    monkeypatch.setattr(cuda_chunk, "LARGEST_BUFFER", 60)
    dividing = compile_strategy(
        "매수 = 현재가 / 체결강도 > 10 * self.vars[1]", "if 보유시간 > self.vars[0]:\n    매도 = True", profile="corrected"
    )
    config = EngineConfig(avgtime=3, loaded_lengths=(5,), profile="corrected")
    device = cuda_emulation()
    result = CudaBacktest(dividing, selection, config, device=device).run(ROWS)
    assert len(device.launches) > 1
    assert result.zero_divisions
    assert_equal(result, run_reference(dividing, selection, ROWS, config))


def test_launches_are_cut_to_size(walks, selection, expected, cuda_emulation, monkeypatch):
    monkeypatch.setattr(cuda_chunk, "LARGEST_LAUNCH", 20)
    device = cuda_emulation()
    assert_equal(CudaBacktest(STRATEGY, selection, CONFIG, device=device).run(ROWS), expected)
    assert max(threads for _, threads in device.launches) <= 20
    assert any(name == walks for name, _ in device.launches)


def test_lots_hold_one_value_of_many_candidates_side_by_side():
    values = np.arange(2 * 300).reshape(300, 2)
    lots = in_lots(values)
    assert lots.shape == (3, 2, LOT)
    assert lots[1, 0].tolist() == values[LOT : 2 * LOT, 0].tolist()
    assert lots[2, 1, : 300 - 2 * LOT].tolist() == values[2 * LOT :, 1].tolist()
    assert not lots[2, :, 300 - 2 * LOT :].any()
    assert in_lots(values[:, :0]).shape == (3, 0, LOT)


@pytest.mark.parametrize("width", [0, 1, 4])
def test_distinct_rows_are_told_apart(width):
    keys = np.random.default_rng(width).integers(-1, 2, (200, width)) * np.int64(2**62)
    example, which = distinct_rows(keys)
    np.testing.assert_array_equal(keys[example][which], keys)
    assert len(example) == len(np.unique(keys, axis=0)) == which.max() + 1


def test_candidates_of_several_lots_keep_their_own_parameters(walks, selection, cuda_emulation):
    rows = ParamMatrix.from_rows([[2 + k % 7, k % 11] for k in range(2 * LOT + 9)])
    expected = run_reference(STRATEGY, selection, rows, CONFIG)
    assert_equal(CudaBacktest(STRATEGY, selection, CONFIG, device=cuda_emulation()).run(rows), expected)


def test_halves_cover_a_tile_sessions_before_candidates():
    left, right = Tile(4, 5, 10, 7).halves()
    assert (left, right) == (Tile(4, 2, 10, 7), Tile(6, 3, 10, 7))
    left, right = Tile(4, 1, 10, 7).halves()
    assert (left, right) == (Tile(4, 1, 10, 3), Tile(4, 1, 13, 4))


def test_columns_on_the_device_follow_the_lengths_of_each_batch(selection, cuda_emulation):
    kernel = CudaBacktest(STRATEGY, selection, CONFIG, device=cuda_emulation())
    for lengths in ((2, 3), (7, 4, 9, 11), (3, 12), (2, 5), (8, 6, 4, 2, 13)):
        rows = ParamMatrix.from_rows([[length, 1] for length in lengths])
        assert_equal(kernel.run(rows), run_reference(STRATEGY, selection, rows, CONFIG))


def test_a_candidate_stops_at_its_first_fault_whatever_thread_finds_one_first(selection, cuda_emulation):
    stopping = compile_strategy(
        "매수 = 현재가 > 1000\nif 체결강도 == 8:\n    매수 = 체결강도 > 1 / (self.vars[1] - 1)",
        "if 보유시간 > self.vars[0]:\n    매도 = True",
        profile="stom",
    )
    expected = run_reference(stopping, selection, ROWS, CONFIG)
    assert [fault.candidate for fault in expected.faults] == [1, 5, 9]
    assert_equal(CudaBacktest(stopping, selection, CONFIG, device=cuda_emulation()).run(ROWS), expected)
    assert_equal(CudaBacktest(stopping, selection, CONFIG, device=cuda_emulation(), memory_bytes=1).run(ROWS), expected)


def test_a_script_that_a_gpu_cannot_run_bit_for_bit_is_refused(selection, cuda_emulation):
    powers = compile_strategy("매수 = 체결강도 ** 0.5 > 3 and 현재가 ** 2 > 1", "매도 = 수익률 > 1", profile="stom")
    with pytest.raises(
        ConfigError, match=r"buy text, line 1, column 6: `\*\*`.*\n    and 1 more places\n    hint: use backend cpu"
    ):
        CudaBacktest(powers, selection, CONFIG, device=cuda_emulation())


BARE = """
import importlib.abc, importlib.util, pickle, sys

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in ("numba", "llvmlite", "pandas", "pyarrow", "ray", "torch", "scipy", "apsw", "pydantic", "cupy"):
            raise ImportError(f"{name} is not on this machine")

sys.meta_path.insert(0, Refuse())
from stom_ray.conditions.emit_cuda import emit_cuda
from stom_ray.engine.cuda_kernel import CudaDriver

with open(sys.argv[1], "rb") as file:
    strategy, block, batch = pickle.load(file)
spec = importlib.util.spec_from_file_location("emulation", sys.argv[2])
emulation = importlib.util.module_from_spec(spec)
spec.loader.exec_module(emulation)
from pathlib import Path

driver = CudaDriver(emit_cuda(strategy, "tick_v1"), emulation.EmulatedDevice(Path(sys.argv[1]).parent), 5)
recorded = driver.run(driver.load(block), batch)
added = driver.add(driver.load(block), batch)
print(len(recorded.places), int(recorded.prices.sum()), int(added.sums[0].sum()), *added.sums[3:].sum(axis=1))
"""


def test_the_emitter_and_the_driver_run_on_numpy_alone(selection, expected, tmp_path):
    emitted = emit_cuda(STRATEGY, "tick_v1")
    block = Block(selection, EmittedKernel(emitted.source, emitted.sites), CONFIG, 0, 0)
    windows = batch_windows(block.emitted, ROWS, strict=True)
    table = block.window_table(windows)
    days = np.tile([0, 1], 3)
    arrays = BlockArrays(block.matrix, block.entry, block.offsets, block.firsts, block.costs, block.tests, days)
    batch = BatchArrays(
        ROWS.values,
        ROWS.is_float,
        gate_rows(ROWS, CONFIG),
        table,
        *block.loaded_tables(),
        block.following(STRATEGY.buy, windows, table),
        np.zeros(len(ROWS), dtype=np.bool_),
    )
    bound = tmp_path / "bound.pickle"
    bound.write_bytes(pickle.dumps((STRATEGY, arrays, batch)))
    emulation = ROOT / "tests" / "cuda_emulation" / "device.py"
    done = subprocess.run([sys.executable, "-c", BARE, bound, emulation], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    trades, profit = expected.trades, Totals.of(expected, len(ROWS), selection.selected.session_day).daily_profit.sum(axis=0)
    assert [int(word) for word in done.stdout.split()] == [len(trades), trades.sell_price.sum(), len(trades), *profit]


def test_more_rows_than_an_int_can_number_are_refused(selection, cuda_emulation):
    driver = CudaDriver(emit_cuda(STRATEGY, "tick_v1"), cuda_emulation(), 5)
    rows = np.broadcast_to(np.float64(0.0), (12, 2**31))
    empty = np.zeros(0)
    with pytest.raises(ConfigError, match="2,147,483,648 rows"):
        driver.load(BlockArrays(rows, rows, empty, empty, empty, empty, empty))
