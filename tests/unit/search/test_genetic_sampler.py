import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.search.genetic_sampler import GeneticSampler
from stom_ray.search.space import Choice, Interval, Space


def told(sampler, space, positions, scores):
    sampler.tell(0, space.decode(np.array(positions, dtype=float)), np.array(scores, dtype=float))
    return sampler


def test_children_are_made_of_their_parents_values_and_of_neighbours():
    space = Space(tuple(Choice(tuple(range(0, 2000, 10)), 0) for _ in range(6)))
    sampler = told(GeneticSampler(space, 0, 0, population=2), space, [[20] * 6, [120] * 6], [1.0, 2.0])
    places = space.encode(sampler.ask(1, 200, set()))
    distance = np.minimum(np.abs(places - 20), np.abs(places - 120))
    # More than one of six, because the few children without a mutation soon have been asked for.
    assert 1 / 6 - 0.02 < (distance > 0).mean() < 0.3
    assert (distance[distance > 0] == 1).mean() == pytest.approx(1 / 2, abs=0.1), "half of the steps go to a neighbour"
    assert set(np.unique(places)) >= {20, 120}


def test_a_bigger_tournament_takes_after_the_better_parents():
    space = Space(tuple(Choice(tuple(range(100)), 0) for _ in range(8)))
    positions = np.repeat(np.arange(20), 8).reshape(20, 8) * 5
    mean = {}
    for tournament in (1, 5):
        sampler = told(GeneticSampler(space, 0, 0, population=20, tournament=tournament), space, positions, np.arange(20.0))
        mean[tournament] = space.encode(sampler.ask(1, 100, set())).mean()
    assert mean[1] == pytest.approx(47.5, abs=4)
    assert mean[5] > mean[1] + 20


def test_the_best_rows_of_all_batches_stay_parents_and_failed_rows_never_are():
    space = Space((Choice(tuple(range(100)), 0), Choice((1,), 1)))
    sampler = told(GeneticSampler(space, 0, 0, population=2, tournament=1), space, [[50, 0], [52, 0]], [9.0, 8.0])
    told(sampler, space, [[1, 0], [3, 0]], [np.nan, 1.0])
    children = sampler.ask(2, 5, set()).values[:, 0]
    assert (np.abs(children - 51) < 20).all()


def test_mutations_are_reflected_at_the_ends_and_two_values_always_flip():
    space = Space((*(Choice((0, 1), 0) for _ in range(4)), Interval(2.0, 3.0, 2.5)))
    sampler = told(GeneticSampler(space, 0, 0, population=2), space, [[0, 0, 0, 0, 2.0], [0, 0, 0, 0, 3.0]], [1.0, 1.0])
    children = sampler.ask(1, 400, set())
    assert not np.isnan(space.encode(children)).any()
    assert (children.values[:, :4].mean(axis=0) > 0.05).all()
    assert np.ptp(children.values[:, 4]) > 0.5


def test_a_population_that_cannot_breed_is_refused():
    space = Space((Choice((0, 1), 0),))
    with pytest.raises(ConfigError, match="population is 1"):
        GeneticSampler(space, 0, 0, population=1)
    with pytest.raises(ConfigError, match="tournament 0"):
        GeneticSampler(space, 0, 0, tournament=0)
