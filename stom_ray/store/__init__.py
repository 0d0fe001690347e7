"""SQLite to memory: snapshot reader, quality policy, store, panels."""

from stom_ray.store.catalog import LoadReport
from stom_ray.store.load import data_hash, iter_blocks, load_panel, select
from stom_ray.store.panel import Panel, Selection
from stom_ray.store.report import IngestReport

__all__ = ["IngestReport", "LoadReport", "Panel", "Selection", "data_hash", "iter_blocks", "load_panel", "select"]
