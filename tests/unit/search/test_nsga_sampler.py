"""NSGA-II and III on problems whose front is known (ZDT1, DTLZ2), with limits, and out of what they were told."""

import numpy as np
import pytest
from optuna._hypervolume import compute_hypervolume

from stom_ray.errors import ConfigError
from stom_ray.search.front import front
from stom_ray.search.nsga_sampler import Nsga2Sampler, Nsga3Sampler
from stom_ray.search.random_sampler import RandomSampler
from stom_ray.search.space import Choice, Interval, Space, parameter_keys

BOTH = pytest.mark.parametrize("kind", [Nsga2Sampler, Nsga3Sampler])
LISTS = Space(tuple(Choice(tuple(range(31)), 0) for _ in range(8)))
MIXED = Space((Interval(0.0, 1.0, 0.5), *(Choice(tuple(i / 10 for i in range(11)), 0.0) for _ in range(5))))


def zdt1(unit):
    """Two losses turned round, no limits. The front: f2 = 1 - sqrt(f1), all other variables 0."""
    g = 1 + 9 * unit[:, 1:].mean(axis=1)
    return np.column_stack([-unit[:, 0], -g * (1 - np.sqrt(unit[:, 0] / g)), np.zeros(len(unit))])


def dtlz2(unit):
    """Three losses turned round. The front: the part of the unit sphere with positive coordinates."""
    g = 1 + ((unit[:, 2:] - 0.5) ** 2).sum(axis=1)
    a, b = unit[:, 0] * np.pi / 2, unit[:, 1] * np.pi / 2
    return -np.column_stack([g * np.cos(a) * np.cos(b), g * np.cos(a) * np.sin(b), g * np.sin(a), np.zeros(len(unit))])


def only_steep(unit):
    """ZDT1 of which only rows with f1 >= 0.5 are inside the limits."""
    aims = zdt1(unit)
    aims[:, -1] = np.maximum(0.5 - unit[:, 0], 0.0)
    return aims


def searched(sampler, space, problem, batches, size=50, start=0, seen=None, every=None):
    """All aims of a search that asks and tells; `seen` and `every` go on with another's."""
    seen, every = set() if seen is None else seen, [] if every is None else every
    top = np.array([variable.high if isinstance(variable, Interval) else variable.values[-1] for variable in space.variables])
    for batch in range(start, batches):
        params = sampler.ask(batch, size, seen)
        assert len(params) == size
        keys = parameter_keys(params)
        assert not seen & set(keys), "nothing is asked twice"
        seen |= set(keys)
        aims = problem(params.values / top)
        every.append((params, aims))
        if isinstance(sampler, RandomSampler):
            sampler.tell(batch, params, aims[:, 0])
        else:
            sampler.tell(batch, params, aims[:, 0], aims)
    return np.concatenate([aims for _, aims in every])


def volume(aims, worst):
    """What the front dominates, from the point `worst` in every loss."""
    losses = -aims[front(aims), :-1]
    return compute_hypervolume(losses[(losses < worst).all(axis=1)], np.full(losses.shape[1], float(worst)))


SPHERE = 1.1**3 - np.pi / 6  # what the front of DTLZ2 dominates from (1.1, 1.1, 1.1)
ROOT = 1.1**2 - 1 / 3  # what the front of ZDT1 dominates from (1.1, 1.1)


@BOTH
@pytest.mark.parametrize("space", [LISTS, MIXED], ids=["lists", "mixed"])
def test_a_known_front_of_two_objectives_is_reached_and_random_rows_come_nowhere_near(kind, space):
    found = searched(kind(space, 1, 0, population=50), space, zdt1, 40)
    by_chance = searched(RandomSampler(space, 1, 0), space, zdt1, 40)
    assert volume(found, 1.1) > 0.95 * ROOT
    assert volume(by_chance, 1.1) < 0.3 * ROOT
    on = -found[front(found), :-1]
    assert np.median(on[:, 1] - (1 - np.sqrt(on[:, 0]))) < 0.05, "near the curve"
    assert np.ptp(on[:, 0]) > 0.9, "from one end to the other"


@BOTH
def test_a_known_front_of_three_objectives_is_reached(kind):
    found = searched(kind(LISTS, 1, 0, population=50), LISTS, dtlz2, 40)
    assert volume(found, 1.1) > 0.9 * SPHERE
    assert volume(searched(RandomSampler(LISTS, 1, 0), LISTS, dtlz2, 40), 1.1) < 0.6 * SPHERE


@BOTH
def test_limits_are_kept_and_the_front_inside_them_is_reached(kind):
    found = searched(kind(MIXED, 1, 0, population=50), MIXED, only_steep, 40)
    assert volume(found, 1.1) > 0.95 * volume(inside_the_limits(), 1.1)
    assert (found[front(found), -1] == 0).all()
    late = found[-500:, -1]
    assert (late == 0).mean() > 0.8, "children of rows inside are mostly inside"
    assert (found[:50, -1] == 0).mean() < 0.7, "random rows are not"


def inside_the_limits():
    f1 = np.linspace(0.5, 1, 1001)
    return -np.column_stack([f1, 1 - np.sqrt(f1), np.zeros(1001)])


@BOTH
def test_where_every_row_is_outside_the_limits_it_goes_where_they_are_least(kind):
    def far(unit):
        return np.column_stack([unit[:, 0], -unit[:, 0], 1.0 + unit.sum(axis=1)])

    found = searched(kind(LISTS, 0, 0, population=20), LISTS, far, 30)
    assert len(front(found)) == 0
    assert found[-50:, -1].min() < 1.2 < found[:50, -1].min()


@BOTH
def test_a_sampler_that_was_told_goes_on_as_the_one_that_asked(kind):
    whole = searched(kind(MIXED, 3, 1, population=20), MIXED, dtlz2, 12)
    seen, every = set(), []
    searched(kind(MIXED, 3, 1, population=20), MIXED, dtlz2, 7, seen=seen, every=every)
    again = kind(MIXED, 3, 1, population=20)
    for batch, (params, aims) in enumerate(every):
        again.tell(batch, params, aims[:, 0], aims)
    assert searched(again, MIXED, dtlz2, 12, start=7, seen=seen, every=every).tolist() == whole.tolist()
    assert searched(kind(MIXED, 4, 1, population=20), MIXED, dtlz2, 12).tolist() != whole.tolist(), (
        "another seed is another stream"
    )


@BOTH
def test_rows_off_the_lists_and_failed_rows_are_no_parents(kind):
    space = Space(tuple(Choice(tuple(range(100)), 0) for _ in range(3)))
    sampler = kind(space, 0, 0, population=2)
    rows = np.array([[50, 50, 50], [52, 52, 52], [1, 1, 1]], dtype=float)
    aims = np.array([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [np.nan, np.nan, np.nan]])
    sampler.tell(0, space.decode(rows), aims[:, 0], aims)
    off = space.decode(rows[:1])
    off.values[:] = 1000.5
    sampler.inform(off, np.array([9.0]), np.array([[9.0, 9.0, 0.0]]))
    children = sampler.ask(1, 20, set()).values
    assert (np.abs(children - 51) < 20).all()


def test_a_row_from_elsewhere_becomes_a_parent():
    space = Space(tuple(Choice(tuple(range(100)), 0) for _ in range(3)))
    sampler = Nsga2Sampler(space, 0, 0, population=2)
    sampler.tell(0, space.decode(np.array([[5.0, 5, 5], [6, 6, 6]])), np.zeros(2), np.array([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0]]))
    sampler.inform(space.decode(np.array([[90.0, 90, 90]])), np.array([9.0]), np.array([[9.0, 9.0, 0.0]]))
    assert (sampler.ask(1, 40, set()).values > 80).mean() > 0.4


@BOTH
def test_a_population_that_cannot_breed_is_refused(kind):
    with pytest.raises(ConfigError, match=f"{kind.source} population is 1"):
        kind(LISTS, 0, 0, population=1)
