"""`stom-ray watch`: what a run's ledgers hold, as optuna-dashboard reads it."""

import shutil
import warnings

import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from stom_ray import api
from stom_ray.search.ledger import Ledger


@pytest.fixture
def run(finished, tmp_path):
    """A copy of a finished run: a search and a walk-forward of two windows."""
    return shutil.copytree(finished / "run", tmp_path / "run")


def trials_of(journal):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        storage = JournalStorage(JournalFileBackend(str(journal)))
        return {study.study_name: storage.get_all_trials(study._study_id) for study in storage.get_all_studies()}


def test_a_watch_shows_every_study_of_a_run_and_changes_nothing_else(cli, run):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    done = cli("watch", run, "--once", "--json", "-")
    assert done.code == 0
    assert f"optuna-dashboard {run / 'optuna.log'}" in done.err
    ledgers = {path.parent.relative_to(run).as_posix(): len(Ledger.read(path)) for path in run.glob("*/**/ledger.bin")}
    assert len(ledgers) == 3
    assert {study["name"]: study["shown"] for study in done.json["studies"]} == ledgers
    assert {name: len(trials) for name, trials in trials_of(run / "optuna.log").items()} == ledgers
    assert all(path.read_bytes() == content for path, content in before.items())


def test_a_watch_that_follows_writes_what_comes_and_ends_with_ctrl_c(run):
    ledger = run / "search" / "ledger.bin"
    whole, seen = ledger.read_bytes(), []
    ledger.write_bytes(whole[: len(whole) // 2])

    def grow_then_stop(_):
        seen.append(len(trials_of(run / "optuna.log")["search"]))
        if ledger.read_bytes() == whole:
            raise KeyboardInterrupt
        ledger.write_bytes(whole)

    outcome = api.watch(run, progress=grow_then_stop)
    assert 0 < seen[0] < seen[-1] == len(Ledger.read(ledger))
    assert [study.rows for study in outcome.studies if study.name == "search"] == seen[-1:]


def test_a_watch_says_what_is_wrong_with_its_folder(cli, tmp_path, run):
    done = cli("watch", tmp_path, "--once")
    assert done.code == 2
    assert "config.yaml is missing" in done.err
    for path in run.glob("*/**/ledger.bin"):
        path.unlink()
    done = cli("watch", run, "--once")
    assert done.code == 2
    assert "no ledger in there yet" in done.err
