"""STOM's splits beyond the golden ones: refusals, folds, the warning."""

import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.validation.stom_splits import WARNING, list_days

# 20 weekdays from 2024-05-06 to 2024-05-31
DAYS = np.array([20240506 + week * 7 + day for week in range(4) for day in range(5) if 20240506 + week * 7 + day <= 20240531])


def test_the_warning_names_the_leaks():
    assert all(leak in WARNING for leak in ("train range spans the valid days", "purge", "last window"))


def test_the_train_range_spans_the_valid_days():
    (split,) = list_days("OV", 20240531, (2, 2, 0), DAYS)
    assert split.train.first < split.valid[0].first
    assert split.train.last == split.valid[0].last == 20240531


def test_an_empty_test_is_the_day_after_the_end():
    (split,) = list_days("O", 20240531, (4, 0, 0), DAYS)
    assert (split.test.first, split.test.last, split.test.count) == (20240601, 20240601, 0)


def test_folds_count_train_days_without_the_valid_ones():
    (split,) = list_days("OVT", 20240531, (2, 1, 1), DAYS)
    ((train, valid),) = split.folds()
    assert (train.kind, train.n_days, valid.kind, valid.n_days) == ("TRAIN", 10, "VALID", 5)
    assert train.holds(DAYS).sum() == 10
    assert valid.holds(DAYS).sum() == 5
    assert split.folds(cut_test=False)[0][0].holds(DAYS).sum() == 15


def test_walk_forward_steps_back_by_the_test_weeks_while_train_starts_late_enough():
    splits = list_days("전진분석R", 20240531, (1, 0, 1), DAYS)
    assert [split.test.first for split in splits] == [20240513, 20240520, 20240527]


@pytest.mark.parametrize(
    ("variant", "end", "weeks", "message"),
    [
        ("X", 20240531, (4, 0, 0), "choose one of O, OV"),
        ("OV", 20240531, (4, 0, 0), "0 valid weeks: expected at least 1"),
        ("O", 20240531, (4, 1, 0), "1 valid weeks: expected 0"),
        ("R", 20240531, (4, 0, 0), "0 test weeks: expected at least 1"),
        ("O", 20240230, (4, 0, 0), "20240230 is no date"),
        ("R", 20240531, (40, 0, 1), "40 train"),
        ("O", 20230531, (4, 0, 0), "no trading day within 20230506-20230531"),
    ],
)
def test_ranges_that_hold_nothing_are_refused(variant, end, weeks, message):
    with pytest.raises(ConfigError, match=message):
        list_days(variant, end, weeks, DAYS)


def test_no_trading_days_are_refused():
    with pytest.raises(ConfigError, match="nothing to split"):
        list_days("O", 20240531, (4, 0, 0), [])
