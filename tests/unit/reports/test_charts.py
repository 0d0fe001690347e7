import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from stom_ray.reports import charts
from stom_ray.reports.data import ReportData, empty_daily, empty_trades
from stom_ray.reports.phrases import Phrases
from stom_ray.reports.price_chart import seconds_of_day, session_chart, session_trades
from stom_ray.reports.svg import Canvas, Scale, padded, shorten, ticks

ENGLISH = Phrases("en")


def numbers(picture: str) -> list[float]:
    return [float(text) for text in re.findall(r'\b[xy]\d?="([^"]+)"', picture.split(">", 1)[1])]


def test_ticks_are_round_inside_and_hold_zero() -> None:
    assert ticks(-1.2, 3.4, 5) == [-1.0, 0.0, 1.0, 2.0, 3.0]
    assert ticks(0, 1e-6, 2) == [0.0, 5e-07, 1e-06]
    assert ticks(2.0, 2.0, 5) == [2.0]


def test_a_scale_of_one_value_puts_it_in_the_middle() -> None:
    assert Scale(5.0, 5.0, 0.0, 100.0)(5.0) == 50.0


def test_padding_ignores_what_is_not_finite() -> None:
    assert padded([float("nan"), float("inf")]) == (0.0, 1.0)
    low, high = padded([1.0, 3.0, float("nan")], 0.5)
    assert (low, high) == (0.0, 4.0)


def test_hangul_counts_two_cells_when_texts_are_cut() -> None:
    assert shorten("현재가 > 시가", 8) == "현재가 >…"
    assert shorten("abc", 3) == "abc"


def test_texts_and_titles_are_escaped_in_pictures() -> None:
    canvas = Canvas(10, 10)
    canvas.text(1, 1, "<b>&")
    canvas.rect(0, 0, 1, 1, "bar", title="</title><script>")
    picture = canvas.render('"label"')
    ElementTree.fromstring(picture)
    assert "<script>" not in picture
    assert "<b>" not in picture


def line(css: str, values: list[float]) -> charts.Line:
    days = [20230102 + i for i in range(len(values))]
    return charts.Line(css, css, pd.Series(values, index=pd.Index(days, dtype="int64")))


def test_equity_without_days_is_empty_and_with_one_day_is_drawn() -> None:
    assert charts.equity_chart([charts.Line("in", "in", empty_daily())], [], charts.WIDE, ENGLISH) == ""
    picture = charts.equity_chart([line("in", [1000.0])], [], charts.WIDE, ENGLISH)
    ElementTree.fromstring(picture)
    assert np.isfinite(numbers(picture)).all()


@pytest.mark.parametrize("width", [charts.WIDE, charts.NARROW])
def test_a_line_starts_at_zero_and_ends_at_its_sum(width: int) -> None:
    picture = charts.equity_chart([line("out", [100.0, -300.0, 700.0])], [], width, ENGLISH)
    path = re.search(r'class="line out" d="M([^"]+)"', picture)
    assert path is not None
    points = [tuple(map(float, point.split())) for point in path[1].split("L")]
    assert len(points) == 4
    zero = float(re.search(r'class="zero" x1="[^"]+" y1="([^"]+)"', picture)[1])  # type: ignore[index]
    assert points[0][1] == pytest.approx(zero, abs=0.1)
    assert points[-1][1] < zero < points[2][1]
    assert ">+500<" in picture


def test_days_beyond_counting_are_thinned() -> None:
    values = np.random.default_rng(0).normal(0, 1, 5000).tolist()
    days = pd.bdate_range("2004-01-01", periods=5000).strftime("%Y%m%d").astype("int64")
    picture = charts.equity_chart([charts.Line("in", "in", pd.Series(values, index=days))], [], charts.WIDE, ENGLISH)
    path = re.search(r'class="line in" d="M([^"]+)"', picture)
    assert path is not None
    assert path[1].count("L") < 1100


def test_windows_that_were_refused_leave_no_dot(study: ReportData) -> None:
    window = study.walk_forward[0] | {"valid_objective": -2_000_000_000.0, "test_objective": float("nan")}
    picture = charts.windows_chart([window], charts.WIDE, ENGLISH)
    assert "dot train" in picture
    assert "dot valid" not in picture
    assert "dot out" not in picture
    assert charts.windows_chart([], charts.WIDE, ENGLISH) == ""


def test_a_slice_or_plane_without_a_score_is_empty() -> None:
    nothing = pd.DataFrame({"value": [1.0], "trials": [3], "refused": [1.0], "median": [np.nan], "best": [np.nan]})
    assert charts.slice_chart(nothing, 1.0, None, ENGLISH) == ""
    assert charts.plane_chart(pd.DataFrame(dtype="float64"), ("a", "b"), None, 300, ENGLISH) == ""


def test_the_ring_is_on_the_chosen_pair() -> None:
    table = pd.DataFrame([[1.0, 2.0], [3.0, np.nan]], index=[10.0, 20.0], columns=[0.1, 0.2])
    picture = charts.plane_chart(table, ("a", "b"), (0.1, 20.0), 372, ENGLISH)
    cells = re.findall(r'class="(cell \w+|ring)" x="([^"]+)" y="([^"]+)"', picture)
    assert [name for name, _, _ in cells] == ["cell gain", "cell gain", "cell gain", "cell none", "ring"]
    assert float(cells[4][1]) == pytest.approx(float(cells[2][1]) - 0.5)
    assert float(cells[4][2]) == pytest.approx(float(cells[2][2]) - 0.5)


def test_seconds_of_day_reads_the_clock() -> None:
    assert seconds_of_day(pd.Series([20230118090001, 20230118153000])).tolist() == [32401.0, 55800.0]


def test_a_session_shows_its_own_trades(study: ReportData) -> None:
    (code, day), prices = next(iter(study.prices.items()))
    trades = session_trades(study.test_trades, code, day)
    assert len(trades) > 0
    assert set(trades["code"]) == {code}
    picture = session_chart(prices, trades, charts.WIDE, ENGLISH)
    ElementTree.fromstring(picture)
    assert picture.count('class="entry"') == picture.count('class="exit') == len(trades)


def test_no_line_is_drawn_over_missing_ticks() -> None:
    clock = [20230118090000, 20230118090001, 20230118091500, 20230118091501]
    prices = pd.DataFrame({"clock": clock, "현재가": 1000.0, "매도호가1": 1001.0, "매수호가1": 1000.0})
    assert session_chart(prices, empty_trades(), charts.WIDE, ENGLISH).count('class="line price"') == 2


def test_a_session_without_rows_trades_or_book_does_not_break() -> None:
    prices = pd.DataFrame({"clock": [20230118090000], "현재가": [1000.0], "매도호가1": [0.0], "매수호가1": [0.0]})
    assert session_chart(prices.iloc[:0], empty_trades(), charts.WIDE, ENGLISH) == ""
    picture = session_chart(prices, empty_trades(), charts.WIDE, ENGLISH)
    assert np.isfinite(numbers(picture)).all()
    assert "book" not in picture
