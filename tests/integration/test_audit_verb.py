"""`stom-ray audit` as a user has it: scripts of the golden cases, functions of the current folder, splits, and its refusals."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from stom_ray import api
from stom_ray.runs.choice import DataChoice

CASES = Path(__file__).parents[1] / "golden" / "cases"
ONCE = ["--buy", "buy.txt", "--sell", "sell.txt", "--vars", "30,100,60,0.5"]

MINE = '''\
import numpy as np


def fine(panel):
    """Change of the price since the row before."""
    change = np.diff(panel.column("현재가"), prepend=np.nan)
    change[panel.offsets[:-1]] = np.nan
    return {"변화": change}


def leaky(panel):
    price = panel.column("현재가")
    high = np.concatenate([np.full(len(one), one.max()) for one in np.split(price, panel.offsets[1:-1])])
    return {**fine(panel), "고가까지": high - price}


def up(panel):
    """Whether the next row is higher, known at the next row; the last row of a day has no label."""
    price, clock = panel.column("현재가"), panel.clock
    label = np.append(np.diff(price) > 0, False).astype(float)
    label[panel.offsets[1:] - 1] = np.nan
    return label, np.append(clock[1:], clock[-1])


def up_tomorrow(panel):
    """Says it is known 600 rows later: into the next day."""
    ends = np.repeat(panel.instrument_offsets[1:], np.diff(panel.instrument_offsets))
    later = np.minimum(np.arange(panel.n_rows) + 600, ends - 1)
    return panel.column("현재가")[later] > panel.column("현재가"), panel.clock[later]


def scale(panel, train):
    return panel.column("현재가")[train].mean()


def scale_all(panel, train):
    return panel.column("현재가").mean()


def broken(panel):
    return panel.column("현재까")


def raising(panel):
    return 1 / 0


price = 7
'''


@pytest.fixture
def mine(folder, monkeypatch):
    """The user's functions; the program and its modules are new in each test."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("audit_mine", "audit_bad", "audit_poor"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (folder / "audit_mine.py").write_text(MINE, encoding="utf-8")
    return folder


def write_split(**parts):
    Path("split.json").write_text(json.dumps(parts), encoding="utf-8")


@pytest.fixture(scope="session")
def days(market):
    return [int(day) for day in DataChoice().open(market)[0].loaded.days]


@pytest.mark.parametrize("profile", ["corrected", "stom"])
def test_a_script_pair_passes_and_ends_with_0(cli, folder, market, profile):
    done = cli("audit", "--db", market, *ONCE, "--profile", profile, "--cuts", "5", "--json", "out.json")
    assert done.code == 0, done.err
    assert "decision buy.txt + sell.txt:" in done.out
    assert "no leak found" in done.out
    record = json.loads(Path("out.json").read_text(encoding="utf-8"))
    assert (record["ok"], record["findings"]) == (True, [])
    (check,) = record["checks"]
    assert check["values"] > 0
    assert check["runs"] >= 5 * 6


@pytest.mark.parametrize(
    "case", ["c03_moving_average", "c10_single_opti", "c19_cross_day", "c25_weighting", "c34_pre_and_bounds"]
)
def test_golden_scripts_know_nothing_of_what_comes_later(golden_db, case):
    params = json.loads((CASES / case / "params.json").read_text(encoding="utf-8"))
    weights = params.get("dict_set", {}).get("주식비중조절", ())
    outcome = api.audit(
        golden_db,
        *((CASES / case / f"{side}.txt").read_bytes() for side in ("buy", "sell")),
        vars=[best for _, best in params.get("vars_list", [])],
        cuts=4,
        choice=DataChoice(days="20230119-20230125", time="90000-93000", codes=("005930", "045525", "053444")),
        avgtime=params.get("avgtime", 30),
        weights=weights,
        profile="stom",
    )
    assert outcome.findings == ()
    assert outcome.checks[0].values >= 20, outcome.render()


def test_a_leak_in_a_user_s_features_is_named_and_ends_with_1(cli, mine, market):
    assert cli("audit", "--db", market, "--features", "audit_mine:fine", "--cuts", "4").code == 0
    done = cli("audit", "--db", market, "--features", "audit_mine:leaky", "--cuts", "4", "--json", "-")
    assert done.code == 1
    (finding,) = done.json["findings"]
    assert (finding["kind"], finding["column"]) == ("day_end", "고가까지")
    assert finding["where"]["day"] == finding["depends_on"]["day"]
    assert finding["where"]["time"] < finding["depends_on"]["time"]
    assert "LEAK day_end: feature 고가까지 of audit_mine:leaky at " in done.err
    assert "1 leak (" in done.err


def test_labels_fits_and_splits_are_audited_together(cli, mine, market, days):
    write_split(train=days[:3], valid=days[3:4], test=[f"{days[5]}-{days[7]}"])
    done = cli(
        "audit", "--db", market, "--labels", "audit_mine:up", "--fit", "audit_mine:scale", "--split", "split.json", "--cuts", "4"
    )
    assert done.code == 0, done.out
    assert [line.split()[0] for line in done.out.splitlines()[:3]] == ["label", "fit", "split"]
    leaking = cli(
        "audit", "--db", market, "--labels", "audit_mine:up_tomorrow", "--fit", "audit_mine:scale_all", "--split", "split.json",
        "--cuts", "4", "--json", "-",
    )  # fmt: skip
    assert leaking.code == 1
    found = {(finding["subject"], finding["kind"], finding["column"]) for finding in leaking.json["findings"]}
    assert {("fit", "full_sample", "parameter[0]"), ("split", "overlapping_labels", "train/valid")} <= found


def test_a_split_is_checked_without_data(cli, folder, days):
    write_split(train=days[:5], valid=days[3:5])
    done = cli("audit", "--split", "split.json")
    assert done.code == 1
    assert "LEAK valid_inside_train: fold 1: valid stands inside train, first at 2023-01-" in done.out
    write_split(train=days[:3], valid=days[3:5])
    done = cli("audit", "--split", "split.json")
    assert done.code == 0
    assert "that labels end on their own side is not checked" in done.out


BAD = {
    "nothing asked": ([], "nothing to audit: give --buy and --sell"),
    "half a strategy": (["--buy", "buy.txt"], "--buy and --sell go together"),
    "no data": (["--features", "audit_mine:fine"], "--db is missing"),
    "no split": (["--db", "MARKET", "--fit", "audit_mine:scale"], "--fit needs --split"),
    "no colon": (["--db", "MARKET", "--features", "audit_mine"], "expected MODULE:FUNCTION"),
    "no module": (["--db", "MARKET", "--features", "not_there:fine"], "there is no module not_there in"),
    "no function": (
        ["--db", "MARKET", "--features", "audit_mine:fin"],
        "audit_mine has no function fin; it has: broken, fine, leaky",
    ),
    "no function but a number": (["--db", "MARKET", "--labels", "audit_mine:price"], "audit_mine has no function price"),
    "raises": (["--db", "MARKET", "--features", "audit_mine:raising"], "raised ZeroDivisionError: division by zero (line 45 of "),
    "no such column": (["--db", "MARKET", "--features", "audit_mine:broken"], "column 현재까 is not there"),
    "cuts": (["--db", "MARKET", *ONCE, "--cuts", "0"], "cuts is 0: expected 1 to 10,000"),
    "split": (["--split", "bad.json"], "bad.json: fold 1: unknown part 'trian'. Expected train, valid, test"),
    "module that cannot be read": (["--db", "MARKET", "--features", "audit_bad:f"], "audit_bad cannot be imported: SyntaxError"),
    "module that needs another": (
        ["--db", "MARKET", "--features", "audit_poor:f"],
        "audit_poor needs not_installed, which is not",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_message_and_2(cli, mine, market, name):
    Path("bad.json").write_text('{"trian": []}', encoding="utf-8")
    Path("audit_bad.py").write_text("def f(:\n", encoding="utf-8")
    Path("audit_poor.py").write_text("import not_installed\n", encoding="utf-8")
    args, message = BAD[name]
    done = cli("audit", *(market if arg == "MARKET" else arg for arg in args))
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert "Traceback" not in done.err
