"""What an audit is made of: moments to cut at, values held against each other, the row that makes the difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stom_ray.errors import ConfigError
from stom_ray.store.panel import Floats, Ints
from stom_ray.validation.audit.changes import Mask, Timeline
from stom_ray.validation.audit.subjects import Values

CUTS_A_SESSION = 4  # the last of them at its end


@dataclass(frozen=True)
class Effort:
    """How hard to look.

    cuts: moments, several in a session. seed: of cuts and shuffling. tolerance: a difference up to this times the value is none
    (0: bits are compared); for models whose products of matrices depend on the number of rows.
    """

    cuts: int = 12
    seed: int = 0
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.cuts <= 10_000:
            raise ConfigError(f"cuts is {self.cuts}: expected 1 to 10,000")
        if not 0 <= self.tolerance < 1:
            raise ConfigError(f"tolerance is {self.tolerance}: expected 0 (bit-equal) or a fraction below 1, such as 1e-9")


@dataclass(frozen=True)
class Cut:
    """clock: yyyymmddhhmmss. hidden: (n_rows,) rows that are not there yet. seen: rows whose values may be known."""

    clock: int
    hidden: Mask
    seen: Mask


def draw(time: Timeline, base: Values, effort: Effort, among: Ints | None = None) -> Iterator[Cut]:
    """Moments of sessions drawn by the seed: inside the day, most where a value has just changed, and at its end.

    among: rows to take them from; all without it.
    """
    rng = np.random.default_rng(effort.seed)
    rows = np.arange(time.panel.n_rows) if among is None else among
    news = rows[_news(base, time.panel.n_rows)[rows]]
    order = rng.permutation(np.unique(time.session[rows]))
    for number in range(effort.cuts):
        session = order[number // CUTS_A_SESSION % len(order)]
        inside = [pool[time.session[pool] == session] for pool in (rows, news)]
        pool = inside[1] if number % 2 == 0 and len(inside[1]) else inside[0]
        last = number % CUTS_A_SESSION == CUTS_A_SESSION - 1
        yield _cut(time, base, int(time.panel.offsets[session + 1]) - 1 if last else int(rng.choice(pool)), rng)


def _news(base: Values, n_rows: int) -> Mask:
    """Rows whose values differ from those of the row before."""
    news = np.zeros(n_rows, dtype=np.bool_)
    for column in base.columns.values():
        news[1:] |= ~same(column[1:], column[:-1])
    return news


def _cut(time: Timeline, base: Values, row: int, rng: np.random.Generator) -> Cut:
    """At a row's second; half of the other instruments that have a row there, at least one, have not arrived."""
    clock, code, known_at = time.panel.clock, time.code, base.known(time.panel)
    at = int(clock[row])
    others = np.unique(code[(clock == at) & (code != code[row])])
    is_late = np.isin(code, rng.permutation(others)[: (len(others) + 1) // 2])
    seen = (known_at < at) | ((known_at == at) & ~is_late)
    return Cut(at, (clock > at) | ((clock == at) & is_late), seen)


def not_compared(name: str, stopped: Sequence[str]) -> tuple[str, ...]:
    """stopped: why a run on changed rows gave nothing, one a run."""
    if not stopped:
        return ()
    return (f"{name} could not be run on {len(stopped)} changes, which are not compared; the first: {stopped[0]}",)


def first_cause(
    time: Timeline, rows: Mask, value: Callable[[Mask], float | None], unmoved: Callable[[float], bool]
) -> tuple[int, float | None]:
    """The row with which a value moves when rows are changed one after the other, by time; and the value then.

    rows: with all of which changed it moves.
    """
    order = time.in_order(rows)
    low, high, after = 0, len(order), value(rows)
    while high - low > 1:
        middle = (low + high) // 2
        mask = np.zeros_like(rows)
        mask[order[:middle]] = True
        given = value(mask)
        if given is None or unmoved(given):
            low = middle
        else:
            high, after = middle, given
    return int(order[high - 1]), after


def same(left: Floats, right: Floats, tolerance: float = 0.0) -> Mask:
    """Element by element: equal bits, both NaN, or within tolerance × the larger one's size."""
    equal = (left.view(np.int64) == right.view(np.int64)) | (np.isnan(left) & np.isnan(right))
    if tolerance:
        with np.errstate(invalid="ignore"):
            equal |= np.abs(left - right) <= tolerance * np.maximum(np.abs(left), np.abs(right))
    return np.asarray(equal, dtype=np.bool_)
