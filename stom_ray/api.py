"""The verbs of stom_ray as typed functions; the command line calls the same ones.

Everything heavy is imported where it is needed, so that `import stom_ray` stays cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stom_ray.config import RunConfig, load_config
from stom_ray.errors import ConfigError

if TYPE_CHECKING:
    from stom_ray.runs.audit import AuditOutcome
    from stom_ray.runs.calibrate import Calibration
    from stom_ray.runs.check import Check
    from stom_ray.runs.choice import DataChoice, Paths
    from stom_ray.runs.conduct import RunOutcome
    from stom_ray.runs.outcome import Backtest, Outcome
    from stom_ray.runs.watch import WatchOutcome
    from stom_ray.simulate import SimulateReport
    from stom_ray.store.inspect import InspectReport
    from stom_ray.store.report import IngestReport

__all__ = [
    "audit",
    "backtest",
    "calibrate",
    "check",
    "demo",
    "ingest",
    "inspect",
    "load_config",
    "report",
    "search",
    "simulate",
    "sweep",
    "sweep_totals",
    "walk_forward",
    "watch",
]


def _silent(_: str) -> None:
    """Progress that nobody watches."""


def inspect(path: str | Path) -> InspectReport:
    """What is in a database or store; reads only. Raises StoreError, SchemaError."""
    from stom_ray.store.inspect import inspect as look

    return look(path)


def simulate(path: str | Path, *, edge: str = "none", overwrite: bool = False, **settings: Any) -> SimulateReport:
    """Write a generated STOM database.

    edge: "none", "demo", or an edge's short form (`simulate.Edge.parse`); `settings` are those of `SimulateConfig`. Raises
    ConfigError, StoreError (the file is there already).
    """
    from stom_ray.simulate import DEMO_EDGE, Edge, SimulateConfig
    from stom_ray.simulate import simulate as generate

    planted = None if edge == "none" else DEMO_EDGE if edge == "demo" else Edge.parse(edge)
    return generate(path, SimulateConfig(edge=planted, **settings), overwrite=overwrite)


def ingest(
    paths: Sequence[str | Path], store: str | Path, *, workers: int = 2, verify: bool = False, ray: bool = False
) -> IngestReport:
    """Read databases into a store, taking only what is new or changed. Raises StoreError, SchemaError.

    verify: read every table through the SQLite library as well, and compare; what differs is in the report's `failed`.
    """
    from stom_ray.store.ingest import ingest as read

    if not ray:
        return read(paths, store, workers=workers, verify=verify)
    from stom_ray.distributed.data import run_on_ray
    from stom_ray.distributed.session import session

    with session(num_cpus=workers):
        return read(paths, store, verify=verify, tasks_runner=run_on_ray)


def check(buy: str | bytes, sell: str | bytes, **options: Any) -> Check:
    """Compile scripts (and ranges) without data; options as in `runs.check.check`. Raises ConditionError, RangeError."""
    from stom_ray.runs.check import check as compile_all

    return compile_all(buy, sell, **options)


def backtest(
    db: Paths,
    buy: str | bytes,
    sell: str | bytes,
    *,
    vars: Sequence[int | float] = (),
    choice: DataChoice | None = None,
    **settings: Any,
) -> Backtest:
    """Run one strategy once; `settings` are those of `runs.backtest.Settings` (profile, avgtime, betting, costs, ...).

    `vars` are the values of self.vars; vars[0] then replaces avgtime, as in STOM's optimisation. `how` of the result says which
    plan ran and why. Raises StomError for anything wrong with data, scripts or settings, or for memory beyond `max_memory`;
    ScriptRuntimeError where STOM's run would have died.
    """
    from stom_ray.runs.backtest import backtest as play

    return play(db, buy, sell, vars=vars, choice=choice, **settings)


def sweep(db: Paths, buy: str | bytes = b"", sell: str | bytes = b"", **options: Any) -> Backtest:
    """Many runs over the same rows; settings as `backtest`.

    Exactly one of `ranges` (one variable at a time, or every combination with `grid`), `rows`, `conditions`. Raises StomError.
    """
    from stom_ray.runs.sweep import sweep as play

    return play(db, buy, sell, **options)


def sweep_totals(db: Paths, buy: str | bytes = b"", sell: str | bytes = b"", **options: Any) -> Outcome:
    """`sweep` for tens of thousands of rows: trades, wins, profit and seconds held of each, without keeping a trade."""
    from stom_ray.runs.sweep import sweep_totals as play

    return play(db, buy, sell, **options)


def audit(
    db: Paths | None = None,
    buy: str | bytes | None = None,
    sell: str | bytes | None = None,
    *,
    cuts: int = 12,
    seed: int = 0,
    tolerance: float = 0.0,
    **options: Any,
) -> AuditOutcome:
    """Look for leaks in scripts, in functions of features, labels and fits, and in splits; options as `runs.audit.audit`.

    cuts, seed, tolerance: as `validation.audit.cuts.Effort`. Raises StomError.
    """
    from stom_ray.runs.audit import audit as look
    from stom_ray.validation.audit.cuts import Effort

    return look(db, buy, sell, effort=Effort(cuts, seed, tolerance), **options)


def calibrate(
    folder: str | Path,
    *,
    small: bool = False,
    studies: int | None = None,
    seed: int | None = None,
    workers: int = 2,
    progress: Callable[[str], None] = _silent,
) -> Calibration:
    """How often the verdict card believes noise and misses planted edges; a folder that holds findings is gone on with.

    small: 60 noise studies and 60 edges; studies: so many of each; neither: the whole calibration with its power curve. seed: of
    the first market, by default one that no threshold was tuned on. Raises ConfigError, LedgerError, WorkerError.
    """
    from dataclasses import replace

    from stom_ray.runs.calibrate import SMALL
    from stom_ray.runs.calibrate import calibrate as run
    from stom_ray.runs.calibration.plan import Plan

    if small and studies is not None:
        raise ConfigError("small says how many studies there are, and so does studies: give one of the two")
    plan = SMALL if small else Plan() if studies is None else Plan(studies, studies, 0)
    return run(folder, plan if seed is None else replace(plan, first_seed=seed), workers=workers, say=progress)


def search(config: RunConfig, *, resume: bool = False, progress: Callable[[str], None] = _silent) -> RunOutcome:
    """Search a strategy's ranges; with a walk_forward or cross_validation section, judge the search too; write the report.

    The run's folder holds the ledgers: Ctrl-C and worse lose nothing, and `resume` goes on. Raises StomError.
    """
    from stom_ray.runs.conduct import conduct

    return conduct(config, resume=resume, say=progress)


def walk_forward(config: RunConfig, *, resume: bool = False, progress: Callable[[str], None] = _silent) -> RunOutcome:
    """Search every window on its train days, choose on valid, score once on test; write the report. Raises StomError."""
    from stom_ray.runs.conduct import conduct

    return conduct(config, resume=resume, say=progress, search=False)


def report(folder: str | Path, *, language: str = "en") -> RunOutcome:
    """Write a run's report again, from its folder. Raises ConfigError when the folder holds no run."""
    from stom_ray.runs.conduct import report_again

    if language not in ("en", "ko"):
        raise ConfigError(f"language {language!r}: expected en or ko")
    return report_again(folder, language)


def watch(
    folder: str | Path, *, progress: Callable[[str], None] = _silent, journal: Path | None = None, **options: Any
) -> WatchOutcome:
    """Write a run's studies to a journal that optuna-dashboard shows, until Ctrl-C; options as `runs.watch.watch`.

    Raises ConfigError, LedgerError.
    """
    from stom_ray.runs.watch import watch as follow

    return follow(folder, progress, journal=journal, **options)


def demo(
    folder: str | Path,
    *,
    evaluations: int = 1_500,
    workers: int = 2,
    seed: int = 2023,
    language: str = "en",
    say: Callable[[str], None] = _silent,
    progress: Callable[[str], None] = _silent,
) -> RunOutcome:
    """All of it on a generated market with a planted edge; what is there already is used again. Raises StomError."""
    from stom_ray.runs.demo import run_demo

    return run_demo(
        Path(folder), evaluations=evaluations, workers=workers, seed=seed, language=language, say=say, progress=progress
    )
