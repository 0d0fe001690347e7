"""Trades as STOM's users see them."""

import numpy as np
import pandas as pd
import pytest

from stom_ray.conditions.compile import compile_strategy
from stom_ray.engine.trades import concatenate, trades_from
from stom_ray.engine.trades_io import COLUMNS, trades_frame, write_csv
from stom_ray.errors import ConfigError

SELL = "if 수익률 > 1:\n    매도 = True"


@pytest.fixture
def two_trades(make_panel):
    panel = make_panel([("000001", 20230102, 4), ("000002", 20230102, 4)])
    rows = [
        (0, 0, 1, 2, 20230102090001, 20230102090002, 1, 1001, 999, 10_010, 9_900, -110, -1.1, 1, 500.0),
        (1, 1, 5, 7, 20230102090001, 20230102090003, 2, 1001, 999, 10_010, 9_900, -110, -1.1, 0, 500.0),
    ]
    return trades_from(rows), compile_strategy("매수 = True", SELL), panel


def test_a_table_has_stoms_columns_in_order(two_trades):
    frame = trades_frame(*two_trades)
    assert tuple(frame.columns) == COLUMNS
    assert frame.code.tolist() == ["000001", "000002"]
    assert frame.label.tolist() == ["if 수익률 > 1:", "전략종료청산"]
    assert frame.market_cap.tolist() == [500, 500]


def test_a_sweep_puts_turn_and_key_in_front(two_trades):
    frame = trades_frame(*two_trades, labels=([0, 3], [0, 7]))
    assert tuple(frame.columns) == ("vturn", "vkey", *COLUMNS)
    assert frame[["vturn", "vkey"]].to_numpy().tolist() == [[0, 0], [3, 7]]


def test_each_candidate_may_have_its_own_strategy(two_trades):
    trades, strategy, panel = two_trades
    other = compile_strategy("매수 = True", "if 수익률 > 2:\n    매도 = True")
    assert trades_frame(trades, [other, strategy], panel).label[0] == "if 수익률 > 2:"


def test_no_trades_give_an_empty_table(two_trades):
    _, strategy, panel = two_trades
    frame = trades_frame(trades_from([]), strategy, panel, labels=([0], [0]))
    assert len(frame) == 0
    assert tuple(frame.columns) == ("vturn", "vkey", *COLUMNS)


def test_csv_keeps_codes_and_labels(two_trades, tmp_path):
    write_csv(trades_frame(*two_trades), tmp_path / "trades.csv")
    back = pd.read_csv(tmp_path / "trades.csv", dtype={"code": str})
    assert back.code.tolist() == ["000001", "000002"]
    assert back.label.tolist() == ["if 수익률 > 1:", "전략종료청산"]


def test_a_place_that_cannot_be_written_is_named(two_trades, tmp_path):
    with pytest.raises(ConfigError, match="cannot be written"):
        write_csv(trades_frame(*two_trades), tmp_path / "missing" / "trades.csv")


def test_runs_can_be_joined(two_trades):
    trades, _, _ = two_trades
    joined = concatenate([trades, trades])
    assert joined.buy_row.tolist() == [1, 5, 1, 5]
    assert joined.profit_pct.dtype == np.float64
    assert len(concatenate([])) == 0
