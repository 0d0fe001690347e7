import sqlite3
from contextlib import closing

import numpy as np
import pytest

from stom_ray.distributed.data import run_on_ray, session_dataset
from stom_ray.distributed.session import session
from stom_ray.store.ingest import ingest
from stom_ray.store.load import load_panel
from stom_ray.store.shards import plan_shards

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def ray_session():
    with session(num_cpus=2, object_store_mib=120) as info:
        yield info


@pytest.fixture
def market(tmp_path, db):
    tables = {
        code: [row for day in (20240102, 20240103) for row in db.rows(db.clocks(day, 300), seed=int(code) + day)]
        for code in ("000001", "000002", "000003")
    }
    file = db.write(tmp_path / "ticks.db", tables)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute('CREATE TABLE "000004" (a, b)')
        connection.commit()
    return file


def files(store):
    return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*") if path.is_file()}


def test_ray_makes_the_store_and_the_report_that_this_process_makes(ray_session, market, tmp_path):
    alone = ingest(market, tmp_path / "alone")
    on_ray = ingest(market, tmp_path / "ray", tasks_runner=run_on_ray)
    assert files(tmp_path / "ray") == files(tmp_path / "alone")
    assert {**on_ray.to_json(), "store": ""} == {**alone.to_json(), "store": ""}
    assert list(on_ray.failed) == ["000004"]
    assert ingest(market, tmp_path / "ray", tasks_runner=run_on_ray).rows == 0


def test_dataset_of_shards_holds_every_row_of_the_panel_once(ray_session, market, tmp_path):
    ingest(market, tmp_path / "store")
    panel = load_panel(tmp_path / "store")
    dataset = session_dataset(plan_shards(tmp_path / "store", 3, ["현재가", "초당매수금액"]))
    frame = dataset.to_pandas().sort_values(["code", "index"])
    assert len(frame) == panel.n_rows == 1_800
    assert np.array_equal(frame["index"], panel.clock)
    assert frame["초당매수금액"].to_numpy().tobytes() == panel.column("초당매수금액").tobytes()
