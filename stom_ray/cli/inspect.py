"""`stom-ray inspect FILE`: what is in a database, before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stom_ray import api
from stom_ray.cli import options
from stom_ray.errors import StoreError


def command(
    path: Annotated[Path, typer.Argument(help="STOM database file, or a store made by `stom-ray ingest`")],
    json: options.JsonOut = None,
) -> None:
    """Show layout, tables, rows, days, hours and faults of a database; nothing is written."""
    options.refuse_outputs(json, inputs=[path])
    outcome = api.inspect(path)
    if not outcome.tables:
        why = [*outcome.failed.values()] or [
            f"instruments are named by a 6-character code; there are {', '.join(outcome.other_tables) or 'no tables'}"
        ]
        raise StoreError("\n".join([f"{path}: no table can be used", *why]))
    options.say(outcome.render(), json)
    options.write_json(json, outcome.to_json())
