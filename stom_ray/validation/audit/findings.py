"""What an audit finds: a kind, a place, and words that a person can check."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["next_row", "day_end", "full_sample", "same_second", "overlapping_labels", "valid_inside_train"]
MEANING: Mapping[Kind, str] = {
    "next_row": "later rows of the day are known",
    "day_end": "the rest of the day is known, up to its last row (its final high, its close, its length)",
    "full_sample": "rows outside what may be used are known (scaling over the whole sample, a later day)",
    "same_second": "rows of other instruments of the same second are known, which need not have arrived",
    "overlapping_labels": "a label ends later than it may",
    "valid_inside_train": "the same rows stand on two sides of a split",
}


@dataclass(frozen=True)
class Place:
    """A row. code: "" where a moment is meant, of whatever instrument. clock: yyyymmddhhmmss."""

    code: str
    clock: int

    def __str__(self) -> str:
        return f"{self.code} {moment(self.clock)}".strip()

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "day": self.clock // 1_000_000, "time": f"{self.clock % 1_000_000:06d}", "clock": self.clock}


@dataclass(frozen=True)
class Finding:
    """One leak.

    subject: "decision", "feature", "label", "fit" or "split". column: what moved. where: the first row at which it was seen (of a
    split, the first one that is wrong). before, after: the value there as it is and with other rows from `depends_on` on; None
    where there is none. words: all of it in a sentence.
    """

    kind: Kind
    subject: str
    column: str
    words: str
    where: Place | None = None
    before: float | None = None
    after: float | None = None
    depends_on: Place | None = None

    def __str__(self) -> str:
        return f"LEAK {self.kind}: {self.words} -- {MEANING[self.kind]}"

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "subject": self.subject,
            "column": self.column,
            "where": self.where.to_json() if self.where else None,
            "before": self.before,
            "after": self.after,
            "depends_on": self.depends_on.to_json() if self.depends_on else None,
            "words": self.words,
        }


@dataclass(frozen=True)
class Checked:
    """One subject, audited. values: how many were there to move, NaN not counted. runs: how often it was run on changed rows.

    notes: what was not compared, and why.
    """

    subject: str
    name: str
    values: int
    runs: int
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = f"{len(self.findings)} leak{'s' if len(self.findings) != 1 else ''}" if self.findings else "nothing moved"
        return f"{self.subject} {self.name}: {self.values:,} values, {self.runs} runs on changed rows: {told}"

    def to_json(self) -> dict[str, Any]:
        return {
            "subject": self.subject,
            "name": self.name,
            "values": self.values,
            "runs": self.runs,
            "findings": len(self.findings),
            "notes": list(self.notes),
        }


def moment(clock: int) -> str:
    """`20230118090105` -> `2023-01-18 09:01:05`."""
    day, time = divmod(clock, 1_000_000)
    return f"{day // 10_000}-{day // 100 % 100:02d}-{day % 100:02d} {time // 10_000:02d}:{time // 100 % 100:02d}:{time % 100:02d}"


def shown(value: float | None) -> str:
    """A value in a sentence; NaN and no value are `none`."""
    if value is None or math.isnan(value):
        return "none"
    return f"{value:.0f}" if value.is_integer() else f"{value:.10g}"
