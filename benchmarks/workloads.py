"""The rule and the parameter rows that kernels are measured on: eight buy terms, four exit parameters, three densities.

Thresholds are quantiles of the data's own columns, so that the same rule is rare, medium or dense on any market. Density is
trades per candidate per session; every figure names the one it had.
"""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import REAL, tick_database
from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.ir import Strategy
from stom_ray.conditions.rows import Rows
from stom_ray.engine.bind import day_counts
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.simulate import SimulateConfig, simulate
from stom_ray.store.load import load_panel, select
from stom_ray.store.panel import Selection

Floats = NDArray[np.float64]

BUY_TERMS = (
    ("체결강도", ">"),
    ("등락율각도(30)", ">"),
    ("초당거래대금", ">"),
    ("초당매수수량", ">"),
    ("등락율", ">"),
    ("등락율", "<"),
    ("고저평균대비등락율", ">"),
    ("체결강도평균(30)", ">"),
)
BUY = "매수 = True\n" + "\n".join(
    f"{'if' if k == 0 else 'elif'} not ({name} {sign} self.vars[{k}]):\n    매수 = False"
    for k, (name, sign) in enumerate(BUY_TERMS)
)
EXITS = (
    "수익률 >= self.vars[8]",
    "수익률 <= self.vars[9]",
    "보유시간 > self.vars[10]",
    "최고수익률 - 수익률 > self.vars[11]",
    "체결강도 < 40",
)
GENERAL_EXIT = "현재가N(int(보유시간)) > 현재가 * (1 - self.vars[9] / 100)"  # looks back by the time held: no known term
COUNTS = (3, 3, 3, 3, 2, 2, 2, 1)  # values a buy term: 648 combinations
EXIT_COUNTS = (2, 2, 2, 2)
BASE = (0.55, 0.55, 0.55, 0.5, 0.3, 0.2, 0.3, 0.3)  # quantile of the loosest value of each term


@dataclass(frozen=True)
class Density:
    """tightness: how far the terms go up from BASE towards 1. hold_s, gain: ranges of the time and of the profits that exit."""

    tightness: float
    hold_s: tuple[float, float]
    gain: tuple[float, float]


DENSITIES = {  # the real market is calmer a second and trades more often on the same quantiles
    ("simulated", "rare"): Density(0.11, (120.0, 400.0), (0.8, 2.5)),
    ("simulated", "medium"): Density(-0.1, (120.0, 400.0), (0.8, 2.5)),
    ("simulated", "dense"): Density(-0.42, (20.0, 60.0), (0.5, 1.5)),
    ("real", "rare"): Density(0.17, (120.0, 400.0), (0.8, 2.5)),
    ("real", "medium"): Density(0.09, (120.0, 400.0), (0.8, 2.5)),
    ("real", "dense"): Density(-0.05, (20.0, 60.0), (0.5, 1.5)),
}


@dataclass(frozen=True)
class Workload:
    """A bound rule with the values that each parameter may take. low, high: (12,) for arbitrary rows."""

    selection: Selection
    strategy: Strategy
    config: EngineConfig
    values: tuple[Floats, ...]
    density: Density

    def grid(self) -> ParamMatrix:
        """The product of all values: 10,368 candidates."""
        return matrix(np.array(list(itertools.product(*self.values))))

    def rows(self, count: int, seed: int) -> ParamMatrix:
        """Every value drawn for itself, between the loosest and the tightest of the grid."""
        rng = np.random.default_rng(seed)
        return matrix(np.column_stack([rng.uniform(values.min(), values.max() + 1e-3, count) for values in self.values]))

    def one_at_a_time(self, values: int = 20) -> ParamMatrix:
        """Five variables in turn, the others at the middle of their range."""
        best = np.array([np.median(value) for value in self.values])
        rows = []
        for k in (0, 1, 3, 8, 10):
            for value in np.linspace(self.values[k].min(), self.values[k].max() + 1e-3, values):
                rows.append(best.copy())
                rows[-1][k] = value
        return matrix(np.array(rows))


def matrix(values: Floats) -> ParamMatrix:
    return ParamMatrix(values, np.ones(values.shape, dtype=np.bool_))


def workload(selection: Selection, name: str, market: str = "simulated", *, general_sell: bool = False) -> Workload:
    """name: of a density. market: simulated or real, for which the density was found."""
    density = DENSITIES[market, name]
    exits = (*EXITS[:4], GENERAL_EXIT) if general_sell else EXITS
    sell = "매도 = False\n" + "\n".join(
        f"{'if' if k == 0 else 'elif'} {condition}:\n    매도 = True" for k, condition in enumerate(exits)
    )
    strategy = compile_strategy(BUY, sell, profile="stom", layout=selection.loaded.layout)
    config = EngineConfig(profile="stom")
    low, high = density.gain
    exit_values = (np.array([low, high]), np.array([-high, -low]), np.array(density.hold_s), np.array([low, high]))
    return Workload(selection, strategy, config, (*thresholds(selection, config, density), *exit_values), density)


def thresholds(selection: Selection, config: EngineConfig, density: Density) -> tuple[Floats, ...]:
    rows = Rows(selection, config.loaded_lengths)
    enough = day_counts(selection.selected) >= 30
    found = []
    for (name, sign), count, base in zip(BUY_TERMS, COUNTS, BASE, strict=True):
        function, _, length = name.partition("(")
        column = rows.window(function, int(length[:-1])) if length else rows.column(name)
        first = base + (1 - base) * density.tightness if density.tightness > 0 else base * (1 + density.tightness)
        quantiles = np.clip(first + np.linspace(0, (1 - first) * 0.4, count), 0.01, 0.999)
        found.append(np.quantile(column[enough & np.isfinite(column)], quantiles if sign == ">" else 1 - quantiles))
    return tuple(found)


def simulated(codes: int = 20, days: int = 20) -> Selection:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "market.db"
        simulate(path, SimulateConfig(codes=codes, days=days, seed=3))
        return select(load_panel(path))


def real() -> Selection | None:
    """The real order-book data, where it is."""
    if not REAL.exists():
        return None
    with tempfile.TemporaryDirectory() as folder:
        path, _ = tick_database(Path(folder))
        return select(load_panel(path))
