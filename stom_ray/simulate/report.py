"""What a simulation made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from stom_ray.simulate.config import SimulateConfig


@dataclass(frozen=True)
class SimulateReport:
    """Counts of what was written and what was planted.

    rows: of all stock tables; sessions: (stock, day) pairs with rows; moneytop_rows; halts: volatility interruptions;
    locked_seconds: seconds at a price limit; fired_rows: rows in which the edge's condition holds; content_hash: sha256 over the
    tables' content; seconds: wall clock. The statement and the scripts of the edge are those of `config.edge`.
    """

    path: str
    config: SimulateConfig
    codes: tuple[str, ...]
    days: tuple[int, ...]
    rows: int
    sessions: int
    moneytop_rows: int
    halts: int
    locked_seconds: int
    triggers: int
    fired_rows: int
    content_hash: str
    seconds: float

    @property
    def edge_statement(self) -> str:
        """What was planted, in words."""
        edge = self.config.edge
        return edge.statement if edge and edge.strength_bps else "no edge: no condition changes the expected return"

    @property
    def edge_buy_text(self) -> str:
        """A STOM buy script that buys where the edge's condition holds, "" without an edge."""
        return self.config.edge.buy_text if self.config.edge else ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        edge = self.config.edge
        return {
            "path": self.path,
            "config": self.config.to_dict(),
            "codes": list(self.codes),
            "days": list(self.days),
            "rows": self.rows,
            "sessions": self.sessions,
            "moneytop_rows": self.moneytop_rows,
            "halts": self.halts,
            "locked_seconds": self.locked_seconds,
            "edge": {
                "statement": self.edge_statement,
                "condition": edge.condition if edge else "",
                "buy_text": self.edge_buy_text,
                "triggers": self.triggers,
                "fired_rows": self.fired_rows,
            },
            "content_hash": self.content_hash,
            "seconds": round(self.seconds, 3),
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2)

    def render(self) -> str:
        """A few lines for the terminal."""
        config = self.config
        lines = [
            f"{self.path}: {self.rows:,} rows, {len(self.codes)} codes × {len(self.days)} days ({self.sessions} sessions), "
            f"{config.layout}, seed {config.seed}",
            f"  {self.days[0]} to {self.days[-1]}, {config.begin:06d}-{config.end:06d}, moneytop {self.moneytop_rows:,} rows, "
            f"{self.halts} volatility interruptions, {self.locked_seconds:,} seconds at a price limit",
            f"  planted: {self.edge_statement}",
        ]
        if config.edge:
            lines.append(
                f"  the condition holds in {self.fired_rows:,} rows and started or renewed the drift {self.triggers:,} times"
            )
        return "\n".join([*lines, f"  content {self.content_hash[:16]}, {self.seconds:.1f} s"])
