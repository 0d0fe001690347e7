"""The planted edge is there, of its size, and nowhere else: forward returns of the mid price, errors clustered by session."""

import numpy as np
import pandas as pd
import pytest

from stom_ray.simulate import Edge, SimulateConfig, Term

TERMS = (Term("strength", 105.0), Term("buy_ratio", 2.0), Term("rate_angle", 3.0, window=30))
MARKET = {"codes": 8, "days": 10, "seed": 31, "limit_sessions": 0.0, "thin_codes": 0.0}
HORIZON_S = 120


def seconds(clock: pd.Series) -> np.ndarray:
    at = clock.to_numpy() % 1_000_000
    return at // 10_000 * 3600 + at // 100 % 100 * 60 + at % 100


def forward_bps(rows: pd.DataFrame, horizon_s: int) -> np.ndarray:
    """Mid price `horizon_s` seconds later against now, basis points; NaN where the session has no row then."""
    at, mid = seconds(rows["index"]), ((rows["매도호가1"] + rows["매수호가1"]) / 2).to_numpy()
    later = np.searchsorted(at, at + horizon_s)
    there = later < len(at)
    later = np.minimum(later, len(at) - 1)
    there &= at[later] - at <= horizon_s + 5
    return np.where(there, (mid[later] / mid - 1) * 1e4, np.nan)


def holds(rows: pd.DataFrame) -> np.ndarray:
    """TERMS written out by hand, as a check of the generator's own reading of them."""
    rate = rows["등락율"].to_numpy()
    change = np.full(len(rate), np.nan)
    change[29:] = rate[29:] - rate[: max(0, len(rate) - 29)]
    angle = np.round(np.degrees(np.arctan2(change * 5, 30)), 2)
    strength, bought, sold = (rows[name].to_numpy() for name in ("체결강도", "초당매수수량", "초당매도수량"))
    return (strength > 105) & (bought > 2 * sold) & (angle > 3)


def measured(sessions, condition) -> tuple[float, float]:
    """Mean forward return where the condition holds, and its standard error."""
    sums = []
    for _, _, rows in sessions:
        forward = forward_bps(rows, HORIZON_S)
        there = condition(rows) & np.isfinite(forward)
        sums.append((forward[there].sum(), there.sum()))
    total, count = np.array(sums).T
    mean = total.sum() / count.sum()
    return mean, float(np.sqrt(((total - mean * count) ** 2).sum()) / count.sum())


def everywhere(rows: pd.DataFrame) -> np.ndarray:
    return np.ones(len(rows), dtype=bool)


@pytest.mark.parametrize("strength", [60.0, -60.0])
def test_the_planted_edge_has_its_stated_size(make_market, strength) -> None:
    market = make_market(SimulateConfig(**MARKET, edge=Edge(TERMS, strength, HORIZON_S)))
    mean, error = measured(market.sessions, holds)
    assert error < 8
    assert abs(mean - strength) < 3 * error + 0.1 * abs(strength)
    assert abs(mean) > 5 * error


def test_without_an_edge_the_same_condition_predicts_nothing(make_market) -> None:
    market = make_market(SimulateConfig(**MARKET))
    mean, error = measured(market.sessions, holds)
    assert error < 8
    assert abs(mean) < 3 * error


@pytest.mark.parametrize("name", ["everywhere", "buyers", "rising", "falling", "heavy book", "burst"])
def test_a_market_without_an_edge_has_no_other_either(make_market, name) -> None:
    conditions = {
        "everywhere": everywhere,
        "buyers": lambda rows: (rows["초당매수수량"] > 3 * rows["초당매도수량"]).to_numpy(),
        "rising": lambda rows: (rows["현재가"].diff(60) > rows["현재가"] * 0.005).to_numpy(),
        "falling": lambda rows: (rows["현재가"].diff(60) < -rows["현재가"] * 0.005).to_numpy(),
        "heavy book": lambda rows: (rows["매수총잔량"] > 1.5 * rows["매도총잔량"]).to_numpy(),
        "burst": lambda rows: (rows["초당거래대금"] > 5 * rows["초당거래대금"].rolling(60).mean()).to_numpy(),
    }
    mean, error = measured(make_market(SimulateConfig(**MARKET)).sessions, conditions[name])
    assert abs(mean) < 3 * error + 3  # three basis points: a fraction of a tick, far below the costs of a trade


def test_the_report_counts_the_rows_that_the_tables_show(make_market) -> None:
    market = make_market(SimulateConfig(**MARKET, edge=Edge(TERMS, 60.0, HORIZON_S)))
    assert market.report.fired_rows == sum(int(holds(rows).sum()) for _, _, rows in market.sessions)


def test_an_episode_pays_once(make_market) -> None:
    market = make_market(SimulateConfig(**MARKET, edge=Edge(TERMS, 60.0, HORIZON_S, "episode")))
    assert 0 < market.report.triggers < market.report.fired_rows / 3

    def opens(rows: pd.DataFrame) -> np.ndarray:
        found, until = np.zeros(len(rows), dtype=bool), -1
        for row, (at, held) in enumerate(zip(seconds(rows["index"]), holds(rows), strict=True)):
            if held and at >= until:
                found[row], until = True, at + HORIZON_S
        return found

    assert sum(int(opens(rows).sum()) for _, _, rows in market.sessions) == market.report.triggers
    mean, error = measured(market.sessions, opens)
    assert abs(mean - 60) < 3 * error + 6


# Every quantity an edge can be stated on, against its definition in pandas.
QUANTITIES = {
    "rate": (Term("rate", 1.0), lambda r: r["등락율"] > 1),
    "hl_rate": (Term("hl_rate", 0.3), lambda r: r["고저평균대비등락율"] > 0.3),
    "value": (Term("value", 20.0), lambda r: r["초당거래대금"] > 20),
    "turnover": (Term("turnover", 0.2), lambda r: r["회전율"] > 0.2),
    "volume_ratio": (Term("volume_ratio", 10.0), lambda r: r["전일비"] > 10),
    "book_ratio": (Term("book_ratio", 1.2, above=False), lambda r: r["매수총잔량"] < r["매도총잔량"] * 1.2),
    "strength_rise": (
        Term("strength_rise", 1.0, window=40), lambda r: r["체결강도"] > r["체결강도"].rolling(40).mean().round(3) + 1,
    ),
    "value_burst": (
        Term("value_burst", 2.0, window=40), lambda r: r["초당거래대금"] > r["초당거래대금"].rolling(40).mean().round(0) * 2,
    ),
    "window_buy_ratio": (
        Term("window_buy_ratio", 1.3, window=40),
        lambda r: r["초당매수수량"].rolling(40).sum() > r["초당매도수량"].rolling(40).sum() * 1.3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_a_quantity_means_what_its_columns_say(make_market, quantity) -> None:
    term, written = QUANTITIES[quantity]
    edge = Edge((term,), 0.0, 60)
    market = make_market(SimulateConfig(codes=4, days=3, seed=2, edge=edge, limit_sessions=0.0))
    expected = sum(int((written(rows) & (rows.index >= edge.first_row - 1)).sum()) for _, _, rows in market.sessions)
    assert expected > 0
    assert abs(market.report.fired_rows - expected) <= 0.001 * expected  # online sums may tie differently in the last digit
