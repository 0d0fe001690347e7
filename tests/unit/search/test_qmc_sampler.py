import numpy as np
import pytest
from scipy.stats import qmc

from stom_ray.search.qmc_sampler import QmcSampler
from stom_ray.search.random_sampler import RandomSampler
from stom_ray.search.space import Choice, Interval, Space

CUBE = Space(tuple(Interval(0.0, 1.0, 0.5) for _ in range(4)))


def rows(sampler, sizes):
    return [sampler.ask(batch, size, set()).values for batch, size in enumerate(sizes)]


def test_batches_are_pieces_of_one_sequence():
    pieces = rows(QmcSampler(CUBE, 3, 0, 64), [64, 64, 64, 64])
    whole = QmcSampler(CUBE, 3, 0, 256).ask(0, 256, set()).values
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize("size", [1, 50, 64])
def test_any_batch_can_be_asked_for_first(size):
    in_order = rows(QmcSampler(CUBE, 3, 0, size), [size] * 5)
    backwards = QmcSampler(CUBE, 3, 0, size)
    for batch in (4, 3, 0, 2, 1):
        np.testing.assert_array_equal(backwards.ask(batch, size, set()).values, in_order[batch])


def test_rows_fill_the_space_more_evenly_than_random_ones():
    even = QmcSampler(CUBE, 3, 0, 256).ask(0, 256, set()).values
    drawn = RandomSampler(CUBE, 3, 0).ask(0, 256, set()).values
    assert qmc.discrepancy(even) < qmc.discrepancy(drawn) / 3


def test_every_value_of_a_list_comes_equally_often():
    space = Space((Choice((1, 2, 3, 4), 1), Choice(tuple(range(8)), 0), *CUBE.variables))
    values = QmcSampler(space, 0, 0, 64).ask(0, 64, set()).values
    assert np.unique(values[:, 0], return_counts=True)[1].tolist() == [16] * 4
    assert np.unique(values[:, 1], return_counts=True)[1].tolist() == [8] * 8


def test_islands_have_scramblings_of_their_own():
    assert not np.isin(
        QmcSampler(CUBE, 3, 0, 64).ask(0, 64, set()).values, QmcSampler(CUBE, 3, 1, 64).ask(0, 64, set()).values
    ).any()
