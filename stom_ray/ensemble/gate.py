"""What a version has to show before it may become the champion: rules over its scores, as data.

    {"format": 1, "rules": [{"score": "test/macro_f1", "op": ">=", "value": 0.45},
                            {"score": "test/ic", "op": ">", "margin": 0.0}]}

A rule with `value` compares the score with a number, one with `margin` with the champion's score plus so much (it holds while
there is no champion). A score that is not there holds no rule.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stom_ray.errors import RegistryError

FORMAT = 1
OPERATORS = (">=", ">", "<=", "<")


@dataclass(frozen=True)
class Rule:
    """score op bound; bound is `value`, or the champion's score plus `margin`: one of the two."""

    score: str
    op: str
    value: float | None = None
    margin: float | None = None

    def __post_init__(self) -> None:
        if self.op not in OPERATORS:
            raise RegistryError(f"gate: rule for {self.score}: op {self.op!r}, expected one of {' '.join(OPERATORS)}")
        given = [bound for bound in (self.value, self.margin) if bound is not None]
        if len(given) != 1 or not math.isfinite(given[0]):
            raise RegistryError(f"gate: rule for {self.score}: expected either value or margin, a finite number")

    def judge(self, scores: Mapping[str, float], champion: Mapping[str, float] | None) -> Judged:
        """champion: its scores, None when there is none."""
        score = scores.get(self.score)
        if self.margin is None:
            return Judged(self, score, self.value, score is not None and self._holds(score, self.value))
        if champion is None:
            return Judged(self, score, None, score is not None)
        theirs = champion.get(self.score)
        bound = None if theirs is None else theirs + self.margin
        return Judged(self, score, bound, score is not None and self._holds(score, bound))

    def _holds(self, score: float, bound: float | None) -> bool:
        if bound is None:
            return False
        return {">=": score >= bound, ">": score > bound, "<=": score <= bound, "<": score < bound}[self.op]


@dataclass(frozen=True)
class Judged:
    """A rule with what it met: score and bound None where there is none."""

    rule: Rule
    score: float | None
    bound: float | None
    holds: bool

    def __str__(self) -> str:
        bound = "the champion's, which has none" if self.bound is None else f"{self.bound:g}"
        return f"{self.rule.score} is {'not there' if self.score is None else f'{self.score:g}'}, expected {self.rule.op} {bound}"

    def to_json(self) -> dict[str, Any]:
        return {
            "score": self.rule.score,
            "op": self.rule.op,
            "value": self.rule.value,
            "margin": self.rule.margin,
            "found": self.score,
            "bound": self.bound,
            "holds": self.holds,
        }


@dataclass(frozen=True)
class Gate:
    """All rules have to hold. A gate without rules lets everything through, and the record says so."""

    rules: tuple[Rule, ...]

    def judge(self, scores: Mapping[str, float], champion: Mapping[str, float] | None) -> tuple[Judged, ...]:
        return tuple(rule.judge(scores, champion) for rule in self.rules)


def read_gate(path: Path) -> Gate:
    """Raises RegistryError naming file and rule for whatever is not as above."""
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise RegistryError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise RegistryError(f"{path}: no JSON ({error})") from error
    if not isinstance(data, dict) or set(data) != {"format", "rules"} or data["format"] != FORMAT:
        raise RegistryError(f'{path}: expected {{"format": {FORMAT}, "rules": [...]}}')
    if not isinstance(data["rules"], list):
        raise RegistryError(f"{path}: rules: expected a list")
    return Gate(tuple(_rule(item, f"{path}: rule {number}") for number, item in enumerate(data["rules"], 1)))


def _rule(item: Any, where: str) -> Rule:
    if not isinstance(item, dict) or not {"score", "op"} <= set(item) <= {"score", "op", "value", "margin"}:
        raise RegistryError(f"{where}: expected score, op and one of value and margin")
    if not isinstance(item["score"], str) or not isinstance(item["op"], str):
        raise RegistryError(f"{where}: score and op: expected text")
    for name in ("value", "margin"):
        if isinstance(item.get(name), bool) or not isinstance(item.get(name, 0.0), int | float):
            raise RegistryError(f"{where}: {name} is {item[name]!r:.40}: expected a number")
    try:
        return Rule(**item)
    except RegistryError as error:
        raise RegistryError(f"{where}: {error}") from error
