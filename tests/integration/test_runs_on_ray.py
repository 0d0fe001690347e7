"""A whole run over Ray, from its YAML file to its report, against the same run in this process."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import ray
import yaml

from stom_ray import api
from stom_ray.distributed.mailbox import open_mailbox
from stom_ray.distributed.session import session
from stom_ray.errors import WorkerError
from stom_ray.search.ledger import Ledger
from stom_ray.search.table import trial_table

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]


@pytest.fixture(scope="module")
def ray_session():
    with session(num_cpus=2, object_store_mib=120):
        yield


def over_ray(path, name, **search):
    """The run of `path` again, over Ray, in a folder of its own."""
    record = yaml.safe_load(path.read_text(encoding="utf-8"))
    record["execution"] = {"backend": "ray", "workers": 2, "folder": name}
    record["search"].update(search)
    changed = path.with_name(f"{name}.yaml")
    changed.write_text(yaml.safe_dump(record, allow_unicode=True), encoding="utf-8")
    return api.load_config(changed)


def test_a_run_over_ray_finds_what_a_run_in_this_process_finds(ray_session, folder, write_run):
    folds = "cross_validation: {scheme: purged_kfold, folds: 3, evaluations: 10}\n"
    path = write_run(folder, walk_forward=folds)
    here = api.search(api.load_config(path))
    there = api.search(over_ray(path, "there"))
    pd.testing.assert_frame_equal(there.table, here.table)
    assert there.data.best == here.data.best
    assert len(there.data.cross_validation["folds"]) == 3
    assert there.to_json()["cross_validation"] == here.to_json()["cross_validation"]
    for number in (1, 2, 3):
        books = [Ledger.read(Path(run, "cross-validation", f"fold-{number:02d}", "ledger.bin")) for run in ("run", "there")]
        assert len(books[0].days) < 8
        tables = [trial_table(book.batches, 4).to_frame() for book in books]
        pd.testing.assert_frame_equal(*tables)


def test_structure_and_times_are_searched_over_ray_as_in_this_process(ray_session, folder, write_run):
    path = write_run(folder, walk_forward="")
    (folder / "terms.txt").write_text("체결강도 > {90, 110}\n등락율 > {0, 5}\n", encoding="utf-8")
    record = yaml.safe_load(path.read_text(encoding="utf-8"))
    record |= {"structure": {"library": "terms.txt"}, "space": {"exit_at": [90500]}}
    record["search"] |= {"sampler": "structure", "evaluations": 40}
    path.write_text(yaml.safe_dump(record, allow_unicode=True), encoding="utf-8")
    here = api.search(api.load_config(path))
    there = api.search(over_ray(path, "there"))
    pd.testing.assert_frame_equal(there.table, here.table)
    assert len(here.table) > 20
    assert there.data.best == here.data.best
    assert there.structure.found == here.structure.found


def test_sampler_optuna_is_ray_tunes_own_search(ray_session, folder, write_run):
    path = write_run(folder, walk_forward="")
    outcome = api.search(over_ray(path, "plain", sampler="optuna", islands=1, batch=1, evaluations=6))
    assert outcome.stopped_by == "done"
    assert set(outcome.table["source"]) == {"present", "optuna"}


def test_a_ray_that_loses_what_the_run_needs_is_told_as_such_with_what_to_do(ray_session):
    mailbox = open_mailbox()
    ray.kill(mailbox)
    with pytest.raises(WorkerError, match=r"Ray was lost \(ActorDiedError: .*run again with --resume"), session():
        ray.get(mailbox.collect.remote())
