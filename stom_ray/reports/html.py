"""One HTML file that needs nothing else: styles, script and pictures are inside, and the page forbids itself to load anything."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import pandas as pd
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from stom_ray.reports import charts, cross_validation, front, sections, story, tables
from stom_ray.reports.data import ReportData, Scored
from stom_ray.reports.grid import Grid
from stom_ray.reports.importance import Importance, importance, plane, slices
from stom_ray.reports.phrases import Phrases
from stom_ray.reports.price_chart import session_chart, session_trades

MOST_SESSIONS = 12
MOST_SLICES = 24


@dataclass(frozen=True)
class Figure:
    """A chart with its heading and a line below."""

    heading: str
    chart: Markup
    note: str = ""


def render_html(data: ReportData, lang: str = "en") -> str:
    """The whole page, in English ("en") or Korean ("ko"). User texts are escaped; nothing outside the file is referred to.

    Raises ConfigError for another language.
    """
    phrases = Phrases(lang)
    script = _resource("page.js.txt")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = _environment().get_template("report.html")
    return page.render(
        lang=lang,
        t=phrases.texts,
        style=Markup(_resource("style.css")),
        script=Markup(script),
        script_digest=digest,
        data=data,
        **_view(data, phrases),
    )


@lru_cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_resource), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def _resource(name: str) -> str:
    return files("stom_ray.reports").joinpath("templates", name).read_text(encoding="utf-8")


def _view(data: ReportData, phrases: Phrases) -> dict[str, Any]:
    found = importance(data.trials, data.variables)
    scored = tables.outcomes(data.trials)["scored"] > 0
    kinds = [sections.breakdown(data, kind, phrases) for kind in ("time", "reason", "code", "day")]
    return {
        "headline": story.headline(data, phrases),
        "standing": story.standing(data),
        "sentences": story.sentences(data, phrases),
        "belief": story.belief(data, phrases),
        "checks": story.checks(data, phrases),
        "stress": sections.stress_grid(data.stress, phrases) if len(data.stress) else None,
        "tiles": story.tiles(data, phrases),
        "notices": story.notices(data, phrases),
        "figures": sections.figures_grid(data, phrases) if data.best or data.now or data.test else None,
        "equity": _equity(data, phrases),
        "legend": [(line.css, line.name) for line in _lines(data, phrases)],
        "windows": _windows(data, phrases),
        "walk_forward_note": _walk_forward_note(data, phrases),
        "crossed": _crossed(data, phrases),
        "breakdowns": [kind for kind in kinds if kind is not None],
        **_sessions(data, phrases),
        **_importance(data, found, phrases),
        "slices": _slices(data, found, phrases),
        "plane": _plane(data, found, phrases),
        **_front(data, phrases),
        "trials": sections.trials_grid(data, phrases) if scored else None,
        "faults": sections.faults_grid(data.trials, phrases),
        "identity": story.identity(data, phrases),
    }


def _both(draw: Callable[[int], Markup]) -> Markup:
    """The chart for a desk and for a phone; the style shows one of them."""
    wide = draw(charts.WIDE)
    return Markup('<div class="wide">{}</div><div class="narrow">{}</div>').format(wide, draw(charts.NARROW)) if wide else wide


def _lines(data: ReportData, phrases: Phrases) -> list[charts.Line]:
    lines = [
        charts.Line("in", phrases.texts["row_best"], data.daily),
        charts.Line("now", phrases.texts["row_now_test"], data.now_test_daily),
        charts.Line("out", phrases.texts["row_test"], data.test_daily),
    ]
    return [line for line in lines if len(line.daily)]


def _equity(data: ReportData, phrases: Phrases) -> Markup:
    windows = tables.stitched_windows(data.walk_forward)
    return _both(lambda width: charts.equity_chart(_lines(data, phrases), windows, width, phrases))


def _windows(data: ReportData, phrases: Phrases) -> tuple[Grid, Markup] | None:
    if not data.walk_forward:
        return None
    chart = _both(lambda width: charts.windows_chart(data.walk_forward, width, phrases))
    return sections.windows_grid(data.walk_forward, phrases), chart


def _walk_forward_note(data: ReportData, phrases: Phrases) -> str:
    note = phrases.say("walk_forward_note", objective=data.objective, scheme=_schemes(data))
    if data.purge is None:
        return note
    days, needed = data.purge["days"], data.purge["needed"]
    return f"{note} {phrases.say('purge' if days >= needed else 'purge_short', days=days, needed=needed)}"


def _crossed(data: ReportData, phrases: Phrases) -> tuple[str, Grid, Markup] | None:
    found = data.cross_validation
    if found is None:
        return None
    chart = _both(lambda width: cross_validation.paths_chart(found, width, phrases))
    return cross_validation.note(found, phrases), cross_validation.folds_grid(found, phrases), chart


def _schemes(data: ReportData) -> str:
    return ", ".join(dict.fromkeys(window["scheme"] for window in data.walk_forward))


def _sessions(data: ReportData, phrases: Phrases) -> Mapping[str, Any]:
    keys = list(data.prices)[:MOST_SESSIONS]
    left_out = len(data.prices) - len(keys)
    note = phrases.say("sessions_left_out", shown=len(keys), there=len(data.prices)) if left_out else ""
    return {"sessions": [_session(data, code, day, phrases) for code, day in keys], "sessions_note": note}


def _session(data: ReportData, code: str, day: int, phrases: Phrases) -> Figure:
    trades, side = session_trades(data.test_trades, code, day), "session_out"
    if trades.empty:
        trades, side = session_trades(data.trades, code, day), "session_in"
    profit = phrases.won(float(trades["profit_krw"].sum()), sign=True)
    count = phrases.say("session_count", trades=phrases.number(len(trades)), profit=profit)
    chart = _both(lambda width: session_chart(data.prices[(code, day)], trades, width, phrases))
    heading = f"{data.names.get(code, '')} {code} · {phrases.day(day)}".strip()
    return Figure(heading, chart, f"{phrases.texts[side]} · {count}" if len(trades) else count)


def _importance(data: ReportData, found: Importance, phrases: Phrases) -> Mapping[str, Any]:
    trials = phrases.number(found.trials)
    if not found.shares:
        return {"importance": None, "importance_note": phrases.say("importance_none", trials=trials)}
    note = phrases.say("importance_note", trials=trials, explained=phrases.percent(100 * found.explained, 1))
    return {"importance": sections.importance_grid(found, data, phrases), "importance_note": note}


def _front(data: ReportData, phrases: Phrases) -> Mapping[str, Any]:
    chart = _both(lambda width: front.front_chart(data, width, phrases)) if data.objectives else ""
    if not chart:
        return {"front": None, "front_note": ""}
    return {"front": (front.front_grid(data, phrases), chart), "front_note": front.note(data, phrases)}


def _ordered(data: ReportData, found: Importance) -> list[str]:
    """Variables that were varied, the most important first."""
    varied = [name for name in data.variables if data.trials[name].nunique() > 1]
    return [*found.shares, *(name for name in varied if name not in found.shares)]


def _slices(data: ReportData, found: Importance, phrases: Phrases) -> list[Figure]:
    figures = []
    for name in _ordered(data, found)[:MOST_SLICES]:
        table = slices(data.trials, name)
        chart = charts.slice_chart(table, _value(data.best, name, data), _value(data.now, name, data), phrases)
        if chart:
            figures.append(Figure(sections.variable_name(name), chart, _refused(table, phrases)))
    return figures


def _refused(table: pd.DataFrame, phrases: Phrases) -> str:
    share = 100 * float((table["refused"] * table["trials"]).sum() / table["trials"].sum())
    return phrases.say("slice_refused", share=phrases.percent(share, 0)) if share >= 0.5 else ""


def _value(row: Scored | None, name: str, data: ReportData) -> float | None:
    place = data.variables.index(name)
    return float(row["values"][place]) if row is not None and place < len(row["values"]) else None


def _plane(data: ReportData, found: Importance, phrases: Phrases) -> Figure | None:
    if len(found.shares) < 2:
        return None
    across, down = list(found.shares)[:2]
    table = plane(data.trials, across, down)
    names = (sections.variable_name(across), sections.variable_name(down))
    at = (_value(data.best, across, data), _value(data.best, down, data))
    best = (at[0], at[1]) if at[0] is not None and at[1] is not None else None
    chart = _both(lambda width: charts.plane_chart(table, names, best, width, phrases))
    return Figure(phrases.say("plane", across=names[0], down=names[1]), chart, phrases.texts["plane_note"]) if chart else None
