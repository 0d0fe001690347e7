"""A search that prunes, from its YAML file to its report: every pruned row counts, and the reader is told."""

import json

import pytest
from optuna.trial import TrialState
from typer.testing import CliRunner

from stom_ray.cli.main import app
from stom_ray.runs.register import read_register
from stom_ray.search.ledger_tail import LedgerTail
from stom_ray.search.optuna_journal import OptunaJournal
from stom_ray.simulate import SimulateConfig, simulate

TEXTS = {
    "buy.txt": "매수 = True\nif not (체결강도 > self.vars[1]):\n    매수 = False\nif 매수:\n    self.Buy()\n",
    "sell.txt": "매도 = False\nif 보유시간 > self.vars[2]:\n    매도 = True\nif 매도:\n    self.Sell()\n",
    "vars.txt": "self.vars[0] = [[30, 30, 0], 30]\nself.vars[1] = [[95, 149, 3], 101]\nself.vars[2] = [[20, 300, 20], 60]\n",
    "run.yaml": """\
data: {path: market.db}
strategy: {buy: buy.txt, sell: sell.txt, ranges: vars.txt}
search: {sampler: genetic, evaluations: 120, islands: 2, batch: 30, halving: {keep: 2, days: [1, 2], controls: 0.2}}
execution: {backend: serial, workers: 1, folder: run}
""",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("halving")
    simulate(place / "market.db", SimulateConfig(codes=3, days=4, seed=5))
    for name, text in TEXTS.items():
        (place / name).write_text(text, encoding="utf-8")
    result = CliRunner().invoke(app, ["search", str(place / "run.yaml"), "--json", str(place / "search.json")])
    assert result.exit_code == 0, result.output
    return place


def test_the_record_and_the_report_say_how_many_were_pruned_and_what_the_controls_say(folder):
    record = json.loads((folder / "search.json").read_text(encoding="utf-8"))
    assert 60 < record["evaluations"] <= 121, "two islands may ask for the same row, which counts once"
    (told,) = [text for text in record["warnings"] if "stopped on early rungs" in text]
    assert "(1, 2 of 4 days)" in told
    assert "controls" in told
    html = (folder / "run" / "report" / "report.html").read_text(encoding="utf-8")
    assert "rank correlation" in html


def test_pruned_rows_are_registered_as_trials_and_shown_as_pruned_to_optuna(folder):
    (entry,) = read_register(folder / "run").studies
    record = json.loads((folder / "search.json").read_text(encoding="utf-8"))
    assert entry.trials == record["evaluations"]
    assert len(entry.returns()) >= entry.trials
    tail, journal = LedgerTail(folder / "run" / "search" / "ledger.bin"), OptunaJournal(folder / "optuna.log")
    mirror = journal.mirror("search", tail.header, dense=1_000)
    seen = list(tail.news())
    for one in seen:
        mirror.add(one)
    pruned = sum(int(one.pruned.sum()) for one in seen)
    states = [mirror._trial(one, row).state for one in seen for row in range(len(one.keys))]
    assert states.count(TrialState.PRUNED) == pruned > 30
    journal.flush()


def test_a_report_made_again_says_the_same(folder):
    before = json.loads((folder / "run" / "result.json").read_text(encoding="utf-8"))
    result = CliRunner().invoke(app, ["report", str(folder / "run")])
    assert result.exit_code == 0, result.output
    after = json.loads((folder / "run" / "result.json").read_text(encoding="utf-8"))
    assert after["warnings"] == before["warnings"]
    assert after["card"] == before["card"]


def test_more_days_than_the_data_have_are_refused_before_anything_runs(folder):
    (folder / "long.yaml").write_text(TEXTS["run.yaml"].replace("[1, 2]", "[1, 9]").replace("folder: run", "folder: other"))
    result = CliRunner().invoke(app, ["search", str(folder / "long.yaml")])
    assert result.exit_code != 0
    assert "halving runs rows on 9 days" in result.output + str(result.exception or "")
    assert not (folder / "other" / "search" / "ledger.bin").exists()
