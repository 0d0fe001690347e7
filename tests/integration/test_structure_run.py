"""A search over structure from its YAML file: what it finds trades as its plain scripts do."""

import json

import pytest
from typer.testing import CliRunner

from stom_ray.cli.main import app
from stom_ray.simulate import Edge, SimulateConfig, simulate

TEXTS = {
    "buy.txt": "매수 = True\nif not (등락율 > self.vars[1]):\n    매수 = False\nif 매수:\n    self.Buy()\n",
    "sell.txt": "매도 = False\nif 보유시간 > 30:\n    매도 = True\nif 매도:\n    self.Sell()\n",
    "vars.txt": "self.vars[0] = [[30, 30, 0], 30]\nself.vars[1] = [[-25, 5, 10], -25]\n",
    "terms.txt": "체결강도 > {90..130 by 10}\n초당매수수량 > 초당매도수량 * {0.5..3 by 0.5}\n등락율각도({30 | 60}) > {0, 3, 6}\n",
    "exits.txt": "수익률 <= {-3, -2}\n",
    "lines.txt": "등락율 > 25\n",
    "run.yaml": """\
data: {path: market.db}
strategy: {buy: buy.txt, sell: sell.txt, ranges: vars.txt}
structure: {library: terms.txt, sell_library: exits.txt, buy_lines: lines.txt, guide: surplus, price: 0.5}
search: {sampler: structure, evaluations: 300, islands: 1, batch: 100, options: {partners: 6, levels: 1}}
execution: {backend: serial, workers: 1, folder: run}
""",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("structure")
    edge = Edge.parse("120bp/30s/episode strength>110 rate_angle(30)>6")
    simulate(place / "market.db", SimulateConfig(codes=3, days=3, seed=2, edge=edge))
    for name, text in TEXTS.items():
        (place / name).write_text(text, encoding="utf-8")
    return place


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_found_scripts_backtest_to_the_figures_of_the_best_row_and_a_report_can_be_made_again(folder):
    told = run("search", folder / "run.yaml", "--json", folder / "search.json")
    record = json.loads((folder / "search.json").read_text(encoding="utf-8"))
    found = record["structure"]
    assert found["terms"]
    assert "found " in told
    assert found["terms"][0] in told
    names = {side: folder / "run" / f"winner_{side}.txt" for side in ("buy", "sell")}
    assert {side: place.read_text(encoding="utf-8") for side, place in names.items()} == {side: found[side] for side in names}
    run("backtest", "--db", folder / "market.db", "--buy", names["buy"], "--sell", names["sell"], "--json", folder / "alone.json")
    alone = json.loads((folder / "alone.json").read_text(encoding="utf-8"))
    best = record["best"]["figures"]
    assert best["tc"] > 0
    assert best == {name: alone["figures"][0][name] for name in best}
    run("report", folder / "run")
    again = json.loads((folder / "run" / "result.json").read_text(encoding="utf-8"))
    assert again["structure"]["terms"] == found["terms"]


def test_a_mistake_in_a_library_names_its_file_and_line(folder):
    bad = folder / "bad.txt"
    bad.write_text("체결강도 > {90, 100}\n체결강두 > {90, 100}\n", encoding="utf-8")
    (folder / "bad.yaml").write_text(TEXTS["run.yaml"].replace("terms.txt", "bad.txt").replace("folder: run", "folder: other"))
    result = CliRunner().invoke(app, ["search", str(folder / "bad.yaml")])
    assert result.exit_code != 0
    assert f"{bad}, line 2, column 1: unknown name" in result.output + str(result.exception or "")
