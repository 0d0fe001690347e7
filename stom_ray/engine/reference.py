"""The reference simulator: spec/engine.md §3 and §6 as it reads, one row after the other. Slow, and the definition.

Every (instrument, day, candidate) is independent: positions never cross them, and candidates share no money.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from stom_ray.conditions.faults import FaultError, fault_message
from stom_ray.conditions.frame import Frame
from stom_ray.conditions.interpreter import Interpreter
from stom_ray.conditions.ir import Strategy
from stom_ray.engine.bind import Binding, FiveLevels, bind, check_run
from stom_ray.engine.costing import net_amount, profit_pct
from stom_ray.engine.fills import Levels, fill_price, forced_price, last_price, order_quantity, weighted_betting
from stom_ray.engine.trades import Trade, trades_from
from stom_ray.engine.types import EngineConfig, Fault, ParamMatrix, RunResult
from stom_ray.schema.costs import CostModel
from stom_ray.store.panel import Panel, Selection

FORCED_SALE = 0  # the label of a position closed on the day's last row


def run_reference(strategy: Strategy, selection: Selection, params: ParamMatrix, config: EngineConfig) -> RunResult:
    """Runs every parameter row over the selection, one after the other.

    Trades are ordered by candidate, code, time. A candidate that faults has no trades and no counts, only its first fault in
    the order of the run. Raises ConfigError and ConditionError as `check_run`, SchemaError for a column that is not there.
    """
    check_run(strategy, selection, params, config)
    binding = bind(selection, config)
    interpreter = Interpreter(strategy, binding.rows)
    trades: list[Trade] = []
    faults: list[Fault] = []
    zero_divisions: dict[str, int] = {}
    with np.errstate(all="ignore"):
        for candidate in range(len(params)):
            run = CandidateRun(interpreter, binding, config, candidate, variables_of(params, candidate))
            fault = run.over_all_sessions()
            if fault is not None:
                faults.append(fault)
                continue
            trades += run.trades
            for place, count in run.frame.zero_divisions.items():
                zero_divisions[place] = zero_divisions.get(place, 0) + count
    return RunResult(trades_from(trades), tuple(faults), zero_divisions)


def variables_of(params: ParamMatrix, candidate: int) -> tuple[int | float, ...]:
    """self.vars of one row, ints and floats as the user wrote them."""
    values, is_float = params.values[candidate], params.is_float[candidate]
    return tuple(float(value) if real else int(value) for value, real in zip(values, is_float, strict=True))


@dataclass
class CandidateRun:
    """One parameter row's way through all sessions."""

    interpreter: Interpreter
    binding: Binding
    config: EngineConfig
    candidate: int
    variables: tuple[int | float, ...]
    trades: list[Trade] = field(default_factory=list)
    frame: Frame = field(init=False)
    session: int = 0

    def __post_init__(self) -> None:
        self.frame = Frame(variables=self.variables)

    @property
    def panel(self) -> Panel:
        return self.binding.rows.panel

    @property
    def gate(self) -> int | float:
        """데이터길이 from which decisions are made."""
        return self.variables[0] if self.config.gate_var0 else self.config.avgtime

    @property
    def costs(self) -> CostModel:
        return self.binding.costs[self.session]

    def over_all_sessions(self) -> Fault | None:
        """Fills `trades`; returns the fault that stopped the run, if any."""
        instruments = self.panel.instrument_offsets
        for session in range(self.panel.n_sessions):
            code = int(self.panel.session_code[session])
            if instruments[code + 1] - instruments[code] < 2:
                continue
            self._enter_session(session, int(instruments[code]))
            text = self._session()
            if text is not None:
                return text
        return None

    def _enter_session(self, session: int, first_row: int) -> None:
        frame, panel = self.frame, self.panel
        self.session = session
        frame.code = panel.codes[int(panel.session_code[session])]
        frame.name = panel.names.get(frame.code, frame.code)
        frame.day = int(panel.session_day[session])
        frame.first_row = first_row
        frame.elapsed_row = {}
        frame.count = 0
        frame.buy_row = -1

    def _session(self) -> Fault | None:
        frame, offsets = self.frame, self.panel.offsets
        start, last = int(offsets[self.session]), int(offsets[self.session + 1]) - 1
        gate = self.gate
        text = ""
        try:
            for frame.row in range(start, last):
                frame.count += 1
                for name in self.interpreter.elapsed_names:
                    text = f"elapsed:{name}"
                    self.interpreter.note_elapsed(frame, name)
                if frame.count < gate:
                    continue
                if frame.buy_row >= 0:
                    text = "sell"
                    self._sell_row()
                elif self.binding.watched[frame.row]:
                    text = "buy"
                    self._buy_row()
        except FaultError as fault:
            clock = int(self.panel.clock[frame.row])
            message = fault_message(text, fault.kind, fault.detail, fault.at, frame.code, clock)
            return Fault(self.candidate, frame.row, message)
        if frame.buy_row >= 0:
            frame.row = last
            self._close_the_day()
        return None

    def _buy_row(self) -> None:
        """Runs the buy text; a row whose price or book gives no complete fill leaves no position."""
        frame, binding = self.frame, self.binding
        quantity = order_quantity(self._betting(), float(binding.price[frame.row]))
        if not self.interpreter.buys(frame):
            return
        price = fill_price(
            quantity, self.config.ask_levels, levels_of(binding.ask_prices, frame.row), levels_of(binding.ask_sizes, frame.row)
        )
        if price <= 0:
            return
        frame.buy_row = frame.row
        frame.quantity = int(quantity)
        frame.buy_price = int(price)
        frame.best_pct = frame.worst_pct = 0.0

    def _betting(self) -> float:
        weighting, criterion = self.config.weighting, self.binding.criterion
        if criterion is None:
            return self.config.betting
        return weighted_betting(self.config.betting, float(criterion[self.frame.row]), weighting.limits, weighting.factors)

    def _sell_row(self) -> None:
        """Updates what the sell text reads of the position, runs it, and sells the whole holding or nothing."""
        frame, binding = self.frame, self.binding
        self._track(float(binding.price[frame.row]))
        if not self.interpreter.sells(frame):
            return
        price = fill_price(
            frame.quantity,
            self.config.bid_levels,
            levels_of(binding.bid_prices, frame.row),
            levels_of(binding.bid_sizes, frame.row),
        )
        if price > 0:
            self._book(int(price), frame.label)

    def _track(self, price: float) -> None:
        """§6.7: a new best profit replaces 최고수익률, else a new worst one 최저수익률."""
        frame, costs = self.frame, self.costs
        bought = float(frame.quantity * frame.buy_price)
        net = net_amount(bought, frame.quantity * price, costs.tax_rate, costs.fee_rate, costs.fee_rounding_krw)
        frame.profit_pct = profit_pct(bought, net)
        frame.profit_krw = int(net - bought) if np.isfinite(net) else net
        if frame.profit_pct > frame.best_pct:
            frame.best_pct = frame.profit_pct
        elif frame.profit_pct < frame.worst_pct:
            frame.worst_pct = frame.profit_pct
        seconds = self.binding.rows.seconds
        frame.hold_s = float(seconds[frame.row] - seconds[frame.buy_row])

    def _close_the_day(self) -> None:
        """§6.4: the whole holding goes on the day's last row, at the bids' average or, where they take nothing, 현재가."""
        frame, binding = self.frame, self.binding
        price = forced_price(
            frame.quantity,
            last_price(binding.price, frame.row),
            self.config.bid_levels,
            levels_of(binding.bid_prices, frame.row),
            levels_of(binding.bid_sizes, frame.row),
        )
        self._book(int(price), FORCED_SALE)

    def _book(self, sell_price: int, label: int) -> None:
        frame, costs, clock, seconds = self.frame, self.costs, self.panel.clock, self.binding.rows.seconds
        bought = frame.quantity * frame.buy_price
        sold = frame.quantity * sell_price
        net = net_amount(bought, sold, costs.tax_rate, costs.fee_rate, costs.fee_rounding_krw)
        self.trades.append(
            (
                self.candidate,
                self.session,
                frame.buy_row,
                frame.row,
                int(clock[frame.buy_row]),
                int(clock[frame.row]),
                int(seconds[frame.row] - seconds[frame.buy_row]),
                frame.buy_price,
                sell_price,
                bought,
                int(net),
                int(net) - bought,
                profit_pct(bought, net),
                label,
                float(self.binding.market_cap[frame.row]),
            )
        )
        frame.buy_row = -1


def levels_of(columns: FiveLevels, row: int) -> Levels:
    """Prices or sizes of one row's five levels, best first."""
    first, second, third, fourth, fifth = (float(column[row]) for column in columns)
    return first, second, third, fourth, fifth
