"""Whatever the config: what every STOM table promises holds."""

import sqlite3
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stom_ray.schema import LAYOUTS, detect_layout, tick_units
from stom_ray.simulate import Edge, SimulateConfig, Term, simulate

shares = st.sampled_from([0.0, 0.1, 0.5, 1.0])
edges = st.builds(
    Edge,
    terms=st.lists(
        st.sampled_from([Term("strength", 100), Term("buy_ratio", 1.5), Term("rate_angle", 1, False, 20), Term("rate", 0.5)]),
        min_size=1, max_size=3,
    ).map(tuple),
    strength_bps=st.floats(-200, 200),
    horizon_s=st.integers(20, 60),
    form=st.sampled_from(["steady", "episode"]),
)  # fmt: skip


@st.composite
def configs(draw: st.DrawFn) -> SimulateConfig:
    layout = draw(st.sampled_from(sorted(LAYOUTS)))
    return SimulateConfig(
        codes=draw(st.integers(1, 4)), days=draw(st.integers(1, 3)), seed=draw(st.integers(0, 2**63)), layout=layout,
        edge=None if layout == "minute_v1" else draw(st.none() | edges),
        start=draw(st.sampled_from([20211230, 20230120, 20240226, 20261020])),
        begin=draw(st.sampled_from([90000, 90100, 93000])), end=draw(st.sampled_from([93200, 94000])),
        volatility=draw(st.floats(0.1, 20)), tail_df=draw(st.floats(2.1, 30)), common=draw(st.floats(0, 0.9)),
        missing_seconds=draw(shares), missing_days=draw(shares), late_starts=draw(shares), early_stops=draw(shares),
        thin_codes=draw(shares), limit_sessions=draw(shares),
    )  # fmt: skip


def check_rows(rows: pd.DataFrame, config: SimulateConfig, day: int) -> None:
    price, ask, bid = rows["현재가"].to_numpy(), rows["매도호가1"].to_numpy(), rows["매수호가1"].to_numpy()
    assert np.all(price % tick_units(price, day) == 0)
    assert np.all((price == ask) | (price == bid))
    assert np.all((ask > bid) | (ask == 0) | (bid == 0))
    assert np.all((rows["저가"] <= price) & (price <= rows["고가"]))
    assert np.all(np.abs(rows["등락율"]) <= 30)
    assert np.all(np.diff(rows["index"]) > 0)
    assert np.all(np.diff(rows["당일거래대금"]) >= 0)
    scale = 100 if config.layout == "minute_v1" else 1
    clock = rows["index"].to_numpy() * scale % 1_000_000
    assert np.all((clock >= config.begin // 100 * 100) & (clock <= config.end))


@given(configs())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_config_gives_tables_that_hold_together(config: SimulateConfig) -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = simulate(Path(folder) / "market.db", config)
        db = sqlite3.connect(Path(folder) / "market.db")
        tables = {code: pd.read_sql(f'SELECT * FROM "{code}"', db) for code in report.codes}
        db.close()
    assert sum(map(len, tables.values())) == report.rows
    for table in tables.values():
        assert detect_layout(table.columns) == config.layout
        assert np.isfinite(table.to_numpy(dtype=float)).all()
        digits = 10_000 if config.layout == "minute_v1" else 1_000_000
        for day, rows in table.groupby(table["index"] // digits):
            assert day in report.days
            check_rows(rows, config, int(day))
