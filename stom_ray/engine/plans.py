"""What ran, for whom and why: said by every backend, and added up over the batches of a search."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class PlanUsed:
    """What ran, for whom, and why.

    name: grid, rows or generated on the CPU, else the backend. candidates, sessions, generated_sessions (those that the generated
    kernel ran): of one batch, or added up over `batches`; the reason then is the first one's.
    """

    name: str
    candidates: int
    reason: str
    sessions: int = 0
    generated_sessions: int = 0
    batches: int = 1


@dataclass(frozen=True)
class HowRun:
    """How a run was done. backend, reason: which, and why this one. plans: by name, in order of first use.

    predicted_bytes: memory that the run was expected to take beyond the program and its data, its trades aside; 0 where nothing
    predicts it. blocks: of instruments, walked one after the other. max_memory: the limit in bytes, None without one.
    """

    backend: str
    reason: str
    plans: tuple[PlanUsed, ...] = ()
    predicted_bytes: int = 0
    blocks: int = 0
    max_memory: int | None = None

    def and_then(self, other: HowRun) -> HowRun:
        """Both batches: the larger prediction, and the later backend, for present values are scored first, at the driver."""
        return replace(
            self,
            backend=other.backend,
            reason=other.reason,
            plans=added((*self.plans, *other.plans)),
            predicted_bytes=max(self.predicted_bytes, other.predicted_bytes),
            blocks=max(self.blocks, other.blocks),
        )

    def render(self) -> str:
        """For a person: `cpu backend: asked for; plans grid 400, generated 2`; a plan's number is its parameter rows."""
        plans = ", ".join(f"{plan.name} {plan.candidates:,}" for plan in self.plans)
        return f"{self.backend} backend: {self.reason}" + (f"; plans {plans}" if plans else "")

    @classmethod
    def of_json(cls, record: dict[str, Any] | None) -> HowRun | None:
        """What `to_json` wrote."""
        if record is None:
            return None
        plans = tuple(PlanUsed(**plan) for plan in record["plans"])
        told = {name: record[name] for name in ("backend", "reason", "predicted_bytes", "blocks")}
        return cls(**told, plans=plans, max_memory=record["max_memory_bytes"])

    def to_json(self) -> dict[str, Any]:
        return {
            "backend": self.backend,
            "reason": self.reason,
            "plans": [asdict(plan) for plan in self.plans],
            "predicted_bytes": self.predicted_bytes,
            "blocks": self.blocks,
            "max_memory_bytes": self.max_memory,
        }


def added(plans: Iterable[PlanUsed]) -> tuple[PlanUsed, ...]:
    """One a name."""
    found: dict[str, PlanUsed] = {}
    for plan in plans:
        first = found.get(plan.name)
        if first is None:
            found[plan.name] = plan
            continue
        found[plan.name] = replace(
            first,
            candidates=first.candidates + plan.candidates,
            sessions=first.sessions + plan.sessions,
            generated_sessions=first.generated_sessions + plan.generated_sessions,
            batches=first.batches + plan.batches,
        )
    return tuple(found.values())
