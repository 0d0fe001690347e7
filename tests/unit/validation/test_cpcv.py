"""Combinatorial purged splits and their paths, by hand and against skfolio.

Recorded from skfolio 1.12.2: `CombinatorialPurgedCV(n_folds=N, n_test_folds=k, purged_size=p, embargo_size=e)`; trains and tests
are those of `.split(np.zeros((n, 1)))`, paths `.recombined_paths.T`. Digests are the first 16 digits of the SHA-256 of
`json.dumps([trains, tests, paths])`, tests joined and sorted.
"""

import hashlib
import json

import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.validation.cpcv import CombinatorialPurgedCV
from stom_ray.validation.splits import DayReach, PurgedKFold

THREE_TESTS = [[0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 8, 9, 10, 11]]
THREE_PATHS = [[0, 0, 1], [1, 2, 2]]
SKFOLIO = {
    (12, 3, 2, 0, 0): [[[8, 9, 10, 11], [4, 5, 6, 7], [0, 1, 2, 3]], THREE_TESTS, THREE_PATHS],
    (12, 3, 2, 1, 0): [[[9, 10, 11], [5, 6], [0, 1, 2]], THREE_TESTS, THREE_PATHS],
    (12, 3, 2, 0, 1): [[[9, 10, 11], [5, 6, 7], [0, 1, 2, 3]], THREE_TESTS, THREE_PATHS],
    (12, 3, 2, 1, 1): [[[10, 11], [6], [0, 1, 2]], THREE_TESTS, THREE_PATHS],
    (23, 4, 2, 1, 2): [
        [
            [13, 14, 15, 16, 17, 18, 19, 20, 21, 22],
            [8, 18, 19, 20, 21, 22],
            [8, 9, 10, 11, 12, 13],
            [0, 1, 2, 3, 18, 19, 20, 21, 22],
            [0, 1, 2, 3, 13],
            [0, 1, 2, 3, 4, 5, 6, 7, 8],
        ],
        [
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
            [0, 1, 2, 3, 4, 10, 11, 12, 13, 14],
            [0, 1, 2, 3, 4, 15, 16, 17, 18, 19, 20, 21, 22],
            [5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
            [5, 6, 7, 8, 9, 15, 16, 17, 18, 19, 20, 21, 22],
            [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22],
        ],
        [[0, 0, 1, 2], [1, 3, 3, 4], [2, 4, 5, 5]],
    ],
}
SKFOLIO_DIGESTS = {
    (60, 6, 2, 1, 1): "e4806a6a48292e44",
    (100, 10, 2, 2, 1): "09005ff99e7cedf2",
    (100, 10, 8, 1, 0): "e3147e312d938f70",
    (97, 9, 3, 1, 2): "513bbf576a7d84df",
    (244, 12, 6, 1, 0): "b9ee4aba00034e51",
}


def answer(n, n_folds, n_test_folds, purge, embargo):
    splits = CombinatorialPurgedCV(n_folds, n_test_folds, purge, embargo).split(np.arange(n))
    folds = splits.folds()
    return [[fold.train.tolist() for fold in folds], [fold.test.tolist() for fold in folds], splits.source.tolist()]


@pytest.mark.parametrize("case", SKFOLIO, ids=str)
def test_splits_and_paths_are_those_of_skfolio(case):
    assert answer(*case) == SKFOLIO[case]


@pytest.mark.parametrize("case", SKFOLIO_DIGESTS, ids=str)
def test_so_are_those_of_more_folds_whose_digests_were_recorded(case):
    digest = hashlib.sha256(json.dumps(answer(*case)).encode()).hexdigest()
    assert digest[:16] == SKFOLIO_DIGESTS[case]


@pytest.mark.parametrize(("n_folds", "k", "n_splits", "n_paths"), [(6, 2, 15, 5), (10, 2, 45, 9), (10, 8, 45, 36)])
def test_there_are_as_many_splits_and_paths_as_the_book_counts(n_folds, k, n_splits, n_paths):
    plan = CombinatorialPurgedCV(n_folds, k)
    splits = plan.split(np.arange(60))
    assert (plan.n_splits, plan.n_paths) == (len(splits.train), len(splits.source)) == (n_splits, n_paths)


def test_a_path_takes_each_day_s_value_from_the_split_it_names():
    splits = CombinatorialPurgedCV(4, 2).split(20240101 + np.arange(9))
    tested = [np.full(int(test.sum()), number) for number, test in enumerate(splits.test)]
    found = splits.paths(tested)
    np.testing.assert_array_equal(found, splits.source[:, splits.fold])
    with pytest.raises(ConfigError, match=r"split 1 tests 4 days, but has 3 values"):
        splits.paths([tested[0], tested[1][:-1], *tested[2:]])


def test_days_whose_rows_reach_over_are_purged_wherever_they_are():
    days = 20240101 + np.arange(8)
    reads = np.zeros((8, 8), dtype=bool)
    reads[7, 0] = True  # a stock of the first day comes back on the last
    reads[4, 3] = True
    reach = DayReach(days, reads, "")
    assert reach.purge_days == 7
    splits = CombinatorialPurgedCV(4, 1).split(days, reach)
    assert [(fold.train - 20240101).tolist() for fold in splits.folds()] == [
        [2, 3, 4, 5, 6],
        [0, 1, 5, 6, 7],
        [0, 1, 2, 6, 7],
        [1, 2, 3, 4, 5],
    ]
    kfold = PurgedKFold(4).split(days, reach)
    assert [fold.train.tolist() for fold in kfold] == [fold.train.tolist() for fold in splits.folds()]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CombinatorialPurgedCV(1), "n_folds is 1"),
        (lambda: CombinatorialPurgedCV(4, 0), "n_test_folds is 0"),
        (lambda: CombinatorialPurgedCV(4, 4), "n_test_folds 4 of n_folds 4 leaves none to train on"),
        (lambda: CombinatorialPurgedCV(20, 6), "38,760 splits from n_folds=20, n_test_folds=6 exceed 10,000; a CPCV study"),
        (lambda: CombinatorialPurgedCV(4, 2, purge_days=-1), "purge_days is -1"),
        (lambda: CombinatorialPurgedCV(4, 2).split([1, 2, 3]), "3 trading days in 4 folds"),
        (lambda: CombinatorialPurgedCV(4, 2).split([1, 3, 2, 4]), "rising order"),
        (
            lambda: CombinatorialPurgedCV(4, 2, purge_days=2, embargo_days=1).split(range(12)),
            r"tests folds 1, 3 of 4 has no train day: 12 days - 6 test - up to 5 \(2 × 2 purge \+ 1 embargo\) at each block",
        ),
    ],
)
def test_plans_that_cannot_be_run_are_refused_with_their_arithmetic(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
