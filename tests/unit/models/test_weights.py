"""Uniqueness: by hand, against the definition moment by moment, within sessions and across instruments."""

import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.models.labels import Labels, mid_return
from stom_ray.models.weights import uniqueness

NAN = np.nan


def labels_of(values, ends):
    return Labels("mine", np.asarray(values, dtype=np.float64), np.asarray(ends, dtype=np.int64), "class")


def test_a_label_that_lives_alone_weighs_one(make_panel):
    panel = make_panel([("000001", 20230102, 4)])
    assert uniqueness(labels_of([1, NAN, 1, NAN], [1, 1, 3, 3]), panel).tolist() == [1, 0, 1, 0]


def test_labels_that_overlap_share_what_they_have_in_common(make_panel):
    panel = make_panel([("000001", 20230102, 6)])
    weights = uniqueness(labels_of([1, 1, NAN, NAN, 1, NAN], [2, 4, 2, 3, 5, 5]), panel)
    # living: 1 on row 0, 2 on rows 1 and 2, 1 on row 3, 2 on row 4, 1 on row 5
    assert weights == pytest.approx([(1 + 1 / 2 + 1 / 2) / 3, (1 / 2 + 1 / 2 + 1 + 1 / 2) / 4, 0, 0, (1 / 2 + 1) / 2, 0])


def test_labels_of_h_rows_on_every_row_weigh_one_in_so_many(make_panel):
    panel = make_panel([("000001", 20230102, 100)], 매도호가1=1001, 매수호가1=999)
    weights = uniqueness(mid_return(panel, 9), panel)
    assert weights[20:80] == pytest.approx(np.full(60, 1 / 10))  # ten rows, both ends included
    assert weights[-9:].tolist() == [0] * 9


def test_sessions_and_instruments_do_not_share_unless_asked(make_panel):
    panel = make_panel([("000001", 20230102, 3), ("000001", 20230103, 3), ("000002", 20230102, 3)])
    labels = labels_of([1, NAN, NAN] * 3, [1, 1, 2, 4, 4, 5, 7, 7, 8])
    assert uniqueness(labels, panel)[[0, 3, 6]].tolist() == [1, 1, 1]
    assert uniqueness(labels, panel, across_instruments=True)[[0, 3, 6]].tolist() == [0.5, 1, 0.5]


def test_across_instruments_the_seconds_of_the_others_are_moments_too(make_panel):
    panel = make_panel([("000001", 20230102, 2), ("000002", 20230102, 4)])
    panel.clock[1] += 2  # the first instrument has rows at 0 s and 3 s
    labels = labels_of([1, NAN, NAN, 1, NAN, NAN], [1, 1, 2, 4, 4, 5])  # 0 s to 3 s, and 1 s to 2 s
    assert uniqueness(labels, panel, across_instruments=True)[[0, 3]] == pytest.approx([(1 + 0.5 + 0.5 + 1) / 4, 0.5])


def slow(labels, panel, *, across):
    """By the definition, on sets of moments."""
    day = panel.clock // 1_000_000
    session = np.repeat(np.arange(panel.n_sessions), np.diff(panel.offsets))
    lives = {}
    for row in np.flatnonzero(labels.known):
        end = labels.end_row[row]
        if across:
            lives[row] = {clock for clock in panel.clock[day == day[row]] if panel.clock[row] <= clock <= panel.clock[end]}
        else:
            lives[row] = {(session[row], at) for at in range(row, end + 1)}
    weights = np.zeros(panel.n_rows)
    for row, life in lives.items():
        weights[row] = np.mean([1 / sum(moment in other for other in lives.values()) for moment in life])
    return weights


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_weights_equal_the_definition_on_random_labels(make_panel, seed, across):
    rng = np.random.default_rng(seed)
    sessions = [(code, day, int(rng.integers(1, 25))) for code in ("1", "2", "3") for day in (20230102, 20230103)]
    panel = make_panel(sessions)
    for at in range(panel.n_sessions):
        rows = panel.session_rows(at)
        panel.clock[rows] += np.arange(rows.stop - rows.start) // 5  # gaps
    last = np.repeat(panel.offsets[1:] - 1, np.diff(panel.offsets))
    ends = np.minimum(np.arange(panel.n_rows) + rng.integers(0, 12, panel.n_rows), last)
    labels = labels_of(np.where(rng.random(panel.n_rows) < 0.3, NAN, 1.0), ends)
    found = uniqueness(labels, panel, across_instruments=across)
    assert found == pytest.approx(slow(labels, panel, across=across), abs=1e-12)
    assert np.all((found > 0) == labels.known)
    assert found.max() <= 1.0 + 1e-12


def test_labels_of_another_panel_are_refused(make_panel):
    with pytest.raises(ConfigError, match="labels mine have 2 rows, the panel 3"):
        uniqueness(labels_of([1, 1], [0, 1]), make_panel([("000001", 20230102, 3)]))
