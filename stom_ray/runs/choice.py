"""Which rows to load and which to run on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stom_ray.config import parse_span
from stom_ray.errors import ConfigError, SelectionError, StoreError
from stom_ray.store.load import EVERY_DAY, LoadReport, load_panel, select
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

        Raises StoreError (an instrument that was asked for is damaged, too), SelectionError, ConfigError.
        """
        paths = split_paths(db) if isinstance(db, str) else db
        days, time = parse_span(self.days), parse_span(self.time)
        load_days, load_time = parse_span(self.load_days), parse_span(self.load_time)
        report = LoadReport()
        try:
            panel = load_panel(paths, codes=self.codes or None, days=load_days or days, time=load_time or time, report=report)
        except SelectionError as error:
            if not report.failed:
                raise
            raise StoreError(_with_failures(str(error), report)) from error
        damaged = [code for code in self.codes if code in report.failed and code not in panel.codes]
        if damaged:
            raise StoreError(_with_failures(f"{', '.join(damaged)} cannot be used", report))
        for name, part, whole in (("days", days, load_days), ("time", time, load_time)):
            if part and whole and not whole[0] <= part[0] <= part[1] <= whole[1] and part != EVERY_DAY:
                report.warn(
                    f"{name} {part[0]}-{part[1]} reach beyond what is loaded, {whole[0]}-{whole[1]}: only what is loaded is run"
                )
        return select(panel, days=days, time=time), tuple(report.warnings)


def split_paths(text: str) -> list[str]:
    """Files joined by commas; a file whose own name has one is taken whole. Raises ConfigError."""
    if text and Path(text).exists():
        return [text]
    paths = [part.strip() for part in text.split(",")]
    if not all(paths):
        raise ConfigError(f"data {text!r}: a file name is empty. Expected a database, several joined by commas, or a store")
    return paths


def _with_failures(message: str, report: LoadReport) -> str:
    return "\n".join([message, *(f"left out: {why}" for why in report.failed.values())])
