"""Tax, fees and profit."""

import math

from hypothesis import given
from hypothesis import strategies as st

from stom_ray.engine.costing import fee, net_amount, profit_pct, unrealised_pct

STOM = (0.0018, 0.00015, 10.0)


def test_a_trade_of_the_golden_set_costs_what_stom_charged():
    bought, sold = 308.0 * 3245, 308.0 * 3209
    net = net_amount(bought, sold, *STOM)
    assert net == 986313
    assert net - bought == -13147
    assert profit_pct(bought, net) == -1.32


def test_fees_are_cut_to_ten_krw():
    assert fee(998_310.0, 0.00015, 10.0) == 140


def test_unrealised_profit_is_the_profit_of_selling_at_that_price():
    bought = 308.0 * 3245
    assert unrealised_pct(bought, 308.0, 3209.0, *STOM) == -1.32


def test_a_missing_price_gives_nan_not_a_loss():
    assert math.isnan(unrealised_pct(1000.0, 10.0, math.nan, *STOM))


@given(st.integers(1, 10**9), st.integers(0, 10**9))
def test_whole_krw_amounts_agree_with_python_integers(bought, sold):
    tax = int(sold * 0.0018)
    fees = int(bought * 0.00015 / 10) * 10 + int(sold * 0.00015 / 10) * 10
    net = int(sold - tax - fees)
    assert net_amount(float(bought), float(sold), *STOM) == net
