"""A program writes while we read: every snapshot is a committed prefix, and the files stay the writer's."""

import hashlib
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stom_ray.store.ingest import ingest
from stom_ray.store.load import load_panel
from stom_ray.store.snapshot import read_snapshot
from stom_ray.store.table import read_table

# Commits groups of 10 rows of two tables up to 200 times a second; row k of a table holds k in every column.
WRITER = """
import sqlite3, sys, time
path, batches = sys.argv[1], int(sys.argv[2])
con = sqlite3.connect(path, timeout=60, isolation_level=None)
done = con.execute('SELECT count(*) FROM "000001"').fetchone()[0]
for batch in range(batches):
    con.execute("BEGIN IMMEDIATE")
    for code in ("000001", "000002"):
        for k in range(done, done + 10):
            second = 32400 + k
            clock = 20240102 * 1000000 + second // 3600 * 10000 + second // 60 % 60 * 100 + second % 60
            con.execute(f'INSERT INTO "{code}" VALUES ({",".join("?" * 45)})', [clock] + [k] * 44)
    con.execute("COMMIT")
    done += 10
    time.sleep(0.004)
print(done, flush=True)
"""


@pytest.fixture(params=["rollback", "wal"])
def live(request, tmp_path, db):
    first = [[clock, *[float(k)] * 44] for k, clock in enumerate(db.clocks(20240102, 10))]
    tables = dict.fromkeys(("000001", "000002"), first)
    return db.write(tmp_path / "ticks.db", tables, moneytop=[(20240102090030, "000001;000002")], wal=request.param == "wal")


def check_prefix(table):
    assert len(table) % 10 == 0
    assert (table.values == table.rowid - 1).all()
    return len(table)


def test_every_snapshot_under_a_writer_is_a_committed_prefix(live):
    lengths = []
    with subprocess.Popen([sys.executable, "-c", WRITER, str(live), "300"], stdout=subprocess.PIPE) as writer:
        while writer.poll() is None:
            first, second = read_snapshot(live, lambda snapshot: [read_table(snapshot, code) for code in ("000001", "000002")])
            assert len(first) == len(second), "both tables as of one commit"
            lengths.append(check_prefix(first))
            check_prefix(second)
        assert writer.returncode == 0
        assert int(writer.stdout.read()) == 3_010
    assert lengths == sorted(lengths)
    assert len(set(lengths)) > 3, "the reader saw the table grow"
    assert load_panel(live).n_rows == 6_020


def test_ingests_under_a_writer_end_in_the_store_of_the_finished_file(live, tmp_path):
    with subprocess.Popen([sys.executable, "-c", WRITER, str(live), "200"], stdout=subprocess.PIPE) as writer:
        while writer.poll() is None:
            report = ingest(live, tmp_path / "store")
            assert report.failed == {}
            for code in ("000001", "000002"):
                assert load_panel(tmp_path / "store", codes=[code]).n_rows % 10 == 0
    ingest(live, tmp_path / "store")
    whole = load_panel(live)
    assert load_panel(tmp_path / "store").column("현재가").tobytes() == whole.column("현재가").tobytes()
    assert whole.n_rows == 4_020


def test_readers_change_no_byte_of_a_database_that_is_open_elsewhere(live):
    script = """
import sqlite3, sys
con = sqlite3.connect(sys.argv[1], isolation_level=None)
con.execute('BEGIN'); con.execute('DELETE FROM "000001" WHERE rowid = 10'); con.execute('COMMIT')
con.execute('SELECT count(*) FROM "000001"').fetchall(); print('open', flush=True); sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", script, str(live)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"open\n"
        before = _bytes(live)
        readers = [threading.Thread(target=load_panel, args=(live,)) for _ in range(4)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        assert load_panel(live).n_rows == 19
        assert _bytes(live) == before
        other.communicate()


def _bytes(path):
    """Names beside the database, and the content of database and WAL (a reader marks its place in `-shm`, as SQLite has it)."""
    found = {
        one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in Path(path).parent.iterdir() if "-shm" not in one.name
    }
    return found, sorted(one.name for one in Path(path).parent.iterdir())
