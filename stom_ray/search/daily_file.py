"""Daily returns of every trial, in a file beside the ledger: rows of float32 (little-endian), and nothing else.

Row i belongs to the i-th row scored in the ledger, in file order. A batch's block is on disk before the record that speaks of it,
and the record holds the block's digest: what lies beyond the ledger's rows is a write that was broken off, anything else
that differs is damage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from stom_ray.errors import LedgerError

Returns = NDArray[np.float32]

STORED = np.dtype("<f4")
REMEDY = "restore copies of it and of the ledger that belong together, or move both away and start the study anew"


def daily_path(ledger: Path) -> Path:
    return ledger.with_name(ledger.name + ".daily")


def packed(daily: Returns) -> tuple[bytes, str]:
    """A block's bytes and its digest."""
    data = np.ascontiguousarray(daily, dtype=STORED).tobytes()
    return data, _digest(data)


def mapped_rows(path: Path, n_rows: int, n_days: int) -> Returns:
    """(n_rows, n_days), read-only, mapped from the file."""
    if n_rows * n_days == 0:
        return np.empty((n_rows, n_days), dtype=STORED)
    return np.memmap(path, dtype=STORED, mode="r", shape=(n_rows, n_days))


def check_blocks(path: Path, n_days: int, blocks: Iterable[tuple[int, str]]) -> int:
    """The bytes that the ledger's blocks fill. blocks: (rows, digest) in file order.

    LedgerError: the file is missing or shorter than that, or a block is not what was written.
    """
    at = 0
    with _opened(path) as file:
        for rows, digest in blocks:
            end = at + rows * n_days * STORED.itemsize
            data = file.read(end - at)
            if len(data) < end - at:
                raise LedgerError(
                    f"{path}: ends at offset {at + len(data):,}, the ledger has daily returns up to {end:,} or more: {REMEDY}"
                )
            if _digest(data) != digest:
                raise LedgerError(
                    f"{path}: damaged between offsets {at:,} and {end:,}, the digest in the ledger differs: {REMEDY}"
                )
            at = end
    return at


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise LedgerError(f"{path}: offset 0: cannot be read ({error.strerror}): {REMEDY}") from error


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
