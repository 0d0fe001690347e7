import pytest

from stom_ray.errors import ConditionError
from stom_ray.search.library import parse_library


def parsed(text):
    return [(term.pattern, term.values) for term in parse_library(text, "terms.txt")]


def test_a_range_and_a_list_become_thresholds_and_keep_whole_numbers_whole():
    assert parsed("체결강도 >= {80..120 by 20}\n등락율 <= {0.5, 5}") == [
        ("체결강도 >= {}", (80, 100, 120)),
        ("등락율 <= {}", (0.5, 5)),
    ]
    assert parsed("등락율 > {0.1..0.5 by 0.1}")[0][1] == (0.1, 0.2, 0.3, 0.4, 0.5)


def test_alternatives_become_terms_of_their_own_in_every_combination():
    found = parsed("이동평균({60 | 300}) < {현재가 | 시가}")
    assert [pattern for pattern, _ in found] == [
        f"이동평균({length}) < {name}" for length in (60, 300) for name in ("현재가", "시가")
    ]


def test_comments_and_empty_lines_are_passed_over_but_not_a_hash_within_quotes():
    assert parsed("# 제목\n\n종목명 != '#1'   # 왜") == [("종목명 != '#1'", ())]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("체결강도 > {1..}", 1, "no list of thresholds"),
        ("체결강도 > {5..1 by 1}", 1, "low <= high"),
        ("체결강도 > {1, 1}", 1, "value twice"),
        ("체결강도 > {1..99 by 1}", 1, "more than 60 values"),
        ("체결강도 > {1}\n등락율 > {1} and 등락율 < {2}", 2, "second threshold"),
        ("체결강도 > {1", 1, "without its other half"),
        ("이동평균({60 | }) > 1", 1, "alternative is empty"),
        ("체결강도 > 1\n체결강도 > 1", 2, "stands in line 1 already"),
        ("# nothing", 1, "no term"),
    ],
)
def test_what_cannot_be_read_is_refused_with_file_line_and_remedy(text, line, message):
    with pytest.raises(ConditionError, match=message) as refused:
        parse_library(text, "terms.txt")
    assert str(refused.value).startswith(f"terms.txt, line {line}, column ")
    assert "hint:" in str(refused.value)
