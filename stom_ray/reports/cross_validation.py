"""The section of a cross-validation: its folds as a table, its paths in a sentence and a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from stom_ray.reports import grid
from stom_ray.reports.data import CrossFold, CrossValidated, Spread
from stom_ray.reports.grid import Cell, Column, Grid
from stom_ray.reports.phrases import Phrases
from stom_ray.reports.sections import MOST_ROWS, objective_text
from stom_ray.reports.svg import Canvas, Scale, ticks

PANEL, TALL, BINS = 120, 78, 14


def note(found: CrossValidated, phrases: Phrases) -> str:
    """What was done, what was left out, and what the paths say."""
    purge = found["purge"]
    scheme = phrases.say(f"cross_{found['scheme']}", test_folds=found["test_folds"])
    gaps = phrases.say("cross_gaps", days=purge["days"], needed=purge["needed"], embargo=found["embargo_days"])
    told = [phrases.say("cross_note", scheme=scheme, planned=phrases.number(found["planned"])), gaps]
    if len(found["folds"]) < found["planned"]:
        told.append(phrases.say("cross_cut", folds=len(found["folds"]), planned=found["planned"]))
    profit, sharpe = found["profit"], found["sharpe"]
    if profit["values"]:
        told.append(
            phrases.say(
                "cross_paths" if len(profit["values"]) > 1 else "cross_path",
                paths=phrases.number(len(profit["values"])),
                days=phrases.number(found["days"]),
                profit=phrases.won(profit["median"], sign=True),
                worst=phrases.won(profit["worst"], sign=True),
                losing=phrases.percent(100 * profit["share_negative"], 0),
                sharpe=phrases.number(sharpe["median"], 3),
                lowest=phrases.number(sharpe["worst"], 3),
                below=phrases.percent(100 * sharpe["share_negative"], 0),
            )
        )
    return " ".join(told)


def folds_grid(found: CrossValidated, phrases: Phrases) -> Grid:
    """A row for each fold that was finished."""
    say, shown = phrases.texts, list(found["folds"])[: MOST_ROWS["windows"]]
    most = grid.largest([fold["test_figures"].get("tsg", 0.0) for fold in shown])
    columns = (
        Column(say["test_days"], numeric=False),
        Column(say["train_days"]),
        *(Column(say[part], say["objective"]) for part in ("train", "test")),
        Column(say["trades"]),
        Column(say["figure_wr"]),
        Column(say["profit"]),
        Column(say["chosen"], numeric=False),
    )
    rows = tuple(_row(fold, most, phrases) for fold in shown)
    left_out = len(found["folds"]) - len(shown)
    told = phrases.say("left_out", shown=len(shown), there=len(found["folds"])) if left_out else ""
    return Grid("folds", say["cross_validation"], columns, rows, told)


def _row(fold: CrossFold, most: float, phrases: Phrases) -> tuple[Cell, ...]:
    figures = fold["test_figures"]
    profit = figures.get("tsg", 0.0)
    train = sum(days for _, _, days in fold["train"])
    return (
        Cell(_blocks(fold["test"], phrases), str(fold["test"][0][0]), css="nowrap"),
        grid.number(phrases.number(train), train),
        *(grid.number(objective_text(value, phrases), value) for value in (fold["train_objective"], fold["test_objective"])),
        grid.number(phrases.number(figures.get("tc")), figures.get("tc")),
        grid.number(phrases.percent(figures.get("wr")), figures.get("wr")),
        grid.bar(phrases.number(profit, 0, sign=True), profit, most),
        grid.text(", ".join(phrases.plain(value) for value in fold["best"]), "code"),
    )


def _blocks(blocks: Sequence[Sequence[int]], phrases: Phrases) -> str:
    return ", ".join(
        phrases.say("day_span", first=phrases.day(first), last=phrases.day(last)[5:], days=days) for first, last, days in blocks
    )


def paths_chart(found: CrossValidated, width: int, phrases: Phrases) -> Markup:
    """How many paths end where, by profit and by daily Sharpe ratio; the line is the middle one. Fewer than two: empty."""
    panels: list[tuple[str, Spread]] = [("profit", found["profit"]), ("measure_sharpe", found["sharpe"])]
    panels = [(name, spread) for name, spread in panels if sum(map(math.isfinite, spread["values"])) > 1]
    if not panels:
        return Markup("")
    canvas = Canvas(width, PANEL * len(panels))
    for number, (name, spread) in enumerate(panels):
        _panel(canvas, name, spread, PANEL * number + 18.0, phrases)
    return canvas.render(phrases.say("paths_label", paths=len(found["profit"]["values"])))


def _panel(canvas: Canvas, name: str, spread: Spread, top: float, phrases: Phrases) -> None:
    def shown(value: float) -> str:
        return phrases.compact(value) if name == "profit" else phrases.number(value, 2)

    values = np.array([value for value in spread["values"] if math.isfinite(value)])
    edges = _edges(values)
    counts = np.histogram(values, edges)[0].tolist()
    left, right, base = 30.0, canvas.width - 14.0, top + TALL
    across, up = Scale(float(edges[0]), float(edges[-1]), left, right), Scale(0.0, float(max(counts)), base, top + 8)
    canvas.text(left, top - 4, phrases.texts[name], "panel")
    canvas.text(left - 6, up(max(counts)) + 4, phrases.number(max(counts)), "tick", "end")
    for low, high, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts, strict=True):
        if count:
            title = phrases.say("path_count", low=shown(low), high=shown(high), paths=phrases.number(count))
            x, y = across(low) + 1, up(count)
            canvas.rect(x, y, across(high) - 1 - x, base - y, "cell gain" if low >= 0 else "cell loss", title, 0.6)
    canvas.line(left, base, right, base, "grid")
    canvas.line(across(0.0), top, across(0.0), base, "zero")
    canvas.line(across(spread["median"]), top, across(spread["median"]), base, "at out")
    for value in ticks(across.low, across.high, 6 if canvas.width > 500 else 4):
        canvas.text(across(value), base + 15, shown(value), "tick", "middle")


def _edges(values: np.ndarray) -> np.ndarray:
    """Round borders of bins; one of them is 0, so that no bin has both gains and losses."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    if low == high:
        return np.array([-1.0, 0.0, 1.0])
    marks = ticks(low, high, BINS)
    step = marks[1] - marks[0] if len(marks) > 1 else high - low
    return step * np.arange(math.floor(low / step), math.ceil(high / step) + 1)
