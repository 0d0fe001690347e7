"""objectives.json: 400 scores and 100 merges of folds."""

import json
from pathlib import Path

import numpy as np

from stom_ray.metrics.objectives import OBJECTIVES, Limits, merge_folds, objective

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "objectives.json").read_text())


def test_scores_under_limits_hold():
    assert len(GOLDEN["std"]) == 400
    assert {record["std"] for record in GOLDEN["std"]} == set(OBJECTIVES)
    for record in GOLDEN["std"]:
        kind = record["kind"].rstrip("1")
        score = objective(record["std"], record["result"], Limits.from_list(record["std_list"]), kind, betting=1_000_000)
        assert score == record["value"], record


def test_merged_folds_hold():
    assert len(GOLDEN["valid"]) == 100
    for record in GOLDEN["valid"]:
        merged = merge_folds(record["std"], record["train"], record["valid"], weighted=record["exp"], betting=1_000_000)
        assert merged == record["value"], record


def test_one_call_scores_a_table_as_row_by_row():
    figures = np.array([record["result"] for record in GOLDEN["std"]], dtype=np.float64)
    limits = Limits.from_list(GOLDEN["std"][0]["std_list"])
    for name in OBJECTIVES:
        table = objective(name, figures, limits, "TRAIN")
        assert np.array_equal(table, [objective(name, row, limits, "TRAIN") for row in figures])
