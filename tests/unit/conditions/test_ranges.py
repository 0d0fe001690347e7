"""STOM's ranges: what they mean and every lint."""

import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.ranges import LocatedRangeError, RangeVar, parse_ranges
from stom_ray.errors import ConfigError, RangeError


def values(text: str, form: str = "step") -> tuple[int | float, ...]:
    return (
        parse_ranges(
            f"self.vars[0] = [[30, 30, 0], 30]\nself.vars[1] = {text}" if form == "step" else f"self.vars[0] = {text}", form
        )
        .variables[-1]
        .values
    )


def refused(text: str, form: str = "step") -> LocatedRangeError:
    with pytest.raises(LocatedRangeError) as caught:
        parse_ranges(text, form)
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[90, 120, 10], 100]", (90, 100, 110, 120)),
        ("[[90, 125, 10], 100]", (90, 100, 110, 120)),
        ("[[0.1, 0.3, 0.1], 0.2]", (0.1, 0.2, 0.3)),
        ("[[1, 2, 0.5], 1.5]", (1.0, 1.5, 2.0)),
        ("[[1.5, 3.5, 1], 2.5]", (1.5, 2.5, 3.5)),
        ("[[-0.5, -2.0, -0.5], -1.0]", (-0.5, -1.0, -1.5, -2.0)),
        ("[[5, 1, -2], 3]", (5, 3, 1)),
        ("[[7, 7, 0], 7]", (7,)),
        ("[[1, 20, 1], 1]", tuple(range(1, 21))),
        ("[[0.05, 1.0, 0.05], 0.5]", tuple(round(0.05 * k, 2) for k in range(1, 21))),
    ],
)
def test_the_step_form_runs_from_low_until_past_high(text: str, expected: tuple[int | float, ...]) -> None:
    found = values(text)
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


def test_the_value_form_keeps_values_and_types_as_written() -> None:
    ranges = parse_ranges("self.vars[0] = [[60], 60]\nself.vars[1] = [[0.0, 5, 10.0], 5]", "values")
    assert ranges.variables == (RangeVar(0, (60,), 60), RangeVar(1, (0.0, 5, 10.0), 5))
    assert type(ranges.variables[1].values[1]) is int
    assert ranges.bests == (60, 5)
    assert ranges.variables[0].is_fixed
    assert not ranges.variables[1].is_fixed


def test_a_text_that_fits_both_forms_is_read_as_told() -> None:
    text = "self.vars[0] = [[10, 20, 5], 20]"
    assert parse_ranges(text, "step").variables[0].values == (10, 15, 20)
    assert parse_ranges(text, "values").variables[0].values == (10, 20, 5)
    with pytest.raises(ConfigError, match="form"):
        parse_ranges(text, "guess")


def test_comments_blank_lines_and_spacing_are_free() -> None:
    text = "# 범위\n\n  self.vars[ 0 ]=[ [10,20, 5 ] , 20 ]   # 설명 [1]\r\n"
    assert parse_ranges(text.encode()).variables[0].best == 20


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("self.vars[0] = [[1, 2], 1]", 1, 16, "2 numbers where low, high, gap"),
        ("self.vars[0] = [[1, 2, 3, 4], 1]", 1, 16, "4 numbers where low, high, gap"),
        ("self.vars[0] = [[1, 5, -1], 1]", 1, 16, "a gap of -1 never leads from 1 to 5"),
        ("self.vars[0] = [[5, 1, 1], 1]", 1, 16, "write a gap of -1"),
        ("self.vars[0] = [[1, 21, 1], 1]", 1, 16, "at most 20 values"),
        ("self.vars[0] = [[1.0, 1.1, 0.001], 1.0]", 1, 16, "at most 20 values"),
        ("self.vars[0] = [[1, 1e17, 0.01], 1]", 1, 16, "at most 20 values"),
        ("self.vars[0] = [[10, 20, 5], 12]", 1, 16, "the nearest is 10"),
        ("self.vars[0] = [[10, 10, 5], 10]", 1, 16, "low = high = 10"),
        ("self.vars[0] = [[10, 20, 0], 10]", 1, 16, "a gap of 0 fixes the value"),
        ("self.vars[1] = [[10, 20, 5], 10]", 1, 11, "where self.vars[0] is expected"),
        ("self.vars[0] = [[9, 9, 0], 9]\nself.vars[2] = [[9, 9, 0], 9]", 2, 11, "where self.vars[1] is expected"),
        ("self.vars[0] = [[9, 9, 0], 9]\nself.vars[0] = [[9, 9, 0], 9]", 2, 11, "where self.vars[1] is expected"),
        ("vars[0] = [[9, 9, 0], 9]", 1, 1, "not a range"),
        ("self.vars[0] = [[9, 9, 0], 9", 1, 16, "a list of numbers and one best value"),
        ("self.vars[0] = [[9, True, 0], 9]", 1, 16, "only numbers"),
        ("self.vars[0] = [[9, 9, 0], __import__('os')]", 1, 16, "only numbers"),
        ("self.vars[0] = [[" + "-" * 9_000 + "9, 9, 0], 9]", 1, 16, "a list of numbers"),
        ("self.vars[0] = " + "[" * 9_000, 1, 16, "a list of numbers"),
        ("self.vars[0] = [[9, 1e999, 1], 9]", 1, 16, "too large"),
        ("self.vars[0] = [[9, 1234567890123456789, 1], 9]", 1, 16, "18 digits"),
        ("self.vars[0] = [[09, 10, 1], 9]", 1, 16, "cannot start with 0"),
        ("self.vars[0] = [[0, 10, 5], 5]", 1, 16, "avgtime, a number of rows; 0"),
        ("self.vars[0] = [[1.5, 2.5, 0.5], 2.0]", 1, 16, "avgtime, a number of rows; 1.5"),
        ("", 1, 1, "no range"),
        ("self.vars[0] = [[9, 9, 0], \u200b9]", 1, 28, "invisible character"),
    ],
)  # fmt: skip
def test_every_lint_is_located_and_says_what_to_do(text: str, line: int, column: int, message: str) -> None:
    error = refused(text)
    assert message in str(error)
    assert (error.line, error.column) == (line, column), str(error)
    assert f"ranges, line {line}, column {column}: " in str(error)
    assert "hint: " in str(error)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[], 1]", "no values"),
        (f"[{list(range(1, 22))}, 1]", "at most 20"),
        ("[[1, 2, 1], 1]", "twice"),
        ("[[1, 2], 3]", "nearest is 2"),
    ],
)
def test_the_value_form_has_lints_of_its_own(text: str, message: str) -> None:
    assert message in str(refused(f"self.vars[0] = {text}", "values"))


def test_a_high_that_is_not_reached_and_a_float_avgtime_are_warnings() -> None:
    ranges = parse_ranges("self.vars[0] = [[30.0, 60.0, 20.0], 50.0]")
    assert "STOM stops at a window of 60.0" in ranges.warnings[0]
    assert "does not lead to 60.0" in ranges.warnings[1]


def test_ranges_are_compared_with_what_the_scripts_read() -> None:
    strategy = compile_strategy("매수 = 체결강도 > self.vars[1]", "매도 = 수익률 > self.vars[3]")
    line = "self.vars[{}] = [[1, 2, 1], 1]"
    with pytest.raises(RangeError, match=r"self.vars\[3\], which has no range"):
        parse_ranges("\n".join(line.format(index) for index in range(3))).lint_against(strategy)
    unused = parse_ranges("\n".join(line.format(index) for index in range(4))).lint_against(strategy)
    assert unused == ("ranges: self.vars[2] has a range, but no script reads it",)
