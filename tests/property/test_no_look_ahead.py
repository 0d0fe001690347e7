"""What comes later never changes what was decided: random scripts over random days, the reference simulator."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.reference import run_reference
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.store.panel import Selection

ROWS = 24
COLUMNS = ("현재가", "체결강도", "초당매수수량", "초당매도수량", "초당거래대금", "등락율", "당일거래대금", "전일비")

numbers = st.sampled_from(
    [
        *COLUMNS,
        *(f"{name}N({pre})" for name in COLUMNS for pre in (1, 3)),
        *(f"{name}({length}, {pre})" for name in ("이동평균", "최고현재가", "최저현재가") for length in (3, 5) for pre in (0, 2)),
        "체결강도평균(3)", "체결강도평균(6)", "누적초당매수수량(3)", "누적초당매도수량(4, 1)", "초당거래대금평균(5)",
        "등락율각도(3)", "당일거래대금각도(5)", "전일비각도(4)", "데이터길이", "시분초 % 7", "경과틱수('강함')", "1000", "101",
    ]
)  # fmt: skip
held_numbers = numbers | st.sampled_from(
    ["수익률", "최고수익률", "최저수익률", "보유시간", "현재가N(-1)", "최고현재가(3, -1)", "0.3"]
)


@st.composite
def conditions(draw, number):
    parts = draw(st.lists(st.tuples(number, st.sampled_from(["<", ">", ">=", "!="]), number), min_size=1, max_size=3))
    return f" {draw(st.sampled_from(['and', 'or']))} ".join(" ".join(part) for part in parts)


def decided(result, cut):
    """Everything of the trades that happened before row `cut`."""
    trades = result.trades
    entries = [row for row in zip(trades.buy_row, trades.buy_price, trades.buy_amount, strict=True) if row[0] < cut]
    exits = [row for row in zip(trades.sell_row, trades.sell_price, trades.label, trades.profit_pct, strict=True) if row[0] < cut]
    return entries, exits, [fault for fault in result.faults if fault.row < cut]


@settings(max_examples=60, deadline=None)
@given(conditions(numbers), conditions(held_numbers), st.integers(1, 2 * ROWS - 1), st.integers(0, 2**32 - 1), st.booleans())
def test_later_rows_never_change_earlier_decisions(make_panel, buy, sell, cut, seed, strict):
    profile = "stom" if strict else "corrected"
    rng = np.random.default_rng(seed)
    sessions = [("000001", 20230102, ROWS), ("000001", 20230103, ROWS)]
    data = {name: rng.integers(95, 110, 2 * ROWS).astype(np.float64) for name in COLUMNS}
    for level in range(1, 6):
        data |= {f"매도호가{level}": data["현재가"] + level, f"매수호가{level}": data["현재가"] - level}
    later = {name: np.where(np.arange(2 * ROWS) < cut, column, rng.integers(90, 120, 2 * ROWS)) for name, column in data.items()}
    strategy = compile_strategy(f"매수 = {buy}", f"if {sell}:\n    매도 = True", profile=profile, elapsed="강함;체결강도 > 105")
    config = EngineConfig(avgtime=3, loaded_lengths=(3,), betting=1_000.0, profile=profile)
    results = []
    for columns in (data, later):
        panel = make_panel(sessions, **columns)
        selection = Selection(panel, panel, np.arange(2 * ROWS))
        results.append(run_reference(strategy, selection, ParamMatrix.from_rows([[]]), config))
    before, after = (decided(result, cut) for result in results)
    assert before[2] == after[2]
    if not any(result.faults for result in results):  # a candidate that stops, early or late, has no trades at all
        assert before == after
