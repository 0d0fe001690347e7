"""The verdict card of real runs: what it counts, what it looks at, and that counting survives reports, copies and repetitions."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from stom_ray import api
from stom_ray.config import load_config
from stom_ray.runs.cross_validated import scheme_of
from stom_ray.runs.register import NAME, read_register
from stom_ray.runs.subject import open_subject
from stom_ray.search.ledger import Ledger
from stom_ray.simulate import DEMO_EDGE, SimulateConfig, simulate
from stom_ray.validation.cross_validation import plan

WINDOWS = "walk_forward: {train_days: 8, valid_days: 2, test_days: 3}\n"
FOLDS = "cross_validation: {scheme: cpcv, folds: 4, test_folds: 2, embargo_days: 1, evaluations: 20}\n"
ACCOUNT = "account: {cash: 3000000, max_holdings: 1}\n"
DECISIVE = ["days", "deflated_sharpe", "reality_check", "pbo", "out_of_sample"]
SUPPORTING = ["interval", "present", "random_entries", "plateau", "stability", "optimism", "cost_stress", "account", "drawdown"]


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """Days enough for every check: 2 instruments and 24 days, eight minutes each, with an edge."""
    path = tmp_path_factory.mktemp("long") / "long.db"
    simulate(path, SimulateConfig(codes=2, days=24, seed=5, end=90800, edge=DEMO_EDGE))
    return path


def written(folder, market, run, seed=1, more=WINDOWS + ACCOUNT):
    """A run's configuration over the long market."""
    text = (
        f"data: {{path: {market}}}\nstrategy: {{buy: buy.txt, sell: sell.txt, ranges: vars.txt}}\nengine: {{costs: krx}}\n"
        f"search: {{sampler: random, evaluations: 60, islands: 2, batch: 10, seed: {seed}}}\n{more}"
        f"execution: {{backend: serial, workers: 1, folder: {run}}}\n"
    )
    path = folder / f"{run}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def searched(tmp_path_factory, market, strategy_files):
    """(a folder with one.yaml, its strategy and the finished run in one/, to be looked at or copied; what the run returned)"""
    folder = tmp_path_factory.mktemp("searched")
    strategy_files(folder)
    return folder, api.search(load_config(written(folder, market, "one")))


@pytest.fixture
def write(folder, market):
    """Writes configurations into the user's folder."""
    return partial(written, folder, market)


@pytest.fixture
def mine(folder, searched):
    """The user's folder, with a copy of the finished run; its card."""
    shutil.copytree(searched[0], folder, dirs_exist_ok=True)
    return searched[1].to_json()["card"]


def lines_of(run):
    return (Path(run).parent / NAME).read_text(encoding="utf-8").splitlines()


def test_a_run_ends_in_one_card_in_every_form(searched):
    folder, outcome = searched
    told, record = outcome.render(), json.loads((folder / "one" / "result.json").read_text(encoding="utf-8"))
    card = record["card"]
    assert [check["name"] for check in card["checks"]] == DECISIVE + SUPPORTING
    assert [check["name"] for check in card["checks"] if check["missing"]] == []
    assert (card["days"], card["looks"]) == (24, 1)
    assert card["n_trials"] == 61 + 4 * 61
    assert 1 <= card["effective"] <= card["n_trials"]
    page = outcome.report.read_text(encoding="utf-8")
    for check in card["checks"]:
        assert check["words"] in told
        assert check["words"].replace("'", "&#39;") in page
    assert card["words"] in told
    assert "an account of 3,000,000 KRW with at most 1 holding" in told
    capital = record["capital"]
    assert 0 < capital["trades"] <= capital["unlimited_trades"] == record["best"]["figures"]["tc"]
    assert capital["peak_holdings"] == 1
    difference = record["test"]["figures"]["tsg"] - record["present_on_test"]["figures"]["tsg"]
    compared = record["present_compared"]
    assert compared["test"]["mean"] * compared["test"]["days"] == pytest.approx(difference)
    assert compared["test"]["low"] <= compared["test"]["mean"] <= compared["test"]["high"]
    assert {one["assumption"] for one in record["stress"]} >= {"as searched", "half the size", "all at once"}
    assert sum(one["alike"] for one in record["winners"]) <= 61
    assert record["winners"][0]["objective"] == record["best"]["objective"]


def test_a_run_reported_or_gone_on_with_again_counts_once_and_says_the_same(cli, mine):
    before = lines_of("one")
    assert cli("report", "one", "--lang", "ko", "--json", "-").json["card"] == mine
    assert cli("search", "one.yaml", "--resume", "--json", "-").json["card"] == mine
    assert lines_of("one") == before


def test_every_other_study_on_the_same_days_counts_and_every_look_has_its_price(cli, mine, write):
    second = cli("search", write("two", seed=2), "--json", "-").json["card"]
    assert second["n_trials"] == 2 * mine["n_trials"]
    assert (mine["looks"], second["looks"]) == (1, 2)
    shutil.copytree("two", "elsewhere/two")
    alone = cli("report", "elsewhere/two", "--json", "-").json["card"]
    assert (alone["n_trials"], alone["looks"]) == (mine["n_trials"], 1)
    p_values = [{check["name"]: check["value"] for check in card["checks"]}["out_of_sample"] for card in (alone, second)]
    assert p_values[1] == pytest.approx(min(1.0, 2 * p_values[0]))
    studies = read_register(Path("two")).studies
    assert len(studies) == 10
    assert all(len(study.returns()) == 61 for study in studies)


def test_without_an_account_or_test_days_the_card_says_what_is_missing(cli, write):
    record = cli("search", write("one", more=""), "--json", "-").json
    missing = [check["name"] for check in record["card"]["checks"] if check["missing"]]
    assert missing == ["out_of_sample", "interval", "present", "account"]
    assert record["card"]["standing"] != "pass"
    assert record["card"]["looks"] == 0
    assert record["capital"] == "unlimited"


def test_a_walk_forward_alone_judges_what_its_last_window_chose(cli, write):
    record = cli("walk-forward", write("one", more=WINDOWS.replace("train_days: 8", "train_days: 16")), "--json", "-").json
    card, (window, *_) = record["card"], record["walk_forward"][::-1]
    assert card["standing"] == "too_little_data"
    assert card["days"] == window["train"][2] == 16
    assert card["n_trials"] == 61 * len(record["walk_forward"])


def test_a_search_that_dies_was_tried_all_the_same(write, monkeypatch):
    from stom_ray.search.evaluator import SerialEvaluator

    real, calls = SerialEvaluator.evaluate, []

    def dying(self, params):
        calls.append(len(params))
        if len(calls) > 3:
            raise MemoryError
        return real(self, params)

    monkeypatch.setattr(SerialEvaluator, "evaluate", dying)
    with pytest.raises(MemoryError):
        api.search(load_config(write("one", more="")))
    (study,) = read_register(Path("one")).studies
    assert len(study.returns()) == len(Ledger.read(study.ledger)) == 21
    np.testing.assert_array_equal(study.returns(), Ledger.read(study.ledger).daily)


def test_an_empty_purge_means_what_the_strategy_needs(cli, write, folder):
    buy = folder / "buy.txt"
    buy.write_text(buy.read_text(encoding="utf-8").replace("매수 = True", "매수 = 이동평균(60) > 0"), encoding="utf-8")
    subject = open_subject(load_config(write("one")))
    needed = subject.purge["needed"]
    assert subject.purge["days"] == needed == subject.reach.purge_days >= 1
    crossed = open_subject(load_config(write("crossed", more=FOLDS)))
    for fold in plan(crossed.days, scheme_of(crossed))[0]:
        apart = np.subtract.outer(*(np.searchsorted(crossed.days, part) for part in (fold.train, fold.test)))
        assert not ((apart >= -needed) & (apart <= needed + 1)).any()  # the embargo of a day is behind the test days
    done = cli("walk-forward", write("one"), "--json", "one.json")
    record = json.loads(Path("one.json").read_text(encoding="utf-8"))
    days = subject.days.tolist()
    for window in record["walk_forward"]:
        assert days.index(window["test"][0]) - days.index(window["valid"][1]) == needed + 1
        assert days.index(window["valid"][0]) - days.index(window["train"][1]) == needed + 1
    assert f"purge     {needed} before each evaluated block; needed are {needed} day" in done.out
    none = cli("walk-forward", write("two", more=WINDOWS.replace("{", "{purge_days: 0, ")), "--json", "-").json
    assert none["purge"]["days"] == 0
    assert [text for text in none["warnings"] if text.startswith("walk_forward.purge_days is 0, but the strategy's windows")]


def test_a_cross_validated_run_counts_every_fold_and_is_judged_by_its_paths(cli, write):
    record = cli("search", write("one", more=FOLDS), "--json", "-").json
    crossed, card = record["cross_validation"], record["card"]
    assert (crossed["planned"], len(crossed["folds"]), crossed["days"], crossed["trials"]) == (6, 6, 24, 6 * 21)
    assert (card["n_trials"], card["looks"]) == (61 + 6 * 21, 1)
    days = np.array(open_subject(load_config("one.yaml")).days)
    profit = np.zeros(6)
    for number, fold in enumerate(crossed["folds"]):
        test, train = (np.concatenate([days[(days >= a) & (days <= b)] for a, b, _ in fold[part]]) for part in ("test", "train"))
        assert len(test) == sum(block[2] for block in fold["test"]) == 12
        behind = [int(np.searchsorted(days, block[1])) + 1 for block in fold["test"]]
        assert not {int(days[at]) for at in behind if at < 24} & set(train.tolist())
        assert not set(test) & set(train)
        assert Ledger.read(Path("one/cross-validation") / f"fold-{number + 1:02d}" / "ledger.bin").days.tolist() == train.tolist()
        profit[number] = fold["test_figures"]["tsg"]
    assert sum(crossed["profit"]["values"]) == profit.sum()
    assert len(crossed["profit"]["values"]) == 3
    (check,) = [check for check in card["checks"] if check["name"] == "cross_validation"]
    assert check["value"] == np.mean(np.array(crossed["profit"]["values"]) <= 0)
    assert not check["decisive"]
    assert {check["name"] for check in card["checks"] if check["missing"]} == {"out_of_sample", "interval", "present", "account"}
    before = lines_of("one")
    again = cli("report", "one", "--lang", "ko", "--json", "-").json
    assert (again["cross_validation"], again["card"]) == (crossed, card)
    assert lines_of("one") == before
    page = Path("one/report/report.html").read_text(encoding="utf-8")
    assert 'id="cross-validation"' in page
    assert "신뢰구간이 아닙니다" in page


def test_a_cross_validation_that_was_broken_off_goes_on_where_it_was(cli, write, monkeypatch):
    folds = FOLDS.replace("cpcv", "purged_kfold").replace("test_folds: 2, ", "")
    config = load_config(write("one", more=folds))
    seen = []

    def break_off(text):
        seen.append(text)
        if sum(text.startswith("cross-validation") for text in seen) > 3:
            raise KeyboardInterrupt

    broken = api.search(config, progress=break_off)
    assert broken.stopped_by == "interrupted"
    assert len(broken.to_json()["cross_validation"]["folds"]) == 1
    assert broken.data.card["cross_validation"].missing
    resumed = api.search(config, resume=True).to_json()
    whole = cli("search", write("two", more=folds), "--json", "-").json
    assert resumed["cross_validation"] == whole["cross_validation"]
    assert whole["cross_validation"]["sharpe"]["median"] == whole["cross_validation"]["sharpe"]["worst"]
    other = cli("search", write("one", more=folds.replace("embargo_days: 1", "embargo_days: 2")), "--resume")
    assert other.code == 2
    assert "its cross-validation has other folds than the configuration's cross_validation section" in other.err


def test_folds_without_train_days_are_refused_before_anything_is_searched(cli, write):
    done = cli("search", write("one", more=FOLDS.replace("folds: 4", "folds: 4, purge_days: 12")))
    assert done.code == 2
    assert "has no train day" in done.err
    assert not Path("one").exists()


def test_what_a_reader_has_to_know_is_said_in_the_language_of_the_report(cli, write):
    done = cli("walk-forward", write("one", more=WINDOWS.replace("{", "{purge_days: 0, ")), "--json", "-").json
    told = [text for text in done["warnings"] if "set walk_forward.train_days to 20 or more" in text]
    assert len(told) == 1
    assert "its 8 train days" in told[0]
    assert "all 24 days" in told[0]
    cli("report", "one", "--lang", "ko")
    page = Path("one/report/report.html").read_text(encoding="utf-8")
    assert "walk_forward.train_days를 20 이상으로" in page
    assert told[0] not in page
