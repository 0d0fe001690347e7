"""Whole numbers, floats, log scales and names without an order in one space: what the hyperparameters of a model are."""

import numpy as np
import pytest

from stom_ray.errors import RangeError
from stom_ray.search.breeding import Breeding
from stom_ray.search.cmaes_sampler import CmaEsSampler
from stom_ray.search.genetic_sampler import GeneticSampler
from stom_ray.search.nsga_sampler import Nsga2Sampler
from stom_ray.search.qmc_sampler import QmcSampler
from stom_ray.search.random_sampler import RandomSampler
from stom_ray.search.space import Choice, Interval, Space, parameter_keys
from stom_ray.search.tpe_sampler import TpeSampler
from stom_ray.search.two_stage_sampler import TwoStageSampler
from stom_ray.validation.plateau import neighbour_rows

RATE, DEPTH, SHARE = Interval(1e-5, 1e-1, 1e-3, log=True), Choice((2, 3, 4, 6, 8), 3), Interval(0.5, 1.0, 1.0)
CRITERION = Choice.named(("gini", "entropy", "log_loss"), "gini")
SPACE = Space((RATE, DEPTH, SHARE, CRITERION), ("rate", "depth", "share", "criterion"))
ORDERED = Space((RATE, DEPTH, SHARE), ("rate", "depth", "share"))
SAMPLERS = {
    "random": lambda: RandomSampler(SPACE, 1, 0),
    "qmc": lambda: QmcSampler(SPACE, 1, 0, 32),
    "genetic": lambda: GeneticSampler(SPACE, 1, 0),
    "tpe": lambda: TpeSampler(SPACE, 1, 0, startup=32),
    "two_stage": lambda: TwoStageSampler(SPACE, 1, 0, 32, wide=64, modelled=4),
    "nsga2": lambda: Nsga2Sampler(SPACE, 1, 0, population=32),
    "cmaes": lambda: CmaEsSampler(ORDERED, 1, 0, 32),
}
LEARNING = [name for name in SAMPLERS if name not in ("random", "qmc")]


def objective(params):
    """Best at a rate of 0.0003, for entropy."""
    values = params.values
    score = -np.abs(np.log10(values[:, 0]) - np.log10(3e-4)) - 0.1 * np.abs(values[:, 1] - 6)
    return score if values.shape[1] == 3 else score - (values[:, 3] != 1)


def searched(name):
    sampler, seen, scores, rows = SAMPLERS[name](), set(), [], []
    for batch in range(10):
        params = sampler.ask(batch, 32, seen)
        seen.update(parameter_keys(params))
        told = objective(params)
        sampler.tell(batch, params, told, *([np.stack([told, np.zeros(32)], axis=1)] if name.startswith("nsga") else []))
        scores.append(told)
        rows.append(params)
    return rows, np.concatenate(scores)


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_stays_in_the_space_and_draws_a_log_scale_by_decades(name):
    rows, _ = searched(name)
    rates = np.concatenate([params.values[:, 0] for params in rows])
    assert ((rates >= 1e-5) & (rates <= 1e-1)).all()
    space = ORDERED if name == "cmaes" else SPACE
    assert not any(np.isnan(space.encode(params)).any() for params in rows)
    # Of evenly spread floats one in a hundred would lie below 0.001.
    assert 0.25 < np.mean(rows[0].values[:, 0] < 1e-3) < 0.75


@pytest.mark.parametrize("name", LEARNING)
def test_samplers_that_learn_come_closer_than_random_rows(name):
    assert searched(name)[1][-64:].mean() > searched("random")[1].mean() + 0.3


def test_a_value_on_a_log_scale_comes_back_from_its_position_to_the_last_bit():
    drawn = SPACE.draw_random(np.random.default_rng(3), 5_000)
    again = SPACE.decode(SPACE.encode(drawn))
    np.testing.assert_array_equal(again.values, drawn.values)
    ends = RATE.values_at(np.array(RATE.ends))
    assert ends.tolist() == [1e-5, 1e-1]


def test_names_without_an_order_change_to_any_other_name_equally_often():
    space = Space((CRITERION, Choice((5,), 5)))
    first = np.zeros((6_000, 2))
    children = Breeding(space).children(np.random.default_rng(0), first, first)[:, 0]
    assert np.bincount(children.astype(int), minlength=3)[1:] == pytest.approx([3_000, 3_000], rel=0.1)


def test_neighbours_of_a_row_are_factors_on_a_log_scale_and_every_other_name():
    rows, changed = neighbour_rows(SPACE, SPACE.present)
    rates = rows.values[changed == 0, 0]
    assert rates[1] / 1e-3 == pytest.approx(1e-3 / rates[0])
    assert rows.values[changed == 3, 3].tolist() == [1, 2]


def test_cmaes_refuses_names_without_an_order_and_says_what_to_use():
    with pytest.raises(RangeError, match=r"criterion is one of gini, entropy, log_loss.*use tpe or random"):
        CmaEsSampler(SPACE, 1, 0, 32)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Interval(0.0, 1.0, 0.5, log=True), "on a log scale: expected low > 0"),
        (lambda: Choice.named(("a", "b"), "c"), "'c' is none of"),
        (lambda: Choice.named(("a", "a"), "a"), "none twice"),
        (lambda: Space((RATE,), ("a", "b")), "expected one for each"),
    ],
)
def test_what_cannot_be_searched_is_refused(make, message):
    with pytest.raises(RangeError, match=message):
        make()
