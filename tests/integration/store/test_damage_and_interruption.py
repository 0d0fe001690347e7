import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from stom_ray.store.catalog import LoadReport
from stom_ray.store.ingest import ingest, run_task
from stom_ray.store.inspect import inspect, verify
from stom_ray.store.load import data_hash, load_panel

CODES = tuple(f"{number:06d}" for number in range(1, 13))


@pytest.fixture
def market(tmp_path, db):
    tables = {
        code: [row for day in (20240102, 20240103) for row in db.rows(db.clocks(day, 700), seed=int(code) + day)]
        for code in CODES
    }
    return db.write(tmp_path / "ticks.db", tables)


def smash(file, code):
    with closing(sqlite3.connect(file)) as connection:
        sql = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY pageno LIMIT 1 OFFSET 20"
        (page,) = connection.execute(sql, (code,)).fetchone()
    with open(file, "r+b") as handle:
        handle.seek((page - 1) * 4096)
        handle.write(b"\xa5" * 4096)


def test_smashed_page_takes_down_its_table_only(market, tmp_path):
    whole = load_panel(market)
    smash(market, "000003")
    others = [code for code in CODES if code != "000003"]
    found = LoadReport()
    panel = load_panel(market, report=found)
    report = ingest(market, tmp_path / "store", workers=2)
    assert list(report.failed) == list(found.failed) == list(inspect(market).failed) == ["000003"]
    assert "table 000003 is damaged" in report.render()
    assert panel.codes == load_panel(tmp_path / "store").codes == tuple(others)
    assert data_hash(load_panel(tmp_path / "store")) == data_hash(panel)
    rows = whole.session_code != CODES.index("000003")
    kept = [whole.column("등락율")[whole.offsets[at] : whole.offsets[at + 1]].tobytes() for at in range(24) if rows[at]]
    assert panel.column("등락율").tobytes() == b"".join(kept)


def test_killed_ingest_has_whole_tables_only_and_resumes_with_the_rest(market, tmp_path):
    store = tmp_path / "store"
    script = f"""
import sys
from stom_ray.store.ingest import ingest
ingest({str(market)!r}, {str(store)!r}, progress=lambda result: print(result.code, flush=True))
"""
    kills = 0
    for after in (2, 4, 6):
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
            for _ in range(after):
                process.stdout.readline()
            time.sleep(0.001 * after)
            process.send_signal(signal.SIGKILL)
            process.stdout.read()
        kills += process.wait() == -signal.SIGKILL
        assert verify(store) == {}
        assert len(load_panel(store).codes) >= 1
    assert kills >= 1, "no kill came in time"
    done = set(load_panel(store).codes)
    report = ingest(market, store)
    assert {table.code for table in report.tables} == set(CODES) - done
    assert data_hash(load_panel(store)) == data_hash(load_panel(market))
    assert not list(store.rglob("*.tmp")) or all("manifest" in path.name for path in store.rglob("*.tmp"))


@pytest.mark.parametrize("cut", range(0, 900, 60))
def test_manifest_cut_at_any_byte_is_repaired_by_deleting_what_the_message_names(market, tmp_path, cut):
    store = tmp_path / "store"
    ingest(market, store, tasks_runner=_first_tables)
    path = store / "ticks" / "000001" / "manifest.json"
    path.write_bytes(path.read_bytes()[:cut])
    found = LoadReport()
    load_panel(store, report=found)
    assert str(path) in found.failed["000001"]
    assert "ingest again" in found.failed["000001"]


def _first_tables(tasks):
    return [run_task(task) for task in tasks[:3]]


def test_script_without_a_main_guard_ingests_with_any_number_of_workers(market, tmp_path):
    script = f"""
from stom_ray import api
print(len(api.ingest([{str(market)!r}], {str(tmp_path / "store")!r}, workers=3).tables))
"""
    file = tmp_path / "plain.py"
    file.write_text(script)
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("12\n", "")
    assert data_hash(load_panel(tmp_path / "store")) == data_hash(load_panel(market))
