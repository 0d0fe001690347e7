"""Rows of a scrambled Sobol sequence, drawn vectorised: they fill the space more evenly than random ones."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from scipy.stats import qmc

from stom_ray.engine.types import Floats, ParamMatrix
from stom_ray.search.random_sampler import draw_unseen, unseen_rows
from stom_ray.search.samplers import batch_rng
from stom_ray.search.space import Space, stack


class QmcSampler:
    """Batch b is the points b × batch_size … of one scrambled Sobol sequence; every island has a scrambling of its own.

    Points that fall on a row asked before (lists are coarse) are replaced by random new rows. The sequence is most even after a
    power of two of points, so batch sizes of 128, 256 … suit it best. Source: Owen (1998), as in scipy.stats.qmc.Sobol.
    """

    source = "qmc"

    def __init__(self, space: Space, seed: int, island: int, batch_size: int) -> None:
        self._space, self._seed, self._island, self._batch_size = space, seed, island, batch_size
        self._sequence = self._from_start()

    def ask(self, batch: int, n: int, seen: AbstractSet[bytes]) -> ParamMatrix:
        fresh: set[bytes] = set()
        even = unseen_rows(self._space.from_unit(self._points(batch * self._batch_size, n)), n, seen, fresh)
        filling = draw_unseen(self._space, batch_rng(self._seed, self._island, batch), n - len(even), seen, fresh)
        return stack([even, filling], len(self._space.variables))

    def tell(self, batch: int, params: ParamMatrix, objective: Floats) -> None:
        """A fixed sequence learns nothing."""

    def inform(self, params: ParamMatrix, objective: Floats) -> None:
        """A fixed sequence learns nothing."""

    def _points(self, start: int, n: int) -> Floats:
        # The sequence is kept only because walking to a far point costs time; where it stands decides nothing.
        if self._sequence.num_generated > start:
            self._sequence = self._from_start()
        if self._sequence.num_generated < start:
            self._sequence.fast_forward(start - self._sequence.num_generated)
        if start == 0 and n > 0:
            # scipy warns when the first draw is no power of two, though later ones complete it.
            points: Floats = self._sequence.random(1 << (n - 1).bit_length())[:n]
            return points
        rest: Floats = self._sequence.random(n)
        return rest

    def _from_start(self) -> qmc.Sobol:
        return qmc.Sobol(len(self._space.variables), scramble=True, rng=batch_rng(self._seed, self._island, 0))
