"""`stom-ray sweep`: many parameter rows, or pairs of condition lists, over the same database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stom_ray import api
from stom_ray.cli import options
from stom_ray.cli.run_flags import RunFlags, with_run_flags
from stom_ray.errors import ConfigError
from stom_ray.runs.scripts import ScriptFiles


@with_run_flags
def command(
    *,
    db: options.Db,
    buy: Annotated[Path | None, typer.Option("--buy", help="file with the buy condition (not with --conditions)")] = None,
    sell: Annotated[Path | None, typer.Option("--sell", help="file with the sell condition (not with --conditions)")] = None,
    ranges: Annotated[Path | None, typer.Option("--ranges", help="file with the self.vars ranges")] = None,
    ranges_form: Annotated[str, typer.Option("--ranges-form", help="step or values")] = "step",
    one_at_a_time: Annotated[
        bool, typer.Option("--one-at-a-time", help="with --ranges: every value of every variable, the others at their best")
    ] = False,
    grid: Annotated[bool, typer.Option("--grid", help="with --ranges: every combination of all values")] = False,
    most_rows: Annotated[int, typer.Option("--most-rows", help="refuse a --grid of more rows")] = 100_000,
    rows: Annotated[Path | None, typer.Option("--rows", help="JSON file: a list of parameter rows")] = None,
    conditions: Annotated[
        Path | None, typer.Option("--conditions", help='JSON file: {"buy": [[line, ...], ...], "sell": [[...], ...]}')
    ] = None,
    flags: RunFlags,
    trades: options.TradesOut = None,
    totals: Annotated[
        Path | None,
        typer.Option("--totals", help="write one row a parameter row there, as CSV; without --trades no trade is kept for it"),
    ] = None,
    json: options.JsonOut = None,
) -> None:
    """Run many parameter rows, or pairs of condition lists, over the same rows of a database."""
    if one_at_a_time and grid:
        raise ConfigError("--one-at-a-time and --grid are two ways through the ranges: take one of them")
    if (ranges is None) == (one_at_a_time or grid):
        raise ConfigError("--ranges goes with --one-at-a-time or --grid, and they with it (`stom-ray search` searches ranges)")
    if conditions is None and (buy is None or sell is None):
        raise ConfigError("--buy and --sell are missing: only --conditions goes without them")
    options.refuse_outputs(trades, totals, json, inputs=[*db.split(","), buy, sell, ranges, rows, conditions])
    files = ScriptFiles(buy, sell, ranges)
    with files.in_errors():
        run = api.sweep if totals is None or trades is not None else api.sweep_totals
        outcome = run(
            db,
            options.read_script(buy, "buy condition") if buy else b"",
            options.read_script(sell, "sell condition") if sell else b"",
            ranges=options.read_script(ranges, "ranges") if ranges else None,
            ranges_form=ranges_form,
            grid=grid,
            most_rows=most_rows,
            rows=options.read_rows(rows) if rows else None,
            conditions=options.read_json(conditions) if conditions else None,
            **flags.arguments(),
        )
        options.write_outcome(outcome, json, files, trades=trades, totals=totals)
        outcome.raise_if_dead()
