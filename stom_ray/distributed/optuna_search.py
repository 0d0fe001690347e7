"""Plain OptunaSearch: one candidate a Tune trial, for comparison and for candidates that take minutes each.

Which row is asked for depends on the order in which trials end, so unlike islands the table differs from run to run; what was
scored is in the ledger all the same, and a resumed study tells it to Optuna first.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from ray.tune.search.optuna import OptunaSearch

from stom_ray.distributed.trial import Leg, ScoringTrial
from stom_ray.distributed.tuning import Driver, Subject, TuneJob
from stom_ray.engine.types import Floats
from stom_ray.errors import ConfigError
from stom_ray.search.progress import ProgressCallback
from stom_ray.search.space import Space, parameter_keys
from stom_ray.search.study import StudyConfig, StudyResult, open_ledger
from stom_ray.search.tpe_sampler import distributions

METRIC = "objective"


class CandidateTrial(ScoringTrial):
    """One parameter row, scored in one step."""

    def start(self, about: dict[str, Any]) -> None:
        self._positions = about

    def score_batch(self) -> dict[str, Any]:
        space = self.leg.config.space
        params = space.decode(positions_of(space, self._positions))
        scores, marks = self.scorer.score(params, 0, 0)
        self.send(
            island=0,
            number=None,
            source="optuna",
            params=params,
            keys=parameter_keys(params),
            marks=marks,
            rows=np.zeros(1, dtype=np.int64),
            scores=scores,
            sampler_s=0.0,
        )
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
    with open_ledger(Path(ledger), config, subject.days, resume=resume) as book:
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
        for row, score in zip(positions, batch.marks[:, 0], strict=True):
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
