"""How far a day's decisions read into the days before, worked out from the scripts and the rows (spec/engine.md §1.4, §3, §4).

Positions never outlive their day, so the longest holding time asks for no purge. What crosses days are windows: the precomputed
columns run over an instrument's loaded rows, and a window that is not precomputed may begin before the day when it ends at the
buy row (`-1` in sell text). Look-backs and other windows stay within their day. An instrument that is not there every day reaches
further, in trading days, than one that is; hence a matrix of days besides the one number.

Not counted, because they are no rows of another day: the rounding that online sums carry along (§1.5), and columns that the
exchange defines against the day before (등락율, 전일비, 전일동시간비, 거래대금증감). An embargo covers those who mind.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from stom_ray.conditions.emit_windows import loadable_lengths
from stom_ray.conditions.faults import role
from stom_ray.conditions.ir import Call, Const, Expr, Program, Strategy, Unary, Var, Window
from stom_ray.conditions.printer import print_expr
from stom_ray.conditions.traversal import expressions
from stom_ray.engine.bind import WEIGHTING_ANGLE
from stom_ray.engine.types import EngineConfig
from stom_ray.errors import ConfigError
from stom_ray.metrics.batch import trading_days
from stom_ray.search.space import Choice, Space
from stom_ray.store.panel import Panel, Selection
from stom_ray.validation.splits import Bools, DayReach, Ints

NEVER_OVERNIGHT = "positions never outlive their day"


@dataclass(frozen=True)
class _Reader:
    """A window as some candidate may read it.

    length: rows; None, any that the day allows. first: the earliest place in the day of its last row, 0 is the day's first row.
    after: rows of the day between that row and the one that is evaluated, at least. loaded: precomputed over the loaded rows,
    else over the selected ones. what: for the reason.
    """

    length: int | None
    first: int
    after: int
    loaded: bool
    what: str


def day_reach(strategy: Strategy, selection: Selection, config: EngineConfig, space: Space | None = None) -> DayReach:
    """Which days' rows the decisions of which days read, over the trading days of what is loaded.

    space: what `self.vars` may be; needed when scripts or gate read them. Every window counts as read wherever the day's rows and
    the gate allow, whether or not the script comes to it; one that has not filled is NaN and reads nothing. Raises ConfigError
    without a space that is needed, or with too few variables.
    """
    needed = max(strategy.n_vars, 1 if config.gate_var0 else 0)
    if needed > (0 if space is None else len(space.variables)):
        raise ConfigError(
            f"the scripts read self.vars[0] to self.vars[{needed - 1}]: pass a space of at least {needed} variables"
        )
    days = trading_days(selection.loaded)
    reads = np.zeros((len(days), len(days)), dtype=np.bool_)
    furthest, reason = 0, f"0 days: {NEVER_OVERNIGHT}, and no window is read before all its rows are of one day"
    for reader in dict.fromkeys(_readers(strategy, config, space)):
        panel = selection.loaded if reader.loaded else selection.selected
        own, earliest = _sessions_read(reader, selection)
        day = np.searchsorted(days, panel.session_day)
        for back in range(1, int((own - earliest).max(initial=0)) + 1):
            there = own[own - earliest >= back]
            reads[day[there], day[there - back]] = True
        span = day[own] - day[earliest]
        if len(span) and span.max() > furthest:
            furthest, most = int(span.max()), int(np.argmax(span))
            reason = _reason(furthest, reader, panel, int(own[most]), int(earliest[most]))
    return DayReach(days, reads, reason)


def _reason(n_days: int, reader: _Reader, panel: Panel, own: int, earliest: int) -> str:
    code = panel.codes[int(panel.session_code[own])]
    return (
        f"{n_days} {'day' if n_days == 1 else 'days'}: {NEVER_OVERNIGHT}, but {reader.what} may end on row {reader.first + 1} of "
        f"a day; for {code} on {panel.session_day[own]} it then begins on {panel.session_day[earliest]}"
    )


def _sessions_read(reader: _Reader, selection: Selection) -> tuple[Ints, Ints]:
    """(sessions whose windows begin in an earlier one, the earliest of those), both of the panel that the window runs over."""
    selected = selection.selected
    n_rows = np.diff(selected.offsets)
    if reader.loaded:
        panel, start = selection.loaded, selection.rows[selected.offsets[:-1]]
    else:
        panel, start = selected, selected.offsets[:-1]
    own = np.searchsorted(panel.offsets, start, side="right") - 1
    instrument = panel.instrument_offsets[panel.session_code[own]]
    length = n_rows if reader.length is None else np.full(len(n_rows), reader.length)
    end = np.maximum(start + reader.first, instrument + length - 1)
    earliest = np.searchsorted(panel.offsets, end - length + 1, side="right") - 1
    read: Bools = (end <= start + n_rows - 2 - reader.after) & (earliest < own)
    if not reader.loaded:
        read &= length <= n_rows
    return own[read], earliest[read]


def _readers(strategy: Strategy, config: EngineConfig, space: Space | None) -> Iterator[_Reader]:
    for gate in _gates(config, space):
        possible = _Possible(space, gate if config.gate_var0 else None)
        # The first row that each text is evaluated on; a sale is never considered on the row of the buy.
        texts: list[tuple[str, Program, int]] = [("buy", strategy.buy, gate - 1), ("sell", strategy.sell, gate)]
        texts += [(f"elapsed:{name}", program, 0) for name, program in strategy.elapsed]
        for text, program, evaluated in texts:
            for node in expressions(program):
                if isinstance(node, Window):
                    yield from _of_window(node, text, evaluated, gate, possible, config)
        if any(one.weighting.mode in (2, 3) for one in config.alone) and WEIGHTING_ANGLE in config.loaded_lengths:
            yield _Reader(WEIGHTING_ANGLE, gate - 1, 0, True, f"the angle of {WEIGHTING_ANGLE} rows that betting weights go by")


def _of_window(
    node: Window, text: str, evaluated: int, gate: int, possible: _Possible, config: EngineConfig
) -> Iterator[_Reader]:
    lengths, backs = possible.values(node.length), possible.values(node.pre)
    precomputed = loadable_lengths(node.function, config.loaded_lengths)
    raw: Iterable[int | None] = [None] if lengths is None else sorted(lengths - set(precomputed))
    selling = text == "sell"
    for length in precomputed if lengths is None else sorted(lengths & set(precomputed)):
        what = f"{node.function}({length}) of the {role(text)} (line {node.at.line})"
        if backs is None:
            yield _Reader(length, 0, 0, True, what)
            continue
        for back in sorted(backs):
            if back >= 0:
                yield _Reader(length, max(evaluated - back, 0), back, True, what)
            elif back == -1 and selling:
                yield _Reader(length, gate - 1, 1, True, what)
    if selling and (backs is None or -1 in backs):
        for other in raw:
            what = f"{node.function}({print_expr(node.length)}, -1) of the sell text (line {node.at.line})"
            yield _Reader(other, gate - 1, 1, False, what)


def _gates(config: EngineConfig, space: Space | None) -> list[int]:
    """Every 데이터길이 from which a candidate may decide."""
    if not config.gate_var0 or space is None:
        return [config.avgtime]
    first = space.variables[0]
    if not isinstance(first, Choice):
        return [max(1, math.ceil(min(first.low, first.present)))]
    return sorted({max(1, math.ceil(value)) for value in (*first.values, first.present)})


@dataclass(frozen=True)
class _Possible:
    """What expressions of parameters may be. gate: the value of self.vars[0] where that is the gate, else None."""

    space: Space | None
    gate: int | None

    def values(self, node: Expr) -> set[int] | None:
        """Whole numbers, or None: anything. What is no whole number is no window and no look-back."""
        match node:
            case Const(value=value) if isinstance(value, int | float):
                return _whole([value])
            case Unary(op="-", operand=Const(value=value)) if isinstance(value, int | float):
                return _whole([-value])
            case Var(index=index):
                return self._of_variable(index)
            case Call(function="int", arguments=(Var(index=index),)):
                return self._of_variable(index, truncated=True)
        return None

    def _of_variable(self, index: int, *, truncated: bool = False) -> set[int] | None:
        assert self.space is not None
        variable = self.space.variables[index]
        if not isinstance(variable, Choice):
            return None
        if index == 0 and self.gate is not None:
            return {self.gate}
        values = [*variable.values, variable.present]
        return _whole([math.trunc(value) for value in values] if truncated else values)


def _whole(values: Iterable[int | float]) -> set[int]:
    return {int(value) for value in values if value == int(value)}
