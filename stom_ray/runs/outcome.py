"""What a backtest or a sweep leaves: trades, figures, sums, and how it was run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.plans import HowRun
from stom_ray.engine.types import EngineConfig, Fault, ParamMatrix
from stom_ray.errors import ScriptRuntimeError
from stom_ray.runs.files import plain
from stom_ray.store.panel import Selection


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One or many runs over the same rows.

    totals: one row a parameter row: vturn, vkey (of a sweep), trades, wins (profit >= 0), profit (KRW), hold_s (seconds of all
    trades), then the values, vars_0 and on; nothing in the sums of a row that stopped.
    """

    totals: pd.DataFrame
    faults: tuple[Fault, ...]
    selection: Selection
    config: EngineConfig
    how: HowRun
    warnings: tuple[str, ...]
    seconds: dict[str, float]

    @property
    def n_trades(self) -> int:
        return int(self.totals["trades"].sum())

    def raise_if_dead(self) -> None:
        """ScriptRuntimeError when every parameter row stopped, as STOM's run would have."""
        if self.faults and len(self.faults) >= len(self.totals):
            raise ScriptRuntimeError(self.faults[0].message)

    def to_json(self) -> dict[str, Any]:
        selected = self.selection.selected
        return {
            "trades": self.n_trades,
            "ticks": selected.n_rows,
            "ticks_loaded": self.selection.loaded.n_rows,
            "days": [int(day) for day in selected.days],
            "codes": list(selected.codes),
            "profile": self.config.profile,
            "costs": self.config.costs,
            "capital": "unlimited",
            **self.how.to_json(),
            **self._results(),
            "faults": [{"row": fault.candidate, "message": fault.message} for fault in self.faults],
            "warnings": list(self.warnings),
            "seconds": self.seconds,
        }

    def render(self) -> str:
        selected, rows = self.selection.selected, len(self.totals)
        lines = [
            f"{self.n_trades:,} trades of {rows:,} parameter row{'s' if rows != 1 else ''} over "
            f"{selected.n_rows:,} ticks ({len(selected.codes)} instruments, {len(selected.days)} days), unlimited capital, "
            f"costs {self.config.costs}; {self.how.render()}; {self.seconds.get('run', 0):.2f} s",
            *self._told(),
        ]
        lines += [f"row {fault.candidate} FAILED: {fault.message}" for fault in self.faults[:5]]
        if len(self.faults) > 5:
            lines.append(f"... and {len(self.faults) - 5} more rows failed")
        return "\n".join([*lines, *self.warnings])

    def _results(self) -> dict[str, Any]:
        return {"totals": plain(self.totals.to_dict("records"))}

    def _told(self) -> list[str]:
        return []


@dataclass(frozen=True, kw_only=True)
class Backtest(Outcome):
    """With every trade.

    trades: OUT.csv's columns (a sweep puts vturn and vkey in front). figures: one row per parameter row, STOM's 15 by name (after
    vturn, vkey in a sweep). measures: of a single run, the usual ones from daily profit.
    """

    trades: pd.DataFrame
    figures: pd.DataFrame
    measures: dict[str, float]
    zero_divisions: dict[str, int]

    def _results(self) -> dict[str, Any]:
        return {
            "figures": plain(self.figures.to_dict("records")),
            "measures": plain(self.measures),
            "zero_divisions": self.zero_divisions,
        }

    def _told(self) -> list[str]:
        lines = []
        if len(self.figures) == 1:
            row = self.figures.iloc[0]
            lines.append("  ".join(f"{name} {row[name]:,.10g}" for name in self.figures.columns))
        if self.measures:
            lines.append("  ".join(f"{name} {value:,.4g}" for name, value in self.measures.items()))
        return lines + [f"{count:,} divisions by zero at {place} counted as nan" for place, count in self.zero_divisions.items()]


def totals_frame(totals: Totals, params: ParamMatrix, labels: tuple[Any, Any] | None) -> pd.DataFrame:
    """`Outcome.totals`. labels: (vturn, vkey) of each row."""
    columns: dict[str, Any] = {}
    if labels is not None:
        columns |= {"vturn": list(labels[0]), "vkey": list(labels[1])}
    sums = {"trades": totals.trades, "wins": totals.wins, "profit": totals.profit, "hold_s": totals.held_s}
    columns |= {name: pd.array(values, dtype="Int64") for name, values in sums.items()}
    for index in range(params.values.shape[1]):
        values, floats = params.values[:, index], params.is_float[:, index]
        columns[f"vars_{index}"] = values if floats.any() else values.astype("int64")
    frame = pd.DataFrame(columns)
    frame.loc[[fault.candidate for fault in totals.faults], list(sums)] = pd.NA
    return frame
