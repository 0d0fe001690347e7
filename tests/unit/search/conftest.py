"""A small real evaluator with a known answer, so that the search can be tested without ticks."""

import time

import numpy as np
import pytest

from stom_ray.search.base import FIGURES, ScoreTable
from stom_ray.search.space import Choice, Interval, Space
from stom_ray.search.study import StudyConfig

TARGET = np.array([3.0, 7.0, 2.0, 5.0])


class AnalyticEvaluator:
    """tsg = 1000 - squared distance from TARGET; rows with vars[0] = 13 fail, rows with vars[1] = 11 earn infinitely much."""

    ticks = 1_000
    days = np.array([20230118, 20230119, 20230120])
    how = None

    def __init__(self, pause_s=0.0):
        self.kernel_s = 0.0
        self.rows_seen = []
        self._pause_s = pause_s

    def evaluate(self, params):
        start = time.perf_counter()
        time.sleep(self._pause_s)
        width = params.values.shape[1]
        profit = 1000.0 - ((params.values - TARGET[:width]) ** 2).sum(axis=1)
        days = np.stack([profit, profit / 2, profit * 0], axis=1)
        profit[params.values[:, 1] == 11] = np.inf
        failed = params.values[:, 0] == 13
        figures = np.zeros((len(params), len(FIGURES)))
        figures[:, FIGURES.index("tsg")] = profit
        figures[failed] = np.nan
        self.rows_seen += [tuple(row) for row in params.values.tolist()]
        self.kernel_s += time.perf_counter() - start
        return ScoreTable(figures, days, failed, {int(row): "vars[0] is 13" for row in np.flatnonzero(failed)})


class ProfitGoal:
    width = 0

    def aims(self, table, params):
        return np.empty((len(table.failed), 0))

    def searched(self, table, params):
        return table.figures[:, FIGURES.index("tsg")]

    def sharpe(self, table):
        return table.daily_profit.mean(axis=1) / (table.daily_profit.std(axis=1) + 1)

    def on_some_days(self):
        return self

    def describe(self):
        return {"objective": "profit"}


class TwoAims(ProfitGoal):
    """Profit, small vars[1], and within limits where vars[2] is at most 10."""

    width = 3

    def aims(self, table, params):
        return np.stack([self.searched(table, params), -params.values[:, 1], np.fmax(0, params.values[:, 2] - 10)], axis=1)


def grid_space(width=4, values=20):
    return Space(tuple(Choice(tuple(range(values)), 10) for _ in range(width)))


def mixed_space():
    return Space((Choice((1, 2, 3, 4, 13), 4), Choice((0.5, 7.0, 11.0), 7.0), Interval(0.0, 9.0, 4.5)))


def study_config(**changes):
    settings = {"space": grid_space(), "goal": ProfitGoal(), "subject": {"data": "none"}, "evaluations": 100, "batch_size": 20}
    return StudyConfig(**{**settings, **changes})


@pytest.fixture
def evaluator():
    return AnalyticEvaluator()


@pytest.fixture
def config_of():
    return study_config


@pytest.fixture
def spaces():
    return {"grid": grid_space, "mixed": mixed_space}
