"""The front of a study with several objectives, as a reader sees it: its rows, a picture, a table."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from stom_ray.reports import grid, tables
from stom_ray.reports.data import ReportData
from stom_ray.reports.grid import Cell, Column, Grid
from stom_ray.reports.phrases import Phrases
from stom_ray.reports.sections import variable_name
from stom_ray.reports.svg import Canvas, Scale, padded, ticks
from stom_ray.search.front import front

PRESENT = -1  # island of the user's own values
MOST_POINTS = 1_000  # drawn of those that are not on the front
FAR = 0.25  # share of rows that are worst in an objective: they do not stretch its axis
MOST_ROWS = 50


def told_as(name: str) -> str:
    """What an objective is called where its value is told as it is: MDD of -MDD."""
    return name.removeprefix("-")


def with_direction(name: str) -> str:
    """MDD ↓ of -MDD: less is better."""
    return f"{told_as(name)} {'↓' if name.startswith('-') else '↑'}"


def front_rows(data: ReportData) -> pd.DataFrame:
    """Rows of `data.trials` that no other is better than, inside the limits, best in the first objective first.

    Beside their columns one an objective, with its value as it is (`told_as`); `alike`: how many rows of the front have the same
    objectives, of which the first is shown; `beats`: whether it is better than the present values in every objective.
    """
    aims = data.aims.to_numpy(dtype="float64")
    rows, names = front(aims), [told_as(name) for name in data.objectives]
    shown = pd.concat([data.trials.iloc[rows], _told(data).iloc[rows]], axis=1)
    present = aims[(data.trials["island"] == PRESENT).to_numpy(), :-1]
    beats = np.zeros(len(rows), dtype=np.bool_)
    if len(present):
        beats[:] = (aims[rows, :-1] > present[:1]).all(axis=1)
    shown = shown.assign(beats=beats, alike=shown.groupby(names)["trial"].transform("size"))
    return shown.drop_duplicates(names).sort_values(names[0], ascending=False, kind="stable")


def _told(data: ReportData) -> pd.DataFrame:
    """Objectives of all trials as they are."""
    signs = {name: -1.0 if name.startswith("-") else 1.0 for name in data.objectives}
    return pd.DataFrame({told_as(name): data.aims[name] * sign + 0.0 for name, sign in signs.items()})


def note(data: ReportData, phrases: Phrases) -> str:
    """How many rows are on the front, and what that means for the verdict."""
    rows = front_rows(data)
    return phrases.say(
        "front_note",
        front=phrases.number(len(rows)),
        inside=phrases.number(int((data.aims.iloc[:, -1] <= 0).sum())),
        names=", ".join(map(with_direction, data.objectives)),
        beats=phrases.number(int(rows["beats"].sum())),
        first=data.objectives[0],
    )


def front_chart(data: ReportData, width: int, phrases: Phrases) -> Markup:
    """The first two objectives of rows inside the limits: the front, the others, the present values, the row that is judged.

    Rows far behind would press the front into a corner: those beyond the axes are left out and counted. Nothing inside the
    limits: an empty string.
    """
    rows, told = front_rows(data), _told(data)
    if rows.empty:
        return Markup("")
    names = [told_as(name) for name in data.objectives[:2]]
    inside = np.flatnonzero((data.aims.iloc[:, -1] <= 0).to_numpy())
    canvas = Canvas(width, 360)
    left, right, bottom = 62.0, width - 14.0, 314.0
    spans = [_span(name, told.iloc[inside], rows) for name in data.objectives[:2]]
    across, up = Scale(*spans[0], left, right), Scale(*spans[1], bottom, 30)
    for value in ticks(up.low, up.high, 6):
        canvas.line(left, up(value), right, up(value), "zero" if value == 0 else "grid")
        canvas.text(left - 6, up(value) + 4, phrases.compact(value), "tick", "end")
    for value in ticks(across.low, across.high, 7 if width > 500 else 4):
        canvas.line(across(value), 30, across(value), bottom, "zero" if value == 0 else "grid")
        canvas.text(across(value), bottom + 18, phrases.compact(value), "tick", "middle")
    titles = [with_direction(name) for name in data.objectives[:2]]
    canvas.text(right, bottom + 38, titles[0], "panel", "end")
    canvas.text(left + 4, 12, titles[1], "panel")
    near = np.all([told[name].between(*span).to_numpy() for name, span in zip(names, spans, strict=True)], axis=0)
    drawn = inside[near[inside]]
    if len(drawn) < len(inside):
        canvas.text(right, 12, phrases.say("front_far", rows=phrases.number(len(inside) - len(drawn))), "tick", "end")
    others = drawn[np.unique(np.linspace(0, len(drawn) - 1, MOST_POINTS).astype(np.int64))]
    for x, y in told.iloc[others][names].to_numpy():
        canvas.circle(across(x), up(y), 2.6, "dot other")
    for row in rows.to_dict("records"):
        canvas.circle(across(row[names[0]]), up(row[names[1]]), 5, "dot top", _title(row, data, phrases))
    for x, y in told.loc[near & (data.trials["island"] == PRESENT).to_numpy(), names].to_numpy():
        canvas.mark(across(x), up(y), 7, "dot valid", phrases.texts["row_now"])
    judged = told.loc[tables.top_trials(data.trials, (), 1).index, names].to_numpy()
    for x, y in judged:
        canvas.circle(across(x), up(y), 9, "ring", phrases.texts["row_best"])
    return canvas.render(phrases.say("front_label", across=titles[0], up=titles[1]))


def _span(name: str, inside: pd.DataFrame, rows: pd.DataFrame) -> tuple[float, float]:
    """Low and high of an axis: the front, and of all rows inside the limits those that are not among the worst `FAR`."""
    values = inside[told_as(name)]
    worst = values.quantile(1 - FAR if name.startswith("-") else FAR)
    return padded([float(worst), *rows[told_as(name)]], 0.06)


def _title(row: dict[Hashable, Any], data: ReportData, phrases: Phrases) -> str:
    values = ", ".join(f"{told_as(name)} {phrases.number(row[told_as(name)], 2)}" for name in data.objectives)
    return f"{phrases.texts['trial']} {row['trial']}: {values}"


def front_grid(data: ReportData, phrases: Phrases) -> Grid:
    """The rows of the front: objectives, then the other figures that are always shown, then the values."""
    say, rows = phrases.texts, front_rows(data)
    shown = rows.head(MOST_ROWS)
    columns = (
        Column(say["trial"]),
        Column(say["alike"], say["front_alike"]),
        *(Column(with_direction(name), _meaning(name, phrases)) for name in data.objectives),
        Column(say["trades"]),
        Column(say["front_beats"], numeric=False),
        *(Column(variable_name(name)) for name in data.variables),
    )
    cells = tuple(_row(row, data.objectives, data.variables, phrases) for row in shown.to_dict("records"))
    left_out = phrases.say("left_out", shown=len(shown), there=phrases.number(len(rows))) if len(shown) < len(rows) else ""
    return Grid("front-table", say["front"], columns, cells, left_out)


def _row(row: dict[Hashable, Any], objectives: Sequence[str], variables: Sequence[str], phrases: Phrases) -> tuple[Cell, ...]:
    def cell(name: str, digits: int = 0) -> Cell:
        return grid.number(phrases.number(float(row[name]), digits), float(row[name]))

    return (
        cell("trial"),
        cell("alike"),
        *(cell(told_as(name), 2 if abs(float(row[told_as(name)])) < 10_000 else 0) for name in objectives),
        cell("tc"),
        grid.text("✓" if row["beats"] else ""),
        *(grid.number(phrases.plain(float(row[name])), float(row[name])) for name in variables),
    )


def _meaning(name: str, phrases: Phrases) -> str:
    """The figure's name in words; an objective that is no figure is its own."""
    figure = {"TG": "tsg", "TP": "tpp"}.get(told_as(name), told_as(name).lower())
    return phrases.texts.get(f"figure_{figure}", told_as(name))
