"""What is refused before anything is parsed, and what only looks dangerous."""

import pytest

from stom_ray.conditions.compile import compile_conditions, compile_strategy
from stom_ray.conditions.diagnostics import ScriptError
from stom_ray.conditions.ir import Strategy
from stom_ray.errors import ConfigError

SELL = "매도 = False"


def refused(buy: str | bytes) -> ScriptError:
    with pytest.raises(ScriptError) as caught:
        compile_strategy(buy, SELL)
    return caught.value


def accepted(buy: str | bytes) -> Strategy:
    return compile_strategy(buy, SELL)


def test_64_kib_are_read_and_one_byte_more_is_not() -> None:
    text = "매수 = True\n#"
    room = 64 * 1024 - len(text.encode())
    accepted(text + "x" * room)
    assert "64 KiB" in str(refused(text + "x" * (room + 1)))
    assert "64 KiB" in str(refused((text + "x" * (room + 1)).encode()))


def test_2000_lines_are_read_and_2001_are_not() -> None:
    accepted("\n".join(["매수 = True"] * 2_000))
    assert "2,001 lines" in str(refused("\n".join(["매수 = True"] * 2_001)))


def test_64_brackets_are_read_and_65_are_not() -> None:
    accepted(f"매수 = {'(' * 64}1{')' * 64}")
    assert "64 brackets" in str(refused(f"매수 = {'(' * 65}1{')' * 65}"))


def test_18_digits_are_read_and_19_are_not() -> None:
    accepted("매수 = 123456789012345678")
    accepted("매수 = 0.00012345678901234567")
    assert "19 digits" in str(refused("매수 = 1234567890123456789"))
    assert "19 digits" in str(refused("매수 = 1.234567890123456789"))


@pytest.mark.parametrize("text", ["매수 = " + "-" * 5_000 + "1", "매수 = " + "not " * 5_000 + "1", "매수 = 1" + " ** 1" * 5_000])
def test_deep_nesting_without_brackets_is_refused(text: str) -> None:
    assert "nested" in str(refused(text))


@pytest.mark.parametrize(
    "text",
    [
        "매수 = 1" + "+1" * 20_000,
        "매수 = 1" + " if 1 else 1" * 4_000,
        "매수 = 현재가" + ".a" * 20_000,
        "매수 = 현재가" + "(1)" * 20_000,
    ],
)
def test_long_chains_are_refused(text: str) -> None:
    assert refused(text).line == 1


def test_flat_conditions_may_be_long() -> None:
    accepted("매수 = " + " and ".join(["현재가 > 1"] * 1_000))


def test_an_elif_chain_of_200_branches_is_read_and_one_more_is_not() -> None:
    chain = "if 현재가 == 0:\n    매수 = False\n" + "elif 현재가 == 1:\n    매수 = False\n" * 199
    accepted(chain)
    assert "200 branches" in str(refused(chain + "elif 현재가 == 2:\n    매수 = False\n"))


def test_blocks_as_deep_as_allowed_with_brackets_as_deep_as_allowed_are_read() -> None:
    levels = 23
    text = (
        "".join(f"{'  ' * level}if {'(' * 60}현재가 > 1{')' * 60}:\n" for level in range(levels)) + "  " * levels + "매수 = False"
    )
    accepted(text)
    deeper = "".join(f"{' ' * level}if 1:\n" for level in range(30)) + " " * 30 + "매수 = False"
    assert "levels of indentation" in str(refused(deeper))


def test_bytes_are_strict_utf8_and_the_place_of_a_bad_byte_is_named() -> None:
    accepted("매수 = True".encode())
    error = refused("매수 = True\n가나 ".encode() + b"\xff")
    assert (error.line, error.column) == (2, 4)
    assert "0xff" in str(error)
    refused("매수 = True".encode("cp949"))


def test_a_byte_order_mark_and_windows_line_ends_are_accepted() -> None:
    text = "\ufeff매수 = True\r\nif 현재가 > 1:\r\n    매수 = False\r\n"
    assert accepted(text).buy == accepted(text.encode()).buy == accepted("매수 = True\nif 현재가 > 1:\n    매수 = False").buy


@pytest.mark.parametrize(
    "character",
    ["\x00", "\x0b", "\x0c", "\r", "\x1b", "\x7f", "\x85", "\u200b", "\u202e", "\u2028", "\ufeff", "\ud800", "\ue000"],
)
@pytest.mark.parametrize("where", ["매수 = {}True", "# {}설명\n매수 = True", "매수 = 종목명 == '{}'"])
def test_control_and_format_characters_are_refused_everywhere(character: str, where: str) -> None:
    error = refused(where.format(character))
    assert f"U+{ord(character):04X}" in str(error)
    assert error.column == where.index("{") + 1


def test_a_superscript_is_not_silently_another_number() -> None:
    assert "`²`" in str(refused("매수 = 현재가 > 10²"))
    accepted("매수 = True  # 10²")


@pytest.mark.parametrize("option", [{"profile": "fast"}, {"layout": "tick_v3"}])
def test_unknown_options_are_configuration_errors(option: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="expected one of"):
        compile_strategy("매수 = True", SELL, **option)


def test_condition_lists_are_limited_too() -> None:
    with pytest.raises(ScriptError, match="201 lines"):
        compile_conditions(["현재가 > 1"] * 201, [])
