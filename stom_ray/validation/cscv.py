"""Probability of backtest overfitting (PBO) by combinatorially symmetric cross-validation (CSCV).

The days are cut into S blocks; every choice of half of them is a split: the trial that is best on these days is ranked among all
trials on the others. PBO is the share of splits in which it comes out in the lower half. Source: Bailey, Borwein, López de Prado
and Zhu, "The probability of backtest overfitting" (2017).

Sums and sums of squares by block are enough for the Sharpe ratio of any union of blocks, so memory is 2 S numbers a trial, and
splits are walked one after the other over tiles of trials.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import ConfigError
from stom_ray.machine_code import njit
from stom_ray.validation.trial_returns import raw_blocks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Masks = NDArray[np.bool_]
Measure = Literal["sharpe", "sum"]

MOST_SPLITS = 200_000  # C(20, 10) is 184,756
TILE = 256  # trials whose block sums stay in the nearest cache while all splits pass
NO_SPREAD = 1e-13  # of the sum of squares; below it the rest is rounding


@dataclass(frozen=True)
class Cscv:
    """What became of the best of one half of the days on the other half. Arrays: (n_splits,).

    logits: λ = ln(ω / (1-ω)) with ω = rank / (n + 1), the rank of the chosen trial on the other half, 1 = worst. chosen: its
    number. in_sample, out_of_sample: its measure on the half it was chosen on, and on the other. n_trials: trials that took
    part; left_out: those with a day that is no number. n_days: days that were used.
    """

    logits: Floats
    chosen: Ints
    in_sample: Floats
    out_of_sample: Floats
    n_trials: int
    left_out: int
    n_days: int

    @property
    def pbo(self) -> float:
        """P(λ <= 0): the share of splits in which the best is no better than the median on the other half; 0.5 on noise."""
        return float(np.mean(self.logits <= 0))

    @property
    def loss_probability(self) -> float:
        """Share of splits in which the best of one half does not earn on the other."""
        return float(np.mean(self.out_of_sample <= 0))


def cscv(daily: Floats, n_blocks: int = 16, measure: Measure = "sharpe") -> Cscv:
    """All C(S, S/2) splits of a study's daily profit.

    daily: (n_days, n_trials) KRW or returns, float32 or float64, days without a trade 0: for the table on disk, `table.T`.
    n_blocks: S, even; the last n_days % S days are dropped. measure: Sharpe ratio (n-1) or sum over the days.

    Trials with a NaN on one of these days (failed, or pruned) cannot be ranked and are left out, and counted. Without any spread,
    a trial that earned nothing has a Sharpe ratio of 0, others ±inf. Ties: of equal bests the trial with the lowest number is
    chosen; among equals on the other half its rank is the middle one, so that copies of one trial give λ = 0, which counts as
    overfit. Raises ConfigError: S that is odd, below 2 or leads to more than MOST_SPLITS splits; too few days; fewer than 2
    trials.
    """
    _check(daily, n_blocks, measure)
    length = len(daily) // n_blocks
    known, sums, squares = _block_sums(daily[: length * n_blocks], n_blocks)
    if len(known) < 2:
        raise ConfigError(f"{len(known)} of {daily.shape[1]} trials have a number on every day: a ranking needs at least 2")
    halves = _halves(n_blocks)
    n_half = length * n_blocks // 2 if measure == "sharpe" else 0
    chosen, in_sample, out_of_sample, below, equal = _walk(sums, squares, halves, n_half)
    share = (below + (equal + 1) / 2) / (len(known) + 1)
    return Cscv(
        logits=np.log(share / (1 - share)),
        chosen=known[chosen],
        in_sample=in_sample,
        out_of_sample=out_of_sample,
        n_trials=len(known),
        left_out=daily.shape[1] - len(known),
        n_days=length * n_blocks,
    )


def _check(daily: Floats, n_blocks: int, measure: Measure) -> None:
    if n_blocks < 2 or n_blocks % 2:
        raise ConfigError(f"n_blocks is {n_blocks}: expected an even number, half of which is one side of a split")
    splits = math.comb(n_blocks, n_blocks // 2)
    if splits > MOST_SPLITS:
        raise ConfigError(f"{splits:,} splits from n_blocks={n_blocks} exceed {MOST_SPLITS:,}: 16 blocks give 12,870")
    needed = n_blocks if measure == "sum" else n_blocks * max(1, math.ceil(4 / n_blocks))
    if daily.ndim != 2 or len(daily) < needed:
        raise ConfigError(
            f"daily has shape {daily.shape}: expected (days, trials) with at least {needed} days for {n_blocks} blocks"
        )


def _halves(n_blocks: int) -> Masks:
    """(n_splits, n_blocks) the blocks to choose on, in lexical order: the other half of row i is row n_splits - 1 - i."""
    chosen = list(combinations(range(n_blocks), n_blocks // 2))
    halves = np.zeros((len(chosen), n_blocks), dtype=np.bool_)
    np.put_along_axis(halves, np.array(chosen), True, axis=1)
    return halves


def _block_sums(daily: Floats, n_blocks: int) -> tuple[Ints, Floats, Floats]:
    """Numbers of the trials without a NaN; sums and sums of squares (n_blocks, n_known)."""
    known, sums, squares = [], [], []
    for first, values in raw_blocks(daily.T):
        whole = ~np.isnan(values).any(axis=1)
        parts = values[whole].reshape(int(whole.sum()), n_blocks, values.shape[1] // n_blocks)
        known.append(first + np.flatnonzero(whole))
        sums.append(parts.sum(axis=2).T)
        squares.append((parts**2).sum(axis=2).T)
    return np.concatenate(known), np.concatenate(sums, axis=1), np.concatenate(squares, axis=1)


def _walk(sums: Floats, squares: Floats, halves: Masks, n_half: int) -> tuple[Ints, Floats, Floats, Ints, Ints]:
    """(n_splits,) each: chosen trial, its measure on both halves, how many trials are below and equal to it on the other."""
    n_splits, middle = len(halves), halves.shape[1] // 2
    bits = 1 << np.arange(middle)
    unions = np.stack([halves[:, :middle] @ bits, halves[:, middle:] @ bits], axis=1)
    chosen, best, other = np.full(n_splits, -1), np.empty(n_splits), np.empty(n_splits)
    below, equal = np.zeros(n_splits, dtype=np.int64), np.zeros(n_splits, dtype=np.int64)
    tiles = range(0, sums.shape[1], TILE)
    for first in tiles:
        tile = slice(first, first + TILE)
        _choose(_unions(sums[:, tile]), _unions(squares[:, tile]), unions, n_half, first, chosen, best, other)
    for first in tiles:
        tile = slice(first, first + TILE)
        _rank(_unions(sums[:, tile]), _unions(squares[:, tile]), unions, n_half, other, below, equal)
    return chosen, best, other, below, equal


def _unions(blocks: Floats) -> Floats:
    """(2, 2^(S/2), n) sums over every choice among the first half of the blocks, and among the second; bit j: its j-th block."""
    middle = len(blocks) // 2
    table = np.zeros((2, 1 << middle, blocks.shape[1]))
    for block in range(middle):
        size = 1 << block
        table[:, size : 2 * size] = table[:, :size] + blocks[[block, middle + block], np.newaxis]
    return table


@njit(cache=True, error_model="numpy", nogil=True)
def _choose(
    sums: Floats, squares: Floats, unions: Ints, n_half: int, first: int, chosen: Ints, best: Floats, other: Floats
) -> None:
    """Lets the trials of a tile, numbered from `first`, stand for the best of every split."""
    values = np.empty((2, sums.shape[2]))
    last = len(unions) - 1
    for split in range(len(unions) // 2):
        _measure(sums, squares, unions[split], n_half, values[0])
        _measure(sums, squares, unions[last - split], n_half, values[1])
        for side in range(2):
            at = last - split if side else split
            for trial in range(values.shape[1]):
                if chosen[at] < 0 or values[side, trial] > best[at]:
                    chosen[at], best[at], other[at] = first + trial, values[side, trial], values[1 - side, trial]


@njit(cache=True, error_model="numpy", nogil=True)
def _rank(sums: Floats, squares: Floats, unions: Ints, n_half: int, other: Floats, below: Ints, equal: Ints) -> None:
    """Counts the trials of a tile that are below, and equal to, what was chosen, on the half where it was not."""
    values = np.empty(sums.shape[2])
    for split in range(len(unions)):
        _measure(sums, squares, unions[len(unions) - 1 - split], n_half, values)
        lower = same = 0
        for trial in range(len(values)):
            lower += values[trial] < other[split]
            same += values[trial] == other[split]
        below[split] += lower
        equal[split] += same


@njit(cache=True, error_model="numpy", nogil=True)
def _measure(sums: Floats, squares: Floats, union: Ints, n_half: int, values: Floats) -> None:
    """Fills values (n_trials,) with the measure over a union of blocks: the Sharpe ratio of its n_half days, or for 0 the sum."""
    low, high = union
    for trial in range(len(values)):
        total = sums[0, low, trial] + sums[1, high, trial]
        if n_half == 0:
            values[trial] = total
            continue
        square = squares[0, low, trial] + squares[1, high, trial]
        mean = total / n_half
        spread = square - total * mean
        spread = spread if spread > NO_SPREAD * square else 0.0
        values[trial] = mean / np.sqrt(spread / (n_half - 1)) if total != 0.0 else 0.0
