"""A store cut into shares of whole sessions, one a worker, and a share's sessions as Arrow tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from stom_ray.errors import ConfigError, StoreError
from stom_ray.schema.columns import CLOCK
from stom_ray.store.catalog import LoadReport, StoreCatalog
from stom_ray.store.load import ALL_DAY, EVERY_DAY, apply_rule, known_codes
from stom_ray.store.manifest import open_store
from stom_ray.store.parts import PanelColumns, Session

Window = tuple[int, int]


@dataclass(frozen=True)
class Shard:
    """Sessions of one share, in order of code and day, and the columns wanted of them. Small: the rows stay on disk."""

    sessions: tuple[Session, ...]
    columns: tuple[str, ...]

    @property
    def n_rows(self) -> int:
        return sum(one.stop - one.start for one in self.sessions)


def plan_shards(
    store: str | Path,
    n_shards: int,
    columns: Sequence[str],
    *,
    codes: Iterable[str] | None = None,
    days: Window | None = None,
    time: Window | None = None,
    report: LoadReport | None = None,
) -> tuple[Shard, ...]:
    """At most n_shards shares of about equally many rows; together the sessions that `load_panel` would take, in its order.

    Raises StoreError for what is no store, SelectionError when nothing is selected.
    """
    if n_shards < 1:
        raise ConfigError(f"n_shards is {n_shards}: expected at least 1")
    place = Path(store).absolute()
    if not place.is_dir():
        raise StoreError(f"{place}: shards are cut from a store: ingest the database first")
    open_store(place)
    catalog = StoreCatalog(place)
    wanted = known_codes([catalog], codes)
    findings = report if report is not None else LoadReport()
    source = catalog.read(wanted, findings, strict=report is None)
    kept, _ = apply_rule(source, wanted, days or EVERY_DAY, time or ALL_DAY, findings)
    ordered = sorted(kept, key=lambda one: (one.code, one.day))
    sizes = np.array([one.stop - one.start for one in ordered])
    ends = np.cumsum(sizes)
    shares = (2 * ends - sizes) * n_shards // (2 * ends[-1])  # by each session's middle row
    groups = [tuple(ordered[at] for at in np.flatnonzero(shares == share)) for share in range(n_shards)]
    return tuple(Shard(group, tuple(columns)) for group in groups if group)


def shard_tables(shard: Shard) -> Iterator[pa.Table]:
    """One table a session: code, day, index (clock), then the columns, not copied where the file has them."""
    for one in shard.sessions:
        load = PanelColumns([one], one.segment.layout)
        n = one.stop - one.start
        arrays = {
            "code": pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, dtype=np.int32)), pa.array([one.code])),
            "day": pa.array(np.full(n, one.day, dtype=np.int64)),
            CLOCK: pa.array(load.clock()),
            **{name: pa.array(load(name), from_pandas=False) for name in shard.columns},
        }
        yield pa.table(arrays)
