"""Panels out of databases and stores, by STOM's loading rule (spec/engine.md §1.1)."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import SelectionError, StoreError
from stom_ray.store.catalog import Catalog, LoadReport, Source, merged, open_catalog
from stom_ray.store.panel import Panel
from stom_ray.store.parts import Session, assemble
from stom_ray.store.selection import check_windows, missing_codes, select

__all__ = ["LoadReport", "data_hash", "iter_blocks", "load_panel", "select"]

Ints = NDArray[np.int64]
Window = tuple[int, int]

RANKING_STARTS = 90_030  # `moneytop` is read from here when the loaded hours start earlier
EVERY_DAY: Window = (0, 99_999_999)
ALL_DAY: Window = (0, 235_959)


def load_panel(
    paths: str | Path | Sequence[str | Path],
    *,
    codes: Iterable[str] | None = None,
    days: Window | None = None,
    time: Window | None = None,
    columns: Iterable[str] | None = None,
    report: LoadReport | None = None,
) -> Panel:
    """The ticks of SQLite file(s), or of a store made by ingest.

    codes: None = all. days: (first, last) yyyymmdd, inclusive. time: (first, last) hhmmss, inclusive. columns: read now rather
    than on first use. A code's day counts when `moneytop` names the code in the loaded hours; where a file has no `moneytop`
    all its days count, and its rows' own seconds stand in for the ranking's. A day in several files is the last file's.
    report: collects counts, warnings and tables that could not be read; without one, such a table raises.

    Raises StoreError, SchemaError (files, tables), SelectionError (nothing selected, unknown codes).
    """
    files = _files(paths)
    check_windows(days, time)
    findings = report if report is not None else LoadReport()
    catalogs = [open_catalog(file) for file in files]
    wanted = known_codes(catalogs, codes)
    read = [catalog.read(wanted, findings, strict=report is None) for catalog in catalogs]
    panel = panel_of(merged(read), wanted, days or EVERY_DAY, time or ALL_DAY, findings)
    for name in columns or ():
        panel.column(name)
    return panel


def iter_blocks(
    paths: str | Path | Sequence[str | Path],
    *,
    max_rows: int,
    codes: Iterable[str] | None = None,
    days: Window | None = None,
    time: Window | None = None,
    report: LoadReport | None = None,
) -> Iterator[Panel]:
    """`load_panel` in pieces for data larger than memory: panels of whole instruments, in code order.

    max_rows: rows a panel holds at most, by the tables' sizes; an instrument with more is a panel of its own. Instruments
    without rows in the selection are passed over. Raises as `load_panel` does; SelectionError when no instrument has any.
    """
    if max_rows < 1:
        raise SelectionError(f"max_rows is {max_rows}: expected at least 1")
    files = _files(paths)
    check_windows(days, time)
    catalogs = [open_catalog(file) for file in files]
    wanted = known_codes(catalogs, codes)
    findings = report if report is not None else LoadReport()
    refusal: SelectionError | None = None
    some = False
    for group in _groups(catalogs, wanted, max_rows):
        read = [catalog.read(group, findings, strict=report is None) for catalog in catalogs]
        try:
            panel = panel_of(merged(read), group, days or EVERY_DAY, time or ALL_DAY, findings)
        except SelectionError as error:
            refusal = error
            continue
        some = True
        yield panel
    if not some and refusal is not None:
        raise refusal


def _groups(catalogs: Sequence[Catalog], wanted: Sequence[str] | None, max_rows: int) -> Iterator[list[str]]:
    """Codes put together until the next would be too much."""
    group: list[str] = []
    held = 0
    for code in wanted if wanted is not None else sorted({code for catalog in catalogs for code in catalog.codes}):
        rows = sum(catalog.rows(code) for catalog in catalogs)
        if group and held + rows > max_rows:
            yield group
            group, held = [], 0
        group.append(code)
        held += rows
    if group:
        yield group


def _files(paths: str | Path | Sequence[str | Path]) -> list[Path]:
    files = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    if not files:
        raise StoreError("no database given: pass at least one path")
    return files


def known_codes(catalogs: Sequence[Catalog], codes: Iterable[str] | None) -> list[str] | None:
    """The codes asked for, sorted; SelectionError when one of them is nowhere."""
    if codes is None:
        return None
    wanted = sorted(set(codes))
    have = {code for catalog in catalogs for code in catalog.codes}
    unknown = [code for code in wanted if code not in have]
    if not wanted:
        raise SelectionError("no instruments asked for: leave codes out to take all")
    if unknown:
        raise missing_codes(unknown, sorted(have))
    return wanted


def data_hash(panel: Panel) -> str:
    """SHA-256 that is equal for equal data, from a file or from a store; of a panel made by hand, over the columns it holds."""
    if panel.identity:
        return panel.identity
    digest = hashlib.sha256(repr((panel.layout, panel.codes, sorted(panel.names.items()), sorted(panel.columns))).encode())
    for array in (panel.session_code, panel.session_day, panel.offsets, panel.clock, panel.ranking_clock):
        digest.update(np.ascontiguousarray(array).data)
    for name in sorted(panel.columns):
        digest.update(np.ascontiguousarray(panel.columns[name]).data)
    return digest.hexdigest()


def panel_of(source: Source, wanted: Sequence[str] | None, days: Window, time: Window, findings: LoadReport) -> Panel:
    """A panel of what the loading rule leaves of a source. Raises SelectionError when that is nothing."""
    kept, ranking_clock = apply_rule(source, wanted, days, time, findings)
    return assemble(kept, ranking_clock, source.names)


def apply_rule(
    source: Source, wanted: Sequence[str] | None, days: Window, time: Window, findings: LoadReport
) -> tuple[list[Session], Ints]:
    """(sessions that count, cut to their hours; the ranking's seconds). Raises SelectionError when nothing is left."""
    chosen = frozenset(source.codes if wanted is None else wanted)
    sessions = [one for one in source.sessions if days[0] <= one.day <= days[1] and one.code in chosen]
    if not sessions:
        raise _nothing(source, wanted, days)
    tick = all(one.segment.layout.startswith("tick") for one in sessions)
    low = max(time[0], RANKING_STARTS) if tick else time[0]
    present: dict[int, set[str]] = {}
    ranking_clock: list[Ints] = []
    for day, ranking in sorted(source.rankings.items()):
        if days[0] <= day <= days[1]:
            first, last = day * 1_000_000 + low, day * 1_000_000 + time[1]
            present[day] = ranking.present(first, last)
            start, stop = np.searchsorted(ranking.clock, [first, last + 1])
            ranking_clock.append(ranking.clock[start:stop])
    kept: list[Session] = []
    unranked: set[int] = set()
    for session in sessions:
        counts = session.code in present[session.day] if session.day in present else not session.ranked
        part = session.within(*time) if counts else None
        if part is not None:
            kept.append(part)
            if session.day not in present:
                unranked.add(session.day)
                ranking_clock.append(part.segment.clock[part.start : part.stop])
    if not kept:
        raise _nothing_in_hours(sessions, days, time)
    if unranked:
        findings.warn(
            f"no moneytop for {len(unranked)} of the days ({min(unranked)} to {max(unranked)}): all rows of those days are used, "
            "and the seconds that have rows stand in for the ranking's"
        )
    clock = np.concatenate([np.empty(0, dtype=np.int64), *ranking_clock])
    if unranked:  # else the days are in order and each is sorted and unique
        clock.sort()
        clock = clock[np.diff(clock, prepend=-1) != 0]
    return kept, clock


def _nothing(source: Source, wanted: Sequence[str] | None, days: Window) -> SelectionError:
    have = sorted({one.day for one in source.sessions})
    if not have:
        return SelectionError(f"the tables {', '.join(wanted or source.codes[:5])} have no usable rows")
    near = difflib.get_close_matches(str(days[0]), [str(day) for day in have], n=1)
    hint = f"; did you mean {near[0]}?" if near and days[0] == days[1] else ""
    return SelectionError(f"no rows on {_span(days)}: there are {len(have)} days from {have[0]} to {have[-1]}{hint}")


def _nothing_in_hours(sessions: Sequence[Session], days: Window, time: Window) -> SelectionError:
    clocks = [one.segment.clock[[one.start, one.stop - 1]] % 1_000_000 for one in sessions]
    low, high = min(int(clock[0]) for clock in clocks), max(int(clock[1]) for clock in clocks)
    codes = sorted({one.code for one in sessions})
    return SelectionError(
        f"no rows between {time[0]:06d} and {time[1]:06d} on {_span(days)} that the ranking (moneytop) covers: "
        f"{', '.join(codes[:5])}{' ...' if len(codes) > 5 else ''} have rows between {low:06d} and {high:06d}"
    )


def _span(days: Window) -> str:
    if days == EVERY_DAY:
        return "any day"
    return str(days[0]) if days[0] == days[1] else f"the days {days[0]} to {days[1]}"
