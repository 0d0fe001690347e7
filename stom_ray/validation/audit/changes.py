"""Panels as they are, but for some rows: what a subject is run on when it should not notice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stom_ray.schema.columns import VI_COLUMNS
from stom_ray.store.panel import Floats, Ints, Panel
from stom_ray.validation.audit.findings import Place

Mask = NDArray[np.bool_]

REMOVED, SHUFFLED = "removed", "shuffled"
# A row's maximum only notices what is larger, its minimum what is smaller, a mean of what is there neither of them at 0.
NEW_VALUES: Mapping[str, Callable[[Floats], Floats]] = {
    "raised": lambda values: values * 1.5 + 1.0,
    "lowered": lambda values: values * 0.5,
    "missing": lambda values: np.full_like(values, np.nan),
    "zero": np.zeros_like,
}
HOW = (*NEW_VALUES, SHUFFLED, REMOVED)
TIMES = VI_COLUMNS[:1]  # a moment as a number: a multiple of it is none


@dataclass(frozen=True)
class View:
    """A changed panel. rows: (panel.n_rows,) the row of the original behind each of its rows."""

    panel: Panel
    rows: Ints


class Timeline:
    """A panel's rows in time, and the panel with some of them changed.

    code, day, session: (n_rows,) index into codes, yyyymmdd, session of each row. seed: of the order of shuffled rows.
    """

    def __init__(self, panel: Panel, seed: int = 0) -> None:
        self.panel, self.seed = panel, seed
        lengths = np.diff(panel.offsets)
        self.session: Ints = np.repeat(np.arange(panel.n_sessions, dtype=np.int64), lengths)
        self.code: Ints = panel.session_code[self.session]
        self.day: Ints = panel.session_day[self.session]
        self.ends: Ints = panel.offsets[1:][self.session]

    def place(self, row: int) -> Place:
        return Place(self.panel.codes[int(self.code[row])], int(self.panel.clock[row]))

    def in_order(self, rows: Mask) -> Ints:
        """The rows of a mask, by time, then by instrument."""
        found = np.flatnonzero(rows)
        return found[np.argsort(self.panel.clock[found], kind="stable")]

    def changed(self, how: str, rows: Mask) -> View:
        """how: one of HOW. The columns are copies of their own, so that whoever gets the panel may write into them.

        shuffled: each row gets the values of another row of its session. removed: as if the row had not been recorded.
        """
        if how == REMOVED:
            return self._without(rows)
        panel = self.panel

        def load(name: str) -> Floats:
            column = panel.column(name)
            if how == SHUFFLED:
                return np.where(rows, column[self._other_row], column)
            return np.where(rows, NEW_VALUES[how](column) if name not in TIMES or how == "missing" else column, column)

        return View(replace(panel, columns={}, load=load, identity=""), np.arange(panel.n_rows, dtype=np.int64))

    def unchanged(self) -> View:
        """Copies of the same values."""
        return self.changed(SHUFFLED, np.zeros(self.panel.n_rows, dtype=np.bool_))

    @cached_property
    def _other_row(self) -> Ints:
        """The rows of each session in another order: the next one in a random circle, so that none stays where it is."""
        drawn = np.random.default_rng(self.seed).random(self.panel.n_rows)
        order = np.lexsort((drawn, self.session))
        following = np.roll(order, -1)
        last = self.panel.offsets[1:] - 1
        following[last] = order[self.panel.offsets[:-1]]
        other = np.empty_like(order)
        other[order] = following
        return other

    def _without(self, rows: Mask) -> View:
        panel = self.panel
        kept = np.flatnonzero(~rows)
        sizes = np.bincount(self.session[kept], minlength=panel.n_sessions)
        sessions = np.flatnonzero(sizes)
        used, session_code = np.unique(panel.session_code[sessions], return_inverse=True)
        codes = tuple(panel.codes[at] for at in used)
        clock = panel.clock[kept]
        gone = np.isin(panel.ranking_clock, panel.clock[rows]) & ~np.isin(panel.ranking_clock, clock)
        view = Panel(
            codes=codes,
            session_code=session_code.astype(np.int64),
            session_day=panel.session_day[sessions],
            offsets=np.concatenate([[0], np.cumsum(sizes[sessions])]).astype(np.int64),
            clock=clock,
            ranking_clock=panel.ranking_clock[~gone],
            layout=panel.layout,
            names={code: panel.names[code] for code in codes if code in panel.names},
            load=lambda name: panel.column(name)[kept],
        )
        return View(view, kept)
