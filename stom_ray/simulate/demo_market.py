"""The market and the strategy of `stom-ray demo`: an edge that the strategy's ranges contain and its shipped values miss."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from stom_ray.simulate.config import SimulateConfig
from stom_ray.simulate.edge import Edge, Term

DEMO_EDGE = Edge(
    terms=(Term("strength", 110.0), Term("buy_ratio", 2.5), Term("rate_angle", 6.0, window=30)),
    strength_bps=70.0,
    horizon_s=120,
)


@dataclass(frozen=True)
class DemoStrategy:
    """The shipped scripts and their ranges, as text."""

    buy: str
    sell: str
    ranges: str


def demo_strategy() -> DemoStrategy:
    """Reads the scripts that come with the package."""
    folder = files("stom_ray.simulate").joinpath("demo")
    buy, sell, ranges = (folder.joinpath(f"{name}.txt").read_text(encoding="utf-8") for name in ("buy", "sell", "vars"))
    return DemoStrategy(buy, sell, ranges)


def demo_config(codes: int = 10, days: int = 20, seed: int = 2023) -> SimulateConfig:
    """The demo's market with DEMO_EDGE planted."""
    return SimulateConfig(codes=codes, days=days, seed=seed, edge=DEMO_EDGE)
