"""Memory that is used again for the next table: fresh memory costs more to touch than a table costs to decode."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Room:
    """Buffers for one task at a time; leaving the `with` block frees them all, whoever still holds a view.

    Contract: what `take` gave is nobody else's until the block ends. Not for two threads at once.
    """

    def __init__(self) -> None:
        self._free: list[Floats] = []
        self._taken: list[Floats] = []

    def __enter__(self) -> Room:
        return self

    def __exit__(self, *_: object) -> None:
        self._free += self._taken
        self._taken = []

    def take(self, count: int) -> Floats:
        """(count,) numbers of any value, in the smallest free buffer that has them; a new one takes a smaller one's place."""
        fitting = [buffer for buffer in self._free if len(buffer) >= count]
        if fitting:
            chosen = min(fitting, key=len)
            self._free = [buffer for buffer in self._free if buffer is not chosen]
        else:
            self._free = self._free[1:]
            chosen = np.empty(count)
        self._taken.append(chosen)
        return chosen[:count]
