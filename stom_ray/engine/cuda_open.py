"""Rows on which a batch of candidates may buy: those that pass every buy term's loosest value in the batch.

A GPU thread walks rows one after the other, so its time is the rows it cannot skip. The buy text cut into terms (as for the
planned CPU kernels) leaves tens of a session's thousands. What cannot be cut, or may fault, keeps every row that is not closed
to all parameters; the kernel runs the whole text on open rows either way, so this decides time and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions import ir
from stom_ray.conditions.emit_cpu import EmittedKernel
from stom_ray.conditions.passes import parameters_read
from stom_ray.conditions.terms import BuyTerms, NotCut, SellTerms, buy_terms, structural
from stom_ray.conditions.traversal import walk
from stom_ray.engine.kernel_bind import BatchWindows, Block, batch_windows
from stom_ray.engine.kernel_runtime import next_open
from stom_ray.engine.planned.candidates import candidates_of
from stom_ray.engine.planned.cut import Cut
from stom_ray.engine.planned.prepared import prepare
from stom_ray.engine.types import EngineConfig, Floats, Ints, ParamMatrix
from stom_ray.machine_code import njit

Bools = NDArray[np.bool_]
Rows32 = NDArray[np.int32]
MOST_GROUPS = 16  # combinations of the variables that decide windows; each has terms of its own


@dataclass(frozen=True)
class _Terms:
    """columns: (n_terms, n_rows), a term holds where its column >= the candidate's value. troubled: (n_sessions,)."""

    columns: Floats
    troubled: Bools


class OpenRows:
    """Of one block, for one strategy. Terms are made once for each combination of window lengths, and kept."""

    def __init__(self, strategy: ir.Strategy, config: EngineConfig, emitted: EmittedKernel, block: Block) -> None:
        # Only where to buy is asked: a sell text that cannot be cut, or may fault, is no matter.
        self._strategy = replace(strategy, sell=ir.Program("sell", ()))
        self._config = config
        self._emitted = emitted
        self._block = block
        self._bound, self._cut = _buy_cut(self._strategy)
        self._terms: dict[tuple[float, ...], _Terms] = {}

    def tests(self, params: ParamMatrix) -> list[tuple[_Terms, Floats]] | None:
        """A row may buy where it passes all terms of one of these, at their loosest values in the batch (n_terms,); None when the
        text or the batch has no terms. Places other windows in the block's matrix than the batch's.
        """
        if self._cut is None or not self._cut.terms.thresholds:
            return None
        groups = list(_grouped(params, self._bound))
        if len(groups) > MOST_GROUPS:
            return None
        found = []
        for group in groups:
            candidates = candidates_of(self._cut, group, self._config.profile == "stom")
            if candidates.unfit.any():
                return None
            found.append((self._terms_of(group, self._cut), candidates.buys.min(axis=0)))
        return found

    def _terms_of(self, group: ParamMatrix, plan: Cut) -> _Terms:
        values, floats = group.values[0], group.is_float[0]
        bindings = {index: (float(values[index]), bool(floats[index])) for index in self._bound}
        first_gate = 1 if self._config.gate_var0 else self._config.avgtime
        key = tuple(number for pair in bindings.values() for number in pair)
        if key not in self._terms:
            if len(self._terms) >= MOST_GROUPS:
                self._terms.clear()
            windows = batch_windows(self._emitted, group, self._config.profile == "stom")
            found = prepare(self._block, self._strategy, plan, bindings, windows, first_gate, counting=True)
            self._terms[key] = _Terms(found.terms, found.troubled)
        return self._terms[key]


def following_rows(
    block: Block, buy: ir.Program, rows: OpenRows, params: ParamMatrix, windows: BatchWindows
) -> tuple[Rows32, Ints]:
    """(n_rows,) the first row from each on that some candidate of the batch may buy on, else the session's last; and the batch's
    window table, as Block.window_table has it."""
    tests = rows.tests(params)
    table = block.window_table(windows)
    known = block.following(buy, windows, table)
    if tests is None:
        return known, table
    found = np.zeros(len(known), dtype=np.bool_)
    for terms, loosest in tests:
        mark_passing(block.offsets, known, terms.columns, loosest, terms.troubled, found)
    return next_open(block.offsets, found), table


@njit(cache=True, error_model="numpy", nogil=True)
def mark_passing(offsets: Ints, known: Rows32, columns: Floats, loosest: Floats, troubled: Bools, found: Bools) -> None:
    """Marks the rows that `known` leaves open and that pass every term; of troubled sessions all that it leaves open."""
    for s in range(len(offsets) - 1):
        for i in range(offsets[s], offsets[s + 1]):
            if known[i] != i or found[i]:
                continue
            passes = True
            if not troubled[s]:
                for k in range(len(loosest)):
                    if not columns[k, i] >= loosest[k]:
                        passes = False
                        break
            found[i] = passes


def _buy_cut(strategy: ir.Strategy) -> tuple[tuple[int, ...], Cut | None]:
    """(variables that the terms take as constants, the buy text's terms)."""
    bound = structural(strategy)
    terms = buy_terms(strategy.buy, bound)
    if isinstance(terms, BuyTerms) and terms.others:
        bound |= {node.index for other in terms.others for node in walk(other) if isinstance(node, ir.Var)}
        terms = buy_terms(strategy.buy, bound)
    bound &= parameters_read(strategy.buy, *(program for _, program in strategy.elapsed))
    return tuple(sorted(bound)), None if isinstance(terms, NotCut) else Cut(terms, SellTerms(()), (), ())


def _grouped(params: ParamMatrix, bound: tuple[int, ...]) -> Iterator[ParamMatrix]:
    """The batch by the values of the bound variables."""
    keys = np.concatenate([params.values[:, bound], params.is_float[:, bound].astype(np.float64)], axis=1)
    if not bound:
        yield params
        return
    _, which = np.unique(keys, axis=0, return_inverse=True)
    for group in range(int(which.max()) + 1):
        here = which.reshape(-1) == group
        yield ParamMatrix(params.values[here], params.is_float[here])
