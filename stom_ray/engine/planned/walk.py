"""One batch of cut candidates over prepared blocks: which kernel walks, and why."""

from __future__ import annotations

import numpy as np

from stom_ray.engine.kernel_bind import Block
from stom_ray.engine.planned.candidates import Candidates, most_values, share
from stom_ray.engine.planned.cut import Cut, script_of
from stom_ray.engine.planned.pieces import GridPiece, RowsPiece
from stom_ray.engine.planned.prepared import Prepared
from stom_ray.engine.planned.tabled import SellText
from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.results import labelled_trades, trades_of
from stom_ray.engine.types import Ints, Trades

ROWS_AT_ONCE = 1_024  # candidates of a `rows` walk: its tables grow with the square
FEW = 32  # candidates for which bits of candidates do not pay
SHARED = 2  # combinations of buys and exits a candidate, up to which outcomes are worth remembering


class Walk:
    """A batch arranged for its kernel. name, reason: the plan, and why."""

    def __init__(self, plan: Cut, candidates: Candidates, bid_levels: int, sell: SellText | None = None) -> None:
        """sell: the generated sell text, where the plan has no reasons; `candidates.exits` then are what it reads."""
        script = script_of(plan)
        n = self.size = len(candidates.unfit)
        self.labels = np.append(script.labels, 0) if sell is None else None  # None: recorded as they are
        self.pieces: list[GridPiece | RowsPiece]

        def pays(buys: int, exits: int) -> bool:
            return sell is not None or n <= FEW or buys * exits <= SHARED * n

        buys, exits = most_values(candidates.buys), most_values(candidates.exits)
        if pays(buys, exits):
            shared = share(candidates, script.starts)
            buys, exits = len(shared.place), len(shared.exits[0])
            combinations = f"{buys:,} combinations of buy values and {exits:,} of exit values"
            if pays(buys, exits):
                self.name, self.reason = "grid", f"{n:,} candidates are {combinations}"
                if sell is not None:
                    self.reason += f"; outcomes by the generated sell text ({plan.uncut})"
                self.pieces = [GridPiece(shared, candidates, script, bid_levels, sell)]
                return
        self.name = "rows"
        self.reason = f"{n:,} candidates have at least {buys:,} different buys and {exits:,} different exits: values of their own"
        parts = [np.arange(start, min(start + ROWS_AT_ONCE, n)) for start in range(0, n, ROWS_AT_ONCE)]
        self.pieces = [RowsPiece(candidates, rows, script, bid_levels) for rows in parts]

    def trades(self, block: Block, prepared: Prepared, threads: int) -> Trades:
        """Trades by candidate, then time, of the sessions that have no trouble."""
        recorded = [piece.record(block, prepared, threads) for piece in self.pieces]
        joined = recorded[0] if len(recorded) == 1 else np.concatenate(recorded)
        if self.labels is None:
            return labelled_trades(joined, self.size, block)
        return trades_of(joined, self.labels, self.size, block)

    def totals(self, block: Block, prepared: Prepared, threads: int) -> Totals:
        """Sums over the sessions that have no trouble."""
        totals = Totals.zeros(self.size, np.unique(block.panel.session_day))
        for piece in self.pieces:
            piece.total(block, prepared, threads, totals)
        return totals

    def faulted(self) -> Ints:
        """Sessions of the block walked last that were left out because a sale might fault."""
        found = [sessions for piece in self.pieces for sessions in piece.faulted]
        return np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)
