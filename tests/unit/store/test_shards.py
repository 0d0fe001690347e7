import numpy as np
import pyarrow as pa
import pytest

from stom_ray.errors import ConfigError, SelectionError, StoreError
from stom_ray.store.ingest import ingest
from stom_ray.store.load import load_panel
from stom_ray.store.shards import plan_shards, shard_tables


@pytest.fixture
def store(tmp_path, db):
    tables = {code: db.rows(db.clocks(20240102, n) + db.clocks(20240103, 50)) for code, n in (("000001", 400), ("000002", 50))}
    ingest(db.write(tmp_path / "t.db", tables), tmp_path / "store")
    return tmp_path / "store"


@pytest.mark.parametrize("n", [1, 2, 3, 4, 50])
def test_shards_together_are_the_panel_in_its_order(store, n):
    panel = load_panel(store)
    tables = [table for shard in plan_shards(store, n, ["현재가", "초당매수금액"]) for table in shard_tables(shard)]
    assert len(tables) == panel.n_sessions
    whole = pa.concat_tables(tables)
    assert whole.column("index").to_pylist() == panel.clock.tolist()
    assert np.array(whole.column("초당매수금액")).tobytes() == panel.column("초당매수금액").tobytes()
    assert whole.column("code").to_pylist()[-1] == "000002"


def test_shards_are_about_equally_large(store):
    assert [shard.n_rows for shard in plan_shards(store, 2, [])] == [400, 150]


def test_shards_follow_the_selection(store):
    shards = plan_shards(store, 2, [], codes=["000002"], days=(20240103, 20240103), time=(90_040, 90_044))
    assert sum(shard.n_rows for shard in shards) == 5


def test_what_cannot_be_sharded_is_refused(store, tmp_path):
    with pytest.raises(ConfigError, match="n_shards is 0"):
        plan_shards(store, 0, [])
    with pytest.raises(StoreError, match="ingest the database first"):
        plan_shards(tmp_path / "t.db", 2, [])
    with pytest.raises(SelectionError):
        plan_shards(store, 2, [], days=(20250101, 20250101))
