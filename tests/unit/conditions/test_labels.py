"""Sell reasons and what STOM's own numbering of them does."""

import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.diagnostics import ScriptError
from stom_ray.conditions.ir import Strategy
from stom_ray.conditions.printer import print_program


def compiled(sell: str, profile: str) -> Strategy:
    return compile_strategy("매수 = True", sell, profile=profile)


@pytest.mark.parametrize("profile", ["stom", "corrected"])
def test_a_label_is_the_line_before_whatever_it_is(profile: str) -> None:
    sell = (
        "매도 = False\nif 수익률 > 1:\n    매도 = True\nelif 수익률 > 2:\n    # 설명\n    매도=True\n"
        "elif 수익률 > 3:\n\n    매도  =\tTrue"
    )
    assert compiled(sell, profile).labels == ("전략종료청산", "if 수익률 > 1:", "    # 설명", "")


def test_a_label_on_the_first_line_is_empty_and_lines_with_a_hash_have_none() -> None:
    strategy = compiled("매도 = True\n매도 = True # 또\n# 매도 = True", "corrected")
    assert strategy.labels == ("전략종료청산", "")
    assert "holds a `#`" in strategy.warnings[0]


def test_labels_are_verbatim_even_when_the_text_is_not_normalised() -> None:
    assert compiled("ｘ = 1\n매도 = True", "corrected").labels[1] == "ｘ = 1"


def test_a_one_line_if_sells_in_both_profiles() -> None:
    for profile in ("stom", "corrected"):
        assert (
            print_program(compiled("if 수익률 > 1: 매도 = True", profile).sell)
            == "if 수익률 > 1:\n    # reason 1\n    매도 = True\n"
        )


def test_a_one_line_elif_only_sets_its_reason_in_stom() -> None:
    sell = "매도 = False\nif 수익률 > 1: 매도 = True\nelif 수익률 < 0: 매도 = True"
    stom, corrected = compiled(sell, "stom"), compiled(sell, "corrected")
    assert print_program(stom.sell).endswith("elif 수익률 < 0:\n    # reason 2\n")
    assert print_program(corrected.sell).endswith("elif 수익률 < 0:\n    # reason 2\n    매도 = True\n")
    assert "never sells" in stom.warnings[0]
    assert corrected.warnings == ()


@pytest.mark.parametrize(
    ("sell", "line", "column"),
    [
        ("if 수익률 > 1: pass\nelse: 매도 = True", 2, 7),
        ("if 매도총잔량 > 5: 매도 = True", 1, 15),
        ("if 수익률 > 1: 매도 = True\nelif 매도호가1 > 5: 매도 = True", 2, 17),
        ("if (수익률 > 1\n  and 등락율 > 1): 매도 = True", 2, 17),
        ("if 수익률 > 1: \\\n  매도 = True", 2, 3),
        ("강매도 = True", 1, 1),
        ("x = 종목명 == '매도 = True'", 1, 1),
    ],
)
def test_a_sale_that_stom_cannot_run_is_an_error_there_and_works_here(sell: str, line: int, column: int) -> None:
    with pytest.raises(ScriptError) as caught:
        compiled(sell, "stom")
    assert (caught.value.line, caught.value.column) == (line, column), str(caught.value)
    assert compiled(sell, "corrected").sell.body


def test_a_sale_that_is_no_plain_true_has_no_reason() -> None:
    assert print_program(compiled("매도 = 수익률 > 1", "stom").sell) == "매도 = 수익률 > 1\n"


def test_a_sale_with_more_behind_true_sets_its_reason_first() -> None:
    assert print_program(compiled("매도 = True and 수익률 > 1", "stom").sell) == "# reason 1\n매도 = 수익률 > 1\n"
