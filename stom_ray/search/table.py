"""What a study found, as one table that does not depend on who finished first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stom_ray.engine.types import Floats, Ints, ParamMatrix
from stom_ray.search.base import FIGURES
from stom_ray.search.ledger import Batch
from stom_ray.search.space import stack, take


@dataclass(frozen=True)
class TrialTable:
    """One row per scored key, ordered by who asked for it first: (batch, island, place in the batch), present values in front.

    figures: (n, 15). objective, sharpe: (n,), NaN for failed rows (sharpe also without two days that differ). batch, island,
    place: (n,) int64; island -1 is the user's present values. source: (n,) names of samplers. reasons: row -> why it failed.
    daily_row: (n,) the row of `StudyResult.daily` that is row i's; that file is in the order in which batches were recorded.
    """

    params: ParamMatrix
    keys: list[bytes]
    figures: Floats
    objective: Floats
    sharpe: Floats
    failed: NDArray[np.bool_]
    reasons: dict[int, str]
    island: Ints
    batch: Ints
    place: Ints
    source: list[str]
    daily_row: Ints

    def __len__(self) -> int:
        return len(self.keys)

    def ranked(self) -> Ints:
        """(n,) rows from the best objective to the worst, earlier rows first among equals, failed rows last."""
        comparable = np.where(np.isnan(self.objective), -np.inf, self.objective)
        return np.argsort(-comparable, kind="stable")

    def best(self, n: int = 1) -> Ints:
        """Rows of the n best that did not fail (fewer when there are fewer)."""
        ranked = self.ranked()
        return ranked[~self.failed[ranked]][:n]

    def rows(self, rows: Ints) -> ParamMatrix:
        return take(self.params, rows)

    def to_frame(self) -> pd.DataFrame:
        """trial, island, source, one column per variable (`vars[i]`), the figures, objective, sharpe, failed, reason."""
        values = {f"vars[{i}]": self.params.values[:, i] for i in range(self.params.values.shape[1])}
        figures = {name: self.figures[:, i] for i, name in enumerate(FIGURES)}
        reasons = [self.reasons.get(row, "") for row in range(len(self))]
        ends = {"objective": self.objective, "sharpe": self.sharpe, "failed": self.failed, "reason": reasons}
        return pd.DataFrame(
            {"trial": np.arange(len(self)), "island": self.island, "source": self.source, **values, **figures, **ends}
        )


def trial_table(batches: Sequence[Batch], width: int) -> TrialTable:
    """Merge a ledger's batches; `width` is the number of variables (for an empty study)."""
    ordered = sorted(batches, key=lambda batch: (batch.number if batch.island >= 0 else -1, batch.island))
    first: dict[bytes, tuple[int, int]] = {}
    for n, batch in enumerate(ordered):
        for place, key in enumerate(batch.keys):
            first.setdefault(key, (n, place))
    keys = [batch.keys[row] for batch in ordered for row in batch.scored]
    asker = np.array([first[key] for key in keys], dtype=np.int64).reshape(len(keys), 2)
    order = np.lexsort((asker[:, 1], asker[:, 0]))
    asker = asker[order]
    none = np.empty(0, dtype=np.int64)
    new_place = np.empty(len(keys), dtype=np.int64)
    new_place[order] = np.arange(len(keys))
    starts = np.concatenate([[0], np.cumsum([len(batch.scores) for batch in ordered])])
    reasons = {
        int(new_place[starts[n] + row]): text for n, batch in enumerate(ordered) for row, text in batch.scores.reasons.items()
    }
    return TrialTable(
        params=take(stack([take(batch.params, batch.scored) for batch in ordered], width), order),
        keys=[keys[row] for row in order],
        figures=np.concatenate([np.empty((0, len(FIGURES))), *(batch.scores.figures for batch in ordered)])[order],
        objective=np.concatenate([np.empty(0), *(batch.scores.objective for batch in ordered)])[order],
        sharpe=np.concatenate([np.empty(0), *(batch.scores.sharpe for batch in ordered)])[order],
        failed=np.concatenate([np.empty(0, dtype=np.bool_), *(batch.scores.failed for batch in ordered)])[order],
        reasons=dict(sorted(reasons.items())),
        island=np.array([ordered[n].island for n in asker[:, 0]], dtype=np.int64),
        batch=np.array([ordered[n].number for n in asker[:, 0]], dtype=np.int64),
        place=asker[:, 1].copy(),
        source=[ordered[n].source for n in asker[:, 0]],
        daily_row=np.concatenate([none, *(batch.daily_row + np.arange(len(batch.scores)) for batch in ordered)])[order],
    )
