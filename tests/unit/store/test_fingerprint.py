import numpy as np
import pytest

from stom_ray.store.fingerprint import fingerprints, xxh64

MASK = 2**64 - 1
P1, P2, P3, P4, P5 = (
    0x9E3779B185EBCA87,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5,
)


def rotated(value, bits):
    return ((value << bits) | (value >> (64 - bits))) & MASK


def by_the_book(data, seed=0):
    """XXH64 as its specification describes it, of any bytes."""

    def step(lane, word):
        return rotated((lane + word * P2) & MASK, 31) * P1 & MASK

    at, value = 0, (seed + P5) & MASK
    if len(data) >= 32:
        lanes = [(seed + P1 + P2) & MASK, (seed + P2) & MASK, seed, (seed - P1) & MASK]
        while at + 32 <= len(data):
            for lane in range(4):
                lanes[lane] = step(lanes[lane], int.from_bytes(data[at : at + 8], "little"))
                at += 8
        value = sum(rotated(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True)) & MASK
        for lane in lanes:
            value = ((value ^ step(0, lane)) * P1 + P4) & MASK
    value = (value + len(data)) & MASK
    while at + 8 <= len(data):
        value = (rotated(value ^ step(0, int.from_bytes(data[at : at + 8], "little")), 27) * P1 + P4) & MASK
        at += 8
    if at + 4 <= len(data):
        value = (rotated(value ^ (int.from_bytes(data[at : at + 4], "little") * P1 & MASK), 23) * P2 + P3) & MASK
        at += 4
    for byte in data[at:]:
        value = rotated(value ^ (byte * P5 & MASK), 11) * P1 & MASK
    value = (value ^ (value >> 33)) * P2 & MASK
    value = (value ^ (value >> 29)) * P3 & MASK
    return value ^ (value >> 32)


def sanity(n):
    """The bytes that xxHash's own tests hash."""
    generator, out = 2654435761, bytearray()
    for _ in range(n):
        out.append(generator >> 56)
        generator = generator * 11400714785074694797 & MASK
    return bytes(out)


@pytest.mark.parametrize(
    ("n", "value"), [(0, 0xEF46DB3751D8E999), (1, 0xE934A84ADB052768), (14, 0x8282DCC4994E35C8), (222, 0xB641AE8CB691C174)]
)
def test_book_is_xxhash_by_its_published_values(n, value):
    assert by_the_book(sanity(n)) == value


@pytest.mark.parametrize("n", [*range(12), 100, 1_001])
def test_kernel_is_the_book(n):
    words = np.random.default_rng(n).integers(0, 2**64, n + 5, dtype=np.uint64)
    assert int(xxh64(words, 2, 2 + n)) == by_the_book(words[2 : 2 + n].tobytes())


class Rows:
    layout = "tick_v1"
    names = ("a", "b")

    def __init__(self, n=20):
        self.clock = np.arange(n) + 20240102090000
        self.columns = {"a": np.arange(n) / 3, "b": np.zeros(n)}

    def column(self, name):
        return self.columns[name]


def test_equal_rows_have_equal_fingerprints_wherever_they_lie():
    rows, alone = Rows(40), Rows(20)
    rows.columns = {name: np.tile(column, 2) for name, column in alone.columns.items()}
    rows.clock = np.tile(alone.clock, 2)
    one, two = fingerprints(rows, [(0, 20), (20, 40)])
    assert one == two == fingerprints(alone, [(0, 20)])[0]
    assert len(one) == 64
    assert fingerprints(rows, []) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.columns["b"].__setitem__(7, -0.0),
        lambda rows: rows.columns["a"].__setitem__(19, np.nan),
        lambda rows: rows.clock.__setitem__(0, 5),
        lambda rows: setattr(rows, "names", ("a", "c")) or rows.columns.__setitem__("c", rows.columns["b"]),
        lambda rows: setattr(rows, "layout", "tick_v2"),
        lambda rows: rows.columns.update(a=rows.columns["b"], b=rows.columns["a"]),
        lambda rows: rows.columns["a"].__setitem__([3, 4], rows.columns["a"][[4, 3]]),
    ],
)
def test_any_change_changes_the_fingerprint(change):
    rows, other = Rows(), Rows()
    change(other)
    assert fingerprints(rows, [(0, 20)]) != fingerprints(other, [(0, 20)])
    assert fingerprints(rows, [(0, 19)]) != fingerprints(rows, [(0, 20)])
