import json

import numpy as np
import pytest

from stom_ray.schema.columns import TICK_V1_COLUMNS
from stom_ray.store.catalog import LoadReport
from stom_ray.store.ingest import ingest
from stom_ray.store.load import data_hash, load_panel, select


def cases(folder):
    for path in sorted(folder.glob("cases/*/params.json")):
        yield path.parent.name, json.loads(path.read_text()), json.loads((path.parent / "result.json").read_text())


def test_every_golden_case_loads_as_many_rows_as_stom_did(golden_db, golden_folder):
    checked = 0
    for name, params, result in cases(golden_folder):
        days = params.get("load_startday", 0), params.get("load_endday", 99_999_999)
        time = params.get("load_starttime", 90_000), params.get("load_endtime", 93_000)
        panel = load_panel(golden_db, codes=params.get("codes"), days=days, time=time)
        expected = result["ticks_loaded"]
        assert panel.n_rows == expected or (params.get("codes") and expected == 52_056), name
        checked += 1
    assert checked > 30


def test_golden_rows_are_those_of_stoms_own_table_bit_for_bit(golden_panel, golden_folder):
    loaded = np.load(golden_folder / "columns_005930_avg30_60_120.npz")["arr"]
    n = golden_panel.instrument_offsets[1]
    assert golden_panel.codes[0] == "005930"
    assert golden_panel.clock[:n].tolist() == loaded[:, 0].tolist()
    for at, name in enumerate(TICK_V1_COLUMNS[1:], start=1):
        assert golden_panel.column(name)[:n].tobytes() == loaded[:, at].tobytes(), name


def test_golden_store_is_the_golden_database(golden_db, golden_panel, tmp_path):
    ingest(golden_db, tmp_path / "store")
    stored = load_panel(tmp_path / "store", time=(90_000, 93_000))
    assert data_hash(stored) == data_hash(golden_panel)
    assert golden_panel.n_rows == 52_056
    assert len(golden_panel.ranking_clock) == 8_811


def test_golden_tables_are_clean_and_have_their_known_oddities(golden_db):
    found = LoadReport()
    load_panel(golden_db, report=found)
    assert all(table.clean for table in found.tables)
    assert {table.table: table.counts.get("crossed_book", 0) for table in found.tables if "crossed_book" in table.counts} == {
        "013849": 118
    }
    assert found.warnings == []


@pytest.mark.parametrize("name", ["c22_subset", "c22b_subset_loadrange"])
def test_selected_and_loaded_ranges_of_the_subset_cases(golden_db, golden_folder, name):
    params = json.loads((golden_folder / "cases" / name / "params.json").read_text())
    if "startday" in params:
        chosen = select(load_panel(golden_db, time=(90_000, 93_000)), days=(20230119, 20230125), time=(90_500, 92_000)).selected
    else:
        chosen = load_panel(golden_db, days=(20230119, 20230125), time=(90_500, 92_000))
    assert (chosen.n_rows, chosen.n_sessions) == (14_468, 19)
    assert chosen.ranking_clock[[0, -1]].tolist() == [20230119090500, 20230125092000]
