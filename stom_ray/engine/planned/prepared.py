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

Bools = NDArray[np.bool_]
Words = NDArray[np.uint64]


@dataclass(frozen=True)
class Prepared:
    """offsets, words: (n_sessions + 1,) first row and first word. gate: (n_words,) rows on which a candidate may buy.

    terms: (n_thresholds, n_rows), a threshold holds where terms >= its value; -inf off the gate. highest: of each word of them.
    market: what `exits` reads. troubled: (n_sessions,) sessions that the generated kernel has to run.
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
    faulty = (windows.faults != 0).any(axis=0)
    table = block.window_table(windows)[0]
    values = BlockValues(block, table, faulty, bindings=bindings, elapsed=strategy.elapsed, counting=counting)
    buys = _buy_side(values, strategy, plan, first_gate)
    opened = _sessions_with(buys.open, block.offsets)
    held = np.repeat(opened, np.diff(block.offsets))
    held[block.offsets[:-1]] = False
    held[block.offsets[1:] - 1] = False
    ticks, sell_trouble = _sell_side(values, strategy, plan, held)
    prices, seconds = block.binding.price, np.ascontiguousarray(block.binding.rows.seconds)
    trouble = buys.trouble | sell_trouble | values.elapsed_effects() | ~np.isfinite(prices)
    later = np.ones(len(seconds), dtype=np.bool_)
    later[1:] = np.diff(seconds) >= 1.0
    later[block.offsets[:-1]] = True
    troubled = _sessions_with(trouble | ~later, block.offsets)
    words = np.concatenate(([0], np.cumsum((np.diff(block.offsets) + 63) >> 6))).astype(np.int64)
    gate = np.zeros(words[-1], dtype=np.uint64)
    pack(buys.open, block.offsets, words, gate)
    highest = np.full((words[-1], len(buys.terms)), -np.inf)
    highest_by_word(buys.terms, block.offsets, words, highest)
    prices = np.where(np.isfinite(prices), prices, 0.0)
    exact_from = np.empty(len(block.offsets) - 1)
    index.exact_quantities(prices, block.offsets, block.costs, exact_from)
    market = (prices, seconds, *_exit_index(prices, ticks, block.offsets), ticks, block.matrix, block.entry)
    open_sessions = np.flatnonzero(opened & ~troubled)
    return Prepared(block.offsets, words, gate, buys.terms, highest, exact_from, market, troubled, open_sessions)


@dataclass(frozen=True)
class _Buys:
    """open: (n_rows,) rows on which some candidate may buy. terms: (n_thresholds, n_rows). trouble: rows that are not settled."""

    open: Bools
    terms: Floats
    trouble: Bools


def _buy_side(values: BlockValues, strategy: ir.Strategy, plan: Cut, first_gate: int) -> _Buys:
    surely, unknown, trouble = values.decision(strategy.buy, values.buying_rows(first_gate))
    found = (surely | unknown) & (values.block.entry[1] > 0.0)
    for node in plan.terms.gates:
        holds, unsure = values.truth(node, found)
        trouble |= unsure
        found &= holds | unsure
    terms = np.full((len(plan.terms.thresholds), values.n_rows), -np.inf)
    for number, threshold in enumerate(plan.terms.thresholds):
        terms[number], unsure = _column(values, buy_column(threshold), found)
        trouble |= unsure
        for guard in threshold.unless:
            holds, unsure = values.truth(guard, found)
            trouble |= unsure
            terms[number, holds] = np.inf
    return _Buys(found, terms, trouble)


def _column(values: BlockValues, term: RowTerm, reach: Bools) -> tuple[Floats, Bools]:
    """(n_rows,) the column of a term, -inf outside `reach`; and where it is not known."""
    left, unknown = values.numbers(term.left, reach)
    missing = np.isnan(left)
    found = term.sign * left
    if not term.plain:
        scale, offset = np.ones(len(left)), np.zeros(len(left))
        if term.scale is not None:
            scale, unsure = values.numbers(term.scale, reach)
            unknown |= unsure
        if term.offset is not None:
            offset, unsure = values.numbers(term.offset, reach)
            unknown |= unsure
        missing |= np.isnan(scale) | np.isnan(offset)
        boundless = np.empty(len(left), dtype=np.bool_)
        # -left >= scale * -p + -offset is the same comparison as left <= scale * p + offset, to the last bit
        boundaries(found, scale, term.sign * offset, term.strict, found, boundless)
        unknown |= boundless & reach
    found = np.where(missing, np.inf if term.for_nan else -np.inf, found)
    return np.where(reach, found, -np.inf), unknown


def _sell_side(values: BlockValues, strategy: ir.Strategy, plan: Cut, held: Bools) -> tuple[Floats, Bools]:
    """(n_ticks, n_rows) tick terms with their sign, -inf where `held` is not; and rows that are not settled."""
    if plan.reasons is None:  # its faults are found while outcomes are worked out
        return np.empty((0, values.n_rows)), np.zeros(values.n_rows, dtype=np.bool_)
    trouble = values.effects_of(strategy.sell, held)
    ticks = np.full((len(plan.ticks), values.n_rows), -np.inf)
    for number, column in enumerate(plan.ticks):
        ticks[number], unknown = _column(values, column, held)
        trouble |= unknown
    return ticks, trouble


def _exit_index(prices: Floats, ticks: Floats, offsets: Ints) -> tuple[NDArray[np.generic], ...]:
    """Next higher and lower prices, lows between, next higher of each tick term."""
    higher, lower = (np.empty(len(prices), dtype=np.int32) for _ in range(2))
    lows = np.empty(len(prices))
    index.next_higher(prices, offsets, higher)
    index.next_lower(prices, offsets, lower)
    index.low_before_higher(prices, offsets, higher, lows)
    tick_higher = np.empty(ticks.shape, dtype=np.int32)
    for number in range(len(ticks)):
        index.next_higher(ticks[number], offsets, tick_higher[number])
    return higher, lower, lows, tick_higher


def _sessions_with(rows: Bools, offsets: Ints) -> Bools:
    """(n_sessions,) those with any of the rows."""
    found: Bools = np.logical_or.reduceat(rows, offsets[:-1]) if len(rows) else np.zeros(len(offsets) - 1, dtype=np.bool_)
    return found
