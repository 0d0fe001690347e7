"""What every golden script compiles to, as text: the diff is the review."""

import json
from pathlib import Path

import pytest

from stom_ray.conditions.compile import compile_conditions, compile_strategy
from stom_ray.conditions.printer import print_strategy
from stom_ray.errors import ConditionError

TESTS = Path(__file__).parents[2]
CASES = sorted(path.name for path in (TESTS / "golden" / "cases").iterdir() if path.is_dir())


def compiled(name: str, profile: str) -> str:
    case = TESTS / "golden" / "cases" / name
    params = json.loads((case / "params.json").read_text(encoding="utf-8"))
    if "buy_conds" in params:
        pairs = list(zip(params["buy_conds"], params["sell_conds"], strict=True))[:4]
        return "\n".join(print_strategy(compile_conditions(buy, sell, profile=profile)) for buy, sell in pairs)
    elapsed = params.get("dict_set", {}).get("주식경과틱수설정", "")
    buy, sell = ((case / f"{side}.txt").read_text(encoding="utf-8") for side in ("buy", "sell"))
    try:
        strategy = compile_strategy(buy, sell, profile=profile, elapsed=elapsed)
    except ConditionError as error:
        return f"refused\n{error}\n"
    warnings = "".join(f"warning {warning}\n" for warning in strategy.warnings)
    return print_strategy(strategy) + warnings


@pytest.mark.parametrize("name", CASES)
def test_a_golden_script_compiles_to_its_recorded_ir(name: str, update_golden: bool) -> None:
    text = "\n".join(compiled(name, profile) for profile in ("stom", "corrected"))
    recorded = TESTS / "golden_ir" / f"{name}.txt"
    if update_golden:
        recorded.write_text(text, encoding="utf-8")
    assert text == recorded.read_text(encoding="utf-8")


def test_every_golden_case_has_a_recorded_ir_and_nothing_else_does() -> None:
    assert [path.stem for path in sorted((TESTS / "golden_ir").glob("*.txt"))] == CASES
