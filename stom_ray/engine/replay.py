"""One candidate walked on demand: where it would buy from any row on, and what becomes of that position.

For questions that a finished run does not answer, such as what it would have bought had a position been refused. Meaning is that
of `engine.reference`, whose steps it takes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions.faults import FaultError, runtime_error
from stom_ray.conditions.interpreter import Interpreter
from stom_ray.conditions.ir import Strategy
from stom_ray.engine.bind import bind, check_run
from stom_ray.engine.openings import next_openings
from stom_ray.engine.reference import CandidateRun, variables_of
from stom_ray.engine.trades import Trade
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.errors import ConfigError
from stom_ray.store.panel import Selection

NOWHERE = -1


@dataclass(frozen=True)
class Entry:
    """A row of the selection that is bought on. amount: KRW, shares times price."""

    row: int
    amount: int


class Replay:
    """One parameter row over a selection. Within a session, rows are asked for in rising order.

    Raises as `run_reference`, and ConfigError for other than one row; ScriptRuntimeError on a row that stops the candidate.
    """

    def __init__(self, strategy: Strategy, selection: Selection, params: ParamMatrix, config: EngineConfig) -> None:
        if len(params) != 1:
            raise ConfigError(f"{len(params)} parameter rows: a replay is of one")
        check_run(strategy, selection, params, config)
        config = config.of_row(params)
        self._binding, self._config = bind(selection, config), config
        self._interpreter = Interpreter(strategy, self._binding.rows)
        self._variables = variables_of(params, 0)
        self._following = next_openings(strategy, selection, params, config, fillable=True)
        self._walks: dict[int, _Walk] = {}

    def entry(self, session: int, first: int, stop: int) -> Entry | None:
        """The first row in [first, stop) of a session on which the candidate, holding nothing, buys; None without one."""
        with self._located(session) as walk:
            return walk.entry(first, stop)

    def trade(self, session: int) -> Trade:
        """The whole trade that the entry found last in this session begins."""
        with self._located(session) as walk:
            return walk.trade()

    @contextlib.contextmanager
    def _located(self, session: int) -> Iterator[_Walk]:
        if session not in self._walks:
            walk = _Walk(self._interpreter, self._binding, self._config, 0, self._variables, following=self._following)
            walk.stand_in(session)
            self._walks[session] = walk
        walk = self._walks[session]
        try:
            with np.errstate(all="ignore"):
                yield walk
        except FaultError as fault:
            clock = int(walk.panel.clock[walk.frame.row])
            raise runtime_error(walk.text, fault.kind, fault.detail, fault.at, walk.frame.code, clock) from None


@dataclass(kw_only=True)
class _Walk(CandidateRun):
    """A session. following: as `next_openings`. noted: the last row whose elapsed-tick expressions have been noted. text: the
    one that runs, for errors."""

    following: NDArray[np.int32]
    noted: int = field(default=NOWHERE, init=False)
    text: str = field(default="buy", init=False)

    def stand_in(self, session: int) -> None:
        panel = self.panel
        self._enter_session(session, int(panel.instrument_offsets[panel.session_code[session]]))
        self.noted = int(panel.offsets[session]) - 1

    @property
    def last(self) -> int:
        """The session's last row, on which nothing is evaluated."""
        return int(self.panel.offsets[self.session + 1]) - 1

    def entry(self, first: int, stop: int) -> Entry | None:
        frame, end = self.frame, min(stop, self.last)
        frame.buy_row, row = NOWHERE, first
        while row < end and (row := int(self.following[row])) < end:
            self._stand_on(row)
            self.text = "buy"
            if frame.count >= self.gate:
                self._buy_row()
            if frame.buy_row >= 0:
                return Entry(row, frame.quantity * frame.buy_price)
            row += 1
        return None

    def trade(self) -> Trade:
        if self.frame.buy_row < 0:
            raise ValueError("the last search of this session found no entry")
        for at in range(self.frame.buy_row + 1, self.last):
            self._stand_on(at)
            self.text = "sell"
            self._sell_row()
            if self.trades:
                return self.trades.pop()
        self.frame.row = self.last
        self._close_the_day()
        return self.trades.pop()

    def _stand_on(self, row: int) -> None:
        """Elapsed-tick expressions are noted on every row up to this one."""
        frame, start = self.frame, int(self.panel.offsets[self.session])
        rows = range(self.noted + 1, row + 1) if self.interpreter.elapsed_names else (row,)
        for frame.row in rows:
            frame.count = frame.row - start + 1
            for name in self.interpreter.elapsed_names:
                self.text = f"elapsed:{name}"
                self.interpreter.note_elapsed(frame, name)
        self.noted = row
