"""A simulated market as a panel, without a database in between."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from stom_ray.errors import ConfigError
from stom_ray.simulate.columns import clocks, tick_columns
from stom_ray.simulate.config import SimulateConfig
from stom_ray.simulate.market import SessionRows, market_days, stock_days
from stom_ray.simulate.ranking import RANKING_FROM_S, rank_day
from stom_ray.simulate.tape import profiles
from stom_ray.store.panel import Floats, Ints, Panel


def simulated_panel(config: SimulateConfig, columns: Iterable[str]) -> Panel:
    """What `store.load.load_panel` makes of the database that `simulate` writes for this config, with these columns only.

    columns: names of the layout. Asking the panel for another one raises SchemaError. ConfigError for minute_v1.
    """
    if config.layout == "minute_v1":
        raise ConfigError("simulated_panel makes ticks: choose tick_v1 or tick_v2, or write a database")
    wanted = tuple(columns)
    stocks, shared = profiles(config), market_days(config)
    streams = [stock_days(config, index, profile, shared) for index, profile in enumerate(stocks)]
    parts: list[list[tuple[int, Ints, dict[str, Floats]]]] = [[] for _ in stocks]
    ranking: list[Ints] = []
    for market, *sessions in zip(shared[1:], *streams, strict=True):
        member, _ = rank_day(config, sessions, market)
        ranked_seconds = np.flatnonzero(member.any(axis=0))
        ranking.append(clocks(sessions[0].day, ranked_seconds[ranked_seconds >= RANKING_FROM_S]))
        for part, session, ranked in zip(parts, sessions, member, strict=True):
            # STOM's loading rule: the day counts when the ranking names the stock.
            if ranked.any() and len(session.raw):
                part.append(_rows(session, ranked, config.layout, wanted))
    return _joined(config, [profile.code for profile in stocks], parts, np.concatenate(ranking), wanted)


def _rows(session: SessionRows, ranked: np.ndarray, layout: str, wanted: tuple[str, ...]) -> tuple[int, Ints, dict[str, Floats]]:
    found = tick_columns(session, ranked, layout)
    return session.day, np.asarray(found["index"]), {name: np.asarray(found[name], dtype=np.float64) for name in wanted}


def _joined(
    config: SimulateConfig,
    codes: list[str],
    parts: list[list[tuple[int, Ints, dict[str, Floats]]]],
    ranking_clock: Ints,
    wanted: tuple[str, ...],
) -> Panel:
    """codes: sorted; one part each."""
    named = [(code, part) for code, part in zip(codes, parts, strict=True) if part]
    flat = [one for _, part in named for one in part]
    sizes = [len(clock) for _, clock, _ in flat]
    return Panel(
        codes=tuple(code for code, _ in named),
        session_code=np.repeat(np.arange(len(named), dtype=np.int64), [len(part) for _, part in named]),
        session_day=np.array([day for day, _, _ in flat], dtype=np.int64),
        offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        clock=np.concatenate([clock for _, clock, _ in flat]),
        ranking_clock=ranking_clock,
        layout=config.layout,
        columns={name: np.concatenate([columns[name] for _, _, columns in flat]) for name in wanted},
    )
