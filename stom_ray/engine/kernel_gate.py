"""A text over many rows at once: on which rows it decides to buy or sell, and on which it may stop a candidate.

A row is closed to all candidates when 매수 is known to be false, or the book cannot fill the order, and nothing on the way could
fault or count a division by zero. Open rows are evaluated in full by the kernel, so everything unknown errs on that side.
"""

from __future__ import annotations

import numpy as np

from stom_ray.conditions import ir
from stom_ray.conditions.emit_flow import elif_chain
from stom_ray.engine.row_values import RowValues, Temporary
from stom_ray.engine.row_values_known import constant, select
from stom_ray.engine.row_values_truth import Bools, Mask, Truth, both, either, inverse, nowhere, placed, spread
from stom_ray.engine.types import Ints

DECISIONS = {"buy": ("매수", True), "sell": ("매도", False)}
Temporaries = dict[str, Temporary]


class RowGate(RowValues):
    """Evaluates a buy or sell text over rows."""

    def effects_of(self, program: ir.Program, reach: Mask = True) -> Bools:
        """(n,) rows within `reach` on which running the text may fault, or count a division by zero if `counting`."""
        self.run(program, reach)
        return spread(both(reach, self.effects), self.rows.size)

    def run(self, program: ir.Program, reach: Mask = True) -> Truth:
        """The truth of the text's decision, within reach."""
        name, start = DECISIONS[program.kind]
        self.temporaries, self.effects = {name: Temporary(constant(start))}, False
        with np.errstate(all="ignore"):
            self.body(program.body, reach)
        return self.temporaries[name].value.truth

    def body(self, body: tuple[ir.Stmt, ...], reach: Mask) -> None:
        for position, statement in enumerate(body):
            if nowhere(reach):
                return
            index = self.sparse(reach)
            if index is not None:
                child = self.take(index)
                child.body(body[position:], True)
                self.merge(child, index)
                return
            if isinstance(statement, ir.Assign):
                self.temporaries[statement.name] = Temporary(self.value(statement.value, reach))
            elif isinstance(statement, ir.If):
                self.chain(*elif_chain(statement), reach)

    def chain(self, arms: list[ir.If], orelse: tuple[ir.Stmt, ...], reach: Mask) -> None:
        """An if/elif/else chain: each test only on the rows that no earlier one is known to take."""
        before, ends, waiting = self.temporaries, list[tuple[Truth, Temporaries]](), reach
        for position, arm in enumerate(arms):
            if nowhere(waiting):
                break
            index = self.sparse(waiting)
            if index is not None:
                child = self.take(index)
                child.chain(arms[position:], orelse, True)
                self.temporaries = dict(before)
                self.merge(child, index)
                break
            test = self.truth(arm.test, waiting)
            self.temporaries = dict(before)
            self.body(arm.then, both(waiting, test.perhaps))
            ends.append((test, self.temporaries))
            self.temporaries = before
            waiting = both(waiting, inverse(test.surely))
        else:
            self.temporaries = dict(before)
            self.body(orelse, waiting)
        for test, after in reversed(ends):
            self.temporaries = self.joined(test, after, self.temporaries)

    def merge(self, child: RowGate, index: Ints) -> None:
        """Takes over what the text did on some rows, which are the only ones that matter from here."""
        size = self.rows.size
        self.note_effects(child, index)
        for name, found in child.temporaries.items():
            self.temporaries[name] = Temporary(found.value.place(index, size), placed(found.unset, index, size))

    def joined(self, test: Truth, then: Temporaries, orelse: Temporaries) -> Temporaries:
        """Temporaries after `then` where the test is true and after `orelse` where it is not."""
        found: Temporaries = {}
        for name in dict.fromkeys((*then, *orelse)):
            yes, no = then.get(name) or self.inherited(name), orelse.get(name) or self.inherited(name)
            if yes is None or no is None:
                known = yes or no
                assert known is not None
                other = inverse(test.surely) if no is None else test.perhaps
                found[name] = Temporary(known.value, either(known.unset, other))
            elif yes is no:
                found[name] = yes
            else:
                unset = either(both(test.perhaps, yes.unset), both(inverse(test.surely), no.unset))
                found[name] = Temporary(select(test, yes.value, no.value), unset)
        return found
