"""What a buy on any row would come to: the generated sell text, the engine's fills, costs and forced sale, entry by entry.

A trade depends on the row bought on and on the parameters that the sell text reads, not on what else was bought; so the trade of
every row is found by itself, and it is the one that a backtest makes whose buy text holds on just that row.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.emit_exits import emit_exits
from stom_ray.conditions.ir import Program, Strategy
from stom_ray.engine.bind import check_run
from stom_ray.engine.kernel_bind import Block, batch_windows, split_selection
from stom_ray.engine.planned.tabled import SellText
from stom_ray.engine.results import labelled_trades
from stom_ray.engine.trades import concatenate
from stom_ray.engine.types import EngineConfig, Ints, ParamMatrix, Trades
from stom_ray.errors import ConfigError, ScriptRuntimeError
from stom_ray.store.panel import Selection

Bools = NDArray[np.bool_]
ROWS_AT_ONCE = 1 << 20  # of a block of instruments, whose columns are in memory together
CHUNKS_PER_THREAD = 4
EVERY_ROW = "if 매수:\n    self.Buy()\n"
NEVER = "if 매도:\n    self.Sell()\n"


def entry_trades(
    strategy: Strategy,
    selection: Selection,
    params: ParamMatrix,
    config: EngineConfig,
    *,
    rows: Bools | None = None,
    threads: int = 1,
) -> Trades:
    """One trade for each entry, in the order of rows; as `trades_by_block`, joined."""
    parts = list(trades_by_block(strategy, selection, params, config, rows=rows, threads=threads))
    return concatenate(parts)


def trades_by_block(
    strategy: Strategy,
    selection: Selection,
    params: ParamMatrix,
    config: EngineConfig,
    *,
    rows: Bools | None = None,
    threads: int = 1,
) -> Iterator[Trades]:
    """The trades of entries on every row, some instruments at a time; the same bits for any number of threads.

    strategy: its sell text and elapsed-tick expressions; the buy text, the gate and 관심종목 are not asked. params: one row.
    rows: (n_rows,) of the selected panel, those that are bought on, all without. No trade where the engine could make none: the
    last row of a session, asks that do not fill the order. Raises as `check_run`; ConfigError: several parameter rows, a mask of
    another length, elapsed-tick expressions that read parameters or may stop; ScriptRuntimeError where the sell text stops.
    """
    strategy = replace(strategy, buy=_every_row(strategy))
    check_run(strategy, selection, params, config)
    _check(params, rows, selection, threads)
    emitted = emit_exits(strategy, selection.selected.layout)
    if emitted is None:
        raise ConfigError(
            "elapsed-tick expressions read self.vars or may stop (a division, a window of changing length), so that an entry is "
            "no matter of its row alone: write the numbers into them, or guard the division"
        )
    sell = SellText(emitted, params, batch_windows(emitted, params, strategy.profile == "stom"), config.bid_levels)
    for part, row, session in split_selection(selection, ROWS_AT_ONCE):
        block = Block(part, emitted, config, row, session)
        wanted = None if rows is None else rows[row : row + part.selected.n_rows]
        yield _trades(block, sell, wanted, threads)


def _every_row(strategy: Strategy) -> Program:
    return compile_strategy(EVERY_ROW, NEVER, profile=strategy.profile).buy


def _check(params: ParamMatrix, rows: Bools | None, selection: Selection, threads: int) -> None:
    if len(params) != 1:
        raise ConfigError(f"{len(params)} parameter rows: an entry has one outcome for one row; expected one")
    if threads < 1:
        raise ConfigError(f"threads is {threads}: expected at least 1")
    n_rows = selection.selected.n_rows
    if rows is not None and (rows.shape != (n_rows,) or rows.dtype != np.bool_):
        raise ConfigError(f"rows has shape {rows.shape} of {rows.dtype}: expected ({n_rows},) bool, one for each selected row")


def _trades(block: Block, sell: SellText, wanted: Bools | None, threads: int) -> Trades:
    block.threads = threads
    open_rows = block.entry[1] > 0.0
    open_rows[block.offsets[1:] - 1] = False
    if wanted is not None:
        open_rows &= wanted
    entries = np.flatnonzero(open_rows)
    sessions = np.searchsorted(block.offsets, entries, side="right") - 1
    bound = sell.bind(block)
    chunks = np.array_split(np.arange(len(entries)), 1 if threads == 1 else threads * CHUNKS_PER_THREAD)

    def outcomes(some: Ints) -> tuple[NDArray[np.int32], Ints, Ints, Bools]:
        return sell.outcomes(block, bound, entries[some], sessions[some])

    if threads == 1:
        found = [outcomes(chunks[0])]
    else:
        with ThreadPoolExecutor(threads) as pool:
            found = list(pool.map(outcomes, chunks))
    sold, prices, labels, faulty = (np.concatenate([part[k] for part in found]) for k in range(4))
    if faulty.any():
        raise _stopped(block, int(entries[np.argmax(faulty)]))
    first = np.zeros(len(entries), dtype=np.int64)  # the one candidate
    recorded = np.column_stack([sessions, first, entries, sold[:, 0], prices[:, 0], labels[:, 0]]).astype(np.int64)
    return labelled_trades(recorded, 1, block)


def _stopped(block: Block, row: int) -> ScriptRuntimeError:
    session = int(np.searchsorted(block.offsets, row, side="right")) - 1
    code, clock = block.panel.codes[int(block.panel.session_code[session])], int(block.panel.clock[row])
    return ScriptRuntimeError(
        f"the sell text stops for a position bought on row {block.row_from + row} ({code}, {clock}), as a backtest with that "
        "entry would: run one to be told the line, guard it, or leave such rows out (rows=)"
    )
