import errno
import json
import os
import sqlite3
from contextlib import closing

import pyarrow as pa
import pytest

from stom_ray.errors import ConfigError, SchemaError, StomError, StoreError
from stom_ray.schema.columns import TICK_V1_COLUMNS
from stom_ray.store import rankings, segments
from stom_ray.store import table as table_module
from stom_ray.store.btree import Decoded
from stom_ray.store.catalog import LoadReport
from stom_ray.store.ingest import ingest
from stom_ray.store.inspect import inspect, verify
from stom_ray.store.load import data_hash, iter_blocks, load_panel

DAYS = (20240102, 20240103, 20240104)
CODES = ("000001", "000002", "000003")


@pytest.fixture
def tables(db):
    def make(days=DAYS, codes=CODES, seed=0):
        return {code: [row for day in days for row in db.rows(db.clocks(day, 80), seed=seed + day + int(code))] for code in codes}

    return make


@pytest.fixture
def market(tmp_path, db, tables):
    return db.write(tmp_path / "t.db", tables(), stockinfo=[("000001", "가나다", 1)])


def add(file, db, code, table):
    with closing(sqlite3.connect(file)) as connection:
        db.append(connection, code, table)
        connection.executemany("INSERT INTO moneytop VALUES (?, ?)", [(row[0], code) for row in table])
        connection.commit()


def changed_rows(file, sql):
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(sql)
        connection.commit()


def equal_panels(one, other):
    assert data_hash(one) == data_hash(other)
    assert (one.codes, one.names, one.layout) == (other.codes, other.names, other.layout)
    for name in ("session_code", "session_day", "offsets", "clock", "ranking_clock"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist()
    for name in TICK_V1_COLUMNS[1:]:
        assert one.column(name).tobytes() == other.column(name).tobytes()


def files(store):
    return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "wish",
    [{}, {"codes": ["000002"]}, {"days": (DAYS[1], DAYS[1])}, {"time": (90_010, 90_040)},
     {"codes": ["000001"], "days": DAYS[:2], "time": (90_031, 90_031)}],
)  # fmt: skip
def test_store_gives_the_panel_that_the_database_gives(market, tmp_path, wish):
    ingest(market, tmp_path / "store")
    equal_panels(load_panel(tmp_path / "store", **wish), load_panel(market, **wish))


@pytest.mark.parametrize("workers", [2, 5])
def test_any_number_of_workers_makes_the_same_store(market, tmp_path, workers):
    ingest(market, tmp_path / "one")
    ingest(market, tmp_path / "many", workers=workers)
    assert files(tmp_path / "one") == files(tmp_path / "many")


def test_tables_of_different_sizes_read_one_after_the_other_keep_their_own_rows(tmp_path, db):
    sizes = {"000001": 900, "000002": 20, "000003": 0, "000004": 1, "000005": 500}
    table = {code: db.rows(db.clocks(DAYS[0], n), seed=int(code)) for code, n in sizes.items()}
    market = db.write(tmp_path / "t.db", table)
    other = db.write(tmp_path / "u.db", {code: db.rows(db.clocks(DAYS[1], 60), seed=int(code)) for code in sizes})
    report = ingest([market, other], tmp_path / "store")
    assert {one.code: one.rows for one in report.tables} == {code: n + 60 for code, n in sizes.items()}
    equal_panels(load_panel(tmp_path / "store"), load_panel([market, other]))


def test_verify_compares_every_table_with_the_library_and_gives_checksums(market, tmp_path):
    store = tmp_path / "store"
    ingest(market, store)
    before = files(store)
    report = ingest(market, store, verify=True, workers=2)
    assert sorted(report.to_json()["checksums"]) == list(CODES)
    assert "verified: 3 tables" in report.render()
    assert files(store) == before
    again = ingest(market, tmp_path / "other", verify=True)
    assert again.to_json()["checksums"] == report.to_json()["checksums"]


@pytest.mark.parametrize("wrong", ["value", "clock", "row id", "row count", "ranking"])
def test_table_that_the_library_reads_differently_is_named_and_not_taken(market, tmp_path, monkeypatch, wrong):
    spoil_decoder(monkeypatch, wrong)
    report = ingest(market, tmp_path / "store", verify=True)
    if wrong == "ranking":
        assert "table moneytop: the ranking of 20240102 is not what the SQLite library reads" in report.failed["moneytop"]
        return
    what = {"value": "현재가 of row 6", "clock": "index of row 6", "row id": "row id of row 6", "row count": "239 rows by its"}[
        wrong
    ]
    assert sorted(report.failed) == list(CODES)
    assert f"table 000001: {'the table (' if wrong == 'row count' else ''}{what}" in report.failed["000001"]
    assert not (tmp_path / "store" / "ticks").exists()


def spoil_decoder(monkeypatch, wrong):
    """The page decoder makes one mistake a table."""
    real, real_texts = table_module.decode_table, rankings.decode_texts

    def decode(*arguments):
        found = real(*arguments)
        if wrong == "row count":
            return Decoded(found.clock[:-1], found.rowid[:-1], found.values[:, :-1])
        if wrong in ("value", "clock", "row id"):
            {"value": found.values[0], "clock": found.clock, "row id": found.rowid}[wrong][5] += 1
        return found

    def texts(*arguments):
        clock, which, text = real_texts(*arguments)
        return clock, which, ["000009", *text[1:]]

    monkeypatch.setattr(table_module, "decode_table", decode)
    if wrong == "ranking":
        monkeypatch.setattr(rankings, "decode_texts", texts)


def test_columns_of_an_instrument_are_mapped_not_copied(market, tmp_path):
    ingest(market, tmp_path / "store")
    panel = load_panel(tmp_path / "store", codes=["000002"])
    price = panel.column("현재가")
    assert not price.flags.owndata
    assert not price.flags.writeable


def test_segments_are_plain_arrow_files_that_anything_can_open(market, tmp_path):
    ingest(market, tmp_path / "store")
    (path,) = (tmp_path / "store" / "ticks" / "000001").glob("*.arrow")
    table = pa.ipc.open_file(path).read_all()
    assert table.column_names == list(TICK_V1_COLUMNS)
    assert table.schema.metadata[b"code"] == b"000001"


def test_second_ingest_reads_nothing_when_nothing_changed(market, tmp_path):
    store = tmp_path / "store"
    ingest(market, store)
    before = files(store)
    report = ingest(market, store)
    assert (report.rows, report.to_json()["tables_unchanged"]) == (0, 3)
    assert files(store) == before


def test_second_ingest_takes_new_and_changed_days_only(market, tmp_path, db):
    store = tmp_path / "store"
    ingest(market, store)
    add(market, db, "000001", db.rows(db.clocks(20240105, 30)))
    changed_rows(market, 'UPDATE "000002" SET "현재가" = 5 WHERE "index" = 20240103090010')
    report = ingest(market, store)
    found = {table.code: (table.new_days, table.changed_days, table.same_days) for table in report.tables}
    assert found == {"000001": ((20240105,), (), 3), "000002": ((), (20240103,), 2), "000003": ((), (), 3)}
    equal_panels(load_panel(store), load_panel(market))
    assert verify(store) == {}


def test_segment_that_no_day_needs_any_more_is_removed(market, tmp_path):
    store = tmp_path / "store"
    ingest(market, store)
    changed_rows(market, 'UPDATE "000002" SET "현재가" = 5')
    ingest(market, store)
    assert len(list((store / "ticks" / "000002").glob("*.arrow"))) == 1
    equal_panels(load_panel(store), load_panel(market))


def test_days_that_vanish_from_a_database_stay_in_the_store(market, tmp_path):
    ingest(market, tmp_path / "store")
    for code in CODES:
        changed_rows(market, f'DELETE FROM "{code}" WHERE "index" < 20240103000000')
    ingest(market, tmp_path / "store")
    assert load_panel(tmp_path / "store").days.tolist() == list(DAYS)


def test_per_day_files_make_the_store_that_one_file_makes(tmp_path, db, tables):
    whole = db.write(tmp_path / "back.db", tables())
    parts = [db.write(tmp_path / f"stock_tick_{day}.db", tables(days=(day,))) for day in DAYS]
    ingest(whole, tmp_path / "one")
    ingest(parts[:2], tmp_path / "two")
    ingest(parts, tmp_path / "two")
    equal_panels(load_panel(tmp_path / "one"), load_panel(tmp_path / "two"))
    equal_panels(load_panel(parts), load_panel(whole))


def test_day_in_several_files_is_the_last_ones_and_an_unchanged_file_never_takes_it_back(tmp_path, db, tables):
    one = db.write(tmp_path / "a.db", tables(codes=CODES[:1]))
    two = db.write(tmp_path / "b.db", tables(codes=CODES[:1], days=DAYS[:1], seed=9))
    store = tmp_path / "store"
    report = ingest([one, two], store)
    assert report.tables[0].new_days == DAYS
    equal_panels(load_panel(store), load_panel([one, two]))
    add(one, db, "000001", db.rows(db.clocks(20240105, 30)))
    report = ingest([one, two], store)
    assert (report.tables[0].new_days, report.tables[0].changed_days) == ((20240105,), ())
    equal_panels(load_panel(store, days=DAYS[:2]), load_panel([one, two], days=DAYS[:2]))


def test_dirty_rows_are_in_the_report_and_in_the_store_with_why(tmp_path, db, tables):
    dirty = tables()
    dirty["000002"][5][1] = -3.0
    dirty["000002"][7][6] = "x"
    market = db.write(tmp_path / "t.db", dirty)
    report = ingest(market, tmp_path / "store")
    assert report.counts == report.counts | {"negative": 1, "text": 1}
    assert "table 000002 row 6 clock 20240102090005: negative 현재가" in report.render()
    assert "negative: 1 (quarantined)" in report.render()
    found = LoadReport()
    equal_panels(load_panel(tmp_path / "store", report=found), load_panel(market))
    assert {one.table: one.counts.get("text") for one in found.tables} == {"000001": None, "000002": 1, "000003": None}
    assert json.dumps(report.to_json())
    assert "negative: 1" in inspect(tmp_path / "store").render()
    assert "negative: 1 (would be quarantined)" in inspect(market).render()


def test_table_that_cannot_be_read_is_named_and_takes_no_other_down(tmp_path, db, tables):
    market = db.write(tmp_path / "t.db", tables())
    changed_rows(market, 'ALTER TABLE "000002" RENAME COLUMN "현재가" TO "price"')
    report = ingest(market, tmp_path / "store")
    assert list(report.failed) == ["000002"]
    assert "FAILED 000002" in report.render()
    assert load_panel(tmp_path / "store").codes == ("000001", "000003")
    assert list(inspect(market).failed) == ["000002"]
    changed_rows(market, 'ALTER TABLE "000002" RENAME COLUMN "price" TO "현재가"')
    assert ingest(market, tmp_path / "store").failed == {}
    assert load_panel(tmp_path / "store").codes == CODES


def test_ranking_with_other_columns_is_named_and_ticks_are_kept(tmp_path, db, tables):
    market = db.write(tmp_path / "t.db", tables(), moneytop=None)
    changed_rows(market, "CREATE TABLE moneytop (a, b)")
    report = ingest(market, tmp_path / "store")
    assert list(report.failed) == ["moneytop"]
    assert len(report.tables) == 3


def test_database_without_ranking_gives_the_same_panel_from_a_store(tmp_path, db, tables):
    market = db.write(tmp_path / "t.db", tables(), moneytop=None)
    ingest(market, tmp_path / "store")
    found = LoadReport()
    equal_panels(load_panel(tmp_path / "store", report=found), load_panel(market, report=LoadReport()))
    assert "no moneytop" in found.warnings[0]


def test_blocks_of_a_store_are_whole_instruments(market, tmp_path):
    ingest(market, tmp_path / "store")
    blocks = list(iter_blocks(tmp_path / "store", max_rows=500))
    assert [block.codes for block in blocks] == [("000001", "000002"), ("000003",)]


def test_full_disk_is_one_clear_error_and_keeps_what_was_finished(market, tmp_path, monkeypatch):
    real = segments._write_batch

    def full(file, batch):
        if "000002" in str(file):
            file.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(file, batch)

    monkeypatch.setattr(segments, "_write_batch", full)
    with pytest.raises(StoreError, match=r"000002.*No space left on device.*what was finished is kept"):
        ingest(market, tmp_path / "store")
    assert load_panel(tmp_path / "store").codes == ("000001",)
    assert not list((tmp_path / "store").rglob("*.tmp"))
    monkeypatch.undo()
    report = ingest(market, tmp_path / "store")
    assert [table.code for table in report.tables] == ["000002", "000003"]
    equal_panels(load_panel(tmp_path / "store"), load_panel(market))


def test_store_of_another_version_is_refused_naming_both_and_the_remedy(market, tmp_path):
    store = tmp_path / "store"
    ingest(market, store)
    (store / "manifest.json").write_text(json.dumps({"format": "stom_ray store", "schema_version": 99}))
    for use in (lambda: load_panel(store), lambda: ingest(market, store), lambda: inspect(store), lambda: verify(store)):
        with pytest.raises(StoreError, match=r"schema version 99, this program reads and writes 2: ingest the databases again"):
            use()


def test_folder_with_other_things_in_it_is_not_made_a_store(market, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("important")
    with pytest.raises(StoreError, match="not empty and no store"):
        ingest(market, tmp_path / "other")
    with pytest.raises(StoreError, match="is a file: a store is a folder"):
        ingest(market, market)
    assert [one.name for one in (tmp_path / "other").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("why", ["missing", "no database", "nothing readable", "interrupted"])
def test_failed_ingest_leaves_no_store_behind(market, tmp_path, why):
    before = sorted(one.name for one in tmp_path.iterdir())
    store = tmp_path / "a" / "b" / "store"

    def interrupted(tasks):
        (store / "ticks" / "000001").mkdir(parents=True)
        (store / "ticks" / "000001" / "half.arrow.1.tmp").write_bytes(b"half")
        raise KeyboardInterrupt

    if why == "interrupted":
        with pytest.raises(KeyboardInterrupt):
            ingest(market, store, tasks_runner=interrupted)
    elif why == "nothing readable":
        ingest(market, store, tasks_runner=lambda tasks: [])
    else:
        file = tmp_path / "missing.db" if why == "missing" else tmp_path / "t.txt"
        with pytest.raises(StoreError):
            ingest(file, store)
    assert sorted(one.name for one in tmp_path.iterdir()) == before


def test_failed_ingest_keeps_a_folder_that_was_there_and_what_is_in_the_store(market, tmp_path):
    (tmp_path / "empty").mkdir()
    ingest(market, tmp_path / "empty", tasks_runner=lambda tasks: [])
    assert list((tmp_path / "empty").iterdir()) == []
    ingest(market, tmp_path / "store")
    before = files(tmp_path / "store")
    with pytest.raises(StoreError):
        ingest([market, tmp_path / "missing.db"], tmp_path / "store")
    assert files(tmp_path / "store") == before


def test_two_ingests_at_once_are_refused(market, tmp_path):
    def runner(tasks):
        with pytest.raises(StoreError, match="another ingest is writing it"):
            ingest(market, tmp_path / "store")
        return []

    ingest(market, tmp_path / "store", tasks_runner=runner)


@pytest.mark.parametrize(
    ("paths", "options", "error"),
    [([], {}, StoreError), (["missing.db"], {}, StoreError), (None, {"workers": 0}, ConfigError)],
)
def test_what_cannot_be_ingested_is_refused_first(market, tmp_path, paths, options, error):
    with pytest.raises(error):
        ingest(market if paths is None else paths, tmp_path / "store", **options)


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "junk manifest", "half manifest", "empty manifest"])
def test_damaged_store_is_named_with_file_and_remedy(market, tmp_path, damage):
    store = tmp_path / "store"
    ingest(market, store)
    (segment,) = (store / "ticks" / "000002").glob("*.arrow")
    manifest = store / "ticks" / "000002" / "manifest.json"
    content = bytearray(segment.read_bytes())
    if damage == "cut":
        segment.write_bytes(content[:-100])
    elif damage == "gone":
        segment.unlink()
    elif damage == "flip":
        content[len(content) // 2] ^= 255
        segment.write_bytes(content)
    else:
        manifest.write_text(
            {"junk manifest": "[]", "half manifest": manifest.read_text(encoding="utf-8")[:200], "empty manifest": "{}"}[damage]
        )
    assert [key for key in verify(store) if "000002" in key]
    if damage != "flip":
        with pytest.raises(StoreError, match=r"000002.*ingest again"):
            load_panel(store)
        found = LoadReport()
        assert load_panel(store, report=found).codes == ("000001", "000003")
        assert list(found.failed) == ["000002"]
    manifest.parent.rename(tmp_path / "away")
    ingest(market, store)
    equal_panels(load_panel(store), load_panel(market))


def test_progress_hears_of_every_table(market, tmp_path):
    heard = []
    ingest(market, tmp_path / "store", progress=lambda result: heard.append(result.code))
    assert sorted(heard) == [*CODES, "moneytop"]


def test_all_errors_are_of_one_root():
    assert issubclass(StoreError, StomError)
    assert issubclass(SchemaError, StomError)
