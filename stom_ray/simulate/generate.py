"""From a configuration to a STOM database."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from stom_ray.simulate import session_kernel as kernel
from stom_ray.simulate.columns import minute_columns, tick_columns
from stom_ray.simulate.config import SimulateConfig
from stom_ray.simulate.database import DatabaseWriter
from stom_ray.simulate.market import SessionRows, market_days, stock_days
from stom_ray.simulate.ranking import rank_day
from stom_ray.simulate.report import SimulateReport
from stom_ray.simulate.tape import MarketDay, profiles


def simulate(path: str | Path, config: SimulateConfig | None = None, *, overwrite: bool = False) -> SimulateReport:
    """Writes the simulated market to `path`, a STOM database. The same config gives the same tables, byte for byte.

    One day of all stocks is in memory at a time. Raises StoreError when `path` exists (unless overwrite) or cannot be written;
    then nothing is left behind.
    """
    config, started = config or SimulateConfig(), time.perf_counter()
    stocks, shared = profiles(config), market_days(config)
    streams = [stock_days(config, index, profile, shared) for index, profile in enumerate(stocks)]
    counts: Counter[str] = Counter()
    with DatabaseWriter(Path(path), stocks, config.layout, overwrite=overwrite) as writer:
        for market, *sessions in zip(shared[1:], *streams, strict=True):
            counts += _write_day(config, writer, market, sessions)
    return SimulateReport(
        path=str(path),
        config=config,
        codes=tuple(profile.code for profile in stocks),
        days=config.trading_days,
        content_hash=writer.content_hash,
        seconds=time.perf_counter() - started,
        **{name: counts[name] for name in _COUNTS},
    )


_COUNTS = ("rows", "sessions", "moneytop_rows", "halts", "locked_seconds", "triggers", "fired_rows")


def _write_day(config: SimulateConfig, writer: DatabaseWriter, market: MarketDay, sessions: list[SessionRows]) -> Counter[str]:
    """Ranks and writes one day; returns its counts."""
    member, ranking = rank_day(config, sessions, market)
    counts = Counter(moneytop_rows=writer.ranking(ranking))
    for session, ranked in zip(sessions, member, strict=True):
        minute = config.layout == "minute_v1"
        columns = minute_columns(session, ranked) if minute else tick_columns(session, ranked, config.layout)
        counts["rows"] += writer.session(session.profile.code, columns)
        counts["sessions"] += bool(len(session.raw))
        counts["halts"] += session.halts
        counts["locked_seconds"] += session.locked_seconds
        counts["triggers"] += session.triggers
        counts["fired_rows"] += int(session.raw[:, kernel.FIRED].sum())
    return counts
