"""Part of a loaded panel: rolling columns keep what they saw, runs see less (spec/engine.md §1.4)."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import SelectionError
from stom_ray.store.panel import Floats, Panel, Selection

Ints = NDArray[np.int64]
Window = tuple[int, int]


def select(
    panel: Panel, *, codes: Iterable[str] | None = None, days: Window | None = None, time: Window | None = None
) -> Selection:
    """The rows of these codes, days (yyyymmdd, inclusive) and hours (hhmmss, inclusive); None = all.

    Raises SelectionError for codes the panel does not have, and when nothing is selected.
    """
    check_windows(days, time)
    wanted = set(panel.codes) if codes is None else set(codes)
    unknown = sorted(wanted - set(panel.codes))
    if unknown:
        raise missing_codes(unknown, panel.codes)
    if codes is None and days is None and time is None:
        return Selection(panel, panel, np.arange(panel.n_rows, dtype=np.int64))
    low_day, high_day = days or (0, 99_999_999)
    low, high = time or (0, 235_959)
    kept = [at for at in range(panel.n_sessions) if low_day <= panel.session_day[at] <= high_day]
    kept = [at for at in kept if panel.codes[panel.session_code[at]] in wanted]
    bounds = [(at, *_hours(panel, at, low, high)) for at in kept]
    bounds = [(at, start, stop) for at, start, stop in bounds if stop > start]
    if not bounds:
        raise SelectionError(
            f"nothing selected: codes {', '.join(sorted(wanted)[:5])}, days {low_day} to {high_day}, "
            f"hours {low:06d} to {high:06d}; "
            f"loaded are {len(panel.codes)} codes, {len(panel.days)} days from {panel.days[0]} to {panel.days[-1]}, "
            f"hours {int((panel.clock % 1_000_000).min()):06d} to {int((panel.clock % 1_000_000).max()):06d}"
        )
    rows = _rows(bounds)
    day, hour = panel.ranking_clock // 1_000_000, panel.ranking_clock % 1_000_000
    inside = (day >= low_day) & (day <= high_day) & (hour >= low) & (hour <= high)
    return Selection(panel, _sliced(panel, bounds, rows, inside, [[low_day, high_day], [low, high]]), rows)


def on_days(selection: Selection, days: Sequence[int] | Ints) -> Selection:
    """The same selection with these trading days only (yyyymmdd, in any order), which need not be consecutive.

    Raises SelectionError for a day that the selection has not, and when none of them has rows.
    """
    panel = selection.selected
    ranked = panel.ranking_clock // 1_000_000
    asked = np.unique(np.asarray(days, dtype=np.int64))
    unknown = np.setdiff1d(asked, np.union1d(panel.days, ranked))
    if len(unknown):
        raise SelectionError(f"no day {unknown[0]} in the selection, which has {len(panel.days)} from {panel.days[0]} on")
    kept = np.flatnonzero(np.isin(panel.session_day, asked)).tolist()
    if not kept:
        raise SelectionError(f"nothing selected: no rows on {', '.join(map(str, asked[:5])) or 'no day'}")
    bounds = [(at, int(panel.offsets[at]), int(panel.offsets[at + 1])) for at in kept]
    rows = _rows(bounds)
    part = _sliced(panel, bounds, rows, np.isin(ranked, asked), asked.tolist())
    return Selection(selection.loaded, part, selection.rows[rows])


def check_windows(days: Window | None, time: Window | None) -> None:
    """Raises SelectionError for windows that end before they start, and times of day that are none."""
    if days is not None and days[0] > days[1]:
        raise SelectionError(f"days {days[0]} to {days[1]}: the first day is after the last; write them as FIRST-LAST, yyyymmdd")
    if time is not None and not (0 <= time[0] <= time[1] < 240_000):
        raise SelectionError(f"hours {time[0]} to {time[1]}: expected FIRST-LAST as hhmmss, for example 90000-93000")


def missing_codes(unknown: Sequence[str], have: Sequence[str]) -> SelectionError:
    """The error for instruments that are not there, with the nearest that are."""
    near = difflib.get_close_matches(unknown[0], have, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else "."
    shown = ", ".join(have[:8]) + (f" and {len(have) - 8} more" if len(have) > 8 else "")
    return SelectionError(f"no instrument {', '.join(unknown)}{hint} There are {len(have)}: {shown}")


def _hours(panel: Panel, session: int, low: int, high: int) -> tuple[int, int]:
    start, stop = int(panel.offsets[session]), int(panel.offsets[session + 1])
    base = int(panel.session_day[session]) * 1_000_000
    first, last = np.searchsorted(panel.clock[start:stop], [base + low, base + high + 1])
    return start + int(first), start + int(last)


def _rows(bounds: list[tuple[int, int, int]]) -> Ints:
    return np.concatenate([np.arange(start, stop, dtype=np.int64) for _, start, stop in bounds])


@dataclass(frozen=True)
class _Taken:
    """Loads consecutive rows of another panel."""

    panel: Panel
    span: slice

    def __call__(self, name: str) -> Floats:
        return self.panel.column(name)[self.span]

    def rows(self, name: str, rows: slice) -> Floats:
        return self.panel.part(name, slice(self.span.start + rows.start, self.span.start + rows.stop))


def _sliced(panel: Panel, bounds: list[tuple[int, int, int]], rows: Ints, ranked: NDArray[np.bool_], asked: list[Any]) -> Panel:
    """bounds: (session, first row, one after its last); rows: those rows. ranked: of the ranking's seconds those that stay.
    asked: what was asked for, for the identity."""
    sessions = [at for at, _, _ in bounds]
    used = np.unique(panel.session_code[sessions])
    codes = tuple(panel.codes[at] for at in used)
    unbroken = len(rows) == rows[-1] - rows[0] + 1
    span = slice(int(rows[0]), int(rows[-1]) + 1)

    made = json.dumps([panel.identity, bounds, *asked])
    return Panel(
        codes=codes,
        session_code=np.searchsorted(used, panel.session_code[sessions]).astype(np.int64),
        session_day=panel.session_day[sessions],
        offsets=np.concatenate([[0], np.cumsum([stop - start for _, start, stop in bounds])]).astype(np.int64),
        clock=panel.clock[span] if unbroken else panel.clock[rows],
        ranking_clock=panel.ranking_clock[ranked],
        layout=panel.layout,
        names={code: panel.names[code] for code in codes if code in panel.names},
        load=_Taken(panel, span) if unbroken else lambda name: panel.column(name)[rows],
        identity=hashlib.sha256(made.encode()).hexdigest() if panel.identity else "",
    )
