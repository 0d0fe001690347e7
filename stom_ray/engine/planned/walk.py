"""One batch of cut candidates over prepared blocks: which kernel walks, and why."""

from __future__ import annotations

import numpy as np

from stom_ray.engine.kernel_bind import Block
from stom_ray.engine.planned.candidates import Candidates, share
from stom_ray.engine.planned.cut import Cut, script_of
from stom_ray.engine.planned.pieces import GridPiece, RowsPiece
from stom_ray.engine.planned.prepared import Prepared
from stom_ray.engine.planned.tabled import SellText
from stom_ray.engine.planned.totals import Totals
from stom_ray.engine.results import labelled_trades, trades_of
from stom_ray.engine.types import Ints, Trades

ROWS_AT_ONCE = 1_024  # candidates of a `rows` walk: its tables grow with the square
FEW = 32  # candidates for which bits of candidates do not pay


class Walk:
    """A batch arranged for its kernel. name, reason: the plan, and why."""

    def __init__(self, plan: Cut, candidates: Candidates, bid_levels: int, sell: SellText | None = None) -> None:
        """sell: the generated sell text, where the plan has no reasons; `candidates.exits` then are what it reads."""
        script = script_of(plan)
        self.size = len(candidates.unfit)
        self.labels = np.append(script.labels, 0) if sell is None else None  # None: recorded as they are
        shared = share(candidates, script.starts)
        n, buys, exits = self.size, len(shared.place), len(shared.exits[0])
        combinations = f"{buys:,} combinations of buy values and {exits:,} of exit values"
        self.pieces: list[GridPiece | RowsPiece]
        if sell is not None or n <= FEW or buys * exits <= 2 * n:
            self.name, self.reason = "grid", f"{n:,} candidates are {combinations}"
            if sell is not None:
                self.reason += f"; outcomes by the generated sell text ({plan.uncut})"
            self.pieces = [GridPiece(shared, candidates, script, bid_levels, sell)]
        else:
            self.name, self.reason = "rows", f"{n:,} candidates have {combinations}: values of their own"
            starts = range(0, n, ROWS_AT_ONCE)
            parts = [np.arange(start, min(start + ROWS_AT_ONCE, n)) for start in starts]
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
