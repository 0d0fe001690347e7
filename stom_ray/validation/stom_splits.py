"""STOM's own splits of a date range into train, valid and test, for comparison only (spec/metrics.md, "STOM's own searches").

They leak, see WARNING; `stom_ray.validation.splits` is the honest choice and the default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import ConfigError
from stom_ray.metrics.stom import Fold

Ints = NDArray[np.int64]
Mode = Literal["최적화", "전진분석"]
Variant = Literal["O", "OV", "OVC", "OT", "OVT", "OVCT", "R", "RV", "RVC"]
VARIANTS: tuple[Variant, ...] = ("O", "OV", "OVC", "OT", "OVT", "OVCT", "R", "RV", "RVC")

WARNING = (
    "STOM's split leaks: the train range spans the valid days and the score that selects multiplies train by valid, so valid is "
    "no independent check; neighbouring ranges touch without purge or embargo; and its walk-forward replays the values found in "
    "the last window over earlier windows, whose test days that search has seen. Use it to compare with STOM, never to believe."
)


@dataclass(frozen=True)
class DayRange:
    """Trading days first..last (yyyymmdd, inclusive); count of them."""

    first: int
    last: int
    count: int


@dataclass(frozen=True)
class StomSplit:
    """train spans valid; valid: one fold, several (cross-validation, newest first) or none; test: after train, may be empty."""

    train: DayRange
    valid: tuple[DayRange, ...]
    test: DayRange

    def folds(self, *, cut_test: bool = True) -> tuple[tuple[Fold, Fold], ...]:
        """(train, valid) sides of each fold, for `metrics.stom.fold_figures` and `metrics.batch.score_folds`.

        cut_test: train ends before the test, as in STOM's grid and Optuna; its genetic and condition searches do not cut.
        """
        test_first = self.test.first if cut_test else None
        return tuple(
            (
                Fold("TRAIN", fold.first, fold.last, test_first, self.train.count - fold.count),
                Fold("VALID", fold.first, fold.last, test_first, fold.count),
            )
            for fold in self.valid
        )


def list_days(
    variant: str, end_day: int, weeks: tuple[int, int, int], trading_days: Sequence[int] | Ints, *, start_day: int | None = None
) -> tuple[StomSplit, ...]:
    """The splits STOM makes of a range, oldest first: one for 최적화 variants (O...), all windows for 전진분석 (R...).

    variant: "O" or "R", then V (valid), VC (cross-validation), T (test), as STOM's back names end; "최적화OV" is understood too.
    weeks: train, valid, test. trading_days: yyyymmdd, to which every range is snapped. start_day: windows step back while train
    starts on or after it (default: the first trading day). Raises ConfigError for weeks that do not fit the variant, or a range
    without trading days.
    """
    name = _variant(variant)
    _check_weeks(name, weeks)
    days = np.unique(np.asarray(trading_days, dtype=np.int64))
    if len(days) == 0:
        raise ConfigError("no trading days: nothing to split")
    end = _date(end_day)
    if name[0] == "O":
        return (_split(name, end, weeks, days),)
    start = _date(int(days[0]) if start_day is None else start_day)
    found = []
    while end - timedelta(days=sum(weeks) * 7 - 3) >= start:
        found.append(_split(name, end, weeks, days))
        end -= timedelta(weeks=weeks[2])
    if not found:
        first = end - timedelta(days=sum(weeks) * 7 - 3)
        raise ConfigError(
            f"no window fits {start:%Y%m%d}-{end_day}: {weeks[0]} train + {weeks[1]} valid + {weeks[2]} test weeks would start "
            f"on {first:%Y%m%d}; take fewer weeks or an earlier start"
        )
    return tuple(reversed(found))


def _split(variant: Variant, end: datetime, weeks: tuple[int, int, int], days: Ints) -> StomSplit:
    train_weeks, valid_weeks, test_weeks = weeks
    lead = 3 if variant[0] == "R" else 1  # days after the end before, at which valid and test start
    train_end = end - timedelta(weeks=test_weeks)
    train = _snap(days, end - timedelta(days=sum(weeks) * 7 - 3), train_end)
    folds = int(train_weeks / valid_weeks) + 1 if "C" in variant else 1 if "V" in variant else 0
    valid = tuple(
        _snap(days, train_end - timedelta(days=valid_weeks * (i + 1) * 7 - lead), train_end - timedelta(weeks=valid_weeks * i))
        for i in range(folds)
    )
    if test_weeks == 0:
        tomorrow = int(f"{end + timedelta(days=1):%Y%m%d}")
        return StomSplit(train, valid, DayRange(tomorrow, tomorrow, 0))
    return StomSplit(train, valid, _snap(days, end - timedelta(days=test_weeks * 7 - lead), end))


def _snap(days: Ints, first: datetime, last: datetime) -> DayRange:
    low, high = (int(f"{date:%Y%m%d}") for date in (first, last))
    inside = days[(days >= low) & (days <= high)]
    if len(inside) == 0:
        raise ConfigError(f"no trading day within {low}-{high}; the data has {len(days)} days, {days[0]}-{days[-1]}")
    return DayRange(int(inside[0]), int(inside[-1]), len(inside))


def _variant(text: str) -> Variant:
    short = text.removeprefix("최적화").removeprefix("전진분석")
    for variant in VARIANTS:
        if short == variant:
            return variant
    raise ConfigError(f"split {text!r} is not known: choose one of {', '.join(VARIANTS)}")


def _check_weeks(variant: Variant, weeks: tuple[int, int, int]) -> None:
    wanted = (True, "V" in variant, "T" in variant or variant[0] == "R")
    for part, needed, count in zip(("train", "valid", "test"), wanted, weeks, strict=True):
        if count < 0 or (count > 0) != needed:
            raise ConfigError(f"split {variant} with {count} {part} weeks: expected {'at least 1' if needed else '0'}")


def _date(day: int) -> datetime:
    try:
        return datetime.strptime(str(day), "%Y%m%d")
    except ValueError:
        raise ConfigError(f"{day} is no date: expected yyyymmdd") from None
