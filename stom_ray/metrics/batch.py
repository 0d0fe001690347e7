"""The figures of a whole batch of candidates, bit-equal to `stom_ray.metrics.stom` one candidate at a time.

The holding table is never built: sorted entries and exits cut time into pieces of constant holdings, each worth as many rows
as it has `moneytop` seconds, and the k-th largest of such weighted values is selected without sorting them.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.types import Trades
from stom_ray.metrics.batch_kernel import score_batch
from stom_ray.metrics.stom import CLOCK_TO_DAY, FIGURES, Fold
from stom_ray.store.panel import Panel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class RankingIndex:
    """Where a panel's rows lie among its seconds and among the seconds of `moneytop`.

    days: trading days, yyyymmdd. second: (n_rows,) int32, the row's place among all distinct seconds of rows and ranking.
    ranked: (n_seconds + 1,) int32, `moneytop` seconds before each place. ranked_of_day: (n_days,) how many each day has.
    """

    days: Ints
    second: NDArray[np.int32]
    ranked: NDArray[np.int32]
    ranked_of_day: Ints


def trading_days(panel: Panel) -> Ints:
    """Days of the selection, sorted, yyyymmdd: those of `moneytop` and those with rows; what `n_days` counts."""
    return np.union1d(panel.days, panel.ranking_clock // CLOCK_TO_DAY)


def ranking_index(panel: Panel) -> RankingIndex:
    """The panel's index, built once and kept as long as the panel lives. Safe to call from several threads."""
    with _LOCK:
        known = _INDEXES.get(id(panel))
        if known is None:
            known = _build_index(panel)
            _INDEXES[id(panel)] = known
            weakref.finalize(panel, _INDEXES.pop, id(panel), None)
    return known


def score(
    trades: Trades,
    n_candidates: int,
    selected: Panel,
    *,
    betting: float,
    report: bool = False,
    days: Ints | Sequence[int] | None = None,
) -> tuple[Floats, Floats]:
    """Figures (n_candidates, 15) in FIGURES order, and KRW earned per trading day (n_candidates, n_days), by day of the sale.

    trades: of any number of candidates, ordered by candidate; `selected` is the panel their rows refer to. days: score as if
    only these trading days had been run (sorted, yyyymmdd; default `trading_days(selected)`): trades, `moneytop` seconds and
    n_days of the others do not exist, which is exact because no position outlives its day. A candidate without trades: zeros.
    """
    index = ranking_index(selected)
    chosen = index.days if days is None else _checked_days(days, index.days)
    n_rows = int(index.ranked_of_day[np.isin(index.days, chosen)].sum()) if report else -1
    whole = np.ones((1, len(chosen)), dtype=np.bool_)
    found, daily = _run(trades, n_candidates, selected, chosen, whole, np.array([len(chosen)]), betting, n_rows)
    return found[0], daily


def score_folds(trades: Trades, n_candidates: int, selected: Panel, folds: Sequence[Fold], *, betting: float) -> Floats:
    """Figures of each side of STOM's folds, (n_folds, n_candidates, 15), with its quirks (`stom.fold_figures`)."""
    days = ranking_index(selected).days
    inside = np.array([fold.holds(days) for fold in folds], dtype=np.bool_).reshape(len(folds), len(days))
    n_days = np.array([fold.n_days for fold in folds], dtype=np.int64)
    return _run(trades, n_candidates, selected, days, inside, n_days, betting, -1)[0]


_INDEXES: dict[int, RankingIndex] = {}
_LOCK = Lock()


def _build_index(panel: Panel) -> RankingIndex:
    seconds = np.union1d(panel.clock, panel.ranking_clock)
    days = trading_days(panel)
    ranked = np.zeros(len(seconds) + 1, dtype=np.int32)
    ranked[np.searchsorted(seconds, panel.ranking_clock) + 1] = 1
    return RankingIndex(
        days=days,
        second=np.searchsorted(seconds, panel.clock).astype(np.int32),
        ranked=np.cumsum(ranked, dtype=np.int32),
        ranked_of_day=np.bincount(np.searchsorted(days, panel.ranking_clock // CLOCK_TO_DAY), minlength=len(days)),
    )


def _checked_days(days: Ints | Sequence[int], known: Ints) -> Ints:
    chosen = np.asarray(days, dtype=np.int64)
    unknown = chosen[~np.isin(chosen, known)]
    if len(unknown) or np.any(np.diff(chosen) <= 0):
        raise ValueError(f"days must be trading days of the selection in rising order; unknown: {unknown.tolist()}")
    return chosen


def _arrays(trades: Trades) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints, Floats]:
    """What the kernel reads, contiguous, so that it is compiled for one layout only."""
    return (
        np.ascontiguousarray(trades.session),
        np.ascontiguousarray(trades.buy_row),
        np.ascontiguousarray(trades.sell_row),
        np.ascontiguousarray(trades.hold_s),
        np.ascontiguousarray(trades.buy_amount),
        np.ascontiguousarray(trades.profit),
        np.ascontiguousarray(trades.profit_pct),
    )


def _run(
    trades: Trades,
    n_candidates: int,
    selected: Panel,
    days: Ints,
    inside: NDArray[np.bool_],
    n_days: Ints,
    betting: float,
    n_rows: int,
) -> tuple[Floats, Floats]:
    """(n_views, n_candidates, 15) and (n_candidates, len(days)); inside, n_days: which days each view holds, and how many."""
    starts = np.searchsorted(trades.candidate, np.arange(n_candidates + 1))
    if starts[0] != 0 or starts[-1] != len(trades) or np.any(np.diff(trades.candidate) < 0):
        raise ValueError(f"trades must be ordered by candidate, all in 0..{n_candidates - 1}")
    index = ranking_index(selected)
    slot = np.searchsorted(days, selected.session_day)
    known = np.isin(selected.session_day, days)
    found = np.zeros((len(inside), n_candidates, len(FIGURES)))
    daily = np.zeros((n_candidates, len(days)))
    score_batch(
        starts,
        np.where(known, slot, -1),
        _arrays(trades),
        (index.second, index.ranked),
        (inside, n_days.astype(np.float64)),
        float(betting),
        n_rows,
        found,
        daily,
    )
    return found, daily
