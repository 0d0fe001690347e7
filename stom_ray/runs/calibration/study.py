"""One study of a calibration: a market, the search and walk-forward of any run over it, the card, and days nobody has seen."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from stom_ray.config import RunConfig
from stom_ray.engine.types import Floats, ParamMatrix
from stom_ray.metrics.returns import sharpe
from stom_ray.runs.calibration.plan import DAYS, RULES, Case
from stom_ray.runs.counted import Counted
from stom_ray.runs.findings import found
from stom_ray.runs.subject import Subject, read_texts, subject_of
from stom_ray.runs.workplace import Workplace
from stom_ray.schema.columns import BOOK_COLUMNS
from stom_ray.search.evaluator import SerialEvaluator
from stom_ray.simulate.panel import simulated_panel
from stom_ray.store.load import data_hash, select
from stom_ray.store.panel import Panel, Selection
from stom_ray.validation.card import POWER, Card
from stom_ray.validation.overfitting import expected_max

COLUMNS = (
    "현재가", "시가", "고가", "저가", "등락율", "당일거래대금", "체결강도", "초당매수수량", "초당매도수량", "초당거래대금",
    "고저평균대비등락율", "시가총액", "VI해제시간", "VI가격", "VI호가단위", "관심종목", *BOOK_COLUMNS,
)  # fmt: skip
SEARCH = {"sampler": "two_stage", "evaluations": 500, "islands": 1, "batch": 100, "options": {"wide": 300, "modelled": 4}}
WALK_FORWARD = {"scheme": "anchored", "train_days": 45, "valid_days": 10, "test_days": 15}
ACCOUNT = {"cash": 10_000_000, "max_holdings": 8}
Finding = dict[str, Any]


def run_case(case: Case) -> Finding:
    """As JSON data, a function of the case alone but for `seconds`.

    believed: the card passes. profit, earned: KRW of the winner on the searched and on the fresh days. unit: the Sharpe ratio
    that size 1 stands for, with this study's trials. sharpe: per day. rule: of the planted rule over searched and fresh days,
    [days, sum, sum of squares] of its daily profit; None without an edge. checks: name -> [standing, value]. NaN is None.
    """
    started = time.perf_counter()
    panel = simulated_panel(case.market(), COLUMNS)
    panel = replace(panel, identity=data_hash(panel))
    days = panel.days
    whole, fresh = (select(panel, days=(int(part[0]), int(part[-1]))) for part in (days[:DAYS], days[DAYS:]))
    with tempfile.TemporaryDirectory(prefix="stom-ray-calibrate-") as scratch:
        subject = _subject(case, whole)
        verdict, winner, profits = _judged(subject, Path(scratch) / "run")
    fresh_profit = _daily(subject, fresh, winner)[0]
    unit = (expected_max(verdict.effective) + POWER) / np.sqrt(len(profits["winner"]))
    return {
        "kind": case.kind,
        "size": case.size,
        "number": case.number,
        "free": case.free,
        "standing": verdict.standing,
        "believed": verdict.standing == "pass",
        "earned": float(fresh_profit.sum()),
        "profit": float(profits["winner"].sum()),
        "trials": verdict.n_trials,
        "effective": verdict.effective,
        "unit": unit,
        "sharpe": {name: _ratio(daily) for name, daily in {**profits, "fresh": fresh_profit}.items()},
        "rule_number": None if case.rule is None else RULES.index(case.rule),
        "rule": _rule(case, subject, panel),
        "checks": {check.name: [check.standing, _number(check.value)] for check in verdict.checks},
        "seconds": time.perf_counter() - started,
    }


def _subject(case: Case, selection: Selection) -> Subject:
    """As if a configuration file had named a database with these rows."""
    folder = files("stom_ray.runs.calibration").joinpath("strategy")
    scripts = {"buy": "buy.txt", "sell": "sell.txt", "ranges": "vars.txt"}
    config = RunConfig.model_validate(
        {
            "data": {"path": case.name},
            "strategy": {part: str(folder.joinpath(name)) for part, name in scripts.items()},
            "engine": {"costs": case.costs},
            "search": {**SEARCH, "seed": case.seed},
            "walk_forward": WALK_FORWARD,
            "account": ACCOUNT,
            "execution": {"backend": "serial", "workers": 1},
        }
    )
    return subject_of(config, read_texts(config), selection)


def _judged(subject: Subject, folder: Path) -> tuple[Card, ParamMatrix, Mapping[str, Floats]]:
    """The card, the winner, and daily profit (KRW) of the winner and of what was chosen on days it had not seen."""
    counted = Counted(subject, folder)
    with Workplace(subject) as place:
        counted.begin(subject.study_config().study_id, folder / "search" / "ledger.bin", subject.days)
        study = place.search(folder, resume=False, say=_silent)
        forward = place.walk_forward(folder, resume=False, say=_silent, study=counted.beginning(place.study))
    judged = found(subject, folder, study, forward, counted).judged
    assert judged is not None  # two hundred rows of these ranges trade on any market
    best = study.table.best(1)
    daily = np.asarray(study.daily[study.table.daily_row[best[0]]], dtype=np.float64)
    return judged.card, study.table.rows(best), {"winner": daily, "unseen": forward.daily_profit}


def _rule(case: Case, subject: Subject, panel: Panel) -> list[float] | None:
    if case.rule is None:
        return None
    row = ParamMatrix.from_rows([case.rule.row])
    daily = _daily(subject, select(panel), row)[0]
    return [len(daily), float(daily.sum()), float((daily**2).sum())]


def _daily(subject: Subject, selection: Selection, row: ParamMatrix) -> Floats:
    return SerialEvaluator(subject.strategy, selection, subject.engine).evaluate(row).daily_profit


def _ratio(daily: Floats) -> float | None:
    return _number(float(sharpe(daily)))


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _silent(_: str) -> None:
    """A calibration tells of whole studies."""
