"""A market as a panel is the market that the database holds; without a spread, trading is a fair game."""

import numpy as np
import pytest

from stom_ray.errors import ConfigError, SchemaError
from stom_ray.schema import LAYOUTS
from stom_ray.simulate import SimulateConfig, simulate
from stom_ray.simulate.panel import simulated_panel
from stom_ray.store.load import load_panel


@pytest.mark.parametrize(
    "config",
    [
        SimulateConfig(codes=5, days=4, seed=3, end=90400, missing_days=0.3, late_starts=0.5, ranked=1),
        SimulateConfig(codes=2, days=2, seed=4, end=90300, layout="tick_v2", spread=False),
    ],
)
def test_a_panel_equals_the_one_loaded_from_the_database(config, tmp_path) -> None:
    columns = [name for name in LAYOUTS[config.layout].columns if name != "index"]
    simulate(tmp_path / "market.db", config)
    loaded, made = load_panel(tmp_path / "market.db"), simulated_panel(config, columns)
    assert (made.codes, made.layout) == (loaded.codes, loaded.layout)
    for name in ("session_code", "session_day", "offsets", "clock", "ranking_clock"):
        np.testing.assert_array_equal(getattr(made, name), getattr(loaded, name))
        assert getattr(made, name).dtype == getattr(loaded, name).dtype
    for name in columns:
        np.testing.assert_array_equal(made.column(name), loaded.column(name), err_msg=name)


def test_a_panel_has_the_columns_asked_for_and_no_minutes() -> None:
    panel = simulated_panel(SimulateConfig(codes=1, days=1, end=90200), ["현재가"])
    with pytest.raises(SchemaError, match="체결강도"):
        panel.column("체결강도")
    with pytest.raises(ConfigError, match="makes ticks"):
        simulated_panel(SimulateConfig(codes=1, days=1, layout="minute_v1"), ["현재가"])


def test_without_a_spread_both_sides_stand_at_one_price_and_a_round_trip_earns_nothing() -> None:
    config = SimulateConfig(codes=6, days=60, seed=9, end=90300, spread=False, ranked=6, limit_sessions=0.0)
    panel = simulated_panel(config, ["매도호가1", "매수호가1"])
    ask, bid = panel.column("매도호가1"), panel.column("매수호가1")
    two_sided = (ask > 0) & (bid > 0)
    assert two_sided.mean() > 0.99
    np.testing.assert_array_equal(ask[two_sided], bid[two_sided])
    first, last = panel.offsets[:-1] + 40, panel.offsets[1:] - 1
    kept = (last > first) & two_sided[np.minimum(first, len(ask) - 1)] & two_sided[last]
    gain = bid[last[kept]] / ask[first[kept]] - 1
    # The common factor makes stocks of a day alike: days are the sample.
    by_day = np.array([gain[panel.session_day[kept] == day].mean() for day in panel.days])
    assert abs(by_day.mean()) < 3.5 * by_day.std() / np.sqrt(len(by_day))


def test_with_a_spread_buyers_pay_more_than_sellers_get() -> None:
    panel = simulated_panel(SimulateConfig(codes=2, days=3, seed=9, end=90300), ["매도호가1", "매수호가1"])
    ask, bid = panel.column("매도호가1"), panel.column("매수호가1")
    assert (ask > bid)[(ask > 0) & (bid > 0)].all()
