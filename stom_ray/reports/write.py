"""A study's report on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from stom_ray.errors import StoreError
from stom_ray.reports.data import ReportData
from stom_ray.reports.html import render_html
from stom_ray.reports.picture import draw_png


@dataclass(frozen=True)
class ReportPaths:
    """Files of a report; all in one folder."""

    html: Path
    png: Path
    trades_csv: Path
    trades_parquet: Path
    trials_parquet: Path


def write_report(data: ReportData, folder: str | Path, lang: str = "en") -> ReportPaths:
    """Writes report.html, report.png, trades.csv, trades.parquet and trials.parquet; what was there is replaced file by file.

    trades: `sample` ("in" or "out") before the columns of data.trades and data.test_trades; the CSV is UTF-8 with a byte-order
    mark, so that Korean spreadsheets read it. A file is complete or not there: each is written beside its place, then moved.
    Raises StoreError when the folder cannot be written, ConfigError for an unknown language.
    """
    root = Path(folder)
    paths = ReportPaths(
        root / "report.html", root / "report.png", root / "trades.csv", root / "trades.parquet", root / "trials.parquet"
    )
    page = render_html(data, lang)
    trades = all_trades(data)
    try:
        root.mkdir(parents=True, exist_ok=True)
        _replace(paths.trades_csv, lambda path: trades.to_csv(path, index=False, encoding="utf-8-sig"))
        _replace(paths.trades_parquet, lambda path: trades.to_parquet(path, index=False))
        _replace(paths.trials_parquet, lambda path: data.trials.to_parquet(path, index=False))
        _replace(paths.png, lambda path: draw_png(data, path, lang))
        _replace(paths.html, lambda path: path.write_text(page, encoding="utf-8"))
    except OSError as error:
        raise StoreError(f"the report cannot be written to {root}: {error.strerror or error}; choose another folder") from error
    return paths


def all_trades(data: ReportData) -> pd.DataFrame:
    """Trades in and out of sample in one frame, told apart by `sample`."""
    parts = [frame.assign(sample=name) for name, frame in (("in", data.trades), ("out", data.test_trades)) if len(frame)]
    joined = pd.concat(parts, ignore_index=True) if parts else data.trades.assign(sample="")
    return joined[["sample", *(name for name in joined.columns if name != "sample")]]


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    beside = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        write(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
