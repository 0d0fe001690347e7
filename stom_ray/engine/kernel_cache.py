"""Generated kernels on disk: source text in, imported module out, compiled once per machine.

Numba can only cache functions that live in a file, so generated text goes to `k_<hash>.py` in the cache directory and is
imported from there. The hash covers the text, the sources that it calls and the versions of everything that shapes machine
code; a kernel from another version is therefore never found. Machine code is loaded only when it has the checksums that
were written after it was compiled; anything else in its place is deleted and compiled again. One process at a time works on
one kernel (a lock file), files appear by rename.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import json
import os
import platform
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np

from stom_ray.errors import StoreError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

RUNTIME_MODULES = (
    "stom_ray.engine.kernel_runtime",
    "stom_ray.engine.fills",
    "stom_ray.engine.costing",
    "stom_ray.features.angles",
    "stom_ray.features.pairwise",
    "stom_ray.features.rounding",
    "stom_ray.features.slices",
)
_numba_config: Any = numba.config
_loaded: dict[tuple[str, Path], ModuleType] = {}
_process_lock = threading.RLock()


def cache_directory() -> Path:
    """Where kernels are kept: $STOM_RAY_CACHE, else stom_ray/kernels under the platform's user cache directory."""
    chosen = os.environ.get("STOM_RAY_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "stom_ray" / "kernels"


@cache
def runtime_fingerprint() -> str:
    """Hash of every source that generated kernels link against, and of the versions that compile them."""
    digest = hashlib.sha256()
    for name in RUNTIME_MODULES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise StoreError(f"the source of {name} cannot be found, so compiled kernels cannot be told from outdated ones")
        digest.update(Path(spec.origin).read_bytes())
    for release in (numba.__version__, version("llvmlite"), np.__version__, platform.python_version()):
        digest.update(release.encode() + b"\0")
    return digest.hexdigest()


def kernel_hash(source: str) -> str:
    """32 hex digits that name the kernel made from `source` on this installation."""
    checked = "boundscheck" if _numba_config.BOUNDSCHECK else ""
    return hashlib.sha256(f"{runtime_fingerprint()}\0{checked}\0{source}".encode()).hexdigest()[:32]


def load_kernel(source: str) -> ModuleType:
    """The module made from generated `source`; its functions are compiled now if no intact machine code is at hand.

    Raises StoreError when the cache directory cannot be written.
    """
    directory, digest = cache_directory(), kernel_hash(source)
    with _process_lock:
        module = _loaded.get((digest, directory))
        if module is None:
            try:
                module = _load(directory, f"k_{digest}", source)
            except OSError as error:
                raise StoreError(
                    f"kernel cache {directory} cannot be used: {error}. Free or allow it, or set STOM_RAY_CACHE to a directory "
                    "that can be written"
                ) from error
            _loaded[digest, directory] = module
        return module


def _load(directory: Path, name: str, source: str) -> ModuleType:
    directory.mkdir(parents=True, exist_ok=True)
    path, seal = directory / f"{name}.py", directory / f"{name}.json"
    with _locked(directory / f"{name}.lock"):
        if not _is_intact(path, seal, source):
            _remove(path, seal)
            _write(path, source.encode())
        module = _import(name, path)
        checksums = json.dumps(_checksums(path), sort_keys=True).encode()
        if not seal.exists() or seal.read_bytes() != checksums:
            _write(seal, checksums)
    return module


def _artefacts(path: Path) -> list[Path]:
    return sorted((path.parent / "__pycache__").glob(f"{path.stem}.*.nb[ic]"))


def _checksums(path: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in _artefacts(path)}


def _is_intact(path: Path, seal: Path, source: str) -> bool:
    try:
        return path.read_bytes() == source.encode() and json.loads(seal.read_bytes()) == _checksums(path)
    except (OSError, ValueError):
        return False


def _remove(path: Path, seal: Path) -> None:
    for file in (path, seal, *_artefacts(path)):
        file.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    """The whole file or none of it, whoever reads or dies meanwhile."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class _SourceOnly(importlib.machinery.SourceFileLoader):
    """Imports the text itself: a byte-code file beside it is neither read nor written, since nothing seals it."""

    def get_code(self, fullname: str) -> object:  # type: ignore[override]
        return self.source_to_code(self.get_data(self.path), self.path)


def _import(name: str, path: Path) -> ModuleType:
    qualified = f"stom_ray_kernels_{name}"
    loader = _SourceOnly(qualified, str(path))
    spec = importlib.util.spec_from_loader(qualified, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    # A NUMBA_CACHE_DIR would take the machine code away from the seal.
    elsewhere, _numba_config.CACHE_DIR = _numba_config.CACHE_DIR, ""
    sys.modules[qualified] = module  # numba's loader looks the module up by name
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[qualified]
        raise
    finally:
        _numba_config.CACHE_DIR = elsewhere
    return module


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds the lock file; the system releases it when the process dies."""
    with path.open("a+b") as file:
        if sys.platform == "win32":
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            if sys.platform == "win32":
                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
            else:
                fcntl.flock(file, fcntl.LOCK_UN)
