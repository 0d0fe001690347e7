"""Trades of the planned kernels: the way that all kernels share."""

from __future__ import annotations

from stom_ray.engine.results import trades_of

__all__ = ["trades_of"]
