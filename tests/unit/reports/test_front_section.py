"""The front of several objectives in the page: its rows, its picture, and what is said of it."""

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from stom_ray.errors import ConfigError
from stom_ray.reports import ReportData, charts, render_html
from stom_ray.reports.data import empty_aims
from stom_ray.reports.front import MOST_POINTS, front_chart, front_grid, front_rows, note
from stom_ray.reports.phrases import Phrases

Build = Callable[..., ReportData]
ENGLISH = Phrases("en")
# PM, -MDD, outside: the present values, three on the front of which two are equal, one behind, one outside, a failed one
AIMS = [[1.0, -6.0, 0.0], [4.0, -5.0, 0.0], [2.0, -3.0, 0.0], [4.0, -5.0, 0.0], [3.0, -9.0, 0.0], [9.0, -1.0, 0.5], [np.nan] * 3]


def weighed(build: Build, aims: Any = AIMS, **changes: Any) -> ReportData:
    """A study of these trials, the first of which has the present values."""
    trials = build().trials.head(len(aims)).assign(failed=np.isnan(np.array(aims)).any(axis=1))
    trials["objective"] = np.where(np.array(aims)[:, -1] > 0, -2_222_222_222.0, np.array(aims)[:, 0])
    trials.loc[0, "island"] = -1
    return build(trials=trials, aims=pd.DataFrame(aims, columns=["PM", "-MDD", "outside"]), **changes)


def test_the_front_is_told_in_figures_as_they_are_best_in_the_first_objective_first(build: Build) -> None:
    rows = front_rows(weighed(build))
    assert rows["trial"].tolist() == [1, 2]
    assert rows[["PM", "MDD"]].to_numpy().tolist() == [[4.0, 5.0], [2.0, 3.0]]
    assert rows["alike"].tolist() == [2, 1]
    assert rows["beats"].tolist() == [True, True]


def test_a_row_that_is_as_good_as_now_in_one_objective_is_not_better_in_all(build: Build) -> None:
    rows = front_rows(weighed(build, [[1.0, -6.0, 0.0], [1.0, -2.0, 0.0]]))
    assert rows["trial"].tolist() == [1]
    assert rows["beats"].tolist() == [False]


def test_the_note_counts_the_front_and_says_whom_the_verdict_is_about(build: Build) -> None:
    said = note(weighed(build), ENGLISH)
    assert said.startswith("2 ways to weigh PM ↑, MDD ↓ are on the front, among 5 rows inside the limits")
    assert "2 are better than the present values in all" in said
    assert "the row that is best in PM" in said


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_the_page_shows_the_front_as_a_picture_and_a_table(build: Build, lang: str) -> None:
    page = render_html(weighed(build), lang)
    assert '<a href="#front">' in page
    section = page[page.index('<section id="front">') :]
    section = section[: section.index("</section>")]
    assert section.count('class="dot top"') == 2 * 2 + 1, "two rows, for a desk and for a phone, and the legend"
    assert 'id="front-table"' in section
    assert "MDD ↓" in section
    assert ("better than the present values" in section) == (lang == "en")


def test_without_several_objectives_or_a_row_inside_the_limits_there_is_no_such_section(build: Build) -> None:
    for data in (build(), weighed(build, [[1.0, -2.0, 0.3], [np.nan] * 3])):
        page = render_html(data)
        assert 'id="front"' not in page
        assert '"#front"' not in page
    assert build().objectives == ()


def test_of_many_rows_some_are_drawn_and_the_whole_front_is(build: Build) -> None:
    rng = np.random.default_rng(0)
    aims = np.column_stack([rng.normal(size=(3000, 2)), np.zeros(3000)])
    data = weighed(build, aims.tolist())
    picture = front_chart(data, charts.WIDE, ENGLISH)
    ElementTree.fromstring(picture)
    assert picture.count("dot other") == MOST_POINTS
    assert picture.count("dot top") == len(front_rows(data)) > 5
    assert picture.count('"ring"') == 1
    assert picture.count("dot valid") == 1
    assert re.search(r"[\d,]+ rows farther behind are not drawn", picture)
    assert len(front_grid(data, ENGLISH).rows) == len(front_rows(data))


def test_aims_are_one_row_a_trial(build: Build) -> None:
    assert build(aims=empty_aims()).objectives == ()
    with pytest.raises(ConfigError, match="2 rows of aims for 3000 trials"):
        build(aims=pd.DataFrame(AIMS[:2], columns=["PM", "-MDD", "outside"]))
