import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stom_ray.reports import render_html, story
from stom_ray.reports.data import Capital, ReportData, empty_daily, empty_trades
from stom_ray.reports.phrases import LANGUAGES, Phrases

Build = Callable[..., ReportData]
ENGLISH = Phrases("en")
ACCOUNT: Capital = {
    "cash": 1e7,
    "max_holdings": 3,
    "trades": 80,
    "unlimited_trades": 200,
    "refused": 120,
    "profit": 300_000.0,
    "unlimited_profit": 900_000.0,
    "peak_capital": 3e6,
    "peak_holdings": 3,
    "max_drawdown": 0.021,
}


def with_card(data: ReportData, **changes: Any) -> ReportData:
    assert data.card is not None
    return replace(data, card=replace(data.card, **changes))


def test_the_headline_is_the_card_s(build: Build) -> None:
    study = build()
    heads = {
        "Believable so far": with_card(study, standing="pass"),
        "Not proven": with_card(study, standing="weak"),
        "Do not trade this": with_card(study, standing="fail"),
        "Too little data: needs about 120 trading days": with_card(study, standing="too_little_data", needed_days=120.0),
        "Too little data": with_card(study, standing="too_little_data", needed_days=math.inf),
        "Nothing could be judged": build(card=None),
    }
    for head, data in heads.items():
        assert story.headline(data, ENGLISH) == head


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_check_of_the_card_is_told_with_its_name_in_either_language(study: ReportData, lang: str) -> None:
    assert study.card is not None
    phrases = Phrases(lang)
    page = render_html(study, lang)
    (_, decisive), (_, supporting) = story.checks(study, phrases)
    assert [line.words for line in (*decisive, *supporting)] == [check.told(lang) for check in study.card.checks]
    assert len(decisive) == 5
    for line in (*decisive, *supporting):
        assert line.words in page
        assert line.name in page


def test_a_card_without_checks_has_no_section_for_them(build: Build) -> None:
    data = with_card(build(), checks=(), standing="too_little_data")
    assert story.checks(data, ENGLISH) == []
    assert 'id="checks"' not in render_html(data)
    assert story.tiles(data, ENGLISH)[2].value == "–"


def test_what_is_believed_says_what_was_counted_and_how_far_the_present_values_are(build: Build) -> None:
    told = story.belief(with_card(build(), n_trials=9000, looks=7, needed_days=77.0), ENGLISH)
    assert "9,000 trials of every study" in told[1]
    assert "looks at test days: 7." in told[1]
    assert "after about 77 trading days" in told[1]
    assert told[2].endswith("on the 40 days it was chosen on: +12,000 KRW a day (95% interval −3,000 KRW to +27,000 KRW).")
    assert told[3].startswith("Against the present values, on 24 test days")
    short = {"test": {"days": 4, "mean": -5.0, "low": math.nan, "high": math.nan, "level": 0.95}}
    assert story.belief(build(compared=short), ENGLISH)[2].endswith("−5 KRW a day; too few days for an interval.")


def test_without_test_days_nothing_is_claimed(build: Build) -> None:
    untested = build(test_daily=empty_daily(), test_trades=empty_trades())
    assert "No day was kept back" in " ".join(story.sentences(untested, ENGLISH))


def test_a_walk_forward_without_a_study_does_not_speak_of_a_search(build: Build) -> None:
    data = build(trials=build().trials.iloc[:0], best=None)
    assert "0 parameter rows" not in " ".join(story.sentences(data, ENGLISH))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_story_counts_trials_and_warns_of_stoms_split(build: Build, lang: str) -> None:
    data = build()
    data = build(walk_forward=[window | {"scheme": "stom"} for window in data.walk_forward])
    phrases = Phrases(lang)
    assert "3,000" in story.sentences(data, phrases)[0]
    assert phrases.texts["stom_scheme"] in story.notices(data, phrases)


def test_unlimited_capital_is_said_with_what_it_took(build: Build) -> None:
    assert "3,893,130 KRW for 4 positions" in story.notices(build(), ENGLISH)[-1]
    told = story.notices(build(capital=ACCOUNT), ENGLISH)[-1]
    assert "unlimited capital" not in told
    assert "One account of 10,000,000 KRW with at most 3 holdings would have made 80 of the 200 trades" in told
    assert "+300,000 KRW instead of +900,000 KRW" in told
