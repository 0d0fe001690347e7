"""Labels by the clock and by the mid: values, ends, and what has none."""

import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.models.labels import NEVER, Labels, mid_price, mid_return, move_within, next_move, taker_return

NAN = np.nan
LABELS = {
    "mid_return": lambda panel: mid_return(panel, 3),
    "taker_return": lambda panel: taker_return(panel, 3, "krx"),
    "next_move": next_move,
    "move_within": lambda panel: move_within(panel, 4),
}


def at_mids(make_panel, mids, *, days=1, gaps=None):
    """Sessions of one instrument with these mids, a won to either side. gaps: seconds of each row since the session's first."""
    n = len(mids) // days
    asks, bids = np.asarray(mids) + 1.0, np.asarray(mids) - 1.0
    panel = make_panel([("000001", 20230102 + day, n) for day in range(days)], 매도호가1=asks, 매수호가1=bids)
    if gaps is not None:
        panel.clock[:] = panel.clock[0] + np.asarray(gaps)
    return panel


def test_mid_is_between_the_best_prices_and_nowhere_when_a_side_is_empty(make_panel):
    panel = make_panel(
        [("000001", 20230102, 6)],
        매도호가1=[1001, 0, NAN, 1001, 1001, 1001],
        매수호가1=[999, 999, 999, 0, 1300, 999],
        매수잔량1=[1, 1, 1, 1, 0, NAN],  # of a book at its limit, too
    )
    assert mid_price(panel).tolist() == pytest.approx([1000, *[NAN] * 5], nan_ok=True)


def test_a_mid_return_is_that_of_the_row_so_many_seconds_later(make_panel):
    labels = mid_return(at_mids(make_panel, [1000, 1001, 1010, 1000, 1005]), 2)
    assert labels.value == pytest.approx([1.0, 100 * (1000 / 1001 - 1), 100 * (1005 / 1010 - 1), NAN, NAN], nan_ok=True)
    assert labels.end_row.tolist() == [2, 3, 4, 3, 4]
    assert (labels.name, labels.kind) == ("mid_return_2s", "return")


def test_between_rows_the_last_mid_stands_and_the_next_row_settles_it(make_panel):
    panel = at_mids(make_panel, [1000, 1010, 1020, 1030, 1040], gaps=[0, 1, 4, 5, 20])
    labels = mid_return(panel, 3)
    assert labels.value[:2] == pytest.approx([1.0, 100 * (1020 / 1010 - 1)])  # at 3 s the row of 1 s stands, at 4 s its own
    assert labels.end_row[:2].tolist() == [2, 2]
    assert labels.value[2:4] == pytest.approx([100 * (1030 / 1020 - 1), 0.0])
    assert labels.end_row[2:].tolist() == [4, 4, 4]
    assert labels.known_at(panel)[[0, 4]].tolist() == [panel.clock[2], NEVER]


def test_a_horizon_does_not_leave_its_session(make_panel):
    labels = mid_return(at_mids(make_panel, [1000, 1010, 1020, 1030, 1040, 1050], days=2), 1)
    assert labels.known.tolist() == [True, True, False, True, True, False]


def test_no_other_rows_mid_is_taken_for_one_that_is_not_there(make_panel):
    panel = make_panel([("000001", 20230102, 4)], 매도호가1=[1001, 0, 1001, 1001])
    assert mid_return(panel, 1).known.tolist() == [False, False, True, False]


def test_a_taker_pays_spread_tax_and_fees(make_panel):
    panel = make_panel([("000001", 20240102, 3)], 매도호가1=[1000, 1001, 1040], 매수호가1=[999, 998, 1030])
    labels = taker_return(panel, 2, "custom:0.2,0.015")
    bought, sold = 1000 * (1 + 0.00015), 1030 * (1 - 0.002 - 0.00015)
    assert labels.value == pytest.approx([100 * (sold - bought) / 1000, NAN, NAN], nan_ok=True)


def test_a_taker_pays_the_tax_of_the_day(make_panel):
    panel = make_panel([("000001", day, 2) for day in (20231228, 20240102)], 매도호가1=1000, 매수호가1=1000)
    value = taker_return(panel, 1, "krx").value
    assert value[2] - value[0] == pytest.approx(0.02)  # 0.20 % became 0.18 %


def test_a_taker_needs_only_the_sides_that_are_used(make_panel):
    panel = make_panel([("000001", 20230102, 4)], 매도호가1=[1001, 0, 1001, 1001], 매수호가1=[0, 999, 999, 0])
    assert taker_return(panel, 1, "stom").known.tolist() == [True, False, False, False]


def test_the_next_move_passes_over_rows_that_stand_or_have_no_mid(make_panel):
    panel = at_mids(make_panel, [1000, 1000, NAN, 1002, 1001, 1001])
    labels = next_move(panel)
    assert labels.value == pytest.approx([1, 1, NAN, -1, NAN, NAN], nan_ok=True)
    assert labels.end_row.tolist() == [3, 3, 2, 4, 4, 5]


def test_the_next_move_of_a_session_is_not_that_of_the_next_day(make_panel):
    assert next_move(at_mids(make_panel, [1000, 1000, 1005, 1005], days=2)).known.tolist() == [False] * 4


def test_within_a_horizon_the_mid_may_stand_still(make_panel):
    labels = move_within(at_mids(make_panel, [1000, 1000, 1000, 1001, 1000, 1000]), 2)
    assert labels.value == pytest.approx([0, 1, 1, -1, NAN, NAN], nan_ok=True)  # the last two would only be known if they moved
    assert labels.end_row.tolist() == [2, 3, 4, 5, 4, 5]


def test_the_first_move_counts_though_the_mid_comes_back(make_panel):
    assert move_within(at_mids(make_panel, [1000, 1001, 999, 999]), 3).value[0] == 1


def test_no_label_reaches_over_a_pause_in_trading(make_panel):
    panel = at_mids(make_panel, [1000, 1000, 1005, 1010, 1010, 1020], gaps=[0, 1, 2, 3000, 3001, 3002])
    assert mid_return(panel, 1).known.tolist() == [True, True, False, True, True, False]
    assert next_move(panel).value == pytest.approx([1, 1, NAN, 1, 1, NAN], nan_ok=True)
    assert move_within(panel, 2).known.tolist() == [True, False, False, True, False, False]
    assert next_move(panel, break_s=3000).value[2] == 1
    assert mid_return(panel, 1, break_s=3000).value[2] == 0.0  # what it showed then, and nothing came until the pause was over


def slow_horizon(panel, span):
    """(value row, end row) of every row by looking at all rows of its session; None where it ends too early."""
    found = []
    seconds = panel.clock % 100 + panel.clock // 100 % 100 * 60 + panel.clock // 10_000 % 100 * 3600
    for session in range(panel.n_sessions):
        rows = range(*panel.session_rows(session).indices(panel.n_rows))
        for row in rows:
            after = [other for other in rows if seconds[other] >= seconds[row] + span]
            before = [other for other in rows if seconds[other] <= seconds[row] + span]
            found.append((before[-1], after[0]) if after else None)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_horizons_equal_a_search_of_the_whole_session(make_panel, seed):
    rng = np.random.default_rng(seed)
    panel = at_mids(make_panel, 1000 + rng.integers(0, 5, 50), gaps=np.cumsum(rng.integers(1, 4, 50)) % 60 + 0)
    panel.clock.sort()
    labels = mid_return(panel, int(rng.integers(1, 9)))
    span = int(labels.name.split("_")[2].removesuffix("s"))
    mid = mid_price(panel)
    for row, found in enumerate(slow_horizon(panel, span)):
        if found is None:
            assert np.isnan(labels.value[row])
        else:
            assert labels.value[row] == pytest.approx(100 * (mid[found[0]] / mid[row] - 1))
            assert labels.end_row[row] == max(found)


@pytest.mark.parametrize("name", LABELS)
def test_every_label_ends_in_its_session_and_not_before_its_row(golden_panel, name):
    labels = LABELS[name](golden_panel)
    rows = np.arange(golden_panel.n_rows)
    session = np.repeat(np.arange(golden_panel.n_sessions), np.diff(golden_panel.offsets))
    assert np.array_equal(session[labels.end_row], session)
    assert np.all(labels.end_row >= rows)
    assert np.all(labels.end_row[labels.known] > rows[labels.known])
    assert labels.known.mean() > 0.8


def test_a_horizon_or_break_below_a_second_is_refused(make_panel):
    with pytest.raises(ConfigError, match="horizon_s is 0: expected at least 1 second"):
        mid_return(make_panel([("000001", 20230102, 2)]), 0)
    with pytest.raises(ConfigError, match="break_s is 0: expected at least 1 second"):
        next_move(make_panel([("000001", 20230102, 2)]), break_s=0)


def test_values_and_ends_of_other_lengths_are_refused():
    with pytest.raises(ConfigError, match=r"labels mine: value has shape \(2,\), end_row \(3,\)"):
        Labels("mine", np.zeros(2), np.zeros(3, dtype=np.int64), "class")
