"""Changed panels differ in the rows that were to be changed, and in nothing else."""

import numpy as np
import pytest

from stom_ray.validation.audit.changes import HOW, REMOVED, SHUFFLED, Timeline

SESSIONS = [("000001", 20230102, 6), ("000001", 20230103, 1), ("000002", 20230102, 5), ("000003", 20230103, 4)]
N = 16


@pytest.fixture
def panel(make_panel):
    return make_panel(SESSIONS, 현재가=100.0 + np.arange(N), VI해제시간=20230102093000.0, names={"000002": "나", "000003": "다"})


def some(*rows):
    return np.isin(np.arange(N), rows)


@pytest.mark.parametrize("how", [how for how in HOW if how != REMOVED])
def test_only_the_rows_that_are_to_change_do(panel, how):
    rows = some(2, 3, 4, 9, 10)
    view = Timeline(panel).changed(how, rows)
    before, after = panel.column("현재가"), view.panel.column("현재가")
    assert np.array_equal(view.rows, np.arange(N))
    assert np.array_equal(after[~rows], before[~rows])
    assert not np.any(after[rows] == before[rows])


def test_shuffled_rows_have_values_of_their_own_session_and_never_their_own(panel):
    after = Timeline(panel, 3).changed(SHUFFLED, some(*range(N))).panel.column("현재가")
    for at, (_, _, length) in enumerate(SESSIONS):
        rows = panel.session_rows(at)
        assert sorted(after[rows]) == sorted(panel.column("현재가")[rows])
        assert length == 1 or not np.any(after[rows] == panel.column("현재가")[rows])


def test_a_time_is_not_multiplied(panel):
    for how in ("raised", "lowered", "zero"):
        assert np.all(Timeline(panel).changed(how, some(1)).panel.column("VI해제시간") == 20230102093000.0)


def test_a_panel_without_some_rows_is_as_if_they_had_not_been_recorded(panel):
    view = Timeline(panel).changed(REMOVED, some(4, 5, 6, 7, 8, 9, 10, 11))
    left = view.panel
    assert view.rows.tolist() == [0, 1, 2, 3, 12, 13, 14, 15]
    assert (left.codes, left.names) == (("000001", "000003"), {"000003": "다"})
    assert left.session_code.tolist() == [0, 1]
    assert left.session_day.tolist() == [20230102, 20230103]
    assert left.offsets.tolist() == [0, 4, 8]
    assert np.array_equal(left.column("현재가"), panel.column("현재가")[view.rows])
    assert left.ranking_clock.tolist() == [*(20230102090000 + np.arange(4)), *(20230103090000 + np.arange(4))]


def test_a_changed_panel_is_a_copy_that_may_be_written(panel):
    view = Timeline(panel).unchanged()
    view.panel.column("현재가")[:] = 0.0
    assert np.array_equal(panel.column("현재가"), 100.0 + np.arange(N))
