"""What a model is asked to foretell, with the row at which it is known, so that a purge can be exact.

A label of row i may read rows i to end_row[i] and nothing behind; end_row is the row whose arrival settles the value, and also
whether there is one. Labels never leave their session. `entry_labels` has those that the engine's own fills decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions.rows import seconds_of_all
from stom_ray.errors import ConfigError
from stom_ray.machine_code import njit
from stom_ray.schema.costs import cost_model
from stom_ray.store.panel import Floats, Ints, Panel

Kind = Literal["class", "return"]
NEVER = np.iinfo(np.int64).max  # the clock at which the label of a row that has none is known, as the audit takes it
UP, FLAT, DOWN = 1.0, 0.0, -1.0
BREAK_S = 600


@dataclass(frozen=True)
class Labels:
    """One label a row of a panel.

    name: ASCII, with its horizon or barriers. value: (n_rows,) float64, NaN where there is none; classes are whole numbers,
    returns are %. end_row: (n_rows,) int64, the row at which the label is known: not before the row, within its session; the row
    itself where there is no label. Raises ConfigError for arrays of other shapes.
    """

    name: str
    value: Floats
    end_row: Ints
    kind: Kind

    def __post_init__(self) -> None:
        if self.value.ndim != 1 or self.end_row.shape != self.value.shape:
            raise ConfigError(
                f"labels {self.name}: value has shape {self.value.shape}, end_row {self.end_row.shape}: expected (n_rows,) both"
            )

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n_rows,) rows that have a label."""
        return ~np.isnan(self.value)

    def known_at(self, panel: Panel) -> Ints:
        """(n_rows,) clock (yyyymmddhhmmss) from which each label is known; NEVER where there is none. For purge and audit."""
        return np.where(self.known, panel.clock[self.end_row], NEVER)


def best_price(panel: Panel, side: str) -> Floats:
    """(n_rows,) KRW of the best level, side 매도 or 매수; NaN where its price or size is NULL or not positive, as in a fill.

    At a price limit the empty side may still show a price (real data does: a bid above the ask), but no size.
    """
    price, size = panel.column(f"{side}호가1"), panel.column(f"{side}잔량1")
    return np.where((price > 0) & (size > 0), price, np.nan)


def mid_price(panel: Panel) -> Floats:
    """(n_rows,) KRW, (매도호가1 + 매수호가1) / 2; NaN where a side is empty."""
    return (best_price(panel, "매도") + best_price(panel, "매수")) / 2


def mid_return(panel: Panel, horizon_s: int, *, break_s: int = BREAK_S) -> Labels:
    """What the mid gains: 100 · (mid' / mid - 1) %, mid' of the last row at or before clock + horizon.

    Rows need not be a second apart. A row whose session, or stretch of it, ends before clock + horizon has none; no other one's
    mid is taken where that row's is NaN. Known at the first row at or after clock + horizon: only then can no later row be the
    last one. Raises ConfigError for a horizon or a break below 1 s.
    """
    mid = mid_price(panel)
    exit_row, end_row = _horizon(panel, horizon_s, break_s)
    return _returns(f"mid_return_{horizon_s}s", mid[exit_row] / mid * 100.0 - 100.0, end_row)


def taker_return(panel: Panel, horizon_s: int, costs: str, *, break_s: int = BREAK_S) -> Labels:
    """What is left of a share bought at the best ask and sold at the best bid of the row of `mid_return`, after costs.

    100 · (bid' · (1 - tax - fee) / ask - 1 - fee) %. The rates are the cost model's on the row's day; what it rounds to whole KRW
    depends on the size of an order and is left to `entry_labels`, as is a book too thin for the order. NaN where that ask or
    that bid is not there. costs: as `EngineConfig.costs`. Raises ConfigError as `mid_return` and `cost_model`.
    """
    ask, bid = best_price(panel, "매도"), best_price(panel, "매수")
    exit_row, end_row = _horizon(panel, horizon_s, break_s)
    models = [cost_model(costs, int(day)) for day in panel.session_day]
    tax, fee = np.repeat(
        np.array([(one.tax_rate, one.fee_rate) for one in models]).reshape(-1, 2), np.diff(panel.offsets), axis=0
    ).T
    return _returns(f"taker_return_{horizon_s}s", 100.0 * (bid[exit_row] * (1.0 - tax - fee) / ask - 1.0 - fee), end_row)


def next_move(panel: Panel, *, break_s: int = BREAK_S) -> Labels:
    """Where the mid goes next: 1 up, -1 down, known at the first row of the session on which it differs.

    None where it never does before the session's or stretch's end, and where the row has no mid; rows without a mid are passed
    over.
    """
    mid = mid_price(panel)
    moves = np.empty(panel.n_rows, dtype=np.int64)
    first_move(mid, _stretches(panel, _seconds(panel), break_s), moves)
    moved = moves >= 0
    value = np.where(moved, np.sign(mid[moves] - mid), np.nan)
    return Labels("next_move", value, np.where(moved, moves, np.arange(panel.n_rows)), "class")


def move_within(panel: Panel, horizon_s: int, *, break_s: int = BREAK_S) -> Labels:
    """The first move of the mid within the horizon: 1 up, -1 down, 0 when it stands still.

    None where the session or stretch ends before clock + horizon, moved or not, or only moves would be left near its end; so all
    are known at the first row at or after clock + horizon. Raises ConfigError as `mid_return`.
    """
    mid = mid_price(panel)
    exit_row, end_row = _horizon(panel, horizon_s, break_s)
    moves = np.empty(panel.n_rows, dtype=np.int64)
    first_move(mid, panel.offsets, moves)
    value = np.where((moves >= 0) & (moves <= exit_row), np.sign(mid[moves] - mid), FLAT)
    value[np.isnan(mid)] = np.nan
    return _ended(f"move_within_{horizon_s}s", value, end_row, "class")


def _returns(name: str, value: Floats, end_row: Ints) -> Labels:
    return _ended(name, value, end_row, "return")


def _ended(name: str, value: Floats, end_row: Ints, kind: Kind) -> Labels:
    """None where the session is too short (end_row -1)."""
    value = np.where(end_row >= 0, value, np.nan)
    return Labels(name, value, np.where(np.isnan(value), np.arange(len(value)), end_row), kind)


def _horizon(panel: Panel, horizon_s: int, break_s: int) -> tuple[Ints, Ints]:
    """(n_rows,) each: the last row at or before clock + horizon, and the first at or after it, -1 when the stretch has none."""
    if horizon_s < 1:
        raise ConfigError(f"horizon_s is {horizon_s}: expected at least 1 second")
    exit_row, end_row = (np.empty(panel.n_rows, dtype=np.int64) for _ in range(2))
    seconds = _seconds(panel)
    rows_after(seconds, _stretches(panel, seconds, break_s), float(horizon_s), exit_row, end_row)
    return exit_row, end_row


def _seconds(panel: Panel) -> Floats:
    return seconds_of_all(panel.clock.astype(np.float64))


def _stretches(panel: Panel, seconds: Floats, break_s: int) -> Ints:
    """(n_stretches + 1,) first row of each stretch of a session without a pause; the last is n_rows."""
    if break_s < 1:
        raise ConfigError(f"break_s is {break_s}: expected at least 1 second")
    pauses = np.flatnonzero(np.diff(seconds) > break_s) + 1
    return np.union1d(panel.offsets, pauses)


@njit(cache=True, error_model="numpy", nogil=True)
def rows_after(seconds: Floats, offsets: Ints, span: float, exit_row: Ints, end_row: Ints) -> None:
    """Fills exit_row and end_row as `_horizon` has them. seconds: (n_rows,), not falling within a session."""
    for s in range(len(offsets) - 1):
        last = offsets[s]
        for i in range(offsets[s], offsets[s + 1]):
            until = seconds[i] + span
            last = max(last, i)
            while last + 1 < offsets[s + 1] and seconds[last + 1] <= until:
                last += 1
            exit_row[i] = last
            if seconds[last] >= until:
                end_row[i] = last
            else:
                end_row[i] = last + 1 if last + 1 < offsets[s + 1] else -1


@njit(cache=True, error_model="numpy", nogil=True)
def first_move(mid: Floats, offsets: Ints, moves: Ints) -> None:
    """Fills moves (n_rows,): the first later row of the session whose mid is another one; -1 without one or without a mid."""
    for s in range(len(offsets) - 1):
        following = -1  # the next row that has a mid
        for i in range(offsets[s + 1] - 1, offsets[s] - 1, -1):
            moves[i] = -1
            if np.isnan(mid[i]):
                continue
            if following >= 0:
                moves[i] = moves[following] if mid[following] == mid[i] else following
            following = i
