"""Several window columns at once, over groups of instruments and parts of the loaded rows."""

import numpy as np
import pytest

from stom_ray.errors import ConfigError
from stom_ray.features import columns as columns_module
from stom_ray.features import precomputed, raw
from stom_ray.features.columns import WindowColumn, fill
from stom_ray.schema.windows import WINDOW_SOURCE
from stom_ray.store.load import select

DAYS = (20230102, 20230103, 20230104)
LENGTHS = (3, 20, 60)
WANTED = [
    WindowColumn(function, length, loaded)
    for function in WINDOW_SOURCE
    for length in LENGTHS
    for loaded in (False, True)
    if not (loaded and function == "이동평균" and length != 60)
]


@pytest.fixture(scope="module")
def market(make_panel):
    """Five instruments of three days; the last has fewer rows than some windows."""
    sessions = [(f"00000{k}", day, 12 if k == 5 else 70 + 9 * k) for k in range(1, 6) for day in DAYS]
    rows = sum(n for _, _, n in sessions)
    rng = np.random.default_rng(5)
    values = {name: rng.integers(0, 3000, rows).astype(np.float64) for name in set(WINDOW_SOURCE.values())}
    for name in ("체결강도", "등락율", "전일비"):
        values[name] = np.round(rng.normal(50, 60, rows), 2)
    values["초당매도수량"][[40, 300, 301]] = np.nan
    return make_panel(sessions, **values)


def filled(selection, wanted, threads):
    out = np.full((len(wanted), selection.selected.n_rows), 777.0)
    fill(selection, wanted, list(out), threads)
    return out


@pytest.mark.parametrize("group_rows", [1, 500, 1 << 17])
@pytest.mark.parametrize("threads", [1, 3])
def test_columns_are_the_same_for_any_threads_and_groups(market, monkeypatch, threads, group_rows):
    monkeypatch.setattr(columns_module, "GROUP_ROWS", group_rows)
    for column, values in zip(WANTED, filled(select(market), WANTED, threads), strict=True):
        alone = (precomputed if column.loaded else raw)(market, column.function, column.length)
        np.testing.assert_array_equal(values, alone, err_msg=str(column))


@pytest.mark.parametrize("group_rows", [1, 500, 1 << 17])
@pytest.mark.parametrize(
    "part",
    [
        {"days": (DAYS[1], DAYS[1])},
        {"time": (90010, 90059)},
        {"codes": ["000002", "000005"]},
        {"codes": ["000003"], "days": (DAYS[1], DAYS[2])},
        {"days": (DAYS[0], DAYS[2])},
    ],
)
def test_loaded_columns_are_sliced_and_raw_ones_computed_again(market, monkeypatch, part, group_rows):
    monkeypatch.setattr(columns_module, "GROUP_ROWS", group_rows)
    selection = select(market, **part)
    for column, values in zip(WANTED, filled(selection, WANTED, 2), strict=True):
        if column.loaded:
            expected = precomputed(market, column.function, column.length)[selection.rows]
        else:
            expected = raw(selection.selected, column.function, column.length)
        np.testing.assert_array_equal(values, expected, err_msg=str(column))


def test_a_column_that_the_market_lacks_is_named(market):
    market = type(market)(**{**vars(market), "columns": {}, "load": None})
    with pytest.raises(Exception, match="체결강도 is not in this panel"):
        fill(select(market), [WindowColumn("체결강도평균", 3, True)], [np.empty(market.n_rows)], 2)


def test_what_is_no_window_column_is_refused_when_it_is_made():
    with pytest.raises(ConfigError, match=r"이동평균\(30\) has no precomputed column"):
        WindowColumn("이동평균", 30, True)
    with pytest.raises(ConfigError, match="최고체결강두 is no window function"):
        WindowColumn("최고체결강두", 3, False)
    with pytest.raises(ConfigError, match="at least 1 row"):
        WindowColumn("최고현재가", 0, False)
    assert WindowColumn("이동평균", 30, False).length == 30
