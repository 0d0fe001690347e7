"""Three-valued truth, values with facts, and the part of a text that can have effects."""

import itertools

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.printer import print_program
from stom_ray.engine.row_values_effects import Risks
from stom_ray.engine.row_values_known import Known, bounded, constant, select, tick, unknown_value
from stom_ray.engine.row_values_truth import MAYBE, NO, YES, Truth, known_truth, mask, truth_where

THREE = (YES, NO, MAYBE)
NOTHING = "pass"


def as_rows(truths):
    """Truths of single rows as one of many."""
    return Truth(np.array([one.surely for one in truths]), np.array([one.perhaps for one in truths]))


def worlds(truth):
    return [way for way in (True, False) if truth.surely <= way <= truth.perhaps]


@pytest.mark.parametrize("spread", [False, True])
def test_what_is_said_of_two_truths_is_what_holds_in_every_world(spread):
    pairs = list(itertools.product(THREE, THREE))
    lefts, rights = zip(*pairs, strict=True)
    for (left, right), position in zip(pairs, range(len(pairs)), strict=True):
        one, other = (as_rows(lefts), as_rows(rights)) if spread else (left, right)
        for found, holds in ((one & other, lambda a, b: a and b), (one | other, lambda a, b: a or b), (~one, lambda a, _: not a)):
            outcomes = {holds(a, b) for a in worlds(left) for b in worlds(right)}
            surely, perhaps = (side[position] if spread else side for side in (found.surely, found.perhaps))
            assert (bool(surely), bool(perhaps)) == (outcomes == {True}, True in outcomes)


def test_a_choice_between_truths_is_known_where_both_ways_agree():
    for test, yes, no in itertools.product(THREE, THREE, THREE):
        outcomes = {way for t in worlds(test) for way in worlds(yes if t else no)}
        found = truth_where(as_rows([test]), as_rows([yes]), as_rows([no]))
        assert (bool(found.surely[0]), bool(found.perhaps[0])) == (outcomes == {True}, True in outcomes)


def test_a_mask_that_is_the_same_everywhere_is_one_bool():
    assert mask(np.array([True, True])) is True
    assert mask(np.array([False, False])) is False
    assert isinstance(mask(np.array([True, False])), np.ndarray)


def test_a_value_under_an_unknown_test_is_known_where_both_ways_agree():
    yes, no = tick(np.array([1.0, 0.0, np.nan, 2.0])), tick(np.array([1.0, -0.0, np.nan, 3.0]))
    assert select(MAYBE, yes, no).unknown.tolist() == [False, True, False, True]


def test_an_unknown_value_may_still_be_known_to_be_false():
    found = select(MAYBE, constant(0.0), constant(-0.0))
    assert found.unknown is True
    assert found.truth == Truth(False, False)


def test_whole_numbers_have_no_negative_zero_and_end_at_two_to_the_53():
    values = np.array([-0.0, 3.0, 2.0**53, 2.0**54])
    found = bounded(Known(values, False, YES, YES))
    assert not np.signbit(found.values[0])
    assert found.whole.surely.tolist() == [True, True, False, False]
    assert found.whole.perhaps.tolist() == [True, True, True, False]  # 2**53 may be 2**53 + 1, which is a float
    assert np.signbit(bounded(Known(values, False, YES, NO)).values[0])


def test_an_unknown_number_is_never_surely_whole():
    assert unknown_value(YES, YES).whole == MAYBE
    found = bounded(Known(np.array([1.0, 2.0]), np.array([True, False]), YES, YES))
    assert found.whole.surely.tolist() == [False, True]
    assert found.whole.perhaps is True


def test_rows_taken_and_placed_again_are_the_same():
    value = Known(np.arange(4.0), np.array([True, False, False, True]), known_truth(np.array([True, False, True, False])), NO)
    index = np.array([1, 3])
    again = value.take(index).place(index, 4)
    assert again.values[index].tolist() == [1.0, 3.0]
    assert again.unknown[index].tolist() == [False, True]
    assert again.plain.surely[index].tolist() == [False, False]
    assert again.plain.settled


# What can have effects


def part_of(text, strict=True, counting=True, calm=True):
    profile = "stom" if strict else "corrected"
    program = compile_strategy(text, "매도 = True", profile=profile).buy
    return print_program(Risks(strict, counting, "tick_v1", lambda function, length, back: calm).part_of(program)).strip()


@pytest.mark.parametrize(
    "quiet",
    [
        "매수 = 현재가 > 시가 and 체결강도 / 등락율 > self.vars[1]",
        "매수 = round(체결강도 / 등락율, 2) > 체결강도N(3) // 2",
        "매수 = 최고현재가(30, 1) > 현재가 and not 체결강도 ** 2 > 3",
        "가 = 현재가\nif 가 > 3:\n    매수 = False",
    ],
)
def test_a_text_of_tick_numbers_has_no_effects_in_stom(quiet):
    assert part_of(quiet) == NOTHING


@pytest.mark.parametrize(
    "risky",
    [
        "매수 = 1 / 데이터길이 > 0",
        "매수 = int(체결강도) > 0",
        "매수 = round(체결강도) > 0",
        "매수 = 체결강도N(self.vars[1]) > 0",
        "매수 = round(체결강도, self.vars[1]) > 0",
        "매수 = self.vars[1] ** 0.5 > 0",
        "매수 = self.vars[1][1] > 0",
        "매수 = 최고현재가(데이터길이) > 0",
        "매수 = 1 / 체결강도N(3) > 0",
    ],
)
def test_what_may_stop_a_candidate_stays(risky):
    assert part_of(risky) == risky


def test_a_window_that_may_be_illegal_stays():
    assert part_of("매수 = 최고현재가(30) > 0", calm=False) == "매수 = 최고현재가(30) > 0"


def test_divisions_matter_in_the_corrected_profile_only_where_they_are_counted():
    assert part_of("매수 = 체결강도 / 등락율 > 0", strict=False) == "매수 = 체결강도 / 등락율 > 0"
    assert part_of("매수 = 체결강도 / 등락율 > 0", strict=False, counting=False) == NOTHING
    assert part_of("매수 = 체결강도 / 2 > 0", strict=False) == NOTHING


def test_what_an_effect_reads_and_the_tests_before_it_stay():
    text = "가 = 데이터길이 - 3\n나 = 현재가\nif 시가 > 3:\n    매수 = 1 / 가 > 0\nelse:\n    매수 = False\n다 = 나"
    assert part_of(text) == "가 = 데이터길이 - 3\nif 시가 > 3:\n    매수 = 1 / 가 > 0"


def test_reading_a_temporary_that_may_not_be_set_stays():
    text = "if 시가 > 3:\n    가 = 1\n매수 = 가 > 0"
    assert part_of(text) == text
