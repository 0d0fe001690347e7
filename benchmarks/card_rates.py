"""How often the verdict card passes noise, and a true edge: `python -m benchmarks.card_rates [--first N] [--seeds N] [CELL ...]`.

`--cross-validation` instead: how often its check passes them.

Tables of daily returns, nothing else: 200 trials of Student-t days (4 degrees of freedom) that share a quarter of their variance.
Without costs their mean is 0, with costs -0.1 standard deviations a day. An edge is one trial whose net daily Sharpe ratio is
1.5 × (E[max N_eff] + 3.3) / √T. Out-of-sample days are a walk-forward's: the first half of the days trains, then four windows
test what was best on all days before; `cpcv` cells take the paths of 15 combinatorial splits. Supporting evidence that needs
trades is given as good to noise and edges alike, and present values are missing, so that noise is stopped by the decisive
statistics alone. Thresholds were set on seeds 0-199, rates are reported on 1000-1199.
"""

from __future__ import annotations

import argparse
from collections import Counter
from itertools import pairwise

import numpy as np

from stom_ray.metrics.returns import sharpe
from stom_ray.validation.bootstrap import Floats
from stom_ray.validation.card import Card, card
from stom_ray.validation.card_checks import cross_validation_check
from stom_ray.validation.card_evidence import Evidence
from stom_ray.validation.cpcv import CombinatorialPurgedCV
from stom_ray.validation.overfitting import effective_trials, expected_max
from stom_ray.validation.path_scores import choose_on_train
from stom_ray.validation.plateau import plateau
from stom_ray.validation.splits import PurgedKFold
from stom_ray.validation.stability import Concentration, Stability

TRIALS, SHARED, FREEDOM, COST = 200, 0.25, 4, 0.1
WINDOWS = 4
FACTOR = 1.5
CELLS = {
    f"{kind}-{days}{costs}{folds}": (kind, days, COST if costs else 0.0, bool(folds))
    for kind in ("noise", "edge", "region")
    for days in (60, 120)
    for costs in ("", "-costs")
    for folds in ("", "-cpcv")
    if not (folds and costs) and not (kind == "region" and (costs or folds))
}
ALL_BUT_LUCK = {"late": 0.8, "small": 0.9}


def edge_size(days: int) -> float:
    return FACTOR * (expected_max(effective_trials(TRIALS, SHARED)) + 3.3) / np.sqrt(days)


def table(kind: str, days: int, cost: float, seed: int) -> Floats:
    """(TRIALS, days). region: half of the trials share the edge, as where a search has settled."""
    rng = np.random.default_rng(seed)
    common, own = (rng.standard_t(FREEDOM, size=shape) / np.sqrt(2.0) for shape in (days, (TRIALS, days)))
    daily = np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * own - cost
    good = {"noise": 0, "edge": 1, "region": TRIALS // 2}[kind]
    daily[:good] += edge_size(days) + cost
    return np.asarray(daily)


def walk_forward(daily: Floats) -> Floats:
    days = daily.shape[1]
    borders = np.linspace(days // 2, days, WINDOWS + 1).astype(int)
    windows = pairwise(borders)
    return np.concatenate([daily[np.argmax(sharpe(daily[:, :start])), start:end] for start, end in windows])


def combinatorial(daily: Floats) -> Floats:
    splits = CombinatorialPurgedCV(6, 2).split(20240101 + np.arange(daily.shape[1]))
    return choose_on_train(daily, splits).daily


def judged(kind: str, days: int, cost: float, cpcv: bool, seed: int) -> Card:
    daily = table(kind, days, cost, seed)
    winner = daily[np.argmax(sharpe(daily))]
    spread = Concentration(np.arange(10), np.ones(10), 1.0, 0.1, 9.0, 0.1)
    unseen = combinatorial(daily) if cpcv else walk_forward(daily)
    return card(
        Evidence(
            study=daily,
            winner=winner,
            out_of_sample=unseen,
            random_entry_p=0.01,
            plateau=plateau(1.0, np.array([0.9, 0.8])),
            stability=Stability(spread, spread, spread),
            optimism=ALL_BUT_LUCK,
            cost_stress=ALL_BUT_LUCK,
            account_kept=0.9,
            order_drawdowns=np.array([0.0]),
        )
    )


def k_fold(daily: Floats) -> Floats:
    """(1, days) what was best on the days of the five other folds."""
    days, path = np.arange(daily.shape[1]), np.empty((1, daily.shape[1]))
    for fold in PurgedKFold(6).split(days):
        path[0, fold.test] = daily[np.argmax(sharpe(daily[:, fold.train]))][fold.test]
    return path


def crossed(seeds: range) -> None:
    """Standings of the supporting check `cross_validation`, on 6 folds, 2 of them tested at once in CPCV."""
    for kind, days, cost, _ in (cell for cell in CELLS.values() if not cell[3]):
        tables = [table(kind, days, cost, seed) for seed in seeds]
        for scheme, paths in (("cpcv", combinatorial), ("purged k-fold", k_fold)):
            checks = [cross_validation_check(Evidence(study=one, winner=one[0], cross_validated=paths(one))) for one in tables]
            print(
                f"{kind:7} {days:4} days, cost {cost:.1f}, {scheme:14} {dict(Counter(check.standing for check in checks))}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cells", nargs="*", default=list(CELLS), help=", ".join(CELLS))
    parser.add_argument("--first", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--cross-validation", action="store_true", help="only how often that check passes")
    asked = parser.parse_args()
    if asked.cross_validation:
        crossed(range(asked.first, asked.first + asked.seeds))
        return
    for name in asked.cells:
        cards = [judged(*CELLS[name], seed) for seed in range(asked.first, asked.first + asked.seeds)]
        standings = Counter(one.standing for one in cards)
        stopped = Counter(check.name for one in cards for check in one.checks if check.standing != "pass")
        print(
            f"{name:18} passed {standings['pass'] / len(cards):6.1%}  {dict(standings)}  not passed by: {dict(stopped)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
