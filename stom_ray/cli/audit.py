"""`stom-ray audit`: change what comes later, and see whether anything that was known before moves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stom_ray import api
from stom_ray.cli import options
from stom_ray.cli.run_flags import RunFlags, with_run_flags
from stom_ray.runs.scripts import ScriptFiles


@with_run_flags
def command(
    *,
    db: Annotated[
        str, typer.Option("--db", help="database file(s), joined by commas, or a store; only a --split alone goes without")
    ] = "",
    buy: Annotated[Path | None, typer.Option("--buy", help="file with the buy condition")] = None,
    sell: Annotated[Path | None, typer.Option("--sell", help="file with the sell condition")] = None,
    vars: Annotated[str, typer.Option("--vars", help='values of self.vars, "60,100,5.0"; the first replaces --avgtime')] = "",
    features: Annotated[
        str, typer.Option("--features", help="MODULE:FUNCTION of the current folder: panel -> features, or predictions")
    ] = "",
    labels: Annotated[
        str, typer.Option("--labels", help="MODULE:FUNCTION: panel -> (labels, clock at which each is known)")
    ] = "",
    fit: Annotated[str, typer.Option("--fit", help="MODULE:FUNCTION: (panel, train rows) -> what it learned; with --split")] = "",
    split: Annotated[
        Path | None, typer.Option("--split", help='JSON file: {"train": [days or label spans], "valid": ..., "test": ...}')
    ] = None,
    cuts: Annotated[int, typer.Option("--cuts", help="moments after which everything is changed")] = 12,
    seed: Annotated[int, typer.Option("--seed", help="of the moments and of what is changed")] = 0,
    tolerance: Annotated[
        float, typer.Option("--tolerance", help="relative difference that is none; 0 compares bits (models may need 1e-9)")
    ] = 0.0,
    flags: RunFlags,
    json: options.JsonOut = None,
) -> None:
    """Look for leaks in scripts, features, labels, fits and splits. Ends with 1 when there is one."""
    options.refuse_outputs(json, inputs=[*db.split(","), buy, sell, split])
    files = ScriptFiles(buy, sell)
    with files.in_errors():
        outcome = api.audit(
            db,
            options.read_script(buy, "buy condition") if buy else None,
            options.read_script(sell, "sell condition") if sell else None,
            name=" + ".join(path.name for path in (buy, sell) if path),
            vars=options.numbers(vars, "--vars"),
            features=features or None,
            labels=labels or None,
            fit=fit or None,
            split=options.read_json(split) if split else None,
            split_name=str(split),
            cuts=cuts,
            seed=seed,
            tolerance=tolerance,
            **flags.arguments(),
        )
    options.say(outcome.render(), json)
    options.write_json(json, outcome.to_json())
    if outcome.findings:
        raise typer.Exit(1)
