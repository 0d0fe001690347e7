"""Limits, kinds and edge cases of the objectives; their values are golden."""

import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.metrics.objectives import AIMS, NO_TRADES, OBJECTIVES, VIOLATION, Limits, aim, check_aims, merge_folds, objective
from stom_ray.metrics.stom import FIGURES


def row(**given: float) -> np.ndarray:
    usual = dict(zip(FIGURES, (100, 5.0, 60, 40, 60.0, 30.0, 0.2, 8.0, 240_000, 3, 3e6, 400.0, 1.2, 4.0, 120_000), strict=True))
    return np.array([(usual | given)[name] for name in FIGURES], dtype=np.float64)


def test_there_are_fourteen_objectives():
    assert len(OBJECTIVES) == 14


@pytest.mark.parametrize("kind", ["TRAIN", "TOTAL"])
def test_a_violated_limit_decides_the_score_of_train_and_total(kind):
    assert objective("TP", row(), Limits(mdd=(0, 3.99)), kind) == VIOLATION


@pytest.mark.parametrize("kind", ["VALID", "TEST"])
def test_limits_never_bind_valid_and_test(kind):
    assert objective("TP", row(), Limits(mdd=(0, 3.99)), kind) == 8.0


def test_both_ends_of_a_limit_are_inside():
    assert objective("TP", row(), Limits(mdd=(4.0, 4.0), tpi=(1.2, 1.2))) == 8.0


@pytest.mark.parametrize("kind", ["TRAIN", "VALID", "TEST", "TOTAL"])
def test_no_trades_score_below_every_loss_whatever_the_kind(kind):
    assert objective("TG", np.zeros(15), Limits(mhct=(1, 5)), kind) == NO_TRADES


@pytest.mark.parametrize("name", OBJECTIVES[4:])
def test_a_zero_drawdown_scores_zero(name):
    assert objective(name, row(mdd=0.0, mdd_=0)) == 0.0


def test_a_failed_candidate_stays_nan():
    table = np.stack([row(), np.full(15, np.nan)])
    scores = objective("G2M", table, Limits(wr=(0, 100)), "TRAIN")
    assert scores[0] == 0.48
    assert np.isnan(scores[1])


def test_the_flat_form_of_limits_keeps_stoms_order():
    limits = Limits.from_list(range(14))
    assert (limits.mdd, limits.mhct, limits.wr, limits.app) == ((0, 1), (2, 3), (4, 5), (6, 7))
    assert (limits.atc, limits.cagr, limits.tpi) == ((8, 9), (10, 11), (12, 13))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: objective("SHARPE", row()), "choose one of TP, TPI"),
        (lambda: objective("TP", row()[:14]), "14 columns: expected 15"),
        (lambda: Limits(wr=(60, 40)), r"limit wr is 60\.\.40"),
        (lambda: Limits.from_list([0, 1]), "expected 14"),
        (lambda: merge_folds("TP", [1.0], [1.0, 2.0], weighted=False), "one of each per fold"),
        (lambda: merge_folds("TP", [], [], weighted=False), "one of each per fold"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_its_place(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_two_negative_sides_of_a_fold_stay_negative():
    assert merge_folds("TP", [-2.0], [-3.0], weighted=False) == -6.0
    assert merge_folds("TP", [-2.0], [3.0], weighted=False) == -6.0


def test_newer_folds_weigh_more():
    assert merge_folds("TP", [2.0, 0.0], [1.0, 1.0], weighted=True) == 2.0
    assert merge_folds("TP", [0.0, 2.0], [1.0, 1.0], weighted=True) == 1.0


def test_folds_of_many_candidates_merge_column_by_column():
    train, valid = np.array([[1.0, -2.0], [3.0, 4.0]]), np.array([[2.0, -1.0], [5.0, 6.0]])
    merged = merge_folds("TG", train, valid, weighted=True, betting=2.0)
    assert merged.tolist() == [merge_folds("TG", train[:, i], valid[:, i], weighted=True, betting=2.0) for i in range(2)]


def test_an_aim_is_an_objective_or_a_figure_and_a_minus_turns_it_round():
    table = np.stack([row(), row(mdd=2.5, wr=41.0), np.full(15, np.nan), np.zeros(15)])
    for name, expected in (("TG", [240_000.0, 240_000.0]), ("PM", [2.0, 3.2]), ("-MDD", [-4.0, -2.5]), ("WR", [60.0, 41.0])):
        found = aim(name, table)
        assert found[:2].tolist() == expected
        assert np.isnan(found[2]), "a failed candidate"
        assert found[3] == 0, "no trades: limits tell, not the aim"
    assert len(set(AIMS)) == len(AIMS) == 14 + 15 - 4


def test_the_excess_adds_up_shares_of_the_bounds_that_are_broken():
    limits = Limits(mdd=(0, 4.0), wr=(75.0, 100.0), app=(0.5, np.inf))
    assert limits.excess(row(mdd=5.0)) == pytest.approx(1 / 4 + 15 / 75 + 0.3)
    assert limits.excess(row(wr=75.0, app=0.5)) == 0.0
    assert np.isnan(limits.excess(np.full(15, np.nan)))
    many = np.random.default_rng(0).normal(50, 40, (200, 15))
    assert ((limits.excess(many) == 0) == limits.allow(many)).all(), "inside is what limits allow"
    assert Limits().excess(many).tolist() == [0.0] * 200


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "here is none"),
        (("TG",), "two or more, here is TG"),
        (("TG", "SHARPE"), "'SHARPE' is not known: choose of TP, TPI"),
        (("TG", "--MDD"), "'--MDD' is not known"),
        (("TG", "-TG"), "TG stands twice"),
        (("MDD", "TG"), "MDD stands first"),
        (OBJECTIVES[:7], "at most 6"),
    ],
)
def test_aims_that_cannot_be_weighed_are_refused(names, message):
    with pytest.raises(ConfigError, match=message):
        check_aims(names)
