"""The kernel on scripts: batches, blocks, buffers, windows, faults, closed rows."""

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.emit_cpu import emit_kernel
from stom_ray.engine import kernel as kernel_module
from stom_ray.engine.kernel import CompiledKernel
from stom_ray.engine.kernel_bind import Block, batch_windows, split_selection
from stom_ray.engine.reference import run_reference
from stom_ray.engine.types import EngineConfig, ParamMatrix, Weighting
from stom_ray.errors import ConfigError
from stom_ray.store.load import select

BUY = """매수 = True
if not (체결강도 > self.vars[1]):
    매수 = False
elif not (현재가 >= 최고현재가(self.vars[0])):
    매수 = False
"""
SELL = """매도 = False
if 수익률 >= self.vars[2]:
    매도 = True
elif 보유시간 > self.vars[3] or 체결강도평균(4) < 체결강도평균(4, -1):
    매도 = True
"""
STOM = EngineConfig(profile="stom", avgtime=3, loaded_lengths=(5,))


@pytest.fixture(scope="module")
def market(make_panel):
    rng = np.random.default_rng(1)
    sessions = [("A", 20230119, 120), ("A", 20230126, 90), ("B", 20230119, 2), ("B", 20230120, 150), ("C", 20230120, 1)]
    n = sum(rows for _, _, rows in sessions)
    price = 10_000.0 + 10.0 * rng.integers(-2, 3, n).cumsum()
    book = {
        f"{side}호가{level}": price + sign * 10.0 * level for level in range(1, 6) for side, sign in (("매도", 1), ("매수", -1))
    }
    columns = {"현재가": price, "체결강도": rng.uniform(80, 120, n), "초당거래대금": rng.integers(0, 9, n).astype(float)}
    return select(make_panel(sessions, **columns, **book))


def strategy_of(buy=BUY, sell=SELL, profile="stom", elapsed=""):
    return compile_strategy(buy, sell, profile=profile, elapsed=elapsed)


def rows(*values):
    return ParamMatrix.from_rows(values or [(5, 95.0, 0.5, 20), (7, 100.0, 1.0, 40), (5, 90.0, 2.0, 10), (9, 99.5, 0.3, 30)])


def assert_same(got, expected):
    assert got.faults == expected.faults
    assert got.zero_divisions == expected.zero_divisions
    for name in vars(expected.trades):
        np.testing.assert_array_equal(getattr(got.trades, name), getattr(expected.trades, name), err_msg=name)


def test_a_window_by_parameter_has_its_own_column_for_each_candidate(market):
    expected = run_reference(strategy_of(), market, rows(), STOM)
    assert len(np.unique(expected.trades.candidate)) == 4
    assert_same(CompiledKernel(strategy_of(), market, STOM).run(rows()), expected)


def test_batches_after_the_first_reuse_the_binding(market):
    kernel = CompiledKernel(strategy_of(), market, STOM)
    for values in ((5, 95.0, 0.5, 20), (11, 95.0, 0.5, 20), (5, 95.0, 0.5, 20)):
        params = rows(values, (3, 100.0, 1.0, 40))
        assert_same(kernel.run(params), run_reference(strategy_of(), market, params, STOM))


def test_an_evicted_window_makes_room_in_the_matrix(market):
    kernel = CompiledKernel(strategy_of(), market, STOM)
    kernel.run(rows((6, 95.0, 0.5, 20)))
    size = len(kernel._whole.matrix)
    for length in (7, 8, 9, 10):
        kernel.run(rows((length, 95.0, 0.5, 20)))
    assert len(kernel._whole.matrix) == size


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("memory_bytes", [1, 40_000, 1 << 30])
def test_threads_and_memory_change_nothing(market, threads, memory_bytes):
    expected = run_reference(strategy_of(), market, rows(), STOM)
    assert_same(CompiledKernel(strategy_of(), market, STOM, memory_bytes=memory_bytes).run(rows(), threads), expected)


def test_full_buffers_grow_and_lose_nothing(market, monkeypatch):
    eager = strategy_of("매수 = True\n", "매도 = True\n")
    expected = run_reference(eager, market, ParamMatrix.from_rows([[]] * 5), STOM)
    monkeypatch.setattr(kernel_module, "FIRST_BUFFER", 1)
    monkeypatch.setattr(kernel_module, "LARGEST_BUFFER", 1)
    assert_same(CompiledKernel(eager, market, STOM).run(ParamMatrix.from_rows([[]] * 5)), expected)
    assert len(expected.trades) > 150


def test_trades_come_by_candidate_then_code_then_time(market):
    trades = CompiledKernel(strategy_of(), market, STOM, memory_bytes=1).run(rows(), 2).trades
    assert np.array_equal(np.lexsort((trades.buy_row, trades.session, trades.candidate)), np.arange(len(trades)))


def test_a_part_of_the_loaded_hours_keeps_its_rolling_columns(market):
    part = select(market.loaded, codes=["A", "B"], days=(20230119, 20230120), time=(90_010, 90_100))
    expected = run_reference(strategy_of(), part, rows(), STOM)
    assert len(expected.trades) > 0
    for memory_bytes in (1, 1 << 30):
        assert_same(CompiledKernel(strategy_of(), part, STOM, memory_bytes=memory_bytes).run(rows()), expected)


def test_the_gate_by_parameter_opens_at_each_candidates_row(market):
    config = EngineConfig(profile="stom", gate_var0=True, loaded_lengths=(5,))
    params = rows((5, 95.0, 0.5, 20), (40.5, 95.0, 0.5, 20))
    always = strategy_of("매수 = 체결강도 > self.vars[1]\n")
    expected = run_reference(always, market, params, config)
    assert_same(CompiledKernel(always, market, config).run(params), expected)
    first = [expected.trades.buy_row[expected.trades.candidate == candidate][0] for candidate in (0, 1)]
    assert first[0] < 40 <= first[1]


@pytest.mark.parametrize("profile", ["stom", "corrected"])
def test_a_float_window_stops_one_candidate_and_no_other(market, profile):
    params = rows((5, 95.0, 0.5, 20), (5.0, 95.0, 0.5, 20), (5.5, 95.0, 0.5, 20), (0, 95.0, 0.5, 20))
    config = EngineConfig(profile=profile, avgtime=3, loaded_lengths=(5,))
    strategy = strategy_of(profile=profile)
    expected = run_reference(strategy, market, params, config)
    for threads in (1, 3):
        assert_same(CompiledKernel(strategy, market, config).run(params, threads=threads), expected)
    assert [fault.candidate for fault in expected.faults] == ([1, 2, 3] if profile == "stom" else [2, 3])


def test_elapsed_expressions_with_parameters_and_counts_are_each_candidates_own(market):
    buy = "매수 = 0 < 경과틱수('강함') < 5\n"
    strategy = strategy_of(buy, SELL, "corrected", "강함;체결강도 / (초당거래대금 - 3) > self.vars[1] / 10")
    config = EngineConfig(profile="corrected", avgtime=3, loaded_lengths=(5,))
    expected = run_reference(strategy, market, rows(), config)
    assert expected.zero_divisions.keys() == {"elapsed:강함:1"}
    assert_same(CompiledKernel(strategy, market, config).run(rows(), threads=2), expected)


def test_a_fault_in_an_elapsed_expression_ends_the_session_there(market):
    strategy = strategy_of("매수 = True\n", SELL, "stom", "나눔;1 / (데이터길이 - self.vars[0]) > 0")
    config = EngineConfig(profile="stom", avgtime=30)
    expected = run_reference(strategy, market, rows(), config)
    assert [fault.row for fault in expected.faults] == [4, 6, 4, 8]
    assert_same(CompiledKernel(strategy, market, config).run(rows()), expected)


def test_betting_weights_choose_each_rows_quantity(market):
    config = EngineConfig(profile="stom", avgtime=3, weighting=Weighting(2, (-20.0, 0.0, 10.0, 30.0), (0.5, 0.8, 1.0, 1.3, 2.0)))
    expected = run_reference(strategy_of(), market, rows(), config)
    assert len(np.unique(expected.trades.buy_amount // expected.trades.buy_price)) > 3
    assert_same(CompiledKernel(strategy_of(), market, config).run(rows()), expected)


def test_a_chain_longer_than_python_nests_is_emitted_flat(market):
    arms = "".join(f"{'elif' if k else 'if'} 체결강도 < {80 + k * 0.5:.1f}:\n    점수 = {k}\n" for k in range(70))
    strategy = strategy_of(f"점수 = 0\n{arms}else:\n    점수 = 500\n매수 = 점수 > self.vars[1] - 30\n")
    expected = run_reference(strategy, market, rows(), STOM)
    assert len(expected.trades) > 10
    assert_same(CompiledKernel(strategy, market, STOM).run(rows()), expected)


def test_zero_threads_are_refused(market):
    with pytest.raises(ConfigError, match="threads is 0"):
        CompiledKernel(strategy_of(), market, STOM).run(rows(), threads=0)


def test_instruments_are_split_into_parts_that_cover_all_rows(market):
    parts = list(split_selection(market, 100))
    assert [part.selected.codes for part, _, _ in parts] == [("A",), ("B",), ("C",)]
    assert [(row, session) for _, row, session in parts] == [(0, 0), (210, 2), (362, 4)]
    assert [code for part, _, _ in split_selection(market, 10**9) for code in part.selected.codes] == ["A", "B", "C"]


# Rows that are closed to all candidates


def open_rows(market, buy, profile="stom", params=None):
    strategy = strategy_of(buy, SELL, profile)
    emitted = emit_kernel(strategy, market.selected.layout)
    config = EngineConfig(profile=profile, loaded_lengths=(5,))
    block = Block(market, emitted, config, 0, 0)
    batch = batch_windows(emitted, params or rows(), profile == "stom")
    windows = block.window_table(batch)
    following = block.following(strategy.buy, batch, windows)
    last = np.isin(np.arange(len(following)), market.selected.offsets[1:] - 1)
    return (following == np.arange(len(following))) & ~last


def column(market, name):
    return market.selected.column(name)


def not_last(market):
    return ~np.isin(np.arange(market.selected.n_rows), market.selected.offsets[1:] - 1)


def test_terms_without_parameters_close_rows(market):
    buy = "if not (체결강도 > 100):\n    매수 = False\nelif 현재가 > self.vars[1]:\n    매수 = False\n"
    assert np.array_equal(open_rows(market, buy), (column(market, "체결강도") > 100) & not_last(market))


def test_terms_after_a_parameter_still_close_rows(market):
    strong = "체결강도 > 100 and 초당거래대금 > self.vars[2]"
    buy = f"if 현재가 > self.vars[1]:\n    매수 = False\nelif not ({strong}):\n    매수 = False\n"
    assert np.array_equal(open_rows(market, buy), (column(market, "체결강도") > 100) & not_last(market))


def test_a_row_that_may_buy_after_all_stays_open(market):
    buy = "if 체결강도 > 100:\n    매수 = False\nif 현재가 > self.vars[1]:\n    매수 = True\n"
    assert np.array_equal(open_rows(market, buy), not_last(market))


def test_a_row_that_would_count_a_division_by_zero_stays_open(market):
    buy = "if not (체결강도 / 초당거래대금 > self.vars[1]):\n    매수 = False\nelif 체결강도 < 100:\n    매수 = False\n"
    strong, quiet = column(market, "체결강도") >= 100, column(market, "초당거래대금") == 0
    assert np.array_equal(open_rows(market, buy, "corrected"), (strong | quiet) & not_last(market))
    assert np.array_equal(open_rows(market, buy, "stom"), strong & not_last(market))


def test_rows_stay_open_where_a_candidates_window_is_illegal(market):
    buy = "if not (현재가 > 최고현재가(self.vars[0], 1)):\n    매수 = False\nelif 체결강도 < 100:\n    매수 = False\n"
    closed = (column(market, "체결강도") >= 100) & not_last(market)
    assert np.array_equal(open_rows(market, buy), closed)
    assert np.array_equal(open_rows(market, buy, params=rows((5.0, 1, 1, 1))), not_last(market))


def test_a_row_whose_book_cannot_fill_is_closed_unless_it_may_fault(make_panel):
    panel = make_panel([("A", 20230119, 4)], 매도잔량1=[0, 1, 0, 0], **{f"매도잔량{level}": 0 for level in range(2, 6)})
    market = select(panel)
    wealthy = EngineConfig(betting=1_000.0)
    assert len(CompiledKernel(strategy_of(profile="corrected"), market, wealthy).run(rows()).trades) == 0
    assert open_rows(market, "매수 = 체결강도 >= self.vars[1]\n").tolist() == [False, False, False, False]
    assert open_rows(market, "매수 = 1 / self.vars[1] > 0\n").tolist() == [True, True, True, False]
