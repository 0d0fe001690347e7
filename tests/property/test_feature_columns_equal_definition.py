"""Every window column against its definition, on data of every kind: pandas' rolling windows are the loader's, numpy's reductions
of a slice the raw ones, and Python's atan2 and round the angles of both (spec/engine.md §1.5, §1.6, §2.1, §2.3, §4)."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stom_ray.features import precomputed, raw
from stom_ray.schema.windows import WINDOW_SOURCE

whole = st.integers(-50, 5_000).map(float)
prices = st.integers(0, 99_999).map(lambda x: x / 100)
signed = st.integers(-3_000, 3_000).map(lambda x: x / 100)
repeated = st.sampled_from([0.0, -0.0, 0.1, 3.3, 7.0])
wild = st.floats(-1e12, 1e12)
holes = st.sampled_from([math.nan, math.inf, -math.inf])
kinds = [whole, prices, signed, repeated, wild, prices | holes, whole | holes, wild | repeated]


@st.composite
def markets(draw):
    """(values of one column, rows of each of its instruments)."""
    values = draw(st.lists(draw(st.sampled_from(kinds)), min_size=2, max_size=120))
    cuts = sorted(draw(st.sets(st.integers(1, len(values) - 1), max_size=2)))
    return np.array(values), np.diff([0, *cuts, len(values)]).tolist()


def by_pandas(function, values, length):
    series = pd.Series(values).rolling(length)
    if function.startswith("누적"):
        return series.sum().to_numpy()
    if function.startswith("최고"):
        return series.max().to_numpy()
    if function.startswith("최저"):
        return series.min().to_numpy()
    return series.mean().round(0 if function == "초당거래대금평균" else 3).to_numpy()


def by_atan2(function, values, length, loaded):
    out = np.full(len(values), math.nan)
    for i in range(length - 1, len(values)):
        change = values[i] - values[i - length + 1]
        if function == "등락율각도":
            change = change * 5
        elif function == "당일거래대금각도":
            change = change / 100 if loaded else change * 0.01
        out[i] = round(math.atan2(change, length) / (2 * math.pi) * 360, 2)
    return out


def by_numpy(function, values, length):
    out = np.full(len(values), math.nan)
    for i in range(length - 1, len(values)):
        window = values[i - length + 1 : i + 1]
        if function.startswith("누적"):
            out[i] = window.sum()
        elif function.startswith("최고"):
            out[i] = window.max()
        elif function.startswith("최저"):
            out[i] = window.min()
        elif function == "초당거래대금평균":
            out[i] = np.trunc(window.mean())
        else:
            out[i] = round(window.mean(), 3)
    return out


def definition(function, values, length, loaded):
    if function.endswith("각도"):
        return by_atan2(function, values, length, loaded)
    return by_pandas(function, values, length) if loaded else by_numpy(function, values, length)


def check(make_panel, function, length, loaded, market):
    values, rows = market
    sessions = [(f"00000{k}", 20230102, n) for k, n in enumerate(rows)]
    panel = make_panel(sessions, **{WINDOW_SOURCE[function]: values})
    got = (precomputed if loaded else raw)(panel, function, length)
    with np.errstate(all="ignore"):
        parts = [definition(function, part, length, loaded) for part in np.split(values, np.cumsum(rows)[:-1])]
    np.testing.assert_array_equal(got, np.concatenate(parts))


@pytest.mark.parametrize("function", [name for name in WINDOW_SOURCE if name != "이동평균"])
@pytest.mark.parametrize("loaded", [True, False])
@given(market=markets(), length=st.integers(1, 30))
@settings(max_examples=60)
def test_a_column_is_its_definition(make_panel, function, loaded, market, length):
    check(make_panel, function, length, loaded, market)


@given(market=markets(), length=st.integers(1, 30))
def test_a_raw_moving_average_is_its_definition(make_panel, market, length):
    check(make_panel, "이동평균", length, False, market)


@pytest.mark.parametrize("function", list(WINDOW_SOURCE))
@pytest.mark.parametrize("loaded", [True, False])
@pytest.mark.parametrize("length", [60, 300, 1200])
def test_a_column_of_a_long_day_is_its_definition(make_panel, function, loaded, length):
    rng = np.random.default_rng(length)
    prices = np.round(np.maximum(rng.normal(100, 70, 4_000), 0.0), 2)
    prices[1_000:1_500] = 3.3
    for values in (prices, np.floor(prices * 1e4), prices - 100.0):
        check(make_panel, function, length, loaded, (values, [2_500, 1_500]))
