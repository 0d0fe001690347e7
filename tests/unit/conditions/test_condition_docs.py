"""Every example of docs/condition-language.md compiles, in both profiles, without a warning."""

import re
from pathlib import Path

import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.diagnostics import ScriptError
from stom_ray.conditions.ranges import parse_ranges
from stom_ray.runs.scripts import ScriptFiles

TEXT = (Path(__file__).parents[3] / "docs" / "condition-language.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, flags=re.M | re.S)


def blocks(kind: str) -> list[str]:
    return [body for name, body in BLOCKS if name == kind]


def test_the_page_has_examples_of_every_kind() -> None:
    assert {name for name, _ in BLOCKS} == {"buy", "sell", "elapsed", "ranges", "text"}


@pytest.mark.parametrize("profile", ["stom", "corrected"])
def test_every_script_of_the_page_compiles_without_a_warning(profile: str) -> None:
    for buy in blocks("buy"):
        assert compile_strategy(buy, "매도 = 수익률 > 1", profile=profile).warnings == ()
    for sell in blocks("sell"):
        assert compile_strategy("매수 = True", sell, profile=profile).warnings == ()
    for settings in blocks("elapsed"):
        assert compile_strategy("매수 = True", "매도 = 수익률 > 1", profile=profile, elapsed=settings.strip()).elapsed


def test_the_ranges_of_the_page_are_what_its_comments_say() -> None:
    (text,) = blocks("ranges")
    ranges = parse_ranges(text)
    assert ranges.warnings == ()
    assert [variable.values for variable in ranges.variables] == [
        (30, 60, 90, 120),
        (0.5, 1.0, 1.5, 2.0),
        (180,),
        (-0.5, -1.0, -1.5, -2.0),
    ]


def test_the_message_of_the_page_is_the_real_one() -> None:
    with pytest.raises(ScriptError) as caught:
        compile_strategy("매수 = True\nif not (현재까 > 시가):\n    매수 = False", "매도 = False")
    assert ScriptFiles("buy.txt").name(str(caught.value)) + "\n" in blocks("text")
