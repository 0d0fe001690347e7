"""Times of day as variables of a search, from its YAML file to plain scripts."""

import json

import pytest
from typer.testing import CliRunner

from stom_ray.cli.main import app
from stom_ray.simulate import SimulateConfig, simulate

BUY = "매수 = True\nif not (등락율 > self.vars[1]):\n    매수 = False\nif 매수:\n    self.Buy()\n"
SELL = "매도 = False\nif 보유시간 > 30:\n    매도 = True\nif 매도:\n    self.Sell()\n"
VARS = "self.vars[0] = [[30, 30, 0], 30]\nself.vars[1] = [[-25, 5, 10], -25]\n"
RUN = """\
data: {path: market.db}
strategy: {buy: buy.txt, sell: sell.txt, ranges: vars.txt}
space: {entry_from: [90100, 90200], entry_until: [90300, 90400], exit_at: [90415]}
search: {sampler: random, evaluations: 60, islands: 1, batch: 30}
execution: {backend: serial, workers: 1, folder: run}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("windows")
    simulate(place / "market.db", SimulateConfig(codes=2, days=2, seed=2))
    for name, text in {
        "buy.txt": BUY,
        "sell.txt": SELL,
        "vars.txt": VARS,
        "run.yaml": RUN,
        "terms.txt": "체결강도 > {90, 110}\n",
    }.items():
        (place / name).write_text(text, encoding="utf-8")
    return place


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def alone(folder, buy, sell):
    """The figures of a backtest of two scripts without variables."""
    run("backtest", "--db", folder / "market.db", "--buy", buy, "--sell", sell, "--json", folder / "alone.json")
    return json.loads((folder / "alone.json").read_text(encoding="utf-8"))["figures"][0]


def test_the_found_scripts_backtest_to_the_best_row_and_the_present_row_is_the_users_own_script(folder):
    told = run("search", folder / "run.yaml", "--json", folder / "search.json")
    record = json.loads((folder / "search.json").read_text(encoding="utf-8"))
    assert "entry_from 0, entry_until 240000, exit_at 240000" in told
    assert record["best"]["figures"] == alone(folder, folder / "run" / "winner_buy.txt", folder / "run" / "winner_sell.txt")
    (folder / "own.txt").write_text(BUY.replace("self.vars[1]", "-25"), encoding="utf-8")
    assert record["present"]["figures"] == alone(folder, folder / "own.txt", folder / "sell.txt")
    assert "entry_from" in (folder / "run" / "report" / "report.html").read_text(encoding="utf-8")
    run("report", folder / "run")
    again = json.loads((folder / "run" / "result.json").read_text(encoding="utf-8"))
    assert again["structure"] == record["structure"]


def test_times_and_structure_are_searched_together(folder):
    text = RUN.replace("sampler: random", "sampler: structure").replace("folder: run", "folder: both")
    (folder / "both.yaml").write_text(text + "structure: {library: terms.txt}\n", encoding="utf-8")
    run("search", folder / "both.yaml", "--json", folder / "both.json")
    record = json.loads((folder / "both.json").read_text(encoding="utf-8"))
    assert record["best"]["figures"] == alone(folder, folder / "both" / "winner_buy.txt", folder / "both" / "winner_sell.txt")


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("{entry_from: [90060]}", "entry_from: 90060 is no time of day"),
        (
            "{entry_from: [90500, 91000], entry_until: [90400]}",
            "every entry_from (90500 and later) is later than every entry_until",
        ),
        ("{entry_from: [90500], exit_at: [90500]}", "every exit_at (90500 and earlier) comes before anything is bought"),
        ("{exit_at: [91000, 90500]}", "expected times that rise"),
        ("{exit_at: []}", "no times"),
        ("{exit_at: ['9:00']}", "hhmmss as whole numbers"),
        ("{entry_form: [90000]}", "did you mean `entry_from`?"),
    ],
)
def test_times_that_make_no_window_are_refused_with_their_line(folder, space, message):
    bad = RUN.replace("{entry_from: [90100, 90200], entry_until: [90300, 90400], exit_at: [90415]}", space)
    (folder / "bad.yaml").write_text(bad, encoding="utf-8")
    result = CliRunner().invoke(app, ["search", str(folder / "bad.yaml")])
    said = result.output + str(result.exception or "")
    assert result.exit_code != 0
    assert "bad.yaml:3: space" in said
    assert message in said
