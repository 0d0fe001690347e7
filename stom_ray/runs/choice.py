"""Which rows to load and which to run on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stom_ray.config import parse_span
from stom_ray.store.load import LoadReport, load_panel, select
from stom_ray.store.panel import Selection

Paths = str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class DataChoice:
    """What to load and what to run on, in the command line's words: `A-B` spans, empty = everything."""

    days: str = ""
    time: str = ""
    load_days: str = ""
    load_time: str = ""
    codes: tuple[str, ...] = ()

    def open(self, db: Paths) -> tuple[Selection, tuple[str, ...]]:
        """Load and slice; what is loaded defaults to what is selected. Second: warnings, a damaged table left out among them.

        Raises StoreError, SelectionError.
        """

        paths = [part.strip() for part in db.split(",")] if isinstance(db, str) else db
        days, time = parse_span(self.days), parse_span(self.time)
        report = LoadReport()
        panel = load_panel(
            paths,
            codes=self.codes or None,
            days=parse_span(self.load_days) or days,
            time=parse_span(self.load_time) or time,
            report=report,
        )
        return select(panel, days=days, time=time), tuple(report.warnings)
