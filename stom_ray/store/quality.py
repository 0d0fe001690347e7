"""What happens to dirty rows, by written policy, and the counts of it.

| fault | counted as | fate |
|---|---|---|
| NULL or NaN in a column | null_cells | kept, NaN: legal around volatility interruptions and halts |
| zero price | zero_price | kept: legal around volatility interruptions and halts |
| best bid at or above best ask | crossed_book | kept: happens in call auctions |
| more than GAP_S seconds without a row inside a day | clock_gaps | kept: the collector saw nothing |
| clock lower than the row's before it | unsorted | repaired: the table is sorted by clock |
| the same row twice | duplicate | repaired: one is dropped |
| one clock, different rows | conflicting | the last written is kept, the earlier ones quarantined |
| clock NULL, no number, or no such date or time | bad_clock | quarantined |
| text or a blob where a number belongs | text | quarantined |
| infinity in a column | infinite | quarantined |
| negative price, quote or book size | negative | quarantined |

A quarantined row is left out of the panel and listed with its row id and reason. A clean table passes through bit for bit,
in row-id order. Several faults of one row are all counted; the row is listed once, under the first of bad_clock, text,
infinite, negative, conflicting.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stom_ray.schema.columns import BOOK_COLUMNS, LAYOUTS, PRICE_COLUMNS
from stom_ray.store.scan import clock_counts, column_counts, crossed_rows
from stom_ray.store.table import RawTable

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

GAP_S = {14: 60, 12: 300}  # by digits of the clock: tick, minute
KEPT = ("null_cells", "zero_price", "crossed_book", "clock_gaps")
REPAIRED = ("unsorted", "duplicate")
QUARANTINED = ("bad_clock", "text", "infinite", "negative", "conflicting")
FAULTS = (*KEPT, *REPAIRED, *QUARANTINED)
NON_NEGATIVE = (*PRICE_COLUMNS, *BOOK_COLUMNS)
FIRST_YEAR, LAST_YEAR = 1990, 2100
_MONTH_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0, 0, 0], dtype=np.int64)


@dataclass(frozen=True)
class QuarantinedRow:
    """A row left out, with why. clock as the file has it."""

    rowid: int
    clock: int
    why: str


@dataclass(frozen=True)
class TableQuality:
    """One table's counts. counts: fault -> rows (cells for null_cells), only those that occurred."""

    table: str
    layout: str
    rows: int
    kept: int
    counts: dict[str, int] = field(default_factory=dict)
    quarantined: tuple[QuarantinedRow, ...] = ()

    @property
    def clean(self) -> bool:
        """Nothing had to be repaired or quarantined."""
        return not any(self.counts.get(fault) for fault in (*REPAIRED, *QUARANTINED))

    def to_json(self) -> dict[str, Any]:
        quarantined = [[row.rowid, row.clock, row.why] for row in self.quarantined]
        return {
            "table": self.table,
            "layout": self.layout,
            "rows": self.rows,
            "kept": self.kept,
            "counts": self.counts,
            "quarantined": quarantined,
        }


def quality_from_json(found: dict[str, Any]) -> TableQuality:
    """The inverse of `TableQuality.to_json`."""
    rows = tuple(QuarantinedRow(*row) for row in found["quarantined"])
    return TableQuality(found["table"], found["layout"], found["rows"], found["kept"], dict(found["counts"]), rows)


def clean(raw: RawTable) -> tuple[RawTable, TableQuality]:
    """The table by the policy above, and what was found. A clean table comes back as the same arrays."""
    legal = _counts_of_clean(raw)
    if legal is not None:
        return raw, TableQuality(raw.name, raw.layout, len(raw), len(raw), legal)
    found = _row_faults(raw)
    why = np.zeros(len(raw), dtype=np.int64)  # 1 + index into QUARANTINED
    for index in range(len(QUARANTINED) - 1, -1, -1):
        if QUARANTINED[index] in found:
            why[found[QUARANTINED[index]]] = index + 1
    counts = {fault: int(mask.sum()) for fault, mask in found.items()}
    kept = np.flatnonzero(why == 0)
    kept, unsorted, duplicate, conflicting = _in_order(raw, kept)
    counts |= {"unsorted": unsorted, "duplicate": duplicate, "conflicting": len(conflicting)}
    why[conflicting] = QUARANTINED.index("conflicting") + 1
    table = raw if len(kept) == len(raw) and not unsorted else _taken(raw, kept)
    counts |= _counts_of_legal(table)
    rows = tuple(
        QuarantinedRow(int(raw.rowid[at]), int(raw.clock[at]), _reason(raw, int(at), QUARANTINED[why[at] - 1]))
        for at in np.flatnonzero(why)
    )
    counts = {fault: counts[fault] for fault in FAULTS if counts.get(fault)}
    return table, TableQuality(raw.name, raw.layout, len(raw), len(table), counts, rows)


def valid_clock(clock: Ints) -> Mask:
    """Which of these yyyymmddhhmmss are a real date and time of day."""
    safe = np.where(clock > 0, clock, 0)
    day, second = safe // 1_000_000, safe % 1_000_000
    year, month, date = day // 10_000, day // 100 % 100, day % 100
    leap = (month == 2) & (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    days = _MONTH_DAYS[np.where(month < 16, month, 0)] + leap
    on_calendar = (year >= FIRST_YEAR) & (year <= LAST_YEAR) & (date >= 1) & (date <= days)
    in_day = (second // 10_000 < 24) & (second // 100 % 100 < 60) & (second % 100 < 60)
    return np.asarray(on_calendar & in_day)


def seconds_of_day(clock: Ints) -> Ints:
    """Seconds since midnight of yyyymmddhhmmss."""
    return np.asarray(clock // 10_000 % 100 * 3600 + clock // 100 % 100 * 60 + clock % 100)


def _counts_of_clean(raw: RawTable) -> dict[str, int] | None:
    """The counts of a table that needs neither repair nor quarantine, in one pass a column; None for any other table."""
    gap = GAP_S[LAYOUTS[raw.layout].clock_digits]
    bad, back, gaps = clock_counts(raw.clock, gap, FIRST_YEAR, LAST_YEAR)
    if bad or back or raw.text:
        return None
    nulls, zeros = 0, []
    for name, column in zip(raw.names, raw.values, strict=True):
        nan, infinite, negative, zero = column_counts(column.view(np.int64))
        if infinite or (negative and name in NON_NEGATIVE):
            return None
        nulls += nan
        if zero and name in PRICE_COLUMNS:
            zeros.append(column == 0)
    counts = {
        "null_cells": nulls,
        "zero_price": int(np.logical_or.reduce(zeros).sum()) if zeros else 0,
        "crossed_book": _crossed(raw),
        "clock_gaps": gaps,
    }
    return {fault: counts[fault] for fault in FAULTS if counts.get(fault)}


def _crossed(table: RawTable) -> int:
    if not {"매수호가1", "매도호가1"} <= set(table.names):
        return 0
    return int(crossed_rows(table.column("매수호가1"), table.column("매도호가1")))


def _row_faults(raw: RawTable) -> dict[str, Mask]:
    """Rows that no repair saves, by fault; only faults that occur."""
    negative = np.zeros(len(raw), dtype=np.bool_)
    infinite = np.zeros(len(raw), dtype=np.bool_)
    for at, name in enumerate(raw.names):
        column = raw.values[at]
        lowest, highest = (np.nanmin(column), np.nanmax(column)) if _has_number(column) else (0.0, 0.0)
        if np.isinf(lowest) or np.isinf(highest):
            infinite |= np.isinf(column)
        if lowest < 0 and name in NON_NEGATIVE:
            negative |= column < 0
    text = np.zeros(len(raw), dtype=np.bool_)
    text[list(raw.text)] = True
    masks = {"bad_clock": ~valid_clock(raw.clock), "text": text, "infinite": infinite, "negative": negative}
    return {fault: mask for fault, mask in masks.items() if mask.any()}


def _has_number(column: NDArray[np.float64]) -> bool:
    return bool(len(column)) and not bool(np.isnan(column).all())


def _in_order(raw: RawTable, kept: Ints) -> tuple[Ints, int, int, Ints]:
    """(rows to keep in clock order, steps back in time, identical rows dropped, rows overwritten by a later one)."""
    clock = raw.clock[kept]
    steps = np.diff(clock)
    nobody = np.empty(0, dtype=np.int64)
    if (steps > 0).all():
        return kept, 0, 0, nobody
    kept = kept[np.argsort(clock, kind="stable")]
    clock = raw.clock[kept]
    repeated = np.flatnonzero(clock[1:] == clock[:-1])
    bits = raw.values.view(np.int64)
    same = np.array([bool((bits[:, kept[at]] == bits[:, kept[at + 1]]).all()) for at in repeated], dtype=np.bool_)
    conflicting = kept[repeated[~same]] if len(repeated) else nobody
    return np.delete(kept, repeated), int((steps < 0).sum()), int(same.sum()), np.asarray(conflicting, dtype=np.int64)


def _taken(raw: RawTable, rows: Ints) -> RawTable:
    values = np.ascontiguousarray(raw.values[:, rows])
    return RawTable(raw.name, raw.layout, raw.names, raw.clock[rows], raw.rowid[rows], values, {})


def _counts_of_legal(table: RawTable) -> dict[str, int]:
    """Faults that stay: counted over the rows that are kept."""
    zero = np.zeros(len(table), dtype=np.bool_)
    for name in PRICE_COLUMNS:
        if name in table.names:
            zero |= table.column(name) == 0
    same_day = np.diff(table.clock // 1_000_000) == 0
    gap = np.diff(seconds_of_day(table.clock)) > GAP_S[LAYOUTS[table.layout].clock_digits]
    return {
        "null_cells": int(np.isnan(table.values).sum()),
        "zero_price": int(zero.sum()),
        "crossed_book": _crossed(table),
        "clock_gaps": int((gap & same_day).sum()),
    }


def _reason(raw: RawTable, at: int, fault: str) -> str:
    if fault == "text":
        return f"text in {raw.text[at]}"
    if fault in ("infinite", "negative"):
        column = raw.values[:, at]
        bad = np.isinf(column) if fault == "infinite" else column < 0
        names = [
            name for name, is_bad in zip(raw.names, bad, strict=True) if is_bad and (fault == "infinite" or name in NON_NEGATIVE)
        ]
        return f"{fault} {names[0]}"
    return {"bad_clock": "clock is no date and time", "conflicting": "a later row has the same clock"}[fault]
