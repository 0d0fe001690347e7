"""Places in messages: characters in columns, terminal cells under the caret."""

import unicodedata

import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.diagnostics import ScriptError, cells, closest, excerpt


def refused(buy: str | bytes, sell: str = "매도 = False", **options: str) -> ScriptError:
    with pytest.raises(ScriptError) as caught:
        compile_strategy(buy, sell, **options)
    return caught.value


def caret_cells(error: ScriptError) -> tuple[int, int]:
    """(cells before the caret, cells of the caret) of the caret line, the display indent apart."""
    caret = str(error).splitlines()[2][4:]
    return len(caret) - len(caret.lstrip()), caret.count("^")


def test_a_message_names_text_line_column_problem_and_suggestion() -> None:
    error = refused("매수 = True\nif not (현재까 > 시가):\n    매수 = False")
    assert str(error) == (
        "buy text, line 2, column 9: unknown name `현재까`\n"
        "    if not (현재까 > 시가):\n"
        "            ^^^^^^\n"
        "    hint: did you mean `현재가`?"
    )
    assert (error.line, error.column, error.hint) == (2, 9, "did you mean `현재가`?")


def test_the_caret_counts_hangul_as_two_cells() -> None:
    assert caret_cells(refused("만일 = 체결강도 + 현재까")) == (cells("만일 = 체결강도 + "), 6)


def test_columns_of_decomposed_hangul_count_the_characters_that_were_typed() -> None:
    line = unicodedata.normalize("NFD", "만일 = 현재가 + 현재까")
    error = refused(line)
    assert error.column == line.rindex(unicodedata.normalize("NFD", "현재까")) + 1
    assert caret_cells(error) == (cells("만일 = 현재가 + "), 6)


def test_full_width_text_is_read_and_located_where_it_was_typed() -> None:
    assert refused("매수 = １０　＜ 현재까").column == 11
    assert compile_strategy("매수 = １０　＜ 현재가", "매도 = False").buy.body


def test_a_tab_before_the_place_moves_the_caret_by_its_width() -> None:
    assert caret_cells(refused("if 1:\n\t매수 = 현재까")) == (4 + cells("매수 = "), 6)


def test_a_long_line_is_cut_around_the_place() -> None:
    text = "매수 = " + " + ".join(["현재가"] * 40) + " + 현재까"
    shown, caret = str(refused(text)).splitlines()[1:3]
    assert len(shown) < 130
    assert shown[4:].startswith("…")
    assert cells(shown[: shown.index("현재까")]) == caret.index("^")


@pytest.mark.parametrize("line", ["", "x", "매수", "매수 = 현재가"])
@pytest.mark.parametrize("start", [0, 3, 50])
def test_a_place_outside_the_line_still_has_a_caret(line: str, start: int) -> None:
    shown, caret = excerpt(line, start, start + 2)
    assert "^" in caret
    assert shown == line


def test_the_closest_name_is_deterministic_and_may_be_missing() -> None:
    assert closest("현재까", ["시가", "현재가", "현재나"]) == "현재가"
    assert closest("zzz", ["시가"]) is None
