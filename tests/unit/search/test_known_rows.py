import numpy as np
import pytest

from stom_ray.search.known_rows import FIRST_ROOM, KnownRows, unknown_rows


def made_keys(numbers):
    return [int(number).to_bytes(8, "little") + bytes(8) for number in numbers]


def test_it_is_a_dictionary_that_keeps_the_first_marks_of_a_key_and_the_order_of_keys():
    rng = np.random.default_rng(1)
    known, expected = KnownRows(3), {}
    for _ in range(30):
        # Small numbers crowd the low bits, so that keys meet in the same slots; some come twice in a batch.
        keys, marks = made_keys(rng.integers(0, 40 * FIRST_ROOM, 400)), rng.standard_normal((400, 3))
        before = len(expected)
        for key, value in zip(keys, marks.tolist(), strict=True):
            expected.setdefault(key, value)
        assert known.add(keys, marks) == len(expected) - before
    assert len(known) == len(expected) > 4 * FIRST_ROOM
    assert list(known) == list(expected)
    assert known.places(list(expected)).tolist() == list(range(len(expected)))
    assert known.marks(list(expected)).tolist() == list(expected.values())


def test_unknown_keys_have_no_place_and_no_marks():
    known = KnownRows()
    known.add(made_keys([1, 2]), np.array([0.5, np.nan]))
    assert known.places(made_keys([2, 3, 1])).tolist() == [1, -1, 0]
    assert made_keys([1])[0] in known
    assert made_keys([3])[0] not in known
    assert np.isnan(known.marks(made_keys([2]))[0, 0])
    with pytest.raises(KeyError):
        known.marks(made_keys([1, 3]))
    assert known.places([]).tolist() == known.marks([]).tolist() == []
    assert unknown_rows(known, made_keys([3, 1, 4])) == unknown_rows(set(known), made_keys([3, 1, 4])) == [0, 2]


def test_a_key_takes_no_more_than_a_hundred_bytes_however_many_there_are():
    known = KnownRows()
    for start in range(0, 70_000, 1_000):
        known.add(made_keys(range(start, start + 1_000)), np.zeros(1_000))
        if len(known) >= FIRST_ROOM:
            assert sum(array.nbytes for array in vars(known).values() if isinstance(array, np.ndarray)) < 100 * len(known)
