"""`stom-ray watch RUN`: a run's studies in optuna-dashboard, while it runs or afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stom_ray import api
from stom_ray.cli import options
from stom_ray.cli.progress import ProgressLine


def command(
    folder: Annotated[Path, typer.Argument(help="the run's folder")],
    out: Annotated[Path | None, typer.Option("--out", help="journal to write; RUN/optuna.log without it")] = None,
    dense: Annotated[
        int, typer.Option("--dense", help="rows of a study shown in full; of row n after them one in n / DENSE")
    ] = 1_000,
    once: Annotated[bool, typer.Option("--once", help="write what is there and stop, instead of following until Ctrl-C")] = False,
    json: options.JsonOut = None,
) -> None:
    """Write a run's studies to a journal for optuna-dashboard, following them as they grow."""
    options.refuse_outputs(json, out)
    with ProgressLine() as progress:
        outcome = api.watch(folder, journal=out, dense=dense, follow=not once, progress=progress)
    options.say(outcome.render(), json)
    options.write_json(json, outcome.to_json())
