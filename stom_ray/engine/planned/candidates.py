"""Parameter rows as the kernels want them: thresholds of the buy terms, values of the exit atoms, and what is shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions.terms import Atom
from stom_ray.engine.planned.cut import Cut, Script, buy_column, tick_column
from stom_ray.engine.planned.exits import RETRACE, TIME
from stom_ray.engine.planned.parameters import ParameterValues
from stom_ray.engine.planned.transposed import prefix_tables
from stom_ray.engine.types import Floats, Ints, ParamMatrix
from stom_ray.machine_code import njit

Bools = NDArray[np.bool_]
Words = NDArray[np.uint64]
DAY_S = 86_400.0
FEW_VALUES = 64
MOST_IN_KEY = 2**62


@dataclass(frozen=True)
class Candidates:
    """buys: (n, n_thresholds), a term holds where its column >= the value. exits: (n, n_atoms) likewise. unfit: (n,) rows whose
    values cannot be worked out without a fault, or are not finite."""

    buys: Floats
    exits: Floats
    unfit: Bools

    def take(self, rows: Ints) -> Candidates:
        return Candidates(self.buys[rows], self.exits[rows], self.unfit[rows])


def candidates_of(plan: Cut, params: ParamMatrix, strict_profile: bool) -> Candidates:
    values = ParameterValues(params, strict_profile)
    n = len(params)
    unfit = np.zeros(n, dtype=np.bool_)
    buys = np.empty((n, len(plan.terms.thresholds)))
    for k, threshold in enumerate(plan.terms.thresholds):
        right, bad = values.column_of(threshold.right)
        column = buy_column(threshold)
        buys[:, k] = column.levels(column.sign * right)
        unfit |= bad
    atoms = [atom for reason in plan.reasons.reasons for atom in reason.atoms] if plan.reasons is not None else []
    exits = np.empty((n, len(atoms)))
    for a, atom in enumerate(atoms):
        value, bad = values.column_of(atom.value)
        exits[:, a] = levels_of(atom, value)
        if (atom.quantity, atom.sign) in (("peak", 1), ("trough", -1)):
            exits[exits[:, a] <= 0.0, a] = -np.inf  # they start at 0, 수익률 does not
        unfit |= bad
    return Candidates(buys, exits, unfit)


def levels_of(atom: Atom, value: Floats) -> Floats:
    """What the quantity of an atom of a sell reason is compared with."""
    column = tick_column(atom)
    if column is not None:
        return column.levels(value)
    above = atom.strict and atom.quantity not in ("ratio", "trail")  # there the kernel compares
    return np.nextafter(value, np.inf) if above else value


# Shared values


@dataclass(frozen=True)
class Shared:
    """Candidates sorted by buy values, loosest first, then by exit values.

    order: (n,) the candidate at each place. terms: order of the terms. place: (n_buys, n_terms) which of its values. shared:
    (n_buys,) terms shared with the combination before. distinct: (n_terms, most) ascending, inf beyond n_distinct. leaf_start:
    (n_buys + 1,). leaf_exit: (n,). exits: (n_exits, n_atoms) values; (n_reasons, most) combinations that stand for each of a
    reason's distinct values; (n_reasons,) how many; (n_exits, n_reasons) which of them each has.
    """

    order: Ints
    terms: Ints
    place: Ints
    shared: Ints
    distinct: Floats
    n_distinct: Ints
    leaf_start: Ints
    leaf_exit: Ints
    exits: tuple[Floats, Ints, Ints, Ints]


def share(candidates: Candidates, starts: Ints) -> Shared:
    """starts: (n_reasons + 1,) first atom of each sell reason."""
    n, n_terms = candidates.buys.shape
    places, tables = ranked(candidates.buys)
    counts = np.array([len(table) for table in tables], dtype=np.int64)
    terms = np.argsort(counts, kind="stable")
    exit_values, exit_of = unique_rows(candidates.exits)
    order = sorted_by([*(places[:, k] for k in terms), exit_of], [*counts[terms].tolist(), len(exit_values)])
    sorted_places = places[order][:, terms]
    new = np.ones(n, dtype=np.bool_)
    first_difference = np.zeros(n, dtype=np.int64)
    if n > 1:
        differs = sorted_places[1:] != sorted_places[:-1]
        new[1:] = differs.any(axis=1)
        first_difference[1:] = differs.argmax(axis=1) if n_terms else 0
    heads = np.flatnonzero(new)
    return Shared(
        order=order,
        terms=terms,
        place=np.ascontiguousarray(sorted_places[heads]),
        shared=first_difference[heads],
        distinct=padded([tables[k] for k in terms]),
        n_distinct=counts[terms],
        leaf_start=np.append(heads, n).astype(np.int64),
        leaf_exit=exit_of[order],
        exits=(exit_values, *by_reason(exit_values, starts)),
    )


def by_reason(values: Floats, starts: Ints) -> tuple[Ints, Ints, Ints]:
    """Which rows have the same values for a reason's atoms, ascending; as `Shared.exits`."""
    n_reasons = len(starts) - 1
    place = np.zeros((len(values), n_reasons), dtype=np.int64)
    examples = []
    for reason in range(n_reasons):
        first, place[:, reason] = distinct_rows(values[:, starts[reason] : starts[reason + 1]])
        examples.append(first)
    counts = np.array([len(first) for first in examples], dtype=np.int64)
    example = np.zeros((n_reasons, max([1, *counts.tolist()])), dtype=np.int64)
    for reason, first in enumerate(examples):
        example[reason, : len(first)] = first
    return example, counts, place


def ranked(values: Floats) -> tuple[Ints, list[Floats]]:
    """Each column's values as places in its table of distinct ones, ascending."""
    places = np.zeros(values.shape, dtype=np.int64)
    tables = []
    for k in range(values.shape[1]):
        places[:, k], table = distinct(values[:, k])
        tables.append(table)
    return places, tables


def unique_rows(values: Floats) -> tuple[Floats, Ints]:
    """Distinct rows in ascending order, and which of them each row is."""
    first, which = distinct_rows(values)
    return np.ascontiguousarray(values[first]), which


def distinct_rows(values: Floats) -> tuple[Ints, Ints]:
    """An example of each distinct row, in ascending order, and which of them each row is."""
    which = np.zeros(len(values), dtype=np.int64)
    for k in range(values.shape[1]):
        place, table = distinct(values[:, k])
        which, _ = distinct(which * len(table) + place)  # below n each time, so that nothing overflows
    first = np.zeros(which.max(initial=-1) + 1, dtype=np.int64)
    first[which[::-1]] = np.arange(len(which))[::-1]
    return first, which


def distinct(values: NDArray[Any]) -> tuple[Ints, NDArray[Any]]:
    """Each value's place in the table of distinct ones, ascending, and the table. values: (n,), no NaN."""
    values = np.ascontiguousarray(values)
    place, table = np.empty(len(values), dtype=np.int64), np.empty(FEW_VALUES, dtype=values.dtype)
    count = few_values(values, table, place)
    if count >= 0:
        return place, table[:count].copy()
    table, place = np.unique(values, return_inverse=True)
    return place.astype(np.int64), table


@njit(cache=True, error_model="numpy", nogil=True)
def few_values(values: NDArray[Any], table: NDArray[Any], place: Ints) -> int:
    """`distinct` of values that repeat a lot, without sorting them: how many there are, -1 if more than `table` holds."""
    count = 0
    for i in range(len(values)):
        if i > 0 and values[i] == values[i - 1]:
            continue
        at = np.searchsorted(table[:count], values[i])
        if at < count and table[at] == values[i]:
            continue
        if count == len(table):
            return -1
        for k in range(count, at, -1):
            table[k] = table[k - 1]
        table[at] = values[i]
        count += 1
    for i in range(len(values)):
        same = i > 0 and values[i] == values[i - 1]
        place[i] = place[i - 1] if same else np.searchsorted(table[:count], values[i])
    return count


def sorted_by(places: list[Ints], counts: list[int]) -> Ints:
    """The order by several keys, the first one first; equal ones stay as they are. places: (n,) each, below its count."""
    keys, room = [np.zeros_like(places[-1])], 1
    for place, count in zip(places, counts, strict=True):
        if room * count >= MOST_IN_KEY:
            keys, room = [place, *keys], count
        else:
            keys[0], room = keys[0] * count + place, room * count
    return np.lexsort(keys)


def most_values(values: Floats) -> int:
    """Distinct values of the column that has most: at least so many distinct rows there are. values: (n, n_columns)."""
    ordered = np.sort(values, axis=0)
    return 1 + int((ordered[1:] != ordered[:-1]).sum(axis=0).max(initial=0))


def padded(tables: list[Floats], width: int = 1) -> Floats:
    """(n_tables, longest or width), inf behind the end."""
    out = np.full((len(tables), max([width, *(len(table) for table in tables)])), np.inf)
    for k, table in enumerate(tables):
        out[k, : len(table)] = table
    return out


# Values of their own


@dataclass(frozen=True)
class Transposed:
    """ordered: (n_terms, a power of two) distinct thresholds ascending, inf behind the end. n_distinct: (n_terms,). prefix:
    (n_terms, most + 1, n_words) bit sets.
    """

    ordered: Floats
    n_distinct: Ints
    prefix: Words


def transpose(buys: Floats) -> Transposed:
    """buys: (n, n_thresholds)."""
    places, tables = ranked(buys)
    n_words = (len(places) + 63) >> 6
    n_distinct = np.array([len(table) for table in tables], dtype=np.int64)
    most = int(n_distinct.max(initial=0))
    ordered = padded(tables, 1 << most.bit_length())
    prefix = np.empty((len(tables), most + 1, n_words), dtype=np.uint64)
    prefix_tables(np.ascontiguousarray(places.T), n_words, prefix)
    return Transposed(ordered, n_distinct, prefix)


def exit_levels(exits: Floats, script: Script) -> tuple[Floats, Floats, Ints, Ints]:
    """The exit values, and for reasons that are searched (of one atom) their distinct values, as `walk_rows` wants them.

    exits: (n, n_atoms).
    """
    places, tables = [np.zeros(len(exits), dtype=np.int64) for _ in script.kinds], [np.empty(0) for _ in script.kinds]
    for reason in script.searched:
        value = exits[:, script.starts[reason]]
        if script.kinds[reason] == TIME:
            places[reason] = np.ceil(value.clip(1.0, DAY_S)).astype(np.int64)  # a row is at least a second after the entry
        elif script.kinds[reason] != RETRACE:
            places[reason], tables[reason] = distinct(value)
    counts = np.array([len(table) for table in tables], dtype=np.int64)
    place = np.column_stack(places) if places else np.zeros((len(exits), 0))
    return exits, padded(tables), counts, place.astype(np.int32)
