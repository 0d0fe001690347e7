"""Whatever a user gets wrong: one message that names the place and the remedy, exit code 2, and nothing is lost.

Every refusal here is judged by `refused`: the code, a silent standard output, no traceback, and files left as they were.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import runpy
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from stom_ray import api
from stom_ray.errors import StomError
from stom_ray.search.file_lock import FileLock
from stom_ray.store import snapshot

SCRIPTS = ["--buy", "buy.txt", "--sell", "sell.txt"]
ONCE = [*SCRIPTS, "--vars", "30,100,60,0.5"]
PLAIN_BUY = "매수 = True\nif not (체결강도 > 100):\n    매수 = False\nif 매수:\n    self.Buy()\n"


def prints(folder):
    """Hash of every file below a folder, without locks and what reading leaves."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock" and path.name != ".lock"
    }


@pytest.fixture
def refused(cli, folder):
    """Runs a command that must be refused; returns its message."""

    def run(*args):
        before = prints(folder)
        done = cli(*args)
        assert done.code == 2, (done.out, done.err)
        assert done.out == ""
        assert "Traceback" not in done.err
        assert done.err.startswith("stom-ray: ") or "Usage:" in done.err or "Error" in done.err
        assert prints(folder) == before
        return done.err

    return run


@contextlib.contextmanager
def editing(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        yield connection
        connection.commit()


def smash(path, table):
    """Overwrites the first page of a table."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)


@pytest.fixture
def codes(market):
    with contextlib.closing(sqlite3.connect(market)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return sorted(name for name in names if name.isdecimal())


# Databases


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path, market: None, "no such file: give the path of a STOM database"),
        (lambda path, market: path.touch(), "is empty (0 bytes)"),
        (lambda path, market: path.write_text("no database at all, but a text of some length" * 50), "not an SQLite database"),
        (lambda path, market: path.write_bytes(os.urandom(5000)), "not an SQLite database"),
        (lambda path, market: path.write_bytes(market.read_bytes()[:100_000]), "restore a backup"),
        (lambda path, market: path.mkdir(), "make one with ingest, or give the path of a database file"),
    ],
    ids=["missing", "zero bytes", "a text", "noise", "cut off", "a folder"],
)
@pytest.mark.parametrize("verb", ["inspect", "backtest", "ingest"])
def test_a_database_that_is_none_is_named_with_the_remedy(refused, folder, market, make, said, verb):
    path = folder / "x.db"
    make(path, market)
    commands = {
        "inspect": ["inspect", "x.db"],
        "backtest": ["backtest", "--db", "x.db", *ONCE, "--trades", "t.csv"],
        "ingest": ["ingest", "x.db", "--store", folder.parent / f"{folder.name}-store", "--workers", 1],
    }
    message = refused(*commands[verb])
    assert "x.db: " in message
    if verb == "ingest" and path.is_dir():
        said = "is a folder: give the path of a STOM database file"
    assert said in message


HOLD = """
import sqlite3, sys
connection = sqlite3.connect("x.db", isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_locked_database_is_waited_for_and_then_told(refused, folder, market, monkeypatch):
    shutil.copy(market, folder / "x.db")
    monkeypatch.setattr(snapshot, "BUSY_MS", 300)
    with subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        for command in (["inspect", "x.db"], ["backtest", "--db", "x.db", *ONCE]):
            message = refused(*command)
            assert "x.db: locked by another program for more than 0.3 s: try again when it has finished" in message
        holder.stdin.close()
    assert api.inspect("x.db").tables


def test_a_smashed_table_is_named_and_takes_no_other_down(cli, refused, folder, market, codes):
    shutil.copy(market, "x.db")
    smash(folder / "x.db", codes[0])
    done = cli("backtest", "--db", "x.db", *ONCE, "--json", "-")
    assert done.code == 0
    assert done.json["codes"] == codes[1:]
    assert f"table {codes[0]} is damaged" in done.json["warnings"][0]
    assert f"table {codes[0]} is damaged" in done.err
    assert codes[0] in cli("inspect", "x.db").out
    whole = cli("backtest", "--db", market, *ONCE, "--codes", ",".join(codes[1:]), "--json", "-")
    assert whole.json["figures"] == done.json["figures"]
    for asked in (codes[0], f"{codes[0]},{codes[1]}"):
        message = refused("backtest", "--db", "x.db", *ONCE, "--codes", asked)
        assert codes[0] in message
        assert "is damaged" in message
        assert "restore it from a backup" in message
    assert cli("backtest", "--db", "x.db", *ONCE, "--codes", codes[1]).code == 0
    taken = cli("ingest", "x.db", "--store", "ticks", "--workers", 1, "--json", "-")
    assert taken.code == 0
    assert list(taken.json["failed"]) == [codes[0]]


def test_a_database_of_another_schema_says_what_is_missing(refused):
    with editing("x.db") as connection:
        connection.execute('CREATE TABLE "005930" ("index" INTEGER, 현재가 REAL, 시가 REAL)')
        connection.execute('INSERT INTO "005930" VALUES (20230109090000, 1, 1)')
    for command in (
        ["inspect", "x.db"],
        ["backtest", "--db", "x.db", *ONCE],
        ["ingest", "x.db", "--store", "../s", "--workers", 1],
    ):
        message = refused(*command)
        assert "005930" in message
        assert "which also has 고가, 저가" in message


def test_a_database_without_instruments_lists_what_it_has(refused):
    with editing("x.db") as connection:
        connection.execute("CREATE TABLE diary (a)")
    for command in (["inspect", "x.db"], ["backtest", "--db", "x.db", *ONCE]):
        assert "diary" in refused(*command)


def test_unknown_tables_beside_the_instruments_do_not_matter(cli, folder, market):
    shutil.copy(market, "x.db")
    with editing("x.db") as connection:
        connection.execute("CREATE TABLE 메모 (a, b)")
    ours, plain = (cli("backtest", "--db", name, *ONCE, "--json", "-").json for name in ("x.db", market))
    assert ours["figures"] == plain["figures"]
    assert "메모" in cli("inspect", "x.db").out


@pytest.mark.parametrize("text", ["", "x.db,", ",", "x.db,,y.db"])
def test_an_empty_file_name_is_no_database(refused, text):
    assert "a file name is empty" in refused("backtest", "--db", text, *ONCE)


# What is chosen


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--days", "20230301-20230302"], "there are 8 days from 20230109 to 20230118"),
        (["--days", "20230114-20230114"], "did you mean 202301"),
        (["--days", "20230109"], "expected FIRST-LAST"),
        (["--days", "²-³"], "expected FIRST-LAST"),
        (["--days", "20230118-20230109"], "did you mean 20230109-20230118?"),
        (["--days", "0-999999999"], "expected FIRST-LAST"),
        (["--time", "100000-110000"], "have rows between 0900"),
        (["--time", "90000-250000"], "expected FIRST-LAST as hhmmss"),
        (["--time", "09:00-09:30"], "expected FIRST-LAST"),
        (["--load-days", "x"], "expected FIRST-LAST"),
        (["--load-time", "93000-90000"], "did you mean 90000-93000?"),
        (["--codes", "999999"], "no instrument 999999. There are 3"),
        (["--codes", ","], "names no instrument"),
    ],
)
def test_a_selection_that_selects_nothing_or_is_none(refused, market, flags, said):
    assert said in refused("backtest", "--db", market, *ONCE, *flags, "--trades", "t.csv", "--json", "r.json")


def test_an_unknown_code_suggests_the_nearest(refused, market, codes):
    wrong = codes[0][:-1] + ("1" if codes[0][-1] != "1" else "2")
    assert f"did you mean {codes[0]}?" in refused("backtest", "--db", market, *ONCE, "--codes", wrong)


# Numbers and words


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--betting", "nan"], "betting is nan"),
        (["--betting", "inf"], "betting is inf"),
        (["--betting", "-1"], "expected a positive amount"),
        (["--betting", "0"], "expected a positive amount"),
        (["--betting", "1e300"], "at most 1,000,000,000,000"),
        (["--betting", "much"], "--betting"),
        (["--avgtime", "0"], "expected at least 1 row"),
        (["--avgtime", "-30"], "expected at least 1 row"),
        (["--avgtime", "99999999999999999999999"], "at most 1,000,000"),
        (["--avgtime", "30.5"], "--avgtime"),
        (["--ask-levels", "0"], "levels 1 to 5"),
        (["--bid-levels", "6"], "levels 1 to 5"),
        (["--threads", "0"], "expected 1 to 1,024"),
        (["--threads", "-2"], "expected 1 to 1,024"),
        (["--threads", "1000000"], "expected 1 to 1,024"),
        (["--vars", "30,100"], "the scripts read self.vars[0] to self.vars[3], but parameter rows have 2 values"),
        (["--vars", "30.5,100,60,0.5"], "30.5"),
        (["--vars", "0,100,60,0.5"], "a whole number of rows, 1 to"),
        (["--vars", "-30,100,60,0.5"], "a whole number of rows, 1 to"),
        (["--vars", "1e17,100,60,0.5"], "a whole number of rows, 1 to"),
        (["--vars", "30,nan,60,0.5"], "--vars: 'nan'"),
        (["--vars", "30,1e999,60,0.5"], "--vars: '1e999'"),
        (["--vars", "30,-inf,60,0.5"], "--vars: '-inf'"),
        (["--vars", "30,1" + "0" * 400 + ",60,0.5"], "too large"),
        (["--vars", "30,1" + "0" * 5_000 + ",60,0.5"], "too large"),
        (["--vars", "30,,60,0.5"], "--vars: '' is no number"),
        (["--vars", "30;100;60;0.5"], "is no number. Expected numbers joined by commas"),
        (["--vars", "30,1_000,60,0x10"], "'0x10' is no number"),
        (["--weights", "1,2,3"], "weights have 3 numbers: expected 10"),
        (["--weights", "9,1,1,1,1,1,1,1,1,1"], "weights mode is 9: expected 0 (off) to 6"),
        (["--weights", "1.5,1,1,1,1,1,1,1,1,1"], "weights mode is 1.5"),
        (["--weights", "nan,1,1,1,1,1,1,1,1,1"], "--weights: 'nan'"),
        (["--weights", "1,inf,1,1,1,1,1,1,1,1"], "--weights: 'inf'"),
        (["--weights", "1,1,2,3,4,-1,1,1,1,1"], "a weights factor is -1"),
        (["--costs", "krz"], "expected stom, krx or custom"),
        (["--costs", "custom:1"], "two percentages"),
        (["--costs", "custom:nan,1"], "expected a fraction"),
        (["--costs", "custom:500,1"], "expected a fraction"),
        (["--profile", "stomm"], "expected stom"),
        (["--backend", "gpu"], "expected one of auto, reference, cpu, cuda"),
        (["--elapsed", "a;b;현재가 > 1;현재까 > 2"], "did you mean `현재가`?"),
        (["--elapsed", "a;b;c"], "as many names as expressions"),
        (["--no-such-flag"], "No such option"),
    ],
)
def test_a_flag_that_cannot_be_run(refused, market, flags, said):
    command = ["backtest", "--db", market, *(SCRIPTS if "--vars" in flags else ONCE), *flags]
    assert said in " ".join(refused(*command, "--trades", "t.csv", "--json", "r.json").split())


def test_scripts_with_variables_need_values(refused, market):
    assert "self.vars[0] to self.vars[3], but parameter rows have 0 values" in refused("backtest", "--db", market, *SCRIPTS)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--codes", "0"], "codes is 0: expected 1 to 5000"),
        (["--codes", "-1"], "codes is -1"),
        (["--days", "0"], "days is 0"),
        (["--days", "999999999"], "days is 999999999"),
        (["--seed", "-1"], "seed is -1"),
        (["--layout", "tick_v9"], "expected one of minute_v1, tick_v1, tick_v2"),
        (["--start", "20231301"], "expected a day as yyyymmdd"),
        (["--start", "99991231"], "the calendar ends before"),
        (["--begin", "93000", "--end", "90000"], "expected 90000 <= begin < end <= 152000"),
        (["--end", "256000"], "expected a time of day as hhmmss"),
        (["--edge", "strong"], "edge 'strong': expected"),
        (["--edge", "demo", "--end", "90010"], "but a session is 11 s"),
    ],
)
def test_a_market_that_cannot_be_simulated(refused, flags, said):
    assert said in refused("simulate", "new.db", *flags)


@pytest.mark.parametrize("flags", [[], ["--overwrite"]])
def test_a_market_is_not_written_over_a_folder(refused, flags):
    Path("markets").mkdir()
    assert "markets is a folder or a device. Expected the name of a database file" in refused("simulate", "markets", *flags)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["ingest", "--store", "s", "--workers", "0"], "workers is 0: expected at least 1"),
        (["ingest", "--store", "s", "--workers", "-1"], "workers is -1"),
        (["ingest", "--store", "buy.txt"], "choose another folder"),
        (["ingest", "--store", "."], "is not empty and no store: choose a new folder"),
    ],
)
def test_an_ingest_that_cannot_be_done(refused, market, command, said):
    assert said in refused(command[0], market, *command[1:])


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--evaluations", "0"], "search.evaluations: Input should be greater than or equal to 1"),
        (["--workers", "0"], "execution.workers"),
        (["--seed", "-1"], "search.seed"),
        (["--lang", "fr"], "'en' or 'ko'"),
        (["--out", "buy.txt"], "choose another place with --out"),
    ],
)
def test_a_demo_that_cannot_be_run_is_refused_before_it_simulates(refused, flags, said):
    assert said in refused("demo", "--out", "d", *flags)


# Scripts and ranges


MISTAKES = {
    "unknown name": (PLAIN_BUY.replace("체결강도", "체결깅도"), "line 2, column 9", "did you mean `체결강도`?"),
    "unknown function": (PLAIN_BUY.replace("체결강도", "이동평귱(30)"), "line 2, column 9", "did you mean `이동평균`?"),
    "wrong arguments": (PLAIN_BUY.replace("체결강도", "이동평균(1,2,3,4)"), "line 2, column 9", "takes 1 to 2 arguments, not 4"),
    "open bracket": (PLAIN_BUY.replace("100)", "100"), "line 2, column 8", "`(` is never closed"),
    "import": ("import os\n" + PLAIN_BUY, "line 1, column 1", "not part of the condition language"),
    "loop": ("while True:\n    pass\n", "line 1, column 1", "not part of the condition language"),
    "attribute": (PLAIN_BUY.replace("체결강도", "self.__class__"), "line 2, column 9", "has no value here"),
    "mixed indentation": ("if 현재가 > 1:\n\t매수 = False\n        매수 = True\n", "line 3, column 1", "mixes tabs and spaces"),
    "no block": (PLAIN_BUY.replace("    매수 = False", "매수 = False"), "line 3, column 1", "expected an indented block"),
    "only while held": (PLAIN_BUY.replace("체결강도", "수익률"), "line 2, column 9", "exists only while a position is held"),
    "look ahead": (PLAIN_BUY.replace("체결강도", "체결강도N(-1)"), "line 2", "looks back to the buy row"),
    "digit first": (PLAIN_BUY.replace("체결강도", "1체결강도"), "line 2, column 9", "is not a number"),
    "invisible": (PLAIN_BUY.replace("체결강도", "체결\x00강도"), "line 2", "invisible character U+0000"),
    "too long": ("# x\n" * 200_000, "line 1", "more than 64 KiB"),
    "another encoding": (PLAIN_BUY.encode("cp949"), "line 1, column 1", "save the text as UTF-8"),
    "utf-16": (PLAIN_BUY.encode("utf-16"), "line 1, column 1", "save the text as UTF-8"),
}


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.parametrize("verb", ["check", "backtest"])
def test_a_script_s_mistake_is_shown_with_line_column_and_remedy(refused, market, name, verb):
    text, place, said = MISTAKES[name]
    Path("buy.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    data = ["--db", market, "--trades", "t.csv"] if verb == "backtest" else []
    message = refused(verb, *data, *SCRIPTS)
    assert f"buy.txt, {place}" in message
    assert said in message


def test_a_search_tells_a_script_s_mistake_and_makes_no_folder(refused, folder, write_run):
    write_run(folder)
    Path("sell.txt").write_text("매도 = False\nif 수익율 > 1:\n    매도 = True\n", encoding="utf-8")
    message = refused("search", "run.yaml")
    assert "sell.txt, line 2, column 4: unknown name `수익율`" in message
    assert "did you mean `수익률`?" in message
    assert not Path("run").exists()


def test_warnings_and_faults_name_the_script_s_file_too(cli, folder, market):
    Path("sell.txt").write_text("팔기 = 1\n", encoding="utf-8")
    said = "sell.txt: `매도` is never set"
    assert said in cli("check", *SCRIPTS).out
    assert said in cli("backtest", "--db", market, *ONCE, "--json", "-").err
    Path("buy.txt").write_text(PLAIN_BUY.replace("체결강도", "self.vars[1] / (self.vars[1] - 90)"), encoding="utf-8")
    Path("rows.json").write_text("[[30, 90, 60, 0.5], [30, 91, 60, 0.5]]", encoding="utf-8")
    swept = cli("sweep", "--db", market, *SCRIPTS, "--rows", "rows.json", "--profile", "stom", "--json", "-")
    assert swept.code == 0
    assert "row 0 FAILED: buy.txt, line 2, column " in swept.err
    assert swept.json["faults"][0]["message"].startswith("buy.txt, line 2, column ")


@pytest.mark.parametrize("change", [lambda text: b"\xef\xbb\xbf" + text, lambda text: text.replace(b"\n", b"\r\n")])
def test_byte_order_marks_and_windows_line_ends_change_nothing(cli, folder, market, change):
    plain = cli("backtest", "--db", market, *ONCE, "--json", "-").json
    for name in ("buy.txt", "sell.txt", "vars.txt"):
        Path(name).write_bytes(change(Path(name).read_bytes()))
    assert cli("backtest", "--db", market, *ONCE, "--json", "-").json["figures"] == plain["figures"]
    assert cli("check", *SCRIPTS, "--ranges", "vars.txt").code == 0


def test_a_division_that_would_stop_stom_is_an_error_in_its_profile(refused, cli, market):
    Path("buy.txt").write_text(PLAIN_BUY.replace("체결강도", "1 / 0"), encoding="utf-8")
    message = refused("backtest", "--db", market, *ONCE, "--profile", "stom", "--trades", "t.csv")
    assert "buy.txt, line 2, column 9: a plain number is divided by zero" in message
    assert "20230109 09:00" in message
    done = cli("backtest", "--db", market, *ONCE, "--json", "-")
    assert (done.code, list(done.json["zero_divisions"])) == (0, ["buy:2"])


LINTS = {
    "gap of 0": ("self.vars[0] = [[30, 60, 0], 30]", "a gap of 0 fixes the value"),
    "wrong sign": ("self.vars[0] = [[30, 60, -10], 30]", "write a gap of 10"),
    "too many": ("self.vars[0] = [[30, 300, 1], 30]", "at most 20 values"),
    "best off the grid": ("self.vars[0] = [[30, 60, 10], 35]", "the nearest is 30"),
    "low is high": ("self.vars[0] = [[30, 30, 10], 30]", "write [[30, 30, 0], 30]"),
    "skipped index": ("self.vars[1] = [[30, 60, 10], 30]", "write self.vars[0]"),
    "two numbers": ("self.vars[0] = [[30, 60], 30]", "say that the form is `values`"),
    "no range": ("vars[0] = 30", "write `self.vars[0] = [[low, high, gap], best]`"),
    "an expression": ("self.vars[0] = [[30, 30+30, 10], 30]", "a list of numbers and one best value"),
    "a call": ("self.vars[0] = [[30, 30, 0], __import__('os').getpid()]", "only numbers are read in a range"),
    "negative avgtime": ("self.vars[0] = [[-30, 30, 30], 30]", "write positive whole numbers"),
    "too large": ("self.vars[0] = [[30, 30, 0], 30]\nself.vars[1] = [[1, " + "9" * 60 + ", 1], 30]", "write fewer digits"),
    "empty": ("\n", "no range"),
}


@pytest.mark.parametrize("name", LINTS)
def test_a_range_s_lint_is_shown_with_its_line_and_remedy(refused, market, folder, write_run, name):
    text, said = LINTS[name]
    Path("vars.txt").write_text(text + "\n", encoding="utf-8")
    for command in (
        ["check", *SCRIPTS, "--ranges", "vars.txt"],
        ["sweep", "--db", market, *SCRIPTS, "--ranges", "vars.txt", "--one-at-a-time"],
    ):
        message = refused(*command)
        assert "vars.txt, line " in message
        assert said in message


def test_ranges_that_lack_a_variable_of_the_scripts_name_it(refused, folder, write_run):
    Path("vars.txt").write_text("self.vars[0] = [[30, 30, 0], 30]\nself.vars[1] = [[90, 110, 10], 100]\n", encoding="utf-8")
    write_run(folder)
    assert "self.vars[2], self.vars[3], which has no range" in refused("search", "run.yaml")
    assert "expected one of step, values" in refused("check", *SCRIPTS, "--ranges", "vars.txt", "--ranges-form", "value")


@pytest.mark.parametrize("name", ["buy", "sell", "ranges", "rows", "conditions"])
def test_a_file_that_is_not_there_is_named(refused, market, name):
    files = {"buy": "buy.txt", "sell": "sell.txt"} | {name: "gone.txt"}
    flags = [part for option, path in files.items() for part in (f"--{option}", path)]
    extra = {"ranges": ["--one-at-a-time"]}.get(name, ["--rows", "r.json"] if name in ("buy", "sell") else [])
    Path("r.json").write_text("[[30, 100, 60, 0.5]]", encoding="utf-8")
    assert "gone.txt: no such file. Expected" in refused("sweep", "--db", market, *flags, *extra)


# Sweeps


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1}', "expected a list of parameter rows"),
        ("[]", "expected a list of parameter rows"),
        ("null", "expected a list of parameter rows"),
        ("[[]]", "no parameter rows"),
        ("[[30, 100, 60, 0.5], [30]]", "row 1 has 1 values, row 0 has 4"),
        ('[[30, "100", 60, 0.5]]', "row 0 is [30, '100', 60, 0.5]: expected a list of numbers"),
        ("[[30, true, 60, 0.5]]", "expected a list of numbers"),
        ("[[30, 100, 60]]", "but parameter rows have 3 values"),
        ("[[30, NaN, 60, 0.5]]", "parameter row 0: self.vars[1] is nan"),
        ("[[30, 100, 60, 0.5], [30, 100, Infinity, 0.5]]", "parameter row 1: self.vars[2] is inf"),
        ("[[30, 1e999, 60, 0.5]]", "is inf"),
        ("[[30, 1" + "0" * 400 + ", 60, 0.5]]", "is about 2^1"),
        ("[[30, 1" + "0" * 5_000 + ", 60, 0.5]]", "not readable as JSON"),
        ("[[NaN, 100, 60, 0.5]]", "self.vars[0]"),
        ("[[30.5, 100, 60, 0.5]]", "self.vars[0] has the value 30.5"),
        ("[[30, 100],\n[30 100]]", "rows.json:2: column 5: not valid JSON"),
        ("[" * 100_000, "nested too deep"),
        ("", "not valid JSON"),
    ],
)
def test_rows_that_are_none(refused, market, text, said):
    Path("rows.json").write_text(text, encoding="utf-8")
    assert said in refused("sweep", "--db", market, *SCRIPTS, "--rows", "rows.json", "--trades", "t.csv")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], 'expected {"buy": [[line, ...], ...]'),
        ({"buy": [["현재가 > 1"]]}, 'expected {"buy": [[line, ...], ...]'),
        ({"buy": [], "sell": [], "x": 1}, 'expected {"buy": [[line, ...], ...]'),
        ({"buy": None, "sell": []}, "buy is None: expected a list"),
        ({"buy": 5, "sell": [["a"]]}, "buy is 5: expected a list"),
        ({"buy": [["현재가 > 1"]], "sell": ["수익률 > 1"]}, "sell[0] is no list of texts"),
        ({"buy": [[5]], "sell": [["수익률 > 1"]]}, "buy[0] is no list of texts"),
        ({"buy": [["현재가 > 1"]], "sell": []}, "1 buy lists and 0 sell lists"),
        ({"buy": [], "sell": []}, "at least one pair"),
        (
            {"buy": [["현재가 > 1"], ["현재가 > 1", "현재까 > 1"]], "sell": [["수익률 > 1"], ["수익률 > 1"]]},
            "pair 1: buy condition, line 2, column 1: unknown name `현재까`",
        ),
    ],
)
def test_conditions_that_are_none(refused, market, content, said):
    Path("conditions.json").write_text(json.dumps(content), encoding="utf-8")
    assert said in refused("sweep", "--db", market, "--conditions", "conditions.json", "--trades", "t.csv")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "exactly one of"),
        (["--rows", "r.json", "--conditions", "c.json"], "exactly one of"),
        (["--ranges", "vars.txt"], "--ranges goes with --one-at-a-time or --grid"),
        (["--one-at-a-time"], "--ranges goes with --one-at-a-time or --grid"),
        (["--grid"], "--ranges goes with --one-at-a-time or --grid"),
        (["--ranges", "vars.txt", "--grid", "--one-at-a-time"], "take one of them"),
        (["--ranges", "vars.txt", "--grid", "--most-rows", "100"], "more than 100: search it"),
        (["--ranges", "vars.txt", "--grid", "--max-memory", "much"], "'much' is no size of memory"),
        (["--ranges", "vars.txt", "--grid", "--max-memory", "1MB"], "max_memory is 1.0 MB, but one instrument at a time needs"),
        (["--ranges", "vars.txt", "--grid", "--max-memory", "2GB", "--backend", "reference"], "is a limit of backend cpu"),
        (["--ranges", "vars.txt", "--one-at-a-time", "--ranges-form", "stepp"], "expected one of step, values"),
    ],
)
def test_a_sweep_takes_one_kind_of_rows(refused, market, flags, said):
    Path("r.json").write_text("[[30, 100, 60, 0.5]]", encoding="utf-8")
    Path("c.json").write_text('{"buy": [["현재가 > 1"]], "sell": [["수익률 > 1"]]}', encoding="utf-8")
    assert said in refused("sweep", "--db", market, *SCRIPTS, *flags)


def test_a_sweep_without_scripts_needs_conditions(refused, market):
    Path("r.json").write_text("[[30, 100, 60, 0.5]]", encoding="utf-8")
    assert "--buy and --sell are missing" in refused("sweep", "--db", market, "--rows", "r.json")


# Outputs


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--trades", "gone/t.csv"], "there is no folder gone. Make it first"),
        (["--json", "gone/r.json"], "there is no folder gone. Make it first"),
        (["--trades", "."], "is a folder"),
        (["--json", "made"], "is a folder"),
        (["--trades", "buy.txt"], "would be overwritten, and it is read"),
        (["--json", "./sell.txt"], "would be overwritten, and it is read"),
        (["--trades", "x.db"], "would be overwritten, and it is read"),
        (["--trades", "same", "--json", "same"], "two outputs go there"),
        (["--trades", "buy.txt/t.csv"], "there is no folder buy.txt"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_the_run(refused, market, flags, said, monkeypatch):
    def start(*_, **__):
        raise AssertionError("the run was started")

    shutil.copy(market, "x.db")
    Path("made").mkdir()
    monkeypatch.setattr("stom_ray.runs.choice.load_panel", start)
    assert said in refused("backtest", "--db", "x.db", *ONCE, *flags)


def test_a_device_takes_output_and_stays_a_device(cli, folder, market):
    """Standard output goes to a file here, which /dev/stdout leads to: it must be written to, not replaced."""
    done = cli("backtest", "--db", market, *ONCE, "--trades", "/dev/null", "--json", "/dev/stdout")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out[done.out.index("{\n") :])["trades"] > 0
    assert Path("/dev/null").is_char_device()


LIMITED = """
import resource, sys
from stom_ray.cli.main import run
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.argv = ["stom-ray", *sys.argv[2:]]
run()
"""


def with_little_room(limit, *args):
    """The command in a process whose files cannot grow beyond so many bytes: writes fail as on a full disk."""
    command = [sys.executable, "-c", LIMITED, str(limit), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_full_disk_leaves_old_results_and_no_pieces(cli, folder, market):
    rows = [[30, 100 + row / 100, 60, 0.5] for row in range(200)]
    Path("rows.json").write_text(json.dumps(rows), encoding="utf-8")
    sweep = ["sweep", "--db", market, *SCRIPTS, "--rows", "rows.json"]
    assert cli(*sweep, "--trades", "t.csv", "--json", "r.json").code == 0
    before = prints(folder)
    for flags, name in ((["--trades", "t.csv"], "t.csv"), (["--json", "r.json"], "r.json")):
        done = with_little_room(30_000, *sweep, *flags)
        assert done.returncode == 2, done.stderr
        assert f"{name}: cannot be written (File too large)" in done.stderr
        assert "Traceback" not in done.stderr
        assert prints(folder) == before


def test_a_search_on_a_full_disk_keeps_its_ledger_and_resumes(cli, folder, write_run, finished):
    write_run(folder)
    done = with_little_room(5_000, "search", "run.yaml")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "run/search/ledger.bin: a batch could not be written" in done.stderr
    assert "everything before it is safe" in done.stderr
    resumed = cli("search", "run.yaml", "--resume", "--json", "-")
    theirs = json.loads((finished / "run" / "result.json").read_text(encoding="utf-8"))
    assert (resumed.code, resumed.json["best"], resumed.json["walk_forward"]) == (0, theirs["best"], theirs["walk_forward"])


def test_a_report_on_a_full_disk_keeps_the_old_one(finished, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    before = prints(Path("run"))
    done = with_little_room(2_000, "report", "run")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "choose another folder" in done.stderr
    assert prints(Path("run")) == before


@pytest.mark.parametrize("verb", ["simulate", "ingest"])
def test_data_on_a_full_disk_is_not_half_written(cli, folder, market, verb):
    command = {
        "simulate": ["simulate", "new.db", "--codes", 2, "--days", 2],
        "ingest": ["ingest", market, "--store", "s", "--workers", 1],
    }
    done = with_little_room(100_000, *command[verb])
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert not Path("new.db").exists()
    again = cli(*command[verb], "--json", "-")
    assert again.code == 0
    if verb == "ingest":
        assert again.json["failed"] == {}
        rows = [
            sum(table["rows"] for table in cli("inspect", place, "--json", "-").json["tables"].values())
            for place in ("s", market)
        ]
        assert rows[0] == rows[1]


# Stores


def test_a_store_of_another_version_is_told_with_both_versions(refused, cli, market):
    assert cli("ingest", market, "--store", "ticks", "--workers", 1).code == 0
    Path("ticks/manifest.json").write_text('{"format": "stom_ray store", "schema_version": 99}', encoding="utf-8")
    for command in (["inspect", "ticks"], ["backtest", "--db", "ticks", *ONCE], ["ingest", market, "--store", "ticks"]):
        assert "store of schema version 99, this program reads and writes 2: ingest the databases again" in refused(*command)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"format": "x"}'])
def test_a_store_whose_manifest_is_damaged_is_told(refused, cli, market, damage):
    assert cli("ingest", market, "--store", "ticks", "--workers", 1).code == 0
    Path("ticks/manifest.json").write_bytes(damage)
    assert "ticks/manifest.json: " in refused("backtest", "--db", "ticks", *ONCE)


# Runs


@pytest.fixture
def run(finished, folder):
    """The finished run, in the user's folder."""
    for name in ("run", "run.yaml"):
        place = finished / name
        shutil.copytree(place, name) if place.is_dir() else shutil.copy(place, name)
    return folder / "run"


def test_a_ledger_damaged_in_the_middle_is_named_with_its_offset(refused, run):
    ledger = run / "search" / "ledger.bin"
    data = bytearray(ledger.read_bytes())
    data[len(data) // 2] ^= 0xFF
    ledger.write_bytes(data)
    for command in (["search", "run.yaml", "--resume"], ["report", "run"]):
        message = refused(*command)
        assert "run/search/ledger.bin: damaged at offset" in message
        assert "Restore a copy" in message


def test_a_ledger_without_its_head_is_told(refused, run):
    ledger = run / "search" / "ledger.bin"
    ledger.write_bytes(b"\0" * 64 + ledger.read_bytes()[64:])
    assert "run/search/ledger.bin: offset 0" in refused("search", "run.yaml", "--resume")


def test_a_torn_tail_is_cut_off_and_the_rest_evaluated_again(cli, run, finished):
    ledger = run / "search" / "ledger.bin"
    whole = ledger.read_bytes()
    ledger.write_bytes(whole[:-100])
    done = cli("search", "run.yaml", "--resume", "--json", "-")
    theirs = json.loads((finished / "run" / "result.json").read_text(encoding="utf-8"))
    assert (done.code, done.json["best"], done.json["evaluations"]) == (0, theirs["best"], theirs["evaluations"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("seed: 1", "seed: 2"), "its seed differ"),
        (("batch: 10", "batch: 20"), "its batch_size differ"),
        (("costs: krx", "costs: stom"), "its engine differ"),
        (("sampler: random", "sampler: tpe"), "its sampler differ"),
        (("train_days: 4", "train_days: 3"), "has other windows"),
        (("path: ", 'days: "20230110-20230118", path: '), "its data differ"),
    ],
)
def test_a_folder_of_another_run_is_refused_and_left_alone(refused, run, change, said):
    path = Path("run.yaml")
    path.write_text(path.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    message = refused("search", "run.yaml", "--resume")
    assert said in message
    assert "Set execution.folder to another one" in message


def test_another_strategy_in_a_run_s_folder_is_refused_and_its_scripts_stay(refused, run):
    Path("buy.txt").write_text(Path("buy.txt").read_text(encoding="utf-8").replace("90900", "90800"), encoding="utf-8")
    assert "its strategy differ" in refused("search", "run.yaml", "--resume")
    assert "90900" in (run / "buy.txt").read_text(encoding="utf-8")


def test_a_run_that_another_process_writes_is_not_written_too(refused, run):
    lock = FileLock(run / "search" / "ledger.bin")
    try:
        assert "another process is writing to this ledger" in refused("search", "run.yaml", "--resume")
    finally:
        lock.release()


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe"])
def test_a_damaged_result_is_told_and_can_be_deleted(refused, cli, run, content):
    """It alone says how many windows there are: a report without them would not say what it left out."""
    (run / "result.json").write_bytes(content)
    assert "run/result.json: damaged or cut off (" in refused("report", "run")
    if content == b"{":
        (run / "result.json").unlink()
        done = cli("report", "run", "--json", "-")
        assert (done.code, done.json["evaluations"], done.json["stopped_by"]) == (0, 41, "done")


def test_a_run_s_damaged_configuration_is_told_with_its_line(refused, run):
    (run / "config.yaml").write_text("data: {path: x}\nserach: {}\n...\n", encoding="utf-8")
    message = refused("report", "run")
    assert "run/config.yaml:2: serach: unknown key. did you mean `search`?" in message


def test_a_report_without_its_data_or_run_says_what_is_missing(refused, run, market):
    config = (run / "config.yaml").read_text(encoding="utf-8")
    (run / "config.yaml").write_text(config.replace(str(market), "/gone/market.db"), encoding="utf-8")
    assert "/gone/market.db: no such file" in refused("report", "run")
    assert "no run in there (config.yaml is missing)" in refused("report", ".")
    assert "no run in there" in refused("report", "nowhere")
    assert "expected en or ko" in refused("report", "run", "--lang", "xx")


def test_a_run_folder_that_is_a_file_is_told(refused, folder, write_run):
    write_run(folder)
    Path("run").write_text("mine", encoding="utf-8")
    assert "run: cannot be written" in refused("search", "run.yaml")


def test_days_too_few_for_a_window_are_told_with_the_arithmetic(cli, folder, write_run):
    write_run(folder, walk_forward="walk_forward: {train_days: 30, valid_days: 2, test_days: 2}\n")
    done = cli("walk-forward", "run.yaml")
    assert (done.code, done.out) == (2, "")
    assert "8" in done.err
    assert "34" in done.err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["search"], "which run? Give a YAML file"),
        (["search", "gone.yaml"], "gone.yaml: no such file"),
        (["search", "."], "cannot be read"),
        (["search", "buy.txt"], "buy.txt:"),
        (["walk-forward", "gone.yaml"], "gone.yaml: no such file"),
        (["walk-forward"], "Missing argument"),
        (["nonsense"], "No such command"),
        (["search", "typo.yaml"], "typo.yaml:4: search.evaluatoins: unknown key. did you mean `evaluations`?"),
        (["search", "gone-script.yaml"], "strategy.buy: nowhere.txt: no such file"),
    ],
)
def test_a_configuration_that_is_none(refused, market, command, said):
    scripts = f"data: {{path: {market}}}\nstrategy: {{buy: buy.txt, sell: sell.txt, ranges: vars.txt}}\n"
    Path("typo.yaml").write_text(scripts + "search:\n  evaluatoins: 5\n", encoding="utf-8")
    Path("gone-script.yaml").write_text(scripts.replace("buy.txt", "nowhere.txt"), encoding="utf-8")
    assert said in refused(*command)


# The Python API


@pytest.mark.parametrize(
    "call",
    [
        lambda market: api.inspect("gone.db"),
        lambda market: api.ingest(["gone.db"], "s", workers=1),
        lambda market: api.simulate("x.db", codes=0),
        lambda market: api.check("매수 = 현재까", ""),
        lambda market: api.backtest(market, PLAIN_BUY, "매도 = True", betting=float("inf")),
        lambda market: api.backtest(market, PLAIN_BUY, "매도 = True", vars=[float("nan")]),
        lambda market: api.backtest(market, PLAIN_BUY, "매도 = True", profile="stomm"),
        lambda market: api.sweep(market, PLAIN_BUY, "매도 = True", rows=[[30], [30, 1]]),
        lambda market: api.sweep(market, conditions={"buy": None, "sell": None}),
        lambda market: api.load_config("gone.yaml"),
        lambda market: api.report("gone"),
    ],
)
def test_the_api_raises_stom_errors_for_the_same_mistakes(folder, market, call):
    with pytest.raises(StomError) as caught:
        call(market)
    assert len(textwrap.shorten(str(caught.value), 1000)) > 20


# The job


@pytest.fixture
def job(monkeypatch, capfd):
    """`python jobs/run_search.py ARGS`, with Ray told to stay out: (exit code, standard error)."""
    main = runpy.run_path(str(Path(__file__).parents[2] / "jobs" / "run_search.py"))["main"]

    def call(*args):
        monkeypatch.setattr(sys, "argv", ["run_search.py", *map(str, args)])
        return main(), capfd.readouterr().err

    return call


def test_a_job_with_a_bad_configuration_ends_with_2(job, folder):
    Path("typo.yaml").write_text("serach: {}\n", encoding="utf-8")
    assert "did you mean `search`?" in job("typo.yaml")[1]
    assert job("gone.yaml")[0] == job("typo.yaml")[0] == 2


def test_a_job_whose_folder_would_vanish_with_its_upload_is_refused(job, folder, write_run, monkeypatch):
    write_run(folder)
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
    code, message = job("run.yaml")
    assert code == 2
    assert "which is deleted after the job. Give a place that stays: --folder" in message
    assert not Path("run").exists()
