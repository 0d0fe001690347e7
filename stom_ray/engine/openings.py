"""On which rows one candidate may buy: all rows at once, so that a walk row by row can pass by the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions.ir import Strategy
from stom_ray.engine.kernel import CompiledKernel
from stom_ray.engine.kernel_bind import batch_windows
from stom_ray.engine.kernel_runtime import next_open
from stom_ray.engine.row_values_block import BlockValues
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.store.panel import Selection


def next_openings(
    strategy: Strategy, selection: Selection, params: ParamMatrix, config: EngineConfig, *, fillable: bool
) -> NDArray[np.int32]:
    """(n_rows,) the first row from each on that `params`, one row, may buy on, or that may fault; else the session's last.

    What the text decides on these rows is for the interpreter to say; on the others it does not buy. fillable: only rows whose
    asks fill the order.
    """
    kernel = CompiledKernel(strategy, selection, config)
    windows = batch_windows(kernel.emitted, params, strategy.profile == "stom")
    block = kernel.whole()
    bindings = {
        index: (float(params.values[0, index]), bool(params.is_float[0, index])) for index in range(params.values.shape[1])
    }
    table, trouble = block.window_table(windows), (windows.faults != 0).any(axis=0)
    values = BlockValues(block, table[0], trouble, bindings=bindings, elapsed=strategy.elapsed)
    surely, unknown, effects = values.decision(strategy.buy, block.watched)
    allowed = surely | unknown
    if fillable:
        allowed &= block.entry[1] > 0.0
    return next_open(block.offsets, block.watched & (allowed | effects))
