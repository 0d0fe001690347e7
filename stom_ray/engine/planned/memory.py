"""What a batch will take, before it runs: bytes a row of the block that is walked, and bytes of the candidates.

Counted is what a run adds to the program and its data, at most: arrays of numpy as they are made, and the kernels' own, for the
longest session. Not counted are trades, whose number nothing but the run knows (`BYTES_A_TRADE` each).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stom_ray.engine.planned.cut import Cut
from stom_ray.engine.planned.grid import SLOTS
from stom_ray.engine.planned.pieces import FIRST_BUFFER, GridPiece, RowsPiece
from stom_ray.engine.planned.tabled import CELLS
from stom_ray.engine.planned.walk import Walk
from stom_ray.engine.types import Ints, ParamMatrix
from stom_ray.errors import ConfigError, OutOfRoomError

BYTES_A_TRADE = 400  # recorded, in the order of the result, as a table and while that is written
OF_EVERY_ROW = 48  # shares and price of an entry, seconds, watched, next row to look at, marks while a text is run
OF_WALKED_ROW = 40  # prices, next higher and lower, lows between; gate
WORKING = 64  # columns of a term while it is made
OF_TERM, OF_TICK, OF_TRUTH = 9, 12, 1  # a column and its highest by word; a column and its next higher; a bit
OF_OUTCOME = 44  # of an entry by one combination of exit values
OF_LOOKED_UP = 20
OF_RECORD = 48
PAIR = 16  # a figure and its row


@dataclass(frozen=True)
class Prediction:
    """a_row: bytes a row of a block. candidates: bytes of the batch, whatever the block. rows: of the largest block. blocks: how
    many."""

    a_row: int
    candidates: int
    rows: int
    blocks: int

    @property
    def total(self) -> int:
        return self.a_row * self.rows + self.candidates


def predicted(a_row: int, candidates: int, starts: Ints, soft: int, limit: int | None) -> Prediction:
    """starts: (n_instruments + 1,) first rows. soft: bytes of rows that a block is cut to where there is no limit.

    Raises ConfigError when there is a limit, and one instrument at a time is more.
    """
    largest = int(np.diff(starts).max(initial=0))
    if limit is None:
        return Prediction(a_row, candidates, *cut_into(starts, max(1, soft // a_row)))
    needed = a_row * largest + candidates
    if needed > limit:
        raise ConfigError(
            f"max_memory is {spelt(limit)}, but one instrument at a time needs {spelt(needed)}: {largest:,} rows of the longest "
            f"instrument x {a_row} bytes, and {spelt(candidates)} for the candidates. Allow at least that much, or take fewer "
            "days, threads or parameter rows"
        )
    return Prediction(a_row, candidates, *cut_into(starts, (limit - candidates) // a_row))


def cut_into(starts: Ints, rows: int) -> tuple[int, int]:
    """(rows of the largest block, number of blocks), as `kernel_bind.split_selection` cuts."""
    first, largest, blocks = 0, 0, 1
    for code in range(1, len(starts) - 1):
        if starts[code + 1] - starts[first] > rows:
            largest = max(largest, int(starts[code] - starts[first]))
            first, blocks = code, blocks + 1
    return max(largest, int(starts[-1] - starts[first])), blocks


def refuse_trades(trades: int, candidates: int, prediction: Prediction, limit: int) -> None:
    """ConfigError when that many trades do not fit beside what the run takes."""
    needed = trades * BYTES_A_TRADE
    if prediction.total + needed > limit:
        raise OutOfRoomError(
            f"max_memory is {spelt(limit)}, but {candidates:,} parameter rows make {trades:,} trades: {spelt(needed)} at "
            f"{BYTES_A_TRADE} bytes each, beside {spelt(prediction.total)} for the run. Take fewer parameter rows at a time, "
            "allow more, or ask for sums only (sweep --totals)"
        )


# Parts


def bytes_a_row(columns: int, sites: int, plan: Cut | None) -> int:
    """columns: of the matrix. sites: windows that it has room for from the start; growing beyond them copies it."""
    generated = 8 * columns + OF_EVERY_ROW
    grown = 8 * (2 * columns - sites) + OF_EVERY_ROW if sites else generated
    if plan is None:
        return max(generated + WORKING, grown)
    kept = OF_WALKED_ROW + OF_TERM * len(plan.terms.thresholds) + OF_TICK * len(plan.ticks) + OF_TRUTH * len(plan.truths)
    return max(generated + kept + WORKING, grown)


def bytes_of_batch(params: ParamMatrix, plan: Cut | None, n_days: int, summing: bool) -> int:
    """The parameter rows, what the terms make of them, and sums by day."""
    n, width = len(params), int(params.values.shape[1])
    atoms = 0 if plan is None or plan.reasons is None else sum(len(reason.atoms) for reason in plan.reasons.reasons)
    terms = 0 if plan is None else len(plan.terms.thresholds)
    return n * (3 * 9 * width + 4 * 8 * (terms + atoms) + 64 + (3 * 8 * (n_days + 3) if summing else 0))


def bytes_of_walk(walk: Walk, longest: int, threads: int) -> tuple[int, int]:
    """(kept, and while it walks). longest: rows of the longest session."""
    kept, working = 0, 0
    for piece in walk.pieces:
        found = _grid(piece, longest) if isinstance(piece, GridPiece) else _rows(piece, longest)
        kept += found[0]
        working = max(working, threads * (found[1] + 32 * longest + OF_RECORD * FIRST_BUFFER))
    return kept, working


def outcomes_of(walk: Walk, longest: int, threads: int) -> int:
    """Bytes of the tables of outcomes, which grow with the combinations of exit values."""
    grids = [piece for piece in walk.pieces if isinstance(piece, GridPiece)]
    return OF_OUTCOME * longest * threads * sum(len(piece.shared.exits[0]) for piece in grids)


def _grid(piece: GridPiece, longest: int) -> tuple[int, int]:
    shared = piece.shared
    n_exits, words = len(shared.exits[0]), (longest + 63) >> 6
    kept = sum(array.nbytes for array in (shared.order, shared.place, shared.shared, shared.distinct, shared.leaf_start))
    kept += shared.leaf_exit.nbytes + sum(array.nbytes for array in shared.exits)
    bits = 8 * words * (shared.distinct.size + len(shared.terms) + 1 + SLOTS)
    outcomes = OF_OUTCOME * longest * n_exits + PAIR * SLOTS * n_exits
    looked_up = 0 if piece.sell is None else OF_LOOKED_UP * max(CELLS, longest * n_exits)
    return kept, bits + outcomes + looked_up


def _rows(piece: RowsPiece, longest: int) -> tuple[int, int]:
    kept = piece.transposed.prefix.nbytes + piece.transposed.ordered.nbytes + 2 * sum(array.nbytes for array in piece.exits)
    records = PAIR * len(piece.script.labels) * longest
    return kept, records + 64 * len(piece.rows)


def spelt(amount: int) -> str:
    """Bytes for a person."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if amount >= size:
            return f"{amount / size:,.1f} {unit}"
    return f"{amount} bytes"
