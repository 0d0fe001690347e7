"""What a running study tells, and where its time goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """After a batch. evaluations: distinct rows scored, earlier runs of the study included; planned: at most so many.

    pruned: of the evaluations, each island's. best: objective, None before the first. best_row: its values.
    candidate_ticks_per_s: rows scored by this run × ticks over its wall time, as if pruned ones had been run on all of them.
    kernel, sampler, rest: shares of that time, summing to 1. left_s: None until there is something to reckon from.
    """

    evaluations: int
    planned: int
    best: float | None
    best_row: tuple[float, ...]
    candidate_ticks_per_s: float
    kernel: float
    sampler: float
    rest: float
    elapsed_s: float
    left_s: float | None
    pruned: int = 0

    def render(self) -> str:
        best = "-" if self.best is None else f"{self.best:,.10g}"
        pruned = f" ({self.pruned:,} pruned)" if self.pruned else ""
        left = "?" if self.left_s is None else f"{self.left_s:,.0f} s"
        speed = f"{self.candidate_ticks_per_s / 1e6:,.1f}M candidate-ticks/s"
        return (
            f"{self.evaluations:,}/{self.planned:,} evaluations{pruned}, best {best}, {speed}, "
            f"time: kernel {self.kernel:.0%}, sampler {self.sampler:.0%}, rest {self.rest:.0%}; left {left}"
        )


ProgressCallback = Callable[[Progress], None]


@dataclass
class Meter:
    """Seconds of this run. kernel_s is told by the evaluator, sampler_s measured here."""

    started: float = field(default_factory=time.perf_counter)
    kernel_s: float = 0.0
    sampler_s: float = 0.0
    scored: int = 0

    @property
    def elapsed_s(self) -> float:
        return time.perf_counter() - self.started

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """Counts what happens inside as the sampler's time."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.sampler_s += time.perf_counter() - start

    def progress(
        self, evaluations: int, planned: int, best: tuple[float, tuple[float, ...]] | None, ticks: int, pruned: int = 0
    ) -> Progress:
        elapsed = max(self.elapsed_s, 1e-9)
        kernel, sampler = min(1.0, self.kernel_s / elapsed), min(1.0, self.sampler_s / elapsed)
        left = elapsed / self.scored * max(0, planned - evaluations) if self.scored else None
        return Progress(
            evaluations=evaluations,
            planned=planned,
            best=best[0] if best else None,
            best_row=best[1] if best else (),
            candidate_ticks_per_s=self.scored * ticks / elapsed,
            kernel=kernel,
            sampler=sampler,
            rest=max(0.0, 1.0 - kernel - sampler),
            elapsed_s=elapsed,
            left_s=left,
            pruned=pruned,
        )
