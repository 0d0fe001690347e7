"""What a trade costs and earns (spec/engine.md §6.6-6.7), as scalar functions shared by the reference and the kernel.

All amounts are whole KRW held in float64 (exact below 2**53). Rates come from `schema.costs.CostModel`: `tax_rate` on what is
sold, `fee_rate` on both sides, each fee cut down to a multiple of `fee_rounding` KRW. NaN in gives NaN out; nothing raises.
"""

from __future__ import annotations

import numpy as np

from stom_ray.machine_code import njit


@njit(cache=True, error_model="numpy", nogil=True)
def fee(amount: float, fee_rate: float, fee_rounding: float) -> float:
    """Broker's fee on one side: int(amount * rate / 10) * 10 KRW."""
    whole: float = np.trunc(amount * fee_rate / fee_rounding) * fee_rounding
    return whole


@njit(cache=True, error_model="numpy", nogil=True)
def net_amount(bought: float, sold: float, tax_rate: float, fee_rate: float, fee_rounding: float) -> float:
    """What is left of `sold` KRW after tax and both fees: int(cg - tax - fees).

    bought, sold: quantity × price, KRW.
    """
    tax = np.trunc(sold * tax_rate)
    fees = fee(bought, fee_rate, fee_rounding) + fee(sold, fee_rate, fee_rounding)
    left: float = np.trunc(sold - tax - fees)
    return left


@njit(cache=True, error_model="numpy", nogil=True)
def profit_pct(bought: float, net: float) -> float:
    """Profit in %, two digits, half to even: rint(profit / bg * 100 * 100) / 100. bought: KRW, > 0."""
    pct: float = np.rint((net - bought) / bought * 100.0 * 100.0) / 100.0
    return pct


@njit(cache=True, error_model="numpy", nogil=True)
def unrealised_pct(bought: float, quantity: float, price: float, tax_rate: float, fee_rate: float, fee_rounding: float) -> float:
    """수익률 of a held position if all of it sold at `price` (KRW): §6.7. NaN price: NaN."""
    return profit_pct(bought, net_amount(bought, quantity * price, tax_rate, fee_rate, fee_rounding))
