"""`stom-ray simulate`: a seeded STOM database to try things on, with a planted edge or none."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stom_ray import api
from stom_ray.cli import options


def command(
    path: Annotated[Path, typer.Argument(help="database file to write")],
    codes: Annotated[int, typer.Option("--codes", help="instruments")] = 10,
    days: Annotated[int, typer.Option("--days", help="trading days")] = 20,
    seed: Annotated[int, typer.Option("--seed", help="same seed, same tables")] = 1,
    layout: Annotated[str, typer.Option("--layout", help="tick_v1, tick_v2 or minute_v1")] = "tick_v1",
    start: Annotated[int, typer.Option("--start", help="first day, yyyymmdd")] = 20230109,
    begin: Annotated[int, typer.Option("--begin", help="first second, hhmmss")] = 90000,
    end: Annotated[int, typer.Option("--end", help="last second, hhmmss")] = 93000,
    edge: Annotated[
        str, typer.Option("--edge", help="planted edge: none, demo, or as docs/simulated-market.md writes it")
    ] = "none",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the file when it is there")] = False,
    json: options.JsonOut = None,
) -> None:
    """Write a generated STOM database."""
    options.refuse_outputs(json, inputs=[path])
    outcome = api.simulate(
        path,
        edge=edge,
        overwrite=overwrite,
        codes=codes,
        days=days,
        seed=seed,
        layout=layout,
        start=start,
        begin=begin,
        end=end,
    )
    options.say(outcome.render(), json)
    options.write_json(json, outcome.to_dict())
