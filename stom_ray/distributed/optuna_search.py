"""Plain OptunaSearch: one candidate a Tune trial, for comparison and for candidates that take minutes each.

Which row is asked for depends on the order in which trials end, so unlike islands the table differs from run to run; what was
scored is in the ledger all the same, and a resumed study tells it to Optuna first.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import ray
from optuna.distributions import BaseDistribution, IntDistribution
from ray import tune
from ray.tune.search.optuna import OptunaSearch

from stom_ray.distributed.mailbox import Failed, Letter, post
from stom_ray.distributed.tuning import Driver, Subject, TuneJob
from stom_ray.engine.types import Floats
from stom_ray.errors import ConfigError, StomError
from stom_ray.search.progress import ProgressCallback
from stom_ray.search.space import Space, parameter_keys
from stom_ray.search.study import StudyConfig, StudyResult, open_ledger, score_rows
from stom_ray.search.tpe_sampler import distributions

METRIC = "objective"


@dataclass(frozen=True)
class Leg:
    """What every trial needs. subject: a reference to the `Subject`."""

    subject: Any
    config: StudyConfig
    mailbox: Any


class CandidateTrial(tune.Trainable):
    """One parameter row, scored in one step."""

    def setup(self, config: dict[str, Any], leg: Leg | None = None) -> None:
        assert leg is not None
        self._leg = leg
        subject: Subject = ray.get(leg.subject)
        self._evaluator = subject.evaluator()
        self._positions = config

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._positions = new_config
        return True

    def step(self) -> dict[str, Any]:
        try:
            return self._step()
        except StomError as error:
            post(self._leg.mailbox, Failed.of(error))
            raise

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Nothing: the ledger has it all."""
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing was saved."""

    def _step(self) -> dict[str, Any]:
        start, kernel = time.perf_counter(), self._evaluator.kernel_s
        params = self._leg.config.space.decode(positions_of(self._leg.config.space, self._positions))
        scores = score_rows(self._evaluator, self._leg.config.goal, params)
        letter = Letter(
            island=0,
            number=None,
            source="optuna",
            params=params,
            keys=parameter_keys(params),
            rows=np.zeros(1, dtype=np.int64),
            scores=scores,
            wall_s=time.perf_counter() - start,
            kernel_s=self._evaluator.kernel_s - kernel,
            sampler_s=0.0,
        )
        post(self._leg.mailbox, letter)
        found = float(scores.objective[0])
        return {"done": True} if np.isnan(found) else {"done": True, METRIC: found}


def run_optuna_search(
    config: StudyConfig,
    subject: Subject,
    ledger: str | Path,
    *,
    workers: int,
    resume: bool = False,
    progress: ProgressCallback | None = None,
) -> StudyResult:
    """Optuna's TPE through `ray.tune.search.optuna`, in the Ray session that is open; config.sampler must be "optuna".

    evaluations are trials, a row that Optuna asks for again counts again (and is scored again, but recorded once). Raises as
    `distributed.islands.run_islands`; ConfigError for another sampler, or a space with nothing to vary.
    """
    if config.sampler != "optuna":
        raise ConfigError(f"sampler is {config.sampler}: plain OptunaSearch is for sampler optuna")
    kinds = distributions(config.space)
    if not kinds:
        raise ConfigError("every variable has one value only: there is nothing to search")
    with open_ledger(Path(ledger), config, resume=resume) as book:
        driver = Driver(config, subject, book, workers, progress)
        stopped_by = driver.guarded(lambda: _to_the_end(driver, kinds))
        return driver.result(stopped_by, ("evaluations" if stopped_by == "done" else None,))


def _to_the_end(driver: Driver, kinds: Mapping[str, BaseDistribution]) -> str:
    driver.score_present()
    while (left := driver.config.evaluations - driver.batches_of(0)) > 0:
        if driver.time_is_up():
            return "time"
        leg = Leg(driver.shipped, driver.config, driver.mailbox)
        driver.tune(TuneJob("optuna", CandidateTrial, {"leg": leg}, {}, driver.workers, _searcher(driver, kinds), left))
    return "done"


def _searcher(driver: Driver, kinds: Mapping[str, BaseDistribution]) -> OptunaSearch:
    """Told everything in the ledger that lies in the space; seeded anew for every run over Tune."""
    points, rewards = [], []
    for batch in driver.ledger.batches:
        positions = driver.config.space.encode(batch.params)
        for row, score in zip(positions, driver.ledger.objective(batch.keys), strict=True):
            if not np.isnan(row).any() and not np.isnan(score):
                points.append({name: _native(row[int(name)], kind) for name, kind in kinds.items()})
                rewards.append(float(score))
    sampler = optuna.samplers.TPESampler(seed=driver.config.seed + len(points))
    return OptunaSearch(
        dict(kinds), metric=METRIC, mode="max", sampler=sampler, points_to_evaluate=points, evaluated_rewards=rewards
    )


def _native(position: float, kind: BaseDistribution) -> int | float:
    return int(position) if isinstance(kind, IntDistribution) else float(position)


def positions_of(space: Space, suggested: Mapping[str, int | float]) -> Floats:
    """(1, n_vars) positions; variables that Optuna was not asked about have one value."""
    positions = np.zeros((1, len(space.variables)))
    for name, position in suggested.items():
        positions[0, int(name)] = position
    return positions
