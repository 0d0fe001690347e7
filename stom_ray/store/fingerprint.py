"""What a day's rows say as one short text, at the speed of memory.

Every column's words are hashed with XXH64 (https://github.com/Cyan4973/xxHash, seed 0), which tells any changed word, and the
column hashes together with SHA-256. This finds what changed and what rotted; it is no defence against someone who wants two days
to look alike.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stom_ray.machine_code import njit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)
_ZERO = np.uint64(0)


class Columns(Protocol):
    """Rows with columns contiguous in memory."""

    @property
    def layout(self) -> str: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def clock(self) -> Ints: ...
    def column(self, name: str) -> Floats: ...


def fingerprints(rows: Columns, bounds: Sequence[tuple[int, int]]) -> list[str]:
    """Of each stretch [start, stop) of rows: 64 hex digits for layout, column names, clock and columns.

    NaN and signed zeros count by their bits.
    """
    if not bounds:
        return []
    stretches = np.array(bounds, dtype=np.int64)
    hashes = np.empty((len(bounds), 1 + len(rows.names)), dtype="<u8")
    for at, numbers in enumerate([rows.clock, *(rows.column(name) for name in rows.names)]):
        hash_stretches(np.ascontiguousarray(numbers).view(np.uint64), stretches, hashes[:, at])
    head = json.dumps([rows.layout, rows.names], ensure_ascii=True).encode()
    return [hashlib.sha256(head + one.tobytes()).hexdigest() for one in hashes]


@njit(cache=True, nogil=True)
def hash_stretches(words: Words, stretches: Ints, out: Any) -> None:
    """out[i]: XXH64 of words[start:stop] of the i-th stretch."""
    for at in range(len(stretches)):
        out[at] = xxh64(words, stretches[at, 0], stretches[at, 1])


@njit(cache=True, nogil=True)
def xxh64(words: Words, start: int, stop: int) -> Any:
    """XXH64 with seed 0 of words[start:stop] as little-endian bytes."""
    value = _P5
    at = start
    if stop - start >= 4:
        one, two, three, four = _P1 + _P2, _P2, _ZERO, _ZERO - _P1
        while at + 4 <= stop:
            one, two = _round(one, words[at]), _round(two, words[at + 1])
            three, four = _round(three, words[at + 2]), _round(four, words[at + 3])
            at += 4
        value = _rotated(one, 1) + _rotated(two, 7) + _rotated(three, 12) + _rotated(four, 18)
        for lane in (one, two, three, four):
            value = (value ^ _round(_ZERO, lane)) * _P1 + _P4
    value += np.uint64(8 * (stop - start))
    while at < stop:
        value = _rotated(value ^ _round(_ZERO, words[at]), 27) * _P1 + _P4
        at += 1
    value = (value ^ (value >> np.uint64(33))) * _P2
    value = (value ^ (value >> np.uint64(29))) * _P3
    return value ^ (value >> np.uint64(32))


@njit(cache=True, nogil=True)
def _rotated(value: Any, bits: int) -> Any:
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))


@njit(cache=True, nogil=True)
def _round(lane: Any, word: Any) -> Any:
    return _rotated(lane + word * _P2, 31) * _P1
