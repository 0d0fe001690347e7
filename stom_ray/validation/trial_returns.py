"""Daily returns of all trials, read in blocks of rows: a study's table may be larger than memory.

`TrialReturns` is what a study keeps on disk: (n_trials, n_days) of float32 or float64, usually an `np.memmap`; or several of them
with the same days (one a study, since trials count over every study on the same data); or an iterator over such blocks, which can
be read only once. Days without a trade are 0. A trial that was pruned has NaN on the days it was not run on; one that failed has
NaN on all days.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import ConfigError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
TrialReturns = NDArray[np.floating] | Iterable[NDArray[np.floating]]

BLOCK_ROWS = 1024


@dataclass(frozen=True)
class TrialBlock:
    """Consecutive trials with a number on every day.

    first: number of the first one. values: (n, n_days) float64; a day that is NaN is a day without a trade, 0, so that mean and
    deviation of a pruned trial are those of one that stopped, and their ratio is that of its known days. failed: (n,) no known
    day. constant: (n,) no spread (never traded, as a rule), failed ones not included.
    """

    first: int
    values: Floats
    failed: Bools
    constant: Bools


def raw_blocks(returns: TrialReturns, rows: int = BLOCK_ROWS) -> Iterator[tuple[int, Floats]]:
    """(number of the first trial, values) of at most `rows` trials, in order. values: (n, n_days) float64, a copy, NaN as stored.

    Raises ConfigError: a block that is no matrix, blocks with different numbers of days, an infinite return, no trial at all.
    """
    first, width = 0, -1
    for table in [returns] if isinstance(returns, np.ndarray) else returns:
        if table.ndim != 2 or (width >= 0 and table.shape[1] != width):
            days = f"{width} days" if width >= 0 else "days"
            raise ConfigError(f"returns from trial {first} on have shape {table.shape}: expected (trials, {days})")
        width = table.shape[1]
        for start in range(0, len(table), rows):
            values = np.array(table[start : start + rows], dtype=np.float64)
            if np.isinf(values).any():
                trial, day = np.argwhere(np.isinf(values))[0]
                raise ConfigError(
                    f"trial {first + trial} has the return {values[trial, day]} on day {day}: expected a number or NaN"
                )
            yield first, values
            first += len(values)
    if first == 0:
        raise ConfigError("there is no trial: expected returns of shape (trials, days)")


def trial_blocks(returns: TrialReturns, *, benchmark: Floats | None = None, rows: int = BLOCK_ROWS) -> Iterator[TrialBlock]:
    """Blocks of at most `rows` trials, in order; a trial's values do not depend on `rows`.

    benchmark: (n_days,) taken from the returns of every trial. Raises ConfigError as `raw_blocks`, and for a benchmark that has
    no number on each of the days.
    """
    for first, values in raw_blocks(returns, rows):
        if benchmark is not None:
            if benchmark.shape != values.shape[1:] or not np.isfinite(benchmark).all():
                raise ConfigError(
                    f"the benchmark has shape {benchmark.shape}: expected a number on each of {values.shape[1]} days"
                )
            values -= benchmark
        missing = np.isnan(values)
        failed = np.asarray(missing.all(axis=1))
        values[missing] = 0.0
        yield TrialBlock(first, values, failed, ~failed & (values.max(axis=1) == values.min(axis=1)))
