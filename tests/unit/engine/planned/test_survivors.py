"""Rows that pass every term's loosest value, found by words, against the definition."""

import numpy as np
import pytest

from stom_ray.engine.planned.survivors import highest_by_word, pack, room, survivors, survivors_before

OFFSETS = np.array([0, 200, 201, 265, 300])


def words_of(offsets):
    return np.concatenate(([0], np.cumsum((np.diff(offsets) + 63) >> 6)))


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("n_terms", [0, 1, 3])
def test_survivors_are_the_open_rows_on_which_all_terms_can_hold(share, n_terms):
    rng = np.random.default_rng(int(share * 100) + n_terms)
    allowed = rng.random(OFFSETS[-1]) < share
    terms = np.where(rng.random((n_terms, OFFSETS[-1])) < 0.1, -np.inf, rng.normal(size=(n_terms, OFFSETS[-1])))
    words = words_of(OFFSETS)
    gate = np.zeros(words[-1], dtype=np.uint64)
    pack(allowed, OFFSETS, words, gate)
    highest = np.full((words[-1], n_terms), -np.inf)
    highest_by_word(terms, OFFSETS, words, highest)
    out, bits, before = room(300)
    for loose in (-1.0, 0.5, np.inf):
        loosest = np.full(n_terms, loose)
        passing = allowed & (terms >= loosest[:, None]).all(axis=0)
        for session in range(4):
            order = rng.permutation(n_terms)
            count = survivors(session, terms, highest, loosest, order, gate, OFFSETS, words, out, bits, before)
            start, end = OFFSETS[session], OFFSETS[session + 1]
            np.testing.assert_array_equal(out[:count], start + np.flatnonzero(passing[start:end]))
            counted = [survivors_before(at, bits, before) for at in range(end - start + 1)]
            assert counted == [0, *np.cumsum(passing[start:end]).tolist()]


def test_the_highest_value_of_a_word_is_that_of_its_session_alone():
    terms = np.arange(300.0)[None, :]
    words = words_of(OFFSETS)
    highest = np.full((words[-1], 1), -np.inf)
    highest_by_word(terms, OFFSETS, words, highest)
    assert highest[:, 0].tolist() == [63.0, 127.0, 191.0, 199.0, 200.0, 264.0, 299.0]
