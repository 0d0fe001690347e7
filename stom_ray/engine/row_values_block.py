"""Expressions and texts over all rows of a block, in runs whose arrays stay in the processor's cache."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from stom_ray.conditions import ir
from stom_ray.conditions.emit_sites import WindowSite
from stom_ray.conditions.emit_windows import TRADED_VALUE
from stom_ray.engine.bind import day_counts
from stom_ray.engine.kernel_gate import RowGate
from stom_ray.engine.row_values import SPARSE, Bindings, GateRows, decision_of
from stom_ray.engine.row_values_effects import Risks
from stom_ray.engine.row_values_known import Known
from stom_ray.engine.row_values_truth import YES, Bools, Mask, Truth, inverse, mask, nowhere, spread
from stom_ray.engine.types import Floats, Ints

if TYPE_CHECKING:
    from stom_ray.engine.kernel_bind import Block

RUN_ROWS = 1 << 16  # for an expression
TEXT_ROWS = 1 << 17  # for a text, most of which few rows reach
Places = slice | Ints  # rows of the block


class BlockValues:
    """Evaluates expressions of the buy or the sell text on the rows of a block.

    windows: (4, n_windows) of one candidate, as Block.window_table places them; right for windows whose length is constant or
    bound. trouble: (n_windows,) where some candidate's length faults. bindings: self.vars index -> (value, is a float) of the
    parameters that are known. elapsed: the strategy's elapsed-tick expressions; 경과틱수 is unknown without. counting: whether a
    division by zero that the corrected profile counts is an effect; its value is nan either way.

    Values and truths are those of a row on which nothing faults: what they are on a row of `effects_of` is anything. `reach`:
    (n_rows,) the rows asked for, all without it; the fewer, the faster. Results are NaN or False elsewhere.
    """

    def __init__(
        self,
        block: Block,
        windows: Ints,
        trouble: Bools,
        *,
        bindings: Bindings | None = None,
        elapsed: tuple[tuple[str, ir.Program], ...] = (),
        counting: bool = True,
    ) -> None:
        self.block = block
        self.windows = windows
        self.trouble = trouble
        self.bindings = dict(bindings or {})
        self.elapsed = dict(elapsed)
        self.counting = counting
        self.strict = block.config.profile == "stom"
        self.n_rows = block.panel.n_rows
        self._since: dict[tuple[int, int], dict[str, Known]] = {}  # of a run of sessions
        self._since_all: dict[str, Known] = {}

    def buying_rows(self, smallest_gate: int) -> Bools:
        """(n_rows,) rows on which a candidate may look for an entry: watched, past the gate, not the session's last."""
        reach: Bools = self.block.watched & (self._all.count >= smallest_gate)
        reach[self.block.offsets[1:] - 1] = False
        return reach

    @np.errstate(all="ignore")
    def numbers(self, node: ir.Expr, reach: Bools | None = None) -> tuple[Floats, Bools]:
        """(n_rows,) values, and where they are unknown."""
        values, unknown = np.full(self.n_rows, np.nan), np.zeros(self.n_rows, dtype=np.bool_)
        for rows, gate, within in self._groups(reach, RUN_ROWS):
            found = gate.value(node, within)
            if within is True:
                values[rows], unknown[rows] = found.number, found.unknown
            else:
                values[rows] = np.where(within, found.number, np.nan)
                unknown[rows] = spread(found.unknown, gate.rows.size) & within
        return values, unknown

    def truth(self, node: ir.Expr, reach: Bools | None = None) -> tuple[Bools, Bools]:
        """(n_rows,) where the expression is true; and where that is unknown."""
        return self.conjunction(node.operands if isinstance(node, ir.Logic) and node.op == "and" else (node,), reach)

    @np.errstate(all="ignore")
    def conjunction(self, parts: tuple[ir.Expr, ...], reach: Bools | None = None) -> tuple[Bools, Bools]:
        """(n_rows,) where all parts are true, each evaluated where those before it leave it open; and where that is unknown."""
        still = np.ones(self.n_rows, dtype=np.bool_) if reach is None else reach.copy()
        unknown = np.zeros(self.n_rows, dtype=np.bool_)
        groups: list[tuple[Places, RowGate, Mask]] = []
        held = 2 * SPARSE * self.n_rows  # rows among the groups
        for part in parts:
            left = int(np.count_nonzero(still))
            if SPARSE * left < held:
                groups = list(self._groups(still, RUN_ROWS))
                held = left if SPARSE * left < self.n_rows else self.n_rows
            for rows, gate, _ in groups:
                within = mask(still[rows])
                if not nowhere(within):
                    found = gate.junction("and", (part,), within)
                    still[rows] &= found.perhaps
                    unknown[rows] |= found.unknown
        unknown &= still
        return still & ~unknown, unknown

    @np.errstate(all="ignore")
    def decision(self, program: ir.Program, reach: Bools | None = None) -> tuple[Bools, Bools, Bools]:
        """(n_rows,) each: where the text decides to buy or sell, where that is unknown, and where it has effects."""
        surely, unknown, effects = (np.zeros(self.n_rows, dtype=np.bool_) for _ in range(3))
        for rows, gate, within in self._groups(reach, TEXT_ROWS):
            found = gate.run(program, within)
            for out, where in ((surely, found.surely), (unknown, found.unknown), (effects, gate.effects)):
                out[rows] = spread(where, gate.rows.size) & within
        return surely, unknown, effects

    @np.errstate(all="ignore")
    def effects_of(self, program: ir.Program, reach: Bools | None = None) -> Bools:
        """(n_rows,) where running the text may fault, or count a division by zero if `counting`."""
        found = np.zeros(self.n_rows, dtype=np.bool_)
        part = Risks(self.strict, self.counting, self.block.panel.layout, self._is_calm).part_of(program)
        for rows, gate, within in self._groups(reach, TEXT_ROWS) if part.body else ():
            found[rows] = gate.effects_of(part, within)
        return found

    @np.errstate(all="ignore")
    def elapsed_effects(self) -> Bools:
        """(n_rows,) where an elapsed-tick expression may fault or count. Each is evaluated on all rows but a session's last."""
        found, reach = np.zeros(self.n_rows, dtype=np.bool_), np.ones(self.n_rows, dtype=np.bool_)
        reach[self.block.offsets[1:] - 1] = False
        for rows, gate, within in self._groups(reach, TEXT_ROWS) if self.elapsed else ():
            for program in self.elapsed.values():
                gate.truth(decision_of(program), within)
            found[rows] = gate.effects
        return found

    def _is_calm(self, function: str, length: ir.Expr, back: int) -> bool:
        number = self.block.emitted.sites.windows[WindowSite(function, length)]
        if self.trouble[number] or (function == TRADED_VALUE and back > 0):
            return False
        return function != TRADED_VALUE or (isinstance(length, ir.Const) and bool(self.windows[3, number]))

    # Rows

    @cached_property
    def _all(self) -> GateRows:
        block, panel = self.block, self.block.panel
        rows_of = np.diff(block.offsets)
        traded = (block.selection.loaded.column("초당거래대금"), panel.column("초당거래대금"))
        return GateRows(
            block.column,
            0,
            self.n_rows,
            day_counts(panel),
            self.windows,
            self.trouble,
            np.repeat(block.tests.T, rows_of, axis=1),
            not all(np.isfinite(column).all() for column in traded),
            max(block.rows.loaded_lengths, default=0),
            np.arange(self.n_rows) - np.repeat(block.firsts, rows_of),
        )

    def _groups(self, reach: Bools | None, size: int) -> Iterator[tuple[Places, RowGate, Mask]]:
        """(rows of the block, their evaluator, reach among them): runs of sessions, or pieces of the rows reached if few are."""
        if reach is not None and SPARSE * np.count_nonzero(reach) < self.n_rows:
            yield from self._pieces(np.flatnonzero(reach), size)
            return
        for first, last in session_runs(self.block.offsets, size):
            rows = slice(int(self.block.offsets[first]), int(self.block.offsets[last]))
            within = True if reach is None else mask(reach[rows])
            if not nowhere(within):
                yield rows, self._gate(self._all.part(rows), self._since.setdefault((rows.start, rows.stop), {})), within

    def _pieces(self, index: Ints, size: int) -> Iterator[tuple[Ints, RowGate, Mask]]:
        for name in self.elapsed.keys() - self._since_all.keys():
            values, unknown = self.numbers(ir.Elapsed(name))
            vague = mask(unknown)
            self._since_all[name] = Known(values, vague, YES, Truth(inverse(vague), True))
        whole = self._gate(self._all, self._since_all)
        for start in range(0, len(index), size):
            rows = index[start : start + size]
            yield rows, whole.take(rows), True

    def _gate(self, rows: GateRows, since: dict[str, Known]) -> RowGate:
        layout, sites = self.block.panel.layout, self.block.emitted.sites
        gate = RowGate(sites, rows, self.strict, layout, self.bindings, self.elapsed, counting=self.counting)
        gate.since = since
        return gate


def session_runs(offsets: Ints, rows: int) -> Iterator[tuple[int, int]]:
    """Consecutive sessions, about `rows` rows at a time and each time about equally many."""
    n = int(offsets[-1])
    runs = max(1, round(n / rows))
    return itertools.pairwise(np.unique(np.searchsorted(offsets, np.arange(runs + 1) * n // runs)).tolist())
