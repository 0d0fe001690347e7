"""A simulated market: a seeded generator of STOM databases, with a planted edge of stated size or none."""

from stom_ray.simulate.config import SimulateConfig
from stom_ray.simulate.demo_market import DEMO_EDGE, DemoStrategy, demo_config, demo_strategy
from stom_ray.simulate.edge import Edge, Term
from stom_ray.simulate.generate import simulate
from stom_ray.simulate.report import SimulateReport

__all__ = [
    "DEMO_EDGE",
    "DemoStrategy",
    "Edge",
    "SimulateConfig",
    "SimulateReport",
    "Term",
    "demo_config",
    "demo_strategy",
    "simulate",
]
