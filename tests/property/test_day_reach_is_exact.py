"""The days that a day's decisions read are those whose rows, when changed, change its trades; no more and no fewer.

Trades here are taken on one row of the day if the window is quiet, or last until it is quiet; each row has its turn. A day's rows
are changed by making their 체결강도 loud, which nothing else reads.
"""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.reference import run_reference
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.search.space import Choice, Space
from stom_ray.store.load import select
from stom_ray.validation.purge import day_reach

DAYS = (20240102, 20240103, 20240104, 20240105)
PLACES = tuple(range(1, 7))
BUY = "매수 = 데이터길이 == self.vars[2]\nif 최고체결강도({length}, {pre}) > 500:\n    매수 = False\nif 매수:\n    self.Buy()"
SELL_ALWAYS = "매도 = True\nif 매도:\n    self.Sell()"
BUY_ONCE = "매수 = 데이터길이 == self.vars[2] and 시가총액 == self.vars[3]\nif 매수:\n    self.Buy()"
SELL = "매도 = 데이터길이 > {since} and not (최고체결강도({length}, -1) > 500)\nif 매도:\n    self.Sell()"

presence = st.lists(st.tuples(st.sampled_from(DAYS), st.integers(1, 7)), min_size=1, max_size=4, unique_by=lambda pair: pair[0])


def trades_by_day(strategy, panel, time, loud, config, rows):
    """Of each day what was bought and sold when, with 체결강도 of the days `loud` above every threshold.

    A window that begins before the data stops a run, so that instruments and parameter rows are run by themselves.
    """
    panel.columns["체결강도"] = np.where(np.isin(np.repeat(panel.session_day, np.diff(panel.offsets)), loud), 900.0, 100.0)
    found = {day: [] for day in DAYS}
    for code in panel.codes:
        selection = select(panel, codes=(code,), time=time)
        trades = run_reference(strategy, selection, ParamMatrix.from_rows(rows), config).trades
        for candidate, session, *at in zip(trades.candidate, trades.session, trades.buy_row, trades.sell_row, strict=True):
            found[selection.selected.session_day[session]].append((code, candidate, *at))
    return found


@settings(max_examples=150)
@given(
    market=st.dictionaries(st.sampled_from(("A", "B")), presence, min_size=1),
    length=st.integers(1, 9),
    pre=st.integers(0, 3),
    gate=st.integers(1, 5),
    loaded=st.booleans(),
    selling=st.booleans(),
    late=st.booleans(),
)
def test_changing_a_day_changes_the_days_that_read_it_and_no_other(make_panel, market, length, pre, gate, loaded, selling, late):
    sessions = [(code, day, n) for code in sorted(market) for day, n in sorted(market[code])]
    time = (90_002, 93_000) if late else None
    assume(not late or all(any(n > 2 for _, n in days) for days in market.values()))
    if selling:
        buy, sell = BUY_ONCE, SELL.format(length="self.vars[1]", since=0 if loaded else length - 2)
    else:
        buy, sell = BUY.format(length="self.vars[1]", pre=pre), SELL_ALWAYS
    strategy = compile_strategy(buy, sell, profile="corrected")
    config = EngineConfig(gate_var0=True, loaded_lengths=(length,) if loaded else (100,))
    space = Space((Choice((gate,), gate), Choice((length,), length), Choice(PLACES, 1), Choice(DAYS, DAYS[0])))
    panel = make_panel(sessions, 시가총액=[day for _, day, n in sessions for _ in range(n)])
    rows = [[gate, length, place, day] for place in PLACES for day in (DAYS if selling else DAYS[:1])]
    before = trades_by_day(strategy, panel, time, (), config, rows)
    reach = day_reach(strategy, select(panel, time=time), config, space)
    for place, changed in enumerate(reach.days):
        after = trades_by_day(strategy, panel, time, (changed,), config, rows)
        moved = {day for day in DAYS if after[day] != before[day] and day != changed}
        assert moved == set(reach.days[reach.reads[:, place]].tolist()), (changed, reach.reason)


@pytest.mark.parametrize(("length", "purge"), [(30, 0), (31, 1), (60, 1)])
def test_a_window_as_long_as_the_gate_reads_its_own_day_only(make_panel, length, purge):
    buy = BUY.format(length=length, pre=0).replace("self.vars[2]", "30")
    strategy = compile_strategy(buy, SELL_ALWAYS, profile="corrected")
    selection = select(make_panel([("A", day, 50) for day in DAYS]))
    assert day_reach(strategy, selection, EngineConfig(loaded_lengths=(length,))).purge_days == purge
