"""The exit index: for every row the next row with a higher price, a lower one, a higher tick term, and the low in between.

Made once per block by monotone stacks, one pass backwards over each session's rows [starts, ends) in which a position may be
held; elsewhere nothing is read or written. Rows are rows of the block, int32; NONE where there is no such row. Arrays are
(n_rows,), starts and ends (n_sessions,).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.types import Floats, Ints
from stom_ray.machine_code import njit

Rows32 = NDArray[np.int32]
NONE = np.int32(2**31 - 1)


@njit(cache=True, error_model="numpy", nogil=True)
def next_higher(values: Floats, starts: Ints, ends: Ints, out: Rows32, sign: float = 1.0) -> None:
    """The first later row of the session with a strictly higher value of sign * values. values: no NaN."""
    for s in range(len(starts)):
        for i in range(ends[s] - 1, starts[s] - 1, -1):
            at = i + 1
            if at == ends[s]:
                out[i] = NONE
                continue
            here = sign * values[i]
            while at != NONE and sign * values[at] <= here:
                at = out[at]
            out[i] = at


def next_lower(values: Floats, starts: Ints, ends: Ints, out: Rows32) -> None:
    """The first later row of the session with a strictly lower value. values: no NaN."""
    next_higher(values, starts, ends, out, -1.0)


@njit(cache=True, error_model="numpy", nogil=True)
def low_before_higher(values: Floats, starts: Ints, ends: Ints, higher: Rows32, out: Floats) -> None:
    """The lowest value from the row on to the one before its next higher row, or to the session's end."""
    for s in range(len(starts)):
        for i in range(ends[s] - 1, starts[s] - 1, -1):
            low = values[i]
            at = i + 1
            end = higher[i] if higher[i] != NONE else ends[s]
            while at < end:
                low = min(low, out[at])
                at = higher[at] if higher[at] != NONE else ends[s]
            out[i] = low


@njit(cache=True, error_model="numpy", nogil=True)
def exact_quantities(prices: Floats, starts: Ints, ends: Ints, costs: Floats, out: Floats) -> None:
    """out[s]: shares from which 수익률 cannot fall when the price of session s rises to another of its prices.

    costs: (n_sessions, 3). A step of q × d KRW changes the net amount by at least q × d × (1 - tax - fee) less what the rounding
    of tax (1), fee (its multiple) and net amount (1) can take back.
    """
    for s in range(len(starts)):
        ordered = np.sort(prices[starts[s] : ends[s]])
        step = np.inf
        for i in range(1, len(ordered)):
            if ordered[i] > ordered[i - 1]:
                step = min(step, ordered[i] - ordered[i - 1])
        out[s] = (costs[s, 2] + 3.0) / (step * (1.0 - costs[s, 0] - costs[s, 1]))
