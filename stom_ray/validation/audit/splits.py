"""Train, valid and test: no row on two sides, no label that reaches over, nothing fitted on what is not train.

A part is days, or spans of samples: a sample is decided at the start of its span and its label is known at the end of it. Rows of
different instruments at the same time are on the same side or they leak: they move together (López de Prado 2018, ch. 7).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from stom_ray.errors import ConfigError
from stom_ray.store.panel import Ints, Panel
from stom_ray.validation.audit.changes import Mask
from stom_ray.validation.audit.findings import Checked, Finding, Place, moment
from stom_ray.validation.audit.subjects import NEVER

PARTS = ("train", "valid", "test")
DAY = re.compile(r"\d{8}")
RANGE = re.compile(r"(\d{8})-(\d{8})")
WHOLE_DAY = 235_959
EXPECTED = (
    'expected a list of days (20230102), ranges of days ("20230102-20230131") or label spans ([start, end], yyyymmddhhmmss)'
)


@dataclass(frozen=True)
class Part:
    """One side of a split.

    first, last: (n,) yyyymmddhhmmss, sorted by first. samples: whether they are spans of labels; else they are days.
    """

    first: Ints
    last: Ints
    samples: bool = False

    @classmethod
    def of_days(cls, days: Sequence[int] | Ints) -> Part:
        """days: yyyymmdd."""
        base = np.sort(np.asarray(days, dtype=np.int64)) * 1_000_000
        return cls(base, base + WHOLE_DAY)

    @classmethod
    def of_samples(cls, first: Ints, last: Ints) -> Part:
        order = np.argsort(first, kind="stable")
        return cls(first[order], last[order], True)

    @property
    def decided(self) -> Part:
        """When its rows are decided on: the days, or each sample's first second."""
        return Part(self.first, self.first) if self.samples else self

    def rows(self, clock: Ints) -> Mask:
        """(n_rows,) the rows within."""
        return self.overlaps(clock, clock)

    def overlaps(self, first: Ints, last: Ints) -> Mask:
        """Which of the spans [first, last] share a second with this part."""
        low, high = _merged(self.first, self.last)
        at = np.searchsorted(high, first)
        return np.asarray((at < len(low)) & (np.append(low, NEVER)[at] <= last), dtype=np.bool_)


@dataclass(frozen=True)
class Split:
    """number: from 1, of several folds. valid and test may be empty."""

    train: Part
    valid: Part
    test: Part
    number: int = 1

    @classmethod
    def of_days(
        cls, train: Sequence[int] | Ints, valid: Sequence[int] | Ints, test: Sequence[int] | Ints, number: int = 1
    ) -> Split:
        """Days yyyymmdd, as `validation.splits` gives them."""
        return cls(Part.of_days(train), Part.of_days(valid), Part.of_days(test), number)


def read_splits(record: Any, source: str) -> tuple[Split, ...]:
    """Of a JSON object with train, valid, test (train and one of the others at least), or a list of such folds.

    source: the file, for messages. Raises ConfigError naming fold, part and item.
    """
    folds = record if isinstance(record, list) else [record]
    if not folds:
        raise ConfigError(f'{source}: no fold. Expected {{"train": [...], "valid": [...], "test": [...]}} or a list of them')
    return tuple(_split(fold, number, f"{source}: fold {number}") for number, fold in enumerate(folds, 1))


def _split(fold: Any, number: int, where: str) -> Split:
    if not isinstance(fold, Mapping):
        raise ConfigError(f'{where} is {fold!r:.40}: expected {{"train": [...], "valid": [...], "test": [...]}}')
    unknown = sorted(set(fold) - set(PARTS))
    if unknown:
        raise ConfigError(f"{where}: unknown part {', '.join(map(repr, unknown))}. Expected train, valid, test")
    parts = {name: _part(fold.get(name, []), f"{where}, {name}") for name in PARTS}
    if not len(parts["train"].first) or not len(parts["valid"].first) + len(parts["test"].first):
        raise ConfigError(f"{where}: expected train and at least one of valid and test, with something in them")
    return Split(**parts, number=number)


def _part(items: Any, where: str) -> Part:
    if not isinstance(items, list):
        raise ConfigError(f"{where} is {items!r:.40}: {EXPECTED}")
    spans = [_span(item, f"{where}, item {number}") for number, item in enumerate(items)]
    if len({sample for _, _, sample in spans}) > 1:
        raise ConfigError(f"{where} mixes days and label spans: take one of them for a part")
    first, last = (np.array([span[k] for span in spans], dtype=np.int64) for k in range(2))
    order = np.argsort(first, kind="stable")
    return Part(first[order], last[order], any(sample for _, _, sample in spans))


def _span(item: Any, where: str) -> tuple[int, int, bool]:
    """(first, last, whether it is a sample's span)."""
    if isinstance(item, list) and len(item) == 2 and all(_is_clock(clock) for clock in item):
        if item[0] > item[1]:
            raise ConfigError(f"{where}: the span {item[0]}-{item[1]} ends before it starts")
        return item[0], item[1], True
    text = str(item) if isinstance(item, int | str) and not isinstance(item, bool) else ""
    ends = RANGE.fullmatch(text)
    first, last = (int(ends[1]), int(ends[2])) if ends else (int(text), int(text)) if DAY.fullmatch(text) else (1, 0)
    if first > last:
        raise ConfigError(f"{where} is {item!r:.60}: {EXPECTED}")
    return first * 1_000_000, last * 1_000_000 + WHOLE_DAY, False


def _is_clock(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 10**13 <= value < 10**14


def check_split(split: Split, panel: Panel | None = None, known_at: Ints | None = None) -> tuple[Finding, ...]:
    """What stands on two sides, and labels that reach over.

    panel, known_at: rows and, (n_rows,), the clock at which the label of each is known; parts of days are taken apart into them.
    """
    found: list[Finding] = []
    for one, other in combinations(PARTS, 2):
        left, right = getattr(split, one), getattr(split, other)
        found += _shared(split, (one, left), (other, right))
        found += _reaching(split, (one, left), (other, right), panel, known_at)
    return tuple(found)


Named = tuple[str, Part]


def _shared(split: Split, one: Named, other: Named) -> Iterator[Finding]:
    left, right = one[1].decided, other[1].decided
    both = right.overlaps(left.first, left.last)
    if both.any():
        at = max(int(left.first[both][0]), int(right.first[left.overlaps(right.first, right.last)][0]))
        # A part of samples is as exact as a second, one of days as a day.
        shown = moment(at) if one[1].samples and other[1].samples else moment(at)[:10]
        words = f"fold {split.number}: {other[0]} stands inside {one[0]}, first at {shown}"
        yield Finding("valid_inside_train", "split", f"{one[0]}/{other[0]}", words, Place("", at))


def _reaching(split: Split, one: Named, other: Named, panel: Panel | None, known_at: Ints | None) -> Iterator[Finding]:
    """Labels of either side that end inside the other; what stands on both sides was said already."""
    (left, codes), (right, _) = (_samples(part, panel, known_at) for _, part in (one, other))
    if not (left.samples or right.samples):
        return
    shared = other[1].decided.overlaps(left.decided.first, left.decided.last)
    bad = np.flatnonzero(right.overlaps(left.first, left.last) & ~shared)
    if not len(bad):
        return
    at = int(bad[0])
    first, last = int(left.first[at]), int(left.last[at])
    against = Part.of_samples(np.array([first]), np.array([last])).overlaps(right.first, right.last)
    met = int(np.flatnonzero(against)[0])
    begins, ends = int(right.first[met]), int(right.last[met])
    names = (one[0], other[0]) if first <= begins else (other[0], one[0])
    spans = ((first, last), (begins, ends)) if first <= begins else ((begins, ends), (first, last))
    words = (
        f"fold {split.number}: {len(bad):,} of {len(left.first):,} in {one[0]} overlap {other[0]}; the first: {names[0]} from "
        f"{moment(spans[0][0])} is known at {moment(spans[0][1])}, after {names[1]} has begun at {moment(spans[1][0])}: purge it"
    )
    place = Place(codes[at] if codes else "", first)
    yield Finding("overlapping_labels", "split", f"{one[0]}/{other[0]}", words, place)


def _samples(part: Part, panel: Panel | None, known_at: Ints | None) -> tuple[Part, list[str]]:
    """A part as spans of labels, and their instruments; as it is where nothing is known of its labels."""
    if part.samples or panel is None or known_at is None:
        return part, []
    rows = np.flatnonzero(part.rows(panel.clock) & (known_at != NEVER))
    rows = rows[np.argsort(panel.clock[rows], kind="stable")]
    session = np.searchsorted(panel.offsets, rows, side="right") - 1
    codes = [panel.codes[at] for at in panel.session_code[session]]
    return Part(panel.clock[rows], known_at[rows], True), codes


def checked(splits: Sequence[Split], name: str, panel: Panel | None, known_at: Ints | None) -> Checked:
    """All folds. panel, known_at: as `check_split`."""
    found = [finding for split in splits for finding in check_split(split, panel, known_at)]
    days_only = known_at is None and not any(getattr(split, part).samples for split in splits for part in PARTS)
    notes = (
        (f"{name} has days only and no labels are given: that labels end on their own side is not checked",) if days_only else ()
    )
    sizes = sum(len(getattr(split, part).first) for split in splits for part in PARTS)
    return Checked("split", name, sizes, 0, tuple(found), notes)


def _merged(first: Ints, last: Ints) -> tuple[Ints, Ints]:
    """Spans sorted by their first second, as disjoint ones."""
    if not len(first):
        return first, last
    reach = np.maximum.accumulate(last)
    starts = np.flatnonzero(np.append(True, first[1:] > reach[:-1]))
    return first[starts], reach[np.append(starts[1:], len(first)) - 1]
