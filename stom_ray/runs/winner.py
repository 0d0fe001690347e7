"""A chosen row under every light that needs its trades: neighbours, random entries, worse assumptions, one account.

Each look is bounded in time, by taking fewer draws or fewer days where there are many trades, and repeatable by the run's seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stom_ray.engine.replay import Replay
from stom_ray.engine.types import Floats, Ints, ParamMatrix
from stom_ray.runs.played import Played
from stom_ray.runs.subject import Subject
from stom_ray.schema.costs import KRX_TAX, STOM_FEE_RATE, cost_model
from stom_ray.search.evaluator import SerialEvaluator
from stom_ray.search.space import stack
from stom_ray.store.panel import Selection
from stom_ray.store.selection import on_days
from stom_ray.validation.account import Account, AccountResult, simulate_account
from stom_ray.validation.baselines import RoundTrips, random_entries, round_trips
from stom_ray.validation.plateau import Plateau, neighbour_rows, plateau
from stom_ray.validation.stability import Stability, stability
from stom_ray.validation.stress import Assumption, optimism_report, worse_assumptions
from stom_ray.validation.trade_order import drawdowns_over_orders

DRAWS, FEWEST_DRAWS, MOST_ROUND_TRIPS = 1000, 200, 5_000_000
MOST_ORDERED_TRADES = 10_000_000
REPLAYED_ROWS = 200_000  # rows held above which an account leaves out what refused stocks would have bought later
LATE_ROWS = 30_000  # rows held over which late orders are interpreted, each some 20 to 50 µs


@dataclass(frozen=True)
class Winner:
    """A row that a search chose. played: its trades over `selection`, the days it was searched on."""

    subject: Subject
    row: ParamMatrix
    played: Played
    selection: Selection

    @property
    def seed(self) -> int:
        return self.subject.config.search.seed

    def random_entry_p(self) -> float | None:
        """p-value against buying at random moments; None without trades."""
        trades = self.played.trades
        if len(trades) == 0:
            return None
        draws = max(FEWEST_DRAWS, min(DRAWS, MOST_ROUND_TRIPS // len(trades)))
        return random_entries(self.market(), trades, draws=draws, seed=self.seed).p_value

    def market(self) -> RoundTrips:
        """What the row's orders would meet on every row of the selection."""
        engine = self.subject.engine.of_row(self.row)
        gate = int(np.ceil(self.row.values[0, 0])) if engine.gate_var0 else engine.avgtime
        return round_trips(self.selection, engine, gate=max(1, gate))

    def plateau(self) -> Plateau | None:
        """In the objective. None when the row itself has none."""
        subject, execution = self.subject, self.subject.config.execution
        neighbours, _ = neighbour_rows(subject.space, self.row)
        evaluator = SerialEvaluator(
            subject.strategy, self.selection, subject.engine, threads=execution.workers, max_memory=execution.memory(1)
        )
        scored = evaluator.evaluate(stack([self.row, neighbours], len(subject.space.variables)))
        objective = np.where(scored.failed, np.nan, subject.goal.score(scored))
        return plateau(float(objective[0]), objective[1:]) if np.isfinite(objective[0]) else None

    def stability(self) -> Stability | None:
        """None without trades."""
        return stability(self.played.trades, self.selection.selected) if len(self.played.trades) else None

    def order_drawdowns(self) -> Floats:
        """KRW; as `drawdowns_over_orders`."""
        profits = self.played.trades.profit
        orders = max(FEWEST_DRAWS, min(DRAWS, MOST_ORDERED_TRADES // max(1, len(profits))))
        return drawdowns_over_orders(profits, orders=orders, seed=self.seed)

    def account(self) -> AccountResult | None:
        """None without an `account` section in the configuration; exact where the winner holds for no more than REPLAYED_ROWS."""
        section, subject = self.subject.config.account, self.subject
        if section is None:
            return None
        exact = int((self.played.trades.sell_row - self.played.trades.buy_row).sum()) <= REPLAYED_ROWS
        replay = Replay(subject.strategy, self.selection, self.row, subject.engine) if exact else None
        return simulate_account(Account(section.cash, section.max_holdings), self.played.trades, self.selection.selected, replay)

    def stress(self) -> pd.DataFrame:
        """`optimism_report`'s rows, and `days` that each was run on: late orders on some, where the winner held long and often.

        Costs: the highest tax of the days and of Korea since 2021, at today's fee and at twice that.
        """
        assumptions = worse_assumptions(self.subject.engine, costs=self._dearer())
        late = tuple(one for one in assumptions if one.delay is not None)
        at_once = tuple(one for one in assumptions if one.delay is None)
        days = self._sampled_days()
        part = self.selection if len(days) == len(self.played.daily) else on_days(self.selection, days)
        whole = self._report(self.selection, at_once).assign(days=len(self.played.daily))
        return pd.concat([whole, self._report(part, late).assign(days=len(days)).iloc[1:]], ignore_index=True)

    def _report(self, selection: Selection, assumptions: tuple[Assumption, ...]) -> pd.DataFrame:
        subject = self.subject
        return optimism_report(
            subject.strategy,
            selection,
            subject.engine,
            self.row,
            assumptions=assumptions,
            threads=subject.config.execution.workers,
        )

    def _dearer(self) -> tuple[str, str]:
        models = [cost_model(self.subject.engine.costs, int(day)) for day in self.played.daily.index]
        tax = float(max(*(model.tax_rate for model in models), *(rate for _, rate in KRX_TAX)))
        fee = max(STOM_FEE_RATE, float(max(model.fee_rate for model in models)))
        return f"custom:{100 * tax:.6g},{100 * fee:.6g}", f"custom:{100 * tax:.6g},{200 * fee:.6g}"

    def _sampled_days(self) -> Ints:
        """Random trading days until the winner has held for LATE_ROWS rows; all of them when it holds for fewer."""
        trades = self.played.trades
        days = self.played.daily.index.to_numpy(dtype=np.int64)
        held = pd.Series(trades.sell_row - trades.buy_row).groupby(trades.sell_clock // 1_000_000).sum()
        order = np.random.default_rng(self.seed).permutation(days)
        sums = held.reindex(order, fill_value=0).cumsum().to_numpy()
        return np.sort(order[: max(1, int(np.searchsorted(sums, LATE_ROWS, side="right")))])


def kept_shares(stress: pd.DataFrame) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """(assumption -> share of the profit kept) of worse orders, and of higher costs.

    Left out is what was run on a sample of the days on which the winner happens to earn nothing, while it earns on all of them.
    """
    worse, earned = stress.iloc[1:], stress["kept"].iloc[0] == 1.0
    told = worse["kept"].notna() | (worse["failed"] != "") | (not earned)
    kept = dict(zip(worse.loc[told, "assumption"], worse.loc[told, "kept"].astype("float64"), strict=True))
    costs = {name: share for name, share in kept.items() if name.startswith("costs ")}
    return {name: share for name, share in kept.items() if name not in costs}, costs
