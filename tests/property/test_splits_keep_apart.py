"""No split lets a day be on two sides, or training come nearer to what is evaluated than its gap."""

from itertools import pairwise

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from stom_ray.errors import ConfigError
from stom_ray.validation.cpcv import CombinatorialPurgedCV
from stom_ray.validation.splits import PurgedKFold, WalkForward, purged

few = st.integers(0, 4)
some = st.integers(1, 15)


@given(n_days=st.integers(1, 150), train=some, valid=few, test=some, extra=few, purge=few, embargo=few, anchored=st.booleans())
def test_walk_forward_windows_keep_their_distance(n_days, train, valid, test, extra, purge, embargo, anchored):
    plan = WalkForward(train, test, valid, test + extra, purge, embargo, anchored)
    assume(n_days >= plan.needed_days)
    windows = plan.split(np.arange(n_days))
    gap = purge + embargo
    for window in windows:
        assert (len(window.valid), len(window.test)) == (valid, test)
        assert len(window.train) >= train if anchored else len(window.train) == train
        blocks = [block for block in (window.train, window.valid, window.test) if len(block)]
        for before, after in pairwise(blocks):
            assert after[0] - before[-1] == gap + 1
        assert all(np.all(np.diff(block) == 1) for block in blocks)
    tested = np.concatenate([window.test for window in windows])
    assert np.all(np.diff(tested) > 0)
    assert tested[-1] == n_days - 1
    first = windows[0].train[0]
    assert first == 0 if anchored else first < plan.step
    assert [window.test[0] - windows[0].test[0] for window in windows] == [i * plan.step for i in range(len(windows))]


@given(n_days=st.integers(20, 150), n_folds=st.integers(2, 8), purge=few, embargo=few)
def test_purged_folds_test_every_day_once_and_train_at_a_distance(n_days, n_folds, purge, embargo):
    assume(n_days - -(-n_days // n_folds) > 2 * purge + embargo)
    folds = PurgedKFold(n_folds, purge, embargo).split(np.arange(n_days))
    assert np.array_equal(np.concatenate([fold.test for fold in folds]), np.arange(n_days))
    for fold in folds:
        first, last = fold.test[0], fold.test[-1]
        expected = [day for day in range(n_days) if day < first - purge or day > last + purge + embargo]
        assert fold.train.tolist() == expected


@given(n_days=st.integers(4, 60), n_folds=st.integers(2, 7), n_test_folds=st.integers(1, 6), purge=few, embargo=few)
def test_combinatorial_splits_keep_their_distance_and_every_path_goes_through_all_days(
    n_days, n_folds, n_test_folds, purge, embargo
):
    assume(n_test_folds < n_folds <= n_days)
    plan = CombinatorialPurgedCV(n_folds, n_test_folds, purge, embargo)
    try:
        splits = plan.split(np.arange(n_days))
    except ConfigError:
        assume(False)
    assert (len(splits.train), len(splits.source)) == (plan.n_splits, plan.n_paths)
    for train, test in zip(splits.train, splits.test, strict=True):
        expected = purged(n_days, np.flatnonzero(test), purge, embargo)
        np.testing.assert_array_equal(np.flatnonzero(train), expected)
    assert np.all(splits.test.sum(axis=0) == plan.n_paths)
    days = np.arange(n_days)
    by_path = splits.paths([np.flatnonzero(test) + n_days * number for number, test in enumerate(splits.test)])
    np.testing.assert_array_equal(by_path % n_days, np.broadcast_to(days, by_path.shape))
    used = by_path // n_days  # no split's day is on two paths
    assert all(len(np.unique(column)) == plan.n_paths for column in used.T)
