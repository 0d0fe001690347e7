"""`stom-ray calibrate` as a user has it: a study of each kind, broken off and gone on with, by one process or two."""

from __future__ import annotations

import json

import pytest

from stom_ray import api
from stom_ray.runs import calibrate as module
from stom_ray.runs.calibration.plan import Plan


def told(outcome):
    """Findings without what depends on the clock."""
    return [{name: value for name, value in one.items() if name != "seconds"} for one in outcome.findings]


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory):
    """A calibration that was interrupted after one study."""
    folder, said = tmp_path_factory.mktemp("calibration"), []

    def interrupt(text):
        said.append(text)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        module.calibrate(folder, Plan(1, 1, 0, first_seed=0), say=interrupt)
    return folder, said


def test_a_calibration_that_was_broken_off_goes_on_and_writes_both_rates(broken_off, cli, tmp_path) -> None:
    folder, said = broken_off
    assert said == ["1 of 2 studies: noise believed in 0 of 1 studies (at most 95.0%)"]
    place = tmp_path / "out.json"
    done = cli("calibrate", "--studies", 1, "--seed", 0, "--workers", 1, "--out", folder, "--json", place)
    assert done.code == 0, done.err
    record = json.loads(place.read_text())
    assert (record["studies_ran"], record["noise_studies"], record["edge_studies"]) == (1, 1, 1)
    assert (record["noise_believed"], record["edge_found"]) == (0.0, 1.0)
    assert [group["name"] for group in record["groups"]] == ["noise, costs", "edge 1.45"]
    assert 0.5 < record["groups"][1]["size"] < 2
    assert "edges found in 1 of 1" in done.out
    assert "edges found in 1 of 1" in (folder / "table.md").read_text()


@pytest.mark.slow
def test_processes_change_nothing(broken_off, tmp_path) -> None:
    folder, _ = broken_off
    alone = module.calibrate(folder, Plan(1, 1, 0, first_seed=0), say=str)
    together = module.calibrate(tmp_path, Plan(1, 1, 0, first_seed=0), workers=2, say=str)
    assert told(together) == told(alone)
    assert together.ran == 2


def test_what_cannot_be_run_is_refused(cli, tmp_path) -> None:
    done = cli("calibrate", "--small", "--studies", 3, "--out", tmp_path)
    assert done.code == 2
    assert "give one of the two" in done.err
    assert cli("calibrate", "--workers", 0, "--out", tmp_path).code == 2
    with pytest.raises(module.ConfigError, match="no study"):
        api.calibrate(tmp_path, studies=0)
