from itertools import pairwise

import numpy as np
import pytest

from stom_ray.simulate import Edge, SimulateConfig, Term
from stom_ray.simulate import session_kernel as kernel
from stom_ray.simulate.market import Yesterday, market_days, session_input, stock_days, trading_calendar
from stom_ray.simulate.tape import activity_curve, profiles, session_tape

CONFIG = SimulateConfig(
    codes=2,
    days=2,
    seed=3,
    end=90800,
    volatility=12.0,
    edge=Edge((Term("strength", 100), Term("rate_angle", 2, window=30)), 60, 60),
)


def session(config: SimulateConfig, code: int) -> kernel.Session:
    profile, curve = profiles(config)[code], activity_curve()[: config.last_second + 1]
    before = Yesterday(float(round(profile.price_krw)), 1e10, 1e6, np.cumsum(curve))
    tape = session_tape(config, code, 1, market_days(config)[1])
    return session_input(config, profile, before, tape, trading_calendar(config)[1], curve)


def run(function: object, given: kernel.Session) -> tuple[np.ndarray, ...]:
    n = len(given.base)
    raw, value_at, volume_to = np.zeros((n, kernel.N_RAW)), np.zeros(n), np.zeros(n)
    counters, hidden = function(given, raw, value_at, volume_to)  # type: ignore[operator]
    return raw, value_at, volume_to, counters, np.array([hidden])


@pytest.mark.parametrize("code", [0, 1])
def test_the_compiled_session_equals_the_interpreted_one(code: int) -> None:
    given = session(CONFIG, code)
    for compiled, plain in zip(run(kernel.run_session, given), run(kernel.run_session.py_func, given), strict=True):
        assert np.array_equal(compiled, plain)


def test_poisson_counts_have_their_mean_and_variance() -> None:
    rng = np.random.default_rng(0)
    for mean in (0.3, 4.0, 60.0):
        counts = np.array([kernel.poisson(u, z, mean) for u, z in zip(rng.random(20_000), rng.normal(size=20_000), strict=True)])
        assert counts.mean() == pytest.approx(mean, rel=0.03)
        assert counts.var() == pytest.approx(mean, rel=0.06)


def test_the_quote_keeps_the_expectation_of_the_hidden_price() -> None:
    ladder = np.array([4_990.0, 4_995.0, 5_000.0, 5_010.0, 5_020.0])
    draws = np.linspace(0, 1, 10_001)[:-1]
    for hidden in (4_992.0, 4_997.5, 5_003.0, 5_019.0):
        settled = [ladder[kernel.settle(hidden, 2, ladder, 0, 4, u)] for u in draws]
        assert np.mean(settled) == pytest.approx(hidden, abs=0.01)


def test_days_follow_each_other() -> None:
    config = SimulateConfig(codes=1, days=5, seed=6, end=90500)
    days = list(stock_days(config, 0, profiles(config)[0], market_days(config)))
    assert [day.day for day in days] == list(config.trading_days)
    for before, today in pairwise(days):
        assert np.array_equal(today.yesterday.volume_to, before.volume_to)
        assert abs(today.raw[0, kernel.OPEN] / today.yesterday.close - 1) <= 0.3
