import re

import pytest

from stom_ray.errors import ConfigError
from stom_ray.simulate import Edge, SimulateConfig, Term


def test_trading_days_are_weekdays_from_the_start() -> None:
    assert SimulateConfig(days=4, start=20230119).trading_days == (20230119, 20230120, 20230123, 20230124)


def test_a_start_on_a_weekend_moves_to_monday() -> None:
    assert SimulateConfig(days=1, start=20230121).trading_days == (20230123,)


def test_seven_tenths_of_the_codes_are_ranked_unless_told() -> None:
    assert SimulateConfig(codes=10).ranked_codes == 7
    assert SimulateConfig(codes=1).ranked_codes == 1
    assert SimulateConfig(codes=10, ranked=2).ranked_codes == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"codes": 0}, "codes is 0"),
        ({"days": 0}, "days is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"ranked": 11}, "ranked is 11 of 10 codes"),
        ({"layout": "tick_v3"}, "minute_v1, tick_v1, tick_v2"),
        ({"start": 20230230}, "start is 20230230"),
        ({"begin": 85900}, "90000 <= begin < end <= 152000"),
        ({"begin": 93000, "end": 91000}, "90000 <= begin < end <= 152000"),
        ({"end": 96100}, "end is 96100: expected a time of day"),
        ({"missing_days": 1.5}, "missing_days is 1.5"),
        ({"common": 1.0}, "common is 1.0"),
        ({"tail_df": 2.0}, "tail_df is 2.0"),
        ({"volatility": 0.0}, "volatility is 0.0"),
        ({"layout": "minute_v1", "end": 90100}, "is 61 s: a minute layout needs at least 120"),
    ],
)
def test_a_setting_that_cannot_be_run_is_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        SimulateConfig(**settings)  # type: ignore[arg-type]


def test_too_many_rows_are_refused_with_the_arithmetic() -> None:
    with pytest.raises(ConfigError, match=re.escape("900,500,000 rows from 1000 codes × 500 days × 1801 s exceed 200,000,000")):
        SimulateConfig(codes=1000, days=500)


def test_an_edge_longer_than_the_session_is_refused_with_the_arithmetic() -> None:
    edge = Edge((Term("strength", 110),), 50, 100)
    with pytest.raises(ConfigError, match="30 rows before and 100 s after its condition, 130 in all, but a session is 121 s"):
        SimulateConfig(end=90200, edge=edge)


def test_an_edge_cannot_be_planted_in_minutes() -> None:
    with pytest.raises(ConfigError, match="minute_v1"):
        SimulateConfig(layout="minute_v1", edge=Edge((Term("strength", 110),), 50, 100))


def test_the_config_as_plain_values_names_the_edge_by_its_short_form() -> None:
    values = SimulateConfig(edge=Edge((Term("strength", 110.0),), 50.0, 100)).to_dict()
    assert values["edge"] == "50.0bp/100s/steady strength>110.0"
    assert values["codes"] == 10
