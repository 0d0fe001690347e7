"""What was tried on the same data is counted once, whatever happens to the file."""

import json
import os
import threading

import numpy as np
import pytest

from stom_ray.errors import LedgerError
from stom_ray.runs.register import NAME, day_digests, read_register, register_look, register_study
from stom_ray.search.daily_file import daily_path

DAYS = {20230110: "aa", 20230111: "bb"}
LATER = {20230111: "bb", 20230112: "cc"}
OTHER_DATA = {20230110: "xx", 20230111: "yy"}


@pytest.fixture
def folder(tmp_path):
    """Of a run."""
    run = tmp_path / "runs" / "one"
    run.mkdir(parents=True)
    return run


def file_of(folder):
    return folder.parent / NAME


def add(folder, study="s1", trials=5, days=DAYS):
    register_study(folder, "data", study, folder / study / "ledger.bin", trials, days)


def write_returns(folder, study, rows, days=2):
    ledger = folder / study / "ledger.bin"
    ledger.parent.mkdir(exist_ok=True)
    daily_path(ledger).write_bytes(np.arange(rows * days, dtype="<f4").tobytes())


def test_a_study_counts_once_however_often_it_is_registered(folder):
    add(folder, trials=0)
    add(folder, trials=5)
    before = file_of(folder).read_bytes()
    add(folder, trials=0)
    add(folder, trials=5)
    assert file_of(folder).read_bytes() == before
    other = folder.with_name("two")
    other.mkdir()
    add(other, trials=5)
    (study,) = read_register(folder).studies
    assert (study.study, study.trials) == ("s1", 5)
    assert study.ledger == other / "s1" / "ledger.bin"


def test_studies_and_looks_are_on_the_same_data_where_they_share_a_day(folder):
    add(folder, "s1")
    add(folder, "s2", days=LATER)
    add(folder, "s3", days=OTHER_DATA)
    register_look(folder, "data", "l1", DAYS)
    register_look(folder, "data", "l2", {20230112: "cc"})
    register_look(folder, "data", "l3", OTHER_DATA)
    found = read_register(folder)
    assert [one.study for one in found.studies_on(DAYS, apart_from="s1")] == ["s2"]
    assert [one.study for one in found.studies_on(DAYS, apart_from="none")] == ["s1", "s2"]
    assert (found.looks_on(DAYS), found.looks_on(LATER)) == (1, 2)
    assert found.looks_on({20230110: ""}) == 0


def test_a_look_that_is_gone_on_with_stays_one_look(folder):
    register_look(folder, "data", "l1", {20230110: "aa"})
    register_look(folder, "data", "l1", DAYS)
    found = read_register(folder)
    assert (len(found.looks), found.looks_on({20230111: "bb"})) == (1, 1)


def test_returns_are_those_on_disk_also_of_trials_after_the_last_entry(folder):
    add(folder, trials=3)
    write_returns(folder, "s1", 4)
    (study,) = read_register(folder).studies
    np.testing.assert_array_equal(study.returns(), np.arange(8, dtype=np.float32).reshape(4, 2))


def test_a_study_whose_files_are_gone_still_counts_its_trials(folder):
    add(folder, trials=7)
    returns = read_register(folder).studies[0].returns()
    assert returns.shape == (7, 2)
    assert np.isnan(returns).all()
    write_returns(folder, "s1", 6)
    assert read_register(folder).studies[0].returns().shape == (7, 2)


def test_a_folder_of_runs_can_be_moved(folder, tmp_path):
    add(folder, trials=4)
    write_returns(folder, "s1", 4)
    moved = folder.parent.rename(tmp_path / "moved") / "one"
    assert not np.isnan(read_register(moved).studies[0].returns()).any()


def test_cut_at_every_byte_the_whole_lines_before_remain_and_the_next_is_written_over_the_rest(folder):
    add(folder, "s1")
    add(folder, "s2")
    register_look(folder, "data", "l1", DAYS)
    whole = file_of(folder).read_bytes()
    for length in range(len(whole)):
        file_of(folder).write_bytes(whole[:length])
        lines = whole[: whole.rfind(b"\n", 0, length) + 1]
        found = read_register(folder)
        assert len(found.studies) + len(found.looks) == lines.count(b"\n")
        assert file_of(folder).read_bytes() == whole[:length], "a reader writes nothing"
        if length % 8 == 0:  # what is written is fsynced
            add(folder, "s3")
            assert file_of(folder).read_bytes().startswith(lines)
            assert read_register(folder).studies[-1].study == "s3"


def test_a_torn_last_line_is_written_over(folder):
    add(folder, "s1")
    first = file_of(folder).read_bytes()
    add(folder, "s2")
    whole = file_of(folder).read_bytes()
    for torn in (whole[:-1], first + b"\0" * 500):
        file_of(folder).write_bytes(torn)
        add(folder, "s2")
        assert file_of(folder).read_bytes() == whole


def test_damage_before_the_last_line_names_file_and_line(folder):
    for study in ("s1", "s2", "s3"):
        add(folder, study)
    lines = file_of(folder).read_bytes().splitlines(keepends=True)
    for place in (20, len(lines[1]) // 2):
        broken = bytearray(lines[1])
        broken[place] ^= 4
        file_of(folder).write_bytes(lines[0] + bytes(broken) + lines[2])
        with pytest.raises(LedgerError, match=rf"{NAME}: line 2 is damaged.*restore a copy"):
            read_register(folder)
        with pytest.raises(LedgerError, match="line 2 is damaged"):
            add(folder, "s4")


def test_several_writers_at_once_lose_nothing(folder):
    writers = [threading.Thread(target=add, args=(folder, f"s{number}")) for number in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(one.study for one in read_register(folder).studies) == [f"s{number}" for number in range(6)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(folder):
    folder.parent.chmod(0o500)
    try:
        with pytest.raises(LedgerError, match=r"is the folder writable"):
            add(folder)
    finally:
        folder.parent.chmod(0o700)


def test_lines_are_json_behind_their_digest(folder):
    add(folder)
    digest, _, text = file_of(folder).read_text(encoding="utf-8").rstrip("\n").partition(" ")
    assert len(digest) == 16
    assert json.loads(text) == {
        "kind": "study",
        "study": "s1",
        "data": "data",
        "ledger": "one/s1/ledger.bin",
        "trials": 5,
        "days": {"20230110": "aa", "20230111": "bb"},
    }


def test_a_day_is_known_by_its_instruments_clocks_and_prices(make_panel):
    sessions = [("000020", 20230110, 4), ("000020", 20230111, 4), ("000030", 20230110, 3)]
    one = day_digests(make_panel(sessions))
    assert list(one) == [20230110, 20230111]
    assert day_digests(make_panel(sessions)) == one
    fewer = day_digests(make_panel(sessions[:2]))
    assert fewer[20230110] != one[20230110]
    assert fewer[20230111] == one[20230111]
