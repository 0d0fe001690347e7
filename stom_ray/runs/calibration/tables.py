"""What a calibration's findings say: how often the card believes noise, how often it finds edges, and why not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import beta

from stom_ray.errors import ConfigError
from stom_ray.runs.calibration.plan import FULL, SIZES

Finding = Mapping[str, Any]
CONFIDENCE = 0.95
VERDICTS = ("pass", "weak", "too_little_data", "fail")


def at_most(hits: int, studies: int) -> float:
    """One-sided upper limit of a rate at CONFIDENCE (Clopper and Pearson 1934); 1 where every study is one."""
    if not 0 <= hits <= studies or studies == 0:
        raise ConfigError(f"{hits} of {studies}: expected some studies, and no more hits than these")
    return 1.0 if hits == studies else float(beta.ppf(CONFIDENCE, hits + 1, studies - hits))


def at_least(hits: int, studies: int) -> float:
    """One-sided lower limit of a rate at CONFIDENCE."""
    return 1 - at_most(studies - hits, studies)


@dataclass(frozen=True)
class Group:
    """Studies of one kind. believed: cards that pass; found: those whose winner earns on the fresh days, too. profitable: winners
    that earned on the days they were chosen on. size: what was measured of the planted rules: their net daily Sharpe ratio over
    `unit`, the mean of (E[max N_eff] + 3.3) / √T; NaN for noise. verdicts: how often each. stopped: checks that did not pass.
    """

    name: str
    studies: int
    believed: int
    found: int
    profitable: int
    rule_sharpe: float
    unit: float
    size: float
    verdicts: Mapping[str, int]
    stopped: Mapping[str, int]

    @classmethod
    def of(cls, name: str, findings: Sequence[Finding]) -> Group:
        """At least one finding; of edges all of one planned size."""
        verdicts = Counter(str(one["standing"]) for one in findings)
        stopped = Counter(name for one in findings for name, (standing, _) in one["checks"].items() if standing != "pass")
        unit, ratio = float(np.mean([one["unit"] for one in findings])), rule_sharpe(findings)
        return cls(
            name=name,
            studies=len(findings),
            believed=sum(one["believed"] for one in findings),
            found=sum(one["believed"] and one["earned"] > 0 for one in findings),
            profitable=sum(one["profit"] > 0 for one in findings),
            rule_sharpe=ratio,
            unit=unit,
            size=ratio / unit,
            verdicts={verdict: verdicts[verdict] for verdict in VERDICTS},
            stopped=dict(sorted(stopped.items(), key=lambda item: (-item[1], item[0]))),
        )

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "verdicts": dict(self.verdicts), "stopped": dict(self.stopped)}


def rule_sharpe(findings: Sequence[Finding]) -> float:
    """Net daily Sharpe ratio of the planted rules over the days of all studies; NaN without rules.

    The mean over the rules of RULES that occur, each over its own days, since they trade different amounts.
    """
    by_rule: dict[int, list[Any]] = {}
    for one in findings:
        if one["rule"] is not None:
            by_rule.setdefault(one["rule_number"], []).append(one["rule"])
    ratios = []
    for sums in by_rule.values():
        days, total, squares = np.sum(sums, axis=0)
        mean = total / days
        ratios.append(mean / math.sqrt((squares - days * mean**2) / (days - 1)))
    return float(np.mean(ratios)) if ratios else math.nan


def groups(findings: Iterable[Finding]) -> list[Group]:
    """Noise with costs, noise without, then edges by size; kinds without a study are left out."""
    ordered = sorted(findings, key=lambda one: (one["kind"], one["size"], one["number"]))
    noise = [one for one in ordered if one["kind"] == "noise"]
    named = [
        ("noise, costs", [one for one in noise if not one["free"]]),
        ("noise, free", [one for one in noise if one["free"]]),
        *((f"edge {size:g}", [one for one in ordered if one["kind"] == "edge" and one["size"] == size]) for size in SIZES),
    ]
    return [Group.of(name, part) for name, part in named if part]


def table(found: Sequence[Group]) -> str:
    """Markdown, a row a group."""
    lines = [
        "| studies | | winners with a profit | believed | found | rule: Sharpe | × unit | "
        + " | ".join(VERDICTS)
        + " | stopped by |",
        "|---" * (8 + len(VERDICTS)) + "|",
    ]
    for one in found:
        rule = ["", "", ""] if math.isnan(one.size) else [str(one.found), f"{one.rule_sharpe:.2f}", f"{one.size:.2f}"]
        verdicts = [str(one.verdicts[verdict]) for verdict in VERDICTS]
        stopped = ", ".join(f"{name} {count}" for name, count in one.stopped.items())
        cells = [one.name, str(one.studies), str(one.profitable), str(one.believed), *rule, *verdicts, stopped]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


@dataclass(frozen=True)
class Rates:
    """noise_believed, edge_found: fractions, NaN without a study of that kind; the edges are those of full size. noise_at_most,
    edge_at_least: one-sided limits at CONFIDENCE."""

    noise_studies: int
    noise_believed: float
    noise_at_most: float
    edge_studies: int
    edge_found: float
    edge_at_least: float

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> Rates:
        told = list(findings)
        noise = [bool(one["believed"]) for one in told if one["kind"] == "noise"]
        edges = [bool(one["believed"] and one["earned"] > 0) for one in told if one["kind"] == "edge" and one["size"] == FULL]
        return cls(
            len(noise),
            float(np.mean(noise)) if noise else math.nan,
            at_most(sum(noise), len(noise)) if noise else math.nan,
            len(edges),
            float(np.mean(edges)) if edges else math.nan,
            at_least(sum(edges), len(edges)) if edges else math.nan,
        )

    def render(self) -> str:
        parts = []
        if self.noise_studies:
            believed = round(self.noise_believed * self.noise_studies)
            parts.append(f"noise believed in {believed} of {self.noise_studies} studies (at most {self.noise_at_most:.1%})")
        if self.edge_studies:
            found = round(self.edge_found * self.edge_studies)
            parts.append(f"edges found in {found} of {self.edge_studies} (at least {self.edge_at_least:.1%})")
        return "; ".join(parts)
