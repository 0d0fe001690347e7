"""What selling and trading costs: STOM's fixed rates, the exchange's dated tax, or the user's own (spec/engine.md §6.6)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from stom_ray.errors import ConfigError

STOM_TAX_RATE = 0.0018
STOM_FEE_RATE = 0.00015
# (first day yyyymmdd it holds, securities transaction tax as a fraction of the sale)
KRX_TAX = ((20210101, 0.0023), (20230101, 0.0020), (20240101, 0.0018), (20250101, 0.0015), (20260101, 0.0020))


@dataclass(frozen=True)
class CostModel:
    """Rates of one day, fractions of the amount.

    tax = int(sale × tax_rate), whole KRW; fee, on both sides, = int(amount × fee_rate / fee_rounding_krw) × fee_rounding_krw.
    """

    tax_rate: float
    fee_rate: float
    fee_rounding_krw: int = 10

    def __post_init__(self) -> None:
        for name in ("tax_rate", "fee_rate"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}: expected a fraction of the amount, 0 to below 1")
        if self.fee_rounding_krw < 1:
            raise ConfigError(f"fee_rounding_krw is {self.fee_rounding_krw}: expected at least 1 KRW")


STOM = CostModel(STOM_TAX_RATE, STOM_FEE_RATE)


def cost_model(spec: str, day: int) -> CostModel:
    """The model `spec` names, on `day` (yyyymmdd): "stom", "krx", or "custom:tax_pct,fee_pct" (percent of the amount).

    Raises ConfigError for another name, a custom pair that is no pair of percentages, and krx days before its table.
    """
    if spec == "stom":
        return STOM
    if spec == "krx":
        return _krx(day)
    if spec.startswith("custom:"):
        return _custom(spec)
    raise ConfigError(f"unknown cost model {spec!r}: expected stom, krx or custom:TAX_PCT,FEE_PCT (for example custom:0.2,0.015)")


def _krx(day: int) -> CostModel:
    rates = [rate for since, rate in KRX_TAX if since <= day]
    if not rates:
        raise ConfigError(
            f"the krx cost model starts on {KRX_TAX[0][0]}, but {day} was asked for: use stom or custom:TAX_PCT,FEE_PCT"
        )
    return CostModel(rates[-1], STOM_FEE_RATE)


def _custom(spec: str) -> CostModel:
    parts = spec.removeprefix("custom:").split(",")
    try:
        tax, fee = (float(Decimal(part.strip()) / 100) for part in parts)
    except (InvalidOperation, ValueError) as error:
        raise ConfigError(
            f"cost model {spec!r}: expected custom:TAX_PCT,FEE_PCT, two percentages such as custom:0.2,0.015"
        ) from error
    return CostModel(tax, fee)
