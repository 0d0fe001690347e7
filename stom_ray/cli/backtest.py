"""`stom-ray backtest`: one strategy, once, over a database."""

from __future__ import annotations

from typing import Annotated

import typer

from stom_ray import api
from stom_ray.cli import options
from stom_ray.cli.run_flags import RunFlags, with_run_flags
from stom_ray.runs.scripts import ScriptFiles


@with_run_flags
def command(
    *,
    db: options.Db,
    buy: options.Buy,
    sell: options.Sell,
    vars: Annotated[str, typer.Option("--vars", help='values of self.vars, "60,100,5.0"; the first replaces --avgtime')] = "",
    flags: RunFlags,
    trades: options.TradesOut = None,
    json: options.JsonOut = None,
) -> None:
    """Run one strategy over a database; trades and figures as STOM gives them."""
    options.refuse_outputs(trades, json, inputs=[*db.split(","), buy, sell])
    files = ScriptFiles(buy, sell)
    with files.in_errors():
        outcome = api.backtest(
            db,
            options.read_script(buy, "buy condition"),
            options.read_script(sell, "sell condition"),
            vars=options.numbers(vars, "--vars"),
            **flags.arguments(),
        )
    options.write_outcome(outcome, json, files, trades=trades)
