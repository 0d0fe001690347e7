"""Compiling a strategy without data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stom_ray.conditions.compile import compile_strategy
from stom_ray.conditions.ir import Strategy
from stom_ray.conditions.passes import reads as reads_of
from stom_ray.conditions.printer import print_expr, print_strategy, strategy_hash
from stom_ray.conditions.ranges import parse_ranges


@dataclass(frozen=True)
class Check:
    """A compiled strategy and what it reads."""

    strategy: Strategy
    reads: tuple[str, ...]
    windows: tuple[str, ...]
    variables: tuple[int, ...]
    warnings: tuple[str, ...]
    strategy_hash: str
    evaluations: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": True,
            "profile": self.strategy.profile,
            "columns": list(self.reads),
            "windows": list(self.windows),
            "variables": list(self.variables),
            "sell_reasons": list(self.strategy.labels[1:]),
            "grid_size": self.evaluations,
            "strategy_hash": self.strategy_hash,
            "warnings": list(self.warnings),
        }

    def render(self, *, show_ir: bool = False) -> str:

        lines = [f"compiles (profile {self.strategy.profile}, strategy {self.strategy_hash[:12]})"]
        lines.append(f"reads      {', '.join(self.reads) or 'no column'}")
        lines.append(f"windows    {', '.join(self.windows) or 'none'}")
        lines.append(f"variables  {', '.join(f'self.vars[{i}]' for i in self.variables) or 'none'}")
        lines += [
            f"sell {number:<5} {text.strip() or '(blank line)'}" for number, text in enumerate(self.strategy.labels) if number
        ]
        if self.evaluations is not None:
            lines.append(f"grid       {self.evaluations:,} combinations")
        lines += list(self.warnings)
        if show_ir:
            lines.append(print_strategy(self.strategy))
        return "\n".join(lines)


def check(
    buy: str | bytes,
    sell: str | bytes,
    *,
    ranges: str | bytes | None = None,
    ranges_form: str = "step",
    profile: str = "corrected",
    elapsed: str = "",
    layout: str = "tick_v1",
) -> Check:
    """Compile scripts (and ranges) without data. Raises ConditionError, RangeError."""

    strategy = compile_strategy(buy, sell, profile=profile, elapsed=elapsed, layout=layout)
    found = reads_of(strategy)
    warnings = list(strategy.warnings)
    size = None
    if ranges is not None:
        parsed = parse_ranges(ranges, form=ranges_form)
        warnings += [*parsed.warnings, *parsed.lint_against(strategy)]
        size = 1
        for variable in parsed.variables:
            size *= len(variable.values)
    windows = tuple(f"{name}({print_expr(length)}, {print_expr(pre)})" for name, length, pre in found.windows)
    return Check(strategy, found.columns, windows, found.vars, tuple(warnings), strategy_hash(strategy), size)
