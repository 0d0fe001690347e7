"""What a market is, as data: columns and layouts, tick-size ladder, costs with dates."""

from stom_ray.schema.columns import (
    DERIVED,
    LAGGABLE,
    LAYOUTS,
    SCRIPT_COLUMNS,
    TICK_COLUMNS,
    Layout,
    detect_layout,
    normalise,
    script_columns,
)
from stom_ray.schema.costs import CostModel, cost_model
from stom_ray.schema.ladder import tick_unit, tick_units, vi_below5, vi_below5s

__all__ = [
    "DERIVED",
    "LAGGABLE",
    "LAYOUTS",
    "SCRIPT_COLUMNS",
    "TICK_COLUMNS",
    "CostModel",
    "Layout",
    "cost_model",
    "detect_layout",
    "normalise",
    "script_columns",
    "tick_unit",
    "tick_units",
    "vi_below5",
    "vi_below5s",
]
