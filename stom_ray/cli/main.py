"""The `stom-ray` command: one file per verb. A user's mistake is one clear message and exit code 2."""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from stom_ray.cli import (
    audit,
    backtest,
    calibrate,
    check,
    demo,
    ingest,
    inspect,
    report,
    search,
    simulate,
    sweep,
    walk_forward,
    watch,
)
from stom_ray.errors import StomError

INTERRUPTED = 130


class _InterruptedError(Exception):
    """Ctrl-C, on its way past the command line library, which would end with other words."""


class _Verbs(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _InterruptedError from None


app = typer.Typer(
    name="stom-ray",
    cls=_Verbs,
    help="Search STOM's trading conditions honestly: compiled backtests, Optuna on Ray Tune, walk-forward.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("inspect")(inspect.command)
app.command("simulate")(simulate.command)
app.command("ingest")(ingest.command)
app.command("check")(check.command)
app.command("backtest")(backtest.command)
app.command("sweep")(sweep.command)
app.command("audit")(audit.command)
app.command("calibrate")(calibrate.command)
app.command("search")(search.command)
app.command("walk-forward")(walk_forward.command)
app.command("watch")(watch.command)
app.command("report")(report.command)
app.command("demo")(demo.command)


def run() -> None:
    """Entry point: StomError -> message and 2, Ctrl-C -> 130, anything else keeps its traceback."""
    try:
        app()
    except StomError as error:
        print(f"stom-ray: {error}", file=sys.stderr)
        sys.exit(2)
    except (_InterruptedError, KeyboardInterrupt):
        print("stom-ray: interrupted; what was finished is kept", file=sys.stderr)
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    run()
