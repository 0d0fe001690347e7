"""The `stom-ray` command: one file per verb. A user's mistake is one clear message and exit code 2."""

from __future__ import annotations

import sys

import typer

from stom_ray.cli import backtest, check, demo, ingest, inspect, report, search, simulate, sweep, walk_forward
from stom_ray.errors import StomError

app = typer.Typer(
    name="stom-ray",
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
app.command("search")(search.command)
app.command("walk-forward")(walk_forward.command)
app.command("report")(report.command)
app.command("demo")(demo.command)


def run() -> None:
    """Entry point: StomError -> message and 2, Ctrl-C -> 130, anything else keeps its traceback."""
    try:
        app()
    except StomError as error:
        print(f"stom-ray: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stom-ray: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    run()
