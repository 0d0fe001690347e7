"""What an ingest did, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stom_ray.store.manifest import RANKINGS
from stom_ray.store.plan import Plan
from stom_ray.store.quality import FAULTS, QUARANTINED, REPAIRED, TableQuality, quality_from_json

SHOWN = 10


@dataclass(frozen=True)
class TableResult:
    """One table of an ingest, `moneytop` too.

    rows read and kept over its sources; days yyyymmdd; failed: source -> why; checksums: source -> SHA-256 of its rows there,
    when they were compared with what the library reads.
    """

    code: str
    rows: int = 0
    kept: int = 0
    new_days: tuple[int, ...] = ()
    changed_days: tuple[int, ...] = ()
    same_days: int = 0
    quality: Mapping[str, TableQuality] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "quality": {path: one.to_json() for path, one in self.quality.items()}}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> TableResult:
        """The inverse of `to_json`, whose tuples may have become lists."""
        days = {name: tuple(found[name]) for name in ("new_days", "changed_days")}
        quality = {path: quality_from_json(one) for path, one in found["quality"].items()}
        return cls(**{**found, **days, "quality": quality})


@dataclass(frozen=True)
class IngestReport:
    """What was done. results: of every task that had to run, in code order."""

    store: str
    plan: Plan
    results: tuple[TableResult, ...]

    @property
    def tables(self) -> tuple[TableResult, ...]:
        """Instruments only."""
        return tuple(one for one in self.results if one.code != RANKINGS)

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    @property
    def failed(self) -> dict[str, str]:
        """Table -> why, of tables that could not be read from some source; `moneytop` for rankings and names."""
        return {one.code: " / ".join(one.failed.values()) for one in self.results if one.failed}

    @property
    def counts(self) -> dict[str, int]:
        """Fault -> how many, over all tables."""
        qualities = [quality for table in self.tables for quality in table.quality.values()]
        totals = {fault: sum(quality.counts.get(fault, 0) for quality in qualities) for fault in FAULTS}
        return {fault: total for fault, total in totals.items() if total}

    def to_json(self) -> dict[str, Any]:
        return {
            "store": self.store,
            "sources": [source.path for source in self.plan.sources],
            "rows": self.rows,
            "kept": sum(table.kept for table in self.tables),
            "sessions_new": sum(len(table.new_days) for table in self.tables),
            "sessions_changed": sum(len(table.changed_days) for table in self.tables),
            "sessions_same": sum(table.same_days for table in self.tables),
            "tables_read": len(self.tables),
            "tables_unchanged": len(self.plan.unchanged),
            "counts": self.counts,
            "failed": self.failed,
            "checksums": {table.code: dict(table.checksums) for table in self.tables if table.checksums},
            "tables": {table.code: {path: one.to_json() for path, one in table.quality.items()} for table in self.tables},
        }

    def render(self) -> str:
        """A few lines: what came in, what was the matter with it, what failed."""
        found = self.to_json()
        lines = [
            f"store {self.store}",
            f"  read {found['tables_read']} tables, {found['rows']:,} rows from {len(found['sources'])} file(s); "
            f"{found['tables_unchanged']} tables unchanged since last time",
            f"  sessions: {found['sessions_new']} new, {found['sessions_changed']} changed, {found['sessions_same']} as before",
        ]
        for fault, count in self.counts.items():
            fate = "quarantined" if fault in QUARANTINED else "repaired" if fault in REPAIRED else "kept"
            lines.append(f"  {fault}: {count:,} ({fate})")
        if found["checksums"]:
            lines.append(f"  verified: {len(found['checksums'])} tables are row by row what the SQLite library reads")
        lines.extend(self._quarantined())
        lines.extend(f"  FAILED {code}: {why}" for code, why in self.failed.items())
        return "\n".join(lines)

    def _quarantined(self) -> list[str]:
        rows = [
            f"    table {table.code} row {row.rowid} clock {row.clock}: {row.why}"
            for table in self.tables
            for quality in table.quality.values()
            for row in quality.quarantined
        ]
        more = [f"    and {len(rows) - SHOWN} more (all of them with --json and in the store)"] if len(rows) > SHOWN else []
        return rows[:SHOWN] + more
