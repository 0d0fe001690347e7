"""The flags that `backtest` and `sweep` share: which rows to run on, and how."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from stom_ray.cli import options
from stom_ray.errors import ConfigError


@dataclass(frozen=True)
class RunFlags:
    """Defaults are those of `runs.backtest.Settings`, which is not imported for the sake of a quick `--help`."""

    profile: options.ProfileOption = "corrected"
    avgtime: Annotated[int, typer.Option("--avgtime", help="window length and rows before a day's first decision")] = 30
    betting: Annotated[float, typer.Option("--betting", help="KRW per entry")] = 1_000_000.0
    days: Annotated[str, typer.Option("--days", help="FIRST-LAST, yyyymmdd-yyyymmdd; everything without it")] = ""
    time: Annotated[str, typer.Option("--time", help="FIRST-LAST, hhmmss-hhmmss; everything without it")] = ""
    load_days: Annotated[
        str, typer.Option("--load-days", help="days to load when more than --days; rolling columns start there")
    ] = ""
    load_time: Annotated[str, typer.Option("--load-time", help="hours to load when more than --time")] = ""
    codes: Annotated[str, typer.Option("--codes", help="instruments, joined by commas; all without it")] = ""
    ask_levels: Annotated[int, typer.Option("--ask-levels", help="ask levels a purchase may walk, 1-5")] = 5
    bid_levels: Annotated[int, typer.Option("--bid-levels", help="bid levels a sale may walk, 1-5")] = 5
    weights: Annotated[str, typer.Option("--weights", help="betting weights: mode,limit1..4,factor1..5")] = ""
    elapsed: options.ElapsedOption = ""
    costs: Annotated[str, typer.Option("--costs", help="stom, krx (tax by date) or custom:TAX%,FEE%")] = "stom"
    backend: Annotated[str, typer.Option("--backend", help="auto, cpu, cuda or reference")] = "auto"
    threads: Annotated[int, typer.Option("--threads", help="threads of the CPU kernel")] = 1
    max_memory: Annotated[
        str, typer.Option("--max-memory", help="what a run may add to the program and its data: 2GB, 500MB; no limit without it")
    ] = ""

    def arguments(self) -> dict[str, Any]:
        """As `api.backtest` and `api.sweep` take them. Raises ConfigError for a text that cannot be read."""
        from stom_ray.runs.choice import DataChoice

        codes = options.split(self.codes)
        if self.codes and not codes:
            raise ConfigError(f'--codes {self.codes!r} names no instrument. Expected codes joined by commas, "005930,000660"')
        given = asdict(self)
        choice = DataChoice(codes=codes, **{name: given.pop(name) for name in ("days", "time", "load_days", "load_time")})
        del given["codes"]
        return {**given, "choice": choice, "weights": options.numbers(self.weights, "--weights")}


def with_run_flags(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the fields of `RunFlags`, as flags of its own, in the place of its parameter `flags`."""
    shared = inspect.signature(RunFlags, eval_str=True).parameters
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
        parameters += shared.values() if name == "flags" else [parameter]

    @functools.wraps(command)
    def told(**given: Any) -> None:
        flags = RunFlags(**{name: given.pop(name) for name in shared})
        command(**given, flags=flags)

    # Typer reads a command's flags off its signature; a parameter without a default may follow one with it only by keyword.
    told.__signature__ = inspect.Signature([one.replace(kind=one.KEYWORD_ONLY) for one in parameters])  # type: ignore[attr-defined]
    told.__annotations__ = {one.name: one.annotation for one in parameters}
    return told
