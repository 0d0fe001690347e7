"""The leakage audit holds labels to their end rows, and finds one that reaches over."""

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.entries import EVERY_ROW
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.models.entry_labels import entry_pays, triple_barrier
from stom_ray.models.labels import mid_return, move_within, next_move, taker_return
from stom_ray.store.panel import Selection
from stom_ray.validation.audit.causality import Audit
from stom_ray.validation.audit.cuts import Effort
from stom_ray.validation.audit.splits import Part, Split, check_split
from stom_ray.validation.audit.subjects import Labels

ROWS = 60
DAYS = (20230102, 20230103)
SELL = compile_strategy(
    EVERY_ROW, "if 수익률 > 0.3 or 보유시간 > 5 and 체결강도 > 100:\n    매도 = True\nif 매도:\n    self.Sell()\n"
)
CONFIG = EngineConfig(betting=10_000.0, costs="custom:0,0")


@pytest.fixture(scope="module")
def panel(make_panel):
    """Three instruments, two days of a minute with a mid that stands now and then."""
    rng = np.random.default_rng(1)
    sessions = [(code, day, ROWS) for code in ("000001", "000002", "000003") for day in DAYS]
    price = 1000.0 + np.cumsum(rng.integers(-3, 4, len(sessions) * ROWS) * rng.integers(0, 2, len(sessions) * ROWS))
    book = {f"매도호가{level}": price + level for level in range(1, 6)}
    book |= {f"매수호가{level}": price - level for level in range(1, 6)}
    return make_panel(sessions, 현재가=price, 체결강도=rng.integers(80, 130, len(price)), **book)


def whole(panel):
    return Selection(panel, panel, np.arange(panel.n_rows))


def barrier(panel):
    return triple_barrier(whole(panel), CONFIG, take_pct=0.3, stop_pct=0.3, limit_s=8)


LABELS = {
    "mid return": lambda panel: mid_return(panel, 5),
    "taker return": lambda panel: taker_return(panel, 5, "stom"),
    "next move": next_move,
    "move within": lambda panel: move_within(panel, 4),
    "triple barrier": barrier,
    "entry pays": lambda panel: entry_pays(SELL, whole(panel), ParamMatrix.from_rows([[]]), CONFIG),
}


def subject(make, *, early=0):
    """The labels as the audit takes them. early: rows by which their ends are understated."""

    def function(panel):
        labels = make(panel)
        ends = np.maximum(labels.end_row - early, np.arange(panel.n_rows))
        return labels.value, panel.clock[ends]

    return Labels("mine", function, closes_sessions=True)


@pytest.mark.parametrize("name", LABELS)
def test_a_label_is_settled_at_its_end_row(panel, name):
    checked = Audit(subject(LABELS[name]), panel, Effort(cuts=8)).run()
    assert checked.findings == ()
    assert checked.values > panel.n_rows


@pytest.mark.parametrize("name", LABELS)
def test_a_label_that_states_an_earlier_end_is_found(panel, name):
    findings = Audit(subject(LABELS[name], early=1), panel, Effort(cuts=8)).run().findings
    assert {finding.kind for finding in findings} == {"overlapping_labels"}


def stretch(first, last):
    """A part of the rows from one clock to another."""
    return Part(np.array([first]), np.array([last]))


def test_labels_that_reach_from_train_into_test_are_found(panel):
    labels = mid_return(panel, 5)
    clock, none = panel.clock[panel.session_rows(0)], Part.of_days([])
    split = Split(stretch(clock[0], clock[29]), none, stretch(clock[30], clock[50]))
    (finding,) = check_split(split, panel, labels.known_at(panel))
    assert finding.kind == "overlapping_labels"
    assert finding.where.clock == clock[25]  # five seconds before the test
    purged = Split(stretch(clock[0], clock[24]), none, stretch(clock[30], clock[50]))
    assert check_split(purged, panel, labels.known_at(panel)) == ()


@pytest.mark.parametrize("name", LABELS)
def test_between_whole_days_labels_need_no_purge(panel, name):
    known_at = LABELS[name](panel).known_at(panel)
    assert check_split(Split.of_days(DAYS[:1], (), DAYS[1:]), panel, known_at) == ()
