"""`stom-ray inspect FILE`: what is in a database, before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stom_ray import api
from stom_ray.cli import options


def command(
    path: Annotated[Path, typer.Argument(help="STOM database file, or a store made by `stom-ray ingest`")],
    json: options.JsonOut = None,
) -> None:
    """Show layout, tables, rows, days, hours and faults of a database; nothing is written."""
    outcome = api.inspect(path)
    options.say(outcome.render(), json)
    options.write_json(json, outcome.to_json())
