"""Charts of a study as inline SVG. What they show is computed in `tables` and `importance`; here it only gets coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup

from stom_ray.reports.data import Window
from stom_ray.reports.phrases import Phrases
from stom_ray.reports.svg import Canvas, Scale, padded, ticks
from stom_ray.reports.tables import REFUSED, drawdown, equity, thinned

WIDE = 960
NARROW = 380
_POINTS = 500
_HOVER_DAYS = 260
_MOST_WINDOWS = 60


@dataclass(frozen=True)
class Line:
    """A line of the equity chart. css: "in", "out" or "now"; daily: KRW by yyyymmdd."""

    css: str
    name: str
    daily: pd.Series


def equity_chart(lines: Sequence[Line], windows: Sequence[Window], width: int, phrases: Phrases) -> Markup:
    """Cumulative profit, below it the distance from the peak, below that each day's profit; test windows are shaded.

    Lines without days are left out; every line starts from 0 at the day before its first. No line: an empty string.
    """
    lines = [line for line in lines if len(line.daily)]
    if not lines:
        return Markup("")
    days = sorted({int(day) for line in lines for day in line.daily.index})
    canvas = Canvas(width, 470)
    left, right = (62, width - 74) if width > 500 else (46, width - 48)
    across = Scale(0, len(days), left, right)
    _shade(canvas, days, windows, across)
    curves = [(line, _steps(equity(line.daily), days)) for line in lines]
    falls = [(line, _steps(drawdown(line.daily), days)) for line in lines if line.css != "now"]
    low, high = padded([0.0, *(value for _, points in curves for _, value in points)])
    up = Scale(low, high, 268, 14)
    _value_axis(canvas, up, left, right, phrases, 6)
    for line, points in curves:
        canvas.path(_through(points, across, up), f"line {line.css}")
    _end_labels(canvas, [(line.css, points[-1][1]) for line, points in curves], up, right, phrases)
    depth = Scale(min([0.0, *(value for _, points in falls for _, value in points)]), 0.0, 362, 296)
    _value_axis(canvas, depth, left, right, phrases, 2)
    canvas.text(left + 4, 292, phrases.texts["drawdown"], "panel")
    for line, points in falls:
        drawn = _through(points, across, depth)
        canvas.path([(drawn[0][0], depth(0)), *drawn, (drawn[-1][0], depth(0))], f"area {line.css}", closed=True)
        canvas.path(drawn, f"thin {line.css}")
    _daily_bars(canvas, lines, days, across, left, right, phrases)
    _day_axis(canvas, days, across, 462, phrases, width)
    return canvas.render(phrases.texts["equity_label"])


def _steps(curve: pd.Series, days: Sequence[int]) -> list[tuple[float, float]]:
    """(position, value) of a curve on the common day axis, from 0 on the day before its first; thinned when there are many."""
    places = np.searchsorted(np.asarray(days), curve.index.to_numpy(dtype=np.int64)) + 1.0
    values = curve.to_numpy(dtype="float64")
    places = np.concatenate([[places[0] - 1.0], places])
    values = np.concatenate([[0.0], values])
    keep = thinned(values, _POINTS)
    return list(zip(places[keep].tolist(), values[keep].tolist(), strict=True))


def _through(points: Sequence[tuple[float, float]], across: Scale, up: Scale) -> list[tuple[float, float]]:
    return [(across(place), up(value)) for place, value in points]


def _shade(canvas: Canvas, days: Sequence[int], windows: Sequence[Window], across: Scale) -> None:
    for number, window in enumerate(windows):
        first, last = np.searchsorted(days, [window["test"][0], window["test"][1] + 1])
        if last > first:
            x = across(float(first))
            canvas.rect(x, 8, across(float(last)) - x, 432, f"window w{number % 2}")


def _value_axis(canvas: Canvas, up: Scale, left: float, right: float, phrases: Phrases, count: int) -> None:
    for value in ticks(up.low, up.high, count):
        canvas.line(left, up(value), right, up(value), "zero" if value == 0 else "grid")
        canvas.text(left - 6, up(value) + 4, phrases.compact(value), "tick", "end")


def _end_labels(canvas: Canvas, ends: Sequence[tuple[str, float]], up: Scale, right: float, phrases: Phrases) -> None:
    """Last value of each line at its height, pushed apart where they would touch."""
    below = -1e9
    for css, value in sorted(ends, key=lambda end: up(end[1])):
        y = max(up(value) + 4, below + 14)
        canvas.text(right + 5, y, phrases.compact(value, sign=True), f"end {css}")
        below = y


def _daily_bars(
    canvas: Canvas, lines: Sequence[Line], days: Sequence[int], across: Scale, left: float, right: float, phrases: Phrases
) -> None:
    """Profit of each day as bars; where a day has both, the in-sample bar stands behind. Hovering tells the amounts."""
    shown = [line for line in lines if line.css != "now"]
    if not shown:
        return
    low, high = padded([0.0, *(float(value) for line in shown for value in line.daily.fillna(0.0))], 0.03)
    up = Scale(low, high, 440, 388)
    _value_axis(canvas, up, left, right, phrases, 2)
    canvas.text(left + 4, 384, phrases.texts["daily_profit"], "panel")
    room = across(1) - across(0)
    for line in shown:
        share = 0.8 if line.css == "in" else 0.5
        places = np.searchsorted(np.asarray(days), line.daily.index.to_numpy(dtype=np.int64))
        for place, day, value in zip(places, line.daily.index, line.daily.fillna(0.0), strict=True):
            title = f"{phrases.day(day)} · {line.name} {phrases.won(value, sign=True)}" if len(days) <= _HOVER_DAYS else ""
            x = across(float(place) + 0.5) - room * share / 2
            top, bottom = sorted((up(0), up(float(value))))
            canvas.rect(x, top, room * share, max(bottom - top, 0.6), f"bar {line.css}", title)


def _day_axis(canvas: Canvas, days: Sequence[int], across: Scale, y: float, phrases: Phrases, width: int) -> None:
    count = min(len(days), max(2, width // 130))
    short = width <= 500 and days[0] // 10_000 == days[-1] // 10_000
    for place in np.unique(np.linspace(0, len(days) - 1, count).round().astype(int)):
        text = phrases.day(days[place])
        canvas.text(across(float(place) + 0.5), y, text[5:] if short else text, "tick", "middle")


def windows_chart(windows: Sequence[Window], width: int, phrases: Phrases) -> Markup:
    """Each window's objective on train, valid and test days on one line: how much was lost on the way. Refused scores are left
    out. At most the last 60 windows; nothing to show: an empty string."""
    windows = list(windows)[-_MOST_WINDOWS:]
    values = [value for window in windows for _, value in _objectives(window)]
    if not values:
        return Markup("")
    canvas = Canvas(width, 34 + 24 * len(windows))
    left, right = (150, width - 20) if width > 500 else (86, width - 14)
    across = Scale(*padded([0.0, *values]), left, right)
    bottom = 6 + 24 * len(windows)
    for value in ticks(across.low, across.high, 6 if width > 500 else 4):
        canvas.line(across(value), 4, across(value), bottom, "zero" if value == 0 else "grid")
        canvas.text(across(value), bottom + 16, phrases.compact(value), "tick", "middle")
    for row, window in enumerate(windows):
        y = 18.0 + 24 * row
        first = phrases.day(window["test"][0])
        canvas.text(left - 10, y + 4, f"{window['scheme']} {first}" if width > 500 else first, "tick", "end")
        found = _objectives(window)
        if len(found) > 1:
            ends = [across(value) for _, value in found]
            canvas.line(min(ends), y, max(ends), y, "link")
        for part, value in found:
            title = f"{phrases.texts[part]} {phrases.number(value, 2)}"
            if part == "test":
                canvas.circle(across(value), y, 6, "dot out", title)
            else:
                canvas.mark(across(value), y, 5, f"dot {part}", title, "square" if part == "train" else "diamond")
    return canvas.render(phrases.texts["windows_label"])


def _objectives(window: Window) -> list[tuple[str, float]]:
    parts = (("train", window["train_objective"]), ("valid", window["valid_objective"]), ("test", window["test_objective"]))
    return [(part, float(value)) for part, value in parts if np.isfinite(value) and value > REFUSED]


def slice_chart(table: pd.DataFrame, best: float | None, now: float | None, phrases: Phrases) -> Markup:
    """Best (dots) and median (line) objective for each value of one variable; the chosen and the present value are marked."""
    values = [*table["median"], *table["best"]]
    if not np.isfinite(np.asarray(values, dtype="float64")).any():
        return Markup("")
    width, height = 300, 176
    canvas = Canvas(width, height)
    marks = [value for value in (best, now) if value is not None]
    across = Scale(*padded([*table["value"], *marks], 0.05), 46, width - 12)
    up = Scale(*padded(values, 0.08), height - 26, 18)
    for value in ticks(up.low, up.high, 4):
        canvas.line(46, up(value), width - 12, up(value), "zero" if value == 0 else "grid")
        canvas.text(41, up(value) + 4, phrases.compact(value), "tick", "end")
    for value in ticks(across.low, across.high, 5):
        canvas.text(across(value), height - 9, phrases.plain(value), "tick", "middle")
    for at, css in ((now, "now"), (best, "out")):
        if at is not None:
            canvas.line(across(at), 14, across(at), height - 26, f"at {css}")
    solid = table.dropna(subset=["median"])
    points = [tuple(map(float, row)) for row in solid[["value", "median", "best", "trials"]].to_numpy(dtype="float64")]
    canvas.path([(across(value), up(median)) for value, median, _, _ in points], "line mid")
    for value, median, top, trials in points:
        title = phrases.say(
            "slice_point",
            value=phrases.plain(value),
            median=phrases.number(median, 2),
            best=phrases.number(top, 2),
            trials=phrases.number(trials),
        )
        canvas.circle(across(value), up(top), 3.6, "dot top", title)
    return canvas.render(phrases.texts["slice_label"])


def plane_chart(
    table: pd.DataFrame, names: tuple[str, str], best: tuple[float, float] | None, width: int, phrases: Phrases
) -> Markup:
    """Median objective for pairs of values of two variables: stronger is further from zero, hue tells the side, a ring marks the
    chosen pair's cell. Nothing scored: an empty string."""
    cells = table.to_numpy(dtype="float64")
    values_x, values_y = table.columns.to_numpy(dtype="float64"), table.index.to_numpy(dtype="float64")
    if not np.isfinite(cells).any():
        return Markup("")
    rows, columns = cells.shape
    left, top = 62, 8
    side = (width - left - 10) / columns
    tall = min(side, 30.0)
    canvas = Canvas(width, int(top + rows * tall + 44))
    strongest = float(np.nanmax(np.abs(cells)))
    for i in range(rows):
        y = top + (rows - 1 - i) * tall
        canvas.text(left - 6, y + tall / 2 + 4, phrases.plain(values_y[i]), "tick", "end")
        for j in range(columns):
            value = cells[i, j]
            title = f"{names[0]} {phrases.plain(values_x[j])}, {names[1]} {phrases.plain(values_y[i])}: "
            css, fade = ("cell none", 1.0)
            if np.isfinite(value):
                css, fade = ("cell gain" if value >= 0 else "cell loss", 0.08 + 0.92 * abs(value) / max(strongest, 1e-300))
            canvas.rect(left + j * side, y, side - 1.5, tall - 1.5, css, title + phrases.number(value, 2), fade)
    every = max(1, -(-columns * 44 // (width - left)))
    for j in range(0, columns, every):
        canvas.text(left + (j + 0.5) * side, top + rows * tall + 15, phrases.plain(values_x[j]), "tick", "middle")
    canvas.text(left + columns * side / 2, top + rows * tall + 35, f"→ {names[0]}   ↑ {names[1]}", "panel", "middle")
    if best is not None:
        j = int(np.abs(values_x - best[0]).argmin())
        i = int(np.abs(values_y - best[1]).argmin())
        canvas.rect(left + j * side - 0.5, top + (rows - 1 - i) * tall - 0.5, side - 0.5, tall - 0.5, "ring")
    return canvas.render(phrases.say("plane_label", across=names[0], down=names[1]))
