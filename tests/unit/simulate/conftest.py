"""Small simulated markets, written once a module, read back as they stand in the file."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from stom_ray.simulate import SimulateConfig, SimulateReport, simulate

# Crosses the ladder change of 2023-01-25, has halts, a locked limit, thin books and every kind of hole.
RICH = SimulateConfig(
    codes=6, days=6, seed=12, start=20230120, volatility=6.0, limit_sessions=0.2, thin_codes=0.34, missing_days=0.1,
    late_starts=0.2, early_stops=0.2, missing_seconds=0.1, layout="tick_v2",
)  # fmt: skip


class Market:
    """A written database: `sessions` is a list of (code, day, frame in rowid order)."""

    def __init__(self, path: Path, report: SimulateReport) -> None:
        self.path, self.report = path, report
        with sqlite3.connect(path) as db:
            self.tables = {code: pd.read_sql(f'SELECT * FROM "{code}"', db) for code in report.codes}
            self.moneytop = pd.read_sql("SELECT * FROM moneytop", db)
            self.stockinfo = pd.read_sql("SELECT * FROM stockinfo", db)
            self.schema = dict(db.execute("SELECT name, sql FROM sqlite_master").fetchall())
        db.close()
        digits = 10_000 if report.config.layout == "minute_v1" else 1_000_000
        self.sessions = [
            (code, int(day), frame.reset_index(drop=True))
            for code, table in self.tables.items()
            for day, frame in table.groupby(table["index"] // digits)
        ]


@pytest.fixture(scope="session")
def make_market(tmp_path_factory: pytest.TempPathFactory) -> Callable[[SimulateConfig], Market]:
    made: dict[SimulateConfig, Market] = {}

    def make(config: SimulateConfig) -> Market:
        if config not in made:
            path = tmp_path_factory.mktemp("market") / "stock_tick_back.db"
            made[config] = Market(path, simulate(path, config))
        return made[config]

    return make


@pytest.fixture(scope="session")
def rich(make_market: Callable[[SimulateConfig], Market]) -> Market:
    return make_market(RICH)
