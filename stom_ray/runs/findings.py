"""What a run found, as a report wants it: a study and its walk-forward turned into frames."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from stom_ray.engine.types import ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.metrics.objectives import objective as objective_of
from stom_ray.metrics.returns import sharpe
from stom_ray.reports.data import (
    PRICE_COLUMNS,
    Costs,
    Identity,
    Overfitting,
    ReportData,
    Scored,
    Window,
    empty_daily,
    empty_trades,
)
from stom_ray.runs.played import Played, play, stitch
from stom_ray.runs.subject import Subject, title_of
from stom_ray.schema.costs import cost_model
from stom_ray.search.base import FIGURES
from stom_ray.search.study import StudyResult
from stom_ray.store.panel import Panel
from stom_ray.validation.overfitting import deflated_sharpe_of, min_backtest_length
from stom_ray.validation.walk_forward import Scored as WindowScore
from stom_ray.validation.walk_forward import WalkForwardResult

PACKAGES = ("stom-ray", "ray", "optuna", "numpy", "numba", "pandas", "pyarrow")
DAYS_A_YEAR = 250
DRAWN_SESSIONS = 3


def report_data(subject: Subject, folder: Path, study: StudyResult | None, forward: WalkForwardResult | None) -> ReportData:
    """Everything the report shows; trades are run again from the rows that were chosen."""
    table = study.table if study else None
    best_row = table.best(1) if table is not None else np.empty(0, dtype=np.int64)
    present = subject.space.present
    best = play(subject, table.rows(best_row)) if table is not None and len(best_row) else None
    now = play(subject, present)
    tested = now_tested = None
    if forward and forward.windows:
        tests = [one.window.test for one in forward.windows]
        tested = stitch(subject, tests, [one.best for one in forward.windows])
        now_tested = stitch(subject, tests, [present] * len(tests))
    objective = subject.config.search.objective
    warnings = [*subject.warnings, *(forward.warnings if forward else ())]
    if study and study.stopped_by != "done":
        warnings.append(f"the search was cut: {study.stopped_by}; {len(study.table):,} rows were scored")
    overfitting, notes = _overfitting(study, best)
    shown = tested or best or now
    return ReportData(
        title=title_of(subject.config),
        objective=objective,
        betting=subject.engine.betting,
        identity=_identity(subject, folder),
        scripts={"buy": subject.texts["buy"], "sell": subject.texts["sell"], "ranges": subject.texts["ranges"]},
        searched={
            "codes": len(subject.selection.selected.codes),
            "days": len(subject.days),
            "first_day": int(subject.days[0]),
            "last_day": int(subject.days[-1]),
            "ticks": subject.selection.selected.n_rows,
            "combinations": float(subject.space.size or math.inf),
            "seconds": study.wall_s if study else math.nan,
        },
        costs=_costs(subject),
        trials=_trials(subject, study),
        best=_scored(subject, table.rows(best_row), best) if table is not None and best else None,
        now=_scored(subject, present, now),
        test=_scored(subject, None, tested) if tested else None,
        now_test=_scored(subject, present, now_tested) if now_tested else None,
        trades=best.frame if best else empty_trades(),
        test_trades=tested.frame if tested else empty_trades(),
        daily=best.daily if best else empty_daily(),
        test_daily=tested.daily if tested else empty_daily(),
        now_test_daily=now_tested.daily if now_tested else empty_daily(),
        walk_forward=_windows(forward),
        overfitting=overfitting,
        warnings=[*warnings, *notes],
        prices=_prices(subject.selection.selected, shown.frame),
        names=dict(subject.selection.selected.names),
    )


def _scored(subject: Subject, row: ParamMatrix | None, played: Played) -> Scored:
    goal = subject.goal
    objective = float(objective_of(goal.objective, played.figures, goal.limits, betting=goal.betting))
    return {
        "values": [] if row is None else row.values[0].tolist(),
        "figures": dict(zip(FIGURES, played.figures.tolist(), strict=True)),
        "measures": played.measures,
        "objective": objective,
    }


def _trials(subject: Subject, study: StudyResult | None) -> pd.DataFrame:
    width = len(subject.space.variables)
    if study is None:
        from stom_ray.search.table import trial_table

        return _renamed(trial_table([], width).to_frame(), width)
    return _renamed(study.table.to_frame(), width)


def _renamed(frame: pd.DataFrame, width: int) -> pd.DataFrame:
    return frame.rename(columns={f"vars[{i}]": f"vars_{i}" for i in range(width)})


def _windows(forward: WalkForwardResult | None) -> list[Window]:
    if forward is None:
        return []
    return [
        {
            "scheme": forward.scheme,
            "train": _span(one.window.train),
            "valid": _span(one.window.valid),
            "test": _span(one.window.test),
            "best": one.best.values[0].tolist(),
            "train_objective": one.train.objective,
            "valid_objective": one.valid.objective if one.valid else math.nan,
            "test_objective": one.test.objective,
            "test_figures": _figures(one.test),
        }
        for one in forward.windows
    ]


def _figures(scored: WindowScore) -> dict[str, float]:
    return dict(zip(FIGURES, scored.figures.tolist(), strict=True))


def _span(days: np.ndarray) -> Sequence[int]:
    return [int(days[0]), int(days[-1]), len(days)] if len(days) else []


def _overfitting(study: StudyResult | None, best: Played | None) -> tuple[Overfitting | None, list[str]]:
    """Deflated Sharpe ratio of the searched winner on the days it was chosen on; what cannot be computed is said."""
    if study is None or best is None:
        return None, []
    daily = best.daily.to_numpy(dtype=np.float64)
    observed = float(sharpe(daily))
    found: Overfitting = {
        "n_trials": len(study.table),
        "sharpe": observed,
        "deflated_sharpe": math.nan,
        "expected_max_sharpe": math.nan,
        "min_backtest_length": math.nan,
        "days": len(daily),
    }
    try:
        deflated = deflated_sharpe_of(daily, study.table.sharpe)
        length = min_backtest_length(max(2, len(study.table)), observed * math.sqrt(DAYS_A_YEAR)) if observed > 0 else math.inf
    except ConfigError as error:
        return found, [f"no deflated Sharpe ratio: {error}"]
    found["deflated_sharpe"] = deflated.probability
    found["expected_max_sharpe"] = deflated.benchmark
    found["min_backtest_length"] = length
    return found, []


def _costs(subject: Subject) -> Costs:
    days = {str(cost_model(subject.engine.costs, int(day)).tax_rate): int(day) for day in subject.days}
    model = cost_model(subject.engine.costs, int(subject.days[-1]))
    taxes = ", ".join(f"{float(rate):.2%}" for rate in days)
    return {"name": subject.engine.costs, "rates": {"sell tax": taxes, "fee each way": f"{model.fee_rate:.3%}"}}


def _identity(subject: Subject, folder: Path) -> Identity:
    hashes = subject.hashes
    return {
        "data_hash": hashes["data"],
        "strategy_hash": hashes["strategy"],
        "config_id": subject.config.config_id(),
        "seed": subject.config.search.seed,
        "versions": {name: version(name) for name in PACKAGES},
        "command": f"stom-ray search {shlex.quote(str(folder / 'config.yaml'))} --resume",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _prices(selected: Panel, frame: pd.DataFrame) -> dict[tuple[str, int], pd.DataFrame]:
    """The sessions with the most money won or lost, to be drawn."""
    if frame.empty:
        return {}
    size = frame["profit_krw"].abs().groupby([frame["code"], frame["sell_time"] // 1_000_000]).sum()
    chosen = size.sort_values(ascending=False, kind="stable").index[:DRAWN_SESSIONS]
    found = {}
    for code, day in chosen:
        at = np.flatnonzero((selected.session_code == selected.codes.index(code)) & (selected.session_day == day))[0]
        rows = slice(int(selected.offsets[at]), int(selected.offsets[at + 1]))
        columns = {name: selected.column(name)[rows] for name in PRICE_COLUMNS if name != "clock"}
        found[(str(code), int(day))] = pd.DataFrame({"clock": selected.clock[rows], **columns})
    return found
