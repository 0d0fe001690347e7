"""Three-valued truth over rows: what holds, what may hold, and what cannot.

A mask is one bool for all rows or one for each. Scalars stay scalars, so that what is the same everywhere costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.types import Ints

Bools = NDArray[np.bool_]
Mask = bool | Bools


def mask(found: Any) -> Mask:
    """What numpy gave as a mask: one bool where it holds for all rows or for none."""
    if np.ndim(found) == 0:
        return bool(found)
    true = int(np.count_nonzero(found))
    return np.asarray(found, dtype=np.bool_) if 0 < true < len(found) else true > 0


def both(left: Mask, right: Mask) -> Mask:
    if left is False or right is False:
        return False
    if left is True:
        return right
    return left if right is True or left is right else np.logical_and(left, right)


def either(left: Mask, right: Mask) -> Mask:
    if left is True or right is True:
        return True
    if left is False:
        return right
    return left if right is False or left is right else np.logical_or(left, right)


def inverse(one: Mask) -> Mask:
    return not one if isinstance(one, bool) else np.logical_not(one)


def nowhere(one: Mask) -> bool:
    """Whether the mask holds on no row."""
    return not one if isinstance(one, bool) else not one.any()


def spread(one: Mask, size: int) -> Bools:
    """The mask as an array of its own."""
    return np.full(size, one, dtype=np.bool_) if isinstance(one, bool) else one.copy()


def taken(one: Mask, index: Ints) -> Mask:
    return one if isinstance(one, bool) else one.take(index)


def placed(one: Mask, index: Ints, size: int) -> Mask:
    """The mask of some rows as one of all; the others are anything."""
    if isinstance(one, bool):
        return one
    out = np.zeros(size, dtype=np.bool_)
    out[index] = one
    return out


@dataclass(frozen=True, slots=True)
class Truth:
    """surely: where it holds. perhaps: where it is not known not to; the same object where nothing is unknown."""

    surely: Mask
    perhaps: Mask

    @property
    def settled(self) -> bool:
        return self.surely is self.perhaps

    @property
    def unknown(self) -> Mask:
        return False if self.settled else both(self.perhaps, inverse(self.surely))

    def __and__(self, other: Truth) -> Truth:
        surely = both(self.surely, other.surely)
        settled = self.settled and other.settled
        return Truth(surely, surely if settled else both(self.perhaps, other.perhaps))

    def __or__(self, other: Truth) -> Truth:
        surely = either(self.surely, other.surely)
        settled = self.settled and other.settled
        return Truth(surely, surely if settled else either(self.perhaps, other.perhaps))

    def __invert__(self) -> Truth:
        surely = inverse(self.perhaps)
        return Truth(surely, surely if self.settled else inverse(self.surely))

    def take(self, index: Ints) -> Truth:
        surely = taken(self.surely, index)
        return Truth(surely, surely if self.settled else taken(self.perhaps, index))

    def place(self, index: Ints, size: int) -> Truth:
        """The truth of some rows as one of all; the others are anything."""
        surely = placed(self.surely, index, size)
        return Truth(surely, surely if self.settled else placed(self.perhaps, index, size))


YES = Truth(True, True)
NO = Truth(False, False)
MAYBE = Truth(False, True)


def known_truth(one: Mask) -> Truth:
    return Truth(one, one)


def truth_where(test: Truth, yes: Truth, no: Truth) -> Truth:
    """`yes if test else no`; where the test is unknown, only what both ways agree on is known."""
    if yes is no:
        return yes
    surely = either(both(test.surely, yes.surely), both(inverse(test.perhaps), no.surely))
    if test.settled and yes.settled and no.settled:
        return known_truth(surely)
    if not test.settled:
        surely = either(surely, both(yes.surely, no.surely))
    return Truth(surely, either(both(test.perhaps, yes.perhaps), both(inverse(test.surely), no.perhaps)))
