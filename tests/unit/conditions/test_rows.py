"""What scripts read of a selection."""

import numpy as np
import pytest

from stom_ray.conditions.rows import Rows, seconds_of
from stom_ray.errors import SchemaError
from stom_ray.features import precomputed, raw
from stom_ray.store.load import select
from stom_ray.store.panel import Selection


def test_clocks_become_seconds_of_the_wall_clock():
    assert seconds_of(19700101000000.0) == 0
    assert seconds_of(20240229235959.0) - seconds_of(20240229000000.0) == 86_399
    assert seconds_of(20240301000000.0) - seconds_of(20240228000000.0) == 2 * 86_400


@pytest.mark.parametrize("clock", [0.0, np.nan, 20230229000000.0, 20231301000000.0, 20230431000000.0, 20230101246000.0])
def test_what_is_no_time_is_nan(clock):
    assert np.isnan(seconds_of(clock))


def test_a_loaded_length_reads_the_loaders_column_and_another_the_selected_rows(make_panel):
    loaded = make_panel([("000001", 20230102, 10)], 현재가=np.arange(10.0))
    selection = select(loaded, time=(90_004, 90_009))
    rows = Rows(selection, [3])
    np.testing.assert_array_equal(rows.window("최고현재가", 3), precomputed(loaded, "최고현재가", 3)[4:])
    np.testing.assert_array_equal(rows.window("최고현재가", 4), raw(selection.selected, "최고현재가", 4))
    assert rows.window("최저현재가", 3)[0] == 2.0
    assert np.isnan(rows.window("최저현재가", 4)[0])


def test_moving_averages_are_loaded_for_their_four_lengths_only(make_panel):
    panel = make_panel([("000001", 20230102, 3)])
    rows = Rows(Selection(panel, panel, np.arange(3)), [30])
    assert [rows.is_loaded("이동평균", length) for length in (30, 60, 1200)] == [False, True, True]
    assert rows.is_loaded("최고현재가", 30)


def test_a_missing_column_is_named(make_panel):
    panel = make_panel([("000001", 20230102, 3)])
    with pytest.raises(SchemaError, match="당일매수금액"):
        Rows(Selection(panel, panel, np.arange(3)), [30]).column("당일매수금액")


def test_a_release_time_that_is_none_is_nan(make_panel):
    panel = make_panel([("000001", 20230102, 2)], VI해제시간=[0.0, 20230102090000.0])
    seconds = Rows(Selection(panel, panel, np.arange(2)), [30])
    assert np.isnan(seconds.release_seconds[0])
    assert seconds.release_seconds[1] == seconds.seconds[0]
