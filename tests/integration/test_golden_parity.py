"""Every golden case against STOM's own trades, row for row; what may differ is listed in docs/parity.md and tested here too.

The cases are read as spec/engine.md, "Reading the files", says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stom_ray.conditions.compile import compile_conditions, compile_strategy
from stom_ray.conditions.ir import Strategy
from stom_ray.conditions.ranges import parse_ranges
from stom_ray.engine.backtest import run, run_warnings
from stom_ray.engine.bind import day_counts
from stom_ray.engine.sweeps import explicit_rows, loaded_lengths, one_at_a_time
from stom_ray.engine.trades_io import trades_frame
from stom_ray.engine.types import EngineConfig, Fault, ParamMatrix, Weighting
from stom_ray.errors import ConditionError
from stom_ray.features import MOVING_AVERAGE_LENGTHS, precomputed, raw
from stom_ray.schema.columns import LAYOUTS
from stom_ray.store.load import load_panel, select
from stom_ray.store.panel import Panel, Selection

GOLDEN = Path(__file__).parents[1] / "golden"
COLUMNS = {
    "code": "code",
    "buy_time": "buy_time",
    "sell_time": "sell_time",
    "hold_sec": "hold_s",
    "buy_price": "buy_price",
    "sell_price": "sell_price",
    "buy_amount": "buy_amount",
    "sell_amount": "sell_amount",
    "profit_pct": "profit_pct",
    "profit_krw": "profit_krw",
    "sell_cond": "label",
    "market_cap": "market_cap",
}


BACKENDS = ("reference", "cpu")
NAMES = sorted(path.name for path in (GOLDEN / "cases").iterdir())
STALE_BUY_ROW = [name for name in NAMES if name.startswith("c18")]
SEVERAL_LENGTHS = [name for name in NAMES if name.startswith("c20")]
LISTED = [*STALE_BUY_ROW, *SEVERAL_LENGTHS, "c23_temp_leak_grid", "c24_name_error_stop"]
EQUAL = [name for name in NAMES if name not in LISTED]
OTHER_IN_CORRECTED = ["c31_zero_division", "c32_labels"]


TEN = (
    "최고현재가", "최저현재가", "체결강도평균", "최고체결강도", "최저체결강도", "최고초당매수수량", "최고초당매도수량",
    "누적초당매수수량", "누적초당매도수량", "초당거래대금평균",
)  # fmt: skip
ANGLES = ("등락율각도", "당일거래대금각도", "전일비각도")


def window(panel: Panel, lengths: tuple[int, ...], function: str, length: int, pre: int = 0) -> Any:
    """FUNCTION(length, pre) of every row, from columns; 0 where the day is too short."""
    loaded = length in lengths
    column = precomputed(panel, function, length) if loaded else raw(panel, function, length)
    enough = day_counts(panel) > pre if loaded else day_counts(panel) >= length + pre
    return np.where(enough, np.roll(column, pre), 0.0)


def common_entries(panel: Panel, lengths: tuple[int, ...]) -> Any:
    """The buy text of c20a, b, d, e, f."""

    def of(function: str, length: int) -> Any:
        return window(panel, lengths, function, length)

    return (
        (panel.column("현재가") >= of("최고현재가", 60))
        & (panel.column("체결강도") > of("체결강도평균", 120))
        & (panel.column("초당거래대금") > of("초당거래대금평균", 200))
        & (of("최저현재가", 60) > 0)
        & (of("누적초당매수수량", 60) > of("누적초당매도수량", 60))
    )


def entries_c20c(panel: Panel, lengths: tuple[int, ...]) -> Any:
    buys, sells = panel.column("초당매수수량"), panel.column("초당매도수량")
    return (
        (panel.column("현재가") >= window(panel, lengths, "최고현재가", 60))
        & (panel.column("체결강도") < window(panel, lengths, "최저현재가", 120) + 3)
        & (window(panel, lengths, "최고현재가", 120, 5) < 400)
        & (buys < window(panel, lengths, "체결강도평균", 200))
        & (buys > sells)
    )


def entries_c20g(panel: Panel, lengths: tuple[int, ...]) -> Any:
    return (
        (window(panel, lengths, "등락율각도", 60) > 3)
        & (window(panel, lengths, "당일거래대금각도", 120) > 0.3)
        & (window(panel, lengths, "등락율각도", 31) > 5)
        & (window(panel, lengths, "전일비각도", 60) >= 0)
    )


ENTRIES = dict.fromkeys(SEVERAL_LENGTHS, common_entries) | {
    "c20c_multi_avg_third": entries_c20c,
    "c20g_angle_of_last_avg": entries_c20g,
}


@dataclass(frozen=True)
class Run:
    """One call of the engine: a strategy, its parameter rows, and what STOM calls each row."""

    strategy: Strategy
    params: ParamMatrix
    config: EngineConfig
    vturn: list[int]
    vkey: list[int]


def params_of(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / "cases" / name / "params.json").read_text(encoding="utf-8"))


def selection_of(name: str, db: Path) -> Selection:
    """load_* restricts what is loaded; plain startday..endtime slices afterwards."""
    params = params_of(name)
    loaded = _panel(
        db,
        tuple(params.get("codes", ())),
        (params.get("load_startday", 0), params.get("load_endday", 99_999_999)),
        (params.get("load_starttime", 90_000), params.get("load_endtime", 93_000)),
    )
    days = (params.get("startday", 0), params.get("endday", 99_999_999))
    return select(loaded, days=days, time=(params.get("starttime", 90_000), params.get("endtime", 93_000)))


@cache
def _panel(db: Path, codes: tuple[str, ...], days: tuple[int, int], time: tuple[int, int]) -> Panel:
    return load_panel(db, codes=codes or None, days=days, time=time)


def runs_of(name: str, profile: str = "stom") -> list[Run]:
    params = params_of(name)
    settings = params.get("dict_set", {})
    elapsed = settings.get("주식경과틱수설정", "")
    if params["mode"] == "조건최적화":
        pairs = zip(params["buy_conds"], params["sell_conds"], strict=True)
        config = config_of(params, tuple(params["avg_list"]), False, profile)
        empty = ParamMatrix.from_rows([[]])
        return [
            Run(compile_conditions(buy, sell, profile=profile, elapsed=elapsed), empty, config, [0], [key])
            for key, (buy, sell) in enumerate(pairs)
        ]
    folder = GOLDEN / "cases" / name
    texts = [(folder / side).read_text(encoding="utf-8") for side in ("buy.txt", "sell.txt")]
    strategy = compile_strategy(*texts, profile=profile, elapsed=elapsed)
    if params["mode"] == "백테스트":
        config = config_of(params, tuple(params["avg_list"]), False, profile)
        return [Run(strategy, ParamMatrix.from_rows([[]]), config, [0], [0])]
    if params["mode"] == "GA최적화":
        plan = explicit_rows(params["vars_lists"])
        config = config_of(params, loaded_lengths(params["vars0"]), True, profile)
    elif params["opti_turn"] == 2:
        best = [best for _, best in params["vars_list"]]
        config = config_of(params, tuple(params["avg_list"]), True, profile)
        return [Run(strategy, ParamMatrix.from_rows([best]), config, [0], [0])]
    else:
        text = "\n".join(f"self.vars[{i}] = {json.dumps(entry)}" for i, entry in enumerate(params["vars_list"]))
        plan = one_at_a_time(parse_ranges(text, form="values"))
        config = config_of(params, plan.loaded_lengths, True, profile)
    return [Run(strategy, plan.params, config, plan.vturn.tolist(), plan.vkey.tolist())]


def config_of(params: dict[str, Any], lengths: tuple[int, ...], gate_var0: bool, profile: str) -> EngineConfig:
    settings = params.get("dict_set", {})
    weights = settings.get("주식비중조절", [0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    return EngineConfig(
        betting=params["betting"],
        avgtime=params["avgtime"],
        gate_var0=gate_var0,
        loaded_lengths=lengths,
        ask_levels=settings.get("주식매수시장가잔량범위", 5),
        bid_levels=settings.get("주식매도시장가잔량범위", 5),
        weighting=Weighting(int(weights[0]), tuple(weights[1:5]), tuple(weights[5:])),
        profile=profile,
    )


def trades_of(name: str, db: Path, backend: str, profile: str = "stom") -> tuple[pd.DataFrame, tuple[Fault, ...]]:
    """The trades as STOM lists them, under our column names, and the faults."""
    selection = selection_of(name, db)
    frames, faults = [], []
    for one in runs_of(name, profile):
        result = run(one.strategy, selection, one.params, one.config, backend=backend)
        frames.append(trades_frame(result.trades, one.strategy, selection.selected, labels=(one.vturn, one.vkey)))
        faults += result.faults
    return pd.concat(frames, ignore_index=True), tuple(faults)


def expected_trades(name: str) -> pd.DataFrame:
    table = pd.read_csv(GOLDEN / "cases" / name / "trades.csv", dtype={"code": str, "sell_cond": str}, keep_default_na=False)
    return table[["vturn", "vkey", *COLUMNS]].rename(columns=COLUMNS)


def assert_same_trades(got: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert len(got) == len(expected)
    for column in expected:
        different = np.flatnonzero(got[column].to_numpy() != expected[column].to_numpy())
        assert not len(different), f"{column}, trade {different[0]}:\n{got.iloc[different[0]]}\n{expected.iloc[different[0]]}"


def test_only_the_listed_cases_may_differ():
    assert len(EQUAL) == 31
    assert sorted(LISTED) == [name for name in NAMES if name[:3] in ("c18", "c20", "c23", "c24")]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", EQUAL)
def test_trades_are_stoms_row_for_row(name, backend, golden_db):
    got, faults = trades_of(name, golden_db, backend)
    assert faults == ()
    assert_same_trades(got, expected_trades(name))


@pytest.mark.parametrize("name", [name for name in EQUAL if name not in OTHER_IN_CORRECTED])
def test_the_corrected_profile_trades_the_same_where_no_quirk_is_met(name, golden_db):
    got, _ = trades_of(name, golden_db, "reference", "corrected")
    assert_same_trades(got, expected_trades(name))


@pytest.mark.parametrize("backend", BACKENDS)
def test_corrected_differs_by_division_by_zero_and_one_line_elif(backend, golden_db):
    divided, faults = trades_of("c31_zero_division", golden_db, backend, "corrected")
    assert faults == ()
    assert len(divided) < len(expected_trades("c31_zero_division"))
    sold_by_one_line, _ = trades_of("c32_labels", golden_db, backend, "corrected")
    label = "    매도= True"  # the line before `elif 보유시간 > 200: 매도 =True`
    held = sold_by_one_line.hold_s[sold_by_one_line.label == label]
    assert len(held) > 0
    assert (held > 200).all()
    assert label not in set(expected_trades("c32_labels").label)


@pytest.mark.parametrize("name", STALE_BUY_ROW)
def test_a_buy_text_that_reads_a_buy_row_is_refused(name):
    with pytest.raises(ConditionError, match=r"buy text, line 2, column \d+: `현재가N` looks back to the buy row"):
        runs_of(name)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", SEVERAL_LENGTHS)
def test_with_several_lengths_each_window_means_what_it_says(name, backend, golden_db):
    """Every entry satisfies the buy text recomputed from columns: with 120 loaded, 체결강도평균(120) is that column."""
    selection = selection_of(name, golden_db)
    (one,) = runs_of(name)
    result = run(one.strategy, selection, one.params, one.config, backend=backend)
    assert result.faults == ()
    allowed = ENTRIES[name](selection.selected, one.config.loaded_lengths)
    assert allowed[result.trades.buy_row].all()
    if len(one.config.loaded_lengths) > 1:
        warnings = run_warnings(one.strategy, selection, one.params, one.config)
        assert any("several window lengths" in warning for warning in warnings)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_temporary_never_leaks_between_candidates(backend, golden_db):
    """c23: only the slot that sets 표식 on every row runs through, and its trades are STOM's; the others stop, located."""
    got, faults = trades_of("c23_temp_leak_grid", golden_db, backend)
    expected = expected_trades("c23_temp_leak_grid")
    own = expected[(expected.vturn == 1) & (expected.vkey == 0)].reset_index(drop=True)
    assert_same_trades(got, own)
    assert [fault.candidate for fault in faults] == [1, 2, 3, 4, 5]
    for fault in faults:
        assert fault.message.startswith("buy text, line 6, column 31: the temporary `표식` was not set on this row (005930, ")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("profile", ["stom", "corrected"])
def test_a_run_that_dies_in_stom_is_a_located_error_without_trades(profile, backend, golden_db):
    got, (fault,) = trades_of("c24_name_error_stop", golden_db, backend, profile)
    assert len(got) == 0
    assert fault.message.startswith(
        "buy text, line 6, column 22: the temporary `과열` was not set on this row (005930, 20230118 09:07:33)"
    )


def test_the_loaders_columns_hold_bit_for_bit(golden_db):
    """columns_005930_avg30_60_120.npz: 45 table columns, 4 means, ten windows of 30, 60, 120 and the angles of 120."""
    arr = np.load(GOLDEN / "columns_005930_avg30_60_120.npz")["arr"]
    panel = load_panel(golden_db, codes=["005930"], time=(90_000, 93_000))
    expected = {0: panel.clock.astype(np.float64)}
    expected |= {at: panel.column(name) for at, name in enumerate(LAYOUTS["tick_v1"].values, 1)}
    expected |= {45 + at: precomputed(panel, "이동평균", length) for at, length in enumerate(MOVING_AVERAGE_LENGTHS)}
    for start, length in ((49, 30), (62, 60), (72, 120)):
        expected |= {start + at: precomputed(panel, name, length) for at, name in enumerate(TEN)}
    expected |= {59 + at: precomputed(panel, name, 120) for at, name in enumerate(ANGLES)}
    assert sorted(expected) == list(range(82))
    for at, column in expected.items():
        np.testing.assert_array_equal(column.view(np.int64), np.ascontiguousarray(arr[:, at]).view(np.int64), err_msg=str(at))
