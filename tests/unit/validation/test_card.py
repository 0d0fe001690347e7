"""The verdict card: what passes, what does not, and what it says."""

import math
from dataclasses import replace
from string import Formatter

import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.validation.card import LEAST_DAYS, MOST_WEAK, card
from stom_ray.validation.card_checks import PBO_BLOCKS, TEST_REPS, chance
from stom_ray.validation.card_evidence import Evidence, HitRate
from stom_ray.validation.card_words import HEADLINE, LANGUAGES, MISSING, card_words
from stom_ray.validation.overfitting import expected_max
from stom_ray.validation.plateau import plateau
from stom_ray.validation.stability import Stability, concentration

N_TRIALS, N_DAYS = 100, 60


def concentrated(*profits):
    return concentration(np.array(profits), np.arange(len(profits)))


EVEN = concentrated(3, 2, 3, 2, -1)
GOOD = {
    "random_entry_p": 0.01,
    "plateau": plateau(100.0, np.array([90.0, 80.0])),
    "stability": Stability(EVEN, EVEN, EVEN),
    "optimism": {"late": 0.7, "half the size": 0.9},
    "cost_stress": {"dearest": 0.5},
    "account_kept": 0.8,
    "order_drawdowns": np.array([1.0, 2.0]),
}


def evidence(edge=1.2, days=N_DAYS, unseen=30, **changed):
    """A table in which the first trial has a daily Sharpe ratio of `edge` and is chosen; unseen days of the same truth."""
    rng = np.random.default_rng(3)
    table = rng.standard_normal((N_TRIALS, days)).astype(np.float32)
    table[0] += edge
    best = table[np.argmax(table.mean(axis=1))].astype(np.float64)
    test = edge + rng.standard_normal(unseen)
    present = 0.1 * rng.standard_normal(unseen)
    return replace(
        Evidence(study=table, winner=1e5 * best, out_of_sample=1e5 * test, present=1e4 * present), **{**GOOD, **changed}
    )


def test_a_strong_edge_with_everything_looked_at_passes():
    found = card(evidence())
    assert found.standing == "pass"
    assert {check.standing for check in found.checks} == {"pass"}
    assert found.words == card_words("en")[HEADLINE]["pass"]
    assert found.reasons == ()
    assert (found.n_days, found.n_trials, found.looks) == (N_DAYS, N_TRIALS, 1)
    assert found.effective == pytest.approx(N_TRIALS, rel=0.05)
    assert [check.name for check in found.checks if check.decisive] == [
        "days",
        "deflated_sharpe",
        "reality_check",
        "pbo",
        "out_of_sample",
    ]


def test_the_same_evidence_gives_the_same_card():
    assert card(evidence(0.4)) == card(evidence(0.4))


def test_the_best_of_noise_does_not_pass_even_when_its_unseen_days_were_lucky():
    noise = evidence(0.0)
    found = card(replace(noise, out_of_sample=noise.out_of_sample + 1e5))
    assert found["out_of_sample"].standing == "pass"
    assert found["deflated_sharpe"].standing == "weak"
    assert found["pbo"].standing in ("weak", "fail")
    assert found.standing != "pass"


def test_a_loss_on_unseen_days_is_a_fail_whatever_else_holds():
    good = evidence()
    found = card(replace(good, out_of_sample=-good.out_of_sample))
    assert found["out_of_sample"].standing == "fail"
    assert found["deflated_sharpe"].standing == "pass"
    assert found.standing == "fail"
    assert found.reasons[0] == "On days it had not seen it lost money."
    assert found.needed_days == math.inf


def test_a_winner_that_never_earned_is_a_fail():
    found = card(replace(evidence(), winner=np.full(N_DAYS, -1.0) * np.arange(N_DAYS)))
    assert found.standing == "fail"
    assert found["deflated_sharpe"].standing == found["days"].standing == "fail"
    assert found["reality_check"].standing == "weak"  # another trial is superior, the winner is not


def test_every_look_at_test_days_multiplies_the_chance_of_luck():
    once, often = card(evidence()), card(evidence(looks=10))
    assert often["out_of_sample"].value == pytest.approx(10 * once["out_of_sample"].value)
    spent = card(evidence(looks=TEST_REPS))
    assert spent["out_of_sample"].value == 1.0
    assert spent["out_of_sample"].standing == "weak"
    assert spent.standing == "weak"
    assert "looks at test days: 4000" in spent["out_of_sample"].words


def test_trials_on_other_days_count_as_so_many_more():
    alone, more = card(evidence()), card(evidence(elsewhere=900))
    assert more.n_trials == 10 * alone.n_trials
    assert more.effective == pytest.approx(10 * alone.effective)
    assert more.needed_days > alone.needed_days
    assert more["deflated_sharpe"].value < alone["deflated_sharpe"].value
    assert more["reality_check"] == alone["reality_check"]


def test_a_small_edge_needs_the_days_that_the_formula_says():
    found = card(evidence(0.45))
    assert found.standing == "too_little_data"
    ratios = [days.mean() / days.std(ddof=1) for days in (evidence(0.45).winner, evidence(0.45).out_of_sample)]
    assert found.needed_days == math.ceil(((expected_max(found.effective) + 3.3) / min(ratios)) ** 2) > N_DAYS
    assert f"{found.needed_days:,.0f} trading days, and there are 60" in found.words


@pytest.mark.parametrize("days", [1, 2, LEAST_DAYS - 1])
def test_a_handful_of_days_is_too_little_whatever_they_show(days):
    found = card(evidence(3.0, days=days))
    assert (found.standing, found.checks) == ("too_little_data", ())
    assert found.needed_days >= LEAST_DAYS


def test_a_few_unseen_days_are_too_little():
    found = card(evidence(unseen=9))
    assert found["out_of_sample"].standing == found.standing == "too_little_data"
    assert found.needed_days == N_DAYS + 1
    assert found["interval"].missing
    assert found["present"].missing


def test_what_is_missing_counts_against_it_and_says_so():
    alone = evidence(out_of_sample=None, present=None, **dict.fromkeys(GOOD))
    found = card(alone)
    assert found.standing == "weak"
    missing = [check for check in found.checks if check.missing]
    assert len(missing) == 10
    assert all(check.standing == "weak" and math.isnan(check.value) and "counts against it" in check.words for check in missing)
    assert "unlimited capital" in found["account"].words.lower()


def test_two_missing_supports_are_forgiven_and_three_are_not():
    names = ["plateau", "random_entry_p", "account_kept"]
    assert card(evidence(**dict.fromkeys(names[:MOST_WEAK]))).standing == "pass"
    assert card(evidence(**dict.fromkeys(names[: MOST_WEAK + 1]))).standing == "weak"


def test_unseen_days_cannot_be_made_up_for():
    assert card(evidence(out_of_sample=None, present=None)).standing == "weak"


AGAINST = {
    "random_entries": {"random_entry_p": 0.7},
    "plateau": {"plateau": plateau(100.0, np.array([-20.0, -5.0, 100.0]))},
    "stability": {"stability": Stability(EVEN, concentrated(9, -5, -1), EVEN)},
    "optimism": {"optimism": {"late": -0.2, "small": math.nan}},
    "cost_stress": {"cost_stress": {"dearest": 0.0}},
    "account": {"account_kept": -0.1},
}


@pytest.mark.parametrize("name", AGAINST)
def test_one_thing_against_it_makes_it_weak_and_two_make_it_fail(name):
    one = card(evidence(**AGAINST[name]))
    assert one[name].standing == "fail"
    assert one.standing == "weak"
    other = AGAINST["plateau" if name != "plateau" else "account"]
    assert card(evidence(**AGAINST[name], **other)).standing == "fail"


WEAK = {
    "random_entries": {"random_entry_p": 0.2},
    "plateau": {"plateau": plateau(100.0, np.array([20.0, 30.0]))},
    "stability": {"stability": Stability(concentrated(10, 0, 0), EVEN, EVEN)},
    "optimism": {"optimism": {"late": 0.2, "small": 0.9, "all at once": -0.1}},
    "cost_stress": {"cost_stress": {"a": 0.2, "b": 0.9, "c": math.nan}},
    "account": {"account_kept": 0.2},
    "drawdown": {"order_drawdowns": np.array([1e12])},
}


@pytest.mark.parametrize("name", WEAK)
def test_a_weak_support_is_a_blemish(name):
    found = card(evidence(**WEAK[name]))
    assert found[name].standing == "weak"
    assert not found[name].missing
    assert found.standing == "pass"


def test_present_values_that_earn_as_much_are_kept():
    good = evidence()
    found = card(replace(good, present=good.out_of_sample + 1.0))
    assert found["present"].standing == "fail"
    assert found["present"].words.endswith("keep them.")
    noise = 1e5 * np.random.default_rng(1).standard_normal(30)
    little_worse = good.out_of_sample - (noise - noise.mean() + 1e4)
    assert card(replace(good, present=little_worse))["present"].standing == "weak"


def test_trials_of_earlier_studies_on_the_same_data_count():
    few, many = evidence(0.8), evidence(0.8)
    earlier = np.random.default_rng(8).standard_normal((3000, N_DAYS))
    many = replace(many, earlier=(earlier,))
    assert card(many).n_trials == N_TRIALS + 3000
    assert card(many)["deflated_sharpe"].value < card(few)["deflated_sharpe"].value
    assert card(many).needed_days > card(few).needed_days


def test_a_space_in_which_everything_earns_is_not_called_overfit():
    base = evidence()
    found = card(replace(base, study=np.asarray(base.study) + np.where(np.arange(N_TRIALS) > 0, 1.2, 0.0)[:, np.newaxis]))
    assert found["pbo"].value > 0.2
    assert found["pbo"].standing == "pass"


def test_a_table_of_pruned_trials_cannot_be_halved_and_the_card_says_why():
    base = evidence()
    table = np.array(base.study)
    table[1:, 40:] = np.nan
    found = card(replace(base, study=table))
    assert found["pbo"].missing
    assert "a ranking needs at least 2" in found["pbo"].words
    assert found.standing == "weak"


def test_paths_are_judged_by_twice_their_median_chance():
    rng = np.random.default_rng(4)
    paths = 0.3 + rng.standard_normal((5, 40))
    single = [chance(path[np.newaxis]) for path in paths]
    assert chance(paths) == pytest.approx(2 * np.median(single), rel=0.15)  # block lengths are shared
    found = card(evidence(out_of_sample=1e5 * (paths + 1), present=np.zeros(40)))
    assert found.standing == "pass"
    assert found["present"].value <= 0.05


def test_the_chance_of_luck_is_what_it_says():
    rng = np.random.default_rng(6)
    found = np.array([chance(rng.standard_t(4, size=(1, 30))) for _ in range(150)])
    assert 0.01 < np.mean(found <= 0.05) < 0.09
    assert np.mean(found) == pytest.approx(0.5, abs=0.07)


@pytest.mark.parametrize("days", [np.zeros(30), np.full(30, 5.0), -np.ones(30)])
def test_days_without_spread_are_no_evidence(days):
    assert chance(days[np.newaxis]) == 1.0


def test_a_winner_of_nothing_but_zeros_is_a_fail():
    assert card(replace(evidence(), winner=np.zeros(N_DAYS), out_of_sample=np.zeros(30))).standing == "fail"


def names_of(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_sentence_can_be_said_in_every_language_and_names_the_same(lang):
    counts = dict.fromkeys(("days", "n", "looks", "ranked", "trades"), 1)
    names = counts | dict.fromkeys(("value", "threshold", "least", "effective", "mean", "hit", "break_even", "margin"), 0.5)
    words, english = card_words(lang), card_words("en")
    assert {name: set(told) for name, told in words.items()} == {name: set(told) for name, told in english.items()}
    for name, sentences in words.items():
        for standing, text in sentences.items():
            assert names_of(text) == names_of(english[name][standing])
            said = text.format(needed=30.0, **names)
            assert "{" not in said
            assert said.endswith(".")


def test_a_card_is_told_in_another_language_from_the_same_values():
    found = card(evidence(0.45))
    assert f"{found.needed_days:,.0f}일" in found.told("ko")
    assert "100번" in found["deflated_sharpe"].told("ko")
    missing = card(evidence(account_kept=None))["account"]
    assert missing.told("ko") == card_words("ko")["account"][MISSING]
    with pytest.raises(ConfigError, match="language 'xx'"):
        found.told("xx")


def test_a_card_s_record_and_its_lines_have_every_check():
    found = card(evidence(0.45))
    record = found.to_json()
    assert (record["standing"], record["needed_days"], record["looks"]) == ("too_little_data", found.needed_days, 1)
    assert [check["name"] for check in record["checks"]] == [check.name for check in found.checks]
    lines = found.render().splitlines()
    assert lines[0] == f"verdict   TOO LITTLE DATA. {found.words}"
    assert [line.split()[-len(check.words.split()) :] for line, check in zip(lines[2:], found.checks, strict=True)] == [
        check.words.split() for check in found.checks
    ]


WORST_FIRST = ["fail", "too_little_data", "weak", "pass"]


@pytest.mark.parametrize(
    ("paths", "standing", "losing"),
    [(np.full((5, 8), 3.0), "pass", 0.0), (np.array([[1.0], [2.0], [-9.0]]), "weak", 1 / 3), (np.zeros((1, 8)), "fail", 1.0)],
)
def test_a_search_that_is_repeated_in_every_fold_has_to_earn_on_the_middle_path(paths, standing, losing):
    check = card(evidence(cross_validated=paths))["cross_validation"]
    assert (check.standing, check.value, check.decisive) == (standing, losing, False)


@pytest.mark.parametrize("edge", [0.0, 0.45, 1.2])
@pytest.mark.parametrize("paths", [np.ones((5, 8)), -np.ones((5, 8)), np.empty((0, 8))])
def test_a_cross_validation_never_makes_a_card_better(edge, paths):
    without = evidence(edge)
    assert "cross_validation" not in [check.name for check in card(without).checks]
    found = card(replace(without, cross_validated=paths))
    assert WORST_FIRST.index(found.standing) <= WORST_FIRST.index(card(without).standing)
    assert found["cross_validation"].missing == (len(paths) == 0)


def test_a_cross_validation_is_no_walk_forward():
    found = card(evidence(out_of_sample=None, present=None, cross_validated=np.ones((5, 8))))
    assert found["out_of_sample"].missing
    assert found.standing == "weak"


def test_hit_rates_are_told_beside_the_one_at_break_even_and_decide_nothing():
    rates = {"searched": HitRate.of(np.array([67, -133, 67, 67])), "unseen": HitRate.of(np.array([5, 5]))}
    found = card(evidence(hit_rates=rates))
    assert found.standing == card(evidence()).standing
    assert found.hit_rate_told("searched", "en").startswith("Where it was chosen 75.0% of 4 trades won;")
    assert "66.5% are needed (+8.5 points)" in found.render()
    assert "66.5%가 본전" in found.render("ko")
    assert found.hit_rate_told("unseen", "en").startswith("Its 2 trades did not both win and lose")
    assert found.to_json()["hit_rates"]["searched"]["break_even"] == pytest.approx(0.665)


def test_a_handful_of_losing_days_asks_for_no_number_of_days():
    few = card(Evidence(study=np.array([[-1.0, -2.0, -1.5]]), winner=np.array([-1.0, -2.0, -1.5])))
    assert (few.standing, few.needed_days) == ("too_little_data", math.inf)
    assert "inf" not in few.words
    assert "there are 3 trading days" in few.words


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"looks": 0}, "at least 1"),
        ({"looks": -1, "out_of_sample": None, "present": None}, "at least 0"),
        ({"elsewhere": -1}, "elsewhere is -1"),
        ({"winner": np.zeros(10)}, r"expected \(trials, 10\)"),
        ({"earlier": (np.zeros((3, 5)),)}, r"expected \(trials, 60\)"),
        ({"study": np.zeros((0, N_DAYS))}, r"\(0, 60\)"),
        ({"winner": np.full(N_DAYS, np.nan)}, "winner has 60 days without a number"),
        ({"present": np.zeros(4)}, "the 30 out-of-sample days"),
        ({"random_entry_p": 5.0}, "0 to 1"),
    ],
)
def test_evidence_that_does_not_fit_is_refused(changed, message):
    with pytest.raises(ConfigError, match=message):
        evidence(**changed)


def test_blocks_leave_days_enough():
    assert LEAST_DAYS >= 2 * PBO_BLOCKS
