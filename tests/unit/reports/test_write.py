from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from stom_ray.errors import StoreError
from stom_ray.reports import ReportData, picture, write_report
from stom_ray.reports.data import empty_daily, empty_trades

Build = Callable[..., ReportData]


def test_a_report_is_five_files_that_read_back(study: ReportData, tmp_path: Path) -> None:
    paths = write_report(study, tmp_path / "new" / "report", "ko")
    assert sorted(path.name for path in (tmp_path / "new" / "report").iterdir()) == [
        "report.html",
        "report.png",
        "trades.csv",
        "trades.parquet",
        "trials.parquet",
    ]
    trades = pd.read_parquet(paths.trades_parquet)
    assert trades["sample"].value_counts().to_dict() == {"in": len(study.trades), "out": len(study.test_trades)}
    pd.testing.assert_frame_equal(pd.read_parquet(paths.trials_parquet), study.trials)
    assert paths.trades_csv.read_bytes().startswith(b"\xef\xbb\xbfsample,code,")
    assert pd.read_csv(paths.trades_csv, dtype={"code": str})["code"].tolist() == trades["code"].tolist()
    assert paths.html.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_picture_is_the_size_it_says(study: ReportData, tmp_path: Path) -> None:
    with Image.open(picture.draw_png(study, tmp_path / "a.png")) as image:
        assert image.size == (1600, 1120)


def test_the_picture_is_the_same_twice(study: ReportData, tmp_path: Path) -> None:
    first, second = (picture.draw_png(study, tmp_path / name).read_bytes() for name in ("a.png", "b.png"))
    assert first == second


def test_without_a_hangul_font_the_picture_has_no_missing_glyph(
    study: ReportData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture, "hangul_font", lambda: None)
    assert picture.draw_png(study, tmp_path / "a.png", "ko").stat().st_size > 10_000
    assert picture._shown("elif 수익률 <= self.vars[5]: −1.5") == "elif … <= self.vars[5]: −1.5"


def test_an_empty_study_has_a_picture_and_tables(build: Build, tmp_path: Path) -> None:
    data = build(
        best=None,
        now=None,
        test=None,
        now_test=None,
        trades=empty_trades(),
        test_trades=empty_trades(),
        daily=empty_daily(),
        test_daily=empty_daily(),
        now_test_daily=empty_daily(),
        walk_forward=[],
        card=None,
        prices={},
        trials=build().trials.iloc[:0],
    )
    paths = write_report(data, tmp_path)
    assert pd.read_parquet(paths.trades_parquet).empty
    assert paths.png.exists()


def test_tex_and_characters_no_font_has_are_only_text(build: Build, tmp_path: Path) -> None:
    picture.draw_png(build(title="$\\frac{1}{$ 100% _x^ \U0001f680\U00013000"), tmp_path / "a.png")


def test_a_folder_that_cannot_be_made_is_named_and_nothing_half_written(study: ReportData, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"the report cannot be written to .*file.*choose another folder"):
        write_report(study, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_second_report_replaces_the_first(study: ReportData, build: Build, tmp_path: Path) -> None:
    write_report(study, tmp_path)
    paths = write_report(build(title="second"), tmp_path)
    assert "<title>second" in paths.html.read_text(encoding="utf-8")
    assert len(list(tmp_path.iterdir())) == 5
