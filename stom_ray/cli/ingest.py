"""`stom-ray ingest FILES --store DIR`: databases into the partitioned store; only what is new or changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stom_ray import api
from stom_ray.cli import options
from stom_ray.errors import StoreError


def command(
    paths: Annotated[list[Path], typer.Argument(help="STOM database files, the per-day files too")],
    store: Annotated[Path, typer.Option("--store", help="folder of the store; made when missing")],
    workers: Annotated[int, typer.Option("--workers", help="threads that read tables")] = 2,
    verify: Annotated[
        bool, typer.Option("--verify", help="read every table through the SQLite library too, and compare bit for bit")
    ] = False,
    ray: Annotated[bool, typer.Option("--ray", help="run the same plan as Ray Data tasks")] = False,
    json: options.JsonOut = None,
) -> None:
    """Read databases into a store; a second run takes only what is new or changed."""
    options.refuse_outputs(json, inputs=paths)
    outcome = api.ingest(paths, store, workers=workers, verify=verify, ray=ray)
    if outcome.failed and not outcome.rows and not outcome.plan.unchanged:
        raise StoreError("\n".join(["no table could be read", *outcome.failed.values()]))
    options.say(outcome.render(), json)
    options.write_json(json, outcome.to_json())
