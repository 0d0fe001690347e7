"""Many runs over the same rows of a database: parameter rows, or pairs of condition lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from stom_ray.conditions.compile import compile_conditions, compile_strategy
from stom_ray.conditions.ranges import Ranges, parse_ranges
from stom_ray.engine import sweeps
from stom_ray.engine.sweeps import ROWS_A_TURN, SweepPlan, loaded_lengths
from stom_ray.engine.types import ParamMatrix
from stom_ray.errors import ConditionError, ConfigError
from stom_ray.runs.backtest import Batch, Settings
from stom_ray.runs.choice import DataChoice, Paths
from stom_ray.runs.outcome import Backtest, Outcome
from stom_ray.search.space import Space
from stom_ray.store.panel import Selection

MOST_GRID_ROWS = 100_000
Some = TypeVar("Some", bound=Outcome)
Pairs = dict[str, list[list[str]]]


def sweep(db: Paths, buy: str | bytes = b"", sell: str | bytes = b"", **options: Any) -> Backtest:
    """With every trade; options as `batches`."""
    return joined([batch.trades() for batch in batches(db, buy, sell, **options)])


def sweep_totals(db: Paths, buy: str | bytes = b"", sell: str | bytes = b"", **options: Any) -> Outcome:
    """Sums of each row only, with no trade kept; options as `batches`."""
    return joined([batch.totals() for batch in batches(db, buy, sell, **options)])


def batches(
    db: Paths,
    buy: str | bytes,
    sell: str | bytes,
    *,
    ranges: str | bytes | None = None,
    ranges_form: str = "step",
    grid: bool = False,
    most_rows: int = MOST_GRID_ROWS,
    rows: Sequence[Sequence[int | float]] | None = None,
    conditions: Pairs | None = None,
    choice: DataChoice | None = None,
    **settings: Any,
) -> list[Batch]:
    """What a sweep runs: explicit parameter `rows`, pairs of `conditions`, or `ranges`, one variable at a time or, with `grid`,
    every combination, up to `most_rows`. Raises ConfigError unless exactly one of the three is given."""
    if sum(given is not None for given in (ranges, rows, conditions)) != 1:
        raise ConfigError("a sweep takes exactly one of --ranges with --one-at-a-time or --grid, --rows, --conditions")
    how = Settings(**settings)
    selection, notes = (choice or DataChoice()).open(db)
    if conditions is not None:
        return _pairs(selection, conditions, how, notes)
    strategy = compile_strategy(buy, sell, profile=how.profile, elapsed=how.elapsed, layout=selection.loaded.layout)
    if ranges is not None:
        parsed = parse_ranges(ranges, form=ranges_form)
        notes = (*notes, *parsed.warnings, *parsed.lint_against(strategy))
        plan = every_combination(parsed, most_rows) if grid else sweeps.one_at_a_time(parsed)
    else:
        plan = sweeps.explicit_rows(rows or [])
    config = how.engine(plan.loaded_lengths, gate_var0=True)
    return [Batch(strategy, selection, plan.params, config, how, notes, (plan.vturn, plan.vkey))]


def every_combination(ranges: Ranges, most_rows: int) -> SweepPlan:
    """The product of all ranges, the last variable changing fastest; numbered as explicit rows are.

    Raises ConfigError for more than `most_rows`, RangeError where an index is missing.
    """
    space = Space.from_ranges(ranges)
    size = space.size
    assert size is not None  # lists only
    if size > most_rows:
        raise ConfigError(
            f"the grid of these ranges has {size:,} rows, more than {most_rows:,}: search it (`stom-ray search`), give fewer "
            f"values, or allow it with --most-rows {size}"
        )
    numbers = np.arange(size, dtype=np.int64)
    first = ranges.variables[0]
    lengths = loaded_lengths((*first.values, first.best))
    return SweepPlan(space.grid(0, size), numbers // ROWS_A_TURN, numbers % ROWS_A_TURN, lengths)


def _pairs(selection: Selection, conditions: Pairs, how: Settings, notes: tuple[str, ...]) -> list[Batch]:
    config = how.engine((how.avgtime,), gate_var0=False)
    one_row = ParamMatrix.from_rows([[]])
    found = []
    for number, (buy_lines, sell_lines) in enumerate(_condition_pairs(conditions)):
        try:
            strategy = compile_conditions(
                buy_lines, sell_lines, profile=how.profile, layout=selection.loaded.layout, elapsed=how.elapsed
            )
        except ConditionError as error:
            raise ConditionError(f"conditions, pair {number}: {error}") from error
        found.append(Batch(strategy, selection, one_row, config, how, notes, ([0], [number])))
    return found


def joined(runs: Sequence[Some]) -> Some:
    """Several runs over the same rows as one, in their order."""
    if len(runs) == 1:
        return runs[0]
    how = runs[0].how
    for one in runs[1:]:
        how = how.and_then(one.how)
    whole = replace(
        runs[0],
        totals=_below([run.totals for run in runs]),
        faults=tuple(replace(fault, candidate=number) for number, run in enumerate(runs) for fault in run.faults),
        how=how,
        warnings=tuple(dict.fromkeys(text for run in runs for text in run.warnings)),
        seconds={"run": sum(run.seconds["run"] for run in runs)},
    )
    traded = [run for run in runs if isinstance(run, Backtest)]
    if not isinstance(whole, Backtest):
        return whole
    return replace(
        whole,
        trades=_below([run.trades for run in traded]),
        figures=_below([run.figures for run in traded]),
        zero_divisions=_add(run.zero_divisions for run in traded),
    )


def _below(frames: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True)


def _condition_pairs(conditions: dict[str, list[list[str]]]) -> list[tuple[list[str], list[str]]]:
    if not isinstance(conditions, dict) or set(conditions) != {"buy", "sell"}:
        raise ConfigError('conditions: expected {"buy": [[line, ...], ...], "sell": [[line, ...], ...]}')
    buys, sells = conditions["buy"], conditions["sell"]
    for side, lists in (("buy", buys), ("sell", sells)):
        if not isinstance(lists, list):
            raise ConfigError(f"conditions: {side} is {lists!r:.60}: expected a list of lists of texts")
        for number, lines in enumerate(lists):
            if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
                raise ConfigError(f"conditions: {side}[{number}] is no list of texts")
    if len(buys) != len(sells) or not buys:
        raise ConfigError(
            f"conditions: {len(buys)} buy lists and {len(sells)} sell lists: they go pair by pair, at least one pair"
        )
    return list(zip(buys, sells, strict=True))


def _add(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for record in counts:
        for place, count in record.items():
            total[place] = total.get(place, 0) + count
    return total
