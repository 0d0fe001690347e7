"""A ledger file read as it grows, every record once, without the lock: for those who watch a study that others run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.types import Floats
from stom_ray.errors import LedgerError
from stom_ray.search import ledger_format as form


@dataclass(frozen=True)
class Seen:
    """What one record scored, n rows. values: (n, n_vars). figures: (n, 15). objective, sharpe: (n,), NaN where there is none.
    aims: (n, m) of a goal that has several, m = 0 for one objective; NaN for failed rows.

    pruned: (n,) stopped on some of the days. island, number, source, wall_s: as `ledger.Batch`. reasons: by failed row.
    """

    island: int
    number: int
    source: str
    wall_s: float
    keys: list[bytes]
    values: Floats
    figures: Floats
    objective: Floats
    aims: Floats
    sharpe: Floats
    failed: NDArray[np.bool_]
    pruned: NDArray[np.bool_]
    reasons: Mapping[int, str]


class LedgerTail:
    """`news` gives what has been recorded since it was last asked. header: as `Ledger.header`."""

    def __init__(self, path: str | Path) -> None:
        """Raises LedgerError: cannot be read, or no ledger."""
        self.path = Path(path)
        self._records, self._offset = 0, len(form.MAGIC)
        with self._open() as file:
            if file.read(len(form.MAGIC)) != form.MAGIC:
                raise LedgerError(f"{self.path}: offset 0: not a ledger. Expected the ledger.bin of a study")
            first = self._next(file)
        if first is None:
            raise LedgerError(f"{self.path}: offset {self._offset}: the header is cut off or damaged, nothing can be read")
        self.header: dict[str, Any] = first[0]

    def news(self) -> Iterator[Seen]:
        """Records in file order; one that is being written is left for the next time.

        Raises LedgerError when the file is damaged, or is not the one that it was.
        """
        with self._open() as file:
            if self._size(file) < self._offset:
                raise LedgerError(f"{self.path}: is shorter than what was read of it: another ledger took its place, start again")
            file.seek(self._offset)
            while (payload := self._next(file)) is not None:
                yield _seen(*payload)
            self._refuse_damage(file)

    def _open(self) -> BinaryIO:
        try:
            return self.path.open("rb")
        except OSError as error:
            raise LedgerError(f"{self.path}: cannot be read ({error.strerror})") from error

    def _next(self, file: BinaryIO) -> form.Payload | None:
        """The intact record at the offset, which then moves behind it; None when there is none."""
        head = file.read(form.HEAD_BYTES)
        if len(head) < form.HEAD_BYTES:
            return None
        _, _, length = form.HEAD.unpack_from(head)
        if length > self._size(file) - self._offset:
            return None
        record = memoryview(head + file.read(length + form.DIGEST_BYTES))
        frame = form.read_frame(record, 0)
        if frame is None or frame.number != self._records:
            return None
        self._records += 1
        self._offset += frame.end
        return form.decode_payload(record[form.HEAD_BYTES : frame.end - form.DIGEST_BYTES])

    def _refuse_damage(self, file: BinaryIO) -> None:
        """Where no record follows, none may lie further behind: that would be no interrupted write."""
        file.seek(self._offset)
        rest = file.read()
        first, at = form.read_frame(memoryview(rest), 0), rest.find(form.MARKER, 1)
        if first is not None and first.number == self._records:
            return
        while at > 0 and form.read_frame(memoryview(rest), at) is None:
            at = rest.find(form.MARKER, at + 1)
        if first is not None or at > 0:
            raise LedgerError(
                f"{self.path}: damaged at offset {self._offset:,}, while an intact record lies behind it: restore a copy"
            )

    @staticmethod
    def _size(file: BinaryIO) -> int:
        here = file.tell()
        size = file.seek(0, 2)
        file.seek(here)
        return size


def _seen(meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Seen:
    scored = arrays["scored"]
    return Seen(
        island=meta["island"],
        number=meta["batch"],
        source=meta["source"],
        wall_s=meta["wall_s"],
        keys=[key.tobytes() for key in arrays["keys"][scored]],
        values=arrays["values"][scored],
        figures=arrays["figures"],
        objective=arrays["objective"],
        aims=arrays["aims"],
        sharpe=arrays["sharpe"],
        failed=arrays["failed"].astype(np.bool_),
        pruned=arrays["pruned"].astype(np.bool_),
        reasons={int(row): text for row, text in meta["reasons"].items()},
    )
