"""What may be searched: one variable per `self.vars` index, each a list of values or an interval.

A row's *positions* are (n, n_vars) float64: the place in the list for a `Choice`, the value itself for an `Interval`, its
logarithm for one on a log scale. Samplers work on positions, everything else on values.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.types import Floats, ParamMatrix
from stom_ray.errors import RangeError

if TYPE_CHECKING:
    from stom_ray.conditions.ranges import Ranges

KEY_BYTES = 16
LOG_DIGITS = 12
Number = int | float


@dataclass(frozen=True)
class Choice:
    """Values in the order the user wrote them (neighbours are similar); `present` is the user's own, on the list or not.

    labels: names of values that have no order, gini and entropy, no two of which are nearer than others; the values are then
    their places, 0 and on (`Choice.named`).
    """

    values: tuple[Number, ...]
    present: Number
    labels: tuple[str, ...] = ()

    @classmethod
    def named(cls, labels: Sequence[str], present: str) -> Choice:
        """Of names without an order. RangeError when `present` is none of them, or one stands twice."""
        if present not in labels:
            raise RangeError(f"{present!r} is none of {list(labels)}: expected one of them as the present one")
        return cls(tuple(range(len(labels))), list(labels).index(present), tuple(labels))

    @property
    def ordered(self) -> bool:
        """Whether neighbours on the list are similar."""
        return not self.labels

    def __post_init__(self) -> None:
        if self.labels and (len(set(self.labels)) != len(self.labels) or self.values != tuple(range(len(self.labels)))):
            raise RangeError(f"labels {list(self.labels)} of {list(self.values)}: expected one for each of 0, 1, ..., none twice")
        if not self.values:
            raise RangeError("a variable has no values: expected at least one")
        if len(set(self.values)) != len(self.values):
            raise RangeError(f"values {list(self.values)} repeat: every value of a variable may stand once")
        if not all(math.isfinite(value) for value in (*self.values, self.present)):
            raise RangeError(f"values {list(self.values)}, present {self.present}: expected finite numbers")


@dataclass(frozen=True)
class Interval:
    """Every float from `low` to `high`; with `log` equal factors are equal steps, and values have 12 significant digits."""

    low: float
    high: float
    present: float
    log: bool = False

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in (self.low, self.high, self.present)):
            raise RangeError(f"interval {self.low} to {self.high}, present {self.present}: expected finite numbers")
        if not self.low < self.high:
            raise RangeError(f"interval {self.low} to {self.high}: expected low < high (a fixed value is a choice of one)")
        if self.log and not self.low > 0:
            raise RangeError(f"interval {self.low} to {self.high} on a log scale: expected low > 0")

    @property
    def ends(self) -> tuple[float, float]:
        """Lowest and highest position."""
        return (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)

    def values_at(self, positions: Floats) -> Floats:
        """Positions (n,) -> values. On a log scale a value's own position gives it back to the last bit."""
        if not self.log:
            return positions
        raw = np.exp(positions)
        unit = 10.0 ** (LOG_DIGITS - 1 - np.floor(np.log10(raw)))
        values: Floats = np.clip(np.rint(raw * unit) / unit, self.low, self.high)
        return values

    def positions_of(self, values: Floats) -> Floats:
        """Values (n,) -> positions; NaN outside."""
        inside = np.where((values >= self.low) & (values <= self.high), values, np.nan)
        return np.log(inside) if self.log else inside


Variable = Choice | Interval


@dataclass(frozen=True)
class Space:
    """`variables[i]` is `self.vars[i]`. names: what tables and reports call each; its place, `vars[i]`, where none is given."""

    variables: tuple[Variable, ...]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = self.names or tuple(f"vars[{place}]" for place in range(len(self.variables)))
        if len(names) != len(self.variables) or len(set(names)) != len(names):
            raise RangeError(f"names {list(names)} of {len(self.variables)} variables: expected one for each, none twice")
        object.__setattr__(self, "names", names)

    @classmethod
    def from_ranges(cls, ranges: Ranges, free: Mapping[int, Sequence[Number]] | None = None) -> Space:
        """STOM's ranges; the indices in `free` are searched over (low, high) or (low, high, step) instead of their list.

        Raises RangeError when an index is missing, or `free` names one that the ranges do not have.
        """
        indices = [item.index for item in ranges.variables]
        if indices != list(range(len(indices))):
            raise RangeError(f"self.vars has indices {indices}: expected 0 to {len(indices) - 1} without a gap")
        unknown = sorted(set(free or {}) - set(indices))
        if unknown:
            raise RangeError(
                f"free ranges for self.vars{unknown}: the ranges have only self.vars[0] to self.vars[{len(indices) - 1}]"
            )
        variables: list[Variable] = []
        for item in ranges.variables:
            bounds = (free or {}).get(item.index)
            variables.append(_free(item.index, bounds, item.best) if bounds else Choice(tuple(item.values), item.best))
        return cls(tuple(variables))

    @classmethod
    def from_intervals(cls, intervals: Mapping[int, Sequence[Number]], present: Sequence[Number] | None = None) -> Space:
        """{index: (low, high) or (low, high, step)}; without `present` the middle (or first value) of each stands in for it."""
        if sorted(intervals) != list(range(len(intervals))):
            raise RangeError(f"indices {sorted(intervals)}: expected 0 to {len(intervals) - 1} without a gap")
        if present is not None and len(present) != len(intervals):
            raise RangeError(f"{len(present)} present values for {len(intervals)} variables")
        ordered = [intervals[index] for index in range(len(intervals))]
        mine = present or [(bounds[0] + bounds[-1]) / 2 if len(bounds) == 2 else bounds[0] for bounds in ordered]
        return cls(tuple(_free(index, bounds, mine[index]) for index, bounds in enumerate(ordered)))

    @property
    def size(self) -> int | None:
        """How many rows there are; None when an interval makes them countless."""
        if any(isinstance(variable, Interval) for variable in self.variables):
            return None
        return math.prod(len(variable.values) for variable in self.variables if isinstance(variable, Choice))

    @property
    def present(self) -> ParamMatrix:
        """(1, n_vars): the user's own values, as given."""
        return ParamMatrix.from_rows([[variable.present for variable in self.variables]])

    def draw_random(self, rng: np.random.Generator, n: int) -> ParamMatrix:
        """n rows, every value of a list and every point of an interval equally likely; the first m rows do not depend on n."""
        return self.from_unit(rng.random((n, len(self.variables))))

    def from_unit(self, points: Floats) -> ParamMatrix:
        """Points of the unit cube, (n, n_vars) in [0, 1) -> values; equal shares of it belong to every value of a list."""
        positions = np.empty(points.shape)
        for column, variable in enumerate(self.variables):
            if isinstance(variable, Choice):
                positions[:, column] = np.floor(points[:, column] * len(variable.values))
            else:
                low, high = variable.ends
                positions[:, column] = low + points[:, column] * (high - low)
        return self.decode(positions)

    def grid(self, start: int, n: int) -> ParamMatrix:
        """Rows start … start+n-1 of the grid (fewer at its end), the last variable changing fastest. Intervals: RangeError."""
        size = self.size
        if size is None:
            raise RangeError("an interval has no grid: give it a step, or use the random or tpe sampler")
        # Python integers, since a grid may be larger than 2^63.
        rest = np.array([start + k for k in range(max(0, min(n, size - start)))], dtype=object if size >= 2**62 else np.int64)
        positions = np.empty((len(rest), len(self.variables)))
        for column in range(len(self.variables) - 1, -1, -1):
            variable = self.variables[column]
            assert isinstance(variable, Choice)
            positions[:, column] = rest % len(variable.values)
            rest = rest // len(variable.values)
        return self.decode(positions)

    def decode(self, positions: Floats) -> ParamMatrix:
        """Positions -> values."""
        values = np.empty(positions.shape)
        is_float = np.ones(positions.shape, dtype=np.bool_)
        for column, variable in enumerate(self.variables):
            if isinstance(variable, Choice):
                place = positions[:, column].astype(np.int64)
                values[:, column] = np.array(variable.values, dtype=np.float64)[place]
                is_float[:, column] = np.array([isinstance(value, float) for value in variable.values])[place]
            else:
                values[:, column] = variable.values_at(positions[:, column])
        return ParamMatrix(values, is_float)

    def encode(self, params: ParamMatrix) -> Floats:
        """Values -> positions; NaN where a value is not on its list or outside its interval."""
        positions = np.full(params.values.shape, np.nan)
        for column, variable in enumerate(self.variables):
            given = params.values[:, column]
            if isinstance(variable, Choice):
                listed = np.array(variable.values, dtype=np.float64)
                order = np.argsort(listed, kind="stable")
                place = order[np.minimum(np.searchsorted(listed, given, sorter=order), len(listed) - 1)]
                positions[:, column] = np.where(listed[place] == given, place, np.nan)
            else:
                positions[:, column] = variable.positions_of(given)
        return positions

    def describe(self) -> list[dict[str, object]]:
        """As JSON data, for the identity of a study; ints and floats stay apart."""
        return [_described(item) for item in self.variables]


def _described(variable: Variable) -> dict[str, object]:
    if isinstance(variable, Choice):
        found: dict[str, object] = {"values": list(variable.values), "present": variable.present}
        return found | {"labels": list(variable.labels)} if variable.labels else found
    found = {"low": variable.low, "high": variable.high, "present": variable.present}
    return found | {"log": True} if variable.log else found


def _free(index: int, bounds: Sequence[Number], present: Number) -> Variable:
    if len(bounds) not in (2, 3):
        raise RangeError(f"self.vars[{index}]: {list(bounds)} is no range: expected low, high or low, high, step")
    if len(bounds) == 2:
        return Interval(float(bounds[0]), float(bounds[1]), float(present))
    low, high, step = bounds
    if not step > 0 or not high >= low:
        raise RangeError(f"self.vars[{index}]: {list(bounds)}: expected low <= high and a step > 0")
    count = math.floor((high - low) / step + 1e-9) + 1
    values = [low + k * step for k in range(count)]
    return Choice(tuple(round(v, 10) if isinstance(v, float) else v for v in values), present)


def parameter_keys(params: ParamMatrix) -> list[bytes]:
    """16 bytes a row: BLAKE2b of the values as little-endian float64 (-0.0 as 0.0) and of which were written as floats.

    60 and 60.0 are two keys, because they are two candidates (a window of 60.0 is refused in STOM). NaN: RangeError.
    """
    if not np.isfinite(params.values).all():
        row = int(np.argwhere(~np.isfinite(params.values))[0, 0])
        raise RangeError(f"parameter row {row} has a value that is no finite number: {params.values[row].tolist()}")
    values = np.ascontiguousarray(params.values + 0.0, dtype="<f8")
    packed = np.concatenate(
        [values.view(np.uint8).reshape(len(values), 8 * values.shape[1]), params.is_float.astype(np.uint8)], axis=1
    )
    data, width = packed.tobytes(), packed.shape[1]
    return [hashlib.blake2b(data[i * width : (i + 1) * width], digest_size=KEY_BYTES).digest() for i in range(len(values))]


def take(params: ParamMatrix, rows: NDArray[np.int64] | NDArray[np.bool_]) -> ParamMatrix:
    """The rows chosen by index or mask."""
    return ParamMatrix(params.values[rows], params.is_float[rows])


def stack(parts: Sequence[ParamMatrix], width: int) -> ParamMatrix:
    """Rows of all parts below each other; `width` gives the shape when there are none."""
    if not parts:
        return ParamMatrix(np.empty((0, width)), np.empty((0, width), dtype=np.bool_))
    return ParamMatrix(np.concatenate([part.values for part in parts]), np.concatenate([part.is_float for part in parts]))
