"""STOM's 15 result figures of one run, written to be read (spec/metrics.md, "The 15 figures").

This is the definition; `stom_ray.metrics.batch` computes the same bits for whole batches. Numbers are taken as STOM takes
them: rint(x * 10^n) / 10^n, means added one by one in the order of the sell times, ties in the order of the trades.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.types import Trades

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Every score table has these columns in this order: trades, a day, won, lost, hit rate %, mean hold s, mean pct, return %,
# profit KRW, held at once, capital KRW, return % a year, trade performance index, drawdown % and KRW.
FIGURES = ("tc", "atc", "pc", "mc", "wr", "ah", "app", "tpp", "tsg", "mhct", "seed", "cagr", "tpi", "mdd", "mdd_")

DAYS_A_YEAR = 250
CLOCK_TO_DAY = 1_000_000


@dataclass(frozen=True)
class Fold:
    """One side of one of STOM's train/valid folds, with the test cut.

    kind: "VALID" is the days first..last (yyyymmdd, inclusive); "TRAIN" is every other day before `test_first`, and every
    other day when that is None (STOM's genetic and condition searches). n_days: trading days that count as this side's.
    """

    kind: Literal["TRAIN", "VALID"]
    valid_first: int
    valid_last: int
    test_first: int | None
    n_days: int

    def holds(self, days: Ints) -> NDArray[np.bool_]:
        """Which of the days (yyyymmdd, any shape) belong to this side; same shape."""
        valid = (days >= self.valid_first) & (days <= self.valid_last)
        if self.kind == "VALID":
            return valid
        return ~valid if self.test_first is None else ~valid & (days < self.test_first)


def figures(trades: Trades, ranking_clock: Ints, n_days: int, *, betting: float, report: bool = False) -> Floats:
    """The figures of one candidate's trades, (15,) in FIGURES order.

    ranking_clock: `moneytop` seconds of the selection, sorted. n_days: its trading days. betting: KRW an entry. report: keep the
    seconds without a position in the holding table (STOM's reports do, its searches do not). No trade: all zero. A k-th largest
    amount of 0, which only a report can have, counts as `betting`, as an empty table does.
    """
    count, amount = holding_table(trades, ranking_clock)
    rows = np.ones(len(count), dtype=np.bool_) if report else count > 0
    held, capital = _requirement(_descending(count[rows]), _descending(amount[rows]), betting)
    ordered = _take(trades, np.argsort(trades.sell_clock, kind="stable"))
    return _figures(ordered, np.cumsum(ordered.profit), held, capital, n_days)


def fold_figures(trades: Trades, ranking_clock: Ints, fold: Fold, *, betting: float) -> Floats:
    """The figures of one side of a fold, (15,), from the trades of the whole range.

    With STOM's quirks: the holding table's columns are sorted each by itself, the date column too, before rows are picked by
    date, so the counts picked are those of other days; drawdown is that of the whole range's cumulative profit, cut to the fold.
    """
    count, amount = holding_table(trades, ranking_clock)
    rows = count > 0
    picked = fold.holds(_descending(ranking_clock[rows]) // CLOCK_TO_DAY)
    held, capital = _requirement(_descending(count[rows])[picked], _descending(amount[rows])[picked], betting)
    ordered = _take(trades, np.argsort(trades.sell_clock, kind="stable"))
    inside = fold.holds(ordered.sell_clock // CLOCK_TO_DAY)
    return _figures(_take(ordered, inside), np.cumsum(ordered.profit)[inside], held, capital, fold.n_days)


def holding_table(trades: Trades, ranking_clock: Ints) -> tuple[Ints, Ints]:
    """Instruments held and KRW bound at each `moneytop` second, both (n_seconds,); buy and sell second count as held."""
    first = np.searchsorted(ranking_clock, trades.buy_clock, side="left")
    after = np.searchsorted(ranking_clock, trades.sell_clock, side="right")
    steps = np.zeros((2, len(ranking_clock) + 1), dtype=np.int64)
    for row, change in enumerate((np.ones(len(trades), dtype=np.int64), trades.buy_amount)):
        np.add.at(steps[row], first, change)
        np.subtract.at(steps[row], after, change)
    count, amount = np.cumsum(steps, axis=1)[:, :-1]
    return count, amount


def rint(value: float, digits: int) -> float:
    """rint(value * 10^digits) / 10^digits, the rounding of every figure."""
    scale = 10.0**digits
    return float(np.rint(value * scale) / scale)


def _requirement(count: Ints, amount: Ints, betting: float) -> tuple[int, float]:
    """Held at once and capital needed: the k-th largest of columns in descending order, k = 1% of the rows."""
    if len(count) == 0:
        return 0, betting
    k = int(len(count) * 0.01)
    return int(count[k]), float(amount[k]) if amount[k] > 0 else betting


def _figures(trades: Trades, cumulative: Ints, held: int, capital: float, n_days: int) -> Floats:
    """The figures of trades in sell order with their cumulative profit."""
    n = len(trades)
    if n == 0:
        return np.zeros(len(FIGURES))
    won = trades.profit >= 0
    n_won = int(np.count_nonzero(won))
    hit_rate = rint(n_won / n * 100, 2)
    profit = int(np.sum(trades.profit))
    gain = rint(profit / capital * 100, 2)
    drop_pct, drop_krw = _drawdown(cumulative, capital)
    if drop_krw == 0:
        drop_pct, drop_krw = abs(gain), abs(profit)
    values = {
        "tc": n,
        "atc": rint(n / n_days, 1),
        "pc": n_won,
        "mc": n - n_won,
        "wr": hit_rate,
        "ah": rint(_mean(trades.hold_s.astype(np.float64)), 2),
        "app": rint(_mean(trades.profit_pct), 2),
        "tpp": gain,
        "tsg": profit,
        "mhct": held,
        "seed": capital,
        "cagr": rint(gain / n_days * DAYS_A_YEAR, 2),
        "tpi": _performance_index(hit_rate, _mean(trades.profit_pct[won]), _mean(trades.profit_pct[~won])),
        "mdd": drop_pct,
        "mdd_": drop_krw,
    }
    return np.array([values[name] for name in FIGURES], dtype=np.float64)


def _performance_index(hit_rate: float, mean_won: float, mean_lost: float) -> float:
    """1.0 without losing trades, and where what was lost rounds to 0.00% throughout."""
    return rint(hit_rate / 100 * (1 + mean_won / abs(mean_lost)), 2) if mean_lost != 0 else 1.0


def _drawdown(cumulative: Ints, capital: float) -> tuple[float, int]:
    """Deepest fall of the cumulative profit in % of (profit at the peak + capital), and in KRW; (0.0, 0) if it never falls."""
    low = int(np.argmax(np.maximum.accumulate(cumulative) - cumulative))
    if low == 0:
        return 0.0, 0
    peak = int(np.max(cumulative[:low]))
    fall = abs(peak - int(cumulative[low]))
    with np.errstate(divide="ignore"):  # the capital exactly lost at the peak: inf
        return rint(float(np.float64(fall) / np.float64(peak + capital) * 100), 2), fall


def _mean(values: Floats) -> float:
    """Added one by one; 0.0 of nothing."""
    return float(np.cumsum(values)[-1] / len(values)) if len(values) else 0.0


def _descending(values: Ints) -> Ints:
    return np.sort(values)[::-1]


def _take(trades: Trades, index: Ints | NDArray[np.bool_]) -> Trades:
    return Trades(**{field.name: getattr(trades, field.name)[index] for field in fields(Trades)})
