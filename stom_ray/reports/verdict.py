"""What may be believed, decided before anything is drawn, and cautious on purpose.

A study holds up only when all three are true: the stitched test days made money, the deflated Sharpe ratio is at least 0.95, and
there are as many days as the minimum backtest length asks for (design/science.md). What cannot be computed counts against it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from stom_ray.reports.data import ReportData
from stom_ray.reports.tables import outcomes

Standing = Literal["nothing", "untested", "failed", "unproven", "holds"]

BELIEVABLE = 0.95
DAYS_PER_YEAR = 250


@dataclass(frozen=True)
class Verdict:
    """standing: nothing (neither a scored trial nor a test day), untested (no test days), failed (no money on test days),
    unproven (money, but luck or too little data could explain it), holds.

    lucky: deflated Sharpe below 0.95 or unknown. short: fewer days than needed.
    days_needed: trading days, inf when no length would do, NaN when unknown. test_profit: KRW on the test days.
    """

    standing: Standing
    lucky: bool
    short: bool
    days_needed: float
    test_profit: float


def judge(data: ReportData) -> Verdict:
    """The verdict on a study."""
    needed, lucky, short = _overfitting(data)
    profit = float(data.test_daily.fillna(0.0).sum())
    if len(data.test_daily) == 0:
        standing: Standing = "untested" if outcomes(data.trials)["scored"] else "nothing"
    elif not profit > 0:
        standing = "failed"
    else:
        standing = "unproven" if lucky or short else "holds"
    return Verdict(standing, lucky, short, needed, profit)


def _overfitting(data: ReportData) -> tuple[float, bool, bool]:
    """Days needed, whether luck is not excluded, whether there are too few days."""
    found = data.overfitting
    if found is None:
        return math.nan, True, True
    needed = found["min_backtest_length"] * DAYS_PER_YEAR
    return needed, not found["deflated_sharpe"] >= BELIEVABLE, not found["days"] >= needed
