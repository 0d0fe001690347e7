"""Several goals over the figures: what a study weighs, and what ranks."""

import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.metrics.objectives import NO_TRADES, VIOLATION, Limits
from stom_ray.search.base import FIGURES, ScoreTable
from stom_ray.search.evaluator import FoldedTable
from stom_ray.search.goal import SeveralGoals, StomGoal
from stom_ray.search.space import Choice, Space

PRESENT = Space((Choice((1,), 1),)).present


def table_of(*rows):
    figures = np.array([[row.get(name, 0.0) for name in FIGURES] for row in rows], dtype=np.float64)
    failed = np.isnan(figures).all(axis=1)
    return ScoreTable(figures, np.zeros((len(rows), 3)), failed, {})


TABLE = table_of(
    {"tc": 50, "tsg": 900.0, "mdd": 8.0, "atc": 5.0},
    {"tc": 20, "tsg": 500.0, "mdd": 3.0, "atc": 2.0},
    {},
    dict.fromkeys(FIGURES, np.nan),
)
GOAL = SeveralGoals("TG", Limits(mdd=(-np.inf, 4.0), atc=(4.0, np.inf)), objectives=("TG", "-MDD"))


def test_aims_are_the_objectives_and_how_far_a_row_is_outside_the_limits():
    aims = GOAL.aims(TABLE, PRESENT)
    assert aims.shape == (4, GOAL.width)
    assert aims[:2].tolist() == [[900.0, -8.0, 1.0], [500.0, -3.0, 0.5]]
    assert aims[2].tolist() == [0.0, 0.0, -NO_TRADES], "without trades farther outside than any other row"
    assert np.isnan(aims[3]).all()


def test_the_first_objective_ranks_as_if_it_were_alone():
    assert GOAL.score(TABLE)[:3].tolist() == [VIOLATION, VIOLATION, NO_TRADES]
    free = SeveralGoals("TG", objectives=("TG", "-MDD"))
    assert free.searched(TABLE, PRESENT)[:2].tolist() == StomGoal("TG").score(TABLE)[:2].tolist() == [900.0, 500.0]


def test_what_is_weighed_is_part_of_the_identity_and_one_objective_s_is_as_it_was():
    assert GOAL.describe()["objectives"] == ["TG", "-MDD"]
    assert "objectives" not in StomGoal("TG").describe()
    other = SeveralGoals("TG", GOAL.limits, objectives=("TG", "WR"))
    assert other.describe() != GOAL.describe()


def test_what_cannot_be_weighed_is_refused():
    with pytest.raises(ConfigError, match="PM, but TG stands first"):
        SeveralGoals("PM", objectives=("TG", "-MDD"))
    with pytest.raises(ConfigError, match="two or more"):
        SeveralGoals("TG", objectives=("TG",))
    folded = FoldedTable(TABLE.figures, TABLE.daily_profit, TABLE.failed, {}, TABLE.figures[None].repeat(2, axis=0))
    with pytest.raises(ConfigError, match="no merge of folds"):
        GOAL.aims(folded, PRESENT)
