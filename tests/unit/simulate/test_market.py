"""What stands in the tables, checked against spec/schema.md from the rows alone."""

from itertools import pairwise

import numpy as np
import pytest

from stom_ray.schema import LAYOUTS, tick_units
from stom_ray.simulate import SimulateConfig
from stom_ray.simulate.market import price_ladder

ASKS = [f"매도호가{i}" for i in range(1, 6)]
BIDS = [f"매수호가{i}" for i in range(1, 6)]
ASK_SIZES = [f"매도잔량{i}" for i in range(1, 6)]
BID_SIZES = [f"매수잔량{i}" for i in range(1, 6)]


def seconds(clock):
    at = clock.to_numpy() % 1_000_000
    return at // 10_000 * 3600 + at // 100 % 100 * 60 + at % 100


@pytest.mark.parametrize("layout", ["tick_v1", "tick_v2", "minute_v1"])
def test_columns_stand_in_the_layouts_own_order_with_its_types(make_market, layout) -> None:
    market = make_market(SimulateConfig(codes=2, days=2, seed=5, end=90500, layout=layout))
    for code, table in market.tables.items():
        assert tuple(table.columns) == LAYOUTS[layout].columns
        assert '"관심종목" INTEGER' in market.schema[code]
        assert market.schema[code].count(" INTEGER") == 2
        assert f"ix_{code}_index" in market.schema
        assert not table.isna().any().any()
    assert "ix_moneytop_index" in market.schema


def test_the_ladder_has_every_valid_price_and_no_other() -> None:
    for day, low, high in ((20230124, 900, 52_000), (20230125, 1_900, 520_000), (20230125, 3_000, 3_100)):
        ladder = price_ladder(low, high, day)
        assert ladder[0] <= low
        assert ladder[-1] > high
        assert np.array_equal(np.diff(ladder), tick_units(ladder[:-1], day))


def test_prices_lie_on_the_ladder_of_their_day(rich) -> None:
    days = set()
    for _, day, rows in rich.sessions:
        prices = rows[["현재가", "시가", "고가", "저가", "VI가격", *ASKS, *BIDS]].to_numpy()
        present = prices[prices > 0]
        assert np.all(present % tick_units(present, day) == 0)
        days.add(day)
    assert min(days) < 20230125 <= max(days)


def test_a_price_that_only_the_new_ladder_has_appears_only_after_the_change(make_market) -> None:
    market = make_market(SimulateConfig(codes=12, days=6, seed=3, start=20230120, end=90300))
    finer = {True: 0, False: 0}
    for _, day, rows in market.sessions:
        price = rows["현재가"].to_numpy()
        finer[day >= 20230125] += int(((price > 10_000) & (price < 20_000) & (price % 50 != 0)).sum())
    assert finer[False] == 0
    assert finer[True] > 0


def test_the_book_is_ordered_and_never_crossed(rich) -> None:
    locked = {"up": 0, "down": 0}
    for _, _, rows in rich.sessions:
        ask, bid = rows[ASKS].to_numpy(), rows[BIDS].to_numpy()
        both = (ask[:, 0] > 0) & (bid[:, 0] > 0)
        assert np.all(ask[both, 0] > bid[both, 0])
        assert np.all((np.diff(ask, axis=1) > 0) | (ask[:, 1:] == 0))
        assert np.all((np.diff(bid, axis=1) < 0) | (bid[:, 1:] == 0))
        assert np.all((ask[:, 0] > 0) | (bid[:, 0] > 0))
        assert np.all((ask > 0) == (rows[ASK_SIZES].to_numpy() > 0))
        assert np.all((bid > 0) == (rows[BID_SIZES].to_numpy() > 0))
        locked["up"] += int((ask[:, 0] == 0).sum())
        locked["down"] += int((bid[:, 0] == 0).sum())
    assert locked["up"] > 0
    assert locked["down"] > 0


def test_a_one_sided_book_stands_at_the_days_price_limit(rich) -> None:
    for _, _, rows in rich.sessions:
        up, down = rows[rows["매도호가1"] == 0], rows[rows["매수호가1"] == 0]
        assert np.all(up["등락율"] > 28.5)
        assert np.all(up["현재가"] == up["매수호가1"])
        assert np.all(up["초당매수수량"] == 0)
        assert np.all(down["등락율"] < -28.5)
        assert np.all(down["현재가"] == down["매도호가1"])
        assert np.all(down["초당매도수량"] == 0)
        assert np.all(rows["등락율"].abs() <= 30)


def test_the_last_price_is_the_best_bid_or_ask(rich) -> None:
    for _, _, rows in rich.sessions:
        assert np.all((rows["현재가"] == rows["매도호가1"]) | (rows["현재가"] == rows["매수호가1"]))
        bought, sold = rows["초당매수수량"] > 0, rows["초당매도수량"] > 0
        assert np.all((rows["현재가"] == rows["매도호가1"])[bought & ~sold])
        assert np.all((rows["현재가"] == rows["매수호가1"])[sold & ~bought])


def test_sizes_add_up(rich) -> None:
    for _, _, rows in rich.sessions:
        asks, bids = rows[ASK_SIZES].sum(axis=1), rows[BID_SIZES].sum(axis=1)
        assert np.array_equal(rows["매도수5호가잔량합"], asks + bids)
        assert np.all(rows["매도총잔량"] >= asks)
        assert np.all(rows["매수총잔량"] >= bids)


def test_cumulative_columns_follow_from_the_seconds(rich) -> None:
    for _, _, rows in rich.sessions:
        next_second = np.diff(seconds(rows["index"])) == 1
        step = rows.diff().iloc[1:]
        for total, flow in (("당일거래대금", "초당거래대금"), ("당일매수금액", "초당매수금액"), ("당일매도금액", "초당매도금액")):
            grown, own = step[total].to_numpy(), rows[flow].to_numpy()[1:]
            assert np.all(grown >= own)
            assert np.array_equal(grown[next_second], own[next_second])
        value = rows["당일매수금액"] + rows["당일매도금액"]
        assert np.array_equal(rows["당일거래대금"], np.floor(value / 1e6))


def test_high_and_low_hold_every_price_seen(rich) -> None:
    for _, _, rows in rich.sessions:
        assert np.all(rows["고가"].diff().iloc[1:] >= 0)
        assert np.all(rows["저가"].diff().iloc[1:] <= 0)
        assert np.all(rows["고가"] >= rows["현재가"].cummax())
        assert np.all(rows["저가"] <= rows["현재가"].cummin())
        assert rows["시가"].nunique() == 1
        assert np.all((rows["저가"] <= rows["시가"]) & (rows["시가"] <= rows["고가"]))


def test_rates_follow_from_prices_and_volumes(rich) -> None:
    for _, _, rows in rich.sessions:
        price, high, low = (rows[name].to_numpy() for name in ("현재가", "고가", "저가"))
        assert np.array_equal(rows["고저평균대비등락율"], np.round((price / ((high + low) / 2) - 1) * 100, 2))
        assert np.array_equal(rows["저가대비고가등락율"], np.round((high / low - 1) * 100, 2))
        previous = price / (1 + rows["등락율"].to_numpy() / 100)
        assert np.all(np.abs(previous / np.median(previous) - 1) < 2e-4)
        shares = rows["시가총액"].to_numpy() * 1e8 / price
        assert np.all(np.abs(shares / np.median(shares) - 1) < 0.01)
        assert rows["체결강도"].between(0, 500).all()
        assert np.all(rows["회전율"].diff().iloc[1:] >= 0)
        assert np.all(rows["전일비"].diff().iloc[1:] >= 0)
        assert (rows["거래대금증감"] - rows["당일거래대금"]).nunique() == 1


def test_trade_strength_is_bought_over_sold_of_the_day(make_market) -> None:
    whole = SimulateConfig(
        codes=3, days=2, seed=8, missing_seconds=0.0, missing_days=0.0, late_starts=0.0, early_stops=0.0, limit_sessions=0.0
    )
    for _, _, rows in make_market(whole).sessions:
        bought, sold = rows["초당매수수량"].cumsum(), rows["초당매도수량"].cumsum()
        traded = sold > 0
        expected = np.minimum(np.round(bought / sold.where(traded, 1.0) * 100, 2), 500.0)
        assert np.array_equal(rows["체결강도"][traded], expected[traded])


def test_volume_against_yesterday_uses_yesterdays_volume(make_market) -> None:
    whole = SimulateConfig(
        codes=2, days=3, seed=8, missing_seconds=0.0, missing_days=0.0, late_starts=0.0, early_stops=0.0, limit_sessions=0.0,
        thin_codes=0.0, volatility=1.0,
    )  # fmt: skip
    by_code: dict[str, list] = {}
    for code, _, rows in make_market(whole).sessions:
        rows["volume"] = (rows["초당매수수량"] + rows["초당매도수량"]).cumsum()
        by_code.setdefault(code, []).append(rows.set_index(seconds(rows["index"])))
    for days in by_code.values():
        for before, today in pairwise(days):
            then = before["volume"].reindex(range(9 * 3600, 9 * 3600 + 1801)).ffill().reindex(today.index)
            expected = np.round(today["volume"] / then * 100, 2)
            assert np.array_equal(today["전일동시간비"], expected)
            ratio = today["전일비"].iloc[-1] / (today["volume"].iloc[-1] / before["volume"].iloc[-1] * 100)
            assert 0.15 < ratio < 0.3  # half an hour's share of a day's volume


def test_money_bought_and_sold_is_at_the_quotes_and_its_peak_is_one_price(rich) -> None:
    for _, _, rows in rich.sessions:
        assert np.array_equal(rows["초당매수금액"], rows["초당매수수량"] * rows["매도호가1"])
        assert np.array_equal(rows["초당매도금액"], rows["초당매도수량"] * rows["매수호가1"])
        for side in ("매수", "매도"):
            top, total, at = rows[f"최고{side}금액"], rows[f"당일{side}금액"], rows[f"최고{side}가격"]
            assert np.all(top <= total)
            assert np.all(top.diff().iloc[1:] >= 0)
            assert np.all((at >= rows["저가"]) & (at <= rows["고가"]))


def test_interruptions_leave_two_minutes_without_rows_and_arm_the_next(rich) -> None:
    halts = 0
    for _, day, rows in rich.sessions:
        released = rows["VI해제시간"].to_numpy()
        assert np.all((released == day * 1_000_000 + 80_000) | (released <= rows["index"].to_numpy()))
        at = seconds(rows["index"])
        for i in np.flatnonzero(np.diff(released) > 0) + 1:
            assert at[i] - at[i - 1] > 120
            assert rows["VI가격"][i] != rows["VI가격"][i - 1]
            halts += 1
        assert np.array_equal(rows["VI호가단위"], tick_units(rows["VI가격"].to_numpy(), day))
        first = rows[released == day * 1_000_000 + 80_000]
        assert np.all(first["VI가격"] >= first["시가"] * 1.1 - 1e-6)
        assert np.all(first["VI가격"] < first["시가"] * 1.1 + first["VI호가단위"])
    assert halts > 0
    assert rich.report.halts >= halts


def test_round_figures_are_five_ticks_from_where_the_tick_size_changes(rich) -> None:
    seen = 0
    for _, day, rows in rich.sessions:
        price = rows["현재가"].to_numpy()
        borders = (1_000, 5_000, 10_000, 50_000) if day < 20230125 else (2_000, 5_000, 20_000, 50_000, 200_000, 500_000)
        near = np.zeros(len(rows), dtype=bool)
        for border in borders:
            unit = tick_units(np.array([float(border)]), day)[0]
            near |= (price >= border) & (price <= border + 5 * unit)
        assert np.array_equal(rows["라운드피겨위5호가이내"], near)
        seen += int(near.sum())
    assert seen > 0


def test_sessions_have_holes_late_starts_early_stops_and_missing_days(rich) -> None:
    first = [seconds(rows["index"])[0] - 9 * 3600 for _, _, rows in rich.sessions]
    last = [seconds(rows["index"])[-1] - 9 * 3600 for _, _, rows in rich.sessions]
    assert max(first) > 60
    assert min(first) < 5
    assert min(last) < 1740
    assert max(last) == 1800
    assert len(rich.sessions) == rich.report.sessions < 36
    assert all(np.all(np.diff(rows["index"]) > 0) for _, _, rows in rich.sessions)


def test_moneytop_starts_at_half_a_minute_and_marks_what_may_be_bought(rich) -> None:
    top = dict(zip(rich.moneytop["index"], rich.moneytop["거래대금순위"].str.split(";"), strict=True))
    assert min(clock % 1_000_000 for clock in top) == 90030
    assert all(1 <= len(names) <= rich.report.config.ranked_codes for names in top.values())
    for code, _, rows in rich.sessions:
        member = np.array([code in top.get(clock, ()) for clock in rows["index"]])
        assert np.array_equal(rows["관심종목"], member)


def test_moneytop_ranks_by_the_value_of_the_last_minute(make_market) -> None:
    market = make_market(
        SimulateConfig(codes=5, days=1, seed=4, missing_seconds=0.0, missing_days=0.0, late_starts=0.0, early_stops=0.0)
    )
    at = 20230109091500
    values = {}
    for code, table in market.tables.items():
        bought = table["초당매수수량"] * table["매도호가1"] + table["초당매도수량"] * table["매수호가1"]
        values[code] = bought[(table["index"] > 20230109091400) & (table["index"] <= at)].sum()
    ranked = market.moneytop.set_index("index")["거래대금순위"][at].split(";")
    assert ranked == sorted(values, key=lambda code: -values[code])[: len(ranked)]


def test_stockinfo_names_every_table(rich) -> None:
    assert list(rich.stockinfo.columns) == ["index", "종목명", "코스닥"]
    assert list(rich.stockinfo["index"]) == list(rich.tables) == sorted(rich.tables)
    assert rich.stockinfo["종목명"].is_unique
    assert rich.stockinfo["코스닥"].isin([0, 1]).all()


def test_a_minute_row_sums_its_seconds(make_market) -> None:
    settings = {"codes": 2, "days": 2, "seed": 21, "end": 91000}
    ticks, minutes = make_market(SimulateConfig(**settings)), make_market(SimulateConfig(**settings, layout="minute_v1"))
    for code, minute_table in minutes.tables.items():
        tick = ticks.tables[code]
        grouped = tick.groupby(tick["index"] // 100)
        assert np.array_equal(minute_table["index"], list(grouped.groups))
        assert np.array_equal(minute_table["분당매수수량"], grouped["초당매수수량"].sum())
        assert np.array_equal(minute_table["분당거래대금"], grouped["초당거래대금"].sum())
        assert np.array_equal(minute_table["분봉시가"], grouped["현재가"].first())
        assert np.array_equal(minute_table["분봉고가"], grouped["현재가"].max())
        assert np.array_equal(minute_table["분봉저가"], grouped["현재가"].min())
        assert np.array_equal(minute_table["체결강도"], grouped["체결강도"].last())


def test_trading_is_heavier_at_the_open_and_comes_in_bursts(make_market) -> None:
    market = make_market(SimulateConfig(codes=6, days=6, seed=9, thin_codes=0.0, limit_sessions=0.0, end=100000))
    early = late = 0.0
    bursts = []
    for _, _, rows in market.sessions:
        at, value = seconds(rows["index"]) - 9 * 3600, rows["초당매수금액" if "초당매수금액" in rows else "초당거래대금"]
        early += value[at < 600].sum()
        late += value[at >= 3000].sum()
        calm = np.log1p(value[at > 1200].to_numpy())
        bursts.append(np.corrcoef(calm[1:], calm[:-1])[0, 1])
    assert early > 2 * late
    assert np.median(bursts) > 0.1


def test_returns_have_fat_tails_and_a_common_factor(make_market) -> None:
    market = make_market(SimulateConfig(codes=6, days=6, seed=9, thin_codes=0.0, limit_sessions=0.0, end=100000))
    standard, minutes = [], {}
    for code, day, rows in market.sessions:
        price = rows.set_index(seconds(rows["index"]) - 9 * 3600)["현재가"].reindex(range(3601)).ffill().bfill()
        returns = np.diff(np.log(price.to_numpy()[::10]))
        standard.append((returns - returns.mean()) / returns.std())
        minutes[code, day] = np.diff(np.log(price.to_numpy()[::60]))
    pooled = np.concatenate(standard)
    assert np.mean(pooled**4) > 4  # 3 for a normal
    pairs = [np.corrcoef(minutes[a], minutes[b])[0, 1] for a in minutes for b in minutes if a[1] == b[1] and a[0] < b[0]]
    assert 0.05 < np.mean(pairs) < 0.4
