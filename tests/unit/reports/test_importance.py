import numpy as np
import pandas as pd
import pytest

from stom_ray.reports.importance import importance, levels, plane, slices


def drawn(count: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({f"vars_{i}": rng.integers(0, 5, count) for i in range(3)})
    return frame.assign(failed=False)


NAMES = ["vars_0", "vars_1", "vars_2"]


def test_shares_add_up_to_what_is_explained_and_order_by_strength() -> None:
    frame = drawn(4000)
    frame["objective"] = 3.0 * frame["vars_0"] + 1.0 * frame["vars_2"] + np.random.default_rng(1).normal(0, 1, len(frame))
    found = importance(frame, NAMES)
    assert list(found.shares) == ["vars_0", "vars_2", "vars_1"]
    assert sum(found.shares.values()) == pytest.approx(found.explained)
    assert found.shares["vars_0"] == pytest.approx(0.83, abs=0.05)
    assert found.shares["vars_1"] < 0.005


def test_a_variable_without_effect_gets_nothing_though_the_sampler_ties_it_to_another() -> None:
    frame = drawn(6000)
    copied = np.random.default_rng(2).random(len(frame)) < 0.7
    frame["vars_1"] = np.where(copied, frame["vars_0"], frame["vars_1"])
    frame["objective"] = frame["vars_0"].astype(float)
    found = importance(frame, NAMES)
    assert found.shares["vars_0"] > 0.95
    assert abs(found.shares["vars_1"]) < 0.02


def test_pure_interplay_is_not_credited_to_either_variable() -> None:
    frame = drawn(4000)
    frame["objective"] = np.where((frame["vars_0"] % 2) == (frame["vars_1"] % 2), 1.0, 0.0)
    assert importance(frame, NAMES).explained < 0.1


def test_size_of_a_penalty_does_not_matter_only_its_rank() -> None:
    frame = drawn(2000)
    frame["objective"] = frame["vars_0"].astype(float)
    low = importance(frame, NAMES)
    frame.loc[frame["vars_0"] == 0, "objective"] = -2_222_222_222.0
    assert importance(frame, NAMES).shares == pytest.approx(low.shares)


@pytest.mark.parametrize("count", [0, 1, 59])
def test_too_few_trials_tell_nothing(count: int) -> None:
    frame = drawn(count)
    frame["objective"] = frame["vars_0"].astype(float)
    assert importance(frame, NAMES).shares == {}


def test_failed_trials_and_constant_objectives_tell_nothing() -> None:
    frame = drawn(500).assign(objective=1.0)
    assert importance(frame, NAMES).shares == {}
    assert importance(frame.assign(failed=True, objective=np.nan), NAMES).trials == 0


def test_continuous_values_are_binned_at_their_median() -> None:
    values = np.random.default_rng(3).random(1000)
    where, centres = levels(values, 10)
    assert np.bincount(where).tolist() == [100] * 10
    assert centres[0] == np.median(np.sort(values)[:100])
    assert (np.diff(centres) > 0).all()


def test_slices_take_median_and_best_of_scored_trials_only() -> None:
    frame = pd.DataFrame(
        {
            "vars_0": [1, 1, 1, 1, 2, 3],
            "objective": [1.0, 3.0, 8.0, -2_000_000_000.0, -2_222_222_222.0, np.nan],
            "failed": [False, False, False, False, False, True],
        }
    )
    table = slices(frame, "vars_0")
    assert table["value"].tolist() == [1.0, 2.0]
    assert table["trials"].tolist() == [4, 1]
    assert table["refused"].tolist() == [0.25, 1.0]
    assert table["median"].tolist()[0] == 3.0
    assert table["best"].tolist()[0] == 8.0
    assert table.loc[1, ["median", "best"]].isna().all()
    assert slices(frame.iloc[:0], "vars_0").empty


def test_plane_has_a_gap_where_no_pair_was_tried() -> None:
    frame = pd.DataFrame({"vars_0": [1, 1, 2], "vars_1": [5, 5, 6], "objective": [1.0, 3.0, 7.0], "failed": False})
    table = plane(frame, "vars_0", "vars_1")
    assert table.loc[5.0, 1.0] == 2.0
    assert table.loc[6.0, 2.0] == 7.0
    assert table.isna().to_numpy().sum() == 2
    assert plane(frame.iloc[:0], "vars_0", "vars_1").empty
