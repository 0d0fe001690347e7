"""The tables of the page, section by section: rows from `tables` and `importance` put into words."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import pandas as pd

from stom_ray.reports import grid, tables
from stom_ray.reports.data import ReportData, Scored, Window
from stom_ray.reports.grid import Cell, Column, Grid
from stom_ray.reports.importance import Importance
from stom_ray.reports.phrases import Phrases
from stom_ray.reports.svg import shorten
from stom_ray.search.base import FIGURES

MOST_ROWS = {"day": 250, "time": 60, "reason": 40, "code": 50, "windows": 120, "trials": 50, "faults": 10}
_SHOWN_FIGURES = ("tc", "wr", "app", "tsg", "tpi", "mdd")
_SHOWN_COLUMNS = (("trades", "win_rate", "mean_pct", "mean_hold", "profit"), ("trades", "win_rate", "mean_pct", "profit"))


def figure_text(name: str, value: float | None, phrases: Phrases) -> str:
    """One of the 15 figures with its unit."""
    if name in ("tsg", "seed", "mdd_"):
        return phrases.won(value, sign=name == "tsg")
    if name in ("wr", "app", "tpp", "cagr", "mdd"):
        return phrases.percent(value, 2, sign=name in ("app", "tpp", "cagr"))
    if name == "ah":
        return phrases.held(value)
    return phrases.number(value, {"atc": 1, "tpi": 2}.get(name, 0))


def measure_text(name: str, value: float | None, phrases: Phrases) -> str:
    """A measure of `metrics.returns` with its unit; fractions are shown in percent."""
    if name in ("max_drawdown", "hit_rate", "break_even_hit_rate", "exposure"):
        return phrases.percent(None if value is None else 100 * value)
    if name == "expectancy_krw":
        return phrases.won(value, sign=True)
    return phrases.number(value, 0 if name == "drawdown_days" else 3)


def objective_text(value: float, phrases: Phrases) -> str:
    """An objective, or what its sentinel stands for (spec/metrics.md)."""
    if value <= tables.REFUSED:
        return phrases.texts["no_trades" if value == tables.NO_TRADES else "limit_broken"]
    return phrases.number(value, 2 if abs(value) < 10_000 else 0)


def variable_name(column: str) -> str:
    """vars_3 -> vars[3], vars_7_entry_from -> entry_from."""
    _, place, *name = column.split("_", 2)
    return name[0] if name else f"vars[{place}]"


def first_use(column: str, scripts: Sequence[str]) -> str:
    """The first line, comments apart, that reads the variable; empty when none does."""
    pattern = re.compile(rf"self\.vars\[\s*{int(column.split('_')[1])}\s*\]")
    lines = (line.strip() for script in scripts for line in script.splitlines())
    return next((line for line in lines if pattern.search(line.split("#")[0])), "")


def figures_grid(data: ReportData, phrases: Phrases) -> Grid:
    """Present values, best row and out of sample side by side, a row for each figure and measure."""
    rows = [("now", data.now), ("best", data.best), ("now_test", data.now_test), ("test", data.test)]
    shown = [(name, row) for name, row in rows if row is not None]
    body = [_figure_row(name, [row for _, row in shown], phrases) for name in FIGURES]
    measures = dict.fromkeys(name for _, row in shown for name in row["measures"])
    body += [_measure_row(name, [row for _, row in shown], phrases) for name in measures]
    return Grid(
        "figures",
        phrases.texts["figures"],
        (Column(phrases.texts["figure"], numeric=False), *(Column(phrases.texts[f"row_{name}"]) for name, _ in shown)),
        tuple(body),
        phrases.texts["figures_note"],
        sortable=False,
    )


def _figure_row(name: str, rows: Sequence[Scored], phrases: Phrases) -> tuple[Cell, ...]:
    values = [row["figures"].get(name) for row in rows]
    return (
        Cell(phrases.texts[f"figure_{name}"], css=f"key:{name}"),
        *(grid.number(figure_text(name, value, phrases), value, _tone(value) if name == "tsg" else "") for value in values),
    )


def _measure_row(name: str, rows: Sequence[Scored], phrases: Phrases) -> tuple[Cell, ...]:
    values = [row["measures"].get(name) for row in rows]
    title = phrases.texts.get(f"measure_{name}", name)
    return (Cell(title, css=f"key:{name}"), *(grid.number(measure_text(name, value, phrases), value) for value in values))


def _tone(value: float | None) -> str:
    if value is None or value == 0:
        return ""
    return "gain" if value > 0 else "loss"


def windows_grid(windows: Sequence[Window], phrases: Phrases) -> Grid:
    """The walk-forward table, a row for each window."""
    say = phrases.texts
    shown = list(windows)[-MOST_ROWS["windows"] :]
    most = grid.largest([window["test_figures"].get("tsg", 0.0) for window in shown])
    years = {day // 10_000 for window in shown for part in ("train", "test") for day in window[part][:2]}
    several = len({window["scheme"] for window in windows}) > 1
    columns = (
        *((Column(say["scheme"], numeric=False),) if several else ()),
        *(Column(say[part], numeric=False) for part in ("test_days", "train_days", "valid_days")),
        *(Column(say[part], say["objective"]) for part in ("train", "valid", "test")),
        Column(say["trades"]),
        Column(say["figure_wr"]),
        Column(say["profit"]),
        Column(say["chosen"], numeric=False),
    )
    rows = tuple(_window_row(window, most, len(years) > 1, phrases)[0 if several else 1 :] for window in shown)
    return Grid("windows", say["walk_forward"], columns, rows, _left_out(len(shown), len(windows), phrases))


def _window_row(window: Window, most: float, with_year: bool, phrases: Phrases) -> tuple[Cell, ...]:
    figures = window["test_figures"]
    profit = figures.get("tsg", 0.0)
    objectives = (window["train_objective"], window["valid_objective"], window["test_objective"])
    return (
        grid.text(window["scheme"]),
        *(_span(days, with_year, phrases) for days in (window["test"], window["train"], window["valid"])),
        *(grid.number(objective_text(value, phrases), value) for value in objectives),
        grid.number(phrases.number(figures.get("tc")), figures.get("tc")),
        grid.number(phrases.percent(figures.get("wr")), figures.get("wr")),
        grid.bar(phrases.number(profit, 0, sign=True), profit, most),
        grid.text(", ".join(phrases.plain(value) for value in window["best"]), "code"),
    )


def _span(days: Sequence[int], with_year: bool, phrases: Phrases) -> Cell:
    if not days:
        return Cell("–")
    first, last = (phrases.day(day)[0 if with_year else 5 :] for day in days[:2])
    return Cell(phrases.say("day_span", first=first, last=last, days=days[2]), str(days[0]), css="nowrap")


def breakdown(data: ReportData, kind: str, phrases: Phrases) -> Grid | None:
    """Trades in and out of sample by "day", "time", "reason" or "code"; None when there is no trade at all."""
    split: Callable[[pd.DataFrame], pd.DataFrame] = {
        "day": tables.per_day,
        "time": tables.per_ten_minutes,
        "reason": tables.per_reason,
        "code": tables.per_code,
    }[kind]
    found = [split(data.trades), split(data.test_trades)]
    sides = [side for side in (1, 0) if len(found[side])]
    if not sides:
        return None
    joined = tables.side_by_side(found[sides[0]], found[1 - sides[0]], sides[0])
    if kind in ("day", "time"):
        joined = joined.sort_index(ascending=kind == "time")
    shown = joined.head(MOST_ROWS[kind])
    say = phrases.texts
    titles = [say[name] for names in _SHOWN_COLUMNS[: len(sides)] for name in names]
    columns = (Column(say[f"key_{kind}"], numeric=False), *(Column(title) for title in titles))
    most = {side: grid.largest(list(shown[(side, "profit")])) for side in sides}
    rows = tuple(
        (
            _key_cell(kind, key, data, phrases),
            *(cell for place, side in enumerate(sides) for cell in _cells(row, side, place, most[side], phrases)),
        )
        for key, row in zip(shown.index, shown.to_dict("records"), strict=True)
    )
    group = (("", 1), *((say["row_test" if side else "row_best"], len(_SHOWN_COLUMNS[i])) for i, side in enumerate(sides)))
    note = _left_out(len(shown), len(joined), phrases)
    return Grid(f"by-{kind}", say[f"by_{kind}"], columns, rows, note, group, wraps=kind == "reason")


def _cells(row: dict[Hashable, Any], side: int, place: int, most: float, phrases: Phrases) -> list[Cell]:
    value = {name: float(row[(side, name)]) for name in tables.TABLE_COLUMNS}
    cells = {
        "trades": grid.number(phrases.number(value["trades"]), value["trades"]),
        "win_rate": grid.number(phrases.percent(value["win_rate"], 1), value["win_rate"]),
        "mean_pct": grid.number(phrases.percent(value["mean_pct"], 2, sign=True), value["mean_pct"]),
        "mean_hold": grid.number(phrases.held(value["hold_s"]), value["hold_s"]),
        "profit": grid.bar(phrases.number(value["profit"], 0, sign=True), value["profit"], most),
    }
    return [cells[name] for name in _SHOWN_COLUMNS[place]]


def _key_cell(kind: str, key: int | str, data: ReportData, phrases: Phrases) -> Cell:
    if kind == "day":
        return Cell(phrases.day(int(key)), str(key), css="nowrap")
    if kind == "time":
        start = int(key)
        end = start + (10 if start % 100 < 50 else 50)
        span = f"{start // 100:02d}:{start % 100:02d}–{end // 100:02d}:{end % 100:02d}"
        return Cell(span, f"{start:04d}", css="nowrap")
    if kind == "reason":
        return grid.text(shorten(str(key), 160), "code")
    name = data.names.get(str(key), "")
    return Cell(f"{name} {key}".strip(), str(key), css="nowrap")


def importance_grid(found: Importance, data: ReportData, phrases: Phrases) -> Grid:
    """Variables with their share, largest first, and the line of the script that reads them."""
    say = phrases.texts
    most = max(found.shares.values(), default=0.0)
    scripts = (data.scripts["buy"], data.scripts["sell"])
    place = {name: i for i, name in enumerate(data.variables)}
    columns = (Column(say["variable"], numeric=False), Column(say["share"]), Column(say["row_best"]), Column(say["row_now"]))
    rows = tuple(
        (
            grid.text(variable_name(name)),
            Cell(
                phrases.percent(100 * share, 1), repr(share), bar=100 * max(share, 0.0) / most if most > 0 else 0.0, css="single"
            ),
            *(_value_cell(row, place[name], phrases) for row in (data.best, data.now)),
            grid.text(shorten(first_use(name, scripts), 90), "code"),
        )
        for name, share in found.shares.items()
    )
    return Grid("importance-table", say["importance"], (*columns, Column(say["used_in"], numeric=False)), rows, wraps=True)


def _value_cell(row: Scored | None, place: int, phrases: Phrases) -> Cell:
    if row is None or place >= len(row["values"]):
        return Cell("–")
    return grid.number(phrases.plain(row["values"][place]), row["values"][place])


def trials_grid(data: ReportData, phrases: Phrases) -> Grid:
    """The best rows of the search, one for each cluster of those that behave alike."""
    say = phrases.texts
    winners = tables.winners(data.trials, data.variables, data.clusters)
    top = winners.head(MOST_ROWS["trials"])
    columns = (
        Column(say["trial"]),
        Column(say["alike"]),
        Column(say["island"], numeric=False),
        Column(say["source"], numeric=False),
        Column(f"{say['objective']} {data.objective}"),
        *(Column(name, say[f"figure_{name}"]) for name in _SHOWN_FIGURES),
        *(Column(variable_name(name)) for name in data.variables),
    )
    rows = tuple(_trial_row(row, data.variables, phrases) for row in top.to_dict("records"))
    note = phrases.say(
        "trials_note",
        shown=len(top),
        trials=phrases.number(len(data.trials)),
        clustered=phrases.number(int(winners["alike"].sum())),
    )
    return Grid("trials", say["top_trials"], columns, rows, note)


def _trial_row(row: dict[Hashable, Any], variables: Sequence[str], phrases: Phrases) -> tuple[Cell, ...]:
    def value(name: str) -> float:
        return float(row[name])

    return (
        grid.number(phrases.number(value("trial")), value("trial")),
        grid.number(phrases.number(value("alike")), value("alike")),
        grid.text(str(row["island"])),
        grid.text(str(row["source"])),
        grid.number(objective_text(value("objective"), phrases), value("objective")),
        *(grid.number(figure_text(name, value(name), phrases), value(name)) for name in _SHOWN_FIGURES),
        *(grid.number(phrases.plain(value(name)), value(name)) for name in variables),
    )


def stress_grid(stress: pd.DataFrame, phrases: Phrases) -> Grid:
    """The winner as it was searched and under worse assumptions."""
    say = phrases.texts
    titles = ("trades", "profit", "kept", "days")
    columns = (Column(say["assumption"], numeric=False), *(Column(say[name]) for name in titles))
    rows = tuple(_stress_row(row, phrases) for row in stress.to_dict("records"))
    return Grid("stress", say["stress"], columns, rows, say["stress_note"], sortable=False)


def _stress_row(row: dict[Hashable, Any], phrases: Phrases) -> tuple[Cell, ...]:
    kept = 100 * float(row["kept"])
    name = assumption_name(str(row["assumption"]), phrases)
    return (
        grid.text(f"{name}: {row['failed']}" if row["failed"] else name),
        grid.number(phrases.number(row["trades"]), row["trades"]),
        grid.number(phrases.number(row["profit"], sign=True), row["profit"], _tone(row["profit"])),
        grid.number(phrases.percent(kept, 0), kept),
        grid.number(phrases.number(row["days"]), row["days"]),
    )


def assumption_name(name: str, phrases: Phrases) -> str:
    """One of `validation.stress` in the reader's language."""
    levels = re.match(r"(\d+) ask level", name)
    if levels:
        return phrases.say("assumption_levels", levels=levels[1])
    if name.startswith("costs "):
        tax, fee = name.removeprefix("costs custom:").split(",")
        return phrases.say("assumption_costs", tax=phrases.percent(float(tax), 3), fee=phrases.percent(float(fee), 3))
    return phrases.texts["assumption_" + name.replace(" ", "_")]


def faults_grid(trials: pd.DataFrame, phrases: Phrases) -> Grid | None:
    """Why trials failed, most frequent first; None when none did."""
    reasons = trials.loc[trials["failed"].astype("bool"), "reason"].astype("str").value_counts()
    if reasons.empty:
        return None
    shown = reasons.head(MOST_ROWS["faults"])
    rows = tuple((grid.text(str(reason), "code"), grid.number(phrases.number(count), count)) for reason, count in shown.items())
    columns = (Column(phrases.texts["reason"], numeric=False), Column(phrases.texts["trials"]))
    return Grid("faults", phrases.texts["faults"], columns, rows, _left_out(len(shown), len(reasons), phrases), wraps=True)


def _left_out(shown: int, there: int, phrases: Phrases) -> str:
    return "" if shown == there else phrases.say("left_out", shown=phrases.number(shown), there=phrases.number(there))
