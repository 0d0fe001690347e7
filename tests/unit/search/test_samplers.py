import numpy as np
import pytest

from stom_ray.errors import ConfigError, RangeError
from stom_ray.search.grid_sampler import GridSampler
from stom_ray.search.island import IslandPlan
from stom_ray.search.random_sampler import RandomSampler
from stom_ray.search.samplers import OfOne
from stom_ray.search.space import Choice, Interval, Space, parameter_keys
from stom_ray.search.tpe_sampler import BEST_ROWS, TpeSampler, kept_rows

NAMES = ("random", "grid", "tpe", "coordinate", "qmc", "genetic", "cmaes", "two_stage", "structure", "nsga2", "nsga3")
SMALL = {name: {"population": 40} for name in ("genetic", "nsga2", "nsga3")} | {
    "tpe": {"startup": 40},
    "two_stage": {"wide": 50, "modelled": 2},
}


def plan(space, name, **options):
    return IslandPlan(space, name, seed=5, number=1, batch_size=30, evaluations=10_000, options=options, aims=3)


def objective(params):
    return -((params.values - 3.0) ** 2).sum(axis=1)


def aims_of(scores):
    """Twice the same objective, and no limits: then several objectives are one."""
    return np.stack([scores, scores, 0 * scores], axis=1)


def drive(sampler, batches, n=30, told=()):
    """Told batches first, then asked ones; gives (params, objective) of all."""
    seen, stream = set(), list(told)
    for number, (params, scores) in enumerate(told):
        sampler.tell(number, params, scores, aims_of(scores))
        seen |= set(parameter_keys(params))
    for number in range(len(told), batches):
        params = sampler.ask(number, n, seen)
        scores = objective(params)
        if len(params):
            sampler.tell(number, params, scores, aims_of(scores))
        seen |= set(parameter_keys(params))
        stream.append((params, scores))
    return stream


@pytest.mark.parametrize("name", NAMES)
class TestSamplerContract:
    def space(self):
        return Space(tuple(Choice(tuple(range(8)), 4) for _ in range(3)))

    def test_rows_lie_in_the_space(self, name):
        space = self.space()
        for params, _ in drive(plan(space, name, **SMALL.get(name, {})).make_sampler(), 5):
            assert not np.isnan(space.encode(params)).any()

    def test_the_same_seed_gives_the_same_stream(self, name):
        first = drive(plan(self.space(), name, **SMALL.get(name, {})).make_sampler(), 5)
        second = drive(plan(self.space(), name, **SMALL.get(name, {})).make_sampler(), 5)
        for (one, _), (other, _) in zip(first, second, strict=True):
            np.testing.assert_array_equal(one.values, other.values)

    @pytest.mark.parametrize("cut", [1, 3])
    def test_told_without_asking_it_continues_the_same_stream(self, name, cut):
        options = SMALL.get(name, {})
        whole = drive(plan(self.space(), name, **options).make_sampler(), 5)
        rest = drive(plan(self.space(), name, **options).make_sampler(), 5, told=whole[:cut])
        for (one, _), (other, _) in zip(whole, rest, strict=True):
            np.testing.assert_array_equal(one.values, other.values)
            np.testing.assert_array_equal(one.is_float, other.is_float)

    def test_failed_rows_are_taken(self, name):
        sampler = plan(self.space(), name).make_sampler()
        params = sampler.ask(0, 30, set())
        failed = np.full(len(params), np.nan)
        sampler.tell(0, params, failed, aims_of(failed))
        sampler.ask(1, 30, set(parameter_keys(params)))

    def test_rows_from_elsewhere_are_taken_even_off_the_lists(self, name):
        sampler = plan(self.space(), name).make_sampler()
        strange = Space((Choice((99,), 99),) * 3).present
        sampler.inform(strange, np.array([7.0]), aims_of(np.array([7.0])))
        assert len(sampler.ask(0, 30, set(parameter_keys(strange)))) > 0


BOXES = Space(tuple(Choice(tuple(range(20)), 10) for _ in range(12)))


@pytest.mark.parametrize("name", ["random", "qmc", "genetic", "cmaes", "two_stage"])
def test_in_a_large_space_no_row_comes_twice_in_a_batch(name):
    for params, _ in drive(plan(BOXES, name, **SMALL.get(name, {})).make_sampler(), 5):
        assert len(params) == len(set(parameter_keys(params))) == 30


@pytest.mark.parametrize("name", ["genetic", "cmaes", "two_stage"])
def test_samplers_that_learn_come_closer_to_the_best_of_twelve_variables_than_random_rows(name):
    best = {
        each: max(scores.max() for _, scores in drive(plan(BOXES, each, **SMALL.get(each, {})).make_sampler(), 20))
        for each in ("random", name)
    }
    assert best[name] > best["random"] / 2, "it halves the squared distance"


def test_intervals_are_searched_and_fixed_values_left_alone_by_every_sampler_that_takes_intervals():
    space = Space((Interval(0.0, 10.0, 1.0), Choice((7,), 7), Choice((1, 3, 9), 1), Interval(-1.0, 5.0, 0.0)))
    for name in ("qmc", "genetic", "cmaes", "two_stage"):
        stream = drive(plan(space, name, **SMALL.get(name, {})).make_sampler(), 6)
        assert all(not np.isnan(space.encode(params)).any() for params, _ in stream)
        assert all((params.values[:, 1] == 7).all() for params, _ in stream)
        if name != "qmc":
            assert np.abs(stream[-1][0].values[:, 0] - 3).mean() < np.abs(stream[0][0].values[:, 0] - 3).mean()


@pytest.mark.parametrize("name", ["random", "tpe", "qmc", "genetic", "two_stage"])
def test_a_small_space_is_searched_to_its_last_row_and_none_comes_twice(name):
    space = Space((Choice((1, 2, 3), 1), Choice((0.1, 0.2), 0.1)))
    stream = drive(plan(space, name).make_sampler(), 3, n=4)
    keys = [key for params, _ in stream for key in parameter_keys(params)]
    assert len(keys) == len(set(keys)) == 6
    assert len(stream[2][0]) == 0


def test_two_islands_draw_different_rows():
    space = Space((Interval(0.0, 1.0, 0.5),))
    rows = [RandomSampler(space, 5, island).ask(0, 10, set()).values for island in (0, 1)]
    assert not np.intersect1d(rows[0], rows[1]).size


def test_tpe_finds_better_rows_than_random_ones():
    space = Space(tuple(Choice(tuple(range(20)), 4) for _ in range(5)))
    found = {
        name: max(scores.max() for _, scores in drive(plan(space, name).make_sampler(), 8, n=40)) for name in ("random", "tpe")
    }
    assert found["tpe"] > found["random"]


def test_tpe_searches_intervals_and_leaves_fixed_values_alone():
    space = Space((Interval(0.0, 10.0, 1.0), Choice((7,), 7), Choice((1, 3, 9), 1)))
    stream = drive(OfOne(TpeSampler(space, 0, 0, startup=20)), 4, n=20)
    assert all((params.values[:, 1] == 7).all() for params, _ in stream)
    assert np.abs(stream[-1][0].values[:, 0] - 3).mean() < np.abs(stream[0][0].values[:, 0] - 3).mean()


def test_tpe_keeps_the_best_rows_and_an_even_spread_of_a_long_history():
    scores = np.random.default_rng(0).normal(size=2_000)
    scores[5] = np.nan
    kept = kept_rows(scores, 500)
    assert len(kept) == len(set(kept.tolist())) == 500
    assert set(np.argsort(-np.nan_to_num(scores, nan=-9.0))[:BEST_ROWS]) <= set(kept.tolist())
    assert kept.max() > 1_900
    assert (np.diff(kept) > 0).all()


def test_samplers_that_need_a_grid_refuse_an_interval():
    for name in ("grid", "coordinate"):
        with pytest.raises(RangeError, match="step"):
            plan(Space((Interval(0.0, 1.0, 0.5),)), name).make_sampler()


def test_unknown_samplers_and_options_are_refused():
    space = Space((Choice((1, 2), 1),))
    with pytest.raises(ConfigError, match=f"expected one of {', '.join(sorted((*NAMES, 'optuna')))}"):
        plan(space, "annealing").make_sampler()
    with pytest.raises(ConfigError, match="startup"):
        plan(space, "random", startup=3).make_sampler()
    with pytest.raises(ConfigError, match="64"):
        plan(space, "tpe", history=64).make_sampler()


def test_the_grid_sampler_resumes_where_it_was_told_to():
    space = Space((Choice((1, 2, 3, 4, 5), 1),))
    sampler = GridSampler(space)
    sampler.tell(0, space.grid(0, 2), np.zeros(2))
    assert sampler.ask(1, 2, set()).values[:, 0].tolist() == [3, 4]
