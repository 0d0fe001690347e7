"""Preparing a block: part by part as in one piece, and nothing written that no kernel reads."""

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine import kernel_bind
from stom_ray.engine.kernel_bind import Block
from stom_ray.engine.planned.kernel import CpuKernel
from stom_ray.engine.planned.prepared import write_column
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.store.load import select

BUY = "매수 = 등락율 > self.vars[1] and 체결강도 > 체결강도평균(self.vars[3]) and 초당거래대금 > 이동평균(60)"
SELL = """\
매도 = False
if 수익률 >= self.vars[2] or 현재가 < 최저현재가(20, 1):
    매도 = True
elif 체결강도 < 90 and 보유시간 > 30:
    매도 = True
if 매도:
    self.Sell()
"""
CONFIG = EngineConfig()


def market(make_panel):
    rng = np.random.default_rng(11)
    sessions = [(f"{code:06d}", 20230110 + day, 200 + 50 * code) for code in range(5) for day in range(2)]
    n = sum(rows for _, _, rows in sessions)
    price = 10_000.0 + 10.0 * np.cumsum(rng.integers(-1, 2, n))
    levels = {f"매도호가{k}": price + 10 * k for k in range(1, 6)} | {f"매수호가{k}": price - 10 * k for k in range(1, 6)}
    values = {"등락율": rng.random(n) * 20, "체결강도": rng.random(n) * 200, "초당거래대금": rng.random(n) * 30_000}
    return select(make_panel(sessions, 현재가=price, **levels, **values))


def rows(length):
    return ParamMatrix.from_rows([[30, low, gain, length] for low in (5.0, 12.0) for gain in (0.3, 1.0)])


@pytest.mark.parametrize("threads", [1, 2])
def test_a_block_prepared_in_parts_has_the_trades_of_one_prepared_as_a_whole(make_panel, monkeypatch, threads):
    selection, strategy = market(make_panel), compile_strategy(BUY, SELL)
    whole = CpuKernel(strategy, selection, CONFIG)
    expected = [whole.run(rows(length), threads).trades for length in (10, 25, 10)]
    assert min(map(len, expected)) > 50
    monkeypatch.setattr(kernel_bind, "PART_ROWS", 700)
    parted = CpuKernel(strategy, selection, CONFIG)
    for length, trades in zip((10, 25, 10), expected, strict=True):
        for name, values in vars(parted.run(rows(length), threads).trades).items():
            np.testing.assert_array_equal(values, getattr(trades, name), err_msg=name)


def test_windows_of_parts_are_forgotten_and_those_of_a_second_batch_kept(make_panel, monkeypatch):
    monkeypatch.setattr(kernel_bind, "PART_ROWS", 700)
    selection, kernel = market(make_panel), CpuKernel(compile_strategy(BUY, SELL), market(make_panel), CONFIG)
    block = Block(selection, kernel.generated.emitted, CONFIG, 0, 0)
    batches = [kernel_bind.batch_windows(kernel.generated.emitted, rows(length), False) for length in (10, 25)]
    found = list(block.parts(batches[0]))
    assert [part.panel.n_rows for part, _ in found] == [400, 500, 600, 700, 800]
    assert [slice(part.row_from, part.row_from + part.panel.n_rows) for part, _ in found] == [here for _, here in found]
    assert [part for part, _ in block.parts(batches[1])] == [block]


def test_columns_named_by_a_text_are_the_rows_of_the_matrix(make_panel):
    kernel = CpuKernel(compile_strategy(BUY, SELL), market(make_panel), CONFIG)
    block = kernel.generated.whole()
    before = [block.column(number).copy() for number in range(len(kernel.generated.emitted.sites.columns))]
    np.testing.assert_array_equal(block.book[: len(kernel_bind.BOOK)], before[: len(kernel_bind.BOOK)])
    np.testing.assert_array_equal(block.matrix[: len(before)], before)
    np.testing.assert_array_equal([block.column(number) for number in range(len(before))], before)


def test_a_column_is_written_from_the_first_row_that_may_be_read():
    values, reach = np.array([1.0, 2.0, np.nan, 3.0, 4.0]), np.array([True, True, True, False, True])
    out = np.full(5, 7.0)
    write_column(values, reach, -1, np.inf, np.array([1, 5]), np.array([4, 5]), out)
    assert out.tolist() == [7.0, -2.0, np.inf, -np.inf, 7.0]
