"""What is known of each key for millions of rows, about 40 bytes each: a hash table in arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.types import Floats, Ints
from stom_ray.machine_code import njit
from stom_ray.search.space import KEY_BYTES

Words = NDArray[np.uint64]
Slots = NDArray[np.int32]

FIRST_ROOM = 1_024
SLOTS_A_KEY = 2


class KnownRows(AbstractSet[bytes]):
    """Keys (`space.parameter_keys`) in the order in which they came, each with `width` numbers (the marks of `samplers`).

    A dictionary of bytes takes five times the memory, and a study keeps one for its ledger and one for its islands.
    """

    def __init__(self, width: int = 1) -> None:
        self._count = 0
        self._words = np.empty((FIRST_ROOM, 2), dtype=np.uint64)
        self._marks = np.empty((FIRST_ROOM, width))
        self._slots = np.full(SLOTS_A_KEY * FIRST_ROOM, -1, dtype=np.int32)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: object) -> bool:
        return isinstance(key, bytes) and bool(self.places([key])[0] >= 0)

    def __iter__(self) -> Iterator[bytes]:
        return (words.tobytes() for words in self._words[: self._count])

    def places(self, keys: Sequence[bytes]) -> Ints:
        """(n,) how many keys came before each of these; -1 for unknown ones."""
        found = np.empty(len(keys), dtype=np.int64)
        _find(_words(keys), self._words, self._slots, found)
        return found

    def marks(self, keys: Sequence[bytes]) -> Floats:
        """(n, width) KeyError when a key is not known."""
        places = self.places(keys)
        if len(places) and places.min() < 0:
            raise KeyError(keys[int(places.argmin())])
        return self._marks[places]

    def add(self, keys: Sequence[bytes], marks: Floats) -> int:
        """How many were new. A key that is known keeps its marks. marks: (n, width), or (n,) of one number each."""
        self._make_room(self._count + len(keys))
        before = self._count
        table = np.ascontiguousarray(marks, dtype=np.float64).reshape(len(keys), self._marks.shape[1])
        self._count = _add(_words(keys), table, self._words, self._marks, self._slots, before)
        return self._count - before

    def _make_room(self, count: int) -> None:
        room = len(self._marks)
        if count <= room:
            return
        while room < count:
            room *= 2
        # In place where the system can, so that growing needs no second copy.
        self._words.resize((room, 2), refcheck=False)
        self._marks.resize((room, self._marks.shape[1]), refcheck=False)
        self._slots = np.full(SLOTS_A_KEY * room, -1, dtype=np.int32)
        _place_all(self._words, self._slots, self._count)


def unknown_rows(seen: AbstractSet[bytes], keys: Sequence[bytes]) -> list[int]:
    """Places in `keys` of those that are not in `seen`; all at once where that is a `KnownRows`."""
    if isinstance(seen, KnownRows):
        return [int(row) for row in np.flatnonzero(seen.places(keys) < 0)]
    return [row for row, key in enumerate(keys) if key not in seen]


def _words(keys: Sequence[bytes]) -> Words:
    return np.frombuffer(b"".join(keys), dtype=np.uint64).reshape(len(keys), KEY_BYTES // 8)


@njit(cache=True, error_model="numpy", nogil=True)
def _slot_of(first: np.uint64, second: np.uint64, words: Words, slots: Slots) -> int:
    """The slot where a key stands, or the empty one where it would. Keys are hashes: their low bits do."""
    last = np.uint64(len(slots) - 1)
    at = first & last
    while slots[at] >= 0 and (words[slots[at], 0] != first or words[slots[at], 1] != second):
        at = (at + np.uint64(1)) & last
    return int(at)


@njit(cache=True, error_model="numpy", nogil=True)
def _find(keys: Words, words: Words, slots: Slots, found: Ints) -> None:
    for i in range(len(keys)):
        found[i] = slots[_slot_of(keys[i, 0], keys[i, 1], words, slots)]


@njit(cache=True, error_model="numpy", nogil=True)
def _add(keys: Words, told: Floats, words: Words, marks: Floats, slots: Slots, count: int) -> int:
    for i in range(len(keys)):
        at = _slot_of(keys[i, 0], keys[i, 1], words, slots)
        if slots[at] < 0:
            slots[at] = count
            words[count] = keys[i]
            marks[count] = told[i]
            count += 1
    return count


@njit(cache=True, error_model="numpy", nogil=True)
def _place_all(words: Words, slots: Slots, count: int) -> None:
    for i in range(count):
        slots[_slot_of(words[i, 0], words[i, 1], words, slots)] = i
