import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.search.qmc_sampler import QmcSampler
from stom_ray.search.space import Choice, Interval, Space, parameter_keys
from stom_ray.search.two_stage_sampler import TwoStageSampler, survivors_box

SPACE = Space((Choice(tuple(range(100)), 50), Choice(tuple(range(100)), 50), Interval(0.0, 10.0, 5.0)))


def objective(params):
    return -np.abs(params.values - [20.0, 70.0, 2.0]).sum(axis=1)


def test_the_first_stage_is_the_sobol_sequence_and_the_second_stays_in_the_box_of_the_survivors():
    sampler, wide = TwoStageSampler(SPACE, 1, 0, 64, wide=192, modelled=4), QmcSampler(SPACE, 1, 0, 64)
    told, seen = [], set()
    for batch in range(5):
        params = sampler.ask(batch, 64, seen)
        if batch < 3:
            np.testing.assert_array_equal(params.values, wide.ask(batch, 64, seen).values)
            told.append(params)
        else:
            values = np.concatenate([params.values for params in told])
            scores = np.concatenate([objective(params) for params in told])
            best = values[np.argsort(-scores)[:20]]
            margin = [1, 1, 0.5]
            assert (params.values >= best.min(axis=0) - margin).all()
            assert (params.values <= best.max(axis=0) + margin).all()
        assert len(params) == 64
        seen |= set(parameter_keys(params))
        sampler.tell(batch, params, objective(params))


def test_the_box_holds_the_best_rows_and_one_place_more_and_ends_where_the_space_ends():
    params = SPACE.decode(np.array([[0, 40, 1.0], [3, 45, 9.9], [90, 90, 5.0], [50, 50, 5.0]]))
    box = survivors_box(SPACE, params, np.array([2.0, 3.0, 1.0, np.nan]), 2)
    assert box.variables[0].values == tuple(range(5))
    assert box.variables[1].values == tuple(range(39, 47))
    assert (box.variables[2].low, box.variables[2].high) == (0.5, 10.0)


def test_when_every_row_failed_the_box_is_the_whole_space():
    params = SPACE.decode(np.zeros((2, 3)))
    assert survivors_box(SPACE, params, np.full(2, np.nan), 5) == SPACE


def test_numbers_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match="survivors is 30, wide 20"):
        TwoStageSampler(SPACE, 0, 0, 64, wide=20, survivors=30)
    with pytest.raises(ConfigError, match="modelled is -1"):
        TwoStageSampler(SPACE, 0, 0, 64, modelled=-1)
