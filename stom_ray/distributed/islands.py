"""A study over Ray Tune: a trial is an island, a step is a batch.

The ledger stays the truth and is written by the driver alone. An island starts from what the ledger holds of it and posts each
batch it has scored to a mailbox, which the driver empties whenever Tune hands it a result; Tune's own state is never read again.
Which island asks for what depends on the configuration only, so the table is that of `search.study.Study` for any number of
workers.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ray import tune

from stom_ray.distributed.mailbox import Ended, post
from stom_ray.distributed.trial import Leg, ScoringTrial
from stom_ray.distributed.tuning import Driver, Subject, TuneJob
from stom_ray.engine.types import Floats, ParamMatrix
from stom_ray.search.island import Island
from stom_ray.search.ledger import Batch, Ledger
from stom_ray.search.progress import ProgressCallback
from stom_ray.search.space import take
from stom_ray.search.study import PRESENT, StudyConfig, StudyResult, open_ledger


@dataclass(frozen=True)
class Told:
    """Something an island was told: a batch it had asked for, or (keys None) rows from elsewhere."""

    params: ParamMatrix
    keys: list[bytes] | None
    marks: Floats


@dataclass(frozen=True)
class IslandsLeg(Leg):
    """histories: what each island has been told. until: number of the first batch not to be asked for, None = to the end."""

    histories: Mapping[int, list[Told]]
    until: int | None


class IslandTrial(ScoringTrial):
    """One island; a step asks, scores, posts and tells one batch."""

    leg: IslandsLeg

    def start(self, about: dict[str, Any]) -> None:
        number = about["island"]
        self._island = island_from(self.leg.config, number, self.leg.histories[number])

    def score_batch(self) -> dict[str, Any]:
        island, start = self._island, time.perf_counter()
        asked = island.ask()
        sampled = time.perf_counter() - start
        if asked is None:
            post(self.leg.mailbox, Ended(island.plan.number, island.ended or ""))
            return {"done": True}
        scores, found = self.scorer.score(take(asked.params, asked.rows), island.plan.number, asked.number)
        told = time.perf_counter()
        marks = island.known(asked, found)
        island.tell(asked.params, asked.keys, marks)
        sampled += time.perf_counter() - told
        self.send(
            island=island.plan.number,
            number=asked.number,
            source=island.sampler.source,
            params=asked.params,
            keys=asked.keys,
            marks=marks,
            rows=asked.rows,
            scores=scores,
            sampler_s=sampled,
        )
        return {"done": island.ended is not None or island.next_batch == self.leg.until, "best": island.best}


def run_islands(
    config: StudyConfig,
    subject: Subject,
    ledger: str | Path,
    *,
    workers: int,
    resume: bool = False,
    progress: ProgressCallback | None = None,
) -> StudyResult:
    """`Study.run` with every island a Tune trial, at most `workers` at once, in the Ray session that is open.

    Where islands share their best (`migrate_every`), they wait for each other at those borders. Raises as `Study.run`, and
    WorkerError when trials are lost again and again.
    """
    if config.halving is not None:
        config.halving.rungs(subject.days)
    with open_ledger(Path(ledger), config, subject.days, resume=resume) as book:
        driver = Driver(config, subject, book, workers, progress)
        stopped_by = driver.guarded(lambda: _to_the_end(driver))
        islands, _ = replay(config, book, driver.ended)
        return driver.result(stopped_by, tuple(island.ended for island in islands))


def _to_the_end(driver: Driver) -> str:
    driver.score_present()
    while True:
        islands, histories = replay(driver.config, driver.ledger, driver.ended)
        running = [island for island in islands if island.ended is None]
        if not running:
            return "done"
        if driver.time_is_up():
            return "time"
        every, until = driver.config.migrate_every, None
        if every:
            until = (min(island.next_batch for island in running) // every + 1) * every
            running = [island for island in running if island.next_batch < until]
        leg = IslandsLeg(driver.shipped, driver.config, driver.mailbox, histories, until)
        numbers = [island.plan.number for island in running]
        driver.tune(
            TuneJob(
                "islands", IslandTrial, {"leg": leg}, {"island": tune.grid_search(numbers)}, min(driver.workers, len(numbers))
            )
        )


def replay(config: StudyConfig, ledger: Ledger, ended: Mapping[int, str]) -> tuple[list[Island], dict[int, list[Told]]]:
    """The islands as the ledger left them, and what each was told, in the order of `Study.run`.

    ended: islands known to have nothing left to ask.
    """
    islands = [Island(plan) for plan in config.plans()]
    histories: dict[int, list[Told]] = {island.plan.number: [] for island in islands}
    present = ledger.batch(PRESENT, 0)
    assert present is not None
    best = Told(present.params, None, present.marks)
    _inform(islands, histories, best)
    waiting = False
    for number in range(1 + ledger.last_number):
        for island in islands:
            batch = ledger.batch(island.plan.number, number)
            if island.ended is None and batch is not None:
                told = _tell(island, histories, batch)
                best = _better(best, told)
            elif island.ended is None:
                island.ended = ended.get(island.plan.number)
                waiting = waiting or island.ended is None
        if config.migrate_every and (number + 1) % config.migrate_every == 0 and not waiting:
            _inform(islands, histories, best)
    for island in islands:
        island.ended = island.ended or ended.get(island.plan.number)
    return islands, histories


def island_from(config: StudyConfig, number: int, history: Sequence[Told]) -> Island:
    """An island that has been told all this."""
    island = Island(config.plans()[number])
    for told in history:
        if told.keys is None:
            island.inform(told.params, told.marks)
        else:
            island.tell(told.params, told.keys, told.marks)
    return island


def _tell(island: Island, histories: dict[int, list[Told]], batch: Batch) -> Told:
    told = Told(batch.params, batch.keys, batch.marks)
    island.tell(told.params, batch.keys, told.marks)
    histories[island.plan.number].append(told)
    return told


def _inform(islands: Sequence[Island], histories: dict[int, list[Told]], best: Told) -> None:
    if not np.isnan(best.marks[:, 0]).all():
        for island in islands:
            island.inform(best.params, best.marks)
            histories[island.plan.number].append(best)


def _better(best: Told, told: Told) -> Told:
    """The first row with the highest objective."""
    objective = told.marks[:, 0]
    if np.isnan(objective).all():
        return best
    row = int(np.nanargmax(objective))
    if np.isnan(best.marks[0, 0]) or objective[row] > best.marks[0, 0]:
        return Told(take(told.params, np.array([row])), None, told.marks[row : row + 1])
    return best
