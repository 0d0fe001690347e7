"""Orders that arrive later than they are decided: by hand, and equal to the reference simulator without a delay."""

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.late import Delay, run_late
from stom_ray.engine.reference import run_reference
from stom_ray.engine.types import EngineConfig, ParamMatrix, Weighting
from stom_ray.errors import ConfigError
from stom_ray.store.load import select

DAY = 20240102
NONE = ParamMatrix.from_rows([[]])
AT_ONCE = EngineConfig(avgtime=1)
# 체결강도 says when to buy, 등락율 when to sell; neither is read by fills.
BUY = "매수 = 체결강도 == 1\nif 매수:\n    self.Buy()"
SELL = "매도 = False\nif 등락율 == 1:\n    매도 = True\nif 매도:\n    self.Sell()"


def marks(n, *rows):
    return np.isin(np.arange(n), rows).astype(float)


def late(panel, delay, config=AT_ONCE, buy=BUY, sell=SELL):
    strategy = compile_strategy(buy, sell, profile=config.profile)
    return run_late(strategy, select(panel), NONE, config, delay).trades


@pytest.fixture
def rising(make_panel):
    """Ten rows whose price, asks and bids rise by 10 a row, so that a price tells its row."""

    def make(buys, sells, **columns):
        price = 1_000.0 + 10 * np.arange(10)
        book = {f"매도호가{level}": price + level for level in range(1, 6)} | {
            f"매수호가{level}": price - level for level in range(1, 6)
        }
        given = {"현재가": price, "체결강도": marks(10, *buys), "등락율": marks(10, *sells), **book, **columns}
        return make_panel([("A", DAY, 10)], **given)

    return make


def test_an_order_meets_the_book_of_the_row_it_arrives_on(rising):
    trades = late(rising([2], [6]), Delay(entry_rows=1))
    assert (trades.buy_row.tolist(), trades.sell_row.tolist()) == ([3], [6])
    assert (trades.buy_price[0], trades.sell_price[0]) == (1_031, 1_059)
    assert trades.hold_s[0] == 3
    both = late(rising([2], [6]), Delay(entry_rows=1, exit_rows=1))
    assert (both.buy_row[0], both.sell_row[0], both.sell_price[0], both.label[0]) == (3, 7, 1_069, 1)


def test_it_is_sized_when_it_is_decided(rising):
    trades = late(rising([2], [6]), Delay(entry_rows=1), EngineConfig(avgtime=1, betting=10_300.0))
    assert trades.buy_amount[0] == (10_300 // 1_020) * 1_031


def test_nothing_is_decided_while_an_order_is_under_way_nor_on_the_row_it_is_filled(rising):
    trades = late(rising([2, 3, 4], [3, 4, 5, 6]), Delay(entry_rows=2))
    assert (trades.buy_row.tolist(), trades.sell_row.tolist()) == ([4], [5])


def test_an_order_that_is_not_filled_is_gone_and_the_text_is_asked_again_on_that_row(rising):
    thin = {f"매도잔량{level}": np.where(marks(10, 3) > 0, 0.0, 1_000.0) for level in range(1, 6)}
    assert late(rising([2], [6], **thin), Delay()).buy_row.tolist() == []
    assert late(rising([2, 3], [6], **thin), Delay()).buy_row.tolist() == [4]
    no_bids = {f"매수잔량{level}": np.where(marks(10, 7) > 0, 0.0, 1_000.0) for level in range(1, 6)}
    trades = late(rising([2], [6], **no_bids), Delay(exit_rows=1))
    assert (trades.sell_row[0], trades.label[0]) == (9, 0)
    assert late(rising([2], [6, 7], **no_bids), Delay(exit_rows=1)).sell_row[0] == 8


def test_the_next_entry_is_looked_for_on_the_row_after_the_sale_arrived(rising):
    trades = late(rising([1, 4, 5], [3]), Delay(entry_rows=1, exit_rows=1))
    assert (trades.buy_row.tolist(), trades.sell_row.tolist()) == ([2, 6], [4, 9])


def test_an_order_to_buy_that_would_arrive_on_the_last_row_is_void(rising):
    assert len(late(rising([8], []), Delay(entry_rows=1))) == 0
    assert late(rising([7], []), Delay(entry_rows=1)).sell_row.tolist() == [9]
    assert late(rising([7], []), Delay(entry_rows=1)).label.tolist() == [0]


def test_the_best_profit_is_kept_while_a_sale_is_under_way(rising):
    price = np.array([1_000, 1_000, 1_000, 1_100, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000.0])
    sell = SELL.replace("if 매도:", "if 최고수익률 > 5 and 보유시간 > 5:\n    매도 = True\nif 매도:")
    bids = {f"매수잔량{level}": np.where(marks(10, 4) > 0, 0.0, 1_000.0) for level in range(1, 6)}
    trades = late(rising([1], [2], 현재가=price, **bids), Delay(0, 2), sell=sell)
    assert trades.sell_row[0] == 9  # the sale of row 2 failed on row 4; the one of row 7 arrives with the day's end
    assert trades.label[0] == 0


TERMS_BUY = """매수 = True
if not (체결강도 > 100):
    매수 = False
elif not (현재가 >= 최고현재가(60, 1)):
    매수 = False
if 매수:
    self.Buy()
"""
TERMS_SELL = """매도 = False
if 수익률 >= 1.0:
    매도 = True
elif 최고수익률 - 수익률 > 0.8:
    매도 = True
if 매도:
    self.Sell()
"""
ELAPSED_SELL = """매도 = False
if 경과틱수('strong') > 20:
    매도 = True
elif 현재가 < 현재가N(-1):
    매도 = True
if 매도:
    self.Sell()
"""
SCRIPTS = {
    "terms": (TERMS_BUY, TERMS_SELL, ""),
    "elapsed": (
        "매수 = 0 < 경과틱수('strong') < 3\nif 매수:\n    self.Buy()",
        ELAPSED_SELL,
        "strong;체결강도 > 150 and 초당매수수량 > 초당매도수량",
    ),
    "stops": (
        "매수 = 10 / (데이터길이 - 200) > 1\nif 매수:\n    self.Buy()",
        "매도 = 보유시간 > 30\nif 매도:\n    self.Sell()",
        "",
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("profile", ["corrected", "stom"])
def test_without_a_delay_it_is_the_reference(golden_panel, name, profile):
    buy, sell, elapsed = SCRIPTS[name]
    strategy = compile_strategy(buy, sell, profile=profile, elapsed=elapsed)
    selection = select(golden_panel, codes=("005930", "053444"), days=(20230118, 20230119))
    weighting = Weighting(1, (1.0, 2.0, 3.0, 4.0), (1.0, 0.8, 0.6, 0.4, 0.2))
    config = EngineConfig(profile=profile, weighting=weighting)
    expected = run_reference(strategy, selection, NONE, config)
    found = run_late(strategy, selection, NONE, config, Delay(0, 0))
    assert found.faults == expected.faults
    assert len(found.faults) == (name == "stops" and profile == "stom")
    assert len(found.trades) > 0 or found.faults
    for field, values in vars(expected.trades).items():
        np.testing.assert_array_equal(getattr(found.trades, field), values, err_msg=field)


def test_a_late_order_was_decided_that_many_rows_before(golden_panel):
    buy, sell, _ = SCRIPTS["terms"]
    strategy = compile_strategy(buy, sell, profile="corrected")
    selection = select(golden_panel, codes=("005930", "053444"))
    trades = run_late(strategy, selection, NONE, EngineConfig(), Delay(2, 0)).trades
    panel = selection.selected
    decided = trades.buy_row - 2
    assert len(decided) > 5
    assert np.all(panel.column("체결강도")[decided] > 100)
    assert np.all(decided - panel.offsets[trades.session] >= 29)
    asks = panel.column("매도호가1")[trades.buy_row]
    assert np.all(trades.buy_price >= asks)


def test_delays_below_zero_are_refused():
    with pytest.raises(ConfigError, match="exit_rows is -1"):
        Delay(1, -1)
