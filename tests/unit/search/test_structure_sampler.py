import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.metrics.objectives import NO_TRADES
from stom_ray.metrics.stom import FIGURES
from stom_ray.search.base import ScoreTable
from stom_ray.search.space import Choice, Space, parameter_keys
from stom_ray.search.structure import Switch, active_terms
from stom_ray.search.structure_goal import StructureGoal, trade_without_skill
from stom_ray.search.structure_sampler import StructureSampler

TERMS, PLACES = 30, 6
SPACE = Space(
    (
        Choice((30,), 30),
        *(Switch(tuple(range(PLACES + 1)), 0, term=term, negated=negated) for term in range(TERMS) for negated in (False, True)),
    )
)
WANTED = {3: 2, 17: 4, 40: 5}  # variable: place


def hidden(params):
    """2 for every wanted term, less for a threshold beside it, and noise-free penalties for every other term."""
    score = np.zeros(len(params))
    for column in range(1, 2 * TERMS + 1):
        place = params.values[:, column]
        used = place > 0
        if column in WANTED:
            score += np.where(used, 2.0 - 0.5 * abs(place - WANTED[column]), 0.0)
        else:
            score -= np.where(used, 0.7, 0.0)
    return score


def searched(batches, seed=1, told=(), **options):
    sampler, seen, stream = StructureSampler(SPACE, seed, 0, **options), set(), list(told)
    for number, (params, scores) in enumerate(told):
        sampler.tell(number, params, scores)
        seen |= set(parameter_keys(params))
    for number in range(len(told), batches):
        params = sampler.ask(number, 200, seen)
        sampler.tell(number, params, hidden(params))
        seen |= set(parameter_keys(params))
        stream.append((params, hidden(params)))
    return stream


def test_the_first_rows_are_every_single_term_with_every_threshold_and_then_pairs_of_the_best():
    stream = searched(4, partners=4, levels=2)
    assert [active_terms(SPACE, params).tolist() for params, _ in stream[:2]] == [[1] * 200, [1] * 160]
    assert active_terms(SPACE, stream[2][0]).tolist() == [2] * 24


def test_three_hidden_terms_among_sixty_are_found_with_their_thresholds():
    stream = searched(14, partners=10, levels=2)
    params = max(stream, key=lambda told: told[1].max())
    row = params[0].values[int(np.argmax(params[1]))]
    assert {column: int(row[column]) for column in np.flatnonzero(row[1:]) + 1} == WANTED


def test_no_row_has_more_terms_than_asked_for():
    stream = searched(12, partners=3, levels=1, most=2)
    assert max(int(active_terms(SPACE, params).max()) for params, _ in stream) == 2


def test_a_resume_in_the_third_stage_continues_the_stream():
    whole = searched(8, partners=4, levels=2)
    for cut in (2, 5):
        rest = searched(8, partners=4, levels=2, told=whole[:cut])
        for (one, _), (other, _) in zip(whole, rest, strict=True):
            np.testing.assert_array_equal(one.values, other.values)


def test_numbers_that_leave_no_search_are_refused():
    with pytest.raises(ConfigError, match="population 1"):
        StructureSampler(SPACE, 1, 0, population=1)


def table(trades, daily):
    figures = np.zeros((len(trades), len(FIGURES)))
    figures[:, FIGURES.index("tc")] = trades
    figures[:, FIGURES.index("tsg")] = np.sum(daily, axis=1)
    return ScoreTable(figures, np.array(daily, dtype=float), np.zeros(len(trades), dtype=bool), {})


def rows(*used):
    params = np.zeros((len(used), len(SPACE.variables)))
    params[:, 0] = 30
    for row, columns in enumerate(used):
        params[row, list(columns)] = 1
    return Space.decode(SPACE, np.where(np.arange(params.shape[1]) == 0, 0, params))


def test_every_term_in_use_costs_its_price_and_a_row_without_trades_keeps_its_mark():
    goal = StructureGoal(space=SPACE, price=100.0)
    scores = goal.searched(table([4, 4, 0], [[600, 400], [600, 400], [0, 0]]), rows((), (1, 2), (1, 2)))
    assert scores.tolist() == [1000, 800, NO_TRADES]
    assert goal.score(table([4], [[600, 400]])).tolist() == [1000], "what is tested is not priced"


def test_a_price_in_daily_errors_is_root_days_times_the_deviation_of_the_days():
    goal = StructureGoal(space=SPACE, price=1.0, unit="daily_error")
    daily = [300.0, 100.0, 200.0]
    expected = 600 - np.sqrt(3) * np.std(daily, ddof=1)
    np.testing.assert_allclose(goal.searched(table([4], [daily]), rows((5,))), [expected])


def test_surplus_is_the_profit_beyond_trades_without_skill_in_standard_errors():
    base = table([100], [[-300, -700]])
    baseline, deviation = trade_without_skill(base, 0)
    assert baseline == -10
    goal = StructureGoal(space=SPACE, guide="surplus", price=0.5, baseline=baseline, deviation=deviation)
    found = goal.searched(table([25, 100], [[-50, -50], [-300, -700]]), rows((1,), ()))
    np.testing.assert_allclose(found, [150 / (deviation * 5) - 0.5, 0.0], atol=1e-12)


def test_a_price_and_a_guide_belong_to_the_identity():
    plain = StructureGoal(space=SPACE).describe()
    assert plain != StructureGoal(space=SPACE, price=1.0).describe()
    assert plain != StructureGoal(space=SPACE, guide="surplus", baseline=1.0, deviation=2.0).describe()


def test_a_price_in_daily_errors_needs_an_objective_in_won():
    with pytest.raises(ConfigError, match="objective TPI is not"):
        StructureGoal("TPI", space=SPACE, unit="daily_error")


def test_present_values_without_a_trade_cannot_say_what_a_trade_without_skill_brings():
    with pytest.raises(ConfigError, match="make no trade"):
        trade_without_skill(table([0], [[0, 0]]), 0)
