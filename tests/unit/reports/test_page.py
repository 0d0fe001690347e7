import base64
import hashlib
import html.parser
import re
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stom_ray.errors import ConfigError
from stom_ray.reports import ReportData, render_html
from stom_ray.reports.data import empty_daily, empty_trades

Build = Callable[..., ReportData]
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> {{ 7*7 }} ]]> & \" ' </style>"
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Reader(html.parser.HTMLParser):
    """Checks that elements close in order; collects tags, attributes and ids."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def bare(build: Build, **changes: Any) -> ReportData:
    """A study of which nothing but its trials is left."""
    nothing: dict[str, Any] = {
        "best": None,
        "now": None,
        "test": None,
        "now_test": None,
        "trades": empty_trades(),
        "test_trades": empty_trades(),
        "daily": empty_daily(),
        "test_daily": empty_daily(),
        "now_test_daily": empty_daily(),
        "walk_forward": [],
        "card": None,
        "compared": {},
        "prices": {},
    }
    return build(**(nothing | changes))


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_the_page_is_well_formed_with_unique_ids_and_links_that_lead_somewhere(study: ReportData, lang: str) -> None:
    seen = read(render_html(study, lang)).seen
    ids = [attrs["id"] for _, attrs in seen if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = [attrs["href"] or "" for tag, attrs in seen if tag == "a"]
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert ("html", {"lang": lang}) in seen


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_nothing_outside_the_file_is_asked_for(study: ReportData, lang: str) -> None:
    page = render_html(study, lang)
    assert "//" not in page.replace("// ", "")
    assert not re.search(r"@import|url\(|srcset|<link|<iframe|<object", page)
    assert not [attrs for _, attrs in read(page).seen if "src" in attrs]
    assert "default-src 'none'" in page


def test_only_our_own_script_may_run(study: ReportData) -> None:
    page = render_html(study)
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page


def test_hostile_texts_are_shown_and_not_run(build: Build) -> None:
    study = build()
    trades = study.test_trades.assign(label=HOSTILE)
    trials = study.trials.assign(source=HOSTILE, reason=HOSTILE)
    data = build(
        title=HOSTILE,
        objective=HOSTILE,
        scripts={"buy": HOSTILE + "\nself.vars[1] " + HOSTILE, "sell": HOSTILE, "ranges": HOSTILE},
        identity=study.identity | {"command": HOSTILE, "versions": {HOSTILE: HOSTILE}},
        costs={"name": HOSTILE, "rates": {HOSTILE: HOSTILE}},
        test_trades=trades,
        trials=trials,
        warnings=[HOSTILE],
        names=dict.fromkeys(study.names, HOSTILE),
        walk_forward=[window | {"scheme": HOSTILE} for window in study.walk_forward],
    )
    page = render_html(data)
    reader = read(page)
    assert [tag for tag, _ in reader.seen].count("script") == 1
    assert "img" not in [tag for tag, _ in reader.seen]
    assert not [attrs for _, attrs in reader.seen if any(name.startswith("on") for name in attrs)]
    assert "&lt;script&gt;alert(1)" in page
    assert "{{ 7*7 }}" in page


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_a_study_with_nothing_in_it_is_still_a_page(build: Build, lang: str) -> None:
    page = render_html(bare(build, trials=build().trials.iloc[:0], warnings=[]), lang)
    read(page)
    assert "nan" not in re.sub(r"<style>.*?</style>|<script>.*?</script>", "", page, flags=re.DOTALL).lower()


def test_one_trade_and_one_trial_are_a_page(build: Build) -> None:
    study = build()
    page = render_html(bare(build, trials=study.trials.head(1), trades=study.trades.head(1), daily=study.daily.head(1)))
    read(page)
    assert "Importance cannot be told from 1 trials" in page


def test_no_walk_forward_is_said(build: Build) -> None:
    page = render_html(bare(build, trades=build().trades))
    assert "This study has no walk-forward windows." in page
    assert "No day was kept back for testing" in page


def test_all_failed_trials_show_why(build: Build) -> None:
    trials = build().trials.assign(failed=True, objective=np.nan, reason="sell line 4: division by zero")
    page = render_html(bare(build, trials=trials))
    assert "Nothing could be judged" in page
    assert "sell line 4: division by zero" in page


def test_figures_missing_or_nan_are_dashes(build: Build) -> None:
    best = build().best
    assert best is not None
    page = render_html(build(best=best | {"figures": {"tsg": float("nan")}, "measures": {"sharpe": float("nan")}}))
    read(page)
    assert ">nan" not in page


def test_rows_left_out_are_counted(build: Build) -> None:
    study = build()
    many = pd.concat([study.trades] * 4, ignore_index=True)
    many["code"] = [f"{i % 333:06d}" for i in range(len(many))]
    page = render_html(build(trades=many, test_trades=empty_trades()))
    assert "50 of 333 rows are shown" in page


def test_refused_windows_are_named_not_numbered(build: Build) -> None:
    windows = [window | {"test_objective": -2_000_000_000.0} for window in build().walk_forward]
    page = render_html(build(walk_forward=windows))
    assert "no trades</span>" in page
    assert "2,000,000,000" not in page


def test_an_unknown_language_is_refused(study: ReportData) -> None:
    with pytest.raises(ConfigError, match="language"):
        render_html(study, "xx")


def test_a_frame_without_its_columns_is_refused(build: Build) -> None:
    study = build()
    with pytest.raises(ConfigError, match="trades has no column label"):
        build(trades=study.trades.drop(columns="label"))
    with pytest.raises(ConfigError, match="prices of 005930 on 20230118 has no column 현재가"):
        build(prices={("005930", 20230118): pd.DataFrame({"clock": [], "매도호가1": [], "매수호가1": []})})


def test_a_hundred_thousand_trials_and_many_trades_stay_small(build: Build) -> None:
    study = build(n_trials=100_000)
    trades = pd.concat([study.trades] * 500, ignore_index=True)
    data = build(n_trials=100_000, trades=trades)
    tracemalloc.start()
    page = render_html(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(page) < 1_000_000
    assert peak < 300 * 2**20
