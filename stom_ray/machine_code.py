"""`njit` for kernels that are kept on disk: compiled again when anything that they were compiled from has changed.

Numba keeps a function's machine code for as long as the file it stands in is the same. What the function calls is inlined, so a
change in another file would leave the old code in use. Here the stamp of a kernel covers its own file, the kernels and files of
the same package that its module has imported, and the constants in its reach; the stamp is part of the file names, so that no
process ever reads what belongs to another version. Machine code that cannot be kept is compiled in every run, with a warning.
"""

from __future__ import annotations

import hashlib
import inspect
import pickle
import sys
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import llvmlite
import numba
import numpy as np
from numba.core import caching, typeinfer

__all__ = ["njit", "stamp_of"]

Function = TypeVar("Function", bound=Callable[..., Any])
CONSTANTS = (bool, int, float, complex, str, bytes, tuple, np.generic)
VERSIONS = (numba.__version__, llvmlite.__version__, np.__version__)
_numba_config: Any = numba.config
_caching: Any = caching
_njit: Any = numba.njit
_stamps: dict[str, list[str]] = {}  # of the kernels of each module, as they are defined
_warned: set[str] = set()


def njit(*signatures: str, cache: bool, counts: bool = True, **options: Any) -> Callable[[Function], Function]:
    """`numba.njit`, whose cache is that of this module. cache: as with numba; written out, since every kernel here is kept.

    signatures: compiled at once, and no others ever. counts: whether references to arrays are counted. A function that makes and
    returns no array, nor calls one that does, can do without: the counts are atomic, and two for every array that is taken from
    a tuple or cut to a row were a quarter of the time of the planned kernels.
    """

    def compiled(function: Function) -> Function:
        dispatcher: Any = _njit(_nrt=counts, **options)(function)
        if dispatcher is function:  # NUMBA_DISABLE_JIT is set
            return function
        if cache:
            try:
                dispatcher._cache = _KernelCache(function)
            except (OSError, RuntimeError) as error:  # no source, or no directory that can be written
                _warn(str(error))
        if signatures:
            with typeinfer.register_dispatcher(dispatcher):  # a function may call itself before it has a name
                for signature in signatures:
                    dispatcher.compile(signature)
            dispatcher.disable_compile()
        known: Function = dispatcher
        return known

    return compiled


def stamp_of(function: Callable[..., Any]) -> str:
    """16 hex digits that change with anything the machine code of `function` depends on.

    Called while its module is imported: what the function uses is defined above it, or stands in the same file.
    """
    own = function.__module__
    digest = hashlib.sha256(repr((*VERSIONS, _numba_config.BOUNDSCHECK, function.__qualname__)).encode())
    digest.update(_source(own).encode())
    for name, value in sorted(function.__globals__.items()):
        if name.startswith("__"):
            continue
        if isinstance(value, CONSTANTS):
            digest.update(f"{name}={value!r}\0".encode())
        elif isinstance(value, np.ndarray):
            digest.update(f"{name}={value.dtype}{value.shape}\0".encode() + value.tobytes())
        else:
            module = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            if isinstance(module, str) and module != own and module.partition(".")[0] == own.partition(".")[0]:
                digest.update("\0".join((name, _source(module), *_stamps.get(module, ()))).encode())
    stamp = digest.hexdigest()[:16]
    _stamps.setdefault(own, []).append(stamp)
    return stamp


@cache
def _source(module: str) -> str:
    """The text of an imported module. Raises OSError where only byte code is installed."""
    return inspect.getsource(sys.modules[module])


class _KernelCache(_caching.FunctionCache):  # type: ignore[misc]
    """Where numba looks for a function's machine code, with the stamp in the names of its files."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        base, stamp = self._impl.filename_base, stamp_of(function)
        self._kernel = base.rpartition("-")[0]  # without the line, which moves
        self._ours = f"{base}.{stamp}."
        self._cache_file = _caching.IndexDataCacheFile(self._cache_path, f"{base}.{stamp}", stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except OSError as error:
            _warn(f"{self._cache_path}: {error}")
        except (EOFError, pickle.PickleError):  # damaged: as if it were not there
            for file in Path(self._cache_path).glob(f"{self._ours}*"):
                file.unlink(missing_ok=True)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
            for file in Path(self._cache_path).glob(f"{self._kernel}-*.nb[ic]"):
                if not file.name.startswith(self._ours) and _tag(file) == _tag(Path(self._ours)):
                    file.unlink(missing_ok=True)
        except OSError as error:
            _warn(f"{self._cache_path}: {error}")


def _tag(file: Path) -> str:
    """The version of Python in a name such as `fills.fill_price-20.py311.STAMP.1.nbc`."""
    return next((part for part in file.name.rpartition("-")[2].split(".") if part.startswith("py")), "")


def _warn(why: str) -> None:
    """Once a process for each reason."""
    if why not in _warned:
        _warned.add(why)
        warnings.warn(
            f"compiled kernels cannot be kept ({why}): they are compiled in every run. Free room there, or set NUMBA_CACHE_DIR "
            "to a directory that can be written",
            RuntimeWarning,
            stacklevel=2,
        )
