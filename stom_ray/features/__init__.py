"""Causal features: rolling windows over an instrument's rows."""

from stom_ray.features.windows import SOURCE, precomputed, raw, raw_value
from stom_ray.schema.windows import MOVING_AVERAGE_LENGTHS

__all__ = ["MOVING_AVERAGE_LENGTHS", "SOURCE", "precomputed", "raw", "raw_value"]
