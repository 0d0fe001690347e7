"""Mistakes that users make, with the sentence that helps them."""

import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.diagnostics import ScriptError

# (condition, column, part of the message, part of the hint)
CONDITIONS = [
    ("시분 < 90500", 4, "unknown name `시분`", "`시분초`"),
    ("현재가_N(1) > 3", 4, "unknown function `현재가_N`", "`현재가N`"),
    ("현재가_N > 3", 4, "unknown name `현재가_N`", "`현재가N(1)`"),
    ("분당매수량 > 3", 4, "unknown name `분당매수량`", "`분당매수수량`"),
    ("초당매수량 > 3", 4, "unknown name", "`초당매수수량`"),
    ("이동평균5 > 3", 4, "unknown name `이동평균5`", "`이동평균(5)`"),
    ("이동평균5(1) > 3", 4, "unknown function", "`이동평균(5)`"),
    ("STOCH_K > 3", 4, "unknown name `STOCH_K`", "`STOCHSK`"),
    ("RSI(14) > 3", 4, "not a function", "write `RSI`"),
    ("당일거래대금 > 10억", 13, "`10억` is not a number", "write 1000000000"),
    ("당일거래대금 > 3천만", 13, "`3천만` is not a number", "write 30000000"),
    ("현재가 = 3", 8, "`=` sets a name", "`==`"),
    ("(현재가 = 3)", 9, "`=` sets a name", "`==`"),
    ("max(현재가 = 3, 1) > 1", 12, "arguments have no names", "`==`"),
    ("(현재가 > 3", 4, "`(` is never closed", "count"),
    ("현재가 > 3)", 11, "`)` closes no bracket", "delete"),
    ("(현재가 > 3]", 12, "does not close the `(`", ""),
    ("현재까 > 시가", 4, "unknown name `현재까`", "`현재가`"),
    ("수익률 > 3", 4, "only while a position is held", "sell text"),
    ("당일매수금액 > 1", 4, "not in layout tick_v1; it is in tick_v2", ""),
    ("분당거래대금 > 1", 4, "not in layout tick_v1; it is in minute_v1", ""),
    ("순매수금액 > 0", 4, "only in the 54-column layout tick_v2", ""),
    ("최고분봉고가(3) > 0", 4, "belongs to minute tables", ""),
    ("이동평균 > 3", 4, "needs a window length", "`이동평균(30)`"),
    ("현재가N > 3", 4, "number of rows to look back", "`현재가N(1)`"),
    ("현재가(1) > 3", 4, "is a column, not a function", "`현재가N(1)`"),
    ("데이터길이(1) > 3", 4, "not a function", "write `데이터길이`"),
    ("max > 3", 4, "`max` is a function", "max(...)"),
    ("현재가N(-2) > 3", 9, "would read the future", "the buy row is -1"),
    ("현재가N(0 - 2) > 3", 9, "would read the future", ""),
    ("현재가N(-1) > 3", 9, "looks back to the buy row", "sell text"),
    ("이동평균(60, -1) > 3", 13, "looks back to the buy row", "sell text"),
    ("현재가N(-0.5) > 3", 9, "would read the future", ""),
    ("최고현재가(0) > 3", 10, "window length of `최고현재가` is 0", "from 1"),
    ("최고현재가(-5) > 3", 10, "is -5", "from 1"),
    ("최고현재가(60.5) > 3", 10, "is 60.5", "whole number"),
    ("이동평균(86401) > 3", 9, "longer than any session", ""),
    ("현재가N(86401) > 3", 9, "longer than any session", ""),
    ("이동평균(현재가 > 1) > 3", 9, "is a comparison", "whole number"),
    ("이동평균() > 3", 4, "takes 1 to 2 arguments, not 0", "`이동평균(30)`"),
    ("현재가N(1, 2) > 3", 4, "takes 1 argument, not 2", "`현재가N(1)`"),
    ("VI가격N(1) > 0", 4, "`VI가격` has no look-back", ""),
    ("데이터길이N(1) > 3", 4, "has no look-back", ""),
    ("종목코드 > 3", 4, "`종목코드` is compared", "in ['005930'"),
    ("종목코드 + 1 > 3", 4, "`종목코드` is text", "=="),
    ("'삼성' in 종목명", 4, "`종목명` is compared", ""),
    ("종목코드 in ('005930')", 4, "`종목코드` is compared", "['005930'"),
    ("'a' == '종목코드' == 종목코드", 4, "a chain of comparisons", "`and`"),
    ("현재가 in [1, 2]", 11, "`in` works only for", "`or`"),
    ("현재가 == '1'", 11, "a string stands only beside", ""),
    ("VI해제시간 > 90000", 4, "a time is compared with a number", "시분초"),
    ("now() - VI해제시간 > 3", 4, "a time is not a number", "total_seconds"),
    ("(현재가 - 시가).total_seconds() > 3", 5, "a time is expected", "`now()`"),
    ("now().total_seconds() > 3", 4, "follows a difference", ""),
    ("timedelta_sec(3) > 3", 4, "a time is compared", ""),
    ("현재가 is 3", 8, "`is`", "`==`"),
    ("현재가 ≥ 3", 8, "`≥`", "`>=`"),
    ("현재가 => 3", 8, "`=>`", "`>=`"),
    ("현재가 > 3 && 시가 > 2", 12, "`&&`", "`and`"),
    ("현재가 > 3 시가 > 2", 12, "an operator is missing", "`and`"),
    ("현재가 > not 시가", 10, "`not` cannot follow", "brackets"),
    ("현재가 > 090000", 10, "cannot start with 0", "write 90000"),
    ("현재가 > 0x10", 10, "is not a number", "decimal"),
    ("현재가 > 1e999", 10, "larger than any number", ""),
    ("현재가 > None", 10, "`None` is not part of", ""),
    ("self.vars[1.0] > 2", 14, "whole constant", "self.vars[1]"),
    ("self.vars[1000] > 2", 14, "at most 1000", ""),
    ("self.vars[1][0] > 2", 4, "not part of the condition language", "self.vars[1]"),
    ("self.vars > 2", 4, "no value here", "self.vars[1]"),
    ("self.Buy() > 2", 4, "an order is not a value", ""),
    ("self > 2", 4, "`self` alone", ""),
    ("len(종목명) > 2", 4, "unknown function `len`", "functions are"),
    ("max(1) > 2", 4, "takes 2 to 50 arguments", ""),
    ("경과틱수(급등) > 2", 9, "takes a name in quotes", ""),
    ("현재가.N(1) > 2", 4, "not part of the condition language", ""),
    ("(1, 2) > 2", 4, "a list stands only after", ""),
    ("() > 2", 4, "empty brackets", ""),
    ("1 if 현재가", 12, "needs an `else`", ""),
    ("현재가 > 3; 매수 = False", 11, "`;`", "one statement a line"),
    ("종목명 == 'a\\n'", 11, "a backslash in a string", ""),
    ("종목명 == 'a", 11, "not closed on its line", ""),
    ("종목명 == f'a'", 11, "before a string", ""),
]  # fmt: skip

# (text, line, column, part of the message, part of the hint)
TEXTS = [
    ("```python\n매수 = True\n```", 1, 1, "Markdown fence", "remove"),
    ("**매수**", 1, 1, "expected a statement", ""),
    ("- 매수 = True", 1, 1, "cannot start with `-`", "Markdown"),
    ("매수 = True\n    매수 = False", 2, 1, "no block starts above", ""),
    ("if 현재가 > 3:\n매수 = False", 2, 1, "expected an indented block", "four spaces"),
    ("if 현재가 > 3", 1, 11, "`:` is missing", "add `:`"),
    ("if 현재가 > 3\n    매수 = False", 1, 11, "`:` is missing", "add `:`"),
    ("if 현재가 > 3:\n    매수 = False\nx = 1\nelif 시가 > 3:\n    매수 = False", 4, 1, "`elif` has no `if`", "write `if`"),
    ("else:\n    매수 = False", 1, 1, "`else` has no `if`", ""),
    ("if 현재가 > 3:\n    pass\nelse 현재가 > 2:\n    pass", 3, 6, "`else` takes no condition", "`elif`"),
    ("if 현재가 > 3:\n\t매수 = False\n        매수 = True", 3, 1, "mixes tabs and spaces", "four spaces"),
    ("if 현재가 > 3:\n        매수 = False\n    매수 = True", 3, 1, "matches no block", ""),
    ("매수 == False", 1, 4, "`==` compares", "매수 = "),
    ("매수", 1, 1, "alone does nothing", ""),
    ("for i in 3:\n    pass", 1, 1, "`for` is not part of", ""),
    ("import os", 1, 1, "`import` is not part of", ""),
    ("현재가 = 3", 1, 1, "already means something", "another name"),
    ("max = 3", 1, 1, "already means something", "another name"),
    ("__x = 3", 1, 1, "cannot be a temporary's name", ""),
    ("매수, x = 1", 1, 3, "one name a line", ""),
    ("매수 = x = 3", 1, 8, "one name a line", ""),
    ("매수 //= 3", 1, 4, "`//=` is not part of", ""),
    ("매수 = 1 +", 1, 9, "found the end of the line", ""),
    ("매수 = 현재가 >\n시가", 1, 11, "found the end of the line", ""),
    ("매수 = now()", 1, 6, "a time is not a number", ""),
    ("매수 = '''a'''", 1, 6, "triple-quoted", "#"),
    ("x += 1", 1, 1, "never set before", "x = 0"),
    ("self.Buy()", 1, 1, "an order stands only in the last lines", "if 매수:"),
    ("if 현재가 > 3:\n    if 매수:\n        self.Buy()\n", 3, 9, "an order stands only", ""),
    ("self.vars[1] = 3", 1, 1, "setting this", "never set"),
    ("if 1: if 2: 매수 = False", 1, 7, "cannot stand on the line of another", ""),
    ("매수 = 현재가 > 1 : 2", 1, 14, "`:` belongs after", ""),
    ("if 현재가 > 3:\n    매수 = 과열", 2, 10, "unknown name `과열`", "set before it is read"),
]  # fmt: skip


def refused(buy: str, sell: str = "매도 = False", profile: str = "corrected") -> ScriptError:
    with pytest.raises(ScriptError) as caught:
        compile_strategy(buy, sell, profile=profile)
    return caught.value


# STOM stops at these only when it reaches them; the profile `stom` keeps that.
STOPS_WHEN_REACHED = ("최고현재가(0) > 3", "최고현재가(60.5) > 3")


@pytest.mark.parametrize(("condition", "column", "message", "hint"), CONDITIONS)
def test_a_mistaken_condition_is_located_and_explained(condition: str, column: int, message: str, hint: str) -> None:
    error = refused(f"매수 = True\nif {condition}:\n    매수 = False")
    assert (error.line, error.column) == (2, column), str(error)
    assert message in error.summary
    assert hint in error.hint


@pytest.mark.parametrize("condition", [condition for condition, *_ in CONDITIONS])
def test_the_profile_stom_refuses_the_same_but_what_stops_only_when_reached(condition: str) -> None:
    text = f"매수 = True\nif {condition}:\n    매수 = False"
    if condition in STOPS_WHEN_REACHED:
        assert "STOM stops the run" in compile_strategy(text, "매도 = False", profile="stom").warnings[0]
    else:
        refused(text, profile="stom")


@pytest.mark.parametrize(("text", "line", "column", "message", "hint"), TEXTS)
def test_a_mistaken_text_is_located_and_explained(text: str, line: int, column: int, message: str, hint: str) -> None:
    error = refused(text)
    assert (error.line, error.column) == (line, column), str(error)
    assert message in error.summary
    assert hint in error.hint


def test_the_same_column_is_read_where_the_layout_has_it() -> None:
    for layout, condition in (
        ("tick_v2", "당일매수금액 > 1"),
        ("tick_v2", "순매수금액 > 1"),
        ("minute_v1", "RSI > 30 and MACD_N(1) > 분당거래대금"),
    ):
        compile_strategy(f"매수 = {condition}", "매도 = False", layout=layout)


def test_a_name_of_another_text_or_layout_may_be_a_temporary() -> None:
    compile_strategy("수익률 = 현재가 / 시가\nMOM = 2\n매수 = 수익률 > MOM", "매도 = False")


def test_sell_names_are_read_in_sell_text_only() -> None:
    compile_strategy("매수 = True", "매도 = 수익률 > 최고수익률 - 최저수익률 or 보유시간 > 3 or 매수틱번호 > 2")
    assert "only in the 54-column layout" in refused("매수 = True", "매도 = 보유수량 > 3").summary
    compile_strategy("매수 = True", "매도 = 보유수량 > 3 and 수익금 > 1", layout="tick_v2")
