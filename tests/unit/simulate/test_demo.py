from pathlib import Path

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.ranges import parse_ranges
from stom_ray.engine.backtest import run
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.simulate import DEMO_EDGE, demo_config, demo_strategy, simulate
from stom_ray.store.load import load_panel, select

STRENGTH, RATIO, ANGLE, PROFIT, LOSS, HOLD = 2, 3, 4, 8, 9, 11


def test_the_scripts_and_ranges_compile_without_a_warning() -> None:
    texts = demo_strategy()
    strategy, ranges = compile_strategy(texts.buy, texts.sell), parse_ranges(texts.ranges)
    assert strategy.warnings == ranges.warnings == ranges.lint_against(strategy) == ()
    assert strategy.n_vars == len(ranges.variables) == 12
    assert sum(not variable.is_fixed for variable in ranges.variables) == 11
    assert all(len(variable.values) <= 20 for variable in ranges.variables)


def test_the_planted_thresholds_are_in_the_ranges_and_are_not_the_shipped_values() -> None:
    ranges = parse_ranges(demo_strategy().ranges)
    for index, term in zip((STRENGTH, RATIO, ANGLE), DEMO_EDGE.terms, strict=True):
        assert term.threshold in ranges.variables[index].values
        assert term.threshold != ranges.variables[index].best


def test_the_planted_thresholds_earn_and_the_shipped_values_lose(tmp_path: Path) -> None:
    simulate(tmp_path / "demo.db", demo_config())
    selection = select(load_panel(tmp_path / "demo.db"))
    texts = demo_strategy()
    shipped = list(parse_ranges(texts.ranges).bests)
    truth = list(shipped)
    for index, term in zip((STRENGTH, RATIO, ANGLE), DEMO_EDGE.terms, strict=True):
        truth[index] = term.threshold
    truth[PROFIT], truth[LOSS], truth[HOLD] = 3.0, -3.0, 180
    rows = ParamMatrix.from_rows([shipped, truth])
    trades = run(compile_strategy(texts.buy, texts.sell), selection, rows, EngineConfig(gate_var0=True)).trades
    profit = [int(trades.profit[trades.candidate == row].sum()) for row in (0, 1)]
    assert profit[0] < 0 < profit[1]
    assert 2 < (trades.candidate == 0).sum() / selection.selected.n_sessions < 12
