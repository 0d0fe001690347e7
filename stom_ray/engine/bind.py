"""What a run needs of a selection before its first row: book, gate, costs by day, betting criterion; and the checks.

The reference simulator and the kernel refuse the same things because both call `check_run`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stom_ray.conditions.faults import role
from stom_ray.conditions.ir import Const, Expr, Lag, Strategy, Var, Window
from stom_ray.conditions.rows import Rows
from stom_ray.conditions.traversal import expressions
from stom_ray.engine.types import EngineConfig, Floats, ParamMatrix
from stom_ray.errors import ConditionError, ConfigError
from stom_ray.schema.costs import CostModel, cost_model
from stom_ray.store.panel import Panel, Selection

FiveLevels = tuple[Floats, Floats, Floats, Floats, Floats]

WEIGHTING_ANGLE = 30  # rows, §6.1
ANGLES = ("등락율각도", "당일거래대금각도", "전일비각도")


@dataclass(frozen=True)
class Binding:
    """Arrays (n_rows,) over the selected panel. Book columns are five levels, best first.

    watched: rows on which buying is allowed (관심종목 above 0; NaN is not). criterion: what betting weights go by, None when they
    are off. costs: one model a session.
    """

    rows: Rows
    price: Floats
    watched: NDArray[np.bool_]
    ask_prices: FiveLevels
    ask_sizes: FiveLevels
    bid_prices: FiveLevels
    bid_sizes: FiveLevels
    market_cap: Floats
    criterion: Floats | None
    costs: tuple[CostModel, ...]


def bind(selection: Selection, config: EngineConfig) -> Binding:
    """Raises SchemaError for columns that are not there, ConfigError for a cost model that does not hold on a day."""
    rows = Rows(selection, config.loaded_lengths)
    column = rows.column
    return Binding(
        rows=rows,
        price=column("현재가"),
        watched=column("관심종목") > 0,
        ask_prices=five_levels(rows, "매도호가"),
        ask_sizes=five_levels(rows, "매도잔량"),
        bid_prices=five_levels(rows, "매수호가"),
        bid_sizes=five_levels(rows, "매수잔량"),
        market_cap=column("시가총액"),
        criterion=weighting_criterion(rows, config.weighting.mode) if config.weighting.mode > 0 else None,
        costs=tuple(cost_model(config.costs, int(day)) for day in selection.selected.session_day),
    )


def five_levels(rows: Rows, name: str) -> FiveLevels:
    first, second, third, fourth, fifth = (rows.column(f"{name}{level}") for level in (1, 2, 3, 4, 5))
    return first, second, third, fourth, fifth


def weighting_criterion(rows: Rows, mode: int) -> Floats:
    """What the betting weight of each row goes by (§6.1). mode: 1 range of the day, 2 and 3 angles, 4 5 and others columns."""
    if mode == 1:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.round((rows.column("고가") / rows.column("저가") - 1) * 100, 2), dtype=np.float64)
    if mode in (2, 3):
        function = "등락율각도" if mode == 2 else "당일거래대금각도"
        enough = WEIGHTING_ANGLE if not rows.is_loaded(function, WEIGHTING_ANGLE) else 1
        return np.where(day_counts(rows.panel) >= enough, rows.window(function, WEIGHTING_ANGLE), 0.0)
    return rows.column({4: "전일비", 5: "회전율"}.get(mode, "전일동시간비"))


def day_counts(panel: Panel) -> NDArray[np.int64]:
    """데이터길이 of every row: 1 on a session's first."""
    starts = np.repeat(panel.offsets[:-1], np.diff(panel.offsets))
    return np.arange(panel.n_rows, dtype=np.int64) - starts + 1


def check_run(strategy: Strategy, selection: Selection, params: ParamMatrix, config: EngineConfig) -> tuple[str, ...]:
    """Refuses what cannot run; returns warnings.

    Raises ConfigError: no parameter row, too few variables, betting weights that are not there, a gate that is no row count, a
    minute panel, profiles that differ.
    Raises ConditionError, in the corrected profile: a constant look-back or window longer than any loaded session.
    """
    panel = selection.selected
    if panel.layout.startswith("minute"):
        raise ConfigError("this is a minute database: running minute scripts is not offered; use a tick database")
    if strategy.profile != config.profile:
        raise ConfigError(
            f"the strategy was compiled for profile {strategy.profile}, the run is {config.profile}: compile it for that one"
        )
    if len(params) == 0:
        raise ConfigError("there is no parameter row to run: pass at least one (an empty one for scripts without self.vars)")
    width = params.values.shape[1]
    needed = max(strategy.n_vars, 1 if config.gate_var0 else 0)
    if width < needed:
        raise ConfigError(f"the scripts read self.vars[0] to self.vars[{needed - 1}], but parameter rows have {width} values")
    if config.weightings and width == needed:
        raise ConfigError(f"parameter rows have {width} values: expected the place of their betting weights behind {needed}")
    config.places(params)
    if config.gate_var0 and not np.all(params.values[:, 0] >= 1):
        row = int(np.argmin(params.values[:, 0] >= 1))
        raise ConfigError(
            f"self.vars[0] is {params.values[row, 0]:g} in parameter row {row}: it is STOM's avgtime, at least 1 row"
        )
    return (*_too_long(strategy, selection, config), *_several_lengths(strategy, config))


def _too_long(strategy: Strategy, selection: Selection, config: EngineConfig) -> list[str]:
    longest = int(np.diff(selection.loaded.offsets).max())
    warnings = []
    for text, node in _nodes(strategy):
        rows = _rows_needed(node, config)
        if rows > longest:
            name = node.function if isinstance(node, Window) else f"{node.name}N"
            message = (
                f"{role(text)}, line {node.at.line}, column {node.at.start + 1}: `{name}` needs {rows:,} rows of one day, "
                f"but the longest session here has {longest:,}"
            )
            if strategy.profile == "corrected":
                raise ConditionError(f"{message}\n    hint: shorten it, or select longer hours")
            warnings.append(f"{message}: it is always 0")
    return warnings


def _rows_needed(node: Lag | Window, config: EngineConfig) -> int:
    """Rows of a day that a look-back or window with constant arguments takes; 0 when they are not constant."""
    pre = _constant(node.pre)
    if isinstance(node, Lag):
        return pre + 1 if pre >= 0 else 0
    length = _constant(node.length)
    if length < 1 or not isinstance(node.pre, Const):
        return 0
    loaded = (60, 300, 600, 1200) if node.function == "이동평균" else config.loaded_lengths
    return max(pre, 0) + (1 if length in loaded else length)


def _constant(node: Expr) -> int:
    return int(node.value) if isinstance(node, Const) and isinstance(node.value, int | float) else -1


def _several_lengths(strategy: Strategy, config: EngineConfig) -> list[str]:
    """Where STOM reads other columns because several lengths are loaded (spec/engine.md, Several window lengths)."""
    lengths = config.loaded_lengths
    if len(lengths) < 2:
        return []
    differing = sorted(
        {
            node.function
            for _, node in _nodes(strategy)
            if isinstance(node, Window)
            and node.function != "이동평균"
            and not (isinstance(node.length, Const) and node.length.value not in lengths)
            and not (_is_gate(node.length, config) and len(lengths) == 2 and node.function not in ANGLES)
        }
    )
    if not differing:
        return []
    return [
        f"several window lengths are loaded ({', '.join(map(str, lengths))}): STOM would read other columns for "
        f"{', '.join(differing)}; here each means what it says"
    ]


def _is_gate(node: Expr, config: EngineConfig) -> bool:
    return config.gate_var0 and isinstance(node, Var) and node.index == 0


def _nodes(strategy: Strategy) -> list[tuple[str, Lag | Window]]:
    texts = (("buy", strategy.buy), ("sell", strategy.sell), *((f"elapsed:{name}", one) for name, one in strategy.elapsed))
    return [(text, node) for text, program in texts for node in expressions(program) if isinstance(node, Lag | Window)]
