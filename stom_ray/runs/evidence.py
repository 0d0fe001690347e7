"""From what a run found to its verdict card: the winner, all that was tried on its data, and the days it had not seen.

The winner is the best row of the search, on all days that were searched. Of a walk-forward without a search it is the row that
the last window chose, on that window's train days. Trials are counted over every study of the register that shares a day with the
winner's: other searches, and every window of a walk-forward, whose trials are counted though they cannot be resampled together
with those of other days (`Evidence.elsewhere`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from stom_ray.engine.types import Floats
from stom_ray.reports.data import Capital, Compared
from stom_ray.runs.played import Played
from stom_ray.runs.register import Days, Register
from stom_ray.runs.winner import Winner, kept_shares
from stom_ray.search.daily_file import Returns
from stom_ray.search.study import StudyResult
from stom_ray.search.table import TrialTable
from stom_ray.validation.account import AccountResult
from stom_ray.validation.bootstrap import FEWEST_DAYS
from stom_ray.validation.card import Card, card
from stom_ray.validation.card_evidence import Evidence, HitRate
from stom_ray.validation.cross_validation import CrossValidation
from stom_ray.validation.effective_trials import behaviour_clusters
from stom_ray.validation.intervals import bootstrap_interval

CLUSTERED = 200
LEVEL = 0.95


@dataclass(frozen=True)
class Judged:
    """The verdict, and what was found on the way. stress: as `Winner.stress`; account: None with unlimited capital."""

    card: Card
    stress: pd.DataFrame
    account: AccountResult | None


@dataclass(frozen=True)
class Searched:
    """Where a winner comes from. study: its id. returns: (n_trials, n_days) of every trial, days as `days` has them, sorted."""

    study: str
    returns: Returns
    days: Days


@dataclass(frozen=True)
class Unseen:
    """Test days. chosen, present: what was chosen for them, and the user's values. days: with their digests."""

    chosen: Played
    present: Played
    days: Days


def judge(
    winner: Winner, searched: Searched, register: Register, unseen: Unseen | None, validated: CrossValidation | None = None
) -> Judged:
    """The card of everything that is known. Looks are those at the unseen days, without such at any of the searched ones."""
    parts = {"searched": winner.played} | ({} if unseen is None else {"unseen": unseen.chosen})
    stress, account = winner.stress(), winner.account()
    optimism, costs = kept_shares(stress)
    same_days, elsewhere = other_trials(register, searched)
    evidence = Evidence(
        study=searched.returns,
        winner=_krw(winner.played),
        earlier=same_days,
        elsewhere=elsewhere,
        out_of_sample=None if unseen is None else _krw(unseen.chosen),
        looks=register.looks_on(searched.days if unseen is None else unseen.days),
        present=None if unseen is None else _krw(unseen.present),
        random_entry_p=winner.random_entry_p(),
        plateau=winner.plateau(),
        stability=winner.stability(),
        optimism=optimism,
        cost_stress=costs,
        account_kept=None if account is None else kept_by(account),
        order_drawdowns=winner.order_drawdowns(),
        cross_validated=None if validated is None else _paths(validated),
        hit_rates={part: HitRate.of(played.trades.profit) for part, played in parts.items()},
    )
    return Judged(card(evidence), stress, account)


def in_order(daily: Returns, table: TrialTable) -> Returns:
    """Daily returns in the order of the table: on disk they are in that of who finished first, which may decide nothing. A copy
    only where the two differ.
    """
    ordered = np.array_equal(table.daily_row, np.arange(len(daily)))
    return daily if ordered else daily[table.daily_row]


def other_trials(register: Register, searched: Searched) -> tuple[tuple[Returns, ...], int]:
    """Of every other study that shares a day with this one: tables (n_trials, n_days) of those over just these days, and how many
    trials the studies of other days had."""
    same, elsewhere = [], 0
    for entry in register.studies_on(searched.days, apart_from=searched.study):
        table = entry.returns()
        if entry.days != searched.days:
            elsewhere += len(table)
        elif len(table):
            same.append(table)
    return tuple(same), elsewhere


def _paths(validated: CrossValidation) -> Floats:
    """None of them where one cannot be judged."""
    paths = validated.paths
    return paths if np.isfinite(paths).all() else paths[:0]


def _krw(played: Played) -> Floats:
    return played.daily.to_numpy(dtype=np.float64)


def kept_by(account: AccountResult) -> float:
    """Share of the profit that the account keeps; NaN where there is none to keep."""
    return account.profit / account.unlimited_profit if account.unlimited_profit > 0 else float("nan")


def capital_of(account: AccountResult | None) -> Capital | None:
    """For the report."""
    if account is None:
        return None
    return {
        "cash": account.account.cash,
        "max_holdings": account.account.max_holdings,
        "trades": len(account.trades),
        "unlimited_trades": account.unlimited_trades,
        "refused": sum(account.refused.values()),
        "profit": float(account.profit),
        "unlimited_profit": float(account.unlimited_profit),
        "peak_capital": float(account.peak_capital),
        "peak_holdings": account.peak_holdings,
        "max_drawdown": account.max_drawdown,
    }


def compared(chosen: pd.Series, present: pd.Series, seed: int) -> Compared:
    """Paired, day by day; both KRW by yyyymmdd, of the same days."""
    better = (chosen - present).to_numpy(dtype=np.float64)
    mean = float(better.mean())
    low = high = mean if np.ptp(better) == 0 else float("nan")
    if len(better) >= FEWEST_DAYS and np.ptp(better) > 0:
        interval = bootstrap_interval(better, "mean", seed=seed, level=LEVEL)
        low, high = interval.low, interval.high
    return {"days": len(better), "mean": mean, "low": low, "high": high, "level": LEVEL}


def winner_clusters(study: StudyResult) -> pd.Series:
    """Trial -> cluster of those that behave alike, of the best CLUSTERED that did not fail."""
    best = study.table.best(CLUSTERED)
    if len(best) == 0:
        return pd.Series(dtype="int64")
    returns = np.asarray(study.daily[study.table.daily_row[best]], dtype=np.float64)
    return pd.Series(behaviour_clusters(returns), index=best)
