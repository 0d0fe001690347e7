"""What every study over Ray Tune shares: the subject, the ledger at the driver, the mailbox, and Tune kept on a short leash."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ray import get, put, tune

from stom_ray.conditions.ir import Strategy
from stom_ray.distributed.mailbox import Ended, Failed, Letter, open_mailbox
from stom_ray.distributed.session import gpus_of_session, scratch_folder
from stom_ray.distributed.shipping import portable
from stom_ray.engine.plans import HowRun
from stom_ray.engine.types import EngineConfig, Ints
from stom_ray.errors import ConfigError, WorkerError
from stom_ray.metrics.batch import trading_days
from stom_ray.metrics.stom import Fold
from stom_ray.search.evaluator import Backend, SerialEvaluator
from stom_ray.search.ledger import Ledger
from stom_ray.search.progress import Meter, ProgressCallback
from stom_ray.search.scoring import score_rows
from stom_ray.search.space import parameter_keys
from stom_ray.search.study import PRESENT, StudyConfig, StudyResult, study_table
from stom_ray.store.panel import Selection

ATTEMPTS = 4
TUNE_SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
}


@dataclass(frozen=True)
class Subject:
    """What is scored: the arguments of `SerialEvaluator`. With backend cuda every trial has a GPU of its own."""

    strategy: Strategy
    selection: Selection
    engine: EngineConfig
    backend: Backend = "auto"
    folds: tuple[Fold, ...] = ()
    max_memory: int | None = None

    @property
    def days(self) -> Ints:
        """Trading days of the selection, the columns of `daily_profit`."""
        return trading_days(self.selection.selected)

    def evaluator(self) -> SerialEvaluator:
        settings: dict[str, Any] = {"backend": self.backend, "folds": self.folds, "max_memory": self.max_memory}
        return SerialEvaluator(self.strategy, self.selection, self.engine, **settings)

    def to_ship(self) -> Subject:
        """With nothing in the selection but what is read."""
        return replace(self, selection=portable(self.selection, self.strategy, self.engine))


@dataclass(frozen=True)
class TuneJob:
    """One `Tuner.fit`. parameters reach the trainable's `setup` through the object store. searcher: None = `space`'s grid."""

    name: str
    trainable: type
    parameters: Mapping[str, Any]
    space: Mapping[str, Any]
    concurrent: int
    searcher: Any = None
    samples: int = 1


class Driver:
    """The process that owns the ledger while trials run elsewhere. `ended`: islands that said they have nothing left to ask."""

    def __init__(
        self, config: StudyConfig, subject: Subject, ledger: Ledger, workers: int, progress: ProgressCallback | None
    ) -> None:
        if workers < 1:
            raise ConfigError(f"workers is {workers}: expected at least 1")
        if subject.backend == "cuda" and gpus_of_session() == 0:
            raise ConfigError("kernel cuda: no node of the Ray session has a GPU; take kernel cpu, or a cluster with one")
        self.config, self.ledger, self.workers = config, ledger, workers
        self.subject = subject.to_ship()
        self.shipped = put(self.subject)
        self.ended: dict[int, str] = {}
        self.mailbox = open_mailbox()
        self._ticks = subject.selection.selected.n_rows
        self._progress = progress
        self._meter = Meter()
        self._attempts = 0
        self._how: HowRun | None = None
        self._best: tuple[float, tuple[float, ...]] | None = None
        for batch in ledger.batches:
            self._remember_best(batch.scores.objective, batch.params.values[batch.scored])

    def guarded(self, work: Callable[[], str]) -> str:
        """Why `work` stopped; Ctrl-C is "interrupted", and letters that had arrived are still recorded."""
        stopped_by = "interrupted"
        with contextlib.suppress(KeyboardInterrupt):
            stopped_by = work()
        self.collect()
        return stopped_by

    def batches_of(self, island: int) -> int:
        """How many batches of an island are recorded."""
        return self.ledger.batches_of(island)

    def time_is_up(self) -> bool:
        return self.config.time_limit_s is not None and self._meter.elapsed_s >= self.config.time_limit_s

    def score_present(self) -> None:
        """The user's own values, scored here, once."""
        if self.ledger.has_batch(PRESENT, 0):
            return
        # Here is a processor whatever the islands have, and kernels are equal to the last bit.
        params, evaluator = self.config.space.present, replace(self.subject, backend="auto").evaluator()
        scores = score_rows(evaluator, self.config.goal, params, rungs=len(self.config.rungs))
        keys, row = parameter_keys(params), np.zeros(1, dtype=np.int64)
        spent, how = evaluator.kernel_s, evaluator.how
        self._record(Letter(PRESENT, 0, "present", params, keys, scores.marks, row, scores, spent, spent, 0.0, how))

    def tune(self, job: TuneJob) -> None:
        """Run it. Trials that die are left for the next call; WorkerError when `ATTEMPTS` calls in a row recorded nothing.

        Ctrl-C ends all trials, then raises KeyboardInterrupt; a second one does not wait for them.
        """
        before = len(self.ledger.batches), len(self.ended)
        folder = scratch_folder()
        try:
            with _tune_settings(), _stop_on_ctrl_c() as stop:
                collector = _Collector(self, stop)
                results = self._tuner(job, folder, stop, collector).fit()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if collector.error is not None:
            raise collector.error
        self.collect()
        if stop.asked:
            raise KeyboardInterrupt
        self._attempts = 0 if (len(self.ledger.batches), len(self.ended)) != before else self._attempts + 1
        if self._attempts >= ATTEMPTS:
            why = next((str(error) for error in results.errors), "no batch came back")
            raise WorkerError(f"{ATTEMPTS} runs over Ray Tune in a row scored nothing: {why}")

    def collect(self) -> None:
        """Empty the mailbox into the ledger. Raises what an island's engine raised."""
        for letter in get(self.mailbox.collect.remote()):
            if isinstance(letter, Failed):
                raise letter.to_error()
            if isinstance(letter, Ended):
                self.ended[letter.island] = letter.reason
            else:
                self._record(letter)

    def result(self, stopped_by: str, ended: tuple[str | None, ...]) -> StudyResult:
        wall = max(self._meter.elapsed_s, 1e-9)
        return StudyResult(
            study_id=self.ledger.study_id,
            table=study_table(self.config, self.ledger),
            ended=ended,
            stopped_by=stopped_by,
            scored_now=self._meter.scored,
            cut_bytes=self.ledger.cut_bytes,
            wall_s=wall,
            kernel=min(1.0, self._meter.kernel_s / wall),
            sampler=min(1.0, self._meter.sampler_s / wall),
            daily=self.ledger.daily,
            days=self.ledger.days,
            how=self._how,
        )

    def _tuner(self, job: TuneJob, folder: str, stop: _Stop, collector: _Collector) -> Any:
        left = None if self.config.time_limit_s is None else max(1e-3, self.config.time_limit_s - self._meter.elapsed_s)
        needs: dict[str, float] = {"cpu": 1, "gpu": int(self.subject.backend == "cuda")}
        trainable = tune.with_resources(tune.with_parameters(job.trainable, **job.parameters), needs)
        return tune.Tuner(
            trainable,
            param_space=dict(job.space),
            tune_config=tune.TuneConfig(
                reuse_actors=True,
                max_concurrent_trials=job.concurrent,
                search_alg=job.searcher,
                num_samples=job.samples,
                time_budget_s=left,
            ),
            run_config=tune.RunConfig(name=job.name, storage_path=folder, verbose=0, stop=stop, callbacks=[collector]),
        )

    def _record(self, letter: Letter) -> None:
        number = self.batches_of(letter.island) if letter.number is None else letter.number
        batch = self.ledger.append(
            letter.island,
            number,
            letter.source,
            letter.params,
            letter.keys,
            letter.marks,
            letter.rows,
            letter.scores,
            letter.wall_s,
        )
        if batch is None:
            return
        self._meter.scored += len(batch.scores)
        self._meter.kernel_s += letter.kernel_s / self.workers
        self._meter.sampler_s += letter.sampler_s / self.workers
        self._how = letter.how if self._how is None else self._how.and_then(letter.how)
        self._remember_best(batch.scores.objective, batch.params.values[batch.scored])
        if self._progress is not None:
            planned = max(len(self.ledger), self.config.evaluations + 1)
            self._progress(self._meter.progress(len(self.ledger), planned, self._best, self._ticks, self.ledger.pruned))

    def _remember_best(self, objective: Any, values: Any) -> None:
        if len(objective) and not np.isnan(objective).all():
            row = int(np.nanargmax(objective))
            if self._best is None or objective[row] > self._best[0]:
                self._best = (float(objective[row]), tuple(values[row].tolist()))


class _Collector(tune.Callback):
    """Empties the mailbox whenever Tune has a result. Tune would bury what that raises: it is kept, and the run stopped."""

    def __init__(self, driver: Driver, stop: _Stop) -> None:
        self._driver, self._stop = driver, stop
        self.error: Exception | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Tune writes its callbacks down at every fit, to restore them as nobody does here: the driver, with the ledger and the
        # user's own progress callback, cannot be written and need not be.
        return {}

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
        if self.error is None:
            try:
                self._driver.collect()
            except Exception as error:
                self.error, self._stop.asked = error, True


class _Stop(tune.Stopper):
    """Ends the run when it is asked to; Tune then takes its actors down, which after a bare KeyboardInterrupt it does not."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self.asked


@contextlib.contextmanager
def _stop_on_ctrl_c() -> Iterator[_Stop]:
    """The first Ctrl-C asks to stop, the second is as it was before. Outside the main thread nothing changes."""
    stop = _Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: Any) -> None:
        stop.asked = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _tune_settings() -> Iterator[None]:
    """Tune reads these from the environment; it is put back afterwards. Nor shall it miss result files it may not write."""
    logging.getLogger("ray.tune.analysis.experiment_analysis").setLevel(logging.ERROR)
    before = {name: os.environ.get(name) for name in TUNE_SETTINGS}
    os.environ.update(TUNE_SETTINGS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
