"""Expressions and texts over all rows of a block, in runs of whole sessions whose arrays stay in the processor's cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from stom_ray.conditions import ir
from stom_ray.engine.bind import day_counts
from stom_ray.engine.kernel_gate import RowGate
from stom_ray.engine.row_values import Bindings, GateRows, decision_of
from stom_ray.engine.row_values_known import Known
from stom_ray.engine.row_values_truth import Bools, Mask, mask, nowhere, spread
from stom_ray.engine.types import Floats, Ints

if TYPE_CHECKING:
    from stom_ray.engine.kernel_bind import Block

RUN_ROWS = 1 << 15


class BlockValues:
    """Evaluates expressions of the buy or the sell text on the rows of a block.

    windows: (4, n_windows) of one candidate, as Block.window_table places them; right for windows whose length is constant or
    bound. trouble: (n_windows,) where some candidate's length faults. bindings: self.vars index -> (value, is a float) of the
    parameters that are known. elapsed: the strategy's elapsed-tick expressions; 경과틱수 is unknown without them. counting: whether
    a division by zero that the corrected profile counts is an effect; its value is nan either way.

    Expressions are evaluated as if nothing on the way had faulted: what they give on a row that `effects` names is anything.
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
        panel, rows = block.panel, block.binding.rows
        self.n_rows = panel.n_rows
        self.counts = day_counts(panel)
        self._from_first = np.arange(panel.n_rows) - np.repeat(block.firsts, np.diff(block.offsets))
        traded = (block.selection.loaded.column("초당거래대금"), panel.column("초당거래대금"))
        self._traded_gaps = not all(np.isfinite(column).all() for column in traded)
        self._gap_rows = max(rows.loaded_lengths, default=0)
        self._since: dict[int, dict[str, Known]] = {}

    def buying_rows(self, smallest_gate: int) -> Bools:
        """(n_rows,) rows on which a candidate may look for an entry: watched, past the gate, not the session's last."""
        reach: Bools = self.block.binding.watched & (self.counts >= smallest_gate)
        reach[self.block.offsets[1:] - 1] = False
        return reach

    def numbers(self, node: ir.Expr, reach: Bools | None = None) -> tuple[Floats, Bools]:
        """(n_rows,) values, NaN outside `reach`; and where they are unknown."""
        values, unknown = np.full(self.n_rows, np.nan), np.zeros(self.n_rows, dtype=np.bool_)
        for rows, gate, within in self._runs(reach):
            index = gate.sparse(within)
            if index is None:
                found = gate.value(node, within)
                values[rows], unknown[rows] = found.number, found.unknown
                if within is not True:
                    values[rows][~within], unknown[rows][~within] = np.nan, False
            else:
                found = gate.take(index).value(node)
                values[rows.start + index], unknown[rows.start + index] = found.number, found.unknown
        return values, unknown

    def truth(self, node: ir.Expr, reach: Bools | None = None) -> tuple[Bools, Bools]:
        """(n_rows,) where the expression is true, within `reach`; and where that is unknown.

        An `and` or `or` evaluates each operand only on the rows that those before it leave open.
        """
        surely, unknown = np.zeros(self.n_rows, dtype=np.bool_), np.zeros(self.n_rows, dtype=np.bool_)
        for rows, gate, within in self._runs(reach):
            found = gate.junction("and", (node,), within)
            surely[rows], unknown[rows] = found.surely, found.unknown
            if within is not True:
                surely[rows] &= within
                unknown[rows] &= within
        return surely, unknown

    def decision(self, program: ir.Program, reach: Bools | None = None) -> tuple[Bools, Bools, Bools]:
        """(n_rows,) each, within `reach`: where the text decides to buy or sell, where that is unknown, and its `effects`."""
        surely, unknown, effects = (np.zeros(self.n_rows, dtype=np.bool_) for _ in range(3))
        for rows, gate, within in self._runs(reach):
            found = gate.run(program, within)
            for out, mask_found in ((surely, found.surely), (unknown, found.unknown), (effects, gate.effects)):
                out[rows] = spread(mask_found, len(out[rows])) & within
        return surely, unknown, effects

    def effects_of(self, program: ir.Program, reach: Bools | None = None) -> Bools:
        """(n_rows,) rows within `reach` on which running the text may fault, or count a division by zero if `counting`."""
        found = np.zeros(self.n_rows, dtype=np.bool_)
        for rows, gate, within in self._runs(reach):
            found[rows] = gate.effects_of(program, within)
        return found

    def elapsed_effects(self) -> Bools:
        """(n_rows,) rows on which an elapsed-tick expression may fault or count; each is evaluated on all but a session's last."""
        found, reach = np.zeros(self.n_rows, dtype=np.bool_), np.ones(self.n_rows, dtype=np.bool_)
        reach[self.block.offsets[1:] - 1] = False
        for rows, gate, within in self._runs(reach) if self.elapsed else ():
            for program in self.elapsed.values():
                gate.truth(decision_of(program), within)
            found[rows] = gate.effects
        return found

    def _runs(self, reach: Bools | None) -> Iterator[tuple[slice, RowGate, Mask]]:
        """(rows, evaluator, reach among them) of consecutive sessions, where anything is reached."""
        offsets = self.block.offsets
        with np.errstate(all="ignore"):
            for first, last in session_runs(offsets, RUN_ROWS):
                rows = slice(int(offsets[first]), int(offsets[last]))
                within = True if reach is None else mask(reach[rows])
                if not nowhere(within):
                    yield rows, self._gate(first, last, rows), within

    def _gate(self, first: int, last: int, rows: slice) -> RowGate:
        block = self.block
        texts = np.repeat(block.tests[first:last], np.diff(block.offsets[first : last + 1]), axis=0).T
        gate_rows = GateRows(
            block.matrix,
            rows.start,
            rows.stop,
            self.counts[rows],
            self.windows,
            self.trouble,
            texts,
            self._traded_gaps,
            self._gap_rows,
            self._from_first[rows],
        )
        strict = block.config.profile == "stom"
        gate = RowGate(
            block.emitted.sites, gate_rows, strict, block.panel.layout, self.bindings, self.elapsed, counting=self.counting
        )
        gate.since = self._since.setdefault(rows.start, gate.since)
        return gate


def session_runs(offsets: Ints, rows: int) -> Iterator[tuple[int, int]]:
    """Consecutive sessions, about `rows` rows at a time."""
    first = 0
    while first < len(offsets) - 1:
        last = max(first + 1, int(np.searchsorted(offsets, offsets[first] + rows, side="right")) - 1)
        yield first, last
        first = last
