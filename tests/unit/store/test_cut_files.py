"""Every file of a store, cut at every byte, is named with what to do; what it is not needed for loads."""

import pytest

from stom_ray.errors import StoreError
from stom_ray.store.catalog import LoadReport
from stom_ray.store.ingest import ingest
from stom_ray.store.inspect import verify
from stom_ray.store.load import data_hash, load_panel
from stom_ray.store.manifest import check_place, read_table_manifest
from stom_ray.store.segments import MappedSegment, read_rankings_segment


@pytest.fixture(scope="module")
def store(tmp_path_factory, db):
    place = tmp_path_factory.mktemp("store")
    tables = {code: db.rows(db.clocks(db.day, 2, start=93_000), seed=int(code)) for code in ("000001", "000002")}
    ingest(db.write(place / "ticks.db", tables), place / "store")
    return place / "store"


def cuts(path):
    """Every shorter beginning in the file's place, in turn; the whole file again in the end."""
    whole = path.read_bytes()
    try:
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            yield length
    finally:
        path.write_bytes(whole)


def test_the_store_s_own_manifest(store):
    path = store / "manifest.json"
    for _ in cuts(path):
        with pytest.raises(StoreError) as caught:
            check_place(store)
        assert str(path) in str(caught.value)
    assert check_place(store)


@pytest.mark.parametrize("folder", ["ticks/000001", "moneytop"])
def test_a_table_s_manifest(store, folder):
    path = store / folder / "manifest.json"
    for _ in cuts(path):
        with pytest.raises(StoreError) as caught:
            read_table_manifest(store / folder)
        assert str(path) in str(caught.value)
        assert "ingest again" in str(caught.value)
    assert read_table_manifest(store / folder).days


def test_a_segment_of_ticks_takes_down_its_table_only(store):
    before = data_hash(load_panel(store))
    (path,) = (store / "ticks" / "000001").glob("*.arrow")
    segment = MappedSegment(path, path.stat().st_size, "tick_v1", ())
    for length in cuts(path):
        with pytest.raises(StoreError) as caught:
            segment.check()
        assert f"{path}: has {length} bytes" in str(caught.value)
        if length % 500 == 0:  # loading asks that of every segment
            found = LoadReport()
            assert load_panel(store, report=found).codes == ("000002",)
            assert found.failed == {"000001": str(caught.value)}
    assert data_hash(load_panel(store)) == before


def test_a_segment_of_rankings(store):
    (path,) = (store / "moneytop").glob("*.arrow")
    size = path.stat().st_size
    for length in cuts(path):
        with pytest.raises(StoreError) as caught:
            read_rankings_segment(path, size)
        assert f"{path}: has {length} bytes" in str(caught.value)
    assert verify(store) == {}
