"""The study on one picture, for a chat: headline, equity and drawdown, the figures that matter, importance."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.ticker import FuncFormatter, MaxNLocator

from stom_ray.reports import story, tables
from stom_ray.reports.data import ReportData, Scored
from stom_ray.reports.importance import importance
from stom_ray.reports.phrases import Phrases
from stom_ray.reports.sections import figure_text, first_use, variable_name
from stom_ray.reports.svg import shorten

_FONTS = (
    "Noto Sans KR",
    "Noto Sans CJK KR",
    "Noto Sans CJK JP",
    "NanumGothic",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "AppleGothic",
)
_INK, _SOFT, _RULE, _OUT, _IN, _NOW = "#1c1e21", "#5a6069", "#dfe1e0", "#00735c", "#6a7078", "#96530a"
_SHOWN = ("tsg", "tc", "wr", "app", "tpp", "mdd", "seed")


@lru_cache
def hangul_font() -> str | None:
    """Family name of an installed font that has Hangul, None when there is none."""
    by_name = {entry.name: entry.fname for entry in font_manager.fontManager.ttflist}
    for name in (*_FONTS, *sorted(by_name)):
        path = by_name.get(name)
        if path is not None and Path(path).exists() and _has_hangul(path):
            return name
    return None


@lru_cache
def _has_hangul(path: str) -> bool:
    try:
        return FT2Font(path).get_char_index(ord("가")) != 0
    except (OSError, RuntimeError):
        return False


def draw_png(data: ReportData, path: Path, lang: str = "en") -> Path:
    """Writes the picture, 1,600 x 1,120 pixels. Without a font for Hangul it is in English; characters no font has become "…".

    Returns: path. Raises OSError when it cannot be written.
    """
    font = hangul_font()
    phrases = Phrases(lang if font else "en")
    with matplotlib.rc_context(
        {
            "font.family": [font, "DejaVu Sans"] if font else ["DejaVu Sans"],
            "font.size": 10,
            "text.parse_math": False,
            "text.color": _INK,
            "axes.edgecolor": _RULE,
            "xtick.color": _SOFT,
            "ytick.color": _SOFT,
        }
    ):
        figure = Figure(figsize=(12.8, 8.96), dpi=125, facecolor="white")
        FigureCanvasAgg(figure)
        parts = figure.add_gridspec(
            3, 2, left=0.065, right=0.93, top=0.775, bottom=0.05, height_ratios=(3.2, 1.1, 2.6), hspace=0.34, wspace=0.16
        )
        _heading(figure, data, phrases)
        _curves(figure.add_subplot(parts[0, :]), data, phrases)
        _falls(figure.add_subplot(parts[1, :]), data, phrases)
        _figures(figure.add_subplot(parts[2, 0]), data, phrases)
        _shares(figure.add_subplot(parts[2, 1]), data, phrases)
        figure.savefig(path, metadata={"Software": "stom_ray"})
    return path


@lru_cache
def _glyphs(family: str | None) -> frozenset[int]:
    """Code points that the family or DejaVu Sans can show."""
    paths = [font_manager.findfont(name) for name in (family, "DejaVu Sans") if name is not None]
    return frozenset(point for path in paths for point in FT2Font(path).get_charmap())


def _shown(text: str) -> str:
    """The text as the fonts can show it: what they lack becomes an ellipsis."""
    known = _glyphs(hangul_font())
    runs = groupby(text, key=lambda char: ord(char) in known)
    return "".join("".join(chars) if there else "…" for there, chars in runs)


def _heading(figure: Figure, data: ReportData, phrases: Phrases) -> None:
    badge = phrases.texts[f"badge_{story.standing(data)}"]
    figure.text(0.03, 0.96, _shown(f"{shorten(data.title, 90)}   [{badge}]"), color=_SOFT, va="center")
    figure.text(0.03, 0.918, _shown(story.headline(data, phrases)), size=21, weight="bold", va="center")
    for place, tile in enumerate(story.tiles(data, phrases)):
        x = 0.03 + 0.245 * place
        figure.text(x, 0.868, _shown(tile.value), size=14, weight="bold", va="center")
        figure.text(x, 0.84, _shown(f"{tile.name} · {tile.below}"), size=8.5, color=_SOFT, va="center")


def _days(data: ReportData) -> list[int]:
    return sorted({int(day) for daily in (data.daily, data.test_daily, data.now_test_daily) for day in daily.index})


def _plain(axes: Axes, phrases: Phrases) -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="y", color=_RULE, linewidth=0.7)
    axes.tick_params(length=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _shown(phrases.compact(value))))


def _curves(axes: Axes, data: ReportData, phrases: Phrases) -> None:
    days = _days(data)
    _plain(axes, phrases)
    axes.set_title(_shown(phrases.texts["equity"]), loc="left", weight="bold")
    for number, window in enumerate(tables.stitched_windows(data.walk_forward)):
        first, last = np.searchsorted(days, [window["test"][0], window["test"][1] + 1])
        axes.axvspan(first, last, color="#0072b2", alpha=0.05 + 0.05 * (number % 2), linewidth=0)
    ends: list[tuple[float, float, str]] = []
    for name, daily, color, style in (
        ("row_best", data.daily, _IN, "--"),
        ("row_now_test", data.now_test_daily, _NOW, ":"),
        ("row_test", data.test_daily, _OUT, "-"),
    ):
        if len(daily):
            places, values = _steps(tables.equity(daily), days)
            axes.plot(places, values, style, color=color, linewidth=2, label=_shown(phrases.texts[name]))
            ends.append((float(values[-1]), float(places[-1]), color))
    axes.axhline(0, color=_SOFT, linewidth=0.8)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left", frameon=False)
    _day_ticks(axes, days, phrases)
    axes.tick_params(labelbottom=False)
    _end_labels(axes, ends, phrases)


def _end_labels(axes: Axes, ends: Sequence[tuple[float, float, str]], phrases: Phrases) -> None:
    """Last value of each line beside its end, pushed apart where they would touch. ends: value, place, color."""
    low, high = axes.get_ylim()
    gap, below = (high - low) * 0.065, -np.inf
    for value, place, color in sorted(ends):
        y = max(value, below + gap)
        axes.text(place, y, _shown("  " + phrases.compact(value, sign=True)), color=color, weight="bold", va="center")
        below = y


def _falls(axes: Axes, data: ReportData, phrases: Phrases) -> None:
    days = _days(data)
    _plain(axes, phrases)
    axes.set_title(_shown(phrases.texts["drawdown"]), loc="left", weight="bold")
    for daily, color in ((data.daily, _IN), (data.test_daily, _OUT)):
        if len(daily):
            places, values = _steps(tables.drawdown(daily), days)
            axes.fill_between(places, values, color=color, alpha=0.22, linewidth=0)
            axes.plot(places, values, color=color, linewidth=1.2)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    _day_ticks(axes, days, phrases)


def _steps(curve: pd.Series, days: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    places = np.searchsorted(np.asarray(days), curve.index.to_numpy(dtype=np.int64)) + 1.0
    return np.concatenate([[places[0] - 1.0], places]), np.concatenate([[0.0], curve.to_numpy(dtype="float64")])


def _day_ticks(axes: Axes, days: Sequence[int], phrases: Phrases) -> None:
    if not days:
        axes.set_xticks([])
        return
    places = np.unique(np.linspace(0, len(days) - 1, min(len(days), 8)).round().astype(int))
    axes.set_xticks(places + 0.5, [phrases.day(days[place]) for place in places])
    axes.set_xlim(0, len(days))


def _figures(axes: Axes, data: ReportData, phrases: Phrases) -> None:
    axes.set_axis_off()
    rows: list[tuple[str, Scored | None]] = [("now", data.now), ("best", data.best), ("test", data.test)]
    shown = [(name, row) for name, row in rows if row is not None]
    edges = [1.0 - 0.25 * place for place in reversed(range(len(shown)))]
    for edge, (name, _) in zip(edges, shown, strict=True):
        axes.text(edge, 1.0, _shown(phrases.texts[f"row_{name}"]), ha="right", weight="bold", size=9)
    for line, figure in enumerate(_SHOWN):
        y = 0.87 - 0.13 * line
        axes.text(0.0, y, _shown(phrases.texts[f"figure_{figure}"]), color=_SOFT, size=9.5)
        for edge, (_, row) in zip(edges, shown, strict=True):
            axes.text(edge, y, _shown(figure_text(figure, row["figures"].get(figure), phrases)), ha="right", size=9.5)


def _shares(axes: Axes, data: ReportData, phrases: Phrases) -> None:
    shares = list(importance(data.trials, data.variables).shares.items())[:8]
    if not shares:
        axes.set_axis_off()
        return
    axes.set_title(_shown(phrases.texts["importance"]), loc="left", weight="bold")
    axes.spines[:].set_visible(False)
    scripts = (data.scripts["buy"], data.scripts["sell"])
    most = max(max(share for _, share in shares), 1e-12)
    for row, (name, share) in enumerate(shares):
        axes.barh(row, max(share, 0.0), color=_OUT, height=0.55)
        use = shorten(_shown(first_use(name, scripts)), 44)
        label = f"{phrases.percent(100 * share, 1)}  {use}".rstrip()
        axes.text(max(share, 0.0) + most * 0.02, row, label, va="center", size=8.5, color=_SOFT)
    axes.set_yticks(range(len(shares)), [variable_name(name) for name, _ in shares])
    axes.set_xlim(0, most * 2.2)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.invert_yaxis()
