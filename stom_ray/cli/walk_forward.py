"""`stom-ray walk-forward run.yaml`: search every window on its train days, score once on its test days."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stom_ray import api
from stom_ray.cli import options
from stom_ray.cli.progress import ProgressLine
from stom_ray.config import load_config


def command(
    config: Annotated[Path, typer.Argument(help="YAML file of the run, with a walk_forward section")],
    resume: Annotated[bool, typer.Option("--resume", help="go on from the run folder's ledgers")] = False,
    json: options.JsonOut = None,
) -> None:
    """Walk forward: search on train, choose on valid, score once on test."""
    options.refuse_outputs(json, inputs=[config])
    with ProgressLine() as progress:
        outcome = api.walk_forward(load_config(config), resume=resume, progress=progress)
    options.write_run(outcome, json)
