"""The audit itself: rows that come later are changed, and what was known before them must not move.

A cut is a moment, and some instruments whose rows of that second are not there yet: rows of one second arrive one after the
other, so only earlier seconds of other instruments may be used. Everything hidden behind the cut is changed in several ways.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from stom_ray.errors import ConfigError
from stom_ray.store.panel import Ints, Panel
from stom_ray.validation.audit.changes import HOW, NEW_VALUES, REMOVED, SHUFFLED, Mask, Timeline, View
from stom_ray.validation.audit.cuts import Cut, Effort, draw, first_cause, not_compared, same
from stom_ray.validation.audit.findings import Checked, Finding, Kind, shown
from stom_ray.validation.audit.subjects import StoppedError, Subject, Values

ROWS_TO_TELL = 3  # rows of a column that are looked at for what kind of leak it has
FARTHEST: tuple[Kind, ...] = ("overlapping_labels", "full_sample", "day_end", "next_row", "same_second")


@dataclass(frozen=True)
class Moved:
    """Values that moved at a cut. rows: of one column, by row number."""

    cut: Cut
    how: str
    changed: Mask
    rows: Ints


@dataclass
class Audit:
    """One subject over one panel. among: rows to take cuts from; all without it."""

    subject: Subject
    panel: Panel
    effort: Effort
    among: Ints | None = None
    time: Timeline = field(init=False)
    base: Values = field(init=False)
    runs: int = 0
    stopped: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.time = Timeline(self.panel, self.effort.seed)
        try:
            self.base, again = (self.subject.values(self.time.unchanged().panel) for _ in range(2))
        except StoppedError as stopped:
            raise stopped.error from stopped
        self._same_columns(again)
        for name, column in self.base.columns.items():
            if not np.all(same(column, again.columns[name])):
                row = int(np.flatnonzero(~same(column, again.columns[name]))[0])
                raise ConfigError(
                    f"{self.subject.name}: column {name} differs when it is made again from the same rows "
                    f"({self.time.place(row)}: {shown(column[row])}, then {shown(again.columns[name][row])}): fix its seed, or "
                    "nothing can be said about it"
                )

    @property
    def known_at(self) -> Ints:
        return self.base.known(self.panel)

    def run(self) -> Checked:
        """Every cut in every way; one finding a column."""
        moved: dict[str, list[Moved]] = {}
        stops: list[Finding] = []
        for cut in draw(self.time, self.base, self.effort, self.among):
            for how, rows in self._changes(cut):
                view = self.time.changed(how, rows)
                if view.panel.n_rows == 0 or not rows.any():
                    continue
                try:
                    values = self._values(view)
                except StoppedError as stopped:
                    stops += self._stop(cut, how, view, stopped)
                    continue
                for name, at in self._moved(cut, how, rows, view, values):
                    moved.setdefault(name, []).append(Moved(cut, how, rows, at))
        found = [*(self._finding(name, several) for name, several in moved.items()), *stops[:1]]
        told = sum(int(np.count_nonzero(~np.isnan(column))) for column in self.base.columns.values())
        return Checked(self.subject.what, self.subject.name, told, self.runs, tuple(found), tuple(self._notes(told)))

    def _changes(self, cut: Cut) -> Iterator[tuple[str, Mask]]:
        for how in HOW:
            yield how, cut.hidden
        yield REMOVED, cut.hidden & (self.time.day == cut.clock // 1_000_000)

    def _values(self, view: View) -> Values:
        self.runs += 1
        values = self.subject.values(view.panel)
        self._same_columns(values)
        return values

    def _same_columns(self, values: Values) -> None:
        if set(values.columns) != set(self.base.columns):
            raise ConfigError(
                f"{self.subject.name} gives now the columns {', '.join(values.columns)}, now {', '.join(self.base.columns)}: "
                "expected the same ones whatever the rows"
            )

    def _moved(self, cut: Cut, how: str, rows: Mask, view: View, values: Values) -> Iterator[tuple[str, Ints]]:
        """(column, rows of the original that differ though they may not)."""
        seen = cut.seen[view.rows]
        if self.subject.closes_sessions and how == REMOVED:
            shortened = np.isin(self.time.session[view.rows], self.time.session[rows])
            offsets = view.panel.offsets
            closing = np.repeat(view.panel.clock[offsets[1:] - 1], np.diff(offsets))
            seen &= ~(shortened & (self.known_at[view.rows] >= closing))
        for name, column in values.columns.items():
            differ = seen & ~same(self.base.columns[name][view.rows], column, self.effort.tolerance)
            if differ.any():
                yield name, view.rows[differ]

    def _stop(self, cut: Cut, how: str, view: View, stopped: StoppedError) -> Iterator[Finding]:
        """A run that stops behind the cut says nothing of what was before it; one that stops before the cut should not have."""
        self.stopped.append(str(stopped))
        if stopped.row is not None and cut.seen[view.rows[stopped.row]]:
            where = self.time.place(int(view.rows[stopped.row]))
            words = f"{self.subject.what} of {self.subject.name} stops at {where} with later rows {how}: {stopped}"
            yield Finding("next_row", self.subject.what, "stop", words, where)

    def _finding(self, name: str, several: list[Moved]) -> Finding:
        tried = [(row, *self._kind(name, row, moved)) for row, moved in self._clearest(several)]
        row, kind, how, rows = min(tried, key=lambda one: FARTHEST.index(one[1]) if one[1] else len(FARTHEST))
        cause, after = self._first_cause(name, row, how, rows)
        before = float(self.base.columns[name][row])
        where, depends_on = self.time.place(row), self.time.place(cause)
        words = (
            f"{self.subject.what} {name} of {self.subject.name} at {where} is {shown(before)}, and {shown(after)} with the row "
            f"{depends_on} {how}"
        )
        return Finding(kind or self._kind_of(row, cause), self.subject.what, name, words, where, before, after, depends_on)

    def _clearest(self, several: list[Moved]) -> list[tuple[int, Moved]]:
        """Some rows and where they moved: early ones among those that have much of their day before them.

        There the rows next to them, the day's end and later days can be told apart.
        """
        best = np.array([moved.rows[np.argmax(self.time.ends[moved.rows] - moved.rows)] for moved in several])
        left = self.time.ends[best] - best
        early = sorted(np.flatnonzero(2 * left >= left.max()), key=lambda k: int(self.panel.clock[best[k]]))
        rows: dict[int, Moved] = {}
        for k in early:
            rows.setdefault(int(best[k]), several[k])
        return list(rows.items())[:ROWS_TO_TELL]

    def _kind(self, name: str, row: int, moved: Moved) -> tuple[Kind | None, str, Mask]:
        """Which rows the value follows from, tried from the farthest to the nearest; and a change of them that moves it.

        None: only several of them together, as at the cut.
        """
        # Where the last row of a session is special, a row that becomes the last one has moved for a reason of its own.
        tried = (*NEW_VALUES, SHUFFLED) if self.subject.closes_sessions else HOW
        for kind, rows in self._beyond(row):
            for how in tried:
                after = self._value(name, row, how, rows)
                if after is not None and not self._equal(name, row, after):
                    return kind, how, rows
        return None, moved.how, moved.changed

    def _kind_of(self, row: int, cause: int) -> Kind:
        if self.base.known_at is not None:
            return "overlapping_labels"
        if self.time.day[cause] > self.time.day[row]:
            return "full_sample"
        return "next_row" if self.panel.clock[cause] > self.panel.clock[row] else "same_second"

    def _beyond(self, row: int) -> Iterator[tuple[Kind, Mask]]:
        clock, day, at = self.panel.clock, self.time.day, int(self.known_at[row])
        later = clock > at
        if self.base.known_at is not None:
            yield "overlapping_labels", later | ((clock == at) & (self.time.code != self.time.code[row]))
            return
        today = later & (day == self.time.day[row])
        yield "full_sample", later & ~today
        yield "day_end", today & (np.arange(self.panel.n_rows) == self.time.ends - 1)
        yield "next_row", today
        yield "same_second", (clock == at) & (self.time.code != self.time.code[row])

    def _first_cause(self, name: str, row: int, how: str, rows: Mask) -> tuple[int, float | None]:
        """Binary search along time: with all rows before the one returned changed the value stands, with that one it moves."""
        return first_cause(self.time, rows, lambda mask: self._value(name, row, how, mask), lambda v: self._equal(name, row, v))

    def _value(self, name: str, row: int, how: str, rows: Mask) -> float | None:
        """None where the subject cannot be run on such rows, or nothing would be changed."""
        if not rows.any():
            return None
        try:
            view = self.time.changed(how, rows)
            values = self._values(view)
        except StoppedError:
            return None
        return float(values.columns[name][np.searchsorted(view.rows, row)])

    def _equal(self, name: str, row: int, value: float) -> bool:
        return bool(same(self.base.columns[name][row : row + 1], np.array([value]), self.effort.tolerance)[0])

    def _notes(self, told: int) -> Iterator[str]:
        name = self.subject.name
        if not told:
            yield f"{name} gives no value at all on these rows: nothing could move. Choose other days or instruments"
        yield from not_compared(name, self.stopped)
