"""`stom-ray calibrate`: how often the verdict card is wrong, on simulated markets whose truth is known."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import stom_ray
from stom_ray.errors import ConfigError, WorkerError
from stom_ray.runs.calibration.plan import Case, Plan
from stom_ray.runs.calibration.state import Findings
from stom_ray.runs.calibration.study import Finding, run_case
from stom_ray.runs.calibration.tables import Group, Rates, groups, table
from stom_ray.runs.files import plain, write_text
from stom_ray.runs.workplace import Say

SMALL = Plan(noise=60, edges=60, curve=0)
STATE, TABLE = "findings.bin", "table.md"


@dataclass(frozen=True)
class Calibration:
    """findings: of every study of the plan, in its order. folder: holds them. ran: how many of them this call ran."""

    plan: Plan
    findings: tuple[Finding, ...]
    folder: Path
    ran: int
    seconds: float

    @property
    def rates(self) -> Rates:
        return Rates.of(self.findings)

    @property
    def groups(self) -> list[Group]:
        return groups(self.findings)

    def to_json(self) -> dict[str, Any]:
        record = {
            **vars(self.rates),
            "plan": vars(self.plan),
            "groups": [group.to_json() for group in self.groups],
            "folder": str(self.folder),
            "studies_ran": self.ran,
            "seconds": {"run": self.seconds, "studies": math.fsum(one["seconds"] for one in self.findings)},
        }
        return {name: plain(value) for name, value in record.items()}

    def render(self) -> str:
        return f"{table(self.groups)}\n\n{self.rates.render()}\n{self.ran} studies in {self.seconds:,.0f} s, {self.folder}"


def calibrate(folder: str | Path, plan: Plan, *, workers: int = 1, say: Say) -> Calibration:
    """Runs the studies of the plan that `folder` has no finding of yet; the same table for any number of workers (processes).

    A larger plan takes up the findings of a smaller one. Raises ConfigError, LedgerError (of another calibration or other code;
    damaged), WorkerError when a process was killed; what was finished is kept then, too.
    """
    if workers < 1:
        raise ConfigError(f"workers is {workers}: expected at least 1")
    started, place, ran = time.perf_counter(), Path(folder), 0
    cases = list(plan.cases())
    with Findings(place / STATE, {"first_seed": plan.first_seed, "code": code_digest()}) as state:
        left = [case for case in cases if case.name not in state.found]
        for case, finding in _run(left, workers):
            state.add(case.name, finding)
            ran += 1
            done = sum(case.name in state.found for case in cases)
            told = Rates.of(state.found[case.name] for case in cases if case.name in state.found).render()
            say(f"{done} of {len(cases)} studies: {told}")
        findings = tuple(state.found[case.name] for case in cases)
    outcome = Calibration(plan, findings, place, ran, time.perf_counter() - started)
    write_text(place / TABLE, table(outcome.groups) + "\n\n" + outcome.rates.render() + "\n")
    return outcome


def code_digest() -> str:
    """Of the package's source: findings of two versions of the card, the search or the market are not put into one table."""
    root = Path(stom_ray.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for kind in ("*.py", "*.txt") for path in root.rglob(kind)):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _run(cases: Sequence[Case], workers: int) -> Iterator[tuple[Case, Finding]]:
    """In the order in which they end."""
    if min(workers, len(cases)) <= 1:
        yield from ((case, run_case(case)) for case in cases)
        return
    # Spawned, because forking a process that has run compiled code with threads is not safe.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        yield from _from_pool(pool, iter(cases), workers)
    except BrokenProcessPool as error:
        raise WorkerError("a process that ran a study was killed (out of memory?): run the command again to go on") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _from_pool(pool: ProcessPoolExecutor, cases: Iterable[Case], workers: int) -> Iterator[tuple[Case, Finding]]:
    """Never more than one study a process waiting, so that Ctrl-C is soon over."""
    running = {}
    waiting = iter(cases)
    while True:
        for case in waiting:
            running[pool.submit(run_case, case)] = case
            if len(running) > workers:
                break
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), future.result()
