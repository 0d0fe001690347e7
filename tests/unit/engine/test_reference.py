"""The loop: gate, orders, positions, the day's end, and candidates that stop."""

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.reference import run_reference
from stom_ray.engine.types import EngineConfig, ParamMatrix, Weighting
from stom_ray.store.panel import Selection

NEVER_SELLS = "if 수익률 > 900:\n    매도 = True"
AFTER_TWO = "if 보유시간 >= 2:\n    매도 = True"


@pytest.fixture
def trade(make_panel):
    """trade(buy, sell, ...) -> the result of a run over hand-made days of 8 rows."""

    def run(
        buy, sell, *, sessions=(("000001", 20230102, 8),), params=((),), profile="corrected", elapsed="", columns=None, **config
    ):
        panel = make_panel(list(sessions), **(columns or {}))
        strategy = compile_strategy(buy, sell, profile=profile, elapsed=elapsed)
        settings = {"avgtime": 2, "loaded_lengths": (2,), "betting": 10_000.0, "profile": profile} | config
        matrix = ParamMatrix.from_rows([list(row) for row in params])
        return run_reference(strategy, Selection(panel, panel, np.arange(panel.n_rows)), matrix, EngineConfig(**settings))

    return run


def test_the_first_decision_waits_for_the_gate(trade):
    assert trade("매수 = True", NEVER_SELLS).trades.buy_row.tolist() == [1]
    assert trade("매수 = True", NEVER_SELLS, avgtime=5).trades.buy_row.tolist() == [4]


def test_the_gate_of_a_sweep_is_its_first_variable(trade):
    result = trade("매수 = True", NEVER_SELLS, params=((3,), (6,)), gate_var0=True)
    assert result.trades.buy_row.tolist() == [2, 5]
    assert result.trades.candidate.tolist() == [0, 1]


def test_buying_and_selling_never_share_a_row(trade):
    trades = trade("매수 = True", "매도 = True").trades
    assert trades.buy_row.tolist() == [1, 3, 5]
    assert trades.sell_row.tolist() == [2, 4, 6]


def test_nothing_is_evaluated_on_a_days_last_row(trade):
    trades = trade("매수 = 데이터길이 >= 7", "매도 = True").trades
    assert (trades.buy_row.tolist(), trades.sell_row.tolist(), trades.label.tolist()) == ([6], [7], [0])
    assert len(trade("매수 = 데이터길이 >= 8", "매도 = True").trades) == 0


def test_positions_end_with_the_day_and_counting_starts_anew(trade):
    sessions = (("000001", 20230102, 5), ("000001", 20230103, 6), ("000002", 20230102, 4))
    trades = trade("매수 = True", NEVER_SELLS, sessions=sessions).trades
    assert trades.buy_row.tolist() == [1, 6, 12]
    assert trades.sell_row.tolist() == [4, 10, 14]
    assert trades.session.tolist() == [0, 1, 2]


def test_an_instrument_with_one_row_is_skipped_and_a_one_row_day_trades_nothing(trade):
    sessions = (("000001", 20230102, 1), ("000002", 20230102, 1), ("000002", 20230103, 4))
    assert trade("매수 = True", NEVER_SELLS, sessions=sessions).trades.session.tolist() == [2]


def test_only_watched_rows_buy_and_any_row_sells(trade):
    columns = {"관심종목": [0, 0, 0, 1, 0, 0, 0, 0]}
    trades = trade("매수 = True", AFTER_TWO, columns=columns).trades
    assert (trades.buy_row.tolist(), trades.sell_row.tolist()) == ([3], [5])


def test_prices_amounts_and_profit_follow_the_book_and_the_costs(trade):
    trades = trade("매수 = True", AFTER_TWO, columns={"매수호가1": 1100.0}).trades
    assert trades.buy_price[0] == 1001
    assert trades.sell_price[0] == 1100
    assert trades.buy_amount[0] == 10 * 1001
    assert trades.sell_amount[0] == 11_000 - int(11_000 * 0.0018)
    assert trades.profit[0] == trades.sell_amount[0] - trades.buy_amount[0]
    assert trades.profit_pct[0] == round(trades.profit[0] / 10_010 * 100, 2)
    assert trades.hold_s[0] == 2


@pytest.mark.parametrize("price", [0.0, np.nan, 20_000.0])
def test_a_row_without_a_price_or_too_dear_buys_nothing(trade, price):
    columns = {"현재가": [1000, price, price, price, 1000, 1000, 1000, 1000]}
    assert trade("매수 = True", NEVER_SELLS, columns=columns).trades.buy_row.tolist() == [4]


def test_an_order_the_levels_cannot_fill_leaves_nothing_behind(trade):
    columns = {f"매도잔량{level}": [1.0, 1.0, 1.0, 3.0, 1.0, 1.0, 1.0, 1.0] for level in range(1, 6)}
    assert trade("매수 = True", NEVER_SELLS, columns=columns).trades.buy_row.tolist() == [3]
    assert len(trade("매수 = True", NEVER_SELLS, columns=columns, ask_levels=3).trades) == 0


def test_a_sale_the_bids_cannot_fill_is_tried_again(trade):
    columns = {f"매수잔량{level}": [9.0, 1.0, 1.0, 1.0, 1.0, 9.0, 9.0, 9.0] for level in range(1, 6)}
    assert trade("매수 = True", "매도 = True", columns=columns).trades.sell_row.tolist()[0] == 5


@pytest.mark.parametrize(("bid_size", "expected"), [(100.0, 999), (1.0, 997), (0.0, 1000)])
def test_the_days_last_sale_takes_what_the_bids_give(trade, bid_size, expected):
    columns = {f"매수잔량{level}": bid_size for level in range(1, 6)}
    assert trade("매수 = True", NEVER_SELLS, columns=columns).trades.sell_price.tolist() == [expected]


def test_the_days_last_sale_without_bids_and_price_takes_the_latest_price(trade):
    columns = {"현재가": [1000.0, 1000, 1000, 1000, 1000, 1005, 0, np.nan]} | {f"매수잔량{level}": 0.0 for level in range(1, 6)}
    assert trade("매수 = True", NEVER_SELLS, columns=columns).trades.sell_price.tolist() == [1005]


def test_best_and_worst_profit_start_at_zero_and_a_new_best_leaves_the_worst(trade):
    columns = {"현재가": [1000.0, 1000, 1100, 900, 1200, 1000, 1000, 1000]}
    sell = "if 데이터길이 == 6 and 최고수익률 > 19 and -11 < 최저수익률 < -10:\n    매도 = True"
    assert trade("매수 = 데이터길이 == 2", sell, columns=columns).trades.label.tolist() == [1]
    sell = "if 데이터길이 == 3 and 최저수익률 == 0 and 최고수익률 == 수익률 > 9:\n    매도 = True"
    assert trade("매수 = 데이터길이 == 2", sell, columns=columns).trades.label.tolist() == [1]


def test_weights_change_the_order(trade):
    columns = {"회전율": [1.0] * 4 + [50.0] * 4}
    weighting = Weighting(5, (10.0, 20.0, 30.0, 40.0), (0.5, 1.0, 1.0, 1.0, 2.0))
    trades = trade("매수 = True", AFTER_TWO, columns=columns, weighting=weighting).trades
    assert (trades.buy_amount // trades.buy_price).tolist() == [5, 20]


def test_elapsed_expressions_see_rows_before_the_gate_and_restart_every_day(trade):
    sessions = (("000001", 20230102, 5), ("000001", 20230103, 5))
    columns = {"등락율": [5.0, 0, 0, 0, 0, 0, 0, 0, 0, 0]}
    buy = "매수 = 경과틱수('급등') == 3"
    result = trade(buy, NEVER_SELLS, sessions=sessions, columns=columns, elapsed="급등;등락율 > 1", avgtime=4)
    assert result.trades.buy_row.tolist() == [3]


def test_a_candidate_that_stops_has_no_trades_and_the_others_go_on(trade):
    buy = "매수 = 데이터길이 < 4 or 1 / self.vars[0] > 0"
    result = trade(buy, "매도 = True", params=((0,), (1,)), profile="stom")
    assert set(result.trades.candidate.tolist()) == {1}
    (fault,) = result.faults
    assert (fault.candidate, fault.row) == (0, 3)
    assert fault.message.startswith("buy text, line 1, column 19: a plain number is divided by zero (000001, 20230102 09:00:03)")


def test_the_corrected_profile_counts_zero_divisions_over_candidates(trade):
    result = trade("매수 = 1 / (데이터길이 - self.vars[0]) > 0", NEVER_SELLS, params=((2,), (3,)))
    assert result.faults == ()
    assert result.zero_divisions == {"buy:1": 2}
    assert result.trades.buy_row.tolist() == [2, 3]


def test_a_price_that_is_missing_while_holding_makes_profit_nan(trade):
    columns = {"현재가": [1000.0, 1000, np.nan, 1000, 1000, 1000, 1000, 1000]}
    assert trade("매수 = 데이터길이 == 2", "매도 = 수익률 != 수익률", columns=columns).trades.sell_row.tolist() == [2]


def test_dated_costs_change_with_the_day(trade):
    sessions = (("000001", 20221229, 8), ("000001", 20240102, 8))
    trades = trade("매수 = True", NEVER_SELLS, sessions=sessions, costs="krx", betting=1e6).trades
    taxes = trades.sell_price * 1000 - trades.sell_amount
    assert taxes[0] - taxes[1] == int(999_000 * 0.0023) - int(999_000 * 0.0018)


def test_future_rows_never_change_what_was_decided_before(trade):
    rng = np.random.default_rng(5)
    prices = rng.integers(950, 1050, 8).astype(float)
    buy, sell = "매수 = 현재가 > 현재가N(1) or 최고현재가(2) > 현재가", "if 수익률 > 0.5:\n    매도 = True"
    for cut in range(2, 8):
        changed = prices.copy()
        changed[cut:] = rng.integers(900, 1100, 8 - cut)
        before, after = (trade(buy, sell, columns={"현재가": column}).trades for column in (prices, changed))
        for name in ("buy_row", "buy_price"):
            known = [getattr(one, name)[one.buy_row < cut].tolist() for one in (before, after)]
            assert known[0] == known[1]
        closed = [list(zip(one.sell_row, one.sell_price, strict=True)) for one in (before, after)]
        assert [pair for pair in closed[0] if pair[0] < cut] == [pair for pair in closed[1] if pair[0] < cut]
