"""Random databases, as messy as SQLite makes them: what the page decoder gives is what the library gives, bit for bit."""

import ctypes
import sqlite3
from contextlib import closing

import apsw
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stom_ray.schema.columns import LAYOUTS
from stom_ray.store import table as table_module
from stom_ray.store.rankings import read_rankings
from stom_ray.store.snapshot import Snapshot, read_snapshot
from stom_ray.store.table import read_table

NAMES = LAYOUTS["tick_v1"].columns
WIDTHS = [0, 1, 2**7, 2**15, 2**23, 2**31, 2**47, 2**63]
EDGES = sorted({sign * (width + off) for width in WIDTHS for off in (-1, 0, 1) for sign in (1, -1)})
INTEGER = st.one_of(st.sampled_from([edge for edge in EDGES if -(2**63) <= edge < 2**63]), st.integers(-(2**63), 2**63 - 1))
NUMBER = st.one_of(st.none(), INTEGER, st.floats(allow_nan=False), st.sampled_from([0.0, -0.0, 1.0, 2.0**53, 5e-324, 1.5]))
ROW_ID = st.one_of(
    st.sampled_from([2 ** (7 * k) + off for k in range(1, 9) for off in (-1, 0)]), st.integers(-(2**63), 2**63 - 1)
)
QUIET = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def build(path, *, page_size, declared, statements):
    """A table 000001 of tick_v1's columns, then these statements."""
    body = ", ".join(f'"{name}" {kind}' for name, kind in zip(NAMES, declared, strict=True))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {page_size}")
        connection.execute("PRAGMA auto_vacuum = 0")
        connection.execute(f'CREATE TABLE "000001" ({body})')
        for sql, rows in statements:
            if rows is None:
                connection.execute(sql)
            else:
                connection.execute("BEGIN")
                connection.executemany(sql, rows)
                connection.execute("COMMIT")
    return path


def insert(rows):
    marks = ",".join("?" * (1 + len(NAMES)))
    columns = ",".join(["rowid", *(f'"{name}"' for name in NAMES)])
    return f'INSERT OR REPLACE INTO "000001" ({columns}) VALUES ({marks})', rows


def both(path):
    """(from the pages or None, read_table's answer, through the library)."""

    def work(snapshot):
        slow = Snapshot(snapshot.path, snapshot.how, snapshot.connection, None)
        columns = snapshot.columns("000001")
        found = {column.name: at for at, column in enumerate(columns)}
        library = read_table(slow, "000001")
        return table_module._fast(snapshot, "000001", columns, found, library.names), read_table(snapshot, "000001"), library

    return read_snapshot(path, work)


def same(one, other):
    return (
        one.clock.tolist() == other.clock.tolist()
        and one.rowid.tolist() == other.rowid.tolist()
        and one.values.tobytes() == other.values.tobytes()
    )


@st.composite
def numeric_rows(draw):
    """Rows with random numbers in random columns and any row ids."""
    count = draw(st.integers(0, 60))
    ids = draw(st.lists(ROW_ID, min_size=count, max_size=count, unique=True))
    base = [draw(NUMBER) for _ in NAMES[1:]]
    rows = []
    for at, key in enumerate(ids):
        row = list(base)
        for _ in range(draw(st.integers(0, 6))):
            row[draw(st.integers(0, 43))] = draw(NUMBER)
        rows.append([key, draw(st.one_of(st.just(20240102090000 + at), st.none(), INTEGER)), *row])
    return rows


@QUIET
@given(
    rows=numeric_rows(),
    page_size=st.sampled_from([1024, 4096, 65536]),
    declared=st.lists(st.sampled_from(["REAL", "INTEGER", "NUMERIC", ""]), min_size=45, max_size=45),
)
def test_any_numbers_in_any_storage_class_with_any_row_ids(tmp_path_factory, rows, page_size, declared):
    path = build(tmp_path_factory.mktemp("n") / "t.db", page_size=page_size, declared=declared, statements=[insert(rows)])
    fast, _, library = both(path)
    assert fast is not None
    assert len(library) == len(rows)
    assert same(fast, library)


@st.composite
def histories(draw):
    """What happens to a table over time: rows come, go and change, other tables grow between, the file is vacuumed."""
    steps = []
    top = 0
    for _ in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(["append", "append", "delete", "update", "move", "other", "drop", "vacuum"]))
        if kind == "append":
            size, seed = draw(st.integers(1, 400)), draw(st.integers(0, 10**6))
            steps.append(insert(list(random_rows(top, size, seed))))
            top += size
        elif kind == "delete":
            every, rest = draw(st.integers(2, 7)), draw(st.integers(0, 6))
            steps.append((f'DELETE FROM "000001" WHERE rowid % {every} = {rest % every}', None))
        elif kind == "update":
            value = draw(st.sampled_from(["NULL", "0", "123456789.25", "rowid", "-1"]))
            steps.append((f'UPDATE "000001" SET "{draw(st.sampled_from(NAMES[1:]))}" = {value} WHERE rowid % 3 = 1', None))
        elif kind == "move":
            steps.append(
                (f'UPDATE "000001" SET rowid = -rowid - {draw(st.integers(1, 10**9))} WHERE rowid > 5 AND rowid % 11 = 0', None)
            )
        elif kind == "other":
            steps.append(("CREATE TABLE IF NOT EXISTS other (a, b)", None))
            steps.append(("INSERT INTO other VALUES (?, ?)", [(k, "x" * 300) for k in range(draw(st.integers(1, 60)))]))
        elif kind == "drop":
            steps.append(("DROP TABLE IF EXISTS other", None))
        else:
            steps.append(("VACUUM", None))
    return steps


def random_rows(start, size, seed):
    rng = np.random.default_rng(seed)
    values = np.where(
        rng.random((size, 44)) < 0.5, np.floor(rng.gamma(1, 5_000, (size, 44))), np.round(rng.normal(0, 3, (size, 44)), 2)
    )
    for at, row in enumerate(values.tolist()):
        yield [start + at + 1, 20240102090000 + start + at, *row]


@QUIET
@given(steps=histories(), page_size=st.sampled_from([512, 1024, 4096]))
def test_freed_interior_moved_and_vacuumed_pages(tmp_path_factory, steps, page_size):
    path = tmp_path_factory.mktemp("h") / "t.db"
    build(path, page_size=page_size, declared=["INTEGER", *["REAL"] * 44], statements=steps)
    fast, answer, library = both(path)
    assert fast is not None or page_size == 512  # rows of 400 bytes overflow pages of 512
    assert fast is None or same(fast, library)
    assert same(answer, library)


@QUIET
@given(
    rows=numeric_rows(),
    odd=st.lists(
        st.tuples(st.integers(0, 59), st.integers(2, 45), st.sampled_from(["text", "12.5", "", b"blob", "현재가", "x" * 5_000])),
        max_size=4,
    ),
)
def test_text_and_blobs_go_through_the_library(tmp_path_factory, rows, odd):
    found = False
    for at, column, value in odd:
        if at < len(rows):
            rows[at][column] = value
            found = True
    path = tmp_path_factory.mktemp("o") / "t.db"
    build(path, page_size=4096, declared=["INTEGER", *["BLOB"] * 44], statements=[insert(rows)])
    fast, answer, library = both(path)
    assert (fast is None) == found
    assert same(answer, library)
    assert answer.text == library.text


@pytest.mark.parametrize("clock_at", [0, 1, 17, 44])
@pytest.mark.parametrize("clock", [20240102090000, None, 1, 0, 7.5, 20240102090000.0])
def test_the_clock_may_stand_anywhere_among_the_columns(tmp_path, clock_at, clock):
    path = tmp_path / "t.db"
    names = [*NAMES[1:]]
    names.insert(clock_at, NAMES[0])
    body = ", ".join(f'"{name}"' for name in names)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f'CREATE TABLE "000001" ({body})')
        for key, *values in random_rows(0, 50, 5):
            row = [*values[1:]]
            row.insert(clock_at, values[0] if key % 2 else clock)
            connection.execute(f'INSERT INTO "000001" VALUES ({",".join("?" * 45)})', row)
        connection.commit()
    fast, _, library = both(path)
    assert fast is not None
    assert same(fast, library)


@pytest.mark.parametrize("reserved", [0, 8, 32])
def test_bytes_reserved_at_the_end_of_pages_are_left_alone(tmp_path, reserved):
    path = tmp_path / "t.db"
    build(path, page_size=1024, declared=["INTEGER", *["REAL"] * 44], statements=[])
    sql, rows = insert(list(random_rows(0, 700, 3)))
    with closing(apsw.Connection(str(path))) as connection:
        connection.file_control("main", apsw.SQLITE_FCNTL_RESERVE_BYTES, ctypes.addressof(ctypes.c_int(reserved)))
        connection.execute("VACUUM")
        connection.execute("BEGIN")
        connection.executemany(sql, rows)
        connection.execute("COMMIT")
    assert path.read_bytes()[20] == reserved
    fast, _, library = both(path)
    assert len(library) == 700
    assert same(fast, library)


TEXT = st.one_of(
    st.text(st.sampled_from("005930;A가"), max_size=40),
    st.sampled_from(["", ";", "000001", "000001;000002", "x" * 9_000]),
)
CLOCK = st.one_of(
    st.integers(0, 70).map(lambda second: 20240102090000 + second),
    st.integers(0, 9).map(lambda second: 20240103090000 + second),
    st.sampled_from([0, 1, -5, 202401020900, 2**60]),
)


@QUIET
@given(
    rows=st.lists(st.tuples(CLOCK, TEXT), max_size=120),
    odd=st.lists(
        st.sampled_from([(None, "000001"), ("x", "000001"), (1.5, "000001"), (20240102090099, None), (20240102090001, b"1")]),
        max_size=2,
    ),
    repeat=st.integers(1, 5),
    encoding=st.sampled_from(["UTF-8", "UTF-8", "UTF-16le"]),
)
def test_rankings_from_pages_are_those_of_the_library(tmp_path_factory, rows, odd, repeat, encoding):
    path = tmp_path_factory.mktemp("r") / "t.db"
    rows = [row for row in rows for _ in range(repeat)] + odd
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA encoding = '{encoding}'")
        connection.execute("PRAGMA page_size = 1024")
        connection.execute('CREATE TABLE moneytop ("index" INTEGER, "거래대금순위" TEXT)')
        connection.executemany("INSERT INTO moneytop VALUES (?, ?)", rows)

    def work(snapshot):
        return read_rankings(snapshot), read_rankings(Snapshot(snapshot.path, snapshot.how, snapshot.connection, None))

    fast, slow = read_snapshot(path, work)
    assert sorted(fast) == sorted(slow)
    for day in slow:
        for part in ("clock", "first", "last"):
            assert getattr(fast[day], part).tolist() == getattr(slow[day], part).tolist()
        assert fast[day].code == slow[day].code
