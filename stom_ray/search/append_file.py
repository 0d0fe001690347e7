"""A file that only grows, one whole and fsynced piece at a time."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from stom_ray.errors import LedgerError


class AppendFile:
    """Open for appending until closed; `size` is its length in bytes."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """LedgerError when it cannot be opened; without `create` it has to be there."""
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0) | (os.O_CREAT if create else 0)
        self.path = path
        try:
            self._descriptor = os.open(path, flags, 0o644)
        except OSError as error:
            raise LedgerError(f"{path}: cannot be opened for writing ({error.strerror}): is the folder writable?") from error
        self.size = os.fstat(self._descriptor).st_size

    def append(self, data: bytes) -> None:
        """On return it is on disk. LedgerError, and nothing is left of it, when it cannot be written."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fsync(self._descriptor)
        except BaseException as error:
            # Also after Ctrl-C: half a piece in the middle would be damage, cut off it is nothing.
            os.ftruncate(self._descriptor, self.size)
            if not isinstance(error, OSError):
                raise
            remedy = f"free {len(data):,} bytes and resume" if error.errno == errno.ENOSPC else "mend that and resume"
            raise LedgerError(
                f"{self.path}: a batch could not be written at offset {self.size:,} ({error.strerror}): "
                f"everything before it is safe, {remedy}"
            ) from error
        self.size += len(data)

    def cut(self, size: int) -> None:
        """Drop what lies beyond `size` bytes."""
        os.ftruncate(self._descriptor, size)
        os.fsync(self._descriptor)
        self.size = size

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
