"""Which search finds most in equal time, on real data: `python -m benchmarks.search_peers --out OUT.jsonl`.

Twelve thresholds of one rule (eight of the buy text, four of the sell text) with 20 values each: 4 × 10^15 combinations. Every
method has the same scripts, kernels, batch evaluator, two cores and seconds by the clock; only who asks for rows differs:

- default: what `search` is without being told: sampler, islands and batch
- random: rows without a model
- tpe: Optuna's TPE, a batch at a time
- optuna: OptunaSearch as Ray Tune runs it, one candidate a trial; starting Ray is not counted
- ascent: STOM's own search, from ten random rows one after the other

Searched are the first 30 days; the pick of each is scored once on the last ten, and a verdict card is made of all rows scored and
those ten days (no plateau, stress or account, which count as missing there). A run is a line of OUT.jsonl and is not run again
when it is there already, so that a pair of hours may be cut. Needs the real order-book data.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workloads import BUY, BUY_TERMS, EXITS, real
from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.ir import Strategy
from stom_ray.conditions.rows import Rows
from stom_ray.config.sections import SearchSection
from stom_ray.distributed.optuna_search import run_optuna_search
from stom_ray.distributed.session import session
from stom_ray.distributed.tuning import Subject
from stom_ray.engine.bind import day_counts
from stom_ray.engine.types import EngineConfig, ParamMatrix
from stom_ray.search.base import ScoreTable
from stom_ray.search.evaluator import SerialEvaluator
from stom_ray.search.goal import StomGoal
from stom_ray.search.space import Choice, Space
from stom_ray.search.study import Study, StudyConfig, StudyResult
from stom_ray.store.load import select
from stom_ray.store.panel import Selection
from stom_ray.validation.card import card
from stom_ray.validation.card_evidence import Evidence

VALUES = 20
SEARCHED_DAYS = 30
STARTS = 10
CORES = 2
BATCH = 1_000
WITHOUT_END = 10**9
SELL = "매도 = False\n" + "\n".join(
    f"{'if' if k == 0 else 'elif'} {condition}:\n    매도 = True" for k, condition in enumerate(EXITS)
)
EXIT_VALUES = ((0.3, 6.0), (-6.0, -0.3), (20.0, 1_200.0), (0.3, 6.0))
Peer = Callable[["Place", StudyConfig, float], list[StudyResult]]


class Place:
    """The days that are searched, bound once, and those that are scored once."""

    def __init__(self, selection: Selection) -> None:
        days = selection.selected.days
        self.searched = select(selection.loaded, days=(0, int(days[SEARCHED_DAYS - 1])))
        self.unseen = select(selection.loaded, days=(int(days[SEARCHED_DAYS]), int(days[-1])))
        self.engine = EngineConfig(profile="stom")
        self.strategy: Strategy = compile_strategy(BUY, SELL, profile="stom", layout=selection.loaded.layout)
        self.space = space_of(self.searched, self.engine)
        self.evaluator = SerialEvaluator(self.strategy, self.searched, self.engine, threads=CORES)
        self.evaluator.evaluate(self.space.present)

    def subject(self) -> Subject:
        return Subject(self.strategy, self.searched, self.engine)

    def on_unseen(self, row: ParamMatrix) -> ScoreTable:
        return SerialEvaluator(self.strategy, self.unseen, self.engine).evaluate(row)


def space_of(selection: Selection, engine: EngineConfig) -> Space:
    """VALUES quantiles of each column that a term compares, the middle one for the user's own."""
    rows = Rows(selection, engine.loaded_lengths)
    enough = day_counts(selection.selected) >= 30
    variables = []
    for name, _ in BUY_TERMS:
        function, _, length = name.partition("(")
        column = rows.window(function, int(length[:-1])) if length else rows.column(name)
        levels = np.quantile(column[enough & np.isfinite(column)], np.linspace(0.01, 0.995, VALUES))
        variables.append(levels)
    variables += [np.linspace(low, high, VALUES) for low, high in EXIT_VALUES]
    lists = [sorted({round(float(value), 4) for value in values}) for values in variables]
    return Space(tuple(Choice(tuple(values), values[len(values) // 2]) for values in lists))


def by_study(**settings: Any) -> Peer:
    def run(place: Place, config: StudyConfig, seconds: float) -> list[StudyResult]:
        with tempfile.TemporaryDirectory() as folder:
            timed = replace(config, time_limit_s=seconds, **settings)
            return [Study(timed, place.evaluator, Path(folder) / "ledger.bin").run()]

    return run


def one_a_trial(place: Place, config: StudyConfig, seconds: float) -> list[StudyResult]:
    with tempfile.TemporaryDirectory() as folder, session(num_cpus=CORES, object_store_mib=1_024):
        timed = replace(config, sampler="optuna", islands=1, time_limit_s=seconds)
        return [run_optuna_search(timed, place.subject(), Path(folder) / "ledger.bin", workers=CORES)]


def ascents(place: Place, config: StudyConfig, seconds: float) -> list[StudyResult]:
    """From as many starts as there is time for, at most STARTS."""
    rng = np.random.default_rng(config.seed)
    until = time.perf_counter() + seconds
    found: list[StudyResult] = []
    for _ in range(STARTS):
        left = until - time.perf_counter()
        if left <= 0:
            break
        start = place.space.draw_random(rng, 1).values[0]
        choices = zip(place.space.variables, start.tolist(), strict=True)
        space = Space(tuple(replace(variable, present=value) for variable, value in choices))
        found += by_study(sampler="coordinate", islands=1)(place, replace(config, space=space), left)
    return found


PEERS: dict[str, Peer] = {
    "default": by_study(sampler=SearchSection().sampler, islands=SearchSection().islands, batch_size=SearchSection().batch),
    "random": by_study(sampler="random"),
    "tpe": by_study(sampler="tpe", batch_size=SearchSection().batch),
    "optuna": one_a_trial,
    "ascent": ascents,
}


def best_of(result: StudyResult) -> float:
    best = result.table.best(1)
    return float(result.table.objective[best[0]]) if len(best) else -np.inf


def run_one(place: Place, name: str, seed: int, seconds: float) -> dict[str, Any]:
    config = StudyConfig(place.space, StomGoal("TG"), {"data": "real"}, seed=seed, batch_size=BATCH, evaluations=WITHOUT_END)
    started = time.perf_counter()
    results = PEERS[name](place, config, seconds)
    took = time.perf_counter() - started
    best = max(results, key=best_of)
    return {
        "peer": name,
        "seed": seed,
        "seconds": seconds,
        "searched": best_of(best),
        "evaluations": sum(len(result.table) for result in results),
        "took_s": round(took, 2),
        **judged(place, best, [result for result in results if result is not best]),
    }


def judged(place: Place, result: StudyResult, others: list[StudyResult]) -> dict[str, Any]:
    """The pick on days that it has not seen, and what the card says of it."""
    best = result.table.best(1)
    if len(best) == 0:
        return {"unseen": None, "card": None, "stopped_by": []}
    unseen = place.on_unseen(result.table.rows(best))
    evidence = Evidence(
        study=result.daily,
        winner=result.daily[result.table.daily_row[best[0]]].astype(np.float64),
        earlier=tuple(other.daily for other in others),
        out_of_sample=unseen.daily_profit[0],
    )
    said = card(evidence)
    stops = [check.name for check in said.checks if check.standing == "fail"]
    return {"unseen": float(StomGoal("TG").score(unseen)[0]), "card": said.standing, "stopped_by": stops}


def table(records: list[dict[str, Any]], seconds: float) -> str:
    """Pairs that the default won, medians, and how often the card said what."""
    here = [one for one in records if one["seconds"] == seconds]
    ours = {one["seed"]: one for one in here if one["peer"] == "default"}
    lines = [f"{'peer':<8} {'default better':>16} {'searched':>14} {'unseen':>14} {'evaluations':>12}   cards"]
    for name in PEERS:
        found = [one for one in here if one["peer"] == name and one["seed"] in ours]
        if found:
            won = sum(ours[one["seed"]]["searched"] > one["searched"] for one in found)
            score = "" if name == "default" else f"{won} of {len(found)}"
            middle = [
                np.median([np.nan if one[key] is None else one[key] for one in found])
                for key in ("searched", "unseen", "evaluations")
            ]
            cards = ", ".join(f"{count} {card}" for card, count in Counter(one["card"] for one in found).most_common())
            lines.append(f"{name:<8} {score:>16} {middle[0]:>14,.0f} {middle[1]:>14,.0f} {middle[2]:>12,.0f}   {cards}")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search_peers", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of every run")
    parser.add_argument("--pairs", type=int, default=10, help="seeds 0 to N - 1")
    parser.add_argument("--out", type=Path, required=True, help="a line a run; runs that are there are not run again")
    options = parser.parse_args(arguments)
    selection = real()
    if selection is None:
        parser.error("the real order-book data is not here: ../shared/realdata")
    place = Place(selection)
    records = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    done = {(one["peer"], one["seed"], one["seconds"]) for one in records}
    for seed in range(options.pairs):
        for name in PEERS:
            if (name, seed, options.seconds) not in done:
                records.append(run_one(place, name, seed, options.seconds))
                with options.out.open("a") as file:
                    file.write(json.dumps(records[-1]) + "\n")
                print(json.dumps(records[-1]), flush=True)
    print(table(records, options.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
