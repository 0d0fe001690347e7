"""The exit index: for every row the next row with a higher price, a lower one, a higher tick term, and the low in between.

Made once per block by monotone stacks, one pass backwards over each session. Rows are rows of the block, int32; NONE where the
session has no such row. All arrays are (n_rows,).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.types import Floats, Ints
from stom_ray.machine_code import njit

Rows32 = NDArray[np.int32]
NONE = np.int32(2**31 - 1)


@njit(cache=True, error_model="numpy", nogil=True)
def next_higher(values: Floats, offsets: Ints, out: Rows32) -> None:
    """The first later row of the session with a strictly higher value. values: no NaN."""
    for s in range(len(offsets) - 1):
        for i in range(offsets[s + 1] - 1, offsets[s] - 1, -1):
            at = i + 1
            if at == offsets[s + 1]:
                out[i] = NONE
                continue
            while at != NONE and values[at] <= values[i]:
                at = out[at]
            out[i] = at


def next_lower(values: Floats, offsets: Ints, out: Rows32) -> None:
    """The first later row of the session with a strictly lower value. values: no NaN."""
    next_higher(-values, offsets, out)


@njit(cache=True, error_model="numpy", nogil=True)
def low_before_higher(values: Floats, offsets: Ints, higher: Rows32, out: Floats) -> None:
    """The lowest value from the row on to the one before its next higher row, or to the session's end."""
    for s in range(len(offsets) - 1):
        for i in range(offsets[s + 1] - 1, offsets[s] - 1, -1):
            low = values[i]
            at = i + 1
            end = higher[i] if higher[i] != NONE else offsets[s + 1]
            while at < end:
                low = min(low, out[at])
                at = higher[at] if higher[at] != NONE else offsets[s + 1]
            out[i] = low


@njit(cache=True, error_model="numpy", nogil=True)
def exact_quantities(prices: Floats, offsets: Ints, costs: Floats, out: Floats) -> None:
    """out[s]: shares from which 수익률 cannot fall when the price of session s rises to another of its prices.

    costs: (n_sessions, 3). A step of q × d KRW changes the net amount by at least q × d × (1 - tax - fee) less what the rounding
    of tax (1), fee (its multiple) and net amount (1) can take back.
    """
    for s in range(len(offsets) - 1):
        ordered = np.sort(prices[offsets[s] : offsets[s + 1]])
        step = np.inf
        for i in range(1, len(ordered)):
            if ordered[i] > ordered[i - 1]:
                step = min(step, ordered[i] - ordered[i - 1])
        out[s] = (costs[s, 2] + 3.0) / (step * (1.0 - costs[s, 0] - costs[s, 1]))
