"""What is the matter with a table, in one pass a column: compiled code that runs without Python's lock.

A double is judged by its bits as an integer: without its sign it is above infinity's bits when NaN, equal when infinite, 0 when
zero. Integers are compared several at a time, and comparing doubles would treat NaN differently from compiler to compiler.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stom_ray.machine_code import njit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MAGNITUDE = np.int64(0x7FFF_FFFF_FFFF_FFFF)
_INFINITY = np.int64(0x7FF0_0000_0000_0000)
_MONTH_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int64)


@njit(cache=True, nogil=True)
def column_counts(bits: Ints) -> tuple[int, int, int, int]:
    """(NaN, infinite, below zero, zero) of a column's doubles, given as integers of the same bits."""
    nan, infinite, negative, zero = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    for at in range(len(bits)):  # of this form the compiler makes vector instructions, of one over the words it does not
        word = bits[at]
        size = word & _MAGNITUDE
        nan += np.int64(size > _INFINITY)
        infinite += np.int64(size == _INFINITY)
        zero += np.int64(size == 0)
        negative += np.int64((word < 0) & (size > 0) & (size <= _INFINITY))
    return int(nan), int(infinite), int(negative), int(zero)


@njit(cache=True, nogil=True)
def clock_counts(clock: Ints, longest_gap: int, first_year: int, last_year: int) -> tuple[int, int, int]:
    """(clocks that are no date and time, steps that do not go forward, gaps of more than `longest_gap` seconds inside a day)."""
    bad, back, gaps = 0, 0, 0
    today, known = np.int64(-1), False
    before, seconds_before = np.int64(0), np.int64(0)
    for at in range(len(clock)):
        day, second = clock[at] // 1_000_000, clock[at] % 1_000_000
        hour, minute, rest = second // 10_000, second // 100 % 100, second % 100
        same = at > 0 and day == today
        if not same:
            today = day
            known = clock[at] > 0 and _is_date(day, first_year, last_year)
        bad += not (known and hour < 24 and minute < 60 and rest < 60)
        seconds = hour * 3600 + minute * 60 + rest
        back += at > 0 and clock[at] <= before
        gaps += same and seconds - seconds_before > longest_gap
        before, seconds_before = clock[at], seconds
    return bad, back, gaps


@njit(cache=True, nogil=True)
def _is_date(day: Any, first_year: int, last_year: int) -> bool:
    year, month, date = day // 10_000, day // 100 % 100, day % 100
    if month < 1 or month > 12 or year < first_year or year > last_year:
        return False
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return bool(1 <= date <= _MONTH_DAYS[month] + leap)


@njit(cache=True, nogil=True)
def crossed_rows(bid: Floats, ask: Floats) -> int:
    """Rows whose best bid is at or above the best ask, where there is an ask."""
    count = 0
    for at in range(len(bid)):
        count += bid[at] >= ask[at] and ask[at] > 0
    return count
