"""Arrow files of the store: written whole or not at all, read by mapping them.

A tick segment holds days of one instrument, one record batch, uncompressed: `index` int64 and float64 columns, no nulls (NaN is
NULL), so a column of all its days is one stretch of memory. A ranking segment holds one row a day.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stom_ray.errors import StoreError
from stom_ray.schema.columns import CLOCK
from stom_ray.store.disk import Sink, write_atomically
from stom_ray.store.rankings import RankingDay

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_RANKING_SCHEMA = pa.schema(
    [
        ("day", pa.int64()),
        ("clock", pa.list_(pa.int64())),
        ("code", pa.list_(pa.string())),
        ("first", pa.list_(pa.int64())),
        ("last", pa.list_(pa.int64())),
    ]
)


def write_segment(path: Path, clock: Ints, names: Sequence[str], columns: Callable[[str], Floats], about: dict[str, str]) -> int:
    """A tick segment; about: metadata for whoever opens the file elsewhere. Returns its size in bytes."""
    fields = [pa.field(CLOCK, pa.int64(), nullable=False), *(pa.field(name, pa.float64(), nullable=False) for name in names)]
    arrays = [pa.array(clock), *(pa.array(columns(name), from_pandas=False) for name in names)]
    batch = pa.record_batch(arrays, schema=pa.schema(fields, metadata=about))
    return write_atomically(path, lambda file: _write_batch(file, batch))


def write_rankings(path: Path, days: Sequence[RankingDay]) -> int:
    """A ranking segment. Returns its size in bytes."""
    rows = {
        "day": [one.day for one in days],
        "clock": [one.clock for one in days],
        "code": [list(one.code) for one in days],
        "first": [one.first for one in days],
        "last": [one.last for one in days],
    }
    batch = pa.RecordBatch.from_pydict(rows, schema=_RANKING_SCHEMA)
    return write_atomically(path, lambda file: _write_batch(file, batch))


def _write_batch(file: Path, batch: pa.RecordBatch) -> None:
    with Sink(file) as sink, pa.ipc.new_file(pa.PythonFile(sink, "w"), batch.schema) as writer:
        writer.write_batch(batch)


def _check_size(path: Path, size: int) -> None:
    try:
        found = path.stat().st_size
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be found ({error.strerror}), though the manifest names it: load again if an ingest is running, "
            "else delete its folder and ingest again"
        ) from error
    if found != size:
        raise StoreError(f"{path}: has {found} bytes, the manifest says {size}: delete its folder and ingest again")


def _mapped(path: Path, size: int) -> pa.RecordBatch:
    """The file's one batch. Raises StoreError when it is not the file the manifest speaks of."""
    _check_size(path, size)
    try:
        return pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"{path}: damaged ({error}): delete its folder and ingest again") from error


def read_rankings_segment(path: Path, size: int) -> list[RankingDay]:
    """The days of a ranking segment, in file order."""
    batch = _mapped(path, size)
    days = batch.column(0).to_numpy()
    return [
        RankingDay(
            int(days[at]),
            batch.column(1)[at].values.to_numpy(),
            tuple(batch.column(2)[at].as_py()),
            batch.column(3)[at].values.to_numpy(),
            batch.column(4)[at].values.to_numpy(),
        )
        for at in range(batch.num_rows)
    ]


class MappedSegment:
    """A tick segment on disk; mapped on first use, and again in another process when it is sent there."""

    def __init__(self, path: Path, size: int, layout: str, names: tuple[str, ...]) -> None:
        self.path = path
        self.size = size
        self.layout = layout
        self.names = names

    @property
    def origin(self) -> str:
        return str(self.path)

    def check(self) -> None:
        """Raises StoreError when the file is gone or not as long as the manifest says; opens nothing."""
        _check_size(self.path, self.size)

    @cached_property
    def _batch(self) -> pa.RecordBatch:
        return _mapped(self.path, self.size)

    @cached_property
    def clock(self) -> Ints:
        return np.asarray(self._numbers(0))

    def column(self, name: str) -> Floats:
        return np.asarray(self._numbers(1 + self.names.index(name)))

    def _numbers(self, at: int) -> Any:
        return self._batch.column(at).to_numpy(zero_copy_only=True)

    def __reduce__(self) -> tuple[Any, ...]:
        return MappedSegment, (self.path, self.size, self.layout, self.names)
