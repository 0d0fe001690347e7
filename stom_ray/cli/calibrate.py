"""`stom-ray calibrate`: how often the verdict card believes noise and misses edges, on markets whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stom_ray import api
from stom_ray.cli import options
from stom_ray.cli.progress import ProgressLine


def command(
    out: Annotated[Path, typer.Option("--out", help="folder for the findings; one that was broken off goes on")] = Path(
        "calibration"
    ),
    small: Annotated[
        bool, typer.Option("--small", help="60 noise studies and 60 edges instead of 200 and a power curve")
    ] = False,
    studies: Annotated[
        int | None, typer.Option("--studies", help="so many noise studies and so many edges, and no power curve")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="of the first market; below 1000000 are the seeds that thresholds may be tuned on"),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", help="processes; they change nothing but the time")] = 2,
    json: options.JsonOut = None,
) -> None:
    """Run studies over simulated markets without an edge and with planted ones, and count what the card says."""
    options.refuse_outputs(json)
    with ProgressLine() as progress:
        outcome = api.calibrate(out, small=small, studies=studies, seed=seed, workers=workers, progress=progress)
    options.say(outcome.render(), json)
    options.write_json(json, outcome.to_json())
