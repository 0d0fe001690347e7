"""Betting weights as a variable of a search, from its YAML file to what is told of the best row."""

import json

import pytest
from typer.testing import CliRunner

from stom_ray.cli.main import app
from stom_ray.config import load_config
from stom_ray.engine.types import ParamMatrix
from stom_ray.runs.played import play
from stom_ray.runs.subject import open_subject
from stom_ray.runs.winner import Winner
from stom_ray.simulate import SimulateConfig, simulate

BUY = "매수 = True\nif not (등락율 > self.vars[1]):\n    매수 = False\nif 매수:\n    self.Buy()\n"
SELL = "매도 = False\nif 보유시간 > 30:\n    매도 = True\nif 매도:\n    self.Sell()\n"
VARS = "self.vars[0] = [[30, 30, 0], 30]\nself.vars[1] = [[-25, 5, 10], -25]\n"
LESS, MORE = [4, 0, 5, 10, 15, 0.25, 0.25, 0.25, 0.25, 0.25], [4, 0, 5, 10, 15, 3, 3, 3, 3, 3]
RUN = {
    "data": {"path": "market.db"},
    "strategy": {"buy": "buy.txt", "sell": "sell.txt", "ranges": "vars.txt"},
    "engine": {"weights": LESS},
    "space": {"weights": [[0, 0, 0, 0, 0, 1, 1, 1, 1, 1], LESS, MORE]},
    "account": {"cash": 10_000_000, "max_holdings": 2},
    "search": {"sampler": "grid", "islands": 1, "batch": 12},
    "execution": {"backend": "serial", "workers": 1, "folder": "run"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("weights")
    simulate(place / "market.db", SimulateConfig(codes=2, days=2, seed=2))
    for name, text in {"buy.txt": BUY, "sell.txt": SELL, "vars.txt": VARS, "terms.txt": "체결강도 > {90, 110}\n"}.items():
        (place / name).write_text(text, encoding="utf-8")
    return place


def search(folder, name, **sections):
    config = RUN | {"execution": RUN["execution"] | {"folder": name}} | sections  # JSON is YAML, without aliases
    (folder / f"{name}.yaml").write_text(json.dumps(config), encoding="utf-8")
    told = CliRunner().invoke(app, ["search", str(folder / f"{name}.yaml"), "--json", str(folder / f"{name}.json")])
    assert told.exit_code == 0, told.output
    return told.output, json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def alone(folder, name, weights):
    """The figures of a backtest of a run's found scripts."""
    scripts = [str(folder / name / f"winner_{side}.txt") for side in ("buy", "sell")]
    flags = ["--weights", ",".join(map(str, weights)), "--json", str(folder / "alone.json")]
    done = CliRunner().invoke(
        app, ["backtest", "--db", str(folder / "market.db"), "--buy", scripts[0], "--sell", scripts[1], *flags]
    )
    assert done.exit_code == 0, done.output
    return json.loads((folder / "alone.json").read_text(encoding="utf-8"))["figures"][0]


def random_entries(folder, name, record):
    """The winner's p-value, and the amounts that it is held against."""
    subject = open_subject(load_config(folder / name / "config.yaml"))
    row = ParamMatrix.from_rows([[int(value) for value in record["best"]["values"]]])
    winner = Winner(subject, row, play(subject, row), subject.selection)
    return winner.random_entry_p(), winner.market().entry.tobytes()


def test_the_best_rows_weights_are_told_and_backtest_to_its_figures(folder):
    told, record = search(folder, "run")
    own = search(folder, "own", space=None)[1]
    assert "weights 0" in told
    assert record["evaluations"] == 3 * own["evaluations"]
    assert record["present"]["values"][-1] == 0
    for part in ("figures", "measures", "objective"):
        assert record["present"][part] == own["present"][part]
    weights = record["structure"]["weights"]
    assert weights == [RUN["engine"]["weights"], RUN["space"]["weights"][0], MORE][int(record["best"]["values"][-1])]
    assert "betting weights: " in told
    assert record["best"]["figures"] == alone(folder, "run", weights)
    assert "weights" in (folder / "run" / "report" / "report.html").read_text(encoding="utf-8")


def test_a_winner_is_judged_by_its_own_weights(folder):
    """The same single row, once chosen from two, once as the run's own: stress, account and random moments are equal."""
    one = "self.vars[0] = [[30, 30, 0], 30]\nself.vars[1] = [[-25, -25, 0], -25]\n"
    (folder / "one.txt").write_text(one, encoding="utf-8")
    strategy, space = RUN["strategy"] | {"ranges": "one.txt"}, {"weights": [LESS]}
    record = search(folder, "chosen", strategy=strategy, space=space, engine={"weights": MORE})[1]
    assert record["structure"]["weights"] == LESS  # it loses, less so with less
    other = search(folder, "given", strategy=strategy, space=None)[1]
    for part in ("figures", "measures", "objective"):
        assert record["best"][part] == other["best"][part]
    for part in ("stress", "capital"):
        assert record[part] == other[part]
    assert random_entries(folder, "chosen", record) == random_entries(folder, "given", other)


def test_weights_times_and_structure_are_searched_together(folder):
    space = {"weights": [LESS, MORE], "exit_at": [90415]}
    search_ = {"sampler": "structure", "evaluations": 60, "islands": 1, "batch": 30}
    told, record = search(folder, "both", space=space, search=search_, structure={"library": "terms.txt"})
    assert "weights 0" in told
    assert record["best"]["figures"] == alone(folder, "both", record["structure"]["weights"])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([LESS, MORE[:9]], "weights[1]: weights have 9 numbers: expected 10"),
        ([[7, *LESS[1:]]], "weights[0]: weights mode is 7"),
        ([LESS, MORE, LESS], "weights[2] bets as weights[0]"),
        ([[0] * 10, [0, *LESS[1:]]], "weights[1] bets as weights[0]"),
        ([["4", *LESS[1:]]], "weights[0] is ['4'"),
        (LESS, "expected a list of betting weights"),
        ([], "no times: list some"),
        ([[4, 0, 5, 10, place, *LESS[5:]] for place in range(16)], "16 betting weights: expected at most 15"),
    ],
)
def test_weights_that_are_none_are_refused_with_their_place(folder, weights, message):
    (folder / "bad.yaml").write_text(json.dumps(RUN | {"space": {"weights": weights}}), encoding="utf-8")
    result = CliRunner().invoke(app, ["search", str(folder / "bad.yaml")])
    said = result.output + str(result.exception or "")
    assert result.exit_code != 0
    assert "bad.yaml:" in said
    assert message in said
