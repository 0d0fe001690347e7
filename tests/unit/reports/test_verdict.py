import math
from collections.abc import Callable

import pandas as pd
import pytest

from stom_ray.reports import story
from stom_ray.reports.data import ReportData, empty_daily, empty_trades
from stom_ray.reports.phrases import LANGUAGES, Phrases
from stom_ray.reports.verdict import judge

Build = Callable[..., ReportData]
ENGLISH = Phrases("en")
GAIN = pd.Series([100.0, -20.0], index=[20230110, 20230111])
BELIEVED = {
    "n_trials": 100,
    "sharpe": 0.4,
    "deflated_sharpe": 0.97,
    "expected_max_sharpe": 0.2,
    "min_backtest_length": 0.1,
    "days": 40,
}


def test_a_loss_on_test_days_fails_whatever_the_sharpe(build: Build) -> None:
    found = judge(build(test_daily=-GAIN, overfitting=BELIEVED))
    assert found.standing == "failed"
    assert found.test_profit == -80.0


def test_a_gain_holds_only_with_enough_days_and_little_luck(build: Build) -> None:
    assert judge(build(test_daily=GAIN, overfitting=BELIEVED)).standing == "holds"
    for change in (
        {"deflated_sharpe": 0.949},
        {"deflated_sharpe": math.nan},
        {"days": 24},
        {"min_backtest_length": math.inf},
        {"min_backtest_length": math.nan},
    ):
        assert judge(build(test_daily=GAIN, overfitting=BELIEVED | change)).standing == "unproven"
    assert judge(build(test_daily=GAIN, overfitting=None)).standing == "unproven"


def test_without_test_days_nothing_is_claimed(build: Build) -> None:
    untested = build(test_daily=empty_daily(), test_trades=empty_trades(), overfitting=BELIEVED)
    assert judge(untested).standing == "untested"
    assert judge(build(test_daily=empty_daily(), trials=untested.trials.assign(failed=True))).standing == "nothing"
    told = " ".join(story.sentences(untested, judge(untested), ENGLISH))
    assert "No day was kept back" in told


def test_a_walk_forward_without_a_study_is_judged_by_its_test_days(build: Build) -> None:
    data = build(trials=build().trials.iloc[:0], best=None, test_daily=GAIN, overfitting=None)
    assert judge(data).standing == "unproven"
    assert "0 parameter rows" not in " ".join(story.sentences(data, judge(data), ENGLISH))


def test_headlines_say_when_nothing_survived_and_why_a_gain_is_doubted(build: Build) -> None:
    heads = {
        "Nothing survived out of sample": build(test_daily=-GAIN),
        "A gain out of sample, but luck could explain it": build(test_daily=GAIN),
        "A gain out of sample, but too little data to believe it": build(test_daily=GAIN, overfitting=BELIEVED | {"days": 3}),
        "Holds up out of sample so far": build(test_daily=GAIN, overfitting=BELIEVED),
    }
    for head, data in heads.items():
        assert story.headline(judge(data), ENGLISH) == head


def test_days_needed_are_told_in_trading_days(build: Build) -> None:
    data = build(overfitting=BELIEVED | {"min_backtest_length": 4.998})
    told = story.belief(data, judge(data), ENGLISH)
    assert told[1] == "Too little data: after so many trials 1,250 trading days are needed, and there are 40."


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_story_counts_trials_and_warns_of_stoms_split(build: Build, lang: str) -> None:
    data = build()
    data = build(walk_forward=[window | {"scheme": "stom"} for window in data.walk_forward])
    phrases = Phrases(lang)
    assert "3,000" in story.sentences(data, judge(data), phrases)[0]
    assert phrases.texts["stom_scheme"] in story.notices(data, phrases)


def test_unlimited_capital_is_said_with_what_it_took(build: Build) -> None:
    assert "3,893,130 KRW for 4 positions" in story.notices(build(), ENGLISH)[-1]
    assert "unlimited" not in story.notices(build(unlimited_capital=False), ENGLISH)[-1]
