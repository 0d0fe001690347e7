"""What a study found, as one table that does not depend on who finished first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stom_ray.engine.types import Floats, Ints, ParamMatrix
from stom_ray.search.base import FIGURES
from stom_ray.search.halving import PruneCheck, prune_check
from stom_ray.search.known_rows import KnownRows
from stom_ray.search.ledger import Batch
from stom_ray.search.space import take


@dataclass(frozen=True)
class TrialTable:
    """One row per scored key, ordered by who asked for it first: (batch, island, place in the batch), present values in front.

    figures: (n, 15). objective, sharpe: (n,), NaN for failed rows (sharpe also without two days that differ). aims: (n, m) of a
    goal that has several (`search.front`), m = 0 for one objective; NaN for failed rows. batch, island, place: (n,) int64; island
    -1 is the user's present values. source: (n,) names of samplers. reasons: row -> why it failed. daily_row: (n,) the row of
    `StudyResult.daily` that is row i's; that file is in the order in which batches were recorded.

    pruned, fell, early: as in `Scores`; of a row that several islands asked for what it reached farthest, so it is pruned only
    when all of them did that. rungs: on how many days each rung was run.
    """

    params: ParamMatrix
    keys: list[bytes]
    figures: Floats
    objective: Floats
    aims: Floats
    sharpe: Floats
    failed: NDArray[np.bool_]
    pruned: NDArray[np.bool_]
    fell: Ints
    early: Floats
    rungs: tuple[int, ...]
    reasons: dict[int, str]
    island: Ints
    batch: Ints
    place: Ints
    source: list[str]
    daily_row: Ints

    def __len__(self) -> int:
        return len(self.keys)

    def ranked(self) -> Ints:
        """(n,) rows from the best objective to the worst, earlier rows first among equals, failed and pruned rows last."""
        comparable = np.where(np.isnan(self.objective), -np.inf, self.objective)
        return np.argsort(-comparable, kind="stable")

    def best(self, n: int = 1) -> Ints:
        """Rows of the n best that did not fail and were not pruned (fewer when there are fewer)."""
        ranked = self.ranked()
        return ranked[~np.isnan(self.objective[ranked])][:n]

    def prune_check(self) -> PruneCheck:
        """What halving may have cost; without it nothing."""
        return prune_check(self.objective, self.fell, self.pruned, self.early)

    def rows(self, rows: Ints) -> ParamMatrix:
        return take(self.params, rows)

    def to_frame(self) -> pd.DataFrame:
        """trial, island, source, one column per variable (`vars[i]`), the figures, objective, sharpe, failed, pruned, reason."""
        values = {f"vars[{i}]": self.params.values[:, i] for i in range(self.params.values.shape[1])}
        figures = {name: self.figures[:, i] for i, name in enumerate(FIGURES)}
        reasons = [self.reasons.get(row, "") for row in range(len(self))]
        for row in np.flatnonzero(self.pruned).tolist():
            reasons[row] = f"pruned after {self.rungs[self.fell[row] - 1]} days"
        scores = {"objective": self.objective, "sharpe": self.sharpe}
        ends = {"failed": self.failed, "pruned": self.pruned, "reason": reasons}
        return pd.DataFrame(
            {"trial": np.arange(len(self)), "island": self.island, "source": self.source, **values, **figures, **scores, **ends}
        )


def trial_table(batches: Sequence[Batch], width: int, aims: int = 0, rungs: Sequence[int] = ()) -> TrialTable:
    """Merge a ledger's batches; `width` is the number of variables, `aims` that of the aims' columns, `rungs` on how many days
    each rung of a study with halving was run.

    Batches are gone through one at a time: beside the table itself, memory holds no more than about 60 bytes a row.
    """
    order = _in_order(batches)
    known, askers = KnownRows(), [np.empty((0, 2), dtype=np.int64)]
    islands, numbers, sources = np.zeros(len(order), dtype=np.int64), np.zeros(len(order), dtype=np.int64), []
    for turn, at in enumerate(order):
        batch, before = batches[at], len(known)
        known.add(batch.keys, np.zeros(len(batch.keys)))
        places = known.places(batch.keys) - before
        new, first = np.unique(places, return_index=True)
        askers.append(np.stack([np.full(len(new), turn), first], axis=1)[new >= 0])
        islands[turn], numbers[turn] = batch.island, batch.number
        sources.append(batch.source)
    asker = np.concatenate(askers)
    n = len(known)
    figures, values = np.empty((n, len(FIGURES))), np.empty((n, width))
    is_float, failed = np.empty((n, width), dtype=np.bool_), np.empty(n, dtype=np.bool_)
    objective, sharpe, daily_row = np.empty(n), np.empty(n), np.empty(n, dtype=np.int64)
    aimed, early = np.empty((n, aims)), np.empty((n, len(rungs)))
    pruned, fell, reached = np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.int64), np.full(n, -1)
    reasons: dict[int, str] = {}
    for at in order:
        batch = batches[at]
        rows = known.places([batch.keys[row] for row in batch.scored])
        reach = np.where(batch.scores.pruned, batch.scores.fell, 1 + len(rungs))
        farther = np.flatnonzero(reach > reached[rows])
        rows, scores, scored = rows[farther], batch.scores.pick(farther), batch.scored[farther]
        reached[rows] = reach[farther]
        values[rows], is_float[rows] = batch.params.values[scored], batch.params.is_float[scored]
        figures[rows], failed[rows], objective[rows], sharpe[rows] = (
            scores.figures,
            scores.failed,
            scores.objective,
            scores.sharpe,
        )
        aimed[rows], early[rows] = scores.aims, scores.early
        pruned[rows], fell[rows] = scores.pruned, scores.fell
        daily_row[rows] = batch.daily_row + farther
        reasons.update({int(rows[row]): text for row, text in scores.reasons.items()})
    return TrialTable(
        params=ParamMatrix(values, is_float),
        keys=list(known),
        figures=figures,
        objective=objective,
        aims=aimed,
        sharpe=sharpe,
        failed=failed,
        pruned=pruned,
        fell=fell,
        early=early,
        rungs=tuple(rungs),
        reasons=dict(sorted(reasons.items())),
        island=islands[asker[:, 0]],
        batch=numbers[asker[:, 0]],
        place=asker[:, 1].copy(),
        source=[sources[turn] for turn in asker[:, 0]],
        daily_row=daily_row,
    )


def _in_order(batches: Sequence[Batch]) -> list[int]:
    """Places of the batches by who asked first: the present values, then by number and island."""
    names = [(batch.number if batch.island >= 0 else -1, batch.island) for batch in batches]
    return sorted(range(len(names)), key=names.__getitem__)
