"""One record of a ledger as an object, and all of them read back from the file when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from stom_ray.engine.types import Floats, Ints, ParamMatrix
from stom_ray.errors import LedgerError
from stom_ray.search import ledger_format as form
from stom_ray.search.daily_file import Returns, daily_path, mapped_rows
from stom_ray.search.space import KEY_BYTES


@dataclass(frozen=True)
class Scores:
    """Scores of n rows. figures: (n, 15). objective, sharpe (per day): (n,), NaN where there is none. aims: (n, m), NaN for
    failed rows; m = 0 for a goal of one objective.

    daily: (n, n_days) float32, KRW by day of the sale; NaN on all days of a failed row, and on days that a pruned one was not run
    on. reasons: by failed row.

    With `halving`: pruned: (n,) stopped before it was run on all days: no objective, figures and Sharpe ratio of the days it was
    run on. fell: (n,) the rung (1, 2, …) whose others were better, 0 = passed them all; a row that fell and was not pruned is a
    control. early: (n, rungs) objective on each rung's days, NaN where it was not run or there is none.
    """

    figures: Floats
    objective: Floats
    aims: Floats
    sharpe: Floats
    failed: NDArray[np.bool_]
    pruned: NDArray[np.bool_]
    fell: Ints
    early: Floats
    daily: Returns
    reasons: Mapping[int, str] = field(default_factory=dict)

    @property
    def marks(self) -> Floats:
        """(n, 1 + m) what samplers are told where nothing is pruned: objective and aims."""
        return np.concatenate([self.objective[:, None], self.aims], axis=1)

    def __len__(self) -> int:
        return len(self.objective)

    def pick(self, rows: NDArray[np.int64]) -> Scores:
        """The scores of these rows, in this order."""
        reasons = {new: self.reasons[int(old)] for new, old in enumerate(rows) if int(old) in self.reasons}
        arrays = {name: values[rows] for name, values in vars(self).items() if name != "reasons"}
        return Scores(**arrays, reasons=reasons)


@dataclass(frozen=True)
class Batch:
    """One record. keys: of all n rows asked for. marks: (n, 1 + m) what the island was told of them (`search.samplers`).

    scored: the rows of `params` that `scores` belong to, in this order.

    island -1 is the user's present values; source: the sampler that asked, "present" for those. wall_s: evaluation time.
    daily_row: row of the ledger's `daily` where those of `scores` begin. digest: of that block.
    """

    island: int
    number: int
    source: str
    params: ParamMatrix
    keys: list[bytes]
    marks: Floats
    scored: NDArray[np.int64]
    scores: Scores
    wall_s: float
    daily_row: int
    digest: str


class Batches(Sequence[Batch]):
    """The batches of a file in its order, each read when it is asked for; here are only their places."""

    def __init__(self, path: Path, n_days: int) -> None:
        self._path, self._n_days = path, n_days
        self._places: list[tuple[int, int, int]] = []  # where the record begins and ends, first row of the daily returns
        self.rows = 0

    def add(self, start: int, end: int, rows: int) -> None:
        """A record at file[start:end] that scored so many rows."""
        self._places.append((start, end, self.rows))
        self.rows += rows

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Batch: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Batch]: ...

    def __getitem__(self, index: int | slice) -> Batch | Sequence[Batch]:
        """Raises LedgerError when the file cannot be read any more."""
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        start, end, first = self._places[index]
        try:
            with self._path.open("rb") as file:
                file.seek(start)
                record = file.read(end - start)
        except OSError as error:
            raise LedgerError(f"{self._path}: cannot be read at offset {start:,} ({error.strerror})") from error
        payload = form.decode_payload(memoryview(record)[form.HEAD_BYTES : -form.DIGEST_BYTES])
        return unpack(*payload, first, mapped_rows(daily_path(self._path), self.rows, self._n_days))


def pack(batch: Batch) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    scores = batch.scores
    meta: dict[str, Any] = {
        "island": batch.island,
        "batch": batch.number,
        "source": batch.source,
        "wall_s": batch.wall_s,
        "reasons": {str(row): text for row, text in scores.reasons.items()},
        "daily": batch.digest,
    }
    arrays: dict[str, NDArray[Any]] = {
        "values": batch.params.values,
        "is_float": batch.params.is_float.astype(np.uint8),
        "keys": np.frombuffer(b"".join(batch.keys), dtype=np.uint8).reshape(-1, KEY_BYTES),
        "marks": batch.marks,
        "scored": batch.scored,
        "figures": scores.figures,
        "objective": scores.objective,
        "aims": scores.aims,
        "sharpe": scores.sharpe,
        "failed": scores.failed.astype(np.uint8),
        "pruned": scores.pruned.astype(np.uint8),
        "fell": scores.fell.astype(np.int16),
        "early": scores.early,
    }
    return meta, arrays


def unpack(meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], first: int, daily: Returns) -> Batch:
    params = ParamMatrix(arrays["values"], arrays["is_float"].astype(np.bool_))
    reasons = {int(row): text for row, text in meta["reasons"].items()}
    scores = Scores(
        figures=arrays["figures"],
        objective=arrays["objective"],
        aims=arrays["aims"],
        sharpe=arrays["sharpe"],
        failed=arrays["failed"].astype(np.bool_),
        pruned=arrays["pruned"].astype(np.bool_),
        fell=arrays["fell"].astype(np.int64),
        early=arrays["early"],
        daily=daily[first : first + len(arrays["failed"])],
        reasons=reasons,
    )
    wall_s, digest = meta["wall_s"], meta["daily"]
    return Batch(
        meta["island"],
        meta["batch"],
        meta["source"],
        params,
        keys_of(arrays["keys"]),
        arrays["marks"],
        arrays["scored"],
        scores,
        wall_s,
        first,
        digest,
    )


def keys_of(stored: NDArray[np.uint8]) -> list[bytes]:
    """stored: (n, KEY_BYTES)."""
    joined = stored.tobytes()
    return [joined[at : at + KEY_BYTES] for at in range(0, len(joined), KEY_BYTES)]
