"""`stom-ray report RUN`: write a finished (or interrupted) run's report again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stom_ray import api
from stom_ray.cli import options


def command(
    folder: Annotated[Path, typer.Argument(help="the run's folder")],
    language: Annotated[str, typer.Option("--lang", help="en or ko")] = "en",
    json: options.JsonOut = None,
) -> None:
    """Write the report of a run folder from its ledgers."""
    options.refuse_outputs(json)
    outcome = api.report(folder, language=language)
    options.say(outcome.render(), json)
    options.write_json(json, outcome.to_json())
