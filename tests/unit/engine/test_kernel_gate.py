"""Texts over many rows at once: decisions, effects, and what cannot be known."""

import itertools

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.emit_cpu import emit_kernel
from stom_ray.engine.kernel import CompiledKernel
from stom_ray.engine.kernel_bind import Block, batch_windows
from stom_ray.engine.reference import run_reference
from stom_ray.engine.row_values_block import BlockValues
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.store.load import select

SELL = "매도 = False\nif 수익률 > 1:\n    매도 = True\n"


@pytest.fixture(scope="module")
def market(make_panel):
    rng = np.random.default_rng(2)
    sessions = [("A", 20230119, 700), ("A", 20230120, 400), ("B", 20230120, 300)]
    n = sum(rows for _, _, rows in sessions)
    traded = rng.integers(0, 4, n).astype(float)
    traded[5] = np.nan
    columns = {
        "체결강도": rng.uniform(80, 120, n).round(2),
        "초당거래대금": traded,
        "등락율": rng.integers(-2, 3, n).astype(float),
    }
    return select(make_panel(sessions, 현재가=1_000.0 + rng.integers(-5, 6, n), **columns))


def values_of(market, buy, profile="stom", params=(5, 100), bound=(), elapsed="", counting=True):
    """The evaluator of a buy text's block, and the text."""
    strategy = compile_strategy(buy, SELL, profile=profile, elapsed=elapsed)
    emitted = emit_kernel(strategy, market.selected.layout)
    block = Block(market, emitted, EngineConfig(profile=profile, loaded_lengths=(5,)), 0, 0)
    batch = batch_windows(emitted, ParamMatrix.from_rows([params]), profile == "stom")
    bindings = {index: (float(params[index]), isinstance(params[index], float)) for index in bound}
    trouble = (batch.faults != 0).any(axis=0)
    windows = block.window_table(batch)[0]
    return BlockValues(block, windows, trouble, bindings=bindings, elapsed=strategy.elapsed, counting=counting), strategy.buy


def column(market, name):
    return market.selected.column(name)


def counts(market):
    return np.concatenate([np.arange(1, rows + 1) for rows in np.diff(market.selected.offsets)])


def test_a_bound_parameter_decides(market):
    values, buy = values_of(market, "매수 = 체결강도 > self.vars[1]", bound=(1,))
    buys, unknown, effects = values.decision(buy)
    assert np.array_equal(buys, column(market, "체결강도") > 100)
    assert not unknown.any()
    assert not effects.any()


def test_without_its_value_a_parameter_leaves_open_only_the_rows_it_decides(market):
    values, buy = values_of(market, "매수 = 체결강도 > self.vars[1] and 등락율 > 0")
    buys, unknown, _ = values.decision(buy)
    assert not buys.any()
    assert np.array_equal(unknown, column(market, "등락율") > 0)


def test_a_chain_of_hundreds_of_lines_is_decided_row_by_row(market):
    lines = ["매수 = True"]
    for number in range(150):
        lines += [f"{'el' if number else ''}if 체결강도 == {80 + number / 10}:", "    매수 = False"]
    values, buy = values_of(market, "\n".join(lines))
    buys, unknown, _ = values.decision(buy)
    excluded = np.isin(column(market, "체결강도"), [80 + number / 10 for number in range(150)])
    assert np.array_equal(buys, ~excluded)
    assert excluded.any()
    assert not unknown.any()


def test_a_plain_division_by_zero_has_an_effect_where_it_is_reached(market):
    buy = "if 등락율 > 0:\n    매수 = 1 / (데이터길이 % 3) > 0\n"
    values, text = values_of(market, buy)
    reached = (column(market, "등락율") > 0) & (counts(market) % 3 == 0)
    assert np.array_equal(values.effects_of(text), reached)
    within = counts(market) > 50
    assert np.array_equal(values.effects_of(text, within), reached & within)


def test_dividing_a_tick_number_by_zero_has_no_effect_in_stom_and_is_counted_otherwise(market):
    buy = "매수 = 체결강도 / 등락율 > 3"
    zero = column(market, "등락율") == 0
    assert not values_of(market, buy)[0].effects_of(values_of(market, buy)[1]).any()
    values, text = values_of(market, buy, "corrected")
    assert np.array_equal(values.effects_of(text), zero)


def test_where_counts_do_not_matter_a_division_by_zero_is_a_known_nan(market):
    values, text = values_of(market, "가 = 체결강도 / 등락율\n매수 = not 가 > 0", "corrected", counting=False)
    buys, unknown, effects = values.decision(text)
    assert np.array_equal(buys, ~(column(market, "등락율") > 0))
    assert not unknown.any()
    assert not effects.any()
    assert not values.effects_of(text).any()


def test_reading_a_temporary_is_an_effect_only_where_it_was_not_set(market):
    values, text = values_of(market, "if 등락율 > 0:\n    가 = 체결강도\nif 등락율 > -1:\n    매수 = 가 > 100\n")
    assert np.array_equal(values.effects_of(text), column(market, "등락율") == 0)
    buys, unknown, _ = values.decision(text)
    assert np.array_equal(
        buys & (column(market, "등락율") > 0), (column(market, "등락율") > 0) & (column(market, "체결강도") > 100)
    )
    assert not unknown.any()


def test_a_traded_value_stops_only_where_it_looks_back_to_a_row_without_one(market):
    """Rows whose window of 5 holds the NaN or has not filled, as seen 2 rows later."""
    values, text = values_of(market, "매수 = 초당거래대금평균(5, 2) > 1")
    expected = np.zeros(values.n_rows, dtype=bool)
    expected[2 : 4 + 2] = True  # not filled
    expected[5 + 2 : 5 + 5 + 2] = True  # with the NaN
    expected[1100 + 2 : 1100 + 4 + 2] = True  # the second instrument's
    assert np.array_equal(values.effects_of(text), expected)


def test_a_row_of_the_past_without_history_is_a_plain_zero(market):
    values, text = values_of(market, "매수 = 1 / 체결강도N(2) > 0")
    assert np.array_equal(values.effects_of(text), counts(market) <= 2)


def test_a_look_back_may_change_from_row_to_row(market):
    values, text = values_of(market, "매수 = 체결강도N(데이터길이 % 3) > 100")
    back = counts(market) % 3
    looked_at = np.where(counts(market) > back, column(market, "체결강도")[np.arange(values.n_rows) - back], 0.0)
    buys, unknown, effects = values.decision(text)
    assert np.array_equal(buys, looked_at > 100)
    assert not unknown.any()
    assert not effects.any()


def test_rows_since_an_expression_was_true_are_known_unless_a_parameter_decides_it(market):
    buy = "매수 = 경과틱수('오름') == 2"
    values, text = values_of(market, buy, elapsed="오름;등락율 > 1")
    rising, offsets = column(market, "등락율") > 1, market.selected.offsets
    since = np.zeros(values.n_rows, dtype=int)
    for start, stop in itertools.pairwise(offsets):
        last = None
        for row in range(start, stop):
            last = row if rising[row] else last
            since[row] = 0 if last is None else row - last
    some = np.random.default_rng(0).random(values.n_rows) < 0.1
    for reach in (None, some):
        buys, unknown, _ = values.decision(text, reach)
        assert np.array_equal(buys, (since == 2) & (True if reach is None else reach))
        assert not unknown.any()
    values, text = values_of(market, buy, elapsed="오름;등락율 > self.vars[1]")
    assert values.decision(text)[1].all()
    values, text = values_of(market, buy, params=(5, 1), bound=(1,), elapsed="오름;등락율 > self.vars[1]")
    assert np.array_equal(values.decision(text)[0], since == 2)


def test_an_elapsed_expression_has_effects_on_every_row_but_a_sessions_last(market):
    values, _ = values_of(market, "매수 = 경과틱수('가') > 2", elapsed="가;1 / (데이터길이 % 2) > 0")
    expected = counts(market) % 2 == 0
    expected[market.selected.offsets[1:] - 1] = False
    assert np.array_equal(values.elapsed_effects(), expected)
    assert not values_of(market, "매수 = True")[0].elapsed_effects().any()


def test_the_sell_text_has_effects_of_its_own(market):
    sell = "if 수익률 > 1 / (데이터길이 % 4):\n    매도 = True"
    strategy = compile_strategy("매수 = True", sell, profile="stom")
    emitted = emit_kernel(strategy, market.selected.layout)
    block = Block(market, emitted, EngineConfig(profile="stom"), 0, 0)
    values = BlockValues(block, np.zeros((4, 1), dtype=np.int64), np.zeros(1, dtype=bool))
    assert np.array_equal(values.effects_of(strategy.sell), counts(market) % 4 == 0)


def test_rows_on_which_one_may_buy_are_watched_past_the_gate_and_not_last(market):
    values, _ = values_of(market, "매수 = True")
    last = np.isin(np.arange(values.n_rows), market.selected.offsets[1:] - 1)
    assert np.array_equal(values.buying_rows(30), (counts(market) >= 30) & ~last)


def test_a_length_written_as_a_float_is_not_the_length_written_as_an_int(market):
    """60.0 equals 60, but stops a run of STOM."""
    strategy = compile_strategy("매수 = 최고현재가(3) > 0\n가 = 최고현재가(3.0)", SELL, profile="stom")
    config, params = EngineConfig(profile="stom", loaded_lengths=(5,)), ParamMatrix.from_rows([[1]])
    expected = run_reference(strategy, market, params, config)
    assert len(expected.faults) == 1
    assert CompiledKernel(strategy, market, config).run(params).faults == expected.faults
