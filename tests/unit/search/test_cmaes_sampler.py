import numpy as np
import pytest

from stom_ray.errors import ConfigError, RangeError
from stom_ray.search.cmaes_sampler import CmaEsSampler
from stom_ray.search.space import Choice, Interval, Space

GRID = Space(tuple(Choice(tuple(range(20)), 10) for _ in range(5)))


def run(sampler, batches, objective, n=20):
    best = []
    for batch in range(batches):
        params = sampler.ask(batch, n, set())
        scores = objective(params.values)
        sampler.tell(batch, params, scores)
        best.append(params.values[np.nanargmax(scores)])
    return np.array(best)


def test_it_follows_a_valley_across_the_axes():
    def valley(values):
        x, y = values[:, 0], values[:, 1]
        return -((x - y) ** 2) * 100 - (x - 0.9) ** 2

    space = Space((Interval(0.0, 1.0, 0.5), Interval(0.0, 1.0, 0.5)))
    np.testing.assert_allclose(run(CmaEsSampler(space, 0, 0, 20), 25, valley)[-1], [0.9, 0.9], atol=0.01)


def test_it_finds_the_corner_of_a_grid_and_starts_anew_when_its_rows_repeat():
    best = run(CmaEsSampler(GRID, 0, 0, 20), 80, lambda values: values.sum(axis=1))
    score = best.sum(axis=1)
    assert score.max() == 95
    first = int(np.argmax(score))
    assert score[first:].min() < 80, "a new start is far from the corner"


def test_failed_rows_rank_last_and_a_failed_generation_teaches_nothing():
    def halves(values):
        return np.where(values[:, 0] > 12, np.nan, values[:, 0])

    best = run(CmaEsSampler(GRID, 0, 0, 20), 12, halves)
    assert best[:, 0].max() == 12
    sampler, untold = CmaEsSampler(GRID, 0, 0, 20), CmaEsSampler(GRID, 0, 0, 20)
    sampler.tell(0, sampler.ask(0, 20, set()), np.full(20, np.nan))
    np.testing.assert_array_equal(sampler.ask(1, 20, set()).values, untold.ask(1, 20, set()).values)


def test_a_short_batch_is_the_start_of_its_generation_and_teaches_nothing():
    sampler, whole = CmaEsSampler(GRID, 0, 0, 20), CmaEsSampler(GRID, 0, 0, 20)
    short = sampler.ask(0, 7, set())
    np.testing.assert_array_equal(short.values, whole.ask(0, 20, set()).values[:7])
    sampler.tell(0, short, np.arange(7.0))
    np.testing.assert_array_equal(sampler.ask(1, 20, set()).values, whole.ask(1, 20, set()).values)


def test_spaces_and_batches_it_cannot_search_are_refused():
    with pytest.raises(RangeError, match="two variables or more, 1 can move"):
        CmaEsSampler(Space((Choice((1, 2), 1), Choice((3,), 3))), 0, 0, 20)
    with pytest.raises(ConfigError, match="batch_size is 3"):
        CmaEsSampler(GRID, 0, 0, 3)
