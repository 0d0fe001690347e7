"""What a card is made from, where it needs no run."""

import math

import numpy as np
import pandas as pd
import pytest

from stom_ray.runs.evidence import Searched, compared, other_trials
from stom_ray.runs.register import read_register, register_study
from stom_ray.runs.winner import kept_shares
from stom_ray.search.daily_file import daily_path

DAYS = {20230110: "aa", 20230111: "bb"}


def test_studies_of_just_these_days_are_tables_and_others_that_share_one_are_counted(tmp_path):
    run = tmp_path / "runs" / "mine"
    run.mkdir(parents=True)
    others = {
        "mine": DAYS,
        "same": DAYS,
        "part": {20230111: "bb"},
        "empty": DAYS,
        "other data": {20230110: "x", 20230111: "y"},
    }
    for number, (study, days) in enumerate(others.items()):
        ledger = run / study / "ledger.bin"
        ledger.parent.mkdir()
        rows = 0 if study == "empty" else 3 + number
        daily_path(ledger).write_bytes(np.full((rows, len(days)), number, dtype="<f4").tobytes())
        register_study(run, "data", study, ledger, rows, days)
    same, elsewhere = other_trials(read_register(run), Searched("mine", np.zeros((3, 2), dtype=np.float32), DAYS))
    assert [table.shape for table in same] == [(4, 2)]
    assert (same[0] == 1).all()
    assert elsewhere == 5


def stress(*rows):
    return pd.DataFrame(rows, columns=["assumption", "kept", "failed"])


def test_costs_are_told_from_orders_and_a_run_that_failed_keeps_nothing():
    optimism, costs = kept_shares(
        stress(
            ("as searched", 1.0, ""),
            ("costs custom:0.23,0.015", 0.8, ""),
            ("half the size", math.nan, "stopped"),
            ("entry one row later", 0.5, ""),
        )
    )
    assert costs == {"costs custom:0.23,0.015": 0.8}
    assert list(optimism) == ["half the size", "entry one row later"]
    assert math.isnan(optimism["half the size"])


def test_days_on_which_it_earns_nothing_tell_nothing_of_a_winner_that_earns_on_others():
    late = ("entry one row later", math.nan, "")
    assert kept_shares(stress(("as searched", 1.0, ""), late)) == ({}, {})
    assert list(kept_shares(stress(("as searched", math.nan, ""), late))[0]) == ["entry one row later"]


def series(values):
    return pd.Series(values, index=range(20230102, 20230102 + len(values)), dtype="float64")


def test_the_comparison_is_paired_and_has_an_interval_where_days_suffice():
    rng = np.random.default_rng(0)
    market = 1e6 * rng.standard_normal(40)
    chosen, present = series(market + 1000 + 100 * rng.standard_normal(40)), series(market)
    found = compared(chosen, present, seed=1)
    assert found["days"] == 40
    assert 900 < found["low"] < found["mean"] < found["high"] < 1100
    assert found == compared(chosen, present, seed=1)
    few = compared(series([3.0, 5.0]), series([1.0, 1.0]), seed=1)
    assert (few["mean"], math.isnan(few["low"])) == (3.0, True)


@pytest.mark.parametrize("days", [1, 30])
def test_the_present_values_are_as_good_as_themselves(days):
    same = series(np.arange(days))
    found = compared(same, same, seed=1)
    assert (found["mean"], found["low"], found["high"]) == (0.0, 0.0, 0.0)
