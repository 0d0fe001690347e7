"""The batch computes the same bits as the readable definition, whatever trades a panel can produce."""

import threading

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stom_ray.engine.types import Trades
from stom_ray.metrics.batch import score, score_folds, trading_days
from stom_ray.metrics.stom import CLOCK_TO_DAY, Fold, figures, fold_figures
from stom_ray.store.panel import Panel

SECONDS = 400


def random_panel(rng: np.random.Generator, n_codes: int, n_days: int) -> Panel:
    """Sessions with missing seconds, a moneytop with other missing seconds."""
    second = np.arange(SECONDS)
    of_day = 90000 + second // 60 * 100 + second % 60
    days = 20240102 + np.arange(n_days)
    session_code, session_day, offsets, rows = [], [], [0], []
    for code in range(n_codes):
        for day in days:
            kept = of_day[rng.random(SECONDS) < 0.8]
            rows.append(day * CLOCK_TO_DAY + kept)
            session_code.append(code)
            session_day.append(day)
            offsets.append(offsets[-1] + len(kept))
    ranked = (days[:, None] * CLOCK_TO_DAY + of_day).ravel()
    return Panel(
        codes=tuple(f"{code:06d}" for code in range(n_codes)),
        session_code=np.array(session_code),
        session_day=np.array(session_day),
        offsets=np.array(offsets),
        clock=np.concatenate(rows),
        ranking_clock=ranked[rng.random(len(ranked)) < 0.9],
        layout="tick_v1",
    )


def random_trades(rng: np.random.Generator, panel: Panel, n_candidates: int) -> Trades:
    """Per session alternating buys and sells, with few distinct amounts and profits so that ties are common."""
    candidate, session, buy, sell = [], [], [], []
    for number in range(n_candidates):
        density = rng.choice([0.0, 0.01, 0.1, 0.5])
        for place in range(panel.n_sessions):
            start, end = panel.offsets[place : place + 2]
            rows = np.flatnonzero(rng.random(end - start) < density) + start
            for first, last in zip(rows[0::2], rows[1::2], strict=False):
                candidate.append(number)
                session.append(place)
                buy.append(first)
                sell.append(last)
    n = len(candidate)
    buy_row, sell_row = np.array(buy, dtype=np.int64), np.array(sell, dtype=np.int64)
    amount = rng.choice([300_000, 999_000, 1_000_000, 4_000_000], n)
    profit = rng.choice([-20_000, -3_333, -1, 0, 1, 7_777, 30_000], n)
    zeros = np.zeros(n, dtype=np.int64)
    return Trades(
        candidate=np.array(candidate, dtype=np.int64),
        session=np.array(session, dtype=np.int64),
        buy_row=buy_row,
        sell_row=sell_row,
        buy_clock=panel.clock[buy_row],
        sell_clock=panel.clock[sell_row],
        hold_s=sell_row - buy_row,
        buy_price=zeros,
        sell_price=zeros,
        buy_amount=amount,
        sell_amount=amount + profit,
        profit=profit,
        profit_pct=np.rint(profit / amount * 10_000) / 100,
        label=zeros,
        market_cap=np.zeros(n),
    )


def taken(trades: Trades, index: np.ndarray) -> Trades:
    return Trades(**{name: column[index] for name, column in vars(trades).items()})


worlds = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))


def world(drawn: tuple[int, int, int, int]) -> tuple[np.random.Generator, Panel, Trades, int]:
    seed, n_codes, n_days, n_candidates = drawn
    rng = np.random.default_rng(seed)
    panel = random_panel(rng, n_codes, n_days)
    return rng, panel, random_trades(rng, panel, n_candidates), n_candidates


@settings(max_examples=60, deadline=None)
@given(drawn=worlds, report=st.booleans())
def test_batch_equals_the_reference_bit_for_bit(drawn, report):
    _, panel, trades, n = world(drawn)
    found, daily = score(trades, n, panel, betting=1e6, report=report)
    days = trading_days(panel)
    for number in range(n):
        mine = taken(trades, trades.candidate == number)
        single = figures(mine, panel.ranking_clock, len(days), betting=1e6, report=report)
        assert np.array_equal(found[number], single)
        assert np.array_equal(daily[number], [mine.profit[mine.sell_clock // CLOCK_TO_DAY == day].sum() for day in days])


@settings(max_examples=40, deadline=None)
@given(drawn=worlds, report=st.booleans())
def test_chosen_days_score_as_if_only_they_had_been_run(drawn, report):
    rng, panel, trades, n = world(drawn)
    days = trading_days(panel)
    chosen = days[rng.random(len(days)) < 0.6]
    found, daily = score(trades, n, panel, betting=1e6, report=report, days=chosen)
    ranking = panel.ranking_clock[np.isin(panel.ranking_clock // CLOCK_TO_DAY, chosen)]
    for number in range(n):
        mine = taken(trades, (trades.candidate == number) & np.isin(trades.sell_clock // CLOCK_TO_DAY, chosen))
        assert np.array_equal(found[number], figures(mine, ranking, len(chosen), betting=1e6, report=report))
    assert daily.shape == (n, len(chosen))


@settings(max_examples=40, deadline=None)
@given(drawn=worlds, cut=st.booleans())
def test_folds_equal_the_reference_bit_for_bit(drawn, cut):
    rng, panel, trades, n = world(drawn)
    days = trading_days(panel)
    first, last = np.sort(rng.choice(days, 2))
    test_first = int(days[-1]) if cut else None
    folds = [Fold(kind, int(first), int(last), test_first, 2) for kind in ("TRAIN", "VALID")]
    found = score_folds(trades, n, panel, folds, betting=1e6)
    for number in range(n):
        mine = taken(trades, trades.candidate == number)
        for place, fold in enumerate(folds):
            assert np.array_equal(found[place, number], fold_figures(mine, panel.ranking_clock, fold, betting=1e6))


@settings(max_examples=20, deadline=None)
@given(drawn=worlds)
def test_a_candidate_scores_the_same_in_any_company(drawn):
    rng, panel, trades, n = world(drawn)
    found, daily = score(trades, n, panel, betting=1e6)
    order = rng.permutation(n)
    pieces = [np.flatnonzero(trades.candidate == old) for old in order]
    moved = taken(trades, np.concatenate(pieces))
    moved.candidate[:] = np.repeat(np.arange(n), [len(piece) for piece in pieces])
    shuffled, shuffled_daily = score(moved, n, panel, betting=1e6)
    assert np.array_equal(shuffled, found[order])
    assert np.array_equal(shuffled_daily, daily[order])


def test_threads_that_share_a_panel_get_the_same_scores():
    _, panel, trades, n = world((7, 4, 4, 4))
    results = []
    threads = [threading.Thread(target=lambda: results.append(score(trades, n, panel, betting=1e6)[0])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all(np.array_equal(result, results[0]) for result in results)
