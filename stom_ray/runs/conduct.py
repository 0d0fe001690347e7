"""A run from its configuration to its report."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stom_ray.config import RunConfig
from stom_ray.engine.plans import HowRun
from stom_ray.errors import ConfigError
from stom_ray.reports import write_report
from stom_ray.reports.data import ReportData
from stom_ray.reports.phrases import Phrases
from stom_ray.reports.sections import variable_name
from stom_ray.reports.tables import winners
from stom_ray.runs.counted import Counted
from stom_ray.runs.cross_validated import check, cross_lines, cross_validation, recorded
from stom_ray.runs.files import as_json, plain, write_text
from stom_ray.runs.findings import found
from stom_ray.runs.fronts import front_json, front_lines
from stom_ray.runs.structured import FoundScripts, write_found
from stom_ray.runs.subject import free_folder, kept_config, open_subject, refuse_others, run_folder, script_files
from stom_ray.runs.workplace import NO_WALK_FORWARD, Say, Workplace
from stom_ray.search.study import StudyResult
from stom_ray.validation.account import in_words
from stom_ray.validation.cross_validation import CrossValidation
from stom_ray.validation.walk_forward import WalkForwardResult

MOST_WINNERS = 50


@dataclass(frozen=True)
class RunOutcome:
    """What a search or walk-forward left behind.

    data: everything the report shows, the verdict card too. report: the HTML file. study_id: of the search, "" without one.
    capital: what the result stands on, in words. stopped_by: "done", "time" or "interrupted". how: backend and plans of the rows
    that were scored, None when none were. structure: what a search over structure found, as scripts.
    """

    folder: Path
    report: Path
    data: ReportData
    study_id: str
    capital: str
    stopped_by: str
    seconds: dict[str, float]
    how: HowRun | None = None
    structure: FoundScripts | None = None

    @property
    def table(self) -> pd.DataFrame:
        """Every scored row: trial, island, source, vars_i, the figures, objective, failed, reason."""
        return self.data.trials

    def to_json(self) -> dict[str, Any]:
        data = self.data
        record = {
            "folder": str(self.folder),
            "report": str(self.report),
            "identity": dict(data.identity),
            "study_id": self.study_id,
            "searched": dict(data.searched),
            "evaluations": len(self.table),
            "objective": data.objective,
            "objectives": list(data.objectives) or None,
            "front": front_json(data),
            "present": data.now,
            "best": data.best,
            "test": data.test,
            "present_on_test": data.now_test,
            "walk_forward": list(data.walk_forward),
            "purge": data.purge,
            "cross_validation": data.cross_validation,
            "card": None if data.card is None else data.card.to_json(),
            "present_compared": dict(data.compared),
            "winners": _winners(data),
            "structure": None if self.structure is None else self.structure.to_json(),
            "stress": data.stress.to_dict("records"),
            "stopped_by": self.stopped_by,
            "capital": "unlimited" if data.capital is None else dict(data.capital),
            "seconds": self.seconds,
            "warnings": self._warnings(),
            "how": None if self.how is None else self.how.to_json(),
        }
        return {name: plain(value) for name, value in record.items()}

    def _warnings(self) -> list[str]:
        return [*self.data.warnings, *(Phrases("en").say(key, **values) for key, values in self.data.remarks)]

    def render(self) -> str:
        data = self.data
        lines = [f"warning: {text}" for text in self._warnings()]
        if len(self.table):
            lines.append(f"{len(self.table):,} rows scored in {self.seconds.get('search', 0.0):,.1f} s ({self.stopped_by})")
        for name, scored in (("present", data.now), ("best", data.best)):
            if scored is not None:
                values = ", ".join(f"{value:g}" for value in scored["values"])
                shown = f"self.vars = [{values}]" if self.structure is None else _named(data, scored["values"])
                lines.append(f"{name:<9} {data.objective} {scored['objective']:>16,.10g}   {shown}".rstrip())
        lines += front_lines(data)
        if self.structure is not None:
            lines.append(self.structure.render())
        for window in data.walk_forward:
            lines.append(
                f"train {window['train'][0]}-{window['train'][1]} {window['train_objective']:>14,.10g}   "
                f"test {window['test'][0]}-{window['test'][1]} {window['test_objective']:>14,.10g}"
            )
        if data.purge is not None:
            lines.append(f"purge     {data.purge['days']} before each evaluated block; needed are {data.purge['reason']}")
        if data.cross_validation is not None:
            lines += cross_lines(data.cross_validation)
        if self.how is not None:
            lines.append(self.how.render())
        lines.append(f"capital   {self.capital}")
        verdict = "verdict   nothing could be judged" if data.card is None else data.card.render()
        return "\n".join([*lines, verdict, f"report    {self.report}"])


def _named(data: ReportData, values: Sequence[float]) -> str:
    """Of a row, the values of variables that have a name: entry_from 90100, exit_at 91500."""
    shown = zip(map(variable_name, data.variables), values, strict=False)  # a run without trials has no variables
    return ", ".join(f"{name} {value:g}" for name, value in shown if not name.startswith("vars["))


def _winners(data: ReportData) -> list[dict[str, Any]]:
    """The best trial of each cluster; alike: how many of the best behave so."""
    best = winners(data.trials, data.variables, data.clusters).head(MOST_WINNERS)
    return [
        {
            "trial": int(row["trial"]),
            "alike": int(row["alike"]),
            "objective": float(row["objective"]),
            "values": [float(row[name]) for name in data.variables],
        }
        for row in best.to_dict("records")
    ]


def conduct(config: RunConfig, *, resume: bool, say: Say, search: bool = True) -> RunOutcome:
    """Search (unless told not to), walk forward and, after a search, cross-validate where the configuration asks for it, report.

    Raises StomError. Ctrl-C inside a study ends it at a batch border, with a report of what there is.
    """
    free_folder(config, resume=resume)
    if not search and config.walk_forward is None:
        raise ConfigError(NO_WALK_FORWARD)
    subject = open_subject(config)
    if search and config.cross_validation is not None:
        check(subject)
    folder = run_folder(subject, resume=resume)
    counted = Counted(subject, folder)
    seconds: dict[str, float] = {}
    study: StudyResult | None = None
    forward: WalkForwardResult | None = None
    validated: CrossValidation | None = None
    with script_files(config).in_errors(), Workplace(subject) as place:
        if search:
            started = time.perf_counter()
            counted.begin(subject.study_config().study_id, folder / "search" / "ledger.bin", subject.days)
            study = place.search(folder, resume=resume, say=say)
            seconds["search"] = time.perf_counter() - started
        going_on = study is None or study.stopped_by != "interrupted"
        if going_on and (config.walk_forward is not None or not search):
            started = time.perf_counter()
            forward = place.walk_forward(folder, resume=resume, say=say, study=counted.beginning(place.study))
            seconds["walk_forward"] = time.perf_counter() - started
            going_on = forward.stopped_by != "interrupted"
        if going_on and search and config.cross_validation is not None:
            started = time.perf_counter()
            validated = cross_validation(place, folder, resume=resume, say=say, study=counted.beginning(place.study))
            seconds["cross_validation"] = time.perf_counter() - started
    return _finish(counted, study, forward, validated, seconds, place.how)


def report_again(folder: str | Path, language: str) -> RunOutcome:
    """The report of a run, made again from its folder; nothing is searched. Raises ConfigError when no run is in there."""
    place = Path(folder)
    if not (place / "config.yaml").exists():
        raise ConfigError(f"{folder}: no run in there (config.yaml is missing). Give the folder that `stom-ray search` named")
    config = kept_config(place)
    execution = config.execution.model_copy(update={"language": language, "backend": "serial"})
    subject = open_subject(config.model_copy(update={"execution": execution}))
    refuse_others(subject, place)
    before = read_result(place / "result.json")
    with Workplace(subject) as workplace:
        stopped_by, seconds = str(before.get("stopped_by", "interrupted")), dict(before.get("seconds", {}))
        study = workplace.recorded(place, stopped_by, float(seconds.get("search", 0.0)))
        windows = len(before.get("walk_forward", ()))
        forward = workplace.walk_forward_recorded(place, windows, stopped_by) if windows else None
        folds = len((before.get("cross_validation") or {}).get("folds", ()))
        validated = recorded(workplace, place, folds, stopped_by) if folds else None
    return _finish(Counted(subject, place), study, forward, validated, seconds, HowRun.of_json(before.get("how")))


def read_result(path: Path) -> dict[str, Any]:
    """result.json of a run that reached its report; empty when there is none.

    ConfigError when it is damaged: it alone says how many windows and folds were completed.
    """
    try:
        record = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        record = error
    if not isinstance(record, dict):
        why = record if isinstance(record, Exception) else "no record in there"
        raise ConfigError(
            f"{path}: damaged or cut off ({why}): restore a copy, search again with --resume, which writes it anew, or delete it "
            "for a report without walk-forward and cross-validation"
        )
    return record


def _finish(
    counted: Counted,
    study: StudyResult | None,
    forward: WalkForwardResult | None,
    validated: CrossValidation | None,
    seconds: dict[str, float],
    how: HowRun | None,
) -> RunOutcome:
    started = time.perf_counter()
    subject, folder = counted.subject, counted.folder
    all_found = found(subject, folder, study, forward, counted, validated)
    data, judged = all_found.data, all_found.judged
    language = subject.config.execution.language
    paths = write_report(data, folder / "report", lang=language)
    results = (study, forward, None if validated is None else validated.result)
    stops = [result.stopped_by for result in results if result is not None]
    outcome = RunOutcome(
        folder=folder,
        report=paths.html,
        data=data,
        study_id=study.study_id if study else "",
        capital=in_words(judged.account if judged else None),
        stopped_by=next((stop for stop in stops if stop != "done"), "done"),
        seconds={**seconds, "report": time.perf_counter() - started},
        how=how,
        structure=write_found(subject, folder, study.table if study else None),
    )
    write_text(folder / "result.json", as_json(outcome.to_json()))
    return outcome
