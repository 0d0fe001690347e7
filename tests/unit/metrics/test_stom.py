"""STOM's figures, by hand."""

import numpy as np
import pytest

from stom_ray.engine.types import Trades
from stom_ray.metrics.stom import FIGURES, Fold, figures, fold_figures, holding_table, rint
from stom_ray.search import base


def clock(day: int, second: int) -> int:
    return (20240102 + day) * 1_000_000 + 90000 + second // 60 * 100 + second % 60


def ranking(days: int, seconds: int = 60) -> np.ndarray:
    return np.array([clock(day, second) for day in range(days) for second in range(seconds)])


def trades(*rows: tuple[int, int, int, int, int, float]) -> Trades:
    """rows: day, buy second, sell second, amount, profit, pct."""
    day, buy, sell, amount, profit, pct = (np.array(column) for column in zip(*rows, strict=True))
    n = len(rows)
    zeros = np.zeros(n, dtype=np.int64)
    return Trades(
        candidate=zeros,
        session=zeros,
        buy_row=zeros,
        sell_row=zeros,
        buy_clock=np.array([clock(d, b) for d, b in zip(day, buy, strict=True)]),
        sell_clock=np.array([clock(d, s) for d, s in zip(day, sell, strict=True)]),
        hold_s=(sell - buy).astype(np.int64),
        buy_price=zeros,
        sell_price=zeros,
        buy_amount=amount.astype(np.int64),
        sell_amount=(amount + profit).astype(np.int64),
        profit=profit.astype(np.int64),
        profit_pct=pct.astype(np.float64),
        label=zeros,
        market_cap=np.zeros(n),
    )


def named(values: np.ndarray) -> dict[str, float]:
    return dict(zip(FIGURES, values, strict=True))


def test_search_and_metrics_name_the_same_figures():
    assert base.FIGURES is FIGURES


def test_no_trade_scores_zero_in_every_figure():
    empty = Trades(**{name: column[:0] for name, column in vars(trades((0, 1, 2, 1000, 0, 0.0))).items()})
    assert not figures(empty, ranking(1), 1, betting=1e6).any()


def test_figures_of_four_trades_worked_out_by_hand():
    found = named(
        figures(
            trades(
                (0, 0, 9, 1_000_000, 10_000, 1.0),
                (0, 5, 19, 500_000, -4_000, -0.8),
                (1, 0, 29, 1_000_000, -6_000, -0.6),
                (1, 40, 49, 1_000_000, 0, 0.0),
            ),
            ranking(2),
            2,
            betting=1e6,
        )
    )
    assert found == {
        "tc": 4,
        "atc": 2.0,
        "pc": 2,  # a profit of 0 counts as won
        "mc": 2,
        "wr": 50.0,
        "ah": 15.25,
        "app": -0.1,
        "tpp": 0.0,
        "tsg": 0,
        "mhct": 2,
        "seed": 1_500_000,
        "cagr": 0.0,
        "tpi": rint(0.5 * (1 + 0.5 / 0.7), 2),
        "mdd": rint(10_000 / 1_510_000 * 100, 2),
        "mdd_": 10_000,
    }


def test_the_second_of_the_sale_is_still_held():
    count, amount = holding_table(trades((0, 3, 5, 700, 0, 0.0), (0, 5, 6, 200, 0, 0.0)), ranking(1, 8))
    assert count.tolist() == [0, 0, 0, 1, 1, 2, 1, 0]
    assert amount.tolist() == [0, 0, 0, 700, 700, 900, 200, 0]


def test_the_busiest_percent_of_rows_is_cut_off_the_capital():
    overlapping = trades((0, 0, 199, 1_000_000, 0, 0.0), (0, 50, 51, 600_000, 0, 0.0))
    assert named(figures(overlapping, ranking(1, 300), 1, betting=1e6))["seed"] == 1_000_000  # 2 of 200 rows held more
    assert named(figures(overlapping, ranking(1, 300), 1, betting=1e6, report=True))["seed"] == 1_000_000
    shorter = trades((0, 0, 189, 1_000_000, 0, 0.0), (0, 50, 51, 600_000, 0, 0.0))
    assert named(figures(shorter, ranking(1, 300), 1, betting=1e6))["seed"] == 1_600_000  # k = 1 of 190 rows
    assert named(figures(shorter, ranking(1, 300), 1, betting=1e6, report=True))["seed"] == 1_000_000  # k = 3 of 300 rows


def test_a_trade_beside_every_ranking_second_needs_the_betting_amount():
    found = named(figures(trades((0, 70, 80, 900_000, 9_000, 1.0)), ranking(1), 1, betting=1e6))
    assert (found["mhct"], found["seed"], found["tpp"]) == (0, 1e6, 0.9)


def test_a_report_with_positions_in_less_than_a_percent_of_rows_needs_the_betting_amount():
    found = named(figures(trades((0, 0, 1, 900_000, 9_000, 1.0)), ranking(1, 300), 1, betting=1e6, report=True))
    assert (found["mhct"], found["seed"], found["tpp"]) == (0, 1e6, 0.9)


def test_profit_that_never_falls_shows_its_own_size_as_drawdown():
    found = named(
        figures(trades((0, 0, 9, 1_000_000, 5_000, 0.5), (0, 10, 19, 1_000_000, 7_000, 0.7)), ranking(1), 1, betting=1e6)
    )
    assert (found["mdd"], found["mdd_"], found["tpi"]) == (1.2, 12_000, 1.0)


def test_trades_accumulate_in_the_order_of_their_sales_with_ties_as_given():
    late_first = trades((0, 20, 30, 1_000_000, -9_000, -0.9), (0, 0, 9, 1_000_000, 5_000, 0.5))
    assert named(figures(late_first, ranking(1), 1, betting=1e6))["mdd_"] == 9_000
    tied = trades((0, 0, 9, 1_000_000, -9_000, -0.9), (0, 1, 9, 1_000_000, 5_000, 0.5))
    assert named(figures(tied, ranking(1), 1, betting=1e6))["mdd_"] == 4_000  # falls with the first trade already: no drawdown


@pytest.mark.parametrize(("kind", "cut", "expected"), [("VALID", None, 1), ("TRAIN", None, 3), ("TRAIN", 20240105, 2)])
def test_a_fold_holds_the_days_of_its_side(kind, cut, expected):
    fold = Fold(kind, 20240103, 20240103, cut, 1)
    assert fold.holds(20240102 + np.arange(4)).sum() == expected


def test_a_fold_picks_counts_by_dates_that_no_longer_belong_to_them():
    # day 0 holds two at once for 30 s, day 1 one for 30 s: sorted, the two highest blocks fall to the later date
    both = trades((0, 0, 29, 1_000_000, 0, 0.0), (0, 0, 29, 900_000, 0, 0.0), (1, 0, 29, 800_000, 0, 0.0))
    valid = Fold("VALID", 20240103, 20240103, None, 1)
    found = named(fold_figures(both, ranking(2), valid, betting=1e6))
    assert (found["tc"], found["mhct"], found["seed"]) == (1, 2, 1_900_000)


def test_a_side_of_a_fold_without_trades_scores_zero():
    fold = Fold("VALID", 20240103, 20240103, None, 1)
    assert not fold_figures(trades((0, 0, 9, 1_000_000, 5_000, 0.5)), ranking(2), fold, betting=1e6).any()
