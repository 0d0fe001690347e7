"""Sessions wherever they lie (a table just read, a mapped file), and a panel made of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import SchemaError
from stom_ray.schema.columns import DERIVED
from stom_ray.store.fingerprint import Columns, fingerprints
from stom_ray.store.panel import Panel
from stom_ray.store.table import RawTable

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Numbers = TypeVar("Numbers", Floats, Ints)


class Segment(Columns, Protocol):
    """Rows of one instrument, several days perhaps, sorted by clock."""

    @property
    def origin(self) -> str: ...


@dataclass(frozen=True)
class TableSegment:
    """A cleaned table in memory. origin: the file it came from."""

    origin: str
    table: RawTable

    @property
    def layout(self) -> str:
        return self.table.layout

    @property
    def names(self) -> tuple[str, ...]:
        return self.table.names

    @property
    def clock(self) -> Ints:
        return self.table.clock

    def column(self, name: str) -> Floats:
        return self.table.column(name)


@dataclass(frozen=True)
class Session:
    """One instrument's day: rows [start, stop) of a segment.

    digest: content hash of the whole day, whatever part of it is used. ranked: its file has `moneytop`, so the ranking decides
    whether the day counts.
    """

    code: str
    day: int
    segment: Segment
    start: int
    stop: int
    digest: str
    ranked: bool

    def within(self, low: int, high: int) -> Session | None:
        """The rows with low <= hhmmss <= high; None when there are none."""
        clock = self.segment.clock[self.start : self.stop]
        base = self.day * 1_000_000
        first, last = np.searchsorted(clock, [base + low, base + high + 1])
        if first == last:
            return None
        return Session(
            self.code, self.day, self.segment, self.start + int(first), self.start + int(last), self.digest, self.ranked
        )


def day_bounds(clock: Ints) -> list[tuple[int, int, int]]:
    """(day, first row, row after the last) of each day of a sorted clock."""
    days = clock // 1_000_000
    starts = np.flatnonzero(np.diff(days, prepend=-1))
    stops = np.append(starts[1:], len(days))
    return [(int(days[start]), int(start), int(stop)) for start, stop in zip(starts, stops, strict=True)] if len(days) else []


def table_sessions(table: RawTable, origin: str, ranked: bool) -> list[Session]:
    """The sessions of a cleaned table, by day."""
    segment = TableSegment(origin, table)
    days = day_bounds(table.clock)
    digests = fingerprints(segment, [(start, stop) for _, start, stop in days])
    return [
        Session(table.name, day, segment, start, stop, digest, ranked)
        for (day, start, stop), digest in zip(days, digests, strict=True)
    ]


def _joined(pieces: list[Numbers]) -> Numbers:
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


class PanelColumns:
    """Loads a panel's columns on demand from its sessions: zero-copy where they adjoin in one segment, gathered otherwise."""

    def __init__(self, sessions: Sequence[Session], layout: str) -> None:
        self.layout = layout
        self.pieces: list[tuple[Segment, int, int]] = []
        for session in sessions:
            if self.pieces and self.pieces[-1][0] is session.segment and self.pieces[-1][2] == session.start:
                self.pieces[-1] = (session.segment, self.pieces[-1][1], session.stop)
            else:
                self.pieces.append((session.segment, session.start, session.stop))

    def clock(self) -> Ints:
        return _joined([segment.clock[start:stop] for segment, start, stop in self.pieces])

    def __call__(self, name: str) -> Floats:
        """Raises SchemaError when some session neither has the column nor what it follows from."""
        return _joined([self._rows(segment, name, start, stop) for segment, start, stop in self.pieces])

    def rows(self, name: str, rows: slice) -> Floats:
        """Some rows of a column; zero-copy where they are of one piece."""
        found, first = [], 0
        for segment, start, stop in self.pieces:
            low, high = max(rows.start - first, 0) + start, min(rows.stop - first, stop - start) + start
            if low < high:
                found.append(self._rows(segment, name, low, high))
            first += stop - start
        return _joined(found)

    def _rows(self, segment: Segment, name: str, start: int, stop: int) -> Floats:
        if name in segment.names:
            return segment.column(name)[start:stop]
        rule = DERIVED.get(name)
        if rule is None:
            raise SchemaError(
                f"{segment.origin}: column {name} is not there and does not follow from others: {self.layout} as found has "
                f"{len(segment.names)} columns; record with a STOM version that writes it, or leave it out of the script"
            )
        return rule.compute(*(self._rows(segment, need, start, stop) for need in rule.needs))


def assemble(sessions: Sequence[Session], ranking_clock: Ints, names: Mapping[str, str]) -> Panel:
    """A panel of these sessions, ordered by code, then day. Raises SchemaError when their layouts differ."""
    ordered = sorted(sessions, key=lambda session: (session.code, session.day))
    layouts = {session.segment.layout: session for session in ordered}
    if len(layouts) > 1:
        shown = "; ".join(
            f"{layout}: {one.code} on {one.day} from {one.segment.origin}" for layout, one in sorted(layouts.items())
        )
        raise SchemaError(f"the selection mixes layouts ({shown}): choose codes or days, or files, of one layout")
    codes = tuple(sorted({session.code for session in ordered}))
    position = {code: index for index, code in enumerate(codes)}
    sizes = [session.stop - session.start for session in ordered]
    layout = next(iter(layouts))
    columns = PanelColumns(ordered, layout)
    known = {code: names[code] for code in codes if code in names}
    return Panel(
        codes=codes,
        session_code=np.array([position[session.code] for session in ordered], dtype=np.int64),
        session_day=np.array([session.day for session in ordered], dtype=np.int64),
        offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        clock=columns.clock(),
        ranking_clock=ranking_clock,
        layout=layout,
        names=known,
        load=columns,
        identity=_identity(ordered, ranking_clock, known),
    )


def _identity(sessions: Sequence[Session], ranking_clock: Ints, names: Mapping[str, str]) -> str:
    """SHA-256 over what the panel holds: each session's content and which rows of it, the ranking's seconds, the names."""
    parts = [
        [
            one.code,
            one.day,
            one.digest,
            int(one.segment.clock[one.start]),
            int(one.segment.clock[one.stop - 1]),
            one.stop - one.start,
        ]
        for one in sessions
    ]
    ranking = hashlib.sha256(np.ascontiguousarray(ranking_clock).data).hexdigest()
    return hashlib.sha256(json.dumps([parts, ranking, sorted(names.items())]).encode()).hexdigest()
