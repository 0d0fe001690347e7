"""`stom-ray demo`: the whole way on a generated market, nothing needed but this command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stom_ray import api
from stom_ray.cli import options
from stom_ray.cli.progress import ProgressLine


def command(
    out: Annotated[Path, typer.Option("--out", help="folder for the database, the store, the scripts and the run")] = Path(
        "demo"
    ),
    evaluations: Annotated[int, typer.Option("--evaluations", help="parameter rows to score in the search")] = 1_500,
    workers: Annotated[int, typer.Option("--workers", help="Ray workers")] = 2,
    seed: Annotated[int, typer.Option("--seed", help="of the market and of the search")] = 2023,
    language: Annotated[str, typer.Option("--lang", help="of the report: en or ko")] = "en",
    open_report: Annotated[bool, typer.Option("--open", help="open the report in a browser")] = False,
    json: options.JsonOut = None,
) -> None:
    """Generate a market, ingest it, compile a strategy, search its ranges, walk forward, report."""
    options.refuse_outputs(json)
    with ProgressLine() as progress:
        outcome = api.demo(
            out,
            evaluations=evaluations,
            workers=workers,
            seed=seed,
            language=language,
            say=lambda text: options.say(text, json),
            progress=progress,
        )
    options.write_run(outcome, json)
    if open_report:
        typer.launch(str(outcome.report))
