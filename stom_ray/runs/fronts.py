"""The front of a search for several objectives: for the report, the record, and the command line."""

from __future__ import annotations

from typing import Any

import pandas as pd

from stom_ray.reports.data import ReportData, empty_aims
from stom_ray.reports.front import front_rows, told_as, with_direction
from stom_ray.runs.subject import Subject
from stom_ray.search.goal import SeveralGoals
from stom_ray.search.study import StudyResult

SHOWN = 10
OUTSIDE = "outside"


def aims_of(subject: Subject, study: StudyResult | None) -> pd.DataFrame:
    """As `ReportData.aims`."""
    if study is None or not isinstance(subject.goal, SeveralGoals):
        return empty_aims()
    return pd.DataFrame(study.table.aims, columns=[*subject.goal.objectives, OUTSIDE])


def front_json(data: ReportData) -> list[dict[str, Any]] | None:
    """The rows of the front, best in the first objective first; None for one objective. objectives: figures as they are, MDD of
    -MDD. alike: rows that have the same. better_than_present: in every objective.
    """
    if not data.objectives:
        return None
    return [
        {
            "trial": int(row["trial"]),
            "alike": int(row["alike"]),
            "objectives": {told_as(name): float(row[told_as(name)]) for name in data.objectives},
            "better_than_present": bool(row["beats"]),
            "values": [float(row[name]) for name in data.variables],
        }
        for row in front_rows(data).to_dict("records")
    ]


def front_lines(data: ReportData) -> list[str]:
    """A small table for the command line; nothing for one objective. Of a long front every so many rows, both ends among them."""
    if not data.objectives:
        return []
    rows = front_rows(data)
    names = [told_as(name) for name in data.objectives]
    told = f"front     {len(rows):,} ways to weigh {', '.join(map(with_direction, data.objectives))}"
    if rows.empty:
        return [f"{told}: no row is inside the limits"]
    step = max(1, len(rows) - 1) / (SHOWN - 1)
    places = range(len(rows)) if len(rows) <= SHOWN else [round(place * step) for place in range(SHOWN)]
    shown = rows.iloc[list(places)]
    if len(shown) < len(rows):
        told += f", {len(shown)} of them here (all in result.json)"
    told += f"; {int(rows['beats'].sum()):,} are better than the present values in all"
    head = f"  {'trial':>8} {' '.join(f'{name:>16}' for name in names)}   self.vars"
    return [told, head, *(_line(row, names, data) for row in shown.to_dict("records"))]


def _line(row: dict[Any, Any], names: list[str], data: ReportData) -> str:
    figures = " ".join(f"{row[name]:>16,.10g}" for name in names)
    return f"  {row['trial']:>8} {figures}   [{', '.join(f'{row[name]:g}' for name in data.variables)}]"
