"""`moneytop`: which stocks were traded most, second by second."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stom_ray.simulate import session_kernel as kernel
from stom_ray.simulate.columns import clocks
from stom_ray.simulate.config import SimulateConfig
from stom_ray.simulate.market import SessionRows
from stom_ray.simulate.tape import MarketDay

Bools = NDArray[np.bool_]

RANKING_WINDOW_S = 60
RANKING_FROM_S = 30  # 09:00:30


def trailing_value(value_at: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) KRW traded in the RANKING_WINDOW_S seconds up to and including each second."""
    total = np.cumsum(value_at)
    before = np.concatenate([np.zeros(min(RANKING_WINDOW_S, len(total))), total[:-RANKING_WINDOW_S]])
    return np.asarray(total - before, dtype=np.float64)


def rank_day(config: SimulateConfig, sessions: Sequence[SessionRows], market: MarketDay) -> tuple[Bools, list[tuple[int, str]]]:
    """Membership (n_codes, n) by second from 09:00, and the rows of `moneytop` of the day.

    A stock takes part from its first to its last row of the day; in each second the `ranked_codes` with the most value over the
    last minute are in, most first. A second in which the collector did not run has no row, nor has one without any stock.
    """
    n = config.last_second + 1
    values = np.array([trailing_value(session.value_at) for session in sessions])
    for value, session in zip(values, sessions, strict=True):
        seconds = session.raw[:, kernel.SECOND]
        if len(seconds):
            value[: int(seconds[0])] = value[int(seconds[-1]) + 1 :] = -1.0
        else:
            value[:] = -1.0
    order = np.argsort(-values, axis=0, kind="stable")[: config.ranked_codes]
    rank = np.take_along_axis(values, order, axis=0) > 0
    open_now = market.seen & (np.arange(n) >= max(RANKING_FROM_S, config.first_second))
    rank &= open_now
    member = np.zeros(values.shape, dtype=np.bool_)
    np.put_along_axis(member, order, rank, axis=0)
    seconds_in = np.flatnonzero(rank.any(axis=0))
    at = clocks(sessions[0].day, seconds_in)
    codes = np.array([session.profile.code for session in sessions])
    names = [";".join(codes[order[rank[:, second], second]].tolist()) for second in seconds_in.tolist()]
    if config.layout != "minute_v1":
        return member, list(zip(at.tolist(), names, strict=True))
    return member, list(dict(zip((at // 100).tolist(), names, strict=True)).items())
