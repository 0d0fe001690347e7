"""Rows a GPU has to look at: every row on which some candidate may buy, fault or count, and few others."""

from dataclasses import replace

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.emit_cpu import emit_kernel
from stom_ray.engine.cuda_open import MOST_GROUPS, OpenRows, following_rows
from stom_ray.engine.kernel_bind import Block, batch_windows
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.store.load import select

DAYS = (20230119, 20230120)
CONFIG = EngineConfig(avgtime=3, loaded_lengths=(5,))
SELL = "if 수익률 > self.vars[3] ** 0.5:\n    매도 = True"
CUT = "매수 = 체결강도 > self.vars[1] and 현재가 >= 최고현재가(self.vars[0]) and not 등락율 > self.vars[2]"


@pytest.fixture(scope="module")
def selection(make_panel):
    rng = np.random.default_rng(8)
    sessions = [(code, day, 300) for code in "AB" for day in DAYS]
    return select(
        make_panel(
            sessions,
            현재가=1000.0 + rng.integers(-9, 9, 1200).cumsum(),
            체결강도=rng.integers(0, 50, 1200),
            등락율=rng.choice([1.0, 2.0, np.nan], 1200),
            관심종목=(rng.random(1200) < 0.8).astype(float),
        )
    )


def opened(selection, buy, rows, config=CONFIG):
    """(rows open to the batch, rows open to any parameters), (n_rows,) each."""
    strategy = compile_strategy(buy, SELL, profile=config.profile)
    emitted = emit_kernel(strategy, "tick_v1")
    block = Block(selection, emitted, config, 0, 0)
    params = ParamMatrix.from_rows(rows)
    windows = batch_windows(emitted, params, config.profile == "stom")
    following, table = following_rows(block, strategy.buy, OpenRows(strategy, config, emitted, block), params, windows)
    np.testing.assert_array_equal(table, block.window_table(windows))
    known = block.following(strategy.buy, windows, table)
    last = block.offsets[1:] - 1
    open_rows, open_to_any = following == np.arange(1200), known == np.arange(1200)
    open_rows[last] = open_to_any[last] = False
    assert (following >= known).all()
    assert (open_to_any | ~open_rows).all()
    return open_rows, open_to_any


def test_open_rows_pass_the_loosest_value_of_every_term(selection):
    rows = [[length, strength, 1.5, 1] for length in (4, 5) for strength in (40, 44, 47)]
    found, to_any = opened(selection, CUT, rows)
    panel = selection.selected
    price, count = panel.column("현재가"), np.tile(np.arange(1, 301), 4)
    highest = np.full((2, 1200), np.inf)
    for k, length in enumerate((4, 5)):
        needed = 1 if length in CONFIG.loaded_lengths else length
        for i in range(length - 1, 1200):
            if i % 600 >= length - 1:
                highest[k, i] = price[i - length + 1 : i + 1].max() if count[i] >= needed else 0.0
    expected = (panel.column("체결강도") > 40) & (price >= highest.min(axis=0)) & ~(panel.column("등락율") > 1.5)
    expected &= (panel.column("관심종목") > 0) & (count >= CONFIG.avgtime) & (count < 300)
    np.testing.assert_array_equal(found, expected)
    assert 0 < found.sum() < to_any.sum() / 5


def test_a_second_batch_is_judged_by_its_own_values(selection):
    strategy = compile_strategy(CUT, SELL)
    emitted = emit_kernel(strategy, "tick_v1")
    block = Block(selection, emitted, CONFIG, 0, 0)
    rows = OpenRows(strategy, CONFIG, emitted, block)
    for values in ([[4, 40, 1.5, 1]] * 2, [[4, 48, 1.5, 1]] * 2, [[7, 44, 1.5, 1], [4, 30, 2.5, 1]]):
        params = ParamMatrix.from_rows(values)
        windows = batch_windows(emitted, params, False)
        found, _ = following_rows(block, strategy.buy, rows, params, windows)
        fresh = opened(selection, CUT, values)[0]
        last = block.offsets[1:] - 1
        same = found == np.arange(1200)
        same[last] = False
        np.testing.assert_array_equal(same, fresh)


def test_sessions_in_which_a_division_is_counted_stay_open(selection):
    text = "매수 = 현재가 / (체결강도 - 7) > self.vars[1]"
    found, to_any = opened(selection, text, [[4, 1e9, 1.5, 1]] * 2)
    zero = (selection.selected.column("체결강도") == 7) & to_any
    assert zero.any()
    assert found[zero].all()


def test_sessions_in_which_a_candidate_may_stop_stay_open(selection):
    config = replace(CONFIG, profile="stom")
    text = "매수 = 체결강도 > self.vars[1]\nif 데이터길이 % 100 == 50:\n    매수 = 체결강도 > 1 / (데이터길이 - 150)"
    found, to_any = opened(selection, text, [[4, 1e9, 1.5, 1]] * 2, config)
    assert to_any.any()
    np.testing.assert_array_equal(found, to_any)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("매수 = 체결강도 * self.vars[1] + self.vars[2] * 등락율 > 40", [[4, 1.0, 1.5, 1], [4, 2.0, 0.5, 1]]),
        ("매수 = 체결강도 > 40", [[4, 1.0, 1.5, 1]]),
        (CUT, [[length, 40, 1.5, 1] for length in range(1, MOST_GROUPS + 2)]),
        ("매수 = 체결강도 > 40 / self.vars[1]", [[4, 0, 1.5, 1], [4, 1, 1.5, 1]]),
    ],
    ids=["no terms", "no parameters", "many window lengths", "a value that divides by zero"],
)
def test_what_has_no_terms_keeps_every_row_that_parameters_may_open(text, rows, selection):
    found, to_any = opened(selection, text, rows)
    np.testing.assert_array_equal(found, to_any)
