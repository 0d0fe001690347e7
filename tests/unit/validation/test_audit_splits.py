"""Rows on two sides of a split, labels that reach over, and what is fitted on more than train."""

import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.validation.audit.cuts import Effort
from stom_ray.validation.audit.fits import Fits
from stom_ray.validation.audit.splits import Part, Split, check_split, checked, read_splits
from stom_ray.validation.splits import PurgedKFold, WalkForward
from stom_ray.validation.stom_splits import list_days

DAYS = [20230102, 20230103, 20230104, 20230105, 20230106, 20230109, 20230110, 20230111, 20230112, 20230113]


def kinds(findings):
    return [(finding.kind, finding.column) for finding in findings]


def test_valid_inside_train_is_found_and_the_first_shared_day_named():
    (finding,) = check_split(Split.of_days(DAYS[:6], DAYS[4:6], DAYS[8:]))
    assert (finding.kind, finding.column) == ("valid_inside_train", "train/valid")
    assert "valid stands inside train, first at 2023-01-06" in finding.words


def test_days_that_are_kept_apart_pass():
    assert check_split(Split.of_days(DAYS[:4], DAYS[5:6], DAYS[8:])) == ()


@pytest.mark.parametrize("parts", [(DAYS[:3], [], DAYS[2:5]), (DAYS[:3], DAYS[4:6], DAYS[5:])])
def test_a_test_day_that_is_elsewhere_too_is_found(parts):
    (finding,) = check_split(Split.of_days(*parts))
    assert finding.kind == "valid_inside_train"
    assert finding.column.endswith("/test")


def test_the_honest_splits_pass_and_stom_s_own_has_valid_inside_train():
    windows = WalkForward(4, 2, valid_days=1, purge_days=1).split(DAYS)
    assert [check_split(Split.of_days(one.train, one.valid, one.test)) for one in windows] == [()] * len(windows)
    folds = PurgedKFold(3, purge_days=1, embargo_days=1).split(DAYS)
    assert [check_split(Split.of_days(fold.train, [], fold.test)) for fold in folds] == [()] * 3
    days = np.array([*range(20230102, 20230132), *range(20230201, 20230229)])
    stom = list_days("OVT", 20230228, (4, 2, 2), days)[0]
    (valid,) = stom.valid
    found = read_splits(
        {name: [f"{part.first}-{part.last}"] for name, part in (("train", stom.train), ("valid", valid), ("test", stom.test))},
        "stom",
    )
    assert ("valid_inside_train", "train/valid") in kinds(check_split(found[0]))


SECONDS = 20230102090000


def samples(*spans):
    first, last = (np.array([SECONDS + span[k] for span in spans]) for k in range(2))
    return Part.of_samples(first, last)


def test_overlapping_labels_are_found_and_the_first_named():
    split = Split(samples((0, 5), (10, 21), (11, 23)), samples(), samples((20, 25), (30, 35)))
    (finding,) = check_split(split)
    assert (finding.kind, finding.where.clock) == ("overlapping_labels", SECONDS + 10)
    assert "2 of 3 in train overlap test" in finding.words
    assert "is known at 2023-01-02 09:00:21, after test has begun at 2023-01-02 09:00:20: purge it" in finding.words


def test_a_test_label_that_reaches_into_later_train_rows_overlaps_too():
    (finding,) = check_split(Split(samples((0, 5), (24, 30)), samples(), samples((20, 25))))
    assert (finding.kind, finding.where.clock) == ("overlapping_labels", SECONDS + 24)
    assert "the first: test from 2023-01-02 09:00:20 is known at 2023-01-02 09:00:25, after train has begun" in finding.words


def test_purged_labels_pass():
    assert check_split(Split(samples((0, 5), (10, 19), (26, 30)), samples((40, 41)), samples((20, 25)))) == ()


def test_the_same_sample_on_two_sides_is_said_once_and_is_no_overlap():
    assert kinds(check_split(Split(samples((0, 5)), samples((0, 5)), samples()))) == [("valid_inside_train", "train/valid")]


def test_a_label_that_ends_on_a_later_day_overlaps_a_part_of_days():
    early, late = samples((0, 5)), Part.of_samples(np.array([20230102150000]), np.array([20230103090500]))
    assert check_split(Split(early, Part.of_days([]), Part.of_days([20230103]))) == ()
    assert kinds(check_split(Split(late, Part.of_days([]), Part.of_days([20230103])))) == [("overlapping_labels", "train/test")]


def test_labels_of_a_panel_s_rows_overlap_where_they_cross_the_day(make_panel):
    panel = make_panel([(code, day, 5) for code in ("000001", "000002") for day in DAYS[:3]])
    split = Split.of_days(DAYS[:1], [], DAYS[1:2])
    assert check_split(split, panel, panel.clock) == ()
    over = panel.clock.copy()
    over[19] = 20230103090001  # the last row of 000002's first day
    assert panel.clock[19] == 20230102090004
    (finding,) = check_split(split, panel, over)
    assert (finding.kind, finding.where.code, finding.where.clock) == ("overlapping_labels", "000002", 20230102090004)
    assert check_split(Split.of_days(DAYS[:1], [], DAYS[2:3]), panel, over) == ()


def test_days_without_labels_are_told_to_be_half_checked():
    assert (
        "that labels end on their own side is not checked"
        in checked([Split.of_days(DAYS[:2], [], DAYS[3:])], "s.json", None, None).notes[0]
    )


def test_a_split_is_read_from_days_ranges_and_spans():
    days, spans = read_splits(
        [
            {"train": [20230102, "20230103-20230105"], "test": ["20230109"]},
            {"train": [[SECONDS, SECONDS + 5]], "valid": [[SECONDS + 10, SECONDS + 12]]},
        ],
        "s.json",
    )
    assert days.train.last.tolist() == [20230102235959, 20230105235959]
    assert (days.test.samples, spans.train.samples, spans.number) == (False, True, 2)
    assert check_split(days) == check_split(spans) == ()


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "s.json: no fold"),
        (7, "s.json: fold 1 is 7: expected"),
        ({"train": [20230102], "tests": []}, "s.json: fold 1: unknown part 'tests'. Expected train, valid, test"),
        ({"train": [20230102]}, "fold 1: expected train and at least one of valid and test"),
        ([{"train": [20230102], "test": [20230103]}, {"train": 3}], "s.json: fold 2, train is 3: expected a list of days"),
        ({"train": [2023], "test": [20230103]}, "s.json: fold 1, train, item 0 is 2023: expected a list of days"),
        ({"train": ["20230109-20230102"], "test": [20230103]}, "item 0 is '20230109-20230102': expected"),
        ({"train": [True], "test": [20230103]}, "item 0 is True: expected"),
        ({"train": [[SECONDS, 5]], "test": [20230103]}, "item 0 is [20230102090000, 5]: expected"),
        ({"train": [[SECONDS + 5, SECONDS]], "test": [20230103]}, "ends before it starts"),
        ({"train": [20230102, [SECONDS, SECONDS]], "test": [20230103]}, "mixes days and label spans"),
    ],
)
def test_a_split_that_cannot_be_read_is_refused_with_its_place(record, message):
    with pytest.raises(ConfigError) as refused:
        read_splits(record, "s.json")
    assert message in str(refused.value)


# Fits


@pytest.fixture(scope="module")
def panel(make_panel):
    rng = np.random.default_rng(2)
    sessions = [(code, day, 20) for code in ("000001", "000002") for day in DAYS[:5]]
    return make_panel(sessions, 현재가=rng.integers(900, 1100, 200))


FOLDS = (Split.of_days(DAYS[:3], [], DAYS[4:5]), Split.of_days(DAYS[2:5], [], DAYS[:1], number=2))


def scaler(panel, train):
    price = panel.column("현재가")[train]
    return {"mean": price.mean(), "std": [price.std()]}


def scaler_of_everything(panel, train):
    return scaler(panel, np.ones_like(train))


def half_a_scaler(panel, train):
    return {"mean": scaler(panel, train)["mean"], "std": scaler_of_everything(panel, train)["std"]}


def fitted(function, panel, folds=FOLDS):
    return Fits("scaler", function, panel, Effort()).run(folds)


def test_a_scaler_that_is_fitted_on_train_passes(panel):
    done = fitted(scaler, panel)
    assert (done.findings, done.values, done.notes) == ((), 4, ())
    assert done.runs > 10


@pytest.mark.parametrize(("function", "column"), [(scaler_of_everything, "mean[0]"), (half_a_scaler, "std[0]")])
def test_a_scaler_that_is_fitted_on_the_whole_sample_is_found_with_the_row_it_used(panel, function, column):
    first, second = fitted(function, panel).findings
    assert (first.kind, first.subject, first.column) == ("full_sample", "fit", column)
    assert first.before != first.after
    assert first.depends_on.clock // 1_000_000 in DAYS[3:5]
    assert second.depends_on.clock // 1_000_000 in DAYS[:2]
    assert f"row {first.depends_on} raised, which is not in train" in first.words


def test_a_fit_that_learns_a_number_a_day_of_everything_is_found(panel):
    def by_day(panel, train):
        return np.ones(len(panel.days))

    assert kinds(fitted(by_day, panel, FOLDS[:1]).findings) == [("full_sample", "size")]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda panel, train: np.random.default_rng().random(3), "learns something else when it learns the same rows again"),
        (lambda panel, train: "model", "parameter is <U5: expected numbers"),
        (lambda panel, train: [], "scaler gives no number"),
        (lambda panel: 1, "scaler raised TypeError"),
    ],
)
def test_fits_that_cannot_be_audited_are_refused(panel, function, message):
    with pytest.raises(ConfigError) as refused:
        fitted(function, panel)
    assert message in str(refused.value)


def test_a_fold_without_a_train_row_is_refused(panel):
    with pytest.raises(ConfigError, match="fold 1: train has none of the 200 rows that are loaded"):
        fitted(scaler, panel, (Split.of_days([20200101], [], DAYS[:1]),))
