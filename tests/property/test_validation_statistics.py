"""The streamed statistics of trials against their definitions, written out as slowly as they read, on small tables."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stom_ray.validation.bootstrap import stationary_indices, stationary_weights
from stom_ray.validation.cscv import cscv
from stom_ray.validation.effective_trials import behaviour_clusters, correlated_trials
from stom_ray.validation.reality_check import reality_check
from stom_ray.validation.trade_order import deepest_fall, drawdowns_over_orders

PROFITS = st.integers(-3, 3).map(float)  # ties, days without trades, idle trials


@st.composite
def tables(draw, most_trials=8, days=(10, 24)):
    """(n_trials, n_days); some trials were pruned after some days, or failed."""
    n_trials, n_days = draw(st.integers(1, most_trials)), draw(st.integers(*days))
    table = draw(arrays(np.float64, (n_trials, n_days), elements=PROFITS))
    for trial in table:
        if draw(st.integers(0, 3)) == 0:
            trial[draw(st.integers(0, n_days)) :] = np.nan
    return table


def ratio(days):
    """Sharpe ratio of whole numbers as `cscv` defines it: 0 when nothing was earned, infinite without spread."""
    total, n = days.sum(), len(days)
    if total == 0:
        return 0.0
    spread = (days**2).sum() - total * (total / n)
    with np.errstate(divide="ignore"):
        return (total / n) / np.sqrt(spread / (n - 1) if spread > 1e-13 * (days**2).sum() else 0.0)


@settings(max_examples=60)
@given(tables(), st.sampled_from([2, 4, 6]), st.sampled_from(["sharpe", "sum"]))
def test_pbo_is_that_of_its_definition(table, n_blocks, measure):
    length = table.shape[1] // n_blocks
    whole = ~np.isnan(table[:, : length * n_blocks]).any(axis=1)
    assume(whole.sum() >= 2)
    score = ratio if measure == "sharpe" else np.sum
    blocks = table[whole, : length * n_blocks].reshape(int(whole.sum()), n_blocks, length)
    logits, chosen = [], []
    for half in combinations(range(n_blocks), n_blocks // 2):
        other = [block for block in range(n_blocks) if block not in half]
        inside, outside = ([score(trial[list(part)].ravel()) for trial in blocks] for part in (half, other))
        best = int(np.argmax(inside))
        rank = sum(one < outside[best] for one in outside) + (sum(one == outside[best] for one in outside) + 1) / 2
        share = rank / (len(outside) + 1)
        logits.append(np.log(share / (1 - share)))
        chosen.append(np.flatnonzero(whole)[best])
    found = cscv(table.T, n_blocks, measure)
    assert found.chosen.tolist() == chosen
    assert found.logits == pytest.approx(np.array(logits), abs=1e-12)
    assert found.left_out == len(table) - whole.sum()


@settings(max_examples=60)
@given(tables(), st.sampled_from([1.0, 2.5, 7.0]), st.booleans(), st.integers(0, 2**32), st.sampled_from([1, 2, 1024]))
def test_the_reality_check_is_that_of_its_definition(table, block_length, studentised, seed, kept):
    known = [row for row in table if len(set(np.nan_to_num(row))) > 1]
    filled = np.nan_to_num(np.array(known)).reshape(-1, table.shape[1])
    n_days = table.shape[1]
    mean = filled.mean(axis=1)
    centred = filled - mean[:, None]
    variance = np.sum((centred @ stationary_weights(n_days, block_length)) * centred, axis=1) / n_days
    floor = -np.sqrt(variance * 2 * np.log(np.log(n_days)) / n_days)
    drawn = filled[:, stationary_indices(n_days, block_length, 40, seed)]
    resampled, scale = drawn.mean(axis=2), np.sqrt(n_days)
    statistics = mean * (scale / filled.std(axis=1) if studentised else scale)
    if studentised:
        same = drawn.max(axis=2) == drawn.min(axis=2)  # resamples without spread say nothing
        scale = np.where(same, 0.0, np.sqrt(n_days) / np.where(same, 1.0, drawn.std(axis=2)))
    p_values = []
    for shift in (np.maximum(mean, 0), np.where(mean >= floor, mean, 0), mean):
        maxima = np.max((resampled - shift[:, None]) * scale, axis=0, initial=0.0)
        gap = maxima - statistics.max(initial=0.0)
        assume(np.all(np.abs(gap) > 1e-9))  # ties fall either way with the rounding
        p_values.append(np.mean(gap > 0) if statistics.max(initial=0.0) > 0 else 1.0)
    found = reality_check(table, block_length=block_length, seed=seed, reps=40, studentised=studentised, kept=kept, level=0.3)
    assert [found.p_lower, found.p_consistent, found.p_upper] == p_values
    assert found.p_lower <= found.p_consistent <= found.p_upper
    assert found.n_trials == len(table)
    assert found.failed + found.constant == len(table) - len(known)
    held = reality_check(table, block_length=block_length, seed=seed, reps=40, studentised=studentised, level=0.3)
    assert found.superior.tolist() == held.superior.tolist()


@given(tables(most_trials=12, days=(2, 8)))
def test_effective_trials_lie_between_one_and_all(table):
    found = correlated_trials(table)
    assert 1 <= found.effective <= len(table)
    assert found.distinct <= found.n_trials == len(table)
    parts = correlated_trials([table[:1], table[1:]])
    assert (parts.distinct, parts.failed, parts.constant) == (found.distinct, found.failed, found.constant)
    labels = behaviour_clusters(table)
    assert labels[0] == 0
    assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1))


@given(st.lists(st.integers(-100, 100), max_size=12), st.integers(0, 2**32))
def test_a_drawdown_lies_between_the_worst_trade_and_all_losses(profits, seed):
    values = np.array(profits, dtype=np.int64)
    worst, lost = -min([0, *profits]), -sum(min(profit, 0) for profit in profits)
    for fall in (deepest_fall(values), *drawdowns_over_orders(values, orders=5, seed=seed)):
        assert max(worst, -values.sum()) <= fall <= lost
