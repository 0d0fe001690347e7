"""Every verb of the command line on a small market, judged by what it leaves; the Python API gives the same."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from stom_ray import api
from stom_ray.runs.choice import DataChoice
from stom_ray.search.ledger import Ledger

PRESENT = (30, 100, 60, 0.5)
ONCE = ["--buy", "buy.txt", "--sell", "sell.txt", "--vars", "30,100,60,0.5", "--costs", "krx"]


def read_trades(path):
    return pd.read_csv(path, dtype={"code": str})


def prints(folder):
    """Hash of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def lasting(record):
    """A run's record without what may differ from one run of it to the next."""
    kept = {name: value for name, value in record.items() if name not in ("seconds", "folder", "report", "verdict", "how")}
    kept["identity"] = {name: value for name, value in record["identity"].items() if name not in ("created", "command")}
    kept["searched"] = {name: value for name, value in record["searched"].items() if name != "seconds"}
    return kept


def result_of(run):
    return json.loads((run / "result.json").read_text(encoding="utf-8"))


# inspect, simulate, ingest, check


def test_help_names_every_verb(cli):
    done = cli("--help")
    assert done.code == 0
    for verb in ("inspect", "simulate", "ingest", "check", "backtest", "sweep", "search", "walk-forward", "report", "demo"):
        assert verb in done.out


def test_inspect_says_what_simulate_wrote(cli, folder):
    made = cli("simulate", "m.db", "--codes", 2, "--days", 3, "--end", 90200, "--seed", 9, "--json", "-")
    assert made.code == 0
    seen = cli("inspect", "m.db", "--json", "seen.json")
    record = json.loads((folder / "seen.json").read_text(encoding="utf-8"))
    assert list(record["tables"]) == made.json["codes"]
    assert sum(table["rows"] for table in record["tables"].values()) == made.json["rows"]
    assert f"{made.json['rows']:,} rows" in seen.out
    assert f"{made.json['rows']:,} rows" in made.err


def test_the_same_seed_writes_the_same_market_and_nothing_is_overwritten_unasked(cli, folder):
    small = ["--codes", 1, "--days", 1, "--end", 90100, "--json", "-"]
    first = cli("simulate", "m.db", "--seed", 3, *small).json["content_hash"]
    before = Path("m.db").read_bytes()
    refused = cli("simulate", "m.db", "--seed", 4, *small)
    assert (refused.code, refused.out) == (2, "")
    assert Path("m.db").read_bytes() == before
    assert cli("simulate", "m.db", "--seed", 4, "--overwrite", *small).json["content_hash"] != first
    assert cli("simulate", "m.db", "--seed", 3, "--overwrite", *small).json["content_hash"] == first


def test_a_second_ingest_reads_nothing_and_the_store_backtests_as_its_database(cli, folder, market):
    first = cli("ingest", market, "--store", "ticks", "--workers", 1, "--json", "-")
    assert (first.code, first.json["failed"]) == (0, {})
    assert first.json["sessions_new"] > 0
    again = cli("ingest", market, "--store", "ticks", "--workers", 1, "--json", "-")
    assert (again.json["sessions_new"], again.json["rows"]) == (0, 0)
    assert again.json["tables_unchanged"] == 3
    assert cli("backtest", "--db", market, *ONCE, "--trades", "a.csv").code == 0
    assert cli("backtest", "--db", "ticks", *ONCE, "--trades", "b.csv").code == 0
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()
    in_store, in_file = (cli("inspect", place, "--json", "-").json["tables"] for place in ("ticks", market))
    assert {code: table["rows"] for code, table in in_store.items()} == {code: table["rows"] for code, table in in_file.items()}


def test_check_says_what_a_strategy_reads(cli, folder):
    done = cli("check", "--buy", "buy.txt", "--sell", "sell.txt", "--ranges", "vars.txt", "--json", "-")
    assert done.code == 0
    assert done.json["variables"] == [1, 2, 3]
    assert "체결강도" in done.json["columns"]
    assert done.json["grid_size"] == 16 * 11 * 17
    assert done.json["sell_reasons"] == ["if 수익률 >= self.vars[3]:", "elif 보유시간 > self.vars[2]:"]
    found = api.check(Path("buy.txt").read_bytes(), Path("sell.txt").read_bytes(), ranges=Path("vars.txt").read_bytes())
    assert found.to_json() == done.json
    assert "체결강도" in cli("check", "--buy", "buy.txt", "--sell", "sell.txt", "--ir").out


# backtest and sweep


def test_a_backtest_leaves_trades_and_figures_that_agree(cli, folder, market):
    done = cli("backtest", "--db", market, *ONCE, "--trades", "t.csv", "--json", "-")
    assert done.code == 0
    trades, record = read_trades("t.csv"), done.json
    figures = record["figures"][0]
    assert len(trades) == record["trades"] == figures["tc"] > 0
    assert trades["profit_krw"].sum() == figures["tsg"]
    assert (trades["profit_krw"] > 0).sum() == figures["pc"]
    assert set(trades["code"]) <= set(record["codes"])
    assert trades["label"].str.contains("self.vars").any()
    assert f"{len(trades):,} trades" in done.err


def test_the_api_the_reference_and_more_threads_give_the_command_line_s_trades(cli, folder, market):
    assert cli("backtest", "--db", market, *ONCE, "--trades", "cpu.csv", "--threads", 2).code == 0
    assert cli("backtest", "--db", market, *ONCE, "--trades", "ref.csv", "--backend", "reference").code == 0
    assert Path("cpu.csv").read_bytes() == Path("ref.csv").read_bytes()
    run = api.backtest(market, Path("buy.txt").read_bytes(), Path("sell.txt").read_text(), vars=PRESENT, costs="krx")
    pd.testing.assert_frame_equal(run.trades, read_trades("cpu.csv"), check_dtype=False)


def test_codes_days_and_hours_are_chosen(cli, folder, market):
    everything = cli("backtest", "--db", market, *ONCE, "--json", "-").json
    code, day = everything["codes"][1], everything["days"][2]
    chosen = ["--codes", code, "--days", f"{day}-{day}", "--time", "90200-90500"]
    done = cli("backtest", "--db", market, *ONCE, *chosen, "--trades", "t.csv", "--json", "-")
    assert (done.json["codes"], done.json["days"]) == ([code], [day])
    assert done.json["ticks"] <= 181
    trades = read_trades("t.csv")
    assert len(trades)
    assert set(trades["code"]) == {code}
    assert trades["buy_time"].between(day * 1_000_000 + 90_200, day * 1_000_000 + 90_500).all()
    more = cli(
        "backtest", "--db", market, *ONCE, *chosen, "--load-days", "0-99999999", "--load-time", "90000-91000", "--json", "-"
    )
    assert more.json["ticks"] == done.json["ticks"] < more.json["ticks_loaded"]
    assert more.json["warnings"] == []


def test_loading_less_than_is_chosen_is_told(cli, folder, market):
    done = cli(
        "backtest", "--db", market, *ONCE, "--days", "20230109-20230118", "--load-days", "20230110-20230111", "--json", "-"
    )
    assert done.json["days"] == [20230110, 20230111]
    assert "days 20230109-20230118 reach beyond what is loaded" in done.json["warnings"][0]


def test_each_row_of_a_sweep_is_the_backtest_of_its_values(cli, folder, market):
    rows = [[30, 100, 60, 0.5], [30, 120, 20, 2.0], [60, 90, 120, 0.4]]
    Path("rows.json").write_text(json.dumps(rows), encoding="utf-8")
    scripts = ["--buy", "buy.txt", "--sell", "sell.txt"]
    done = cli("sweep", "--db", market, *scripts, "--rows", "rows.json", "--trades", "s.csv", "--json", "-")
    assert done.code == 0
    swept = read_trades("s.csv")
    assert [figures["vkey"] for figures in done.json["figures"]] == [0, 1, 2]
    for number, row in enumerate(rows):
        values = ",".join(map(str, row))
        one = cli("backtest", "--db", market, *scripts, "--vars", values, "--trades", "one.csv", "--json", "-")
        mine = swept[swept["vkey"] == number].drop(columns=["vturn", "vkey"]).reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, read_trades("one.csv"))
        assert done.json["figures"][number]["tsg"] == one.json["figures"][0]["tsg"]
    mine = api.sweep(market, Path("buy.txt").read_bytes(), Path("sell.txt").read_bytes(), rows=rows)
    pd.testing.assert_frame_equal(mine.trades, swept, check_dtype=False)


def test_a_sweep_changes_one_variable_at_a_time(cli, folder, market):
    scripts = ["--buy", "buy.txt", "--sell", "sell.txt"]
    done = cli("sweep", "--db", market, *scripts, "--ranges", "vars.txt", "--one-at-a-time", "--json", "-")
    turns = [figures["vturn"] for figures in done.json["figures"]]
    assert (turns.count(0), turns.count(1), turns.count(2), turns.count(3)) == (0, 16, 11, 17)
    at_best = {
        figures["tsg"] for figures in done.json["figures"] if (figures["vturn"], figures["vkey"]) in ((1, 5), (2, 4), (3, 1))
    }
    assert len(at_best) == 1


def test_a_sweep_goes_over_the_whole_grid_and_sums_what_it_would_trade(cli, folder, market):
    Path("vars.txt").write_text(
        "self.vars[0] = [[30, 30, 0], 30]\nself.vars[1] = [[90, 120, 10], 100]\nself.vars[2] = [[20, 60, 20], 60]\n"
        "self.vars[3] = [[0.5, 1.5, 0.5], 0.5]\n",
        encoding="utf-8",
    )
    grid = ["sweep", "--db", market, "--buy", "buy.txt", "--sell", "sell.txt", "--ranges", "vars.txt", "--grid"]
    done = cli(*grid, "--totals", "sums.csv", "--json", "-")
    assert done.code == 0
    sums = pd.read_csv("sums.csv")
    assert list(sums.columns) == ["vturn", "vkey", "trades", "wins", "profit", "hold_s", "vars_0", "vars_1", "vars_2", "vars_3"]
    assert len(sums) == 4 * 3 * 3
    assert list(sums["vturn"] * 20 + sums["vkey"]) == list(range(36))
    assert sums["vars_1"].dtype == "int64"
    assert done.json["trades"] == sums["trades"].sum() > 0
    assert pd.DataFrame(done.json["totals"]).equals(sums)
    assert [plan["name"] for plan in done.json["plans"]] == ["grid"]
    both = cli(*grid, "--totals", "again.csv", "--trades", "trades.csv", "--max-memory", "500MB", "--json", "-")
    assert Path("again.csv").read_bytes() == Path("sums.csv").read_bytes()
    trades = read_trades("trades.csv").groupby(["vturn", "vkey"])
    traded = sums[sums["trades"] > 0].set_index(["vturn", "vkey"])
    assert trades.size().tolist() == traded["trades"].tolist()
    assert trades["profit_krw"].sum().tolist() == traded["profit"].tolist()
    assert trades["hold_s"].sum().tolist() == traded["hold_s"].tolist()
    assert len(both.json["figures"]) == 36
    assert 0 < both.json["predicted_bytes"] < both.json["max_memory_bytes"] == 500_000_000


def test_a_row_that_stopped_has_no_sums(cli, folder, market):
    Path("buy.txt").write_text("매수 = 1 / (self.vars[1] - 100) > 0", encoding="utf-8")
    Path("rows.json").write_text("[[30, 100, 60, 0.5], [30, 101, 60, 0.5]]", encoding="utf-8")
    flags = ["--buy", "buy.txt", "--sell", "sell.txt", "--rows", "rows.json", "--profile", "stom"]
    assert cli("sweep", "--db", market, *flags, "--totals", "sums.csv").code == 0
    sums = pd.read_csv("sums.csv")
    assert sums["trades"].isna().tolist() == [True, False]


@pytest.mark.parametrize(("backend", "plan"), [("cpu", "grid"), ("reference", "reference")])
def test_the_json_says_which_plan_ran_and_why(cli, folder, market, backend, plan):
    done = cli("backtest", "--db", market, *ONCE, "--backend", backend, "--json", "-")
    (used,) = done.json["plans"]
    assert (done.json["backend"], done.json["reason"][:9]) == (backend, "asked for")
    assert (used["name"], used["candidates"], used["batches"]) == (plan, 1, 1)
    assert used["reason"]
    assert used["sessions"] > 20
    assert (done.json["predicted_bytes"] > 0) == (backend == "cpu")


def test_a_script_that_cannot_be_cut_says_what_ran_it(cli, folder, market):
    Path("buy.txt").write_text("매수 = (체결강도 + self.vars[1]) * 등락율 > self.vars[3] * 체결강도", encoding="utf-8")
    Path("rows.json").write_text(json.dumps([[30, 90 + k, 60, 0.5 + k / 7] for k in range(100)]), encoding="utf-8")
    flags = ["--buy", "buy.txt", "--sell", "sell.txt", "--rows", "rows.json"]
    (used,) = cli("sweep", "--db", market, *flags, "--json", "-").json["plans"]
    assert used["name"] == "generated"
    assert used["generated_sessions"] == used["sessions"] > 20
    assert "100 combinations" in used["reason"]


def test_a_sweep_of_condition_lists_goes_pair_by_pair(cli, folder, market):
    pairs = {"buy": [["체결강도 > 100"], ["체결강도 < 1e9"]], "sell": [["수익률 > 1", "보유시간 > 60"], ["수익률 > 1"]]}
    Path("conditions.json").write_text(json.dumps(pairs), encoding="utf-8")
    done = cli("sweep", "--db", market, "--conditions", "conditions.json", "--trades", "c.csv", "--json", "-")
    assert done.code == 0
    trades = read_trades("c.csv")
    assert set(trades["vkey"]) == {0}
    assert [figures["tc"] for figures in done.json["figures"]] == [len(trades), 0]


# search, walk-forward, report


def test_a_search_leaves_a_run_that_can_be_read_and_repeated(finished):
    run = finished / "run"
    record = result_of(run)
    page = (run / "report" / "report.html").read_text(encoding="utf-8")
    assert record["identity"]["config_id"] in page
    assert record["identity"]["strategy_hash"][:12] in page
    assert record["stopped_by"] == "done"
    trials = pd.read_parquet(run / "report" / "trials.parquet")
    assert len(trials) == record["evaluations"] == 41
    assert record["best"]["objective"] == trials["objective"].max()
    assert record["present"]["values"] == list(PRESENT)
    assert len(record["walk_forward"]) == 2
    assert record["test"]["figures"]["tsg"] == sum(window["test_figures"]["tsg"] for window in record["walk_forward"])
    for name in ("buy", "sell", "vars"):
        assert (run / f"{name}.txt").read_bytes() == (finished / f"{name}.txt").read_bytes()


def test_a_search_says_how_its_rows_were_run(finished):
    how = result_of(finished / "run")["how"]
    assert how["backend"] == "cpu"
    assert sum(plan["candidates"] for plan in how["plans"]) >= len(result_of(finished / "run")["walk_forward"])
    assert {plan["name"] for plan in how["plans"]} <= {"grid", "rows", "generated"}
    assert how["predicted_bytes"] > 0
    assert how["max_memory_bytes"] is None


def test_a_search_under_a_limit_finds_the_same(cli, folder, write_run, finished):
    write_run(folder)
    done = cli("search", "run.yaml", "--max-memory", "300MB", "--json", "-")
    assert done.json["how"]["max_memory_bytes"] == 300_000_000
    assert lasting(done.json) == lasting(result_of(finished / "run"))


def test_the_best_row_backtests_to_what_the_search_said(cli, finished, market):
    record = result_of(finished / "run")
    values = [int(value) if place < 3 else value for place, value in enumerate(record["best"]["values"])]
    run = api.backtest(
        market, (finished / "buy.txt").read_bytes(), (finished / "sell.txt").read_bytes(), vars=values, costs="krx"
    )
    assert run.figures.iloc[0]["tsg"] == record["best"]["objective"]
    assert run.figures.iloc[0].to_dict() == record["best"]["figures"]


def test_a_chosen_row_on_its_test_days_gives_the_test_figures(finished, market):
    for window in result_of(finished / "run")["walk_forward"]:
        first, last, _ = window["test"]
        values = [int(value) if place < 3 else value for place, value in enumerate(window["best"])]
        texts = [(finished / name).read_bytes() for name in ("buy.txt", "sell.txt")]
        run = api.backtest(
            market, *texts, vars=values, costs="krx", choice=DataChoice(days=f"{first}-{last}", load_days="0-99999999")
        )
        assert run.figures.iloc[0]["tsg"] == window["test_figures"]["tsg"] == window["test_objective"]


def test_the_command_line_gives_what_the_api_gave(cli, folder, write_run, finished):
    write_run(folder)
    done = cli("search", "run.yaml", "--json", "-")
    assert done.code == 0
    assert lasting(done.json) == lasting(result_of(finished / "run"))
    assert Path("run/report/trials.parquet").is_file()


def test_a_second_run_without_resume_is_refused_and_touches_nothing(cli, finished, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    before = prints(Path("run"))
    done = cli("search", "run.yaml")
    assert (done.code, done.out) == (2, "")
    assert "run: a run is in there already. Go on with --resume" in done.err
    assert prints(Path("run")) == before


def test_resuming_a_finished_run_evaluates_nothing(cli, finished, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    ledgers = {name: print_ for name, print_ in prints(Path("run")).items() if name.endswith("ledger.bin")}
    assert len(ledgers) == 3
    done = cli("search", "run.yaml", "--resume", "--json", "-")
    assert done.code == 0
    assert lasting(done.json) == lasting(result_of(finished / "run"))
    assert {name: print_ for name, print_ in prints(Path("run")).items() if name.endswith("ledger.bin")} == ledgers


def test_a_larger_budget_goes_on_where_the_smaller_one_ended(cli, folder, write_run):
    write_run(folder, evaluations=20, walk_forward="")
    assert cli("search", "run.yaml").code == 0
    before = pd.read_parquet("run/report/trials.parquet")
    write_run(folder, evaluations=40, walk_forward="")
    assert cli("search", "run.yaml", "--resume").code == 0
    after = pd.read_parquet("run/report/trials.parquet")
    assert (len(before), len(after)) == (21, 41)
    values = [name for name in after if name.startswith("vars_")]
    assert not after.duplicated(values).any()
    merged = before.merge(after, on=values, suffixes=("", "_after"))
    assert (merged["objective"] == merged["objective_after"]).sum() == 21


def test_the_report_is_made_again_with_the_same_figures(cli, finished, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    before = prints(Path("run"))
    (Path("run/report/report.html")).unlink()
    done = cli("report", "run", "--json", "-")
    assert done.code == 0
    assert lasting(done.json) == lasting(result_of(finished / "run"))
    assert done.json["seconds"]["search"] == result_of(finished / "run")["seconds"]["search"]
    page = Path("run/report/report.html").read_text(encoding="utf-8")
    assert done.json["identity"]["config_id"] in page
    same = [name for name in before if not name.startswith("report/") and name != "result.json"]
    assert {name: before[name] for name in same} == {name: prints(Path("run"))[name] for name in same}
    assert cli("report", "run", "--lang", "ko").code == 0
    assert 'lang="ko"' in Path("run/report/report.html").read_text(encoding="utf-8")
    assert lasting(result_of(Path("run"))) == lasting(result_of(finished / "run"))


def test_a_report_is_titled_by_the_run_s_files(finished):
    page = (finished / "run" / "report" / "report.html").read_text(encoding="utf-8")
    assert "<title>buy.txt + sell.txt · market.db" in page


def test_a_run_keeps_its_title_when_its_report_is_made_again(cli, folder, write_run):
    run = write_run(folder, evaluations=2, walk_forward="")
    for name in ("buy", "sell"):
        Path(f"{name}.txt").rename(f"{name}_급등.txt")
    settings = run.read_text(encoding="utf-8").replace("buy.txt", "buy_급등.txt").replace("sell.txt", "sell_급등.txt")
    titles = {"files": ("", "buy_급등.txt + sell_급등.txt · market.db"), "given": (", title: 급등 돌파", "급등 돌파")}
    for name, (given, title) in titles.items():
        run.write_text(settings.replace("folder: run", f"folder: {name}{given}"), encoding="utf-8")
        assert cli("search", "run.yaml").code == 0
        for command in ([], ["report", name]):
            assert not command or cli(*command).code == 0
            assert f"<title>{title} – " in Path(name, "report", "report.html").read_text(encoding="utf-8")


def test_walk_forward_alone_judges_as_the_search_did(cli, folder, write_run, finished):
    write_run(folder)
    done = cli("walk-forward", "run.yaml", "--json", "-")
    assert done.code == 0
    assert done.json["walk_forward"] == result_of(finished / "run")["walk_forward"]
    assert (done.json["evaluations"], done.json["best"]) == (0, None)
    assert not Path("run/search/ledger.bin").exists()
    again = cli("report", "run", "--json", "-")
    assert lasting(again.json) == lasting(done.json)


def test_walk_forward_without_its_section_is_refused_before_anything_is_made(cli, folder, write_run):
    write_run(folder, walk_forward="")
    done = cli("walk-forward", "run.yaml")
    assert (done.code, done.out) == (2, "")
    assert "no walk_forward section: add one" in done.err
    assert not Path("run").exists()


@pytest.mark.parametrize("sampler", ["grid", "coordinate"])
def test_one_sequence_samplers_run_through_the_command_line(cli, folder, write_run, sampler):
    Path("vars.txt").write_text(
        "self.vars[0] = [[30, 30, 0], 30]\nself.vars[1] = [[90, 120, 10], 100]\nself.vars[2] = [[60, 60, 0], 60]\n"
        "self.vars[3] = [[0.5, 1.5, 0.5], 0.5]\n",
        encoding="utf-8",
    )
    write_run(folder, sampler=sampler, islands=1, evaluations=100, walk_forward="")
    done = cli("search", "run.yaml", "--json", "-")
    assert done.code == 0
    trials = pd.read_parquet("run/report/trials.parquet")
    assert done.json["evaluations"] == len(trials) <= 12
    if sampler == "grid":
        assert len(trials) == 12
    assert done.json["best"]["objective"] == trials["objective"].max()


def test_a_run_without_a_folder_is_kept_under_its_config_id(cli, folder, write_run):
    path = write_run(folder, evaluations=10, walk_forward="")
    path.write_text(path.read_text(encoding="utf-8").replace(", folder: run}", "}"), encoding="utf-8")
    done = cli("search", "run.yaml", "--json", "-")
    assert Path("runs", done.json["identity"]["config_id"], "report", "report.html").is_file()


def test_print_config_fills_in_defaults_and_runs_nothing(cli, folder, write_run):
    write_run(folder)
    done = cli("search", "run.yaml", "--print-config")
    assert (done.code, done.err) == (0, "")
    Path("deep").mkdir()
    Path("deep/full.yaml").write_text(done.out, encoding="utf-8")
    assert api.load_config("deep/full.yaml") == api.load_config("run.yaml").absolute()
    assert "patience: null" in done.out
    assert not Path("run").exists()
    Path("example.yaml").write_text(cli("search", "--print-config").out, encoding="utf-8")
    assert api.load_config("example.yaml").data.path == "market.db"


# Ctrl-C


def interrupted_run(folder, *, batches):
    """`stom-ray search run.yaml` in a process of its own, sent SIGINT once its ledger holds so many batches."""
    ledger = folder / "run" / "search" / "ledger.bin"
    command = [sys.executable, "-m", "stom_ray.cli.main", "search", "run.yaml", "--json", "-"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        if ledger.exists() and len(Ledger.read(ledger).batches) >= batches:
            os.kill(process.pid, signal.SIGINT)
            break
        time.sleep(0.01)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def test_ctrl_c_keeps_what_was_scored_and_resume_gives_the_run_that_was_never_interrupted(cli, folder, write_run):
    # Beyond 100 rows an island models, at some 10 ms a row: long enough for the signal to arrive before the end.
    write_run(folder, evaluations=300, sampler="tpe", walk_forward="")
    code, out, err = interrupted_run(folder, batches=12)
    assert code == 130, err
    assert "interrupted" in err
    assert "--resume" in err
    assert "Traceback" not in err
    record = json.loads(out)
    assert record["stopped_by"] == "interrupted"
    assert 100 < record["evaluations"] < 301
    assert Path("run/report/report.html").is_file()
    again = cli("report", "run", "--json", "-")
    assert (again.json["stopped_by"], again.json["evaluations"]) == ("interrupted", record["evaluations"])
    done = cli("search", "run.yaml", "--resume", "--json", "-")
    assert (done.code, done.json["stopped_by"]) == (0, "done")
    keys = [batch.keys[row] for batch in Ledger.read("run/search/ledger.bin").batches for row in batch.scored]
    assert len(keys) == len(set(keys)) == done.json["evaluations"]

    Path("run").rename("cut")
    whole = cli("search", "run.yaml", "--json", "-")
    assert lasting(whole.json) == lasting(done.json)
    frames = [pd.read_parquet(f"{name}/report/trials.parquet") for name in ("run", "cut")]
    pd.testing.assert_frame_equal(*frames)


def test_ctrl_c_in_a_window_keeps_the_windows_before_it(cli, folder, write_run, finished):
    def press_in_the_second_window(text):
        if text.startswith("walk-forward") and Path("run/walk-forward/window-02/ledger.bin").exists():
            raise KeyboardInterrupt

    outcome = api.search(api.load_config(write_run(folder)), progress=press_in_the_second_window)
    windows = result_of(finished / "run")["walk_forward"]
    assert (outcome.stopped_by, list(outcome.to_json()["walk_forward"])) == ("interrupted", windows[:1])
    ledgers = {name: print_ for name, print_ in prints(Path("run")).items() if name.endswith("ledger.bin")}
    again = cli("report", "run", "--json", "-")
    assert (again.json["stopped_by"], again.json["walk_forward"]) == ("interrupted", windows[:1])
    assert not any("search was cut" in text for text in again.json["warnings"])
    assert {name: print_ for name, print_ in prints(Path("run")).items() if name.endswith("ledger.bin")} == ledgers
    done = cli("search", "run.yaml", "--resume", "--json", "-")
    assert lasting(done.json) == lasting(result_of(finished / "run"))


def test_ctrl_c_anywhere_else_is_one_line_and_130(cli, folder, market, monkeypatch):
    def press(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("stom_ray.runs.choice.load_panel", press)
    done = cli("backtest", "--db", market, *ONCE, "--trades", "t.csv")
    assert (done.code, done.out) == (130, "")
    assert done.err.strip() == "stom-ray: interrupted; what was finished is kept"
    assert not Path("t.csv").exists()


def test_a_fault_of_the_program_keeps_its_traceback(cli, folder, market, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("not the user's fault")

    monkeypatch.setattr("stom_ray.runs.choice.load_panel", fail)
    with pytest.raises(RuntimeError, match="not the user's fault"):
        cli("backtest", "--db", market, *ONCE)
