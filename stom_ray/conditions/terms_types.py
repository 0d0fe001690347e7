"""What a strategy is cut into for the planned kernels: terms of the buy text, reasons of the sell text.

Everything here is truth under "nothing on the way faults": a term may be evaluated on rows on which the script would have stopped
before it. Sessions in which anything could fault, or a division by zero would be counted, belong to the generated kernel.
Truth values are BOOL (0 or 1). "Of the row only": no Var that is not bound, nothing of the position. "Of parameters only": no
column, state, window or time; any other node may appear (a Choose or a Compare of parameters, too).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stom_ray.conditions.ir import Expr

Order = Literal["<", "<=", ">", ">="]
Quantity = Literal["pct", "peak", "trough", "drawdown", "held", "tick", "truth", "ratio", "trail"]


@dataclass(frozen=True)
class NotCut:
    """A text that the planned kernels cannot run. reason: which expression and why, for the user."""

    reason: str


@dataclass(frozen=True)
class Threshold:
    """`left OP scale * right + offset`: the product is rounded, then the sum.

    left, scale, offset: of the row only; scale None = no product, offset None = no sum. right: of parameters only. negated:
    `not (left OP ...)`, which holds where a side is NaN. unless: truth values of the row only; the term holds where any of them
    does.
    """

    left: Expr
    op: Order
    right: Expr
    scale: Expr | None = None
    negated: bool = False
    unless: tuple[Expr, ...] = ()
    offset: Expr | None = None


@dataclass(frozen=True)
class BuyTerms:
    """매수 is true exactly where all of these hold, each in the order of the text.

    gates: truth values of the row only. others: truth values that read parameters in any other way than a Threshold.
    """

    gates: tuple[Expr, ...]
    thresholds: tuple[Threshold, ...]
    others: tuple[Expr, ...]


@dataclass(frozen=True)
class Atom:
    """`sign * quantity >= value`, or `>` when strict. value: of parameters only.

    quantity: pct 수익률, peak 최고수익률, trough 최저수익률, drawdown 최고수익률 - 수익률, held 보유시간, tick `row`, which is of
    the row only, truth a `row` that is a truth value (value 1). scale, offset: of the row only, of tick alone; the right side
    then is `scale * value + sign * offset`, the product rounded, then the sum. ratio and trail compare 수익률 with the one
    rounded result of 최고수익률 * value or 최고수익률 - value: `sign * 수익률 >= sign * (최고수익률 * value)`. passes_nan: holds
    where a side is NaN (a negated comparison).
    """

    quantity: Quantity
    sign: Literal[1, -1]
    value: Expr
    strict: bool
    row: Expr | None = None
    passes_nan: bool = False
    scale: Expr | None = None
    offset: Expr | None = None


@dataclass(frozen=True)
class Reason:
    """Holds where all atoms do. label: the sell reason's number, 0 for a sale without one."""

    label: int
    atoms: tuple[Atom, ...]


@dataclass(frozen=True)
class SellTerms:
    """매도 is true exactly where a reason holds; the label is that of the first that does."""

    reasons: tuple[Reason, ...]
