"""Fronts, ranks and crowding against Optuna's, which are written otherwise."""

import numpy as np
import optuna
import pytest
from optuna.samplers._nsgaiii._elite_population_selection_strategy import (
    _associate_individuals_with_reference_points,
    _generate_default_reference_point,
    _normalize_objective_values,
)
from optuna.samplers.nsgaii._elite_population_selection_strategy import (
    NSGAIIElitePopulationSelectionStrategy,
    _calc_crowding_distance,
)
from optuna.study._multi_objective import _fast_non_domination_rank

from stom_ray.search.front import crowding, domination_ranks, front, non_dominated
from stom_ray.search.survival import _fill, _nearest, _scaled, by_crowding, by_directions, reference_directions


def some_aims(seed, n, k, values=None):
    """Rows of which a third is outside the limits; with `values` many are equal."""
    rng = np.random.default_rng(seed)
    objectives = rng.random((n, k)) if values is None else rng.integers(values, size=(n, k)).astype(float)
    violation = np.where(rng.random(n) < 1 / 3, rng.random(n) if values is None else rng.integers(1, 3, n), 0.0)
    return np.column_stack([objectives, violation])


def study_of(aims):
    """The same rows as trials of Optuna."""
    study = optuna.create_study(directions=["maximize"] * (aims.shape[1] - 1))
    for row in aims.tolist():
        study.add_trial(optuna.trial.create_trial(values=row[:-1], system_attrs={"constraints": [row[-1]]}))
    return study


@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize("values", [None, 4])
def test_ranks_are_those_of_optuna(k, values):
    for seed in range(5):
        aims = some_aims(seed, 120, k, values)
        theirs = _fast_non_domination_rank(-aims[:, :-1], penalty=aims[:, -1])
        assert domination_ranks(aims).tolist() == theirs.tolist()


def test_ranks_may_stop_where_enough_rows_have_one():
    aims = some_aims(1, 400, 2)
    everything, some = domination_ranks(aims), domination_ranks(aims, 100)
    inside = aims[:, -1] <= 0
    known = some < some[inside].max()
    assert known.sum() >= 100
    assert (some[known] == everything[known]).all()
    assert (everything[inside & ~known] >= some[inside].max()).all()
    assert (some[~inside] > some[inside].max()).all()


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_front_is_what_nothing_else_is_better_than(k):
    aims = some_aims(7, 300, k, values=6)
    aims[::50, 0] = np.nan
    inside = ~np.isnan(aims).any(axis=1) & (aims[:, -1] <= 0)
    expected = [
        row
        for row in np.flatnonzero(inside)
        if not any(
            (aims[other, :-1] >= aims[row, :-1]).all() and (aims[other, :-1] > aims[row, :-1]).any()
            for other in np.flatnonzero(inside)
        )
    ]
    assert front(aims).tolist() == expected
    assert len(front(np.empty((0, k + 1)))) == 0


def test_rows_that_are_equal_stand_on_the_front_together_minus_zero_included():
    assert non_dominated(np.array([[1.0, 0.0], [1.0, -0.0], [0.0, 0.0]])).tolist() == [True, True, False]


def test_crowding_is_that_of_optuna():
    aims = some_aims(3, 60, 3)
    theirs = _calc_crowding_distance(study_of(aims).get_trials())
    assert crowding(aims[:, :-1]) == pytest.approx([theirs[row] for row in range(60)])
    assert crowding(np.array([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]])).tolist() == [np.inf, 1.0, np.inf]


@pytest.mark.parametrize(("k", "n"), [(2, 5), (2, 40), (2, 90), (3, 30), (3, 60), (3, 90), (3, 119)])
def test_those_who_live_on_by_crowding_are_those_of_optuna(k, n):
    aims = some_aims(11, 120, k)
    study = study_of(aims)
    theirs = NSGAIIElitePopulationSelectionStrategy(population_size=n)(study, study.get_trials())
    assert sorted(by_crowding(aims, n).tolist()) == sorted(trial.number for trial in theirs)


def test_best_rows_come_first_by_crowding():
    aims = np.array([[0.0, 0.0, 0.0], [1.0, 4.0, 0.0], [4.0, 1.0, 0.0], [2.0, 3.5, 0.0], [9.0, 9.0, 2.0], [9.0, 9.0, 1.0]])
    assert by_crowding(aims, 6).tolist() == [1, 2, 3, 0, 5, 4]


@pytest.mark.parametrize(("k", "parts"), [(2, 4), (3, 3), (4, 2)])
def test_directions_and_their_nearest_rows_are_those_of_optuna(k, parts):
    theirs = _generate_default_reference_point(k, parts)
    ours = reference_directions(k, len(theirs))
    assert {tuple(point) for point in np.rint(ours * parts)} == {tuple(point) for point in theirs}
    assert ours.sum(axis=1) == pytest.approx(np.ones(len(ours)))
    loss = 3.0 - some_aims(4, 50, k)[:, :-1]
    scaled = _scaled(loss)
    assert scaled == pytest.approx(_normalize_objective_values(loss.copy()))
    nearest, distance = _nearest(scaled, ours)
    near, far = _associate_individuals_with_reference_points(scaled, ours)
    assert distance == pytest.approx(far)
    assert nearest.tolist() == near.tolist()


def test_the_number_of_directions_is_at_most_the_one_asked_for():
    assert [len(reference_directions(k, 100)) for k in (2, 3, 4, 6)] == [100, 91, 84, 56]
    assert reference_directions(3, 2).tolist() == np.eye(3).tolist()


def test_extreme_rows_that_span_no_plane_leave_the_worst_as_the_scale():
    assert _scaled(np.array([[0.0, 1.0], [0.0, 3.0]])).tolist() == [[0.0, 0.0], [0.0, 1.0]]
    behind = 3.0 - some_aims(5, 50, 4)[:, :-1]
    assert (_normalize_objective_values(behind.copy()) < 0).any(), (
        "where the plane meets an axis behind the best, Optuna turns it"
    )
    assert _scaled(behind).max(axis=0) == pytest.approx(np.ones(4))
    equal = _scaled(np.ones((3, 2)))
    assert equal.tolist() == np.zeros((3, 2)).tolist()


def test_directions_that_nobody_has_are_filled_first_by_their_nearest_row():
    nearest, distance = np.array([0, 0, 1, 1, 2]), np.array([0.1, 0.2, 0.5, 0.4, 0.9])
    chosen = _fill(nearest, distance, np.array([3, 0, 1]), 2, np.random.default_rng(0))
    assert chosen[0] == 3, "of the direction without a row its nearest"
    assert chosen[1] in (2, 4), "then one of those with one row"


def test_by_directions_the_ends_of_a_front_and_rows_between_live_on():
    angle = np.linspace(0, np.pi / 2, 201)
    aims = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(201)])
    kept = by_directions(aims, 11, reference_directions(2, 11), np.random.default_rng(0))
    assert {0, 200} <= set(kept.tolist())
    assert np.diff(np.sort(angle[kept])).max() < 0.4
    assert len(by_directions(aims[:5], 11, reference_directions(2, 11), np.random.default_rng(0))) == 5


def test_rows_outside_the_limits_live_on_by_how_little_they_are_outside():
    aims = some_aims(2, 100, 3)
    inside = int((aims[:, -1] <= 0).sum())
    kept = by_directions(aims, inside + 4, reference_directions(3, 50), np.random.default_rng(0))
    least = np.argsort(np.where(aims[:, -1] > 0, aims[:, -1], np.inf))[:4]
    assert set(kept.tolist()) == set(np.flatnonzero(aims[:, -1] <= 0).tolist()) | set(least.tolist())
