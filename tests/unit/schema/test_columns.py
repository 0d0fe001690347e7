import unicodedata

import numpy as np
import pytest

from stom_ray.errors import SchemaError
from stom_ray.schema.columns import DERIVED, LAGGABLE, LAYOUTS, TICK_COLUMNS, TICK_V1_COLUMNS, detect_layout, script_columns


def test_layouts_have_the_widths_stom_writes():
    assert {name: len(layout.columns) for name, layout in LAYOUTS.items()} == {"tick_v1": 45, "tick_v2": 54, "minute_v1": 48}
    assert all(len(set(layout.columns)) == len(layout.columns) for layout in LAYOUTS.values())


@pytest.mark.parametrize(
    ("number", "name"),
    [(0, "index"), (7, "체결강도"), (8, "초당매수수량"), (14, "시가총액"), (16, "VI해제시간"), (19, "초당거래대금"),
     (21, "저가대비고가등락율"),
          (24, "당일매수금액"), (26, "최고매수가격"), (29, "최고매도가격"), (30, "매도호가5"), (35, "매수호가1"),
     (44, "매도잔량1"), (49, "매수잔량5"),
     (50, "매도총잔량"), (52, "매도수5호가잔량합"), (53, "관심종목")],
)  # fmt: skip
def test_canonical_order_is_that_of_the_54_column_file(number, name):
    assert TICK_COLUMNS[number] == name


@pytest.mark.parametrize(
    ("number", "name"),
    [(7, "체결강도"), (8, "거래대금증감"), (14, "초당매수수량"), (16, "VI해제시간"), (19, "초당거래대금"),
     (21, "매도총잔량"), (23, "매도호가5"),
     (32, "매수호가5"), (33, "매도잔량5"), (42, "매수잔량5"), (43, "매도수5호가잔량합"), (44, "관심종목")],
)  # fmt: skip
def test_v1_keeps_its_own_order(number, name):
    assert TICK_V1_COLUMNS[number] == name


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_layout_is_recognised_by_name_in_any_order_and_either_unicode_form(layout):
    shuffled = list(reversed(LAYOUTS[layout].columns))
    assert detect_layout(shuffled) == layout
    assert detect_layout([unicodedata.normalize("NFD", name) for name in shuffled]) == layout


def test_layout_with_a_missing_and_an_unknown_column_is_still_recognised():
    assert detect_layout([name for name in TICK_V1_COLUMNS if name != "회전율"] + ["메모"]) == "tick_v1"


def test_other_columns_are_refused_naming_the_nearest_layout_and_what_it_lacks():
    with pytest.raises(SchemaError, match=r"nearest is tick_v1, which also has .*초당거래대금"):
        detect_layout([name for name in TICK_V1_COLUMNS if name != "초당거래대금"])


def test_derived_columns_follow_their_formulas():
    high, low = np.array([1100.0, 1000.0, 5.0]), np.array([1000.0, 1000.0, 0.0])
    assert DERIVED["저가대비고가등락율"].compute(high, low).tolist() == [10.0, 0.0, np.inf]
    assert DERIVED["초당매수금액"].compute(np.array([3.0]), np.array([1000.0])).tolist() == [3000.0]


def test_look_backs_exist_for_every_column_but_the_clock_and_the_vi_columns():
    assert len(LAGGABLE) == 50
    assert not {"index", "VI해제시간", "VI가격", "VI호가단위"} & set(LAGGABLE)


def test_scripts_see_what_a_layout_has_or_implies():
    v1, v2 = set(script_columns("tick_v1")), set(script_columns("tick_v2"))
    assert v2 - v1 == {"당일매수금액", "최고매수금액", "최고매수가격", "당일매도금액", "최고매도금액", "최고매도가격"}
    assert "VI해제시간" not in v1
    assert "초당매수금액" not in script_columns("minute_v1")
