"""stom_ray: searches STOM's trading conditions honestly.

`import stom_ray` is cheap: names load on first use, and neither ray nor torch is loaded before something needs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["backtest", "check", "ingest", "inspect", "load_config", "report", "search", "simulate", "sweep", "walk_forward"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'stom_ray' has no attribute {name!r}; it has: {', '.join(__all__)}")
    module = import_module("stom_ray.config" if name == "load_config" else "stom_ray.api")
    return getattr(module, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
