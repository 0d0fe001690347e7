"""STOM's objectives over its figures, its limits, and its merge of cross-validation folds (spec/metrics.md, "Objectives").

Where several objectives are weighed against each other, an aim is one of them: an objective, or a figure in capitals; with a
minus in front smaller is better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stom_ray.errors import ConfigError
from stom_ray.metrics.stom import FIGURES

Floats = NDArray[np.float64]
Kind = Literal["TRAIN", "VALID", "TEST", "TOTAL"]
Bounds = tuple[float, float]

NO_TRADES = -2_000_000_000.0
VIOLATION = -2_222_222_222.0
MOST_AIMS = 6
ANY: Bounds = (-np.inf, np.inf)


@dataclass(frozen=True)
class Limits:
    """Low and high of seven figures, both inclusive; every figure is free by default."""

    mdd: Bounds = ANY
    mhct: Bounds = ANY
    wr: Bounds = ANY
    app: Bounds = ANY
    atc: Bounds = ANY
    cagr: Bounds = ANY
    tpi: Bounds = ANY

    def __post_init__(self) -> None:
        for name, (low, high) in self._items():
            if not low <= high:
                raise ConfigError(f"limit {name} is {low}..{high}: expected low <= high")

    @classmethod
    def from_list(cls, values: Sequence[float]) -> Limits:
        """STOM's flat form: low and high of mdd, mhct, wr, app, atc, cagr, tpi (14 numbers)."""
        if len(values) != 14:
            raise ConfigError(f"{len(values)} limits: expected 14, low and high of mdd, mhct, wr, app, atc, cagr, tpi")
        pairs = zip(values[::2], values[1::2], strict=True)
        return cls(*((float(low), float(high)) for low, high in pairs))

    def allow(self, figures: ArrayLike) -> NDArray[np.bool_]:
        """(...,) whether each row of figures (..., 15) is inside all limits; NaN is not."""
        table = np.asarray(figures, dtype=np.float64)
        allowed = np.ones(table.shape[:-1], dtype=np.bool_)
        for name, (low, high) in self._items():
            value = table[..., FIGURES.index(name)]
            allowed &= (value >= low) & (value <= high)
        return allowed

    def excess(self, figures: ArrayLike) -> Floats:
        """(...,) how far each row of figures (..., 15) is outside, 0 inside: the sum, over the bounds that it breaks, of how much
        it is beyond, as a share of the bound (of 1 where the bound is nearer to 0). NaN stays.
        """
        table = np.asarray(figures, dtype=np.float64)
        beyond = np.zeros(table.shape[:-1])
        for name, bounds in self._items():
            value = table[..., FIGURES.index(name)]
            for bound, sign in zip(bounds, (-1.0, 1.0), strict=True):
                if np.isfinite(bound):
                    beyond = beyond + np.maximum(sign * (value - bound), 0.0) / max(abs(bound), 1.0)
        return beyond

    def _items(self) -> list[tuple[str, Bounds]]:
        return [(field.name, getattr(self, field.name)) for field in fields(self)]


NO_LIMITS = Limits()


def objective(
    name: str, figures: ArrayLike, limits: Limits = NO_LIMITS, kind: Kind = "TOTAL", *, betting: float = 1_000_000.0
) -> Floats:
    """The score of each row of figures: (..., 15) in FIGURES order -> (...,), higher is better.

    kind: limits bind TRAIN and TOTAL (a violation scores VIOLATION), never VALID and TEST. Rows without trades: NO_TRADES. A
    zero drawdown scores 0. NaN rows (failed candidates) stay NaN. betting: KRW an entry, which G2M divides by.
    Raises ConfigError for a name that is not in OBJECTIVES.
    """
    if name not in _FORMULAS:
        raise ConfigError(f"objective {name!r} is not known: choose one of {', '.join(OBJECTIVES)}")
    table = np.asarray(figures, dtype=np.float64)
    if table.shape[-1] != len(FIGURES):
        raise ConfigError(f"figures have {table.shape[-1]} columns: expected {len(FIGURES)}, {' '.join(FIGURES)}")
    columns = {figure: table[..., place] for place, figure in enumerate(FIGURES)}
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        score = np.rint(_FORMULAS[name](columns, betting) * 100) / 100
    score = np.where(columns["mdd_" if name[0] == "G" else "mdd"] == 0, 0.0, score) if name in _DIVIDED else score
    if kind in ("TRAIN", "TOTAL"):
        score = np.where(limits.allow(table), score, VIOLATION)
    score = np.where(columns["tc"] == 0, NO_TRADES, score)
    return np.asarray(np.where(np.isnan(columns["tc"]), np.nan, score), dtype=np.float64)


def aim(name: str, figures: ArrayLike, *, betting: float = 1_000_000.0) -> Floats:
    """(...,) one aim of rows of figures (..., 15), higher is better: figures are turned round by a minus. No limits bind here,
    and rows without trades have 0. NaN rows stay NaN. Raises ConfigError for a name that is none of AIMS.
    """
    table, bare = np.asarray(figures, dtype=np.float64), name.removeprefix("-")
    if bare not in AIMS:
        raise ConfigError(f"objective {name!r} is not known: choose of {', '.join(AIMS)}, with a minus where smaller is better")
    if bare in OBJECTIVES:
        value = objective(bare, table, kind="VALID", betting=betting)
    else:
        value = table[..., FIGURES.index(bare.lower())]
    value = np.where(table[..., FIGURES.index("tc")] == 0, 0.0, value)
    return -value if name.startswith("-") else value


def check_aims(names: Sequence[str]) -> None:
    """ConfigError unless these are two aims or more, each once, and the first one of STOM's objectives."""
    for name in names:
        aim(name, np.zeros((0, len(FIGURES))))
    bare = [name.removeprefix("-") for name in names]
    twice = [name for at, name in enumerate(bare) if name in bare[:at]]
    if twice:
        raise ConfigError(f"objective {twice[0]} stands twice: every figure may be weighed once")
    if len(names) < 2:
        raise ConfigError(f"several objectives are two or more, here is {', '.join(names) or 'none'}: one goes in `objective`")
    if len(names) > MOST_AIMS:
        raise ConfigError(
            f"{len(names)} objectives: expected at most {MOST_AIMS}, with more hardly any row is better than another"
        )
    if names[0] not in OBJECTIVES:
        raise ConfigError(f"objective {names[0]} stands first, where rows are ranked: expected one of {', '.join(OBJECTIVES)}")


def merge_folds(name: str, train: ArrayLike, valid: ArrayLike, *, weighted: bool, betting: float = 1_000_000.0) -> Floats:
    """One score from those of train and valid of n folds, newest first: (n, ...) both -> (...,).

    The mean of train * valid, negative where both are; weighted: fold i counts (n - i) * 2 / n. TG is divided by betting too.
    """
    trains, valids = np.asarray(train, dtype=np.float64), np.asarray(valid, dtype=np.float64)
    if trains.shape != valids.shape or trains.ndim == 0 or len(trains) == 0:
        raise ConfigError(f"scores of shape {trains.shape} (train) and {valids.shape} (valid): expected one of each per fold")
    n = len(trains)
    merged = np.zeros(trains.shape[1:])
    for i in range(n):
        weight = (n - i) * 2 / n if weighted and n > 1 else 1.0
        both_negative = (trains[i] < 0) & (valids[i] < 0)
        merged = merged + np.where(both_negative, -1.0, 1.0) * (trains[i] * valids[i] * weight)
    merged = merged / n / betting if name == "TG" else merged / n
    return np.asarray(np.rint(merged * 100) / 100, dtype=np.float64)


Columns = Mapping[str, Floats]

_FORMULAS: dict[str, Callable[[Columns, float], Floats]] = {
    "TP": lambda c, betting: c["tpp"],
    "TPI": lambda c, betting: c["tpi"],
    "TG": lambda c, betting: c["tsg"],
    "CAGR": lambda c, betting: c["cagr"],
    "PM": lambda c, betting: c["tpp"] / c["mdd"],
    "P2M": lambda c, betting: c["tpp"] * c["tpp"] / c["mdd"] / 100,
    "PAM": lambda c, betting: c["tpp"] * c["app"] / c["mdd"],
    "PWM": lambda c, betting: c["tpp"] * c["wr"] / c["mdd"] / 100,
    "PTM": lambda c, betting: c["tpp"] * c["app"] * c["wr"] * c["tpi"] * c["cagr"] / c["mdd"] / 10000,
    "GM": lambda c, betting: c["tsg"] / c["mdd_"],
    "GAM": lambda c, betting: c["tsg"] * c["app"] / c["mdd_"],
    "GWM": lambda c, betting: c["tsg"] * c["wr"] / c["mdd_"] / 100,
    "GTM": lambda c, betting: c["tsg"] * c["app"] * c["wr"] * c["tpi"] * c["cagr"] / c["mdd_"] / 10000,
    "G2M": lambda c, betting: c["tsg"] * c["tsg"] / c["mdd_"] / betting,
}
OBJECTIVES = tuple(_FORMULAS)
_OBJECTIVES_TOO = ("tpp", "tpi", "tsg", "cagr")  # figures that have the name of an objective
AIMS = (*OBJECTIVES, *(name.upper() for name in FIGURES if name not in _OBJECTIVES_TOO))
_DIVIDED = OBJECTIVES[4:]
