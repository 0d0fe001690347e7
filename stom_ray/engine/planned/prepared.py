"""A block bound to a cut strategy: terms as columns, gates as bits, the exit index. Everything that no candidate changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions import ir
from stom_ray.engine.kernel_bind import BatchWindows, Block
from stom_ray.engine.planned import index
from stom_ray.engine.planned.cut import Cut, RowTerm, buy_column
from stom_ray.engine.planned.scaled import boundaries
from stom_ray.engine.planned.survivors import highest_by_word, pack
from stom_ray.engine.row_values import Bindings
from stom_ray.engine.row_values_block import BlockValues
from stom_ray.engine.types import Floats, Ints
from stom_ray.machine_code import njit

Bools = NDArray[np.bool_]
Words = NDArray[np.uint64]


@dataclass(frozen=True)
class Prepared:
    """offsets, words: (n_sessions + 1,) first row and first word. gate: (n_words,) rows on which a candidate may buy.

    terms: (n_thresholds, n_rows), a threshold holds where terms >= its value; -inf off the gate. highest: of each word of them.
    market: what `exits` reads; before a session's first open row its terms may hold anything, its truths do not. troubled:
    (n_sessions,) sessions that the generated kernel has to run.
    """

    offsets: Ints
    words: Ints
    gate: Words
    terms: Floats
    highest: Floats
    exact_from: Floats
    market: tuple[NDArray[np.generic], ...]
    troubled: Bools
    open_sessions: Ints


def prepare(
    block: Block, strategy: ir.Strategy, plan: Cut, bindings: Bindings, windows: BatchWindows, first_gate: int, counting: bool
) -> Prepared:
    """bindings: variables that are the same for all candidates. first_gate: the lowest 데이터길이 on which one decides.

    counting: whether divisions by zero have to be counted, so that their sessions belong to the generated kernel.
    """
    found = [np.empty((len(columns), block.panel.n_rows)) for columns in (plan.terms.thresholds, plan.ticks)]
    terms, ticks = found
    truths = np.zeros((len(plan.truths), (block.panel.n_rows + 63) >> 6), dtype=np.uint64)
    faulty = (windows.faults != 0).any(axis=0)
    one = BatchWindows(windows.lengths[:1], windows.faults[:1])  # windows that candidates do not share are not read
    sides = []
    for part, rows in block.parts(one):
        table = part.window_table(one)[0]
        values = BlockValues(part, table, faulty, bindings=bindings, elapsed=strategy.elapsed, counting=counting)
        fills = block.entry[1, rows] > 0.0
        out = _Columns(terms[:, rows], ticks[:, rows], truths, rows.start)
        sides.append(_sides(values, strategy, plan, values.buying_rows(first_gate), fills, out))
    is_open, trouble, lengths = (np.concatenate([getattr(side, name) for side in sides]) for name in ("open", "trouble", "held"))
    offsets, ends, prices, seconds = block.offsets, block.offsets[1:], block.rows.column("현재가"), block.rows.seconds
    starts = ends - lengths
    trouble |= ~np.isfinite(prices)
    trouble[1:] |= ~(np.diff(seconds) >= 1.0) & _within(offsets)[1:]
    troubled = _sessions_with(trouble, offsets)
    words = np.concatenate(([0], np.cumsum((np.diff(offsets) + 63) >> 6))).astype(np.int64)
    gate = np.zeros(words[-1], dtype=np.uint64)
    pack(is_open, offsets, words, gate)
    highest = np.full((words[-1], len(terms)), -np.inf)
    highest_by_word(terms, offsets, words, highest)
    prices = np.where(np.isfinite(prices), prices, 0.0)
    exact_from = np.empty(len(starts))
    index.exact_quantities(prices, starts, ends, block.costs, exact_from)
    market = (prices, seconds, *_exit_index(prices, ticks, starts, ends), ticks, block.book, block.entry, truths)
    open_sessions = np.flatnonzero((lengths > 0) & ~troubled)
    return Prepared(offsets, words, gate, terms, highest, exact_from, market, troubled, open_sessions)


@dataclass(frozen=True)
class _Columns:
    """What a part writes to. terms, ticks: (n, rows of the part). truths: (n, words of the block), bits of all rows, zeros; the
    part begins at row `first`.
    """

    terms: Floats
    ticks: Floats
    truths: Words
    first: int


@dataclass(frozen=True)
class _Sides:
    """open, trouble: (n_rows,) rows on which some candidate may buy, and that are not settled. held: (n_sessions,) how many rows
    there are from the first open one on.
    """

    open: Bools
    trouble: Bools
    held: Ints


def _sides(values: BlockValues, strategy: ir.Strategy, plan: Cut, watched: Bools, fills: Bools, out: _Columns) -> _Sides:
    """Both texts over the rows of some instruments; what the sell text asks of the row only where a position may be held."""
    offsets = values.block.offsets
    is_open, trouble = _buy_side(values, strategy, plan, watched, fills, out.terms)
    starts = _first_open(is_open, offsets)
    held = np.arange(len(is_open)) > np.repeat(starts, np.diff(offsets))
    held[offsets[1:] - 1] = False
    trouble |= _sell_side(values, strategy, plan, held, starts, out) | values.elapsed_effects()
    return _Sides(is_open, trouble, offsets[1:] - starts)


def _buy_side(
    values: BlockValues, strategy: ir.Strategy, plan: Cut, watched: Bools, fills: Bools, out: Floats
) -> tuple[Bools, Bools]:
    """(n_rows,) open rows and those that are not settled."""
    surely, unknown, trouble = values.decision(strategy.buy, watched)
    found = (surely | unknown) & fills
    for node in plan.terms.gates:
        holds, unsure = values.truth(node, found)
        trouble |= unsure
        found &= holds | unsure
    starts = values.block.offsets[:-1]
    for threshold, column in zip(plan.terms.thresholds, out, strict=True):
        trouble |= _column(values, buy_column(threshold), found, starts, column)
        for guard in threshold.unless:
            holds, unsure = values.truth(guard, found)
            trouble |= unsure
            column[holds] = np.inf
    return found, trouble


def _column(values: BlockValues, term: RowTerm, reach: Bools, starts: Ints, out: Floats) -> Bools:
    """Writes the column of a term from `starts` (n_sessions,) to the sessions' ends, -inf outside `reach`. Returns where it
    is unknown.
    """
    found, unknown = values.numbers(term.left, reach)
    sign = term.sign
    if not term.plain:
        sign, left = 1, term.sign * found
        scale, offset = np.ones(len(left)), np.zeros(len(left))
        if term.scale is not None:
            scale, unsure = values.numbers(term.scale, reach)
            unknown |= unsure
        if term.offset is not None:
            offset, unsure = values.numbers(term.offset, reach)
            unknown |= unsure
        boundless = np.empty(len(left), dtype=np.bool_)
        # -left >= scale * -p + -offset is the same comparison as left <= scale * p + offset, to the last bit
        boundaries(left, scale, term.sign * offset, term.strict, found, boundless)
        found[np.isnan(left) | np.isnan(scale) | np.isnan(offset)] = np.nan
        unknown |= boundless & reach
    write_column(found, reach, sign, np.inf if term.for_nan else -np.inf, starts, values.block.offsets[1:], out)
    return unknown


@njit(cache=True, error_model="numpy", nogil=True)
def write_column(values: Floats, reach: Bools, sign: int, for_nan: float, starts: Ints, ends: Ints, out: Floats) -> None:
    """out: sign * values within `reach`, for_nan at a NaN, -inf elsewhere; nothing outside rows [starts, ends)."""
    for s in range(len(starts)):
        for i in range(starts[s], ends[s]):
            if not reach[i]:
                out[i] = -np.inf
            else:
                out[i] = for_nan if np.isnan(values[i]) else sign * values[i]


def _sell_side(values: BlockValues, strategy: ir.Strategy, plan: Cut, held: Bools, starts: Ints, out: _Columns) -> Bools:
    """Writes the tick terms with their sign, -inf where `held` is not, and the truths. Returns (n_rows,) rows that are not
    settled.
    """
    if plan.reasons is None:  # its faults are found while outcomes are worked out
        return np.zeros(values.n_rows, dtype=np.bool_)
    trouble = values.effects_of(strategy.sell, held)
    for term, column in zip(plan.ticks, out.ticks, strict=True):
        trouble |= _column(values, term, held, starts, column)
    for node, bits in zip(plan.truths, out.truths, strict=True):
        holds, unsure = values.truth(node, held)
        trouble |= unsure
        set_bits(holds, out.first, bits)
    return trouble


@njit(cache=True, error_model="numpy", nogil=True)
def set_bits(rows: Bools, first: int, bits: Words) -> None:
    """Sets bit r of word w where row 64 w + r is among the rows, which begin at `first`."""
    for i in range(len(rows)):
        if rows[i]:
            bits[(first + i) >> 6] |= np.uint64(1) << np.uint64((first + i) & 63)


def _exit_index(prices: Floats, ticks: Floats, starts: Ints, ends: Ints) -> tuple[NDArray[np.generic], ...]:
    """Next higher and lower prices, lows between, next higher of each tick term."""
    higher, lower = (np.empty(len(prices), dtype=np.int32) for _ in range(2))
    lows = np.empty(len(prices))
    index.next_higher(prices, starts, ends, higher)
    index.next_lower(prices, starts, ends, lower)
    index.low_before_higher(prices, starts, ends, higher, lows)
    tick_higher = np.empty(ticks.shape, dtype=np.int32)
    for number in range(len(ticks)):
        index.next_higher(ticks[number], starts, ends, tick_higher[number])
    return higher, lower, lows, tick_higher


def _first_open(rows: Bools, offsets: Ints) -> Ints:
    """(n_sessions,) the first of the rows in each session, the session's end without one."""
    places = np.append(np.flatnonzero(rows), len(rows))
    found: Ints = np.minimum(places[np.searchsorted(places, offsets[:-1])], offsets[1:])
    return found


def _within(offsets: Ints) -> Bools:
    """(n_rows,) all but the sessions' first."""
    found = np.ones(offsets[-1], dtype=np.bool_)
    found[offsets[:-1]] = False
    return found


def _sessions_with(rows: Bools, offsets: Ints) -> Bools:
    """(n_sessions,) those with any of the rows."""
    found: Bools = np.logical_or.reduceat(rows, offsets[:-1]) if len(rows) else np.zeros(len(offsets) - 1, dtype=np.bool_)
    return found
