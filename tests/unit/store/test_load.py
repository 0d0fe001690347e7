import sqlite3
from contextlib import closing

import numpy as np
import pytest

from stom_ray.errors import SchemaError, SelectionError, StoreError
from stom_ray.schema.columns import DERIVED, LAYOUTS
from stom_ray.store.catalog import LoadReport
from stom_ray.store.load import data_hash, iter_blocks, load_panel, select
from stom_ray.store.panel import Panel

DAYS = (20240102, 20240103, 20240104)


@pytest.fixture
def market(tmp_path, db):
    """Two instruments, three days of 09:00:00 to 09:01:39; 000002 is in the ranking only before 09:00:30 of the first day."""
    tables = {
        code: [row for at, day in enumerate(DAYS) for row in db.rows(db.clocks(day, 100), seed=7 * at + int(code))]
        for code in ("000001", "000002")
    }
    ranking = db.everywhere(tables)
    absent = [(clock, text if clock > 20240102235959 or clock % 1_000_000 < 90_030 else "000001") for clock, text in ranking]
    return db.write(tmp_path / "t.db", tables, moneytop=absent, stockinfo=[("000001", "가나다", 1), ("999999", "없음", 0)])


def test_day_counts_when_the_ranking_names_the_code_after_half_past_nine_hours(market):
    panel = load_panel(market)
    sessions = [(panel.codes[code], int(day)) for code, day in zip(panel.session_code, panel.session_day, strict=True)]
    assert sessions == [("000001", day) for day in DAYS] + [("000002", day) for day in DAYS[1:]]
    assert panel.offsets.tolist() == [0, 100, 200, 300, 400, 500]


def test_ranking_is_read_from_090030_though_rows_start_earlier(market):
    panel = load_panel(market, days=(DAYS[0], DAYS[0]))
    assert panel.clock[0] == 20240102090000
    assert panel.ranking_clock[0] == 20240102090030
    assert len(panel.ranking_clock) == 70


def test_hours_are_inclusive_on_both_ends_and_decide_about_the_ranking_too(market):
    panel = load_panel(market, time=(90_040, 90_049))
    assert panel.n_rows == 50
    assert panel.clock[[0, 9]].tolist() == [20240102090040, 20240102090049]
    assert len(panel.ranking_clock) == 30


def test_names_of_the_instruments_that_are_there_come_from_stockinfo(market):
    assert dict(load_panel(market).names) == {"000001": "가나다"}


def test_columns_are_those_of_the_file_and_the_derived_ones(market):
    panel = load_panel(market, columns=["현재가"])
    assert list(panel.columns) == ["현재가"]
    assert panel.column("초당매수금액").tolist() == (panel.column("초당매수수량") * panel.column("현재가")).tolist()
    assert panel.column("저가대비고가등락율").tolist() == [round((1002 / 1003 - 1) * 100, 2)] * 500
    with pytest.raises(SchemaError, match="당일매수금액 is not there and does not follow"):
        panel.column("당일매수금액")


def test_the_54_column_layout_loads_the_columns_that_others_derive(tmp_path, db):
    file = db.write(tmp_path / "t.db", {"000001": db.rows(db.clocks(DAYS[0], 100), layout="tick_v2")}, layout="tick_v2")
    panel = load_panel(file)
    assert panel.layout == "tick_v2"
    for name in LAYOUTS["tick_v2"].values:
        assert len(panel.column(name)) == 100
    assert (
        panel.column("초당매수금액").tolist()
        != DERIVED["초당매수금액"].compute(panel.column("초당매수수량"), panel.column("현재가")).tolist()
    )


def test_minute_database_loads_with_seconds_in_its_clock(tmp_path, db):
    clock = [int(f"2024010209{minute:02d}") for minute in range(40)]
    file = db.write(tmp_path / "t.db", {"000001": db.rows(clock, layout="minute_v1")}, layout="minute_v1")
    panel = load_panel(file, time=(90_100, 91_000))
    assert (panel.layout, panel.n_rows, panel.clock[0]) == ("minute_v1", 10, 20240102090100)
    assert panel.ranking_clock.tolist() == panel.clock.tolist()


def test_database_without_ranking_uses_all_days_and_says_so(tmp_path, db):
    tables = {"000001": db.rows(db.clocks(DAYS[0], 50)), "000002": db.rows(db.clocks(DAYS[0], 50, start=90_020))}
    report = LoadReport()
    panel = load_panel(db.write(tmp_path / "t.db", tables, moneytop=None), report=report)
    assert panel.n_rows == 100
    assert len(panel.ranking_clock) == 70
    assert "no moneytop for 1 of the days (20240102 to 20240102)" in report.warnings[0]


def test_day_in_two_files_is_the_last_files(tmp_path, db):
    one = db.write(tmp_path / "a.db", {"000001": db.rows(db.clocks(DAYS[0], 50) + db.clocks(DAYS[1], 50))})
    two = db.write(tmp_path / "b.db", {"000001": db.rows(db.clocks(DAYS[1], 60), seed=5)})
    assert load_panel([one, two]).offsets.tolist() == [0, 50, 110]
    assert load_panel([two, one]).offsets.tolist() == [0, 50, 100]


def test_files_of_different_layouts_do_not_mix(tmp_path, db):
    one = db.write(tmp_path / "a.db", {"000001": db.rows(db.clocks(DAYS[0], 50))})
    two = db.write(tmp_path / "b.db", {"000001": db.rows(db.clocks(DAYS[1], 50), layout="tick_v2")}, layout="tick_v2")
    with pytest.raises(SchemaError, match="mixes layouts"):
        load_panel([one, two])
    assert load_panel([one, two], days=(DAYS[1], DAYS[1])).layout == "tick_v2"


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"codes": ["000003"]}, r"no instrument 000003; did you mean 000002\? There are 2: 000001, 000002"),
        ({"codes": []}, "no instruments asked for"),
        (
            {"days": (20240105, 20240105)},
            r"no rows on 20240105: there are 3 days from 20240102 to 20240104; did you mean 20240104\?",
        ),
        ({"days": (20240104, 20240102)}, "the first day is after the last"),
        ({"time": (93_000, 90_000)}, "expected FIRST-LAST as hhmmss"),
        ({"time": (0, 240_000)}, "expected FIRST-LAST as hhmmss"),
        ({"time": (140_000, 150_000)}, "no rows between 140000 and 150000 on any day.* have rows between 090000 and 090139"),
        ({"codes": ["000002"], "days": (DAYS[0], DAYS[0])}, "that the ranking .moneytop. covers"),
    ],
)
def test_selection_that_is_empty_or_not_there_says_what_exists(market, wish, message):
    with pytest.raises(SelectionError, match=message):
        load_panel(market, **wish)
    if "covers" not in message:
        with pytest.raises(SelectionError):
            list(iter_blocks(market, max_rows=100, **wish))


def test_unreadable_table_raises_without_a_report_and_is_left_out_with_one(tmp_path, db):
    tables = {code: db.rows(db.clocks(DAYS[0], 50)) for code in ("000001", "000002")}
    file = db.write(tmp_path / "t.db", tables)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute('ALTER TABLE "000001" RENAME COLUMN "현재가" TO "price"')
    with pytest.raises(SchemaError, match="table 000001"):
        load_panel(file)
    report = LoadReport()
    assert load_panel(file, report=report).codes == ("000002",)
    assert list(report.failed) == ["000001"]
    assert "left out" in report.warnings[0]


def test_database_without_instruments_is_refused(tmp_path, db):
    with pytest.raises(SchemaError, match=r"no instrument tables .* among its tables: moneytop"):
        load_panel(db.write(tmp_path / "t.db", {}, moneytop=[]))


def test_no_path_and_folders_that_are_no_store_are_refused(tmp_path):
    with pytest.raises(StoreError, match="no database given"):
        load_panel([])
    with pytest.raises(StoreError, match="no store here"):
        load_panel(tmp_path)


def test_session_is_a_view_of_its_column(market):
    panel = load_panel(market)
    view = panel.column("현재가")[panel.session_rows(3)]
    assert np.shares_memory(view, panel.column("현재가"))
    assert (
        panel.clock[panel.session_rows(3)].tolist()
        == load_panel(market, codes=["000002"], days=(DAYS[1], DAYS[1])).clock.tolist()
    )


def test_blocks_hold_whole_instruments_and_together_the_panel(market):
    whole = load_panel(market)
    blocks = list(iter_blocks(market, max_rows=300))
    assert [block.codes for block in blocks] == [("000001",), ("000002",)]
    assert np.concatenate([block.column("체결강도") for block in blocks]).tobytes() == whole.column("체결강도").tobytes()
    assert len(list(iter_blocks(market, max_rows=600))) == 1


class TestSelect:
    def test_everything_is_the_panel_itself(self, market):
        panel = load_panel(market)
        chosen = select(panel)
        assert chosen.selected is panel
        assert chosen.rows.tolist() == list(range(500))

    def test_rows_point_into_what_was_loaded(self, market):
        panel = load_panel(market)
        chosen = select(panel, codes=["000002"], days=(DAYS[1], DAYS[1]), time=(90_010, 90_019))
        assert chosen.selected.codes == ("000002",)
        assert chosen.rows.tolist() == list(range(310, 320))
        assert chosen.selected.clock.tolist() == panel.clock[chosen.rows].tolist()
        assert chosen.selected.column("체결강도").base is not None, "a stretch of rows is a view"

    def test_hours_cut_every_session_and_the_ranking(self, market):
        chosen = select(load_panel(market), time=(90_035, 90_036)).selected
        assert chosen.offsets.tolist() == [0, 2, 4, 6, 8, 10]
        assert (
            chosen.column("등락율").tolist()
            == load_panel(market).column("등락율")[select(load_panel(market), time=(90_035, 90_036)).rows].tolist()
        )
        assert (chosen.ranking_clock % 1_000_000).tolist() == [90_035, 90_036] * 3

    def test_what_is_not_loaded_cannot_be_selected(self, market):
        panel = load_panel(market, codes=["000001"])
        with pytest.raises(SelectionError, match="no instrument 000002"):
            select(panel, codes=["000002"])
        with pytest.raises(SelectionError, match=r"nothing selected.*loaded are 1 codes, 3 days from 20240102 to 20240104"):
            select(panel, days=(20250101, 20250101))


class TestHash:
    def test_same_data_same_hash_and_any_difference_another(self, market, tmp_path, db):
        panel = load_panel(market)
        assert data_hash(panel) == data_hash(load_panel(market, columns=["현재가", "시가"]))
        others = [
            load_panel(market, codes=["000001"]),
            load_panel(market, time=(90_000, 90_138)),
            load_panel(market, days=DAYS[:2]),
        ]
        others.append(select(panel, codes=["000001"]).selected)
        assert len({data_hash(one) for one in [panel, *others]}) == 5

    def test_one_changed_cell_changes_the_hash(self, tmp_path, db):
        table = db.rows(db.clocks(DAYS[0], 100))
        first = data_hash(load_panel(db.write(tmp_path / "a.db", {"000001": table})))
        table[50][44] += 1
        assert data_hash(load_panel(db.write(tmp_path / "b.db", {"000001": table}))) != first

    def test_panel_made_by_hand_is_hashed_by_its_content(self):
        def panel(price):
            one = np.array([0]), np.array([20240102]), np.array([0, 2]), np.array([20240102090000, 20240102090001])
            return Panel(("000001",), *one, np.array([], dtype=np.int64), "tick_v1", columns={"현재가": np.array(price)})

        assert data_hash(panel([1.0, 2.0])) == data_hash(panel([1.0, 2.0])) != data_hash(panel([1.0, 3.0]))
