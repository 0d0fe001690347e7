import json
import sqlite3
from pathlib import Path

import pytest

from stom_ray.errors import StoreError
from stom_ray.simulate import Edge, SimulateConfig, Term, demo_config, demo_strategy, simulate

SMALL = SimulateConfig(codes=3, days=2, seed=7, end=90300)


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    db = sqlite3.connect(path)
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    rows = {name: db.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables}
    db.close()
    return rows


def test_the_same_seed_gives_the_same_tables(tmp_path: Path) -> None:
    one, two = simulate(tmp_path / "one.db", SMALL), simulate(tmp_path / "two.db", SMALL)
    assert contents(tmp_path / "one.db") == contents(tmp_path / "two.db")
    assert (tmp_path / "one.db").read_bytes() == (tmp_path / "two.db").read_bytes()
    assert one.content_hash == two.content_hash


def test_another_seed_gives_another_market(tmp_path: Path) -> None:
    one = simulate(tmp_path / "one.db", SMALL)
    two = simulate(tmp_path / "two.db", SimulateConfig(codes=3, days=2, seed=8, end=90300))
    assert one.content_hash != two.content_hash
    assert one.codes != two.codes


def test_more_days_begin_with_the_same_days(tmp_path: Path) -> None:
    simulate(tmp_path / "short.db", SMALL)
    simulate(tmp_path / "long.db", SimulateConfig(codes=3, days=4, seed=7, end=90300))
    short, long = contents(tmp_path / "short.db"), contents(tmp_path / "long.db")
    assert all(long[name][: len(rows)] == rows for name, rows in short.items())


def test_an_existing_file_is_not_overwritten_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.db"
    path.write_bytes(b"precious")
    with pytest.raises(StoreError, match=r"mine\.db exists"):
        simulate(path, SMALL)
    assert path.read_bytes() == b"precious"
    simulate(path, SMALL, overwrite=True)
    assert len(contents(path)["moneytop"]) > 0


def test_a_folder_is_never_overwritten(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder"):
        simulate(tmp_path, SMALL, overwrite=True)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere does not exist"):
        simulate(tmp_path / "nowhere" / "a.db", SMALL)


@pytest.mark.parametrize("pages", [2, 8, 60])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages: int) -> None:
    path = tmp_path / "mine.db"
    path.write_bytes(b"precious")
    connect = sqlite3.connect

    def tiny(name: object, **settings: object) -> sqlite3.Connection:
        db = connect(name, **settings)  # type: ignore[call-overload]
        db.execute(f"PRAGMA max_page_count = {pages}")
        return db

    monkeypatch.setattr(sqlite3, "connect", tiny)
    with pytest.raises(StoreError, match="full"):
        simulate(path, SMALL, overwrite=True)
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]


def test_the_report_says_what_was_written_and_planted(tmp_path: Path) -> None:
    config = SimulateConfig(codes=3, days=2, seed=7, end=91000, edge=Edge((Term("strength", 100),), 40, 60))
    report = simulate(tmp_path / "a.db", config)
    tables = contents(tmp_path / "a.db")
    assert report.rows == sum(len(tables[code]) for code in report.codes)
    assert report.moneytop_rows == len(tables["moneytop"])
    assert report.days == (20230109, 20230110)
    assert report.fired_rows == report.triggers > 0
    told = json.loads(report.to_json())
    assert told["edge"]["condition"] == "데이터길이 >= 30 and 체결강도 > 100"
    assert told["edge"]["buy_text"] == config.edge.buy_text  # type: ignore[union-attr]
    assert told["config"]["edge"] == "40bp/60s/steady strength>100"
    for part in (f"{report.rows:,} rows", "+40 bp over 60 s", report.content_hash[:16]):
        assert part in report.render()


def test_a_report_without_an_edge_says_so(tmp_path: Path) -> None:
    report = simulate(tmp_path / "a.db", SMALL)
    assert report.edge_statement.startswith("no edge")
    assert report.edge_buy_text == ""


def test_an_edge_of_strength_zero_changes_nothing(tmp_path: Path) -> None:
    none = SimulateConfig(codes=3, days=2, seed=7, end=91000)
    zero = SimulateConfig(codes=3, days=2, seed=7, end=91000, edge=Edge((Term("strength", 100),), 0, 60))
    assert simulate(tmp_path / "a.db", none).content_hash == simulate(tmp_path / "b.db", zero).content_hash


def test_the_demo_is_shipped_and_its_edge_lies_inside_its_ranges() -> None:
    strategy, config = demo_strategy(), demo_config()
    assert "self.Buy()" in strategy.buy
    assert "self.Sell()" in strategy.sell
    assert strategy.ranges.count("self.vars[") == 12
    assert config.edge is not None
