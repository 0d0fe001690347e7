"""Files of the store, written whole or not at all, and durable when the call returns.

Large files go past the page cache where the system allows it (O_DIRECT): every byte is written once and read by nobody soon, so
copies of them in memory would only take the place of what is needed, and making room for them costs more than the writing itself.
The bytes on disk are the same either way.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import StoreError

BLOCK = 4096  # what direct writes are multiples of, in memory and on disk
STAGING = 256 * BLOCK
_UNSUPPORTED = (errno.EINVAL, errno.ENOTSUP, errno.EPERM)  # a file system without direct writes says one of these

_own = threading.local()


def write_atomically(path: Path, fill: Callable[[Path], None]) -> int:
    """`fill` writes a temporary file beside `path`, which then takes its place; returns its size in bytes.

    After a crash there is the old file, the new one, or a `*.tmp` that nobody reads. Raises StoreError when the disk refuses.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fill(temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        size = temporary.stat().st_size
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise StoreError(
            f"{path}: cannot write ({error.strerror or error}): make room or choose another folder, then run the same command "
            "again; what was finished is kept"
        ) from error
    return size


def sync_folder(folder: Path) -> None:
    """Makes the new name durable, where the system lets a folder be opened (not on Windows)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Sink:
    """A new file that is written once, front to back; a file object for whoever writes Arrow into it. One at a time a thread."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
        self._staging, self._bytes = _staging()
        self._held = 0
        self._written = 0
        self.closed = False
        try:
            self._handle = os.open(path, flags | getattr(os, "O_DIRECT", 0), 0o666)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            self._handle = os.open(path, flags, 0o666)

    def write(self, data: Any) -> int:
        """Takes any buffer; Python's lock is free while numbers are copied and while the disk writes."""
        new = np.frombuffer(data, dtype=np.uint8)
        done = 0
        while done < len(new):
            step = min(len(new) - done, STAGING - self._held)
            np.copyto(self._bytes[self._held : self._held + step], new[done : done + step])
            done += step
            self._held += step
            if self._held == STAGING:
                self._flush()
        return len(new)

    def tell(self) -> int:
        return self._written + self._held

    def flush(self) -> None:
        """Nothing: a block is written when it is full."""

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._flush()
        finally:
            self.close()

    def close(self) -> None:
        """Lets go of the file; only leaving the `with` block writes the rest."""
        if not self.closed:
            self.closed = True
            os.close(self._handle)

    def _flush(self) -> None:
        """Writes what is held, filled up to whole blocks, and cuts the file where the content ends."""
        whole = -(-self._held // BLOCK) * BLOCK
        self._bytes[self._held : whole] = 0
        done = 0
        with memoryview(self._staging) as view:
            while done < whole:
                done += os.write(self._handle, view[done:whole])
        self._written += self._held
        if whole != self._held:
            os.ftruncate(self._handle, self._written)
        self._held = 0


def _staging() -> tuple[mmap.mmap, NDArray[np.uint8]]:
    """A page-aligned buffer, one a thread for good: fresh memory costs more than the copy into it."""
    if not hasattr(_own, "staging"):
        buffer = mmap.mmap(-1, STAGING)
        _own.staging = buffer, np.frombuffer(buffer, dtype=np.uint8)
    staging: tuple[mmap.mmap, NDArray[np.uint8]] = _own.staging
    return staging
