"""A run over structure, times or betting weights: libraries read, goal made, and what was found written as plain scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stom_ray.conditions.compile import compile_elapsed
from stom_ray.conditions.diagnostics import Warnings
from stom_ray.conditions.ir import Strategy
from stom_ray.config import RunConfig
from stom_ray.config.structure import StructureSection
from stom_ray.engine.types import EngineConfig, Weighting
from stom_ray.runs.files import write_text
from stom_ray.search.evaluator import SerialEvaluator
from stom_ray.search.goal import StomGoal
from stom_ray.search.library import LibraryTerm, parse_library
from stom_ray.search.space import Space
from stom_ray.search.structure import Found, Structure, build_structure, filled
from stom_ray.search.structure_goal import StructureGoal, trade_without_skill
from stom_ray.search.table import TrialTable
from stom_ray.search.term_cut import Side
from stom_ray.store.panel import Selection

if TYPE_CHECKING:
    from stom_ray.runs.subject import Subject

NAMES = {"buy": "winner_buy.txt", "sell": "winner_sell.txt"}


def read_structure(config: RunConfig, texts: dict[str, str], variables: int, layout: str) -> Structure | None:
    """What may be added to the strategy, None without a `structure` section. texts: the strategy's and the libraries' by name.

    variables: how many the user's own ranges have. Raises ConditionError with a library's file, line and column.
    """
    section = config.structure
    if section is None:
        return None
    profile = config.strategy.profile

    def terms(name: str) -> tuple[LibraryTerm, ...]:
        place: str = getattr(section, name)
        return parse_library(texts[name], place) if place else ()

    elapsed = frozenset(name for name, _ in compile_elapsed(config.strategy.elapsed, profile, layout, Warnings()))
    return build_structure(
        {"buy": texts["buy"], "sell": texts["sell"]},
        variables,
        terms={"buy": terms("library"), "sell": terms("sell_library")},
        lines={"buy": terms("buy_lines"), "sell": terms("sell_lines")},
        layout=layout,
        profile=profile,
        elapsed=elapsed,
    )


def structure_goal(
    section: StructureSection, goal: StomGoal, space: Space, strategy: Strategy, selection: Selection, engine: EngineConfig
) -> StructureGoal:
    """The run's goal with a price for terms. strategy: the generated one.

    With guide `surplus` the present values are run once over all selected days, walk-forward's test days among them, for what a
    trade without skill brings: one number for all candidates, which tells none from another.
    """
    baseline, deviation = 0.0, 0.0
    if section.guide == "surplus":
        baseline, deviation = trade_without_skill(SerialEvaluator(strategy, selection, engine).evaluate(space.present), 0)
    return StructureGoal(
        goal.objective,
        goal.limits,
        goal.betting,
        goal.weighted,
        space=space,
        price=section.price,
        unit=section.unit,
        guide=section.guide,
        baseline=baseline,
        deviation=deviation,
    )


@dataclass(frozen=True)
class FoundScripts:
    """The best row as plain scripts, and the files they were written to. weighting: where betting weights are searched."""

    found: Found
    files: dict[str, Path]
    weighting: Weighting | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "terms": list(self.found.rules),
            "buy": self.found.buy,
            "sell": self.found.sell,
            "files": {side: str(path) for side, path in self.files.items()},
            "weights": None if self.weighting is None else list(self.weighting.values),
        }

    def render(self) -> str:
        terms = "; ".join(self.found.rules) or "nothing beyond the strategy's own conditions"
        lines = [f"found     {terms}", f"          as a script: {', '.join(map(str, self.files.values()))}"]
        if self.weighting is not None:
            lines.append(f"          betting weights: {self.weighting if self.weighting.mode else 'off'}")
        return "\n".join(lines)


def write_found(subject: Subject, folder: Path, table: TrialTable | None) -> FoundScripts | None:
    """The study's best row as scripts in the run's folder; None where only self.vars are searched, or without a row that ran."""
    searched = subject.structure is not None or subject.windows is not None or subject.engine.weightings
    if not searched or table is None or len(table.best()) == 0:
        return None
    best = table.best()[:1]
    row = plain_row(table, int(best[0]))
    # Betting weights stand last and are in no script.
    found = _found(subject, row[:-1] if subject.engine.weightings else row)
    files = {side: folder / name for side, name in NAMES.items()}
    write_text(files["buy"], found.buy)
    write_text(files["sell"], found.sell)
    weighting = subject.engine.of_row(table.rows(best)).weighting if subject.engine.weightings else None
    return FoundScripts(found, files, weighting)


def _found(subject: Subject, row: Sequence[int | float]) -> Found:
    """row: (n_vars,)."""
    texts: dict[Side, str] = {"buy": subject.texts["buy"], "sell": subject.texts["sell"]}
    if subject.windows is None:
        if subject.structure is None:
            return Found(filled(texts["buy"], row), filled(texts["sell"], row), ())
        return subject.structure.found(row)
    if subject.structure is None:
        return subject.windows.found(texts, row)
    found = replace(subject.structure, bases=subject.windows.plain(texts, row)).found(row)
    return replace(found, rules=(*subject.windows.conditions(row), *found.rules))


def plain_row(table: TrialTable, row: int) -> list[int | float]:
    """(n_vars,) a row's values, ints and floats as the space has them."""
    params = table.rows(np.array([row]))
    return [float(value) if written else int(value) for value, written in zip(params.values[0], params.is_float[0], strict=True)]
