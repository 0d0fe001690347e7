"""Walk-forward windows and purged folds, by hand."""

import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.validation.splits import PurgedKFold, WalkForward, purged

DAYS = 20240101 + np.arange(20)


def numbers(days: np.ndarray) -> list[int]:
    return (days - 20240101).tolist()


def test_rolling_windows_end_on_the_last_day_and_leave_the_oldest_over():
    windows = WalkForward(train_days=6, valid_days=3, test_days=2, purge_days=1, embargo_days=1, step_days=4).split(DAYS)
    assert [numbers(window.train) for window in windows] == [[1, 2, 3, 4, 5, 6], [5, 6, 7, 8, 9, 10]]
    assert [numbers(window.valid) for window in windows] == [[9, 10, 11], [13, 14, 15]]
    assert [numbers(window.test) for window in windows] == [[14, 15], [18, 19]]


def test_anchored_windows_all_train_from_the_first_day():
    windows = WalkForward(train_days=8, test_days=3, anchored=True).split(DAYS)
    assert [numbers(window.test) for window in windows] == [[8, 9, 10], [11, 12, 13], [14, 15, 16], [17, 18, 19]]
    assert [len(window.train) for window in windows] == [8, 11, 14, 17]
    assert all(window.train[0] == DAYS[0] and len(window.valid) == 0 for window in windows)


def test_too_few_days_say_how_many_are_needed():
    plan = WalkForward(train_days=20, valid_days=5, test_days=5, purge_days=1)
    with pytest.raises(ConfigError) as caught:
        plan.split(DAYS, at_least=3)
    assert str(caught.value) == (
        "20 trading days give 0 walk-forward windows: 3 need 20 train + 1 gap + 5 valid + 1 gap + 5 test + 2 × 5 step = 42 days; "
        "add 22 days of data or shorten a part"
    )
    assert len(plan.split(20240101 + np.arange(42), at_least=3)) == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WalkForward(train_days=0, test_days=1), "train_days is 0"),
        (lambda: WalkForward(train_days=5, test_days=5, step_days=2), "test 3 days again"),
        (lambda: WalkForward(train_days=5, test_days=1, purge_days=-1), "purge_days is -1"),
        (lambda: WalkForward(train_days=5, test_days=1).split([3, 2, 1]), "rising order"),
        (lambda: PurgedKFold(1), "n_folds is 1"),
        (lambda: PurgedKFold(30).split(DAYS), "20 trading days in 30 folds"),
        (lambda: PurgedKFold(2, purge_days=10).split(DAYS), r"fold 1 of 2 has no train day: 20 days - 10 test - up to 20"),
    ],
)
def test_plans_that_cannot_be_run_are_refused_with_their_arithmetic(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_purged_folds_drop_days_on_both_sides_and_more_after_the_test():
    folds = PurgedKFold(4, purge_days=1, embargo_days=2).split(DAYS)
    assert [numbers(fold.test) for fold in folds] == [list(range(start, start + 5)) for start in (0, 5, 10, 15)]
    assert numbers(folds[1].train) == [0, 1, 2, 3, 13, 14, 15, 16, 17, 18, 19]
    assert numbers(folds[3].train) == list(range(14))


def test_two_test_blocks_are_purged_each():
    blocks = np.array_split(np.arange(12), 3)
    pairs = ([0, 1], [0, 2], [1, 2])
    trains = [purged(12, np.concatenate([blocks[i] for i in pair]), 1, 1).tolist() for pair in pairs]
    assert trains == [[10, 11], [6], [0, 1, 2]]
