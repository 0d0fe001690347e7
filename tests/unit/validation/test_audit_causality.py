"""Each planted leak is found, called by its name, and placed; the same thing done right passes."""

import numpy as np
import pandas as pd
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.errors import ConfigError, ScriptRuntimeError
from stom_ray.features import SOURCE, precomputed, raw
from stom_ray.store.load import select
from stom_ray.validation.audit.causality import Audit
from stom_ray.validation.audit.cuts import Effort
from stom_ray.validation.audit.findings import Place
from stom_ray.validation.audit.subjects import Decisions, Features, Labels, StoppedError, Values

ROWS = 60
SESSIONS = [(code, day, ROWS) for code in ("000001", "000002", "000003") for day in (20230102, 20230103, 20230104)]


@pytest.fixture(scope="module")
def panel(make_panel):
    """Three instruments, three days of a minute, each second of which all three have."""
    rng = np.random.default_rng(1)
    price = 1000.0 + np.cumsum(rng.integers(-3, 4, len(SESSIONS) * ROWS))
    book = {f"매도호가{level}": price + level for level in range(1, 6)} | {
        f"매수호가{level}": price - level for level in range(1, 6)
    }
    strength = rng.integers(80, 130, len(price)).astype(np.float64)
    return make_panel(SESSIONS, 현재가=price, 체결강도=strength, 초당거래대금=rng.integers(0, 9, len(price)), **book)


def audited(function, panel, **effort):
    return Audit(Features("mine", function), panel, Effort(**effort)).run()


def by_session(panel, function):
    """function of each session's prices, joined."""
    price = panel.column("현재가")
    return np.concatenate([function(price[panel.session_rows(at)]) for at in range(panel.n_sessions)])


def shifted(panel, by):
    return by_session(panel, lambda price: pd.Series(price).shift(by).to_numpy())


def final_high(panel):
    return by_session(panel, lambda price: np.full(len(price), price.max()))


def high_so_far(panel):
    return by_session(panel, np.maximum.accumulate)


def scaled(panel):
    price = panel.column("현재가")
    return (price - price.mean()) / price.std()


def scaled_by_the_past(panel):
    """By the mean and deviation of the instrument's rows so far."""
    price = pd.Series(panel.column("현재가")).groupby(np.repeat(panel.session_code, np.diff(panel.offsets)))
    return ((panel.column("현재가") - price.expanding().mean().to_numpy()) / price.expanding().std().to_numpy()).ravel()


def mean_of_market(panel, before):
    """The mean price of all rows of the second that is `before` seconds earlier; NaN without one."""
    means = pd.Series(panel.column("현재가")).groupby(panel.clock).mean()
    return means.reindex(panel.clock - before).to_numpy()


LEAKS = {
    "next_row": lambda panel: shifted(panel, -1),
    "day_end": final_high,
    "full_sample": scaled,
    "same_second": lambda panel: mean_of_market(panel, 0),
}
RIGHT = {
    "next_row": lambda panel: shifted(panel, 1),
    "day_end": high_so_far,
    "full_sample": scaled_by_the_past,
    "same_second": lambda panel: mean_of_market(panel, 1),
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", LEAKS)
def test_a_planted_leak_is_found_and_called_by_its_name_whatever_the_seed(panel, kind, seed):
    (finding,) = audited(LEAKS[kind], panel, seed=seed).findings
    assert (finding.kind, finding.subject, finding.column) == (kind, "feature", "0")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", RIGHT)
def test_the_same_feature_without_the_leak_passes(panel, kind, seed):
    checked = audited(RIGHT[kind], panel, seed=seed)
    assert checked.findings == ()
    assert checked.notes == ()
    assert checked.values > panel.n_rows / 2


def row_of(panel, place):
    session = [(code, day) for code, day, _ in SESSIONS].index((place.code, place.clock // 1_000_000))
    rows = panel.session_rows(session)
    return rows.start + int(np.searchsorted(panel.clock[rows], place.clock))


def test_a_finding_names_the_row_the_values_and_the_very_row_it_depends_on(panel):
    (finding,) = audited(LEAKS["next_row"], panel).findings
    row = row_of(panel, finding.where)
    price = panel.column("현재가")
    assert finding.before == price[row + 1]
    assert finding.after == price[row + 1] * 1.5 + 1
    assert f"is {price[row + 1]:.0f}, and " in finding.words
    assert row_of(panel, finding.depends_on) == row + 1
    assert f"{finding.where.code} 2023-01-0{finding.where.clock // 1_000_000 % 10} 09:00:" in finding.words
    assert str(finding.depends_on) in finding.words


def test_a_feature_that_reads_five_rows_ahead_depends_on_the_fifth(panel):
    (finding,) = audited(lambda panel: shifted(panel, -5), panel).findings
    assert finding.kind == "next_row"
    assert row_of(panel, finding.depends_on) == row_of(panel, finding.where) + 5


def test_the_final_high_depends_on_the_last_row_of_the_day(panel):
    (finding,) = audited(LEAKS["day_end"], panel).findings
    assert row_of(panel, finding.depends_on) == row_of(panel, Place(finding.where.code, finding.where.clock // 100 * 100 + 59))


def test_same_second_is_another_instrument_of_that_very_second(panel):
    (finding,) = audited(LEAKS["same_second"], panel).findings
    assert finding.depends_on.clock == finding.where.clock
    assert finding.depends_on.code != finding.where.code


OTHER_LEAKS = {
    "the final low": ("day_end", lambda panel: by_session(panel, lambda price: np.full(len(price), price.min()))),
    "the close": ("day_end", lambda panel: by_session(panel, lambda price: np.full(len(price), price[-1]))),
    "the number of rows of the day": ("day_end", lambda panel: by_session(panel, lambda price: np.full(len(price), len(price)))),
    "whether a row is the last": ("next_row", lambda panel: np.isin(np.arange(panel.n_rows), panel.offsets[1:] - 1)),
    "the next day's open": (
        "full_sample",
        lambda panel: np.repeat(np.append(panel.column("현재가")[panel.offsets[1:-1]], 0), np.diff(panel.offsets)),
    ),
    "a centred mean": ("next_row", lambda panel: by_session(panel, lambda p: pd.Series(p).rolling(5, center=True).mean())),
    "filling backwards": ("next_row", lambda panel: pd.Series(shifted(panel, 3)).bfill()),
    "missing values of the day": ("day_end", lambda panel: by_session(panel, lambda p: np.full(len(p), np.isnan(p).sum()))),
}


@pytest.mark.parametrize("name", OTHER_LEAKS)
def test_other_leaks_of_the_same_kinds(panel, name):
    kind, function = OTHER_LEAKS[name]
    found = audited(function, panel).findings
    assert [finding.kind for finding in found] == [kind]


def test_only_the_columns_that_leak_are_named(panel):
    def three(panel):
        return {"price": panel.column("현재가"), "tomorrow": shifted(panel, -1), "high": high_so_far(panel)}

    assert [finding.column for finding in audited(three, panel).findings] == ["tomorrow"]


def test_a_matrix_and_a_frame_are_features_too(panel):
    matrix = audited(lambda panel: np.column_stack([shifted(panel, 1), shifted(panel, -1)]), panel)
    frame = audited(lambda panel: pd.DataFrame({"다음": shifted(panel, -1)}), panel)
    assert [finding.column for finding in (*matrix.findings, *frame.findings)] == ["1", "다음"]


def test_a_function_that_writes_into_its_panel_spoils_nothing(panel):
    before = panel.column("현재가").copy()

    def spoiling(panel):
        panel.column("현재가")[:] = 7.0
        return panel.column("체결강도")

    assert audited(spoiling, panel).findings == ()
    assert np.array_equal(panel.column("현재가"), before)


@pytest.mark.parametrize("function", SOURCE)
def test_the_window_functions_know_nothing_of_what_comes_later(panel, function):
    def windows(panel):
        return {"loaded": precomputed(panel, function, 60 if function == "이동평균" else 7), "raw": raw(panel, function, 9)}

    checked = audited(windows, panel, cuts=8)
    assert checked.findings == ()
    assert checked.values > panel.n_rows


def test_one_instrument_on_one_day_can_be_audited(make_panel):
    panel = make_panel([("000001", 20230102, 20)], 현재가=1000.0 + np.arange(20.0))
    assert audited(lambda panel: shifted(panel, 1), panel).findings == ()
    assert [one.kind for one in audited(lambda panel: shifted(panel, -1), panel).findings] == ["next_row"]


def test_arithmetic_that_depends_on_the_number_of_rows_is_within_a_tolerance(panel):
    def rounded_elsewhere(panel):
        return panel.column("현재가") * (1.0 + panel.n_rows * 1e-15)

    assert [one.kind for one in audited(rounded_elsewhere, panel).findings] == ["full_sample"]
    assert audited(rounded_elsewhere, panel, tolerance=1e-9).findings == ()
    assert audited(LEAKS["full_sample"], panel, tolerance=1e-9).findings != ()


def test_what_cannot_be_run_on_changed_rows_is_told_and_what_can_is_compared(panel):
    def wants_numbers(panel):
        if np.isnan(panel.column("현재가")).any():
            raise ValueError("NaN!")
        return shifted(panel, -1)

    checked = audited(wants_numbers, panel)
    assert [finding.kind for finding in checked.findings] == ["next_row"]
    assert (
        "could not be run on 12 changes, which are not compared; the first: mine raised ValueError: NaN! (line"
        in checked.notes[0]
    )


def test_a_feature_without_values_is_told(panel):
    checked = audited(lambda panel: np.full(panel.n_rows, np.nan), panel)
    assert checked.values == 0
    assert "gives no value at all on these rows" in checked.notes[0]


def failing(panel):
    raise KeyError("현재까")


def unseeded(panel):
    return np.random.default_rng().random(panel.n_rows)


def by_rows(panel):
    return {str(panel.n_rows): panel.column("현재가")}


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (failing, "mine raised KeyError: '현재까' (line"),
        (unseeded, "column 0 differs when it is made again from the same rows"),
        (by_rows, "expected the same ones whatever the rows"),
        (lambda panel: np.zeros(3), "column 0 has shape (3,) of float64: expected a number for each of 540 rows"),
        (lambda panel: np.array(["a"] * panel.n_rows), "expected a number for each of 540 rows"),
        (lambda panel: {}, "gives no column"),
    ],
)
def test_functions_that_cannot_be_audited_are_refused_with_the_reason(panel, function, message):
    with pytest.raises(ConfigError) as refused:
        audited(function, panel)
    assert message in str(refused.value)


@pytest.mark.parametrize(("effort", "message"), [({"cuts": 0}, "cuts is 0"), ({"tolerance": -1e-9}, "tolerance is -1e-09")])
def test_an_effort_that_is_none_is_refused(effort, message):
    with pytest.raises(ConfigError, match=message):
        Effort(**effort)


# Labels


def label_of(horizon, stated):
    """(whether the price is higher `horizon` rows later, the clock `stated` rows later); none near the end of a session."""

    def labels(panel):
        later = shifted(panel, -horizon)
        label = np.where(np.isnan(later), np.nan, later > panel.column("현재가"))
        ends = np.full(panel.n_rows, np.nan)
        for at in range(panel.n_sessions):
            rows = panel.session_rows(at)
            ends[rows.start : rows.stop - stated] = panel.clock[rows.start + stated : rows.stop]
        return label, ends

    return labels


def test_a_label_that_is_known_when_it_says_passes(panel):
    checked = Audit(Labels("up", label_of(5, 5)), panel, Effort()).run()
    assert checked.findings == ()
    assert checked.values > panel.n_rows


def test_a_label_that_reaches_beyond_its_end_is_found(panel):
    finding, end = Audit(Labels("up", label_of(5, 3)), panel, Effort()).run().findings
    assert {(one.kind, one.subject) for one in (finding, end)} == {("overlapping_labels", "label")}
    assert row_of(panel, finding.depends_on) == row_of(panel, finding.where) + 5


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (lambda panel: np.zeros(panel.n_rows), "gives ndarray: expected (labels, ends)"),
        (lambda panel: (np.zeros(panel.n_rows), np.zeros(3)), "ends have shape (3,) of float64"),
        (lambda panel: (np.zeros(panel.n_rows), panel.clock - 1), "ends at 20230102089999, before it begins"),
    ],
)
def test_labels_without_their_ends_are_refused(panel, labels, message):
    with pytest.raises(ConfigError) as refused:
        Audit(Labels("up", labels), panel, Effort())
    assert message in str(refused.value)


# Decisions


BUY = "매수 = 체결강도 > 체결강도N(1) and 현재가 > 이동평균(4)"
SELL = "if 수익률 > 0.1 or 보유시간 > 5:\n    매도 = True"


def decisions(buy=BUY, sell=SELL, profile="corrected", narrow=select):
    strategy = compile_strategy(buy, sell, profile=profile)
    config = EngineConfig(avgtime=3, loaded_lengths=(3,), betting=10_000.0, profile=profile)
    return Decisions("mine", strategy, ParamMatrix.from_rows([[]]), config, narrow)


@pytest.mark.parametrize("seed", range(3))
def test_decisions_of_a_script_never_move(panel, seed):
    checked = Audit(decisions(), panel, Effort(seed=seed)).run()
    assert checked.findings == ()
    assert checked.values > 100


def test_decisions_on_hours_out_of_more_that_is_loaded_never_move(panel):
    def narrow(panel):
        return select(panel, time=(90_010, 90_045))

    selection = narrow(panel)
    checked = Audit(decisions(narrow=narrow), panel, Effort(), selection.rows).run()
    assert checked.findings == ()
    assert checked.values > 100


def peeking(values):
    """A way to the engine on which 체결강도 is made out of what comes later."""

    def narrow(panel):
        given = values(panel)
        panel.columns["체결강도"] = np.where(np.isnan(given), 0.0, given)
        return select(panel)

    return narrow


@pytest.mark.parametrize("kind", LEAKS)
def test_decisions_on_a_leak_are_found_and_called_by_its_name(panel, kind):
    subject = decisions("매수 = 체결강도 > 현재가", "매도 = 체결강도 < 현재가", narrow=peeking(LEAKS[kind]))
    if kind == "full_sample":
        subject = decisions("매수 = 체결강도 > 0.1", "매도 = 체결강도 < 0", narrow=peeking(LEAKS[kind]))
    found = Audit(subject, panel, Effort()).run().findings
    assert "buy price" in {finding.column for finding in found}
    assert {finding.kind for finding in found} == {kind}


def test_a_script_that_stops_on_the_rows_as_they_are_is_an_error(panel):
    with pytest.raises(ScriptRuntimeError):
        Audit(decisions("매수 = 1 / (데이터길이 - 20) > 1", profile="stom"), panel, Effort())


def test_a_script_that_stops_only_on_changed_rows_is_told(panel):
    subject = decisions(sell="매도 = 1000 / int(체결강도) > 12", profile="stom")
    checked = Audit(subject, panel, Effort()).run()
    assert checked.findings == ()
    assert "could not be run on" in checked.notes[0]


class StopsBefore:
    """Stops at its first row as soon as any row is zero: it looked ahead."""

    what, name, closes_sessions = "decision", "mine", False

    def values(self, panel):
        if (panel.column("현재가") == 0).any():
            raise StoppedError(ConfigError("division by zero"), 0)
        return Values({"0": panel.column("현재가")})


def test_a_run_that_stops_before_anything_has_changed_knew_it(panel):
    (finding,) = Audit(StopsBefore(), panel, Effort()).run().findings
    assert (finding.kind, finding.column) == ("next_row", "stop")
    assert finding.where == Place("000001", 20230102090000)
