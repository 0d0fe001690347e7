"""Running a strategy: which backend, why, and the run itself."""

from __future__ import annotations

from typing import Literal

from stom_ray.conditions.emit_cuda import refuse_inexact
from stom_ray.conditions.ir import Strategy
from stom_ray.engine.bind import check_run
from stom_ray.engine.cuda_device import why_no_gpu
from stom_ray.engine.reference import run_reference
from stom_ray.engine.types import EngineConfig, ParamMatrix, RunResult
from stom_ray.errors import ConfigError
from stom_ray.store.panel import Selection

Backend = Literal["cpu", "cuda", "reference"]
BACKENDS = ("auto", "reference", "cpu", "cuda")


def choose_backend(backend: str, strategy: Strategy) -> tuple[Backend, str]:
    """The backend that will run, and the reason in words; never another one than was asked for.

    Raises ConfigError for a name that is none, for cuda without cupy or a GPU (what is missing, what to install), and for cuda
    with a script that a GPU cannot run bit for bit.
    """
    if backend == "auto":
        return "cpu", "chosen by auto: compiles every script, equal to the reference; a GPU is used when cuda is asked for"
    if backend == "cpu":
        return "cpu", "asked for"
    if backend == "reference":
        return "reference", "asked for; it interprets the script row by row"
    if backend == "cuda":
        refuse_inexact(strategy)
        missing = why_no_gpu()
        if missing:
            raise ConfigError(f"backend 'cuda': {missing}; or use backend cpu")
        return "cuda", "asked for; a GPU is here"
    raise ConfigError(f"backend {backend!r}: expected one of {', '.join(BACKENDS)}")


def run(
    strategy: Strategy,
    selection: Selection,
    params: ParamMatrix,
    config: EngineConfig,
    *,
    backend: str = "auto",
    threads: int = 1,
) -> RunResult:
    """Trades, faults and counts of every parameter row over the selection; the same bits whatever the backend and threads.

    Raises ConfigError, ConditionError (`engine.bind.check_run`), SchemaError for a column that the data lacks.
    """
    if threads < 1:
        raise ConfigError(f"threads is {threads}: expected at least 1")
    chosen, _ = choose_backend(backend, strategy)
    if chosen == "reference":
        return run_reference(strategy, selection, params, config)
    if chosen == "cuda":
        from stom_ray.engine.cuda_backtest import CudaBacktest

        return CudaBacktest(strategy, selection, config).run(params)
    from stom_ray.engine.planned.kernel import CpuKernel

    return CpuKernel(strategy, selection, config).run(params, threads)


def run_warnings(strategy: Strategy, selection: Selection, params: ParamMatrix, config: EngineConfig) -> tuple[str, ...]:
    """What a user should know of this run besides the strategy's own warnings. Raises as `run`."""
    return check_run(strategy, selection, params, config)
