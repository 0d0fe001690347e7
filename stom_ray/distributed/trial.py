"""What every Tune trial of a study is: an evaluator over the subject, and steps that score rows and post them."""

from __future__ import annotations

import time
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import ray
from ray import tune

from stom_ray.distributed.mailbox import Failed, Letter, post
from stom_ray.distributed.tuning import Subject
from stom_ray.errors import StomError
from stom_ray.search.evaluator import SerialEvaluator
from stom_ray.search.scoring import Scorer
from stom_ray.search.study import StudyConfig


@dataclass(frozen=True)
class Leg:
    """What every trial of one Tune run needs. subject: a reference to the `Subject`, put once a study."""

    subject: Any
    config: StudyConfig
    mailbox: Any


class ScoringTrial(tune.Trainable):
    """A subclass says what a trial is about (`start`) and scores one batch of it (`score_batch`)."""

    evaluator: SerialEvaluator
    scorer: Scorer
    leg: Leg

    @abstractmethod
    def start(self, about: dict[str, Any]) -> None:
        """Take up the trial that Tune describes with `about`; the process may have run another one before."""

    @abstractmethod
    def score_batch(self) -> dict[str, Any]:
        """Score, `send`, and tell Tune."""

    def setup(self, config: dict[str, Any], leg: Leg | None = None) -> None:
        assert leg is not None
        self.leg = leg
        subject: Subject = ray.get(leg.subject)
        self.evaluator = subject.evaluator()
        self.scorer = Scorer(leg.config.goal, leg.config.halving, leg.config.seed, self.evaluator)
        self.start(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """The same process goes on with another trial: kernel and data stay where they are."""
        self.start(new_config)
        return True

    def step(self) -> dict[str, Any]:
        self._began, self._kernel_before = time.perf_counter(), self.evaluator.kernel_s
        try:
            return self.score_batch()
        except StomError as error:
            post(self.leg.mailbox, Failed.of(error))
            raise

    def send(self, **scored: Any) -> None:
        """Post a `Letter` of these fields and the time since the step began."""
        wall_s, kernel_s = time.perf_counter() - self._began, self.evaluator.kernel_s - self._kernel_before
        post(self.leg.mailbox, Letter(wall_s=wall_s, kernel_s=kernel_s, how=self.evaluator.take_how(), **scored))

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Nothing: the ledger has it all."""
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing was saved."""
