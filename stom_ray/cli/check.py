"""`stom-ray check`: compile a strategy, show every error with its place, and what the strategy reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from stom_ray import api
from stom_ray.cli import options
from stom_ray.runs.scripts import ScriptFiles


def command(
    buy: options.Buy,
    sell: options.Sell,
    ranges: Annotated[Path | None, typer.Option("--ranges", help="file with the self.vars ranges, to be checked too")] = None,
    ranges_form: Annotated[str, typer.Option("--ranges-form", help="step or values")] = "step",
    profile: options.ProfileOption = "corrected",
    elapsed: options.ElapsedOption = "",
    layout: Annotated[str, typer.Option("--layout", help="tick_v1 (45 columns) or tick_v2 (54 columns)")] = "tick_v1",
    show_ir: Annotated[bool, typer.Option("--ir", help="print the intermediate representation")] = False,
    json: options.JsonOut = None,
) -> None:
    """Compile scripts; show errors, warnings and what they read."""
    options.refuse_outputs(json, inputs=[buy, sell, ranges])
    files = ScriptFiles(buy, sell, ranges)
    with files.in_errors():
        outcome = api.check(
            options.read_script(buy, "buy condition"),
            options.read_script(sell, "sell condition"),
            ranges=options.read_script(ranges, "ranges") if ranges else None,
            ranges_form=ranges_form,
            profile=profile,
            elapsed=elapsed,
            layout=layout,
        )
    outcome = replace(outcome, warnings=files.name_all(outcome.warnings))
    options.say(outcome.render(show_ir=show_ir), json)
    options.write_json(json, outcome.to_json())
