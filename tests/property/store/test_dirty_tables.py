"""Random dirty tables: nothing is lost without a trace, nothing is invented, and a store equals its database."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stom_ray.errors import StoreError
from stom_ray.schema.columns import LAYOUTS
from stom_ray.store.quality import NON_NEGATIVE, clean
from stom_ray.store.snapshot import Snapshot, read_snapshot
from stom_ray.store.table import read_table

NAMES = LAYOUTS["tick_v1"].values
NUMBER = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
CELL = st.one_of(
    st.none(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False),
    st.sampled_from([0, -0.0, 1, -1, math.inf, -math.inf, "text", "12.5", b"blob", ""]),
)
CLOCK = st.one_of(
    st.integers(0, 40).map(lambda second: 20240102090000 + second),
    st.integers(0, 20).map(lambda second: 20240103090000 + second),
    st.sampled_from([None, 0, -5, 20240102096000, 20241302090000, "x", "20240102091500", 2**62, 1.5]),
)


@st.composite
def dirty_tables(draw):
    n = draw(st.integers(0, 40))
    table = [[draw(CLOCK), *[float(at + 1)] * 44] for at in range(n)]
    for _ in range(draw(st.integers(0, 12)) if n else 0):
        table[draw(st.integers(0, n - 1))][draw(st.integers(1, 44))] = draw(CELL)
    for _ in range(draw(st.integers(0, 3)) if n else 0):
        table.append(list(table[draw(st.integers(0, n - 1))]))
    return table


def usable(row):
    """The policy in a few words, for one row as it was written: its numbers, or None when it must not be used."""
    try:
        clock = int(row[0]) if float(row[0]) == int(row[0]) else None
        numbers = [math.nan if value is None else float(value) for value in row[1:]]
    except (TypeError, ValueError):
        return None
    if clock is None or not any(clock // 1_000_000 == day for day in (20240102, 20240103)) or clock // 100 % 100 > 59:
        return None
    bad = any(math.isinf(value) or (value < 0 and name in NON_NEGATIVE) for name, value in zip(NAMES, numbers, strict=True))
    return None if bad else (clock, numbers)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(table=dirty_tables())
def test_what_is_kept_is_the_last_usable_row_of_each_clock_and_everything_else_has_a_reason(tmp_path_factory, db, table):
    file = db.write(tmp_path_factory.mktemp("dirty") / "t.db", {"000001": table}, moneytop=None)
    raw = read_snapshot(file, lambda snapshot: read_table(snapshot, "000001"))
    kept, quality = clean(raw)
    expected = {}
    for row in table:
        good = usable(row)
        if good:
            expected[good[0]] = good[1]
    assert kept.clock.tolist() == sorted(expected)
    want = np.array([expected[clock] for clock in sorted(expected)]).reshape(-1, 44).T
    assert np.array_equal(kept.values, want, equal_nan=True)
    assert quality.rows == len(table)
    assert quality.kept + quality.counts.get("duplicate", 0) + len(quality.quarantined) == len(table)
    listed = [row.rowid for row in quality.quarantined]
    assert len(set(listed)) == len(listed)
    assert not set(listed) & set(kept.rowid.tolist())
    unusable = {at + 1 for at, row in enumerate(table) if usable(row) is None}
    assert unusable <= set(listed)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cells=st.lists(st.tuples(st.integers(0, 99), st.integers(1, 44), NUMBER), max_size=60),
    page_size=st.sampled_from([1024, 4096]),
)
def test_pages_and_library_agree_on_any_numbers(tmp_path_factory, db, cells, page_size):
    table = [[clock, *[0.5] * 44] for clock in db.clocks(20240102, 100)]
    for row, column, value in cells:
        table[row][column] = value
    file = db.write(tmp_path_factory.mktemp("cells") / "t.db", {"000001": table}, page_size=page_size, moneytop=None)

    def both(snapshot):
        slow = Snapshot(snapshot.path, snapshot.how, snapshot.connection, None)
        return read_table(snapshot, "000001"), read_table(slow, "000001")

    fast, slow = read_snapshot(file, both)
    assert fast.values.tobytes() == slow.values.tobytes()
    assert (fast.clock.tolist(), fast.rowid.tolist()) == (slow.clock.tolist(), slow.rowid.tolist())


@pytest.mark.parametrize("seed", range(30))
def test_random_junk_in_pages_never_breaks_the_reader_nor_gives_rows_that_sqlite_does_not(tmp_path, db, seed):
    rng = np.random.default_rng(seed)
    file = db.write(tmp_path / "t.db", {"000001": db.rows(db.clocks(20240102, 400))}, moneytop=None)
    content = bytearray(file.read_bytes())
    for _ in range(int(rng.integers(1, 6))):
        at = int(rng.integers(4096, len(content) - 64))
        content[at : at + 64] = rng.integers(0, 256, 64, dtype=np.uint8).tobytes()
    file.write_bytes(content)

    def both(snapshot):
        found = []
        for one in (snapshot, Snapshot(snapshot.path, snapshot.how, snapshot.connection, None)):
            try:
                table = read_table(one, "000001")
                found.append((table.clock.tolist(), table.values.tobytes()))
            except StoreError:
                found.append(None)
        return found

    fast, slow = read_snapshot(file, both)
    assert slow is None or fast == slow
