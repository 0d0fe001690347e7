"""Parameter rows as levels of terms, and what candidates share."""

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.planned.candidates import (
    FEW_VALUES,
    Candidates,
    candidates_of,
    distinct,
    share,
    sorted_by,
    transpose,
    unique_rows,
)
from stom_ray.engine.planned.cut import cut
from stom_ray.engine.types import ParamMatrix


def levels(buy, sell, *rows, profile="corrected"):
    plan = cut(compile_strategy(buy, sell, profile=profile), frozenset())
    return candidates_of(plan, ParamMatrix.from_rows(rows), profile == "stom")


def test_levels_are_what_the_columns_have_to_reach():
    found = levels(
        "매수 = 등락율 > self.vars[1] and 체결강도 <= self.vars[2] * 2",
        "매도 = 보유시간 > self.vars[3]",
        [1, 2, 3, 4],
        [1, 5.5, -1, 0],
    )
    assert found.buys.tolist() == [[np.nextafter(2.0, 3.0), -6.0], [np.nextafter(5.5, 6.0), 2.0]]
    assert found.exits.tolist() == [[np.nextafter(4.0, 5.0)], [5e-324]]
    assert not found.unfit.any()


def test_a_product_and_a_sum_leave_strictness_to_the_column():
    found = levels("매수 = 현재가 > 시가 * self.vars[1] and 현재가 < 시가 + self.vars[2]", "매도 = True", [1, 2, 3])
    assert found.buys.tolist() == [[2.0, -3.0]]


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ("최고수익률 >= self.vars[1]", 0, -np.inf),
        ("최고수익률 >= self.vars[1]", -1.5, -np.inf),
        ("최고수익률 > self.vars[1]", 0, 5e-324),
        ("최저수익률 <= self.vars[1]", 2, -np.inf),
        ("최저수익률 < self.vars[1]", 0, 5e-324),
        ("최고수익률 <= self.vars[1]", 2, -2.0),
        ("수익률 >= self.vars[1]", 0, 0.0),
        ("수익률 < 최고수익률 * self.vars[1]", 0.5, 0.5),
    ],
)
def test_a_best_and_a_worst_gain_begin_at_zero(condition, value, expected):
    assert levels("매수 = True", f"매도 = {condition}", [1, value]).exits.tolist() == [[expected]]


@pytest.mark.parametrize("profile", ["stom", "corrected"])
def test_parameters_that_stop_or_are_no_number_fit_no_plan(profile):
    buy = "매수 = 등락율 > 1 / self.vars[1] and 체결강도 > self.vars[2] * 1e300 * 1e300"
    found = levels(
        buy, "매도 = 수익률 > 1 % self.vars[3]", [1, 0, 0, 1], [1, 2, 0, 1], [1, 2, 1, 1], [1, 2, 0, 0], profile=profile
    )
    assert found.unfit.tolist() == [True, False, True, True]


def some(seed, n=200, n_terms=3, n_atoms=4):
    rng = np.random.default_rng(seed)
    buys = rng.choice([-np.inf, -1.0, 0.0, 2.5, np.inf], (n, n_terms))
    exits = rng.choice([-np.inf, 0.5, 3.0], (n, n_atoms))
    return Candidates(buys, exits, np.zeros(n, dtype=np.bool_))


@pytest.mark.parametrize("n_terms", [0, 1, 3])
def test_candidates_are_sorted_by_what_they_share(n_terms):
    candidates = some(n_terms, n_terms=n_terms)
    shared = share(candidates, np.array([0, 1, 4]))
    assert sorted(shared.order.tolist()) == list(range(200))
    for b, (start, end) in enumerate(zip(shared.leaf_start[:-1], shared.leaf_start[1:], strict=True)):
        for at in range(start, end):
            values = [shared.distinct[k, shared.place[b, k]] for k in range(n_terms)]
            assert values == candidates.buys[shared.order[at], shared.terms].tolist()
            assert shared.exits[0][shared.leaf_exit[at]].tolist() == candidates.exits[shared.order[at]].tolist()
        assert (np.diff(shared.leaf_exit[start:end]) >= 0).all()
    for b in range(1, len(shared.place)):
        same = shared.place[b] == shared.place[b - 1]
        assert same[: shared.shared[b]].all()
        assert not same[shared.shared[b]]
    for k in range(n_terms):
        known = shared.distinct[k, : shared.n_distinct[k]]
        assert (np.diff(known) > 0).all()
        assert (shared.distinct[k, shared.n_distinct[k] :] == np.inf).all()


def test_exit_values_are_told_apart_by_reason():
    starts = np.array([0, 1, 1, 4])
    exits, example, counts, place = share(some(5), starts).exits
    for reason in range(3):
        of_reason = slice(starts[reason], starts[reason + 1])
        stand_ins = exits[example[reason, : counts[reason]], of_reason]
        assert len(np.unique(stand_ins, axis=0)) == counts[reason]
        np.testing.assert_array_equal(stand_ins[place[:, reason]], exits[:, of_reason])


def test_values_of_one_atom_ascend_so_that_a_search_goes_on_where_it_was():
    exits, example, counts, _ = share(some(6), np.array([0, 1, 2, 3, 4])).exits
    for reason in range(4):
        assert (np.diff(exits[example[reason, : counts[reason]], reason]) > 0).all()


@pytest.mark.parametrize("different", [1, 3, FEW_VALUES, FEW_VALUES + 1, 500])
def test_distinct_values_are_those_of_a_sort(different):
    values = np.random.default_rng(different).permutation(np.arange(1_000) % different).astype(np.float64) - 2.5
    place, table = distinct(values)
    assert table.tolist() == sorted(set(values.tolist()))
    assert (table[place] == values).all()


@pytest.mark.parametrize("count", [3, 2**40])
def test_rows_are_sorted_by_the_first_key_first_also_when_keys_are_too_many_for_one_number(count):
    rng = np.random.default_rng(count % 97)
    places = [rng.integers(0, 3, 200) * (count // 3) for _ in range(4)]
    expected = sorted(range(200), key=lambda row: [key[row] for key in places])
    assert sorted_by(places, [count] * 4).tolist() == expected


def test_distinct_rows_are_ascending_and_found_again():
    rows, which = unique_rows(np.array([[2.0, -np.inf], [1.0, 3.0], [2.0, -np.inf], [1.0, -3.0], [-0.0, 1.0], [0.0, 1.0]]))
    assert rows.tolist() == [[0.0, 1.0], [1.0, -3.0], [1.0, 3.0], [2.0, -np.inf]]
    assert which.tolist() == [3, 2, 3, 1, 0, 0]
    assert [part.shape for part in unique_rows(np.empty((3, 0)))] == [(1, 0), (3,)]


def test_a_row_of_the_prefix_table_is_the_candidates_with_a_lower_threshold():
    buys = some(7, n=150).buys
    transposed = transpose(buys)
    for k in range(3):
        for count in range(transposed.n_distinct[k] + 1):
            bits = transposed.prefix[k, count].view(np.uint8)
            found = np.unpackbits(bits, bitorder="little")[:150].astype(bool)
            below = np.zeros(150, dtype=bool) if count == 0 else buys[:, k] <= transposed.ordered[k, count - 1]
            np.testing.assert_array_equal(found, below)
