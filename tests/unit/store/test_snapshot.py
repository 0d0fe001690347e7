import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from stom_ray.errors import StoreError
from stom_ray.store import snapshot as module
from stom_ray.store.snapshot import read_snapshot


def content(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def summary(snapshot):
    return snapshot.how, snapshot.connection.execute('SELECT count(*) FROM "000001"').fetchall()[0][0]


@pytest.fixture
def file(tmp_path, db):
    return db.write(tmp_path / "ticks.db", {"000001": db.rows(db.clocks(db.day, 50))})


def test_reading_leaves_the_folder_as_it_was(file):
    before = content(file.parent)
    assert read_snapshot(file, summary) == ("rollback", 50)
    assert content(file.parent) == before


def test_wal_database_that_nobody_has_open_is_read_without_leaving_wal_or_shm_behind(tmp_path, db):
    file = db.write(tmp_path / "ticks.db", {"000001": db.rows(db.clocks(db.day, 50))}, wal=True)
    before = content(tmp_path)
    assert list(before) == ["ticks.db"]
    assert read_snapshot(file, summary) == ("at rest", 50)
    assert content(tmp_path) == before


def test_wal_database_at_rest_that_changes_while_it_is_read_is_read_again(tmp_path, db):
    file = db.write(tmp_path / "ticks.db", {"000001": db.rows(db.clocks(db.day, 50))}, wal=True)
    seen = []

    def work(snapshot):
        seen.append(summary(snapshot))
        if len(seen) == 1:
            with closing(sqlite3.connect(file)) as writer:
                db.append(writer, "000001", db.rows(db.clocks(db.day, 10, start=91_000)))
                writer.commit()
        return seen[-1]

    assert read_snapshot(file, work) == ("at rest", 60)
    assert len(seen) == 2


def test_live_wal_is_read_up_to_its_last_commit(tmp_path, db):
    file = db.write(tmp_path / "ticks.db", {"000001": db.rows(db.clocks(db.day, 50))}, wal=True)
    with closing(sqlite3.connect(file)) as writer:
        db.append(writer, "000001", db.rows(db.clocks(db.day, 10, start=91_000)))
        writer.commit()
        db.append(writer, "000001", db.rows(db.clocks(db.day, 10, start=92_000)))
        names, data = set(content(tmp_path)), (file.read_bytes(), Path(f"{file}-wal").read_bytes())
        assert read_snapshot(file, summary) == ("wal", 60)
        assert (set(content(tmp_path)), (file.read_bytes(), Path(f"{file}-wal").read_bytes())) == (names, data)


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_what_a_killed_writer_left_is_recovered_on_a_copy(tmp_path, db, journal):
    file = db.write(tmp_path / "ticks.db", {"000001": db.rows(db.clocks(db.day, 2_000))}, wal=journal == "WAL")
    script = f"""
import os, sqlite3
con = sqlite3.connect({str(file)!r}, isolation_level=None)
con.execute("PRAGMA cache_size = 5"); con.execute("PRAGMA wal_autocheckpoint = 0"); con.execute("PRAGMA cache_spill = 1")
con.execute("BEGIN"); con.execute('DELETE FROM "000001" WHERE rowid > 1900')
con.execute("{"COMMIT" if journal == "WAL" else ""}")
if con.in_transaction: con.execute('UPDATE "000001" SET "현재가" = 7')
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    if journal == "WAL":
        os.unlink(f"{file}-shm")
    before = content(tmp_path)
    assert len(before) == 2
    assert read_snapshot(file, summary) == ("recovered copy", 1_900 if journal == "WAL" else 2_000)
    assert content(tmp_path) == before


def test_recovery_without_room_says_how_much_is_needed(file, monkeypatch):
    monkeypatch.setattr(module, "_begun_unless_hot", lambda *_: None)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    with pytest.raises(StoreError, match="set TMPDIR to a larger disk"):
        read_snapshot(file, summary)


def test_locked_database_is_named_after_the_wait(file, monkeypatch):
    monkeypatch.setattr(module, "BUSY_MS", 50)
    script = f"""
import sqlite3, sys
con = sqlite3.connect({str(file)!r}, isolation_level=None)
con.execute("BEGIN EXCLUSIVE"); print("locked", flush=True); sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"locked\n"
        with pytest.raises(StoreError, match=r"ticks\.db: locked by another program"):
            read_snapshot(file, summary)
        writer.communicate()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.touch(), "is empty"),
        (lambda path: path.write_bytes(b"code,price\n" * 500), "not an SQLite database"),
        (lambda path: path.write_bytes(b"SQLite"), "not an SQLite database"),
        (lambda path: path.write_bytes(b"SQLite format 3\x00" + bytes(range(256)) * 32), "ticks.db"),
    ],
)
def test_what_is_no_database_is_named_with_a_remedy(tmp_path, make, message):
    path = tmp_path / "ticks.db"
    make(path)
    with pytest.raises(StoreError, match=message):
        read_snapshot(path, summary)


def test_file_names_with_spaces_hangul_and_question_marks_are_opened(tmp_path, db):
    file = db.write(tmp_path / "틱 db?#%41.db", {"000001": db.rows(db.clocks(db.day, 5))})
    assert read_snapshot(file, summary) == ("rollback", 5)
