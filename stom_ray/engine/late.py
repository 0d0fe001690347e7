"""Orders that arrive rows later than they are decided: what a backtest that buys on the row it decides on leaves out.

A row is a second in which the collector saw the stock, so a row later is at least a second later. An order is sized when it is
decided and meets the book of the row it arrives on. Until then nothing else is decided; not filled, it is gone, and the texts are
asked again from that row on. An order to buy that would arrive on the day's last row is void; a position still held there is
sold by force as ever. With no delay this is `engine.reference`, row for row.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions.faults import FaultError, fault_message
from stom_ray.conditions.interpreter import Interpreter
from stom_ray.conditions.ir import Strategy
from stom_ray.engine.bind import Binding, bind, check_run
from stom_ray.engine.fills import fill_price, order_quantity
from stom_ray.engine.openings import next_openings
from stom_ray.engine.reference import CandidateRun, levels_of, variables_of
from stom_ray.engine.trades import Trade, trades_from
from stom_ray.engine.types import EngineConfig, Fault, ParamMatrix, RunResult, Weighting
from stom_ray.errors import ConfigError
from stom_ray.store.panel import Selection

NO_ORDER = -1


@dataclass(frozen=True)
class Delay:
    """Rows from a decision to the order's arrival, when buying and when selling."""

    entry_rows: int = 1
    exit_rows: int = 0

    def __post_init__(self) -> None:
        for name in ("entry_rows", "exit_rows"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}: expected 0 or more rows")


def run_late(strategy: Strategy, selection: Selection, params: ParamMatrix, config: EngineConfig, delay: Delay) -> RunResult:
    """`engine.reference.run_reference` with late orders, for a few parameter rows: it interprets, though not the rows on which
    the buy text is known not to buy. Divisions by zero are not counted. Raises as `run_reference`.
    """
    check_run(strategy, selection, params, config)
    bound: dict[Weighting, tuple[Binding, Interpreter]] = {}
    trades: list[Trade] = []
    faults: list[Fault] = []
    with np.errstate(all="ignore"):
        for candidate in range(len(params)):
            row = ParamMatrix(params.values[[candidate]], params.is_float[[candidate]])
            own = config.of_row(row)
            if own.weighting not in bound:
                binding = bind(selection, own)
                bound[own.weighting] = binding, Interpreter(strategy, binding.rows)
            binding, interpreter = bound[own.weighting]
            following = next_openings(strategy, selection, row, own, fillable=delay.entry_rows == 0)
            run = _LateRun(interpreter, binding, own, candidate, variables_of(row, 0), delay=delay, following=following)
            fault = run.over_all_sessions()
            if fault is None:
                trades += run.trades
            else:
                faults.append(fault)
    return RunResult(trades_from(trades), tuple(faults))


@dataclass(kw_only=True)
class _LateRun(CandidateRun):
    """following: as `next_openings`. due: the row on which the order under way arrives; ordered: its shares, when buying."""

    delay: Delay
    following: NDArray[np.int32]
    due: int = field(default=NO_ORDER, init=False)
    ordered: float = field(default=0.0, init=False)

    def _session(self) -> Fault | None:
        frame, offsets, names = self.frame, self.panel.offsets, self.interpreter.elapsed_names
        start, last = int(offsets[self.session]), int(offsets[self.session + 1]) - 1
        self.due, row, text = NO_ORDER, start, ""
        try:
            while row < last:
                if not names and frame.buy_row < 0 and self.due == NO_ORDER:
                    row = int(self.following[row])
                    if row >= last:
                        break
                frame.row, frame.count = row, row - start + 1
                for name in names:
                    text = f"elapsed:{name}"
                    self.interpreter.note_elapsed(frame, name)
                text = "sell" if frame.buy_row >= 0 else "buy"
                self._live_a_row()
                row += 1
        except FaultError as fault:
            message = fault_message(text, fault.kind, fault.detail, fault.at, frame.code, int(self.panel.clock[frame.row]))
            return Fault(self.candidate, frame.row, message)
        if frame.buy_row >= 0:
            frame.row = last
            self._close_the_day()
        return None

    def _live_a_row(self) -> None:
        frame = self.frame
        if self.due == frame.row and self._arrives():
            return
        if self.due > frame.row:
            if frame.buy_row >= 0:
                self._track(float(self.binding.price[frame.row]))
            return
        if frame.count < self.gate:
            return
        if frame.buy_row >= 0:
            self._decide_to_sell()
        elif self.binding.watched[frame.row]:
            self._decide_to_buy()

    def _decide_to_buy(self) -> None:
        frame = self.frame
        self.ordered = order_quantity(self._betting(), float(self.binding.price[frame.row]))
        if self.interpreter.buys(frame):
            self._send(self.delay.entry_rows)

    def _decide_to_sell(self) -> None:
        self._track(float(self.binding.price[self.frame.row]))
        if self.interpreter.sells(self.frame):
            self._send(self.delay.exit_rows)

    def _send(self, rows: int) -> None:
        self.due = self.frame.row + rows
        if rows == 0:
            self._arrives()

    def _arrives(self) -> bool:
        """Meets the book of this row; whether it was filled."""
        self.due = NO_ORDER
        frame, binding, row = self.frame, self.binding, self.frame.row
        if frame.buy_row >= 0:
            bids, sizes = levels_of(binding.bid_prices, row), levels_of(binding.bid_sizes, row)
            price = fill_price(frame.quantity, self.config.bid_levels, bids, sizes)
            if price > 0:
                self._book(int(price), frame.label)
            return bool(price > 0)
        asks, sizes = levels_of(binding.ask_prices, row), levels_of(binding.ask_sizes, row)
        price = fill_price(self.ordered, self.config.ask_levels, asks, sizes)
        if price > 0:
            frame.buy_row, frame.quantity, frame.buy_price = row, int(self.ordered), int(price)
            frame.best_pct = frame.worst_pct = 0.0
        return bool(price > 0)
