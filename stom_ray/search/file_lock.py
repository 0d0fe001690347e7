"""One writer a file, on Linux, macOS and Windows."""

from __future__ import annotations

import os
from pathlib import Path

from stom_ray.errors import LedgerError


class FileLock:
    """Holds `<file>.lock` until released or the process ends, however it ends; nothing to clean up after SIGKILL."""

    def __init__(self, path: Path) -> None:
        """LedgerError when another ledger object, here or in another process, holds it."""
        self.path = path.with_name(path.name + ".lock")
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise LedgerError(f"{self.path}: cannot be opened for locking ({error.strerror}): is the folder writable?") from error
        try:
            _lock(self._descriptor)
        except OSError as error:
            os.close(self._descriptor)
            raise LedgerError(
                f"{path}: another process is writing to this ledger (lock {self.path.name}): wait for it, end it, "
                "or give this run a folder of its own"
            ) from error

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _lock(descriptor: int) -> None:
    try:
        import fcntl
    except ImportError:
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
