"""Thresholds behind a product: the parameter from which on `left OP scale * parameter` holds, exactly.

The rounded product does not fall when the parameter rises (scale > 0), so the parameters that pass are those on one side of a
boundary; the boundary is found from the quotient in a few steps of one unit in the last place.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from stom_ray.engine.types import Floats

STEPS = 64  # the quotient is within a few units of the boundary; more steps mean that something is degenerate
LESS, LESS_EQUAL, GREATER, GREATER_EQUAL = 0, 1, 2, 3


@njit(cache=True, error_model="numpy", nogil=True, forceinline=True)
def passes(left: float, scale: float, parameter: float, op: int) -> bool:
    product = scale * parameter
    if op == LESS:
        return left < product
    if op == LESS_EQUAL:
        return left <= product
    if op == GREATER:
        return left > product
    return left >= product


@njit(cache=True, error_model="numpy", nogil=True)
def boundaries(left: Floats, scale: Floats, op: int, out: Floats) -> bool:
    """out: for > and >= the largest parameter that passes, for < and <= minus the smallest, so that a parameter p passes where
    out >= p (or out >= -p). -inf where none passes, inf where all do.

    NaN on a side: none passes. Returns: whether the boundary was found on every row; not so for a negative or infinite scale.
    """
    falling = op in (GREATER, GREATER_EQUAL)
    for i in range(len(left)):
        if np.isnan(left[i]) or np.isnan(scale[i]):
            out[i] = -np.inf
            continue
        if scale[i] < 0.0 or np.isinf(scale[i]):
            return False
        if scale[i] == 0.0 or np.isinf(left[i]):
            out[i] = np.inf if passes(left[i], scale[i] if scale[i] == 0.0 else 1.0, 0.0, op) else -np.inf
            continue
        at = left[i] / scale[i]
        if np.isinf(at):
            return False
        away = -np.inf if falling else np.inf
        back = -away
        steps = 0
        while not passes(left[i], scale[i], at, op):
            at = np.nextafter(at, away)
            steps += 1
            if steps > STEPS:
                return False
        while True:
            further = np.nextafter(at, back)
            if not passes(left[i], scale[i], further, op):
                break
            at = further
            steps += 1
            if steps > STEPS:
                return False
        out[i] = at if falling else -at
    return True
