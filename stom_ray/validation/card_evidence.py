"""What a verdict card is made from: plain results of the other modules, nothing that has to be run again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import ConfigError
from stom_ray.metrics.returns import break_even_hit_rate, hit_rate
from stom_ray.validation.plateau import Plateau
from stom_ray.validation.stability import Stability

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HitRate:
    """Shares of trades, 0 to 1. hit: that won; break_even: that would have to (`metrics.returns.break_even_hit_rate`)."""

    trades: int
    hit: float
    break_even: float

    @classmethod
    def of(cls, profits: NDArray[np.int64] | Floats) -> HitRate:
        """profits: KRW of each trade, after costs."""
        return cls(len(profits), hit_rate(profits), break_even_hit_rate(profits))


@dataclass(frozen=True)
class Evidence:
    """What is None is missing, and counts against the winner.

    study: (n_trials, n_days) daily returns of every trial of this study, rows as `TrialReturns` says, pruned and failed ones too;
    a memmap is read in blocks. earlier: tables of the other studies on the same data, over the same days. elsewhere: trials of
    studies that share only some of these days; they count as so many more, as alike as the others, and are not resampled: days on
    which a trial was not run would be days without spread. winner: (n_days,) KRW, all days that were searched. out_of_sample: KRW
    on days that the choice had not seen, (n,) stitched test days of a walk-forward or (n_paths, n) paths of CPCV. looks: how
    often test days of this data were scored up to now, this time included where it has some; every window of a walk-forward, and
    all paths of one CPCV, are one look.

    present: (n,) KRW of the user's present values on the out-of-sample days. random_entry_p: `RandomEntries.p_value`. optimism,
    cost_stress: assumption -> share of the profit kept (`optimism_report`), NaN when the run failed. account_kept: profit of the
    account simulation over the unlimited one. order_drawdowns: `drawdowns_over_orders`, KRW.

    cross_validated: (n_paths, n) KRW of the paths of a cross-validation, of purged k-fold one; no path where it was not finished
    or a choice failed; None where it was not asked for, which is not held against the winner. hit_rates: of the winner
    ("searched") and of what was chosen on out-of-sample days ("unseen"), shown and not judged: a hit rate is above the one at
    break-even just where there is a profit.
    """

    study: NDArray[np.floating]
    winner: Floats
    earlier: tuple[NDArray[np.floating], ...] = ()
    out_of_sample: Floats | None = None
    elsewhere: int = 0
    looks: int = 1
    present: Floats | None = None
    random_entry_p: float | None = None
    plateau: Plateau | None = None
    stability: Stability | None = None
    optimism: Mapping[str, float] | None = None
    cost_stress: Mapping[str, float] | None = None
    account_kept: float | None = None
    order_drawdowns: Floats | None = None
    cross_validated: Floats | None = None
    hit_rates: Mapping[str, HitRate] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n_days = len(self.winner)
        for table in self.tables:
            if table.ndim != 2 or table.shape[1] != n_days or len(table) == 0:
                raise ConfigError(f"a table of trials has shape {table.shape}: expected (trials, {n_days}), as the winner has")
        _numbers("winner", self.winner)
        if self.elsewhere < 0:
            raise ConfigError(f"elsewhere is {self.elsewhere}: expected a number of trials, at least 0")
        least = 0 if self.out_of_sample is None else 1
        if self.looks < least:
            raise ConfigError(f"looks is {self.looks}: expected at least {least}, this one included")
        if self.out_of_sample is not None:
            _numbers("out_of_sample", self.out_of_sample)
        if self.present is not None:
            _numbers("present", self.present)
            if self.present.shape[-1:] != self.paths.shape[-1:]:
                raise ConfigError(f"present has {len(self.present)} days: expected the {self.paths.shape[-1]} out-of-sample days")
        if self.cross_validated is not None:
            _numbers("cross_validated", self.cross_validated)
        if self.random_entry_p is not None and not 0 <= self.random_entry_p <= 1:
            raise ConfigError(f"random_entry_p is {self.random_entry_p}: expected 0 to 1")

    @property
    def tables(self) -> tuple[NDArray[np.floating], ...]:
        """Of every study on this data."""
        return (self.study, *self.earlier)

    @property
    def paths(self) -> Floats:
        """(n_paths, n) out-of-sample days; (0, 0) without."""
        return np.empty((0, 0)) if self.out_of_sample is None else np.atleast_2d(self.out_of_sample)


def _numbers(name: str, values: Floats) -> None:
    if not np.isfinite(values).all():
        raise ConfigError(f"{name} has {int((~np.isfinite(values)).sum())} days without a number: expected KRW every day, or 0")
