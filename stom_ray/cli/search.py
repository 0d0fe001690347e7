"""`stom-ray search run.yaml`: search the strategy's ranges, judge by walk-forward and cross-validation when asked, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stom_ray import api
from stom_ray.cli import options
from stom_ray.cli.progress import ProgressLine
from stom_ray.config import EXAMPLE, load_config, parse_bytes
from stom_ray.errors import ConfigError


def command(
    config: Annotated[Path | None, typer.Argument(help="YAML file of the run")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on from the run folder's ledger")] = False,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="print the whole configuration, defaults filled in, and stop")
    ] = False,
    max_memory: Annotated[
        str, typer.Option("--max-memory", help="what all workers may add to the program and its data: 2GB; the file's without it")
    ] = "",
    json: options.JsonOut = None,
) -> None:
    """Search a strategy's ranges; with a walk_forward or cross_validation section, judge the search too."""
    if config is None:
        if not print_config:
            raise ConfigError("which run? Give a YAML file; `stom-ray search --print-config > run.yaml` writes one to start from")
        typer.echo(EXAMPLE, nl=False)
        return
    settings = load_config(config)
    if max_memory:
        parse_bytes(max_memory)
        execution = settings.execution.model_copy(update={"max_memory": max_memory})
        settings = settings.model_copy(update={"execution": execution})
    if print_config:
        typer.echo(settings.absolute().to_yaml(), nl=False)
        return
    options.refuse_outputs(json, inputs=[config])
    with ProgressLine() as progress:
        outcome = api.search(settings, resume=resume, progress=progress)
    options.write_run(outcome, json)
