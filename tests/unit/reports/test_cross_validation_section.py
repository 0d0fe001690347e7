"""The section of a cross-validation: a row a fold, a sentence for the paths, and a picture of them."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from stom_ray.reports import ReportData, charts, render_html, story
from stom_ray.reports.cross_validation import folds_grid, note, paths_chart
from stom_ray.reports.data import CrossFold, CrossValidated, Spread, empty_daily, empty_trades
from stom_ray.reports.phrases import LANGUAGES, Phrases
from stom_ray.search.base import FIGURES
from stom_ray.validation.card_evidence import HitRate

Build = Callable[..., ReportData]
ENGLISH = Phrases("en")


def spread(*values: float) -> Spread:
    known = np.array([value for value in values if np.isfinite(value)])
    if len(known) == 0:
        return {"values": list(values), "median": np.nan, "worst": np.nan, "share_negative": np.nan}
    share = float(np.mean(known < 0))
    return {"values": list(values), "median": float(np.median(known)), "worst": float(known.min()), "share_negative": share}


def crossed(profit: Spread, sharpe: Spread, **changes: Any) -> CrossValidated:
    fold: CrossFold = {
        "train": [[20230116, 20230118, 3], [20230125, 20230131, 5]],
        "test": [[20230119, 20230120, 2], [20230123, 20230124, 2]],
        "best": [30.0, 110.0],
        "train_objective": 12_345.0,
        "test_objective": -2_000_000_000.0,
        "test_figures": dict.fromkeys(FIGURES, 0.0) | {"tsg": -4_000.0, "tc": 7.0},
    }
    whole: CrossValidated = {
        "scheme": "cpcv",
        "test_folds": 2,
        "planned": 6,
        "folds": [fold] * 6,
        "purge": {"days": 1, "needed": 1, "reason": "1 day: English words"},
        "embargo_days": 2,
        "days": 12,
        "trials": 600,
        "profit": profit,
        "sharpe": sharpe,
        "stopped_by": "done",
    }
    return {**whole, **changes}  # type: ignore[typeddict-item]


PATHS = crossed(spread(-30_000, 20_000, 90_000), spread(-0.2, 0.1, 0.4))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_page_has_the_folds_and_the_paths_in_its_reader_s_language(build: Build, lang: str) -> None:
    page = render_html(build(cross_validation=PATHS), lang)
    section = page[page.index('<section id="cross-validation">') :].split("</section>")[0]
    assert section.count("<tr>") == 7
    assert section.count("<svg") == 2
    assert "12,345" in section
    assert "English" not in section
    assert Phrases(lang).texts["no_trades"] in section
    assert '<a href="#cross-validation">' in page
    assert '"#cross-validation"' not in render_html(build(), lang)


def test_the_paths_are_told_with_what_they_are_not() -> None:
    told = note(PATHS, ENGLISH)
    assert "the middle one made +20,000 KRW (daily Sharpe ratio 0.100)" in told
    assert "33% of them lost" in told
    assert "no confidence interval" in told
    assert "1 trading days are left out, behind it 2 more" in told
    kfold = note(crossed(spread(5_000), spread(0.123), scheme="purged_kfold", test_folds=1), ENGLISH)
    assert "a daily Sharpe ratio of 0.123" in kfold
    assert "confidence" not in kfold
    cut = note(crossed(spread(), spread(), folds=PATHS["folds"][:2]), ENGLISH)
    assert "Only 2 of 6 folds were finished." in cut


def test_bins_do_not_mix_gains_and_losses_and_hold_every_path() -> None:
    rng = np.random.default_rng(0)
    for scale in (1e-3, 1.0, 3e7):
        values = scale * rng.normal(0.2, 1, 99)
        picture = paths_chart(crossed(spread(*values), spread(*values)), charts.WIDE, ENGLISH)
        ElementTree.fromstring(picture)
        for panel in (0, 1):
            bars = re.findall(r'class="cell (gain|loss)" [^>]*><title>[^<]*: (\d+) paths', picture)
            half = bars[: len(bars) // 2] if panel == 0 else bars[len(bars) // 2 :]
            assert sum(int(count) for _, count in half) == 99
            assert sum(int(count) for css, count in half if css == "loss") == (values < 0).sum()


def test_one_path_or_none_has_no_picture_and_equal_ones_have() -> None:
    assert paths_chart(crossed(spread(5.0), spread(0.1)), charts.WIDE, ENGLISH) == ""
    assert paths_chart(crossed(spread(), spread()), charts.WIDE, ENGLISH) == ""
    for value in (0.0, 7.0, -7.0):
        ElementTree.fromstring(paths_chart(crossed(spread(value, value), spread(np.nan, np.nan)), charts.NARROW, ENGLISH))


def test_a_row_of_a_fold_counts_its_train_days() -> None:
    (first, *_) = folds_grid(PATHS, ENGLISH).rows
    assert first[1].text == "8"
    assert first[0].text.count("· 2 d") == 2


@pytest.mark.parametrize("lang", LANGUAGES)
def test_remarks_and_hit_rates_are_told_in_the_reader_s_language(build: Build, lang: str) -> None:
    study = build(remarks=[("remark_purge", {"section": "cross_validation", "days": 0, "needed": 2})])
    assert study.card is not None
    study = replace(study, card=replace(study.card, hit_rates={"searched": HitRate(10, 0.6, 0.5)}))
    phrases = Phrases(lang)
    assert phrases.say("remark_purge", section="cross_validation", days=0, needed=2) in story.notices(study, phrases)
    assert story.belief(study, phrases)[-1] == study.card.hit_rate_told("searched", lang)


def test_without_a_walk_forward_the_reader_is_sent_to_the_cross_validation(build: Build) -> None:
    told = story.sentences(build(test_daily=empty_daily(), test_trades=empty_trades(), cross_validation=PATHS), ENGLISH)
    assert told[-1] == ENGLISH.texts["told_crossed"]
