"""Causal features: rolling windows over an instrument's rows."""

from stom_ray.features.windows import MOVING_AVERAGE_LENGTHS, SOURCE, precomputed, raw, raw_value

__all__ = ["MOVING_AVERAGE_LENGTHS", "SOURCE", "precomputed", "raw", "raw_value"]
