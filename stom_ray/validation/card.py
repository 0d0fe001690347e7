"""The verdict card: everything this package knows about a study's winner, joined into one answer.

A card passes when every decisive check passes (days, deflated Sharpe ratio, reality check, PBO, out-of-sample days), no
supporting check fails, and at most `MOST_WEAK` supporting ones are weak or missing. It fails when a decisive check fails, or two
supporting ones do: the evidence is against it, and more days would not help. In between it is too little data when the days are
fewer than those that a rule this good needs to be told from luck, else weak.

The decisive checks are deliberately more than one test of the same thing: the deflated Sharpe ratio counts trials but takes days
as independent, the reality check resamples them together but knows nothing of test days, and test days know nothing of how often
they were looked at, which `Evidence.looks` does. Rates of both errors, and the command that repeats them: docs/verdict-card.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from stom_ray.metrics.returns import sharpe
from stom_ray.validation import card_checks as checks
from stom_ray.validation.bootstrap import FEWEST_DAYS
from stom_ray.validation.card_checks import Check, Standing, Trials
from stom_ray.validation.card_evidence import Evidence, HitRate
from stom_ray.validation.card_words import HEADLINE, HIT_RATE, MISSING, sentence
from stom_ray.validation.overfitting import expected_max

MOST_WEAK = 2  # supporting checks that may be weak or missing: one that does not apply, and one that is unlucky
MOST_FAILS = 1  # failing supporting checks that leave a card weak; one may be bad luck, two are a pattern
LEAST_DAYS = 20  # skew and kurtosis of fewer days, and halves of 10 blocks of them, are noise whatever they show
POWER = 3.3  # 1.645 twice: 5% false alarms and 5% misses, in standard errors above the best of N


@dataclass(frozen=True)
class Card:
    """needed_days: trading days after which a rule as good as this one looks (the lower of its Sharpe ratios on searched and on
    unseen days) would be told from luck: ((E[max N_eff] + POWER) / Sharpe)²; inf when it does not earn. n_trials: over every
    study on this data; effective: how many independent ones they are worth. checks: decisive first; none below LEAST_DAYS.
    hit_rates: as in `Evidence`, shown and not judged.
    """

    standing: Standing
    needed_days: float
    n_days: int
    n_trials: int
    effective: float
    looks: int
    checks: tuple[Check, ...]
    hit_rates: Mapping[str, HitRate] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The verdict in a sentence, in English."""
        return self.told("en")

    def told(self, lang: str) -> str:
        """The verdict in a sentence."""
        key = "never" if self.standing == "too_little_data" and math.isinf(self.needed_days) else self.standing
        return sentence(HEADLINE, key, {"needed": self.needed_days, "days": self.n_days}, lang)

    def hit_rate_told(self, part: str, lang: str) -> str:
        """One of `hit_rates` in a sentence."""
        rate = self.hit_rates[part]
        key = part if math.isfinite(rate.break_even) else MISSING
        return sentence(HIT_RATE, key, {**asdict(rate), "margin": 100 * (rate.hit - rate.break_even)}, lang)

    @property
    def reasons(self) -> tuple[str, ...]:
        """A sentence for each check that does not pass, decisive ones first."""
        return tuple(check.words for check in self.checks if check.standing != "pass")

    def __getitem__(self, name: str) -> Check:
        """The check of that name; KeyError."""
        return {check.name: check for check in self.checks}[name]

    def to_json(self) -> dict[str, Any]:
        """Numbers that do not exist are NaN or infinite here."""
        return {
            "standing": self.standing,
            "words": self.words,
            "needed_days": self.needed_days,
            "days": self.n_days,
            "n_trials": self.n_trials,
            "effective": self.effective,
            "looks": self.looks,
            "hit_rates": {
                part: {**asdict(rate), "words": self.hit_rate_told(part, "en")} for part, rate in self.hit_rates.items()
            },
            "checks": [
                {
                    "name": check.name,
                    "standing": check.standing,
                    "value": check.value,
                    "threshold": check.threshold,
                    "decisive": check.decisive,
                    "missing": check.missing,
                    "words": check.words,
                }
                for check in self.checks
            ],
        }

    def render(self, lang: str = "en") -> str:
        """A line for the verdict, one for what it counts, one for each check."""
        needed = f"; {self.needed_days:,.0f} days needed" if math.isfinite(self.needed_days) else ""
        counted = f"{self.n_trials:,} trials on this data ({self.effective:,.0f} independent), looks at test days: {self.looks:,}"
        return "\n".join(
            [
                f"verdict   {self.standing.replace('_', ' ').upper()}. {self.told(lang)}",
                f"          {counted}, {self.n_days:,} trading days{needed}",
                *(f"          {self.hit_rate_told(part, lang)}" for part in self.hit_rates),
                *(f"  {check.standing.replace('_', ' '):<15} {check.name:<16} {check.told(lang)}" for check in self.checks),
            ]
        )


def card(evidence: Evidence) -> Card:
    """The verdict on one winner. The same evidence gives the same card. Raises ConfigError as `trial_blocks`."""
    n_days = len(evidence.winner)
    trials = checks.trials_of(evidence)
    needed = _needed_days(evidence, trials.effective)
    if n_days < LEAST_DAYS:
        found: tuple[Check, ...] = ()
        standing: Standing = "too_little_data"
    else:
        found = _checks(evidence, trials)
        standing = _standing(found, n_days, needed)
    if standing == "too_little_data":
        needed = max(needed, float(n_days + _lacking(evidence)))
    return Card(standing, needed, n_days, trials.n_trials, trials.effective, evidence.looks, found, evidence.hit_rates)


def _checks(evidence: Evidence, trials: Trials) -> tuple[Check, ...]:
    return (
        checks.days_check(evidence, trials),
        checks.deflated_check(evidence, trials),
        checks.reality_check_of_all(evidence),
        checks.pbo_check(evidence),
        checks.out_of_sample_check(evidence),
        checks.interval_check(evidence),
        checks.present_check(evidence),
        checks.random_entries_check(evidence),
        checks.plateau_check(evidence),
        checks.stability_check(evidence),
        checks.worse_check("optimism", evidence.optimism),
        checks.worse_check("cost_stress", evidence.cost_stress),
        checks.account_check(evidence),
        checks.drawdown_check(evidence),
        *([] if evidence.cross_validated is None else [checks.cross_validation_check(evidence)]),
    )


def _standing(found: tuple[Check, ...], n_days: int, needed: float) -> Standing:
    decisive = [check.standing for check in found if check.decisive]
    supporting = [check.standing for check in found if not check.decisive]
    fails = supporting.count("fail")
    if "fail" in decisive or fails > MOST_FAILS:
        return "fail"
    if all(standing == "pass" for standing in decisive):
        return "pass" if fails == 0 and supporting.count("weak") <= MOST_WEAK else "weak"
    return "too_little_data" if "too_little_data" in decisive or needed > n_days else "weak"


def _needed_days(evidence: Evidence, effective: float) -> float:
    ratios = [float(sharpe(evidence.winner)), *([float(np.median(sharpe(evidence.paths)))] if evidence.paths.size else [])]
    lowest = float(np.min(ratios))
    return math.ceil(((expected_max(effective) + POWER) / lowest) ** 2) if lowest > 0 else math.inf


def _lacking(evidence: Evidence) -> int:
    """Days that are missing whatever the winner does: of the whole, or of what it has not seen."""
    unseen = FEWEST_DAYS - evidence.paths.shape[1] if len(evidence.paths) else 0
    return max(0, LEAST_DAYS - len(evidence.winner), unseen)
