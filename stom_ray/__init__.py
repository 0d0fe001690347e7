"""stom_ray: searches STOM's trading conditions honestly.

`import stom_ray` is cheap: names load on first use, and neither ray nor torch is loaded before something needs it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__version__ = "0.1.0"
__all__ = ["backtest", "check", "ingest", "inspect", "load_config", "report", "search", "simulate", "sweep", "walk_forward"]


class _Verb(ModuleType):
    """A package that is called like the verb of its name: `search` and `simulate` are both."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return getattr(import_module("stom_ray.api"), self.__name__.rpartition(".")[2])(*args, **options)


class _Verbs(ModuleType):
    """This package: without it `stom_ray.search(...)` would stop working as soon as anything imports `stom_ray.search`."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in __all__ and isinstance(value, ModuleType):
            value.__class__ = _Verb
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Verbs


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'stom_ray' has no attribute {name!r}; it has: {', '.join(__all__)}")
    module = import_module("stom_ray.config" if name == "load_config" else "stom_ray.api")
    return getattr(module, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
