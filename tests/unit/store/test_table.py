import sqlite3
from contextlib import closing

import numpy as np
import pytest

from stom_ray.errors import SchemaError, StoreError
from stom_ray.schema.columns import LAYOUTS
from stom_ray.store import table as module
from stom_ray.store.snapshot import Snapshot, read_snapshot
from stom_ray.store.table import NO_CLOCK, instrument_tables, read_table


def both(path, code):
    """(decoded from pages or None, read through the library)."""

    def work(snapshot):
        slow = read_table(Snapshot(snapshot.path, snapshot.how, snapshot.connection, None), code)
        columns = snapshot.columns(code)
        found = {column.name: at for at, column in enumerate(columns)}
        fast = module._fast(snapshot, code, columns, found, slow.names)
        return fast, slow

    return read_snapshot(path, work)


def equal(fast, slow):
    return (
        fast.clock.tolist() == slow.clock.tolist()
        and fast.rowid.tolist() == slow.rowid.tolist()
        and fast.values.tobytes() == slow.values.tobytes()
    )


@pytest.mark.parametrize("page_size", [512, 1024, 4096, 65536])
@pytest.mark.parametrize("n", [0, 1, 3, 2_500])
def test_pages_decode_to_what_the_library_reads(tmp_path, db, page_size, n):
    table = db.rows(db.clocks(db.day, n))
    extremes = [
        None,
        0,
        1,
        -1,
        127,
        -128,
        32767,
        -32768,
        2**23 - 1,
        -(2**23),
        2**31 - 1,
        2**47 - 1,
        -(2**47),
        2**53,
        0.1,
        -0.0,
        9e999,
        1e300,
    ]
    for at, value in enumerate(extremes[:n]):
        table[at][5] = value
    file = db.write(tmp_path / "t.db", {"000001": table}, page_size=page_size)
    fast, slow = both(file, "000001")
    assert len(slow) == n
    if page_size > 512:
        assert fast is not None
    assert fast is None or equal(fast, slow)


def test_rows_deleted_and_ids_set_by_hand_keep_row_id_order(tmp_path, db):
    file = db.write(tmp_path / "t.db", {"000001": db.rows(db.clocks(db.day, 3_000))})
    with closing(sqlite3.connect(file)) as connection:
        connection.execute('DELETE FROM "000001" WHERE rowid % 3 = 0')
        connection.execute('UPDATE "000001" SET rowid = -rowid WHERE rowid > 2900')
        connection.execute('UPDATE "000001" SET rowid = rowid * 1000000000 WHERE rowid BETWEEN 1 AND 50')
        connection.commit()
    fast, slow = both(file, "000001")
    assert equal(fast, slow)
    assert (np.diff(fast.rowid) > 0).all()


@pytest.mark.parametrize("value", ["n/a", "", b"\x00\x01", "현재가"])
def test_text_in_a_column_goes_through_the_library_and_is_remembered(tmp_path, db, value):
    table = db.rows(db.clocks(db.day, 20))
    table[7][3] = value
    file = db.write(tmp_path / "t.db", {"000001": table})
    fast, slow = both(file, "000001")
    assert fast is None
    assert slow.text == {7: "고가"}
    assert np.isnan(slow.column("고가")[7])
    assert slow.column("고가")[6] == 1002


def test_column_added_later_and_rows_without_it_are_read_by_the_library(tmp_path, db):
    file = db.write(tmp_path / "t.db", {"000001": db.rows(db.clocks(db.day, 20))})
    with closing(sqlite3.connect(file)) as connection:
        connection.execute('ALTER TABLE "000001" ADD COLUMN "초당매수금액" REAL')
        connection.commit()
    raw = read_snapshot(file, lambda snapshot: read_table(snapshot, "000001"))
    assert raw.layout == "tick_v2"
    assert np.isnan(raw.column("초당매수금액")).all()


def test_clock_as_primary_key_is_read(tmp_path, db):
    file = tmp_path / "t.db"
    names = LAYOUTS["tick_v1"].columns
    with closing(sqlite3.connect(file)) as connection:
        body = ", ".join(f'"{name}" {"INTEGER PRIMARY KEY" if name == "index" else "REAL"}' for name in names)
        connection.execute(f'CREATE TABLE "000001" ({body})')
        db.append(connection, "000001", db.rows(db.clocks(db.day, 20)))
        connection.commit()
    raw = read_snapshot(file, lambda snapshot: read_table(snapshot, "000001"))
    assert raw.clock.tolist() == db.clocks(db.day, 20)


@pytest.mark.parametrize(
    ("clock", "read"), [(None, NO_CLOCK), ("x", NO_CLOCK), ("20240102090000", 20240102090000), (1.5, NO_CLOCK)]
)
def test_clock_that_is_no_whole_number_is_no_clock(tmp_path, db, clock, read):
    table = db.rows(db.clocks(db.day, 3))
    table[1][0] = clock
    file = db.write(tmp_path / "t.db", {"000001": table}, moneytop=None)
    raw = read_snapshot(file, lambda snapshot: read_table(snapshot, "000001"))
    assert raw.clock[1] == read


def test_minute_clocks_get_seconds(tmp_path, db):
    table = db.rows([202401020900, 202401020901, 20240102090200], layout="minute_v1")
    file = db.write(tmp_path / "t.db", {"000001": table}, layout="minute_v1")
    raw = read_snapshot(file, lambda snapshot: read_table(snapshot, "000001"))
    assert (raw.layout, raw.clock[:2].tolist()) == ("minute_v1", [20240102090000, 20240102090100])
    assert raw.clock[2] < 0


def test_only_tables_named_by_a_code_are_instruments(tmp_path, db):
    file = db.write(tmp_path / "t.db", {"005930": [], "0008Z0": []}, stockinfo=[("005930", "삼성전자", 0)])
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE codename (a)")
        connection.execute('CREATE TABLE "05930" (a)')
        connection.commit()
    assert read_snapshot(file, instrument_tables) == ["0008Z0", "005930"]


def test_table_of_another_shape_is_refused_naming_file_and_table(tmp_path):
    file = tmp_path / "t.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute('CREATE TABLE "005930" (date INTEGER, close REAL)')
        connection.commit()
    with pytest.raises(SchemaError, match=r"t\.db: table 005930: columns are none of the layouts"):
        read_snapshot(file, lambda snapshot: read_table(snapshot, "005930"))


@pytest.mark.parametrize("junk", [b"\x00", b"\xff", b"\x0d", b"\x05\x00"])
def test_smashed_page_is_an_error_naming_the_table_never_wrong_rows(tmp_path, db, junk):
    file = db.write(tmp_path / "t.db", {"000001": db.rows(db.clocks(db.day, 2_000))})
    with closing(sqlite3.connect(file)) as connection:
        page = connection.execute(
            "SELECT pageno FROM dbstat WHERE name = '000001' AND pagetype = 'leaf' LIMIT 1 OFFSET 9"
        ).fetchone()[0]
    with open(file, "r+b") as handle:
        handle.seek((page - 1) * 4096)
        handle.write((junk * 4096)[:4096])
    with pytest.raises(StoreError, match="table 000001 is damaged"):
        read_snapshot(file, lambda snapshot: read_table(snapshot, "000001"))
