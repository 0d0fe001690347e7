"""SQLite to memory: snapshot reader, quality policy, store, panels."""

from stom_ray.store.load import LoadReport, data_hash, load_panel, select
from stom_ray.store.panel import Panel, Selection

__all__ = ["LoadReport", "Panel", "Selection", "data_hash", "load_panel", "select"]
