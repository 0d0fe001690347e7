"""One account over the trades of a candidate: by hand, and second by second with the reference simulator's own steps."""

import numpy as np
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.interpreter import Interpreter
from stom_ray.engine.bind import bind
from stom_ray.engine.reference import CandidateRun, run_reference
from stom_ray.engine.replay import Replay
from stom_ray.engine.trades import trades_from
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.errors import ConfigError, ScriptRuntimeError
from stom_ray.store.load import select
from stom_ray.validation.account import NO_CASH, NO_SLOT, UNLIMITED_CAPITAL, Account, in_words, simulate_account

DAYS = (20240102, 20240103)
NONE = ParamMatrix.from_rows([[]])
BUY = "매수 = 체결강도 == 1\nif 매수:\n    self.Buy()"
SELL = "매도 = False\nif 등락율 == 1 or 보유시간 >= 5:\n    매도 = True\nif 매도:\n    self.Sell()"


def signals(sessions, *rows):
    """(n_rows,) 1 on the given (session, row of the session)."""
    ends = np.cumsum([n for _, _, n in sessions])
    marked = np.zeros(ends[-1])
    for session, row in rows:
        marked[ends[session] - sessions[session][2] + row] = 1
    return marked


class Market:
    """Three stocks that are bought on marked rows for about 1,001,000 KRW and sold five seconds later."""

    def __init__(self, make_panel, *rows, sells=(), buy=BUY, config=None, **columns):
        self.sessions = [(code, day, 20) for code in "ABC" for day in DAYS]
        given = {"체결강도": signals(self.sessions, *rows), "등락율": signals(self.sessions, *sells), **columns}
        self.selection = select(make_panel(self.sessions, **given))
        self.strategy = compile_strategy(buy, SELL, profile="corrected")
        self.config = config or EngineConfig(avgtime=1)
        self.trades = run_reference(self.strategy, self.selection, NONE, self.config).trades

    def account(self, cash, max_holdings, *, exact=False):
        replay = Replay(self.strategy, self.selection, NONE, self.config) if exact else None
        return simulate_account(Account(cash, max_holdings), self.trades, self.selection.selected, replay)


A1, A2, B1, B2, C1, C2 = range(6)  # sessions by stock and day


def bought(result):
    return [*zip(result.trades.session.tolist(), (result.trades.buy_row % 20).tolist(), strict=True)]


def test_slots_go_to_whoever_comes_first_and_in_the_same_second_to_the_lower_code(make_panel):
    market = Market(make_panel, (A1, 3), (B1, 3), (C1, 2), (C2, 1))
    assert bought(market.account(1e9, 2)) == [(A1, 3), (C1, 2), (C2, 1)]
    result = market.account(1e9, 1)
    assert bought(result) == [(C1, 2), (C2, 1)]
    assert result.refused == {NO_SLOT: 2, NO_CASH: 0}
    assert (result.peak_holdings, result.unlimited_trades) == (1, 4)


def test_a_sale_gives_back_slot_and_cash_in_its_own_second(make_panel):
    market = Market(make_panel, (A1, 3), (B1, 8), (C1, 7))
    assert bought(market.account(1e9, 1)) == [(A1, 3), (B1, 8)]
    amount, left = int(market.trades.buy_amount[0]), int(market.trades.sell_amount[0])
    assert bought(market.account(amount, 3)) == [(A1, 3)]  # what the sale left is less than the next one costs
    assert market.account(amount, 3).refused == {NO_SLOT: 0, NO_CASH: 2}
    assert bought(market.account(2 * amount - left, 3)) == [(A1, 3), (B1, 8)]


def test_equity_profit_drawdown_and_capital_in_use_are_those_of_the_trades_taken(make_panel):
    price = np.full(120, 1_000.0)
    price[signals([(c, d, 20) for c in "ABC" for d in DAYS], *[(C1, row) for row in range(8, 20)]) == 1] = 1_100.0
    columns = {"현재가": price} | {f"매수호가{level}": price - level for level in range(1, 6)}
    market = Market(make_panel, (A1, 1), (B1, 2), (C1, 6), (A2, 4), **columns)
    result = market.account(3e6, 3)
    profit = market.trades.profit
    assert (len(result.trades), result.profit) == (4, profit.sum())
    by_session = dict(zip(market.trades.session.tolist(), profit.tolist(), strict=True))
    first = by_session[A1] + by_session[B1] + by_session[C1]
    assert result.equity.tolist() == [3e6 + first, 3e6 + first + by_session[A2]]
    assert result.daily_profit.tolist() == [first, by_session[A2]]
    assert result.max_drawdown_krw == -(by_session[A1] + by_session[B1]) > 0
    assert result.max_drawdown == pytest.approx(result.max_drawdown_krw / 3e6)
    amounts = dict(zip(market.trades.session.tolist(), market.trades.buy_amount.tolist(), strict=True))
    assert result.peak_capital == amounts[B1] + amounts[C1]  # the sale of A comes first in the second that buys C
    assert result.peak_holdings == 2


def test_a_refused_stock_waits_for_the_run_s_next_entry_or_with_a_replay_for_the_next_row_that_buys(make_panel):
    market = Market(make_panel, (A1, 3), (B1, 4), (B1, 6), (B1, 8), (B1, 12), (C1, 7))
    fixed = market.account(1e9, 1)
    assert bought(fixed) == [(A1, 3), (B1, 12)]
    assert fixed.refused[NO_SLOT] == 2
    exact = market.account(1e9, 1, exact=True)
    assert bought(exact) == [(A1, 3), (B1, 8)]  # which ends on row 13, so that the entry of row 12 never comes
    assert exact.refused[NO_SLOT] == 3  # B on rows 4 and 6, C on row 7
    assert (fixed.exact, exact.exact) == (False, True)


def test_without_limits_the_account_is_the_run(make_panel):
    market = Market(make_panel, (A1, 3), (B1, 4), (B1, 6), (B1, 12), (C1, 7), (C2, 2))
    for exact in (False, True):
        result = market.account(1e12, 100, exact=exact)
        for name, values in vars(market.trades).items():
            np.testing.assert_array_equal(getattr(result.trades, name), values)
        assert sum(result.refused.values()) == 0


def test_a_candidate_that_never_trades_leaves_the_account_as_it_was(make_panel):
    result = Market(make_panel).account(1e6, 1)
    assert (result.profit, result.max_drawdown_krw, result.peak_capital) == (0, 0.0, 0)
    assert result.equity.tolist() == [1e6, 1e6]


def test_the_capital_is_told_in_words(make_panel):
    market = Market(make_panel, (A1, 3), (B1, 4))
    assert in_words(None) == UNLIMITED_CAPITAL
    told = in_words(market.account(5e6, 1))
    assert told == (
        "an account of 5,000,000 KRW with at most 1 holding: 1 trade (2 with unlimited capital), 1 refused: no free slot; "
        f"profit {market.trades.profit[0]:,} KRW ({market.trades.profit.sum():,}), at most 1,001,000 KRW in 1 stock at once; "
        "what a refused stock would have bought later is left out"
    )
    assert "none refused" in in_words(market.account(5e6, 2, exact=True))
    assert "left out" not in in_words(market.account(5e6, 2, exact=True))


def test_accounts_that_make_no_sense_are_refused(make_panel):
    with pytest.raises(ConfigError, match="cash is 0"):
        Account(0, 1)
    with pytest.raises(ConfigError, match="max_holdings is 0"):
        Account(1e6, 0)
    market = Market(make_panel, (A1, 3))
    two = trades_from([(0, 0, 1, 2, *[0] * 11), (1, 0, 1, 2, *[0] * 11)])
    with pytest.raises(ConfigError, match="several candidates"):
        simulate_account(Account(1e6, 1), two, market.selection.selected)
    with pytest.raises(ConfigError, match="2 parameter rows"):
        Replay(market.strategy, market.selection, ParamMatrix.from_rows([[], []]), market.config)


def test_a_row_that_stops_the_candidate_after_a_refusal_is_told_with_its_place(make_panel):
    buy = "매수 = 체결강도 == 1\nif 데이터길이 > 6 and 1 / (데이터길이 - 9) > 5:\n    매수 = False\nif 매수:\n    self.Buy()"
    market = Market(make_panel, (A1, 3), (B1, 4))
    strategy = compile_strategy(buy, SELL, profile="stom")
    replay = Replay(strategy, market.selection, NONE, EngineConfig(avgtime=1, profile="stom"))
    with pytest.raises(ScriptRuntimeError, match=r"buy text, line 2, column .* divided by zero \(B, 20240102 09:00:08\)"):
        simulate_account(Account(1e9, 1), market.trades, market.selection.selected, replay)


# Second by second


class Stepped(CandidateRun):
    """A session moved on row by row."""

    def start(self, session):
        panel = self.panel
        self._enter_session(session, int(panel.instrument_offsets[panel.session_code[session]]))
        return self

    def note(self, row):
        self.frame.row, self.frame.count = row, row - int(self.panel.offsets[self.session]) + 1
        for name in self.interpreter.elapsed_names:
            self.interpreter.note_elapsed(self.frame, name)

    @property
    def holds(self):
        return self.frame.buy_row >= 0

    @property
    def amount(self):
        return self.frame.quantity * self.frame.buy_price


@np.errstate(all="ignore")
def stepped_account(strategy, selection, config, cash, max_holdings):
    """All stocks together, one second after the other: first who holds may sell, then who does not may buy, in code order."""
    panel, binding = selection.selected, bind(selection, config)
    interpreter = Interpreter(strategy, binding.rows)
    runs = [Stepped(interpreter, binding, config, 0, ()).start(session) for session in range(panel.n_sessions)]
    rows = {}
    for session in range(panel.n_sessions):
        for row in range(panel.offsets[session], panel.offsets[session + 1]):
            rows.setdefault(int(panel.clock[row]), []).append((session, row, row == panel.offsets[session + 1] - 1))
    for clock in sorted(rows):
        free = []
        for session, row, last in rows[clock]:
            run = runs[session]
            run.note(row)
            if not run.holds:
                free.append((session, row, last))
                continue
            run._close_the_day() if last else run._sell_row()
            if not run.holds:
                cash += run.trades[-1][10]
        for session, row, last in free:
            run = runs[session]
            if last or run.frame.count < config.avgtime or not binding.watched[row]:
                continue
            run._buy_row()
            if run.holds and (sum(other.holds for other in runs) > max_holdings or run.amount > cash):
                run.frame.buy_row = -1
            elif run.holds:
                cash -= run.amount
    return trades_from([trade for run in runs for trade in run.trades]), cash


@pytest.mark.parametrize(("cash", "max_holdings"), [(1e9, 1), (1e9, 2), (1.5e6, 5), (2.2e6, 2)])
@pytest.mark.parametrize("elapsed", ["", "strong;체결강도 > 120 and 초당매수수량 > 초당매도수량"])
def test_with_a_replay_it_is_the_account_walked_second_by_second(golden_panel, cash, max_holdings, elapsed):
    buy = "매수 = 현재가 >= 최고현재가(30, 1)\nif 매수:\n    self.Buy()"
    buy = buy.replace("매수 = ", "매수 = 0 < 경과틱수('strong') < 4 and ") if elapsed else buy
    sell = "매도 = 수익률 > 0.7 or 보유시간 > 90\nif 매도:\n    self.Sell()"
    strategy = compile_strategy(buy, sell, profile="corrected", elapsed=elapsed)
    selection, config = select(golden_panel, days=(20230118, 20230119), time=(90_000, 90_600)), EngineConfig()
    unlimited = run_reference(strategy, selection, NONE, config).trades
    replay = Replay(strategy, selection, NONE, config)
    found = simulate_account(Account(cash, max_holdings), unlimited, selection.selected, replay)
    expected, left = stepped_account(strategy, selection, config, cash, max_holdings)
    assert np.count_nonzero(~np.isin(expected.buy_row, unlimited.buy_row)) > 2
    assert np.count_nonzero(np.isin(expected.buy_row, unlimited.buy_row)) > 2
    assert sum(found.refused.values()) > 5
    for name, values in vars(expected).items():
        np.testing.assert_array_equal(getattr(found.trades, name), values, err_msg=name)
    assert found.equity[-1] == left
