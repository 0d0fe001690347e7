"""Ticks in memory: sessions of instruments, column by column.

A session is one instrument's rows of one trading day. Sessions are ordered by code, then day, so the rows of an instrument
are contiguous and rolling windows may run across its days (as STOM's do). A `Panel` never changes after construction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import SchemaError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Loader(Protocol):
    """Columns that are not in memory yet. `rows`: some rows of one, where that does not take the whole."""

    def __call__(self, name: str) -> Floats: ...

    def rows(self, name: str, rows: slice) -> Floats: ...


@dataclass(frozen=True)
class Panel:
    """Columns of many sessions with the offsets that tell them apart.

    codes: the instruments that have rows, sorted. session_code: (n_sessions,) index into codes. session_day: (n_sessions,)
    yyyymmdd. offsets: (n_sessions + 1,) row where each session starts; the last is n_rows. clock: (n_rows,) int64
    yyyymmddhhmmss, KST. ranking_clock: seconds of `moneytop` inside the selection, sorted, unique (figures need it).
    layout: "tick_v1", "tick_v2" or "minute_v1", as the database had it (v1 and v2 differ in 호가단위).
    columns: canonical name -> (n_rows,) float64, NaN where the database had NULL; `load` is asked for names not in it yet.
    identity: hash of what the panel holds, "" when it was made by hand (`store.load.data_hash` then reads the content).
    """

    codes: tuple[str, ...]
    session_code: Ints
    session_day: Ints
    offsets: Ints
    clock: Ints
    ranking_clock: Ints
    layout: str
    names: Mapping[str, str] = field(default_factory=dict)
    columns: dict[str, Floats] = field(default_factory=dict)
    load: Loader | Callable[[str], Floats] | None = None
    identity: str = ""

    @property
    def n_rows(self) -> int:
        return int(self.offsets[-1])

    @property
    def n_sessions(self) -> int:
        return len(self.session_day)

    @property
    def days(self) -> Ints:
        """Trading days that have rows, sorted, yyyymmdd."""
        return np.unique(self.session_day)

    @property
    def instrument_offsets(self) -> Ints:
        """(n_codes + 1,) row where each instrument starts; the last is n_rows."""
        first = np.searchsorted(self.session_code, np.arange(len(self.codes) + 1))
        return self.offsets[first]

    def session_rows(self, session: int) -> slice:
        """The session's rows: `panel.column(name)[panel.session_rows(at)]` is a view."""
        return slice(int(self.offsets[session]), int(self.offsets[session + 1]))

    def column(self, name: str) -> Floats:
        """The column, loaded on first use. Raises SchemaError when the layout neither has nor implies it."""
        if name not in self.columns:
            if self.load is None:
                raise SchemaError(f"column {name} is not in this panel; it has: {', '.join(sorted(self.columns))}")
            self.columns[name] = self.load(name)
        return self.columns[name]

    def part(self, name: str, rows: slice) -> Floats:
        """Some rows of a column. The whole is not loaded for them where the loader can do without, and nothing is kept."""
        some = getattr(self.load, "rows", None)
        if name in self.columns or some is None:
            return self.column(name)[rows]
        found: Floats = some(name, rows)
        return found


@dataclass(frozen=True)
class Selection:
    """What a run sees (`selected`) and what its rolling columns were computed over (`loaded`).

    rows: (selected.n_rows,) int64, the row of `loaded` behind each selected row. A session of `selected` may be shorter than
    the loaded one (hours), and days or instruments may be missing from it; the row numbers of trades are those of `selected`.
    """

    loaded: Panel
    selected: Panel
    rows: Ints
