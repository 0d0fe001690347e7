import sqlite3
from contextlib import closing

import pytest

from stom_ray.errors import SchemaError
from stom_ray.store.rankings import Instrument, read_instruments, read_rankings
from stom_ray.store.snapshot import read_snapshot

BASE = 20240102090000


def ranking(tmp_path, db, rows):
    return read_snapshot(db.write(tmp_path / "t.db", {"000001": []}, moneytop=rows), read_rankings)


def test_runs_are_stretches_of_rows_that_name_the_code(tmp_path, db):
    rows = [(BASE + 30, "a;b"), (BASE + 31, "a"), (BASE + 35, "a;b"), (BASE + 36, "a;b"), (BASE + 1_000_030, "b")]
    found = ranking(tmp_path, db, rows)
    day = found[20240102]
    assert list(zip(day.code, (day.first - BASE).tolist(), (day.last - BASE).tolist(), strict=True)) == [
        ("a", 30, 36),
        ("b", 30, 30),
        ("b", 35, 36),
    ]
    assert sorted(found) == [20240102, 20240103]
    assert found[20240103].code == ("b",)


@pytest.mark.parametrize(
    ("low", "high", "codes"),
    [
        (0, 99, {"a", "b"}),
        (31, 34, {"a"}),
        (32, 34, set()),
        (35, 35, {"a", "b"}),
        (37, 99, set()),
        (0, 29, set()),
        (30, 30, {"a", "b"}),
    ],
)
def test_code_is_present_when_a_row_inside_the_window_names_it(tmp_path, db, low, high, codes):
    rows = [(BASE + 30, "a;b"), (BASE + 31, "a"), (BASE + 35, "a;b"), (BASE + 36, "a;b")]
    assert ranking(tmp_path, db, rows)[20240102].present(BASE + low, BASE + high) == codes


def test_unsorted_rows_are_sorted_and_of_one_clock_the_last_row_counts(tmp_path, db):
    rows = [(BASE + 31, "b"), (BASE + 30, "a"), (BASE + 31, "c"), (None, "x"), ("x", "x"), (BASE + 99, "x"), (BASE + 32, None)]
    day = ranking(tmp_path, db, rows)[20240102]
    assert (day.clock - BASE).tolist() == [30, 31, 32]
    assert day.code == ("a", "c")


def test_no_table_is_none_and_an_empty_one_is_no_days(tmp_path, db):
    assert read_snapshot(db.write(tmp_path / "a.db", {"000001": []}, moneytop=None), read_rankings) is None
    assert read_snapshot(db.write(tmp_path / "b.db", {"000001": []}, moneytop=[]), read_rankings) == {}


def test_instruments_have_names_and_markets(tmp_path, db):
    file = db.write(
        tmp_path / "t.db",
        {"000001": []},
        stockinfo=[("000001", "가", 1), ("000002", "나", 0), ("000003", "다", None), ("4", None, 1)],
    )
    found = read_snapshot(file, read_instruments)
    assert found == {"000001": Instrument("가", True), "000002": Instrument("나", False), "000003": Instrument("다", None)}


@pytest.mark.parametrize(("table", "read"), [("moneytop", read_rankings), ("stockinfo", read_instruments)])
def test_other_columns_are_refused_naming_the_expected(tmp_path, table, read):
    with closing(sqlite3.connect(tmp_path / "t.db")) as connection:
        connection.execute(f"CREATE TABLE {table} (a, b)")
        connection.commit()
    with pytest.raises(SchemaError, match=f"table {table} has a, b: expected index and"):
        read_snapshot(tmp_path / "t.db", read)
