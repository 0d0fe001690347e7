"""Findings outlive every way of being broken off."""

import pytest

from stom_ray.errors import LedgerError
from stom_ray.runs.calibration.state import Findings

IDENTITY = {"first_seed": 1, "code": "a"}
FOUND = {"noise-0-0000": {"believed": False}, "edge-1.45-0000": {"believed": True, "sharpe": {"winner": 0.25, "fresh": None}}}


@pytest.fixture
def written(tmp_path):
    with Findings(tmp_path / "findings.bin", IDENTITY) as state:
        for name, finding in FOUND.items():
            state.add(name, finding)
    return tmp_path / "findings.bin"


def test_findings_are_there_again(written) -> None:
    with Findings(written, IDENTITY) as state:
        assert state.found == FOUND


def test_cut_at_any_byte_the_whole_records_before_remain_and_more_can_be_added(written, tmp_path) -> None:
    data = written.read_bytes()
    kept = set()
    for size in range(len(data)):
        written.write_bytes(data[:size])
        with Findings(written, IDENTITY) as state:
            assert list(state.found) == list(FOUND)[: len(state.found)]
            kept.add(len(state.found))
            state.add("more", {"believed": False})
        with Findings(written, IDENTITY) as state:
            assert "more" in state.found
    assert kept == {0, 1}


def test_damage_in_the_middle_names_the_offset(written) -> None:
    data = bytearray(written.read_bytes())
    data[40] ^= 1
    written.write_bytes(data)
    with pytest.raises(LedgerError, match=r"findings\.bin: damaged at offset 8"), Findings(written, IDENTITY):
        pass


def test_findings_of_another_calibration_are_not_mixed_in(written) -> None:
    with pytest.raises(LedgerError, match="code a, now b"), Findings(written, {**IDENTITY, "code": "b"}):
        pass


def test_another_kind_of_file_is_left_alone(tmp_path) -> None:
    place = tmp_path / "findings.bin"
    place.write_text("a letter")
    with pytest.raises(LedgerError, match="no file of findings"), Findings(place, IDENTITY):
        pass
    assert place.read_text() == "a letter"


def test_two_processes_do_not_write_the_same_findings(written) -> None:
    with (
        Findings(written, IDENTITY),
        pytest.raises(LedgerError, match="another process is writing"),
        Findings(written, IDENTITY),
    ):
        pass
