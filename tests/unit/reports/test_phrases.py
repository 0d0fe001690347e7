import math
import re
from string import Formatter

import pytest

from stom_ray.errors import ConfigError
from stom_ray.reports.phrases import LANGUAGES, Phrases, texts

ENGLISH, KOREAN = Phrases("en"), Phrases("ko")


def test_languages_have_the_same_texts_with_the_same_blanks() -> None:
    english, korean = texts("en"), texts("ko")
    assert list(english) == list(korean)
    for key, text in english.items():
        blanks = [{name for _, name, _, _ in Formatter().parse(one) if name} for one in (text, korean[key])]
        assert blanks[0] == blanks[1], key


def test_korean_texts_are_korean() -> None:
    same = [key for key, text in texts("ko").items() if text == texts("en")[key] and re.search("[A-Za-z]{2}", text)]
    assert [key for key in same if key != "plane" and key != "plane_label"] == []


def test_an_unknown_language_names_the_known() -> None:
    with pytest.raises(ConfigError, match=r"'fr' is not known: expected one of en, ko"):
        Phrases("fr")
    assert LANGUAGES == ("en", "ko")


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_is_not_a_number_is_a_dash(value: float | None) -> None:
    for write in (ENGLISH.number, ENGLISH.plain, ENGLISH.percent, ENGLISH.won, ENGLISH.compact, ENGLISH.day, ENGLISH.held):
        assert write(value) == "–"


def test_numbers_have_a_true_minus_and_no_signed_zero() -> None:
    assert ENGLISH.number(-1234.5, 1) == "−1,234.5"
    assert ENGLISH.number(-0.001, 2, sign=True) == "0.00"
    assert ENGLISH.number(3, sign=True) == "+3"


def test_large_amounts_are_short_in_the_readers_units() -> None:
    assert [ENGLISH.compact(value) for value in (950, 1500, -2_000_000, 3.4e9)] == ["950", "1.5k", "−2M", "3.4B"]
    assert [KOREAN.compact(value) for value in (950, 15_000, -2_000_000, 3.4e8)] == ["950", "1.5만", "−200만", "3.4억"]


def test_days_times_and_lengths_are_readable() -> None:
    assert ENGLISH.day(20230118) == "2023-01-18"
    assert ENGLISH.time(20230118090317) == "09:03:17"
    assert ENGLISH.held(59.4) == "59 s"
    assert ENGLISH.held(125) == "2 m 05 s"
    assert KOREAN.held(125) == "2분 05초"


def test_parameter_values_stay_as_they_were_written() -> None:
    assert [ENGLISH.plain(value) for value in (60.0, 0.25, -1.5, 100000.0)] == ["60", "0.25", "−1.5", "100000"]
