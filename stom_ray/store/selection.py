"""Part of a loaded panel: rolling columns keep what they saw, runs see less (spec/engine.md §1.4)."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Sequence

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
    rows = np.concatenate([np.arange(start, stop, dtype=np.int64) for _, start, stop in bounds])
    return Selection(panel, _sliced(panel, bounds, rows, (low_day, high_day), (low, high)), rows)


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


def _sliced(panel: Panel, bounds: list[tuple[int, int, int]], rows: Ints, days: Window, time: Window) -> Panel:
    sessions = [at for at, _, _ in bounds]
    used = np.unique(panel.session_code[sessions])
    codes = tuple(panel.codes[at] for at in used)
    unbroken = len(rows) == rows[-1] - rows[0] + 1
    span = slice(int(rows[0]), int(rows[-1]) + 1)

    def take(name: str) -> Floats:
        column = panel.column(name)
        return column[span] if unbroken else column[rows]

    ranking = panel.ranking_clock
    day, hour = ranking // 1_000_000, ranking % 1_000_000
    inside = (day >= days[0]) & (day <= days[1]) & (hour >= time[0]) & (hour <= time[1])
    made = json.dumps([panel.identity, bounds, days, time])
    return Panel(
        codes=codes,
        session_code=np.searchsorted(used, panel.session_code[sessions]).astype(np.int64),
        session_day=panel.session_day[sessions],
        offsets=np.concatenate([[0], np.cumsum([stop - start for _, start, stop in bounds])]).astype(np.int64),
        clock=panel.clock[span] if unbroken else panel.clock[rows],
        ranking_clock=ranking[inside],
        layout=panel.layout,
        names={code: panel.names[code] for code in codes if code in panel.names},
        load=take,
        identity=hashlib.sha256(made.encode()).hexdigest() if panel.identity else "",
    )
