"""What a run found, as a report wants it: a study and its walk-forward turned into frames."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from stom_ray.engine.types import ParamMatrix
from stom_ray.metrics.objectives import objective as objective_of
from stom_ray.reports.data import (
    PRICE_COLUMNS,
    Compared,
    Costs,
    Identity,
    Remark,
    ReportData,
    Scored,
    Window,
    empty_daily,
    empty_stress,
    empty_trades,
)
from stom_ray.reports.data import Searched as SearchedOver
from stom_ray.runs.counted import Counted
from stom_ray.runs.cross_validated import shown
from stom_ray.runs.evidence import Judged, Searched, Unseen, capital_of, compared, in_order, judge, winner_clusters
from stom_ray.runs.fronts import aims_of
from stom_ray.runs.played import Played, play, stitch
from stom_ray.runs.subject import Subject, title_of
from stom_ray.runs.winner import Winner
from stom_ray.schema.costs import cost_model
from stom_ray.search.base import FIGURES
from stom_ray.search.ledger import Ledger
from stom_ray.search.study import StudyResult, study_table
from stom_ray.search.table import trial_table
from stom_ray.store.panel import Panel
from stom_ray.validation.card import LEAST_DAYS
from stom_ray.validation.cross_validation import CrossValidation
from stom_ray.validation.walk_forward import Scored as WindowScore
from stom_ray.validation.walk_forward import WalkForwardResult, WindowResult

PACKAGES = ("stom-ray", "ray", "optuna", "numpy", "numba", "pandas", "pyarrow")
DRAWN_SESSIONS = 3


@dataclass(frozen=True)
class Found:
    """What is shown (`data`), and what the verdict rests on besides; None without anything to judge."""

    data: ReportData
    judged: Judged | None


def found(
    subject: Subject,
    folder: Path,
    study: StudyResult | None,
    forward: WalkForwardResult | None,
    counted: Counted,
    validated: CrossValidation | None = None,
) -> Found:
    """Everything the report shows; trades are run again from the rows that were chosen. Registers what was tried."""
    register = counted.end(study, forward, validated)
    table = study.table if study else None
    best_row = table.best(1) if table is not None else np.empty(0, dtype=np.int64)
    present = subject.space.present
    best = play(subject, table.rows(best_row)) if table is not None and len(best_row) else None
    now = play(subject, present)
    tested = now_tested = None
    if forward and forward.windows:
        tested, now_tested = _on_tests(subject, forward.windows)
    unseen = _unseen(subject, forward, tested, now_tested, counted)
    judged = None
    if study is not None and best is not None:
        winner = Winner(subject, study.table.rows(best_row), best, subject.selection)
        returns = in_order(study.daily, study.table)
        judged = judge(winner, Searched(study.study_id, returns, counted.among(study.days)), register, unseen, validated)
    elif study is None and forward and forward.windows:
        judged = judge(*_last_window(subject, folder, forward, counted), register, unseen)
    data = ReportData(
        title=title_of(subject.config),
        objective=subject.config.search.objective,
        betting=subject.engine.betting,
        identity=_identity(subject, folder),
        scripts={"buy": subject.texts["buy"], "sell": subject.texts["sell"], "ranges": subject.texts["ranges"]},
        searched=_searched(subject, study),
        costs=_costs(subject),
        trials=_trials(subject, study),
        aims=aims_of(subject, study),
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
        purge=subject.purge if forward else None,
        cross_validation=shown(subject, validated) if validated else None,
        card=judged.card if judged else None,
        compared=_compared(subject, (("searched", best, now), ("test", tested, now_tested))),
        capital=capital_of(judged.account) if judged else None,
        stress=judged.stress if judged else empty_stress(),
        clusters=winner_clusters(study) if study else pd.Series(dtype="int64"),
        warnings=_warnings(subject, study, forward),
        remarks=_remarks(subject, study, forward, validated),
        prices=_prices(subject.selection.selected, (tested or best or now).frame),
        names=dict(subject.selection.selected.names),
    )
    return Found(data, judged)


def _on_tests(subject: Subject, windows: Sequence[WindowResult]) -> tuple[Played, Played]:
    """What was chosen, and the present values, on the test days of these windows."""
    tests = [one.window.test for one in windows]
    present = [subject.space.present] * len(tests)
    return stitch(subject, tests, [one.best for one in windows]), stitch(subject, tests, present)


def _unseen(
    subject: Subject, forward: WalkForwardResult | None, tested: Played | None, now_tested: Played | None, counted: Counted
) -> Unseen | None:
    """None without test days, and where what was chosen failed on one. STOM's split has seen all but its last window's."""
    if forward is None or tested is None or now_tested is None or np.isnan(forward.daily_profit).any():
        return None
    if forward.scheme == "stom":
        tested, now_tested = _on_tests(subject, forward.windows[-1:])
    return Unseen(tested, now_tested, counted.among(tested.daily.index.to_numpy(dtype=np.int64)))


def _last_window(subject: Subject, folder: Path, forward: WalkForwardResult, counted: Counted) -> tuple[Winner, Searched]:
    """What it chose, on its train days."""
    last = forward.windows[-1]
    name = "stom" if forward.scheme == "stom" else f"window-{len(forward.windows):02d}"
    book = Ledger.read(folder / "walk-forward" / name / "ledger.bin")
    part = subject.on((int(book.days[0]), int(book.days[-1])))
    winner = Winner(subject, last.best, play(subject, last.best, part), part)
    returns = in_order(book.daily, study_table(subject.study_config(), book))
    return winner, Searched(book.study_id, returns, counted.among(book.days))


def _compared(subject: Subject, parts: Sequence[tuple[str, Played | None, Played | None]]) -> dict[str, Compared]:
    seed = subject.config.search.seed
    return {name: compared(chosen.daily, present.daily, seed) for name, chosen, present in parts if chosen and present}


def _warnings(subject: Subject, study: StudyResult | None, forward: WalkForwardResult | None) -> list[str]:
    warnings = [*subject.warnings, *(forward.warnings if forward else ())]
    if study and study.stopped_by != "done":
        warnings.append(f"the search was cut: {study.stopped_by}; {len(study.table):,} rows were scored")
    return warnings


def _remarks(
    subject: Subject, study: StudyResult | None, forward: WalkForwardResult | None, validated: CrossValidation | None
) -> list[Remark]:
    """Warnings that a report says in its reader's language."""
    told: list[Remark] = []
    if study and study.table.rungs:
        told.append(_pruned(study))
    sections = {"walk_forward": subject.purge if forward else None}
    if validated and subject.config.cross_validation:
        sections["cross_validation"] = subject.purge_of(subject.config.cross_validation)
    for section, purge in sections.items():
        if purge and purge["days"] < purge["needed"]:
            told.append(("remark_purge", {"section": section, "days": purge["days"], "needed": purge["needed"]}))
    judged = len(forward.windows[-1].window.train) if forward and forward.windows and study is None else LEAST_DAYS
    if judged < LEAST_DAYS:
        told.append(("remark_train_days", {"days": judged, "least": LEAST_DAYS, "all": len(subject.days)}))
    return told


def _pruned(study: StudyResult) -> Remark:
    check = study.table.prune_check()
    values = {"pruned": check.pruned, "rungs": ", ".join(map(str, study.table.rungs)), "days": len(study.days)}
    if not check.controls:
        return "remark_pruned", values
    alike = "-" if math.isnan(check.correlation) else f"{check.correlation:.2f}"
    return "remark_pruned_checked", values | {"controls": check.controls, "missed": check.missed, "alike": alike}


def _searched(subject: Subject, study: StudyResult | None) -> SearchedOver:
    return {
        "codes": len(subject.selection.selected.codes),
        "days": len(subject.days),
        "first_day": int(subject.days[0]),
        "last_day": int(subject.days[-1]),
        "ticks": subject.selection.selected.n_rows,
        "combinations": float(subject.space.size or math.inf),
        "seconds": study.wall_s if study else math.nan,
    }


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
    names = subject.space.names
    frame = (trial_table([], len(names)) if study is None else study.table).to_frame()
    # A report orders variables by their place and calls them by their names.
    shown = (f"vars_{i}" if name == f"vars[{i}]" else f"vars_{i}_{name}" for i, name in enumerate(names))
    return frame.rename(columns={f"vars[{i}]": name for i, name in enumerate(shown)})


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
