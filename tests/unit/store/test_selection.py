"""Trading days taken out of a selection, consecutive or not."""

from dataclasses import replace

import numpy as np
import pytest

from stom_ray.errors import SelectionError
from stom_ray.store.load import select
from stom_ray.store.selection import on_days


def test_days_that_are_not_consecutive_keep_rows_hours_and_what_was_loaded(golden_panel):
    days = golden_panel.days
    whole = select(golden_panel, codes=("005930", "053444"), time=(90_500, 91_000))
    part = on_days(whole, days[[3, 0]])
    assert part.loaded is golden_panel
    assert part.selected.days.tolist() == days[[0, 3]].tolist()
    codes = ("005930", "053444")
    parts = [select(golden_panel, codes=codes, days=(day, day), time=(90_500, 91_000)) for day in days[[0, 3]].tolist()]
    np.testing.assert_array_equal(part.rows, np.sort(np.concatenate([one.rows for one in parts])))
    np.testing.assert_array_equal(part.selected.clock, golden_panel.clock[part.rows])
    np.testing.assert_array_equal(part.selected.column("현재가"), golden_panel.column("현재가")[part.rows])
    ranking = np.concatenate([one.selected.ranking_clock for one in parts])
    np.testing.assert_array_equal(part.selected.ranking_clock, ranking)
    assert part.selected.identity != whole.selected.identity


def test_all_days_of_a_selection_are_the_selection(golden_panel):
    whole = select(golden_panel, time=(90_500, 91_000))
    part = on_days(whole, golden_panel.days)
    np.testing.assert_array_equal(part.rows, whole.rows)
    np.testing.assert_array_equal(part.selected.offsets, whole.selected.offsets)
    np.testing.assert_array_equal(part.selected.ranking_clock, whole.selected.ranking_clock)


def test_days_that_are_not_there_are_refused(golden_panel, make_panel):
    with pytest.raises(SelectionError, match="no day 20200101 in the selection, which has 5 from 20230118 on"):
        on_days(select(golden_panel), [20200101])
    with pytest.raises(SelectionError, match="no rows on no day"):
        on_days(select(golden_panel), [])


def test_part_of_a_column_is_its_rows(golden_panel):
    for panel in (golden_panel, select(golden_panel).selected, select(golden_panel, time=(90_500, 91_500)).selected):
        fresh = replace(panel, columns={})
        for rows in (slice(0, 1), slice(3, panel.n_rows - 2), slice(panel.n_rows - 1, panel.n_rows)):
            found = fresh.part("현재가", rows)
            np.testing.assert_array_equal(found, panel.column("현재가")[rows])
