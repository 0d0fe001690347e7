"""A search for several objectives, from its configuration to its front in the command line, record, page and journal."""

import json
import shutil

import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection, load_study

from stom_ray.api import search
from stom_ray.config import load_config

SEVERAL = "seed: 1, objectives: [TG, -mdd], limits: {atc: [5, null]}, options: {population: 10}}"


def several(path):
    """The same run.yaml, for profit and the smallest drawdown."""
    path.write_text(path.read_text(encoding="utf-8").replace("seed: 1}", SEVERAL), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def weighed(tmp_path_factory, write_run, strategy_files):
    """A folder with a finished run of nsga2 in run/, and its outcome. To be looked at or copied."""
    folder = tmp_path_factory.mktemp("weighed")
    strategy_files(folder)
    return folder, search(load_config(several(write_run(folder, sampler="nsga2", walk_forward=""))))


def better(one, other):
    return one["TG"] >= other["TG"] and one["MDD"] <= other["MDD"] and one != other


def test_the_record_holds_the_front_and_every_row_of_it_is_inside_the_limits(weighed):
    folder, outcome = weighed
    record = json.loads((folder / "run" / "result.json").read_text(encoding="utf-8"))
    assert record["objectives"] == ["TG", "-MDD"]
    front = [row["objectives"] for row in record["front"]]
    assert [row["TG"] for row in front] == sorted((row["TG"] for row in front), reverse=True)
    trials = outcome.table[(outcome.table["atc"] >= 5) & (outcome.table["tc"] > 0)]
    everything = [{"TG": tsg, "MDD": mdd} for tsg, mdd in zip(trials["tsg"], trials["mdd"], strict=True)]
    assert {tuple(row.values()) for row in front} == {
        tuple(row.values()) for row in everything if not any(better(other, row) for other in everything)
    }
    assert record["best"]["objective"] == front[0]["TG"], "the first objective ranks, and what ranks is judged"
    for row in record["front"]:
        assert outcome.table["atc"][row["trial"]] >= 5


def test_the_front_is_shown_in_the_command_line_and_in_the_page(weighed):
    folder, outcome = weighed
    said = outcome.render()
    assert "ways to weigh TG ↑, MDD ↓" in said
    for row in outcome.to_json()["front"][:1]:
        assert f"{row['trial']:>8} {row['objectives']['TG']:>16,.10g} {row['objectives']['MDD']:>16,.10g}" in said
    page = (folder / "run" / "report" / "report.html").read_text(encoding="utf-8")
    assert 'id="front-table"' in page
    assert "MDD ↓" in page


def test_a_run_that_stopped_half_way_goes_on_to_the_same_front(cli, weighed, tmp_path, monkeypatch, write_run, strategy_files):
    strategy_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    half = cli("search", several(write_run(tmp_path, sampler="nsga2", walk_forward="", evaluations=20)), "--json", "-")
    assert half.code == 0, half.err
    whole = cli("search", several(write_run(tmp_path, sampler="nsga2", walk_forward="")), "--resume", "--json", "-")
    assert whole.code == 0, whole.err
    assert half.json["evaluations"] < whole.json["evaluations"]
    assert whole.json["front"] == weighed[1].to_json()["front"]


def test_another_sampler_follows_the_first_objective_and_its_front_is_shown_too(
    cli, tmp_path, monkeypatch, write_run, strategy_files
):
    strategy_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    path = write_run(tmp_path, walk_forward="", evaluations=20)
    path.write_text(several(path).read_text(encoding="utf-8").replace(", options: {population: 10}", ""), encoding="utf-8")
    done = cli("search", path, "--json", "-")
    assert done.code == 0, done.err
    assert done.json["front"]


def test_nsga_with_one_objective_is_refused_before_anything_is_read(cli, tmp_path, monkeypatch, write_run, strategy_files):
    strategy_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = cli("search", write_run(tmp_path, sampler="nsga3", walk_forward=""))
    assert done.code == 2
    assert "set search.objectives: [TG, -MDD], or use another sampler" in done.err
    assert not (tmp_path / "run").exists()


@pytest.mark.filterwarnings("ignore")
def test_a_watch_gives_optuna_the_directions_the_limits_and_the_whole_front(cli, weighed, tmp_path):
    run = shutil.copytree(weighed[0] / "run", tmp_path / "run")
    assert cli("watch", run, "--once", "--dense", 1).code == 0
    study = load_study(study_name="search", storage=JournalStorage(JournalFileBackend(str(run / "optuna.log"))))
    assert study.directions == [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
    assert study.metric_names == ["TG", "MDD"]
    theirs = {tuple(trial.values) for trial in study.best_trials}
    assert theirs == {tuple(row["objectives"].values()) for row in weighed[1].to_json()["front"]}
    whole = tmp_path / "whole.log"
    assert cli("watch", run, "--once", "--out", whole).code == 0
    every = load_study(study_name="search", storage=JournalStorage(JournalFileBackend(str(whole)))).get_trials()
    beyond = [next(iter(trial.constraints.values())) > 0 for trial in every]
    assert beyond == [trial.user_attrs["atc"] < 5 or trial.user_attrs["tc"] == 0 for trial in every]
    assert len(every) == len(weighed[1].table)
    assert any(beyond)
