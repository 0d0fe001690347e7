"""list_days.json: the 90 splits STOM made."""

import json
from pathlib import Path

import pytest

from stom_ray.validation.stom_splits import StomSplit, list_days

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "list_days.json").read_text())


def as_written(split: StomSplit, *, walk_forward: bool, has_test: bool):
    test = [split.test.first, split.test.last] + ([split.test.count] if has_test and not walk_forward else [])
    valid = [[fold.first, fold.last, fold.count] for fold in split.valid] or None
    return [[split.train.first, split.train.last, split.train.count], valid, test]


def test_there_are_90_splits():
    assert len(GOLDEN) == 90


@pytest.mark.parametrize("number", range(90))
def test_golden_split_holds(number):
    record = GOLDEN[number]
    walk_forward = record["kind"] == "전진분석"
    splits = list_days(
        record["backname"], record["endday"], tuple(record["weeks"]), record["day_list"], start_day=record["startday"]
    )
    written = [as_written(split, walk_forward=walk_forward, has_test=record["weeks"][2] > 0) for split in splits]
    assert (written if walk_forward else written[0]) == record["result"]
