import json
from pathlib import Path

import numpy as np
import pytest

from stom_ray.search.coordinate_ascent import CoordinateAscent
from stom_ray.search.space import Choice, Space

STUDIES = json.loads((Path(__file__).parents[2] / "golden" / "optimize.json").read_text(encoding="utf-8"))


def space_of(study):
    return Space(tuple(Choice(tuple(values), best) for values, best in study["vars_list"]))


def recorded(study, number):
    """Scores of a round as STOM saw them: (variable, place) -> score; round 0 scores the bests alone."""
    return {(variable, place): score for variable, place, score in study["rounds"][number]["results"]}


@pytest.mark.parametrize("study", STUDIES, ids=[study["name"] for study in STUDIES])
def test_rounds_are_those_of_stom_when_scored_as_stom_scored_them(study):
    ascent = CoordinateAscent(space_of(study), passes=study["ccount"])
    for number, theirs in enumerate(study["rounds"]):
        asked = ascent.ask(number, 1, set())
        assert ascent.best == tuple(best for _, best in theirs["vars_list"])
        scores = recorded(study, number)
        assert len(asked) == len(scores)
        ascent.tell(number, asked, np.array(list(scores.values())))
        ours = [(probe.variable, probe.place) for probe in ascent.rounds[-1].probes]
        assert ours == list(scores)
    assert list(ascent.best) == study["final_vars"]
    assert len(ascent.ask(len(study["rounds"]), 1, set())) == 0


def climb(space, score, passes=0):
    ascent = CoordinateAscent(space, passes)
    number = 0
    while len(asked := ascent.ask(number, 1, set())):
        ascent.tell(number, asked, np.array([score(*row) for row in asked.values]))
        number += 1
    return ascent


def test_an_equal_score_further_along_the_range_moves_the_best_and_one_before_it_does_not():
    flat = climb(Space((Choice((1, 2, 3), 2),)), lambda x: 1.0)
    assert flat.best == (3,)
    assert climb(Space((Choice((1, 2, 3), 3),)), lambda x: 1.0).best == (3,)


def test_all_variables_move_together():
    ascent = climb(Space((Choice((0, 1), 0), Choice((0, 1), 0))), lambda x, y: x + y - 3 * x * y, passes=1)
    assert ascent.best == (1, 1)


def test_passes_limit_the_number_of_passes():
    space = Space((Choice(tuple(range(5)), 0), Choice(tuple(range(5)), 0)))
    assert [len(climb(space, lambda x, y: x * y + x, passes=n).rounds) for n in (1, 2)] == [2, 3]


def test_a_failed_row_never_becomes_the_best():
    ascent = climb(Space((Choice((1, 2, 3), 1),)), lambda x: np.nan if x == 3 else float(x))
    assert ascent.best == (2,)


def test_present_values_off_the_list_are_the_start_and_can_be_left():
    ascent = climb(Space((Choice((1, 2, 3), 9),)), lambda x: -abs(x - 2.0))
    assert ascent.rounds[0].best == (9,)
    assert ascent.best == (2,)


def test_a_space_of_fixed_values_ends_after_the_first_round():
    assert len(climb(Space((Choice((1,), 1),)), lambda x: 0.0).rounds) == 1
