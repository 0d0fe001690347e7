"""Tables of a report, computed from trades and trials. Every number a reader sees in one is made here, not in a template."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from stom_ray.reports.data import Window

# Objectives at or below this stand for "no trades" (-2,000,000,000) or "a limit was violated" (-2,222,222,222, or a product with
# it); spec/metrics.md.
REFUSED = -2_000_000_000.0
NO_TRADES = -2_000_000_000.0
TABLE_COLUMNS = ("trades", "win_rate", "mean_pct", "hold_s", "profit")


def grouped(trades: pd.DataFrame, keys: pd.Series) -> pd.DataFrame:
    """One row per key, sorted by key. trades: how many; win_rate: % with profit >= 0; mean_pct: %; hold_s: mean seconds.

    profit: sum in KRW. keys: one for each row of `trades`. No trades: no rows.
    """
    profit = trades["profit_krw"].astype("float64")
    frame = pd.DataFrame(
        {
            "key": keys.to_numpy(),
            "win": (profit >= 0).to_numpy() * 100.0,
            "pct": trades["profit_pct"].to_numpy(dtype="float64"),
            "hold": trades["hold_s"].to_numpy(dtype="float64"),
            "profit": profit.to_numpy(),
        }
    )
    groups = frame.groupby("key", sort=True)
    table = groups.agg(
        trades=("profit", "size"),
        win_rate=("win", "mean"),
        mean_pct=("pct", "mean"),
        hold_s=("hold", "mean"),
        profit=("profit", "sum"),
    )
    return table[list(TABLE_COLUMNS)]


def per_day(trades: pd.DataFrame) -> pd.DataFrame:
    """By the day of the sale, yyyymmdd."""
    return grouped(trades, trades["sell_time"].astype("int64") // 1_000_000)


def per_ten_minutes(trades: pd.DataFrame) -> pd.DataFrame:
    """By ten minutes of the entry: 910 is 09:10:00-09:19:59."""
    hhmm = trades["buy_time"].astype("int64") // 100 % 10_000
    return grouped(trades, hhmm // 10 * 10)


def per_reason(trades: pd.DataFrame) -> pd.DataFrame:
    """By sell reason, most trades first."""
    return grouped(trades, trades["label"].astype("str")).sort_values("trades", ascending=False, kind="stable")


def per_code(trades: pd.DataFrame) -> pd.DataFrame:
    """By instrument, largest gain or loss first."""
    table = grouped(trades, trades["code"].astype("str"))
    return table.reindex(table["profit"].abs().sort_values(ascending=False, kind="stable").index)


def side_by_side(first: pd.DataFrame, second: pd.DataFrame, name: int = 0) -> pd.DataFrame:
    """Two tables of the same kind as columns (name, column) and (1 - name, column).

    Keys of either, in the order of the first, then of the second; a key one table lacks has NaN there.
    """
    extra = [key for key in second.index if key not in first.index]
    return pd.concat({name: first, 1 - name: second}, axis=1).reindex([*first.index, *extra])


def equity(daily: pd.Series) -> pd.Series:
    """Cumulative KRW at each day's end, by day. NaN days count as 0."""
    return daily.sort_index().fillna(0.0).cumsum()


def drawdown(daily: pd.Series) -> pd.Series:
    """KRW below the highest equity so far, <= 0, by day; the start (0) counts as a peak."""
    curve = equity(daily)
    return curve - curve.cummax().clip(lower=0.0)


def deepest(daily: pd.Series) -> float:
    """The deepest drawdown in KRW, <= 0; 0 without days."""
    return float(drawdown(daily).min()) if len(daily) else 0.0


def is_scored(trials: pd.DataFrame) -> pd.Series:
    """True for trials that ran through, traded and kept the limits: those whose objective means something."""
    return ~trials["failed"].astype("bool") & (trials["objective"].astype("float64") > REFUSED)


def scored(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials for which `is_scored` holds."""
    return trials[is_scored(trials)]


def top_trials(trials: pd.DataFrame, variables: Sequence[str], count: int) -> pd.DataFrame:
    """The best `count` scored trials, best first, one row for each combination of values (its first trial)."""
    good = scored(trials).sort_values(["objective", "trial"], ascending=[False, True], kind="stable")
    return good.drop_duplicates(subset=list(variables) or None).head(count)


def winners(trials: pd.DataFrame, variables: Sequence[str], clusters: pd.Series) -> pd.DataFrame:
    """The best scored trial of each cluster, best first, with `alike`: how many distinct scored trials of the cluster there are.

    clusters: trial -> cluster; trials that it lacks are left out, unless it is empty: then every trial is a cluster.
    """
    if clusters.empty:
        return top_trials(trials, variables, len(trials)).assign(alike=1)
    good = top_trials(trials[trials["trial"].isin(clusters.index)], variables, len(clusters))
    cluster = good["trial"].map(clusters)
    return good.assign(alike=cluster.map(cluster.value_counts()))[~cluster.duplicated()]


def outcomes(trials: pd.DataFrame) -> dict[str, int]:
    """How the trials ended: scored, no_trades, limits (violated), pruned (no objective), failed; they add up to all."""
    failed = trials["failed"].astype("bool").to_numpy()
    value = trials["objective"].to_numpy(dtype="float64")
    none = ~failed & (value == NO_TRADES)
    good = ~failed & (value > REFUSED)
    return {
        "scored": int(good.sum()),
        "no_trades": int(none.sum()),
        "limits": int((~failed & ~none & ~good & ~np.isnan(value)).sum()),
        "pruned": int((~failed & np.isnan(value)).sum()),
        "failed": int(failed.sum()),
    }


def stitched_windows(windows: Sequence[Window]) -> list[Window]:
    """Windows of the scheme whose tests make the out-of-sample result: the first window's."""
    return [window for window in windows if window["scheme"] == windows[0]["scheme"]]


def positive_windows(windows: Sequence[Window]) -> int:
    """Windows whose test made money."""
    return sum(1 for window in windows if window["test_figures"].get("tsg", 0.0) > 0)


def thinned(values: np.ndarray, points: int) -> np.ndarray:
    """Rows to draw so that a line through them looks like one through all: the lowest and highest of each of `points` stretches.

    values: (n,). Returns: sorted unique row numbers, at most 2 * points + 2; first and last included. NaN rows are never chosen.
    """
    rows = np.flatnonzero(~np.isnan(values))
    if len(rows) <= 2 * points:
        return rows
    edges = np.linspace(0, len(rows), points + 1).astype(np.int64)
    picked = {int(rows[0]), int(rows[-1])}
    for low, high in pairwise(edges.tolist()):
        part = values[rows[low:high]]
        picked.add(int(rows[low + int(part.argmin())]))
        picked.add(int(rows[low + int(part.argmax())]))
    return np.array(sorted(picked), dtype=np.int64)
