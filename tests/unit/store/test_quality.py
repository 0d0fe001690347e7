import numpy as np
import pytest

from stom_ray.store.quality import FAULTS, clean, valid_clock
from stom_ray.store.snapshot import read_snapshot
from stom_ray.store.table import read_table


@pytest.fixture
def cleaned(tmp_path, db):
    """clean() of a table of ten consecutive seconds, after `spoil` has changed its rows."""

    def run(spoil):
        table = db.rows(db.clocks(db.day, 10))
        spoil(table)
        file = db.write(tmp_path / "t.db", {"000001": table}, moneytop=None)
        raw = read_snapshot(file, lambda snapshot: read_table(snapshot, "000001"))
        return raw, *clean(raw)

    return run


def put(row, column, value):
    return lambda table: table[row].__setitem__(column, value)


def test_clean_table_comes_back_as_the_same_arrays(cleaned):
    raw, table, quality = cleaned(lambda table: None)
    assert table is raw
    assert quality.clean
    assert quality.counts == {}


@pytest.mark.parametrize(
    ("spoil", "counts"),
    [
        (put(3, 5, None), {"null_cells": 1}),
        (put(3, 1, 0.0), {"zero_price": 1}),
        (put(3, 1, None), {"null_cells": 1}),
        (lambda table: [table[3].__setitem__(at, 0.0) for at in (1, 2, 3, 4)], {"zero_price": 1}),
        (put(3, 28, 1001), {"crossed_book": 1}),
    ],
)
def test_what_is_legal_around_halts_is_counted_and_kept(cleaned, spoil, counts):
    raw, table, quality = cleaned(spoil)
    assert quality.counts == counts
    assert quality.clean
    assert table is raw


@pytest.mark.parametrize(
    ("spoil", "fault", "why"),
    [
        (put(3, 0, None), "bad_clock", "clock is no date and time"),
        (put(3, 0, 20240102096000), "bad_clock", "clock is no date and time"),
        (put(3, 0, 20240230090000), "bad_clock", "clock is no date and time"),
        (put(3, 0, 202401020900), "bad_clock", "clock is no date and time"),
        (put(3, 6, "x"), "text", "text in 당일거래대금"),
        (put(3, 6, 9e999), "infinite", "infinite 당일거래대금"),
        (put(3, 6, -9e999), "infinite", "infinite 당일거래대금"),
        (put(3, 1, -1000.0), "negative", "negative 현재가"),
        (put(3, 33, -1.0), "negative", "negative 매도잔량5"),
    ],
)
def test_rows_that_nothing_repairs_are_quarantined_with_row_id_and_reason(cleaned, spoil, fault, why):
    _, table, quality = cleaned(spoil)
    assert (quality.rows, quality.kept, quality.counts[fault]) == (10, 9, 1)
    assert [(row.rowid, row.why) for row in quality.quarantined] == [(4, why)]
    assert table.rowid.tolist() == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert not quality.clean


def test_negative_change_rates_are_no_fault(cleaned):
    assert cleaned(put(3, 5, -29.9))[2].counts == {}


def test_numbers_written_as_text_are_numbers(cleaned):
    _, table, quality = cleaned(put(3, 6, "123.5"))
    assert quality.counts == {}
    assert table.column("당일거래대금")[3] == 123.5


def test_unsorted_rows_are_sorted_and_counted(cleaned):
    raw, table, quality = cleaned(lambda table: table.reverse())
    assert quality.counts == {"unsorted": 9}
    assert table.clock.tolist() == sorted(raw.clock.tolist())
    assert table.rowid.tolist() == list(range(10, 0, -1))


def test_the_same_row_twice_is_kept_once(cleaned):
    _, table, quality = cleaned(lambda table: table.append(list(table[4])))
    assert quality.counts == {"unsorted": 1, "duplicate": 1}
    assert len(table) == 10
    assert quality.quarantined == ()


def test_of_different_rows_with_one_clock_the_last_written_is_kept(cleaned):
    def spoil(table):
        table.insert(5, [table[4][0], *[7.0] * 44])

    _, table, quality = cleaned(spoil)
    assert quality.counts == {"conflicting": 1, "crossed_book": 1}
    assert table.column("현재가")[4] == 7.0
    assert [(row.rowid, row.why) for row in quality.quarantined] == [(5, "a later row has the same clock")]


def test_gap_of_more_than_a_minute_is_counted_within_a_day_only(cleaned, db):
    def spoil(table):
        table[5][0] = db.clocks(db.day, 1, start=90_200)[0]
        for at, clock in enumerate(db.clocks(db.day + 1, 4), start=6):
            table[at][0] = clock

    assert cleaned(spoil)[2].counts == {"clock_gaps": 1}


def test_row_with_several_faults_is_counted_under_each_and_listed_once(cleaned):
    def spoil(table):
        table[3][0], table[3][1], table[3][6] = None, -5.0, 9e999

    quality = cleaned(spoil)[2]
    assert quality.counts == {"bad_clock": 1, "infinite": 1, "negative": 1}
    assert [row.why for row in quality.quarantined] == ["clock is no date and time"]


def test_every_counted_fault_is_in_the_written_policy():
    import stom_ray.store.quality as policy

    assert all(f"| {fault} |" in policy.__doc__ for fault in FAULTS)


def test_leap_days_are_dates():
    clocks = np.array([20240229000000, 20230229000000, 20000229235959, 21000229000000, 20241301000000, 20240100000000])
    assert valid_clock(clocks).tolist() == [True, False, True, False, False, False]
