"""A run's own entries in the register: its studies before they are searched, their rows afterwards, and its look at test days."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Literal

from stom_ray.engine.types import Ints
from stom_ray.runs.register import Days, Register, day_digests, read_register, register_look, register_study
from stom_ray.runs.subject import Subject
from stom_ray.search.file_lock import FileLock
from stom_ray.search.ledger import Ledger
from stom_ray.search.progress import ProgressCallback
from stom_ray.search.study import StudyConfig, StudyResult
from stom_ray.validation.cross_validation import CrossValidation
from stom_ray.validation.walk_forward import DayEvaluator, RunStudy, WalkForwardResult


class Counted:
    """Of the run in `folder`. Every method raises LedgerError when the register is damaged or cannot be written."""

    def __init__(self, subject: Subject, folder: Path) -> None:
        self.subject, self.folder = subject, folder
        self._data = subject.hashes["data"]

    @cached_property
    def days(self) -> Days:
        """Every selected trading day with its digest."""
        return day_digests(self.subject.selection.selected)

    def among(self, days: Ints) -> Days:
        """These of them (yyyymmdd); one without rows of its own has an empty digest."""
        return {int(day): self.days.get(int(day), "") for day in days}

    def begin(self, study: str, ledger: Path, days: Ints) -> None:
        """Before the first row is scored: a study that dies was tried as well. LedgerError, and nothing is written, while another
        process writes its ledger."""
        if ledger.exists():
            FileLock(ledger).release()
        register_study(self.folder, self._data, study, ledger, 0, self.among(days))

    def beginning(self, run: RunStudy) -> RunStudy:
        """The same studies, each registered before it runs."""

        def counted(
            config: StudyConfig, evaluator: DayEvaluator, ledger: Path, resume: bool, progress: ProgressCallback | None
        ) -> StudyResult:
            self.begin(config.study_id, ledger, evaluator.days)
            return run(config, evaluator, ledger, resume, progress)

        return counted

    def end(
        self, study: StudyResult | None, forward: WalkForwardResult | None, validated: CrossValidation | None = None
    ) -> Register:
        """Rows of every study, and the looks: before anyone sees what the test days say. Returns all that is registered."""
        if study is not None:
            ledger = self.folder / "search" / "ledger.bin"
            register_study(self.folder, self._data, study.study_id, ledger, len(study.table), self.among(study.days))
        for path in [*self._ledgers("walk-forward"), *self._ledgers("cross-validation")]:
            book = Ledger.read(path)
            register_study(self.folder, self._data, book.study_id, path, len(book), self.among(book.days))
        if forward is not None and forward.windows:
            register_look(self.folder, self._data, self._look(), self.among(forward.days))
        if validated is not None and validated.result.folds:
            register_look(self.folder, self._data, self._look("cross_validation"), self.among(validated.tested))
        return read_register(self.folder)

    def _ledgers(self, part: str) -> list[Path]:
        return sorted(self.folder.glob(f"{part}/*/ledger.bin"))

    def _look(self, part: Literal["walk_forward", "cross_validation"] = "walk_forward") -> str:
        """One for a walk-forward, and for all folds of a cross-validation, however often it is resumed; another budget, or other
        windows or folds, look again."""
        config = self.subject.config
        section = config.walk_forward if part == "walk_forward" else config.cross_validation
        settings = section.model_dump(mode="json") if section else {}
        budget = [config.search.evaluations, config.search.patience]
        named = [] if part == "walk_forward" else [part]
        text = json.dumps([*named, self.subject.study_config().study_id, settings, budget], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]
