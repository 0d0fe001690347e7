"""Processes are killed while a run is on; what it leaves in the end is what it would have left."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def kills():
    """The harness of `python -m benchmarks.kills`."""
    spec = importlib.util.spec_from_file_location("kills_harness", ROOT / "benchmarks" / "kills.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_run_killed_three_times_and_resumed_equals_the_undisturbed_one(kills, tmp_path, monkeypatch):
    monkeypatch.setitem(kills.SIZES, "serial", (200, 20))
    tally = kills.measure(3, ["serial"], 5, tmp_path)
    assert len(tally.kills) == 3
    assert tally.differences == []
    assert tally.failures == []


def test_the_harness_sees_a_changed_result(kills):
    expected = dict(kills.leaves("result.json", {"best": {"objective": 1.0}, "seconds": {"search": 2.0}}))
    found = dict(kills.leaves("result.json", {"best": {"objective": 1.5}, "seconds": {"search": 3.0}}))
    assert kills.differences(found, expected) == ["result.json.best.objective: 1.5, undisturbed 1.0"]
