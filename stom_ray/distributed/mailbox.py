"""How scored batches travel from Tune's trials to the driver, which alone writes the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from stom_ray.engine.plans import HowRun
from stom_ray.engine.types import Floats, ParamMatrix
from stom_ray.errors import StomError
from stom_ray.search.ledger import Scores


@dataclass(frozen=True)
class Letter:
    """A scored batch: the arguments of `Ledger.append`, and where the time went.

    number: None = the next of its island. kernel_s, sampler_s: seconds in the island. how: how the rows were run.
    """

    island: int
    number: int | None
    source: str
    params: ParamMatrix
    keys: list[bytes]
    marks: Floats
    rows: NDArray[np.int64]
    scores: Scores
    wall_s: float
    kernel_s: float
    sampler_s: float
    how: HowRun


@dataclass(frozen=True)
class Ended:
    """An island has nothing left to ask."""

    island: int
    reason: str


@dataclass(frozen=True)
class Failed:
    """Data, scripts or settings are at fault: trying again will not help. kind: the class of `stom_ray.errors` it was."""

    kind: type[StomError]
    message: str

    @classmethod
    def of(cls, error: StomError) -> Failed:
        # Subclasses elsewhere may not survive pickling; those of errors.py do.
        return cls(next(base for base in type(error).__mro__ if base.__module__ == StomError.__module__), str(error))

    def to_error(self) -> StomError:
        return self.kind(self.message)


Post = Letter | Ended | Failed


@ray.remote(num_cpus=0)
class Mailbox:
    """Keeps letters until they are collected."""

    def __init__(self) -> None:
        self._letters: list[Post] = []

    def post(self, letter: Post) -> None:
        self._letters.append(letter)

    def collect(self) -> list[Post]:
        letters, self._letters = self._letters, []
        return letters


def open_mailbox() -> Any:
    """A mailbox on the driver's own node: left to Ray, it may be put on one that is lost, and the letters with it."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return Mailbox.options(scheduling_strategy=here).remote()  # type: ignore[attr-defined]


def post(mailbox: Any, letter: Post) -> None:
    """Returns when the mailbox has it."""
    ray.get(mailbox.post.remote(letter))
