import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.validation.trial_returns import raw_blocks, trial_blocks

NAN = np.nan


def test_blocks_are_copies_and_number_their_trials():
    stored = np.arange(12, dtype=np.float32).reshape(4, 3)
    blocks = list(raw_blocks([stored, stored[:1]], rows=3))
    assert [(first, len(values)) for first, values in blocks] == [(0, 3), (3, 1), (4, 1)]
    assert np.concatenate([values for _, values in blocks]).tolist() == [*stored.tolist(), stored[0].tolist()]
    blocks[0][1][:] = 0
    assert stored[1].tolist() == [3, 4, 5]


def test_days_on_which_a_pruned_trial_was_not_run_are_days_without_a_trade():
    block = next(trial_blocks(np.array([[1.0, 3.0, NAN, NAN], [1.0, 2.0, 3.0, 4.0]])))
    assert block.values.tolist() == [[1, 3, 0, 0], [1, 2, 3, 4]]
    assert not block.failed.any()
    assert not block.constant.any()


def test_trials_without_known_days_failed_and_those_without_spread_are_constant():
    rows = [[NAN] * 3, [NAN, NAN, 1.0], [0.0, 0.0, -0.0], [0.0, NAN, NAN], [0.1, 0.1, 0.1], [0.0, 0.0, 1.0]]
    block = next(trial_blocks(np.array(rows)))
    assert block.failed.tolist() == [True, False, False, False, False, False]
    assert block.constant.tolist() == [False, False, True, True, True, False]


def test_a_benchmark_is_taken_off_before_missing_days_are_filled():
    block = next(trial_blocks(np.array([[1.0, 2.0, NAN]]), benchmark=np.array([1.0, 0.0, 5.0])))
    assert block.values.tolist() == [[0.0, 2.0, 0.0]]


@pytest.mark.parametrize(
    ("returns", "message"),
    [
        (np.zeros(3), r"from trial 0 on have shape \(3,\): expected \(trials, days\)"),
        ([np.zeros((2, 3)), np.zeros((2, 4))], r"from trial 2 on have shape \(2, 4\): expected \(trials, 3 days\)"),
        ([np.zeros((2, 3)), np.array([[0, -np.inf, 0]])], "trial 2 has the return -inf on day 1"),
        ([], "there is no trial"),
    ],
)
def test_tables_that_are_none_are_refused(returns, message):
    with pytest.raises(ConfigError, match=message):
        list(trial_blocks(returns))
