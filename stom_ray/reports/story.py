"""The study in plain words: a headline, what was done, what survived, and four numbers to remember."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stom_ray.reports import tables
from stom_ray.reports.data import ReportData
from stom_ray.reports.phrases import Phrases
from stom_ray.reports.verdict import BELIEVABLE, Verdict


@dataclass(frozen=True)
class Tile:
    """A number with its name; css: "gain", "loss" or empty."""

    name: str
    value: str
    below: str
    css: str = ""


def headline(verdict: Verdict, phrases: Phrases) -> str:
    """The one line to remember."""
    if verdict.standing == "unproven":
        return phrases.texts["head_luck" if verdict.lucky else "head_short"]
    return phrases.texts[f"head_{verdict.standing}"]


def sentences(data: ReportData, verdict: Verdict, phrases: Phrases) -> list[str]:
    """What was searched, what the best row made where it was chosen, what was left of it on days nobody had seen."""
    told = [_searched(data, phrases)]
    if len(data.trials):
        told.append(_outcomes(data, phrases))
    if data.best is not None:
        made = data.best["figures"]
        told.append(
            phrases.say("told_best", profit=phrases.won(made.get("tsg"), sign=True), trades=phrases.number(made.get("tc")))
        )
    if not len(data.test_daily):
        return [*told, phrases.texts["told_untested"]]
    told.append(_tested(data, verdict, phrases))
    if len(data.now_test_daily):
        now = float(data.now_test_daily.fillna(0.0).sum())
        told.append(phrases.say("told_now", profit=phrases.won(now, sign=True)))
    return told


def _searched(data: ReportData, phrases: Phrases) -> str:
    went = data.searched
    known = math.isfinite(went["combinations"])
    return phrases.say(
        "told_searched" if len(data.trials) else "told_unsearched",
        trials=phrases.number(len(data.trials)),
        variables=len(data.variables),
        space=phrases.say("space", combinations=phrases.compact(went["combinations"])) if known else phrases.texts["space_open"],
        codes=phrases.number(went["codes"]),
        days=phrases.number(went["days"]),
        first=phrases.day(went["first_day"]),
        last=phrases.day(went["last_day"]),
        ticks=phrases.compact(went["ticks"]),
    )


def _outcomes(data: ReportData, phrases: Phrases) -> str:
    return phrases.say("told_outcomes", **{name: phrases.number(count) for name, count in tables.outcomes(data.trials).items()})


def _tested(data: ReportData, verdict: Verdict, phrases: Phrases) -> str:
    windows = tables.stitched_windows(data.walk_forward)
    return phrases.say(
        "told_tested",
        days=phrases.number(len(data.test_daily)),
        windows=len(windows),
        positive=tables.positive_windows(windows),
        profit=phrases.won(verdict.test_profit, sign=True),
        trades=phrases.number(len(data.test_trades)),
    )


def belief(data: ReportData, verdict: Verdict, phrases: Phrases) -> list[str]:
    """What the number of trials and of days says about luck."""
    found = data.overfitting
    if found is None:
        return [phrases.texts["luck_unknown"]]
    known = math.isfinite(found["deflated_sharpe"])
    luck = phrases.say(
        "luck" if known else "luck_unmeasured",
        trials=phrases.number(found["n_trials"]),
        expected=phrases.number(found["expected_max_sharpe"], 3),
        sharpe=phrases.number(found["sharpe"], 3),
        deflated=phrases.number(found["deflated_sharpe"], 3),
        asked=phrases.number(BELIEVABLE, 2),
    )
    return [luck, _enough(found["days"], verdict, phrases)]


def _enough(days: int, verdict: Verdict, phrases: Phrases) -> str:
    if not math.isfinite(verdict.days_needed):
        return phrases.say("data_never", days=phrases.number(days))
    key = "data_short" if verdict.short else "data_enough"
    return phrases.say(key, needed=phrases.number(math.ceil(verdict.days_needed)), days=phrases.number(days))


def tiles(data: ReportData, verdict: Verdict, phrases: Phrases) -> list[Tile]:
    """Out-of-sample profit, its deepest fall, deflated Sharpe and trials; in-sample numbers never stand alone up here."""
    say = phrases.texts
    tested = len(data.test_daily) > 0
    fall = tables.deepest(data.test_daily)
    found = data.overfitting
    return [
        Tile(
            say["tile_profit"],
            phrases.won(verdict.test_profit, sign=True) if tested else "–",
            phrases.say("tile_profit_below", days=phrases.number(len(data.test_daily))) if tested else say["tile_untested"],
            ("gain" if verdict.test_profit > 0 else "loss") if tested else "",
        ),
        Tile(say["tile_fall"], phrases.won(fall) if tested else "–", say["tile_fall_below"]),
        Tile(
            say["tile_deflated"],
            phrases.number(found["deflated_sharpe"], 3) if found else "–",
            phrases.say("tile_deflated_below", asked=phrases.number(BELIEVABLE, 2)),
        ),
        Tile(
            say["tile_trials"],
            phrases.number(found["n_trials"] if found else len(data.trials) or None),
            phrases.say("tile_trials_below", days=phrases.number(data.searched["days"])),
        ),
    ]


def notices(data: ReportData, phrases: Phrases) -> list[str]:
    """What a reader must know before any number: capital, STOM's split where it was used, the run's own warnings."""
    betting = phrases.won(data.betting)
    if data.unlimited_capital:
        told = phrases.say("unlimited_capital", betting=betting)
        needed = data.test or data.best
        if needed is not None and needed["figures"].get("mhct", 0.0) > 0:
            figures = needed["figures"]
            told += " " + phrases.say(
                "unlimited_need", seed=phrases.won(figures.get("seed")), mhct=phrases.number(figures.get("mhct"))
            )
    else:
        told = phrases.say("limited_capital", betting=betting)
    stom = any(window["scheme"] == "stom" for window in data.walk_forward)
    return [*data.warnings, *([phrases.texts["stom_scheme"]] if stom else []), told]


def identity(data: ReportData, phrases: Phrases) -> list[tuple[str, str]]:
    """Name and value of everything the run depends on."""
    known = data.identity
    rates = ", ".join(f"{name} {rate}" for name, rate in data.costs["rates"].items())
    rows = {
        "created": known["created"],
        "data_hash": known["data_hash"],
        "strategy_hash": known["strategy_hash"],
        "config_id": known["config_id"],
        "seed": str(known["seed"]),
        "costs": f"{data.costs['name']} ({rates})" if rates else data.costs["name"],
        "betting": phrases.won(data.betting),
        "seconds": phrases.held(data.searched["seconds"]),
        "versions": ", ".join(f"{name} {version}" for name, version in known["versions"].items()),
    }
    return [(phrases.texts[f"id_{name}"], value) for name, value in rows.items()]
