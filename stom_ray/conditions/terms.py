"""Cuts the texts of a strategy into what precompiled kernels can walk (design/kernels.md): the analysis, without any rows."""

from __future__ import annotations

from stom_ray.conditions.ir import Program, Strategy
from stom_ray.conditions.passes import parameters_read
from stom_ray.conditions.terms_buy import BuyCut
from stom_ray.conditions.terms_pool import Pool, Uncut
from stom_ray.conditions.terms_run import Run
from stom_ray.conditions.terms_sell import SellCut
from stom_ray.conditions.terms_types import Atom, BuyTerms, NotCut, Order, Quantity, Reason, SellTerms, Threshold

__all__ = [
    "Atom",
    "BuyTerms",
    "NotCut",
    "Order",
    "Quantity",
    "Reason",
    "SellTerms",
    "Threshold",
    "buy_terms",
    "sell_terms",
    "structural",
]


def buy_terms(program: Program, bound: frozenset[int] = frozenset()) -> BuyTerms | NotCut:
    """A buy text as a conjunction of terms.

    bound: indices of `self.vars` that count as constants of the row side, because candidates are grouped by their values.
    """
    pool = Pool("buy", bound)
    try:
        return BuyCut(pool).terms(Run(pool).decision(program))
    except Uncut as problem:
        return NotCut(str(problem))


def sell_terms(program: Program, bound: frozenset[int] = frozenset(), *, ratio: bool = False) -> SellTerms | NotCut:
    """A sell text as reasons in order of priority.

    bound: as in `buy_terms`. ratio: whether the caller's kernel walks the quantities `ratio` and `trail`; else a comparison of
    수익률 with 최고수익률 * v or 최고수익률 - v is not cut.
    """
    pool = Pool("sell", bound)
    try:
        return SellCut(pool, ratio).terms(Run(pool).outcome(program))
    except Uncut as problem:
        return NotCut(str(problem))


def structural(strategy: Strategy) -> frozenset[int]:
    """Indices of `self.vars` that decide a window's length, a look-back or an elapsed expression, through temporaries, too.

    Of a text that cannot be cut, every index that it reads.
    """
    found = parameters_read(*(program for _, program in strategy.elapsed))
    for program in (strategy.buy, strategy.sell):
        pool = Pool(program.kind, frozenset())
        try:
            run = Run(pool)
            if program.kind == "buy":
                run.decision(program)
            else:
                run.outcome(program)
            found |= pool.inside_windows
        except Uncut:
            found |= parameters_read(program)
    return frozenset(found)
