"""`stom-ray backtest`: one strategy, once, over a database."""

from __future__ import annotations

from typing import Annotated

import typer

from stom_ray import api
from stom_ray.cli import options


def command(
    db: options.Db,
    buy: options.Buy,
    sell: options.Sell,
    profile: options.ProfileOption = "corrected",
    avgtime: options.AvgTime = 30,
    betting: options.Betting = 1_000_000.0,
    vars: Annotated[str, typer.Option("--vars", help='values of self.vars, "60,100,5.0"; the first replaces --avgtime')] = "",
    days: options.Days = "",
    time: options.Time = "",
    load_days: options.LoadDays = "",
    load_time: options.LoadTime = "",
    codes: options.Codes = "",
    ask_levels: options.AskLevels = 5,
    bid_levels: options.BidLevels = 5,
    weights: options.Weights = "",
    elapsed: options.ElapsedOption = "",
    costs: options.Costs = "stom",
    backend: options.BackendOption = "auto",
    threads: options.Threads = 1,
    trades: options.TradesOut = None,
    json: options.JsonOut = None,
) -> None:
    """Run one strategy over a database; trades and figures as STOM gives them."""
    options.refuse_outputs(trades, json, inputs=[*db.split(","), buy, sell])
    outcome = api.backtest(
        db,
        options.read_script(buy, "buy condition"),
        options.read_script(sell, "sell condition"),
        profile=profile,
        avgtime=avgtime,
        betting=betting,
        vars=options.numbers(vars, "--vars"),
        choice=options.choice(days, time, load_days, load_time, codes),
        ask_levels=ask_levels,
        bid_levels=bid_levels,
        weights=options.numbers(weights, "--weights"),
        elapsed=elapsed,
        costs=costs,
        backend=backend,
        threads=threads,
    )
    options.write_outcome(outcome, trades, json)
