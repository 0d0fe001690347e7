"""The study in plain words: a headline, what was done, what survived, what may be believed, four numbers to remember."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stom_ray.reports import tables
from stom_ray.reports.data import Capital, ReportData
from stom_ray.reports.phrases import Phrases
from stom_ray.validation.card import Card
from stom_ray.validation.card_checks import BELIEVABLE, Check

NOTHING = "nothing"
MARKS = {"pass": "✓", "weak": "~", "fail": "✕", "too_little_data": "…"}


@dataclass(frozen=True)
class Tile:
    """A number with its name; css: "gain", "loss" or empty."""

    name: str
    value: str
    below: str
    css: str = ""


@dataclass(frozen=True)
class Line:
    """A check of the card. standing: as the card has it; mark: a sign for it."""

    standing: str
    mark: str
    name: str
    words: str


def standing(data: ReportData) -> str:
    """The card's, or "nothing"."""
    return NOTHING if data.card is None else data.card.standing


def headline(data: ReportData, phrases: Phrases) -> str:
    """The one line to remember."""
    needed = math.inf if data.card is None else data.card.needed_days
    key = "never" if standing(data) == "too_little_data" and math.isinf(needed) else standing(data)
    return phrases.say(f"head_{key}", needed=phrases.number(needed))


def sentences(data: ReportData, phrases: Phrases) -> list[str]:
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
        return [*told, phrases.texts["told_untested" if data.cross_validation is None else "told_crossed"]]
    told.append(_tested(data, phrases))
    if len(data.now_test_daily):
        now = float(data.now_test_daily.fillna(0.0).sum())
        told.append(phrases.say("told_now", profit=phrases.won(now, sign=True)))
    return told


def _profit(data: ReportData) -> float:
    """KRW on the test days."""
    return float(data.test_daily.fillna(0.0).sum())


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
    counts = tables.outcomes(data.trials)
    pruned = counts.pop("pruned")
    told = phrases.say("told_outcomes", **{name: phrases.number(count) for name, count in counts.items()})
    return f"{told} {phrases.say('told_pruned', pruned=phrases.number(pruned))}" if pruned else told


def _tested(data: ReportData, phrases: Phrases) -> str:
    windows = tables.stitched_windows(data.walk_forward)
    return phrases.say(
        "told_tested",
        days=phrases.number(len(data.test_daily)),
        windows=len(windows),
        positive=tables.positive_windows(windows),
        profit=phrases.won(_profit(data), sign=True),
        trades=phrases.number(len(data.test_trades)),
    )


def belief(data: ReportData, phrases: Phrases) -> list[str]:
    """The verdict in a sentence, what it counts, how far the present values are away, and the hit rate at break-even."""
    if data.card is None:
        return [phrases.texts["luck_unknown"]]
    card = data.card
    rates = [card.hit_rate_told(part, phrases.lang) for part in card.hit_rates]
    return [card.told(phrases.lang), _counted(card, phrases), *_compared(data, phrases), *rates]


def _counted(card: Card, phrases: Phrases) -> str:
    needed = phrases.say("card_needed", needed=phrases.number(card.needed_days)) if math.isfinite(card.needed_days) else ""
    counted = phrases.say(
        "card_counted",
        trials=phrases.number(card.n_trials),
        effective=phrases.number(card.effective),
        days=phrases.number(card.n_days),
        looks=phrases.number(card.looks),
    )
    return f"{counted} {needed}".rstrip()


def _compared(data: ReportData, phrases: Phrases) -> list[str]:
    found = []
    for part, one in data.compared.items():
        known = math.isfinite(one["low"])
        found.append(
            phrases.say(
                f"compared_{part}" if known else f"compared_{part}_short",
                days=phrases.number(one["days"]),
                mean=phrases.won(one["mean"], sign=True),
                low=phrases.won(one["low"], sign=True),
                high=phrases.won(one["high"], sign=True),
                level=phrases.percent(100 * one["level"], 0),
            )
        )
    return found


def checks(data: ReportData, phrases: Phrases) -> list[tuple[str, list[Line]]]:
    """The card's checks under a heading each, those that decide and those that support; empty without a card that has any."""
    if data.card is None or not data.card.checks:
        return []
    return [
        (phrases.texts[title], [_line(check, phrases) for check in data.card.checks if check.decisive == decisive])
        for title, decisive in (("checks_decisive", True), ("checks_supporting", False))
    ]


def _line(check: Check, phrases: Phrases) -> Line:
    return Line(check.standing, MARKS[check.standing], phrases.texts[f"check_{check.name}"], check.told(phrases.lang))


def tiles(data: ReportData, phrases: Phrases) -> list[Tile]:
    """Out-of-sample profit, its deepest fall, deflated Sharpe and trials; in-sample numbers never stand alone up here."""
    say, card, profit = phrases.texts, data.card, _profit(data)
    tested = len(data.test_daily) > 0
    fall = tables.deepest(data.test_daily)
    deflated = card["deflated_sharpe"].value if card is not None and card.checks else None
    return [
        Tile(
            say["tile_profit"],
            phrases.won(profit, sign=True) if tested else "–",
            phrases.say("tile_profit_below", days=phrases.number(len(data.test_daily))) if tested else say["tile_untested"],
            ("gain" if profit > 0 else "loss") if tested else "",
        ),
        Tile(say["tile_fall"], phrases.won(fall) if tested else "–", say["tile_fall_below"]),
        Tile(
            say["tile_deflated"],
            phrases.number(deflated, 3),
            phrases.say("tile_deflated_below", asked=phrases.number(BELIEVABLE, 2)),
        ),
        Tile(
            say["tile_trials"],
            phrases.number(card.n_trials if card else len(data.trials) or None),
            phrases.say("tile_trials_below", days=phrases.number(data.searched["days"])),
        ),
    ]


def notices(data: ReportData, phrases: Phrases) -> list[str]:
    """What a reader must know before any number: capital, STOM's split where it was used, the run's own warnings."""
    betting = phrases.won(data.betting)
    if data.capital is None:
        told = phrases.say("unlimited_capital", betting=betting)
        needed = data.test or data.best
        if needed is not None and needed["figures"].get("mhct", 0.0) > 0:
            figures = needed["figures"]
            told += " " + phrases.say(
                "unlimited_need", seed=phrases.won(figures.get("seed")), mhct=phrases.number(figures.get("mhct"))
            )
    else:
        told = phrases.say("limited_capital", betting=betting, **_account(data.capital, phrases))
    stom = any(window["scheme"] == "stom" for window in data.walk_forward)
    remarks = [phrases.say(key, **values) for key, values in data.remarks]
    return [*data.warnings, *remarks, *([phrases.texts["stom_scheme"]] if stom else []), told]


def _account(capital: Capital, phrases: Phrases) -> dict[str, str]:
    """What the sentence about the account names."""
    counts = {name: phrases.number(capital[name]) for name in ("max_holdings", "trades", "unlimited_trades", "refused")}
    amounts = {name: phrases.won(capital[name], sign=name != "cash") for name in ("cash", "profit", "unlimited_profit")}
    return counts | amounts | {"fall": phrases.percent(100 * capital["max_drawdown"], 1)}


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
