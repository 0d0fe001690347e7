"""What expressions of parameters only are worth, one value a candidate."""

from __future__ import annotations

import numpy as np

from stom_ray.conditions import ir
from stom_ray.conditions.emit_sites import Sites
from stom_ray.engine.row_values import GateRows, RowValues
from stom_ray.engine.row_values_known import NOTHING, Known, plain
from stom_ray.engine.row_values_truth import Bools, Mask, either, known_truth, mask, spread
from stom_ray.engine.types import Floats, ParamMatrix


class ParameterValues(RowValues):
    """Evaluates expressions with candidates for rows: `self.vars[i]` is a column of the parameter rows."""

    def __init__(self, params: ParamMatrix, strict: bool) -> None:
        n = len(params)
        none = np.zeros(0, dtype=np.int64)
        empty = GateRows(np.zeros((0, n)).__getitem__, 0, n, none, none, none != 0, none != 0, False, 0, none)
        super().__init__(Sites(), empty, strict, "tick_v1")
        self.params = params

    def variable(self, node: ir.Var, reach: Mask) -> Known:
        if node.subscripted and self.strict:
            self.effect(reach)
            return NOTHING
        whole = known_truth(mask(~self.params.is_float[:, node.index]))
        return plain(self.params.values[:, node.index], whole)

    def column_of(self, node: ir.Expr) -> tuple[Floats, Bools]:
        """(n_candidates,) values, and where they cannot be used: evaluating would stop or be counted, or is not finite."""
        n = len(self.params)
        if isinstance(node, ir.Var) and not (node.subscripted and self.strict):
            given = np.ascontiguousarray(self.params.values[:, node.index])
            return given, ~np.isfinite(given)
        self.effects = False
        with np.errstate(all="ignore"):
            found = self.value(node)
        values = np.broadcast_to(found.number, n)
        unfit = spread(either(self.effects, found.unknown), n) | ~np.isfinite(values)
        return np.ascontiguousarray(values), unfit
