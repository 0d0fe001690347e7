"""The report's trades, run again on each window's test days only, are those of a run over everything."""

from dataclasses import fields

import numpy as np
import pytest

from stom_ray.config import load_config
from stom_ray.engine.backtest import run
from stom_ray.engine.types import ParamMatrix, Trades
from stom_ray.runs.played import play, stitch
from stom_ray.runs.subject import open_subject
from stom_ray.runs.workplace import Workplace


@pytest.fixture(scope="module")
def subject(finished):
    return open_subject(load_config(finished / "run.yaml"))


def row(*values):
    return ParamMatrix.from_rows([values])


QUICK, PATIENT = row(30, 94, 20, 0.4), row(30, 94, 120, 2.0)


def trades_of(subject, params, days):
    """Trades of a run over everything, of these days."""
    trades = run(subject.strategy, subject.selection, params, subject.engine).trades
    inside = np.isin(subject.selection.selected.session_day[trades.session], days)
    return {field.name: getattr(trades, field.name)[inside] for field in fields(Trades)}


def test_stitched_trades_are_those_of_runs_over_all_days(subject):
    first, second, third = subject.days[2:4], subject.days[4:6], subject.days[6:7]
    found = stitch(subject, [first, second, third], [QUICK, PATIENT, QUICK])
    assert len(found.trades) > 20
    assert found.daily.index.tolist() == subject.days[2:7].tolist()
    alone = [trades_of(subject, QUICK, [*first, *third]), trades_of(subject, PATIENT, second)]
    order = np.argsort(np.concatenate([part["buy_row"] for part in alone]))
    for name in alone[0]:
        expected = np.concatenate([part[name] for part in alone])[order]
        np.testing.assert_array_equal(getattr(found.trades, name), expected, err_msg=name)


def test_one_window_over_every_day_is_a_plain_run(subject):
    whole, stitched = play(subject, QUICK), stitch(subject, [subject.days], [QUICK])
    assert whole.frame.equals(stitched.frame)
    assert whole.daily.equals(stitched.daily)
    np.testing.assert_array_equal(whole.figures, stitched.figures)


def test_where_windows_share_days_the_later_window_stands(subject):
    early, late = subject.days[1:5], subject.days[3:7]
    found = stitch(subject, [early, late], [QUICK, PATIENT])
    apart = stitch(subject, [subject.days[1:3], late], [QUICK, PATIENT])
    assert len(found.frame) > 0
    assert found.frame.equals(apart.frame)


def test_daily_profit_of_the_report_is_the_walk_forward_s_own(subject, finished):
    with Workplace(subject) as place:
        forward = place.walk_forward_recorded(finished / "run", windows=2, stopped_by="done")
    assert len(forward.windows) == 2
    tested = stitch(subject, [one.window.test for one in forward.windows], [one.best for one in forward.windows])
    np.testing.assert_array_equal(tested.daily.index, forward.days)
    np.testing.assert_array_equal(tested.daily.to_numpy(), forward.daily_profit)
    assert tested.daily.any()
