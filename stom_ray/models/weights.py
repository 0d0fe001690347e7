"""Sample weights: how much of what a label reads is its own.

Labels that live at the same time follow from the same returns, so that a thousand of them may say as little as one. A label lives
from its row to its end, both included (snippet 4.1); the concurrency of a moment is how many live then, and the uniqueness of a
label the mean of 1 / concurrency over its life (snippet 4.2). Formula source: López de Prado, Advances in Financial Machine
Learning (2018), ch. 4.
"""

from __future__ import annotations

import numpy as np

from stom_ray.errors import ConfigError
from stom_ray.machine_code import njit
from stom_ray.models.labels import Labels
from stom_ray.store.panel import Floats, Ints, Panel


def uniqueness(labels: Labels, panel: Panel, *, across_instruments: bool = False) -> Floats:
    """(n_rows,) weights in (0, 1], 0 where there is no label.

    Moments are the rows of a session, and only labels of the same session count. across_instruments: moments are the seconds of a
    day on which some instrument has a row, and the labels of all instruments count: they move together. Raises ConfigError for
    labels of another panel.
    """
    if len(labels.value) != panel.n_rows:
        raise ConfigError(
            f"labels {labels.name} have {len(labels.value):,} rows, the panel {panel.n_rows:,}: expected those of this panel"
        )
    rows = np.flatnonzero(labels.known)
    if across_instruments:
        clock, moment = np.unique(panel.clock, return_inverse=True)
        starts = np.append(np.flatnonzero(np.append(True, np.diff(clock // 1_000_000) > 0)), len(clock))
    else:
        moment, starts = np.arange(panel.n_rows), panel.offsets
    weights = np.zeros(panel.n_rows)
    weights[rows] = mean_uniqueness(moment[rows], moment[labels.end_row[rows]], starts)
    return weights


@njit(cache=True, error_model="numpy", nogil=True)
def mean_uniqueness(first: Ints, last: Ints, starts: Ints) -> Floats:
    """(n,) mean of 1 / concurrency over the moments first..last of each label.

    first, last: (n,) moments 0..m-1, of one part each. starts: (n_parts + 1,) first moment of each day or session, the last is m;
    sums begin anew there, so that rounding does not pile up.
    """
    moments = starts[-1]
    change = np.zeros(moments + 1, dtype=np.int64)
    for i in range(len(first)):
        change[first[i]] += 1
        change[last[i] + 1] -= 1
    before = np.zeros(moments + 1)  # sum of 1 / concurrency over the part's moments before each
    concurrent = 0
    for part in range(len(starts) - 1):
        total = 0.0
        for at in range(starts[part], starts[part + 1]):
            concurrent += change[at]
            before[at] = total
            if concurrent > 0:
                total += 1.0 / concurrent
            change[at] = concurrent
    found = np.empty(len(first))
    for i in range(len(first)):
        end = last[i]
        found[i] = (before[end] + 1.0 / change[end] - before[first[i]]) / (end - first[i] + 1)
    return found
