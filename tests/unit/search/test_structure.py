"""Every parameter row of a generated script must trade as its plain script does, to the last trade."""

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.backtest import Engine
from stom_ray.engine.types import EngineConfig
from stom_ray.errors import ConditionError
from stom_ray.search.library import parse_library
from stom_ray.search.space import Choice, Space, take
from stom_ray.search.structure import active_terms, build_structure
from stom_ray.search.structure_sampler import StructureSampler
from stom_ray.simulate import SimulateConfig, simulate
from stom_ray.store.load import load_panel, select

BUY = "매수 = True\n등급 = 1\nif not (등락율 > self.vars[1]):\n    매수 = False\nif 매수:\n    self.Buy()\n"
SELL = "매도 = False\nif 보유시간 > 90:\n    매도 = True\nif 매도:\n    self.Sell()\n"
LIBRARY = """
체결강도 >= {80..140 by 20}                       # a threshold
등락율 <= {2, 5, 10}                              # tighter downwards
초당매수수량 > 초당매도수량 * {0.5..3 by 0.5}      # behind a factor that may be 0
초당매수수량 / 초당매도수량 > {1..4 by 1}          # a quotient that may be no number
체결강도 > 체결강도평균({30 | 60}) + {0..10 by 5}
90200 <= 시분초 <= {90800..92800 by 500}
이동평균({10 | 60}) < 현재가
not (전일비 < {50, 100})
"""
SELL_LIBRARY = """
수익률 >= {0.5..2 by 0.5}
수익률 <= {-2.0, -1.0}
최고수익률 >= 0.5 and 수익률 <= 최고수익률 * {0.3, 0.6}
현재가 < 이동평균(60) * {0.99, 1}
체결강도 < 60
"""
LINES = {"buy": "등락율 > 15\n체결강도 < 70", "sell": "수익률 > 3"}


@pytest.fixture(scope="module")
def selection(tmp_path_factory):
    path = tmp_path_factory.mktemp("market") / "market.db"
    simulate(path, SimulateConfig(codes=3, days=2, seed=4))
    return select(load_panel(path))


@pytest.fixture(scope="module")
def structure(selection):
    return build_structure(
        {"buy": BUY, "sell": SELL},
        2,
        terms={"buy": parse_library(LIBRARY, "terms.txt"), "sell": parse_library(SELL_LIBRARY, "exits.txt")},
        lines={side: parse_library(text, f"{side}.txt") for side, text in LINES.items()},
        layout=selection.loaded.layout,
        profile="corrected",
    )


@pytest.fixture(scope="module")
def space(structure):
    return structure.space(Space((Choice((30,), 30), Choice((-5, -1.5, 0), -5))))


def trades_of(strategy, selection, params):
    config = EngineConfig(gate_var0=True)
    return Engine(strategy, selection, config).run(params).trades


def rows_of(trades, candidate):
    mine = trades.candidate == candidate
    return np.column_stack([trades.session[mine], trades.buy_row[mine], trades.sell_row[mine], trades.profit[mine]])


def plain(params, row):
    pairs = zip(params.values[row], params.is_float[row], strict=True)
    return [float(value) if written else int(value) for value, written in pairs]


def test_the_plain_script_of_a_row_makes_the_trades_of_the_row(selection, structure, space):
    sampler = StructureSampler(space, 3, 0, most=5)
    singles = sampler.ask(0, 10_000, set())
    mixed = space.decode(sampler._moves.random_rows(np.random.default_rng(1), sampler._present, 60))
    generated = compile_strategy(structure.buy, structure.sell)
    traded = 0
    for params in (take(singles, np.arange(0, len(singles), 3)), mixed):
        together = trades_of(generated, selection, params)
        for row in range(len(params)):
            found = structure.found(plain(params, row))
            assert "self.vars" not in found.buy + found.sell
            alone = trades_of(compile_strategy(found.buy, found.sell), selection, take(params, np.array([row])))
            np.testing.assert_array_equal(rows_of(together, row), rows_of(alone, 0), err_msg=found.buy + found.sell)
            traded += len(alone)
    assert traded > 1_000


def test_no_row_needs_the_generated_kernel(selection, structure, space):
    engine = Engine(compile_strategy(structure.buy, structure.sell), selection, EngineConfig(gate_var0=True), counting=False)
    engine.run(StructureSampler(space, 3, 0).ask(0, 80, set()))
    assert {plan.name for plan in engine.how.plans} <= {"grid", "rows"}
    assert all(plan.generated_sessions == 0 for plan in engine.how.plans)


def test_present_values_are_the_users_text_with_all_of_their_own_lines_and_no_term(structure, space):
    assert active_terms(space, space.present).tolist() == [3]
    assert structure.found(plain(space.present, 0)).rules == ("not (등락율 > 15)", "not (체결강도 < 70)", "수익률 > 3")


@pytest.mark.parametrize(
    ("text", "side", "message"),
    [
        ("체결강도 > {1}\n체결강두 > {1}", "buy", "terms.txt, line 2, column 1: unknown name"),
        ("현재가 > 시가 + 등락율 * {1, 2}", "buy", "not simply tighter or looser"),
        ("체결강도 == {100}", "buy", "not simply tighter or looser"),
        ("이동평균({5, 10}) > 현재가", "buy", "not simply tighter or looser"),
        ("체결강도 > self.vars[3]", "buy", "reads no self.vars"),
        ("수익률 > {1}", "buy", "only while a position is held"),
        ("수익률 * 2 > {1, 2}", "sell", "not simply tighter or looser"),
    ],
)
def test_a_term_that_cannot_be_moved_is_refused_with_its_line(text, side, message):
    with pytest.raises(ConditionError, match=message):
        build_structure(
            {"buy": BUY, "sell": SELL},
            2,
            terms={side: parse_library(text, "terms.txt")},
            lines={},
            layout="tick_v1",
            profile="corrected",
        )
