"""Which studies a calibration is made of: simulated markets without an edge, and with planted ones of known size.

A noise study has fat tails and a common factor and no edge; half of them pay costs and the spread, the other half trade for free
at one price, so that the best of many rules shows a profit. An edge study plants one of RULES, whose profit is net of all costs.
Sizes are multiples of (E[max N_eff] + 3.3) / √T, the Sharpe ratio that can be told from luck in 19 of 20 studies if the search
finds the rule itself; the one that was measured is in every table (`tables`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from stom_ray.errors import ConfigError
from stom_ray.simulate import Edge, SimulateConfig

Kind = Literal["noise", "edge"]

DAYS, FRESH_DAYS = 120, 60  # searched (with the walk-forward's test days), and never looked at
CODES, LAST_SECOND = 8, 90_500
FREE = "custom:0,0"
HORIZON_S = 60
SIZES = (0.3, 0.6, 0.9, 1.2, 1.45)  # the power curve; the last is the size at which edges have to be found
FULL = SIZES[-1]
UNIT = 0.60  # (E[max N_eff] + 3.3) / √120 of tuning studies
SEED_STEP = 100_000  # between kinds and sizes, so that no market serves two studies
REPORTED_SEED = 1_000_000  # tuning (strengths, ranges, thresholds of the card) has used seeds below


@dataclass(frozen=True)
class Rule:
    """A condition to plant, and the parameter row that trades it.

    row: values of self.vars, the other terms off, held for as long as pays best within the ranges. sharpe_at_40, sharpe_at_65:
    net daily Sharpe ratio of the row with so many basis points planted; measured on tuning seeds 100-103 and 200-207, 180 days
    each.
    """

    terms: str
    row: tuple[float, ...]
    sharpe_at_40: float
    sharpe_at_65: float

    def strength(self, sharpe: float) -> float:
        """Basis points for this net daily Sharpe ratio; it rises linearly with them."""
        slope = (self.sharpe_at_65 - self.sharpe_at_40) / 25
        return round(40 + (sharpe - self.sharpe_at_40) / slope, 1)


RULES = (
    Rule("strength>110 buy_ratio>2", (30, 110, 2, -6, -1.5, 0, 120, -4.0), 0.410, 1.118),
    Rule("buy_ratio>2 rate_angle(30)>6", (30, 80, 2, 6, -1.5, 0, 120, -4.0), 0.133, 0.585),
    Rule("strength>110 hl_rate>0.5", (30, 110, 0, -6, 0.5, 0, 120, -4.0), 0.201, 0.621),
    Rule("value>39.5 hl_rate>0", (30, 80, 0, -6, 0.0, 40, 120, -4.0), 0.323, 0.882),
    Rule("value>19.5 rate_angle(30)>6", (30, 80, 0, 6, -1.5, 20, 120, -4.0), 0.130, 0.506),
)


@dataclass(frozen=True)
class Case:
    """One study. number: from 0, of its kind and size. size: of the edge, 0 for noise. first_seed: of the whole calibration."""

    kind: Kind
    number: int
    size: float
    first_seed: int

    @property
    def name(self) -> str:
        """Unique within a calibration, and the order of its tables."""
        return f"{self.kind}-{self.size:g}-{self.number:04d}"

    @property
    def seed(self) -> int:
        """Of the market and of the search."""
        place = 0 if self.kind == "noise" else 1 + SIZES.index(self.size)
        return self.first_seed + SEED_STEP * place + self.number

    @property
    def free(self) -> bool:
        """Every second noise study trades without costs and spread."""
        return self.kind == "noise" and self.number % 2 == 1

    @property
    def rule(self) -> Rule | None:
        return RULES[self.number % len(RULES)] if self.kind == "edge" else None

    @property
    def costs(self) -> str:
        return FREE if self.free else "stom"

    def market(self) -> SimulateConfig:
        """The searched days and, going on, the fresh ones."""
        edge = None
        if self.rule is not None:
            edge = Edge.parse(f"{self.rule.strength(self.size * UNIT)}bp/{HORIZON_S}s/episode {self.rule.terms}")
        return SimulateConfig(
            codes=CODES,
            days=DAYS + FRESH_DAYS,
            seed=self.seed,
            edge=edge,
            end=LAST_SECOND,
            spread=not self.free,
            ranked=CODES,
        )


@dataclass(frozen=True)
class Plan:
    """noise, edges: how many studies of each; curve: at each of the smaller sizes."""

    noise: int = 200
    edges: int = 200
    curve: int = 50
    first_seed: int = REPORTED_SEED

    def __post_init__(self) -> None:
        for name, most in (("noise", SEED_STEP), ("edges", SEED_STEP), ("curve", SEED_STEP)):
            if not 0 <= getattr(self, name) <= most:
                raise ConfigError(f"{name} is {getattr(self, name)}: expected 0 to {most:,} studies")
        if self.noise + self.edges + self.curve == 0:
            raise ConfigError("no study to run: expected at least one")
        if self.first_seed < 0:
            raise ConfigError(f"seed is {self.first_seed}: expected 0 or more")

    def cases(self) -> Iterator[Case]:
        """Kinds and sizes in turn, so that a calibration that is broken off has some of each."""
        wanted: dict[tuple[Kind, float], int] = {("noise", 0.0): self.noise, ("edge", FULL): self.edges}
        wanted |= {("edge", size): self.curve for size in SIZES[:-1]}
        for number in range(max(wanted.values())):
            for (kind, size), count in wanted.items():
                if number < count:
                    yield Case(kind, number, size, self.first_seed)
